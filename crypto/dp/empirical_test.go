package dp_test

import (
	"math"
	"slices"
	"testing"
)

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

// clopperPearson returns limits of a chance of which k of n were seen, each wrong with probability falseAlarm.
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
	lo = bisect(func(p float64) bool { return binomialTail(n, k, p) > falseAlarm })
	hi = bisect(func(p float64) bool { return binomialTail(n, n-k, 1-p) < falseAlarm })
	return lo, hi
}

// empiricalEpsilon returns a lower bound of the ε that outputs on two neighbouring inputs show: the best threshold is
// found on one half of them and used on the other (privacy design, section 6).
func empiricalEpsilon(x, neighbour []int64) float64 {
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

// The noise protects as much as is claimed, and the measurement would show if it did not: at half the scale, and when
// one value is told twice with fresh noise. A claim fails by chance with a probability of 2e-9. The exact sampler runs
// on fixed streams; the bounds from below, for the library's fresh randomness, lie six standard errors away.
func TestEmpiricalEpsilon(t *testing.T) {
	n := draws(16_000, 50_000, 1_000_000)
	library := func(scale float64) []int64 {
		m := laplace(1, 1, 1)
		if scale == 0.5 {
			m = laplace(2, 1, 1)
		}
		return sample(t, n, func() (int64, error) { return m.Add(0) })
	}
	exact := func(seed byte, num, den int64) []int64 {
		x, err := discreteLaplace(num, den).Sample(newStream(seed), n)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	plusOne := func(x []int64) []int64 {
		y := slices.Clone(x)
		for i := range y {
			y[i]++
		}
		return y
	}
	add := func(a, b []int64) []int64 {
		y := slices.Clone(a)
		for i := range y {
			y[i] += b[i]
		}
		return y
	}
	a, b := library(1), library(1)
	c, d := exact(50, 1, 1), exact(51, 1, 1)
	for _, e := range []struct {
		name     string
		x, y     []int64
		min, max float64
	}{
		{"library, ε = 1", a, plusOne(b), 0.45, 1},
		{"exact, ε = 1", c, plusOne(d), 0.45, 1},
		{"control: library at half the scale", library(0.5), plusOne(library(0.5)), 1.02, 2},
		{"control: exact at half the scale", exact(52, 1, 2), plusOne(exact(53, 1, 2)), 1.1, 2},
		{"control: told twice with fresh noise", add(c, exact(54, 1, 1)), plusOne(plusOne(add(d, exact(55, 1, 1)))), 1.02, 2},
	} {
		got := empiricalEpsilon(e.x, e.y)
		if got < e.min || got > e.max {
			t.Errorf("%s: at least %.3f is shown, want %v to %v", e.name, got, e.min, e.max)
		}
		t.Logf("%s: ε of at least %.3f", e.name, got)
	}
}

// The limits are where the binomial tails weigh falseAlarm.
func TestClopperPearson(t *testing.T) {
	for _, c := range []struct{ k, n int }{{30, 100}, {1, 50}, {500, 1000}} {
		lo, hi := clopperPearson(c.k, c.n)
		if p := binomialTail(c.n, c.k, lo); math.Abs(p/falseAlarm-1) > 1e-3 {
			t.Errorf("%d of %d: P(X >= k) at the lower limit is %g", c.k, c.n, p)
		}
		if p := binomialTail(c.n, c.n-c.k, 1-hi); math.Abs(p/falseAlarm-1) > 1e-3 {
			t.Errorf("%d of %d: P(X <= k) at the upper limit is %g", c.k, c.n, p)
		}
	}
	if got := binomialTail(10, 8, 0.5); math.Abs(got-56.0/1024) > 1e-12 {
		t.Errorf("P(X >= 8 of 10) = %v", got)
	}
}
