// Package dptest holds the statistics by which tests judge noise: whether draws follow a law, and how much outputs on neighbouring inputs
// give away (privacy-design, "Verification"). It is for _test.go files only.
package dptest

import (
	"math"
	"slices"
	"testing"
)

// FalseAlarm is the probability with which each statistical test on fresh randomness fails although all is well.
const FalseAlarm = 1e-9

// ChiSquare compares a histogram of n draws with a law, in bins of an expected count of at least 10, with each tail
// pooled. It returns the probability of a statistic at least that large under the law.
func ChiSquare(t testing.TB, seen map[int64]int, law func(int64) float64) float64 {
	t.Helper()
	n := 0
	for _, c := range seen {
		n += c
	}
	if law(0)*float64(n) < 10 {
		t.Fatalf("%d draws are too few for this law", n)
	}
	edge := int64(0) // the last bin of its own on each side
	inner := law(0)
	for law(edge+1)*float64(n) >= 10 {
		edge++
		inner += 2 * law(edge)
	}
	if (1-inner)/2*float64(n) < 10 { // a tail too light to stand alone joins the last bin
		inner -= 2 * law(edge)
		edge--
	}
	var statistic float64
	bin := func(observed int, p float64) {
		d := float64(observed) - float64(n)*p
		statistic += d * d / (float64(n) * p)
	}
	below, above := 0, 0
	for k, c := range seen {
		switch {
		case k < -edge:
			below += c
		case k > edge:
			above += c
		}
	}
	for k := -edge; k <= edge; k++ {
		bin(seen[k], law(k))
	}
	bin(below, (1-inner)/2)
	bin(above, (1-inner)/2)
	return chiSquareTail(statistic, int(2*edge+2))
}

// chiSquareTail returns P(X >= x) for a chi-square variable X of df degrees of freedom: the upper incomplete gamma
// function Q(df/2, x/2), by its series for small x and by Lentz's continued fraction otherwise.
func chiSquareTail(x float64, df int) float64 {
	a, x := float64(df)/2, x/2
	if x <= 0 {
		return 1
	}
	lg, _ := math.Lgamma(a)
	front := math.Exp(-x + a*math.Log(x) - lg)
	if x < a+1 {
		sum, term := 1/a, 1/a
		for n := 1; n < 10000 && term > sum*1e-16; n++ {
			term *= x / (a + float64(n))
			sum += term
		}
		return 1 - front*sum
	}
	b := x + 1 - a
	c, d := 1e300, 1/b
	h := d
	for i := 1; i < 10000; i++ {
		an := -float64(i) * (float64(i) - a)
		b += 2
		d = 1 / (an*d + b)
		c = b + an/c
		h *= d * c
		if math.Abs(d*c-1) < 1e-15 {
			break
		}
	}
	return front * h
}

// Histogram counts how often each value was drawn.
func Histogram(draws []int64) map[int64]int {
	h := make(map[int64]int)
	for _, k := range draws {
		h[k]++
	}
	return h
}

// binomialTail returns P(X >= k) for X of n trials with chance p; or one half, as a lower bound, if k is below the mean.
func binomialTail(n, k int, p float64) float64 {
	if float64(k) <= float64(n)*p {
		return 0.5
	}
	all, _ := math.Lgamma(float64(n) + 1)
	a, _ := math.Lgamma(float64(k) + 1)
	b, _ := math.Lgamma(float64(n-k) + 1)
	term := math.Exp(all - a - b + float64(k)*math.Log(p) + float64(n-k)*math.Log1p(-p))
	var sum float64
	for i := k; i <= n && term > sum*1e-12; i++ {
		sum += term
		term *= float64(n-i) / float64(i+1) * p / (1 - p)
	}
	return sum
}

// clopperPearson returns limits of a chance of which k of n were seen, each wrong with probability FalseAlarm.
func clopperPearson(k, n int) (lo, hi float64) {
	bisect := func(too func(p float64) bool) float64 {
		a, b := 1e-15, 1-1e-15
		for range 60 {
			if m := (a + b) / 2; too(m) {
				b = m
			} else {
				a = m
			}
		}
		return (a + b) / 2
	}
	lo = bisect(func(p float64) bool { return binomialTail(n, k, p) > FalseAlarm })
	hi = bisect(func(p float64) bool { return binomialTail(n, n-k, 1-p) < FalseAlarm })
	return lo, hi
}

// EmpiricalEpsilon returns a lower bound of the ε that outputs on two neighbouring inputs show: the best threshold is
// found on one half of them and used on the other (privacy design, section 6).
func EmpiricalEpsilon(x, neighbour []int64) float64 {
	n := len(x) / 2
	below := func(list []int64, at int64) (k int) {
		for _, v := range list {
			if v <= at {
				k++
			}
		}
		return k
	}
	best, threshold := math.Inf(-1), int64(0)
	for at := slices.Min(x[:n]); at <= slices.Max(x[:n]); at++ {
		p, q := float64(below(x[:n], at)), float64(below(neighbour[:n], at))
		// Lower limit over upper limit, in the normal approximation, to choose by.
		if r := math.Log(max(p-6*math.Sqrt(p), 1e-9) / (q + 6*math.Sqrt(q) + 1)); r > best {
			best, threshold = r, at
		}
	}
	lo, _ := clopperPearson(below(x[n:], threshold), n)
	_, hi := clopperPearson(below(neighbour[n:], threshold), n)
	return math.Log(lo / hi)
}
