package dp_test

import (
	"math"
	"testing"

	"candor/crypto/dp"
)

// falseAlarm is the probability with which each statistical test on fresh randomness fails although all is well.
const falseAlarm = 1e-9

// chiSquare compares a histogram of n draws with a law, in bins of an expected count of at least 10, with each tail
// pooled. It returns the probability of a statistic at least that large under the law.
func chiSquare(t *testing.T, seen map[int64]int, law func(int64) float64) float64 {
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

// moments4 returns the variance and the fourth moment of a law around 0.
func moments4(law func(int64) float64, radius int64) (v, m4 float64) {
	for k := int64(1); k <= radius; k++ {
		x := float64(k)
		v += 2 * x * x * law(k)
		m4 += 2 * x * x * x * x * law(k)
	}
	return v, m4
}

func histogram(draws []int64) map[int64]int {
	h := make(map[int64]int)
	for _, k := range draws {
		h[k]++
	}
	return h
}

// The chi-square machinery itself, against table values.
func TestChiSquareTail(t *testing.T) {
	for _, c := range []struct {
		x    float64
		df   int
		want float64
	}{{3.841459, 1, 0.05}, {18.307038, 10, 0.05}, {23.209251, 10, 0.01}, {9.341818, 10, 0.5}, {124.342113, 100, 0.05}} {
		if got := chiSquareTail(c.x, c.df); math.Abs(got-c.want) > 1e-6 {
			t.Errorf("P(χ²(%d) >= %v) = %v, want %v", c.df, c.x, got, c.want)
		}
	}
}

// A law's probabilities sum to 1 and its variance is that of its probabilities.
func TestLawMoments(t *testing.T) {
	for name, law := range map[string]dp.Law{
		"rounded 1/16":  dp.RoundedLaplaceLaw(1. / 16),
		"rounded 1":     dp.RoundedLaplaceLaw(1),
		"rounded 20":    dp.RoundedLaplaceLaw(20),
		"discrete 1/2":  dp.DiscreteLaplaceLaw(0.5),
		"discrete 7/2":  dp.DiscreteLaplaceLaw(3.5),
		"discrete 1000": dp.DiscreteLaplaceLaw(1000),
	} {
		total := law.P(0)
		for k := int64(1); k < 60_000; k++ {
			total += law.P(k) + law.P(-k)
		}
		if math.Abs(total-1) > 1e-12 {
			t.Errorf("%s: probabilities sum to %v", name, total)
		}
		if v, _ := moments4(law.P, 60_000); math.Abs(v/law.Variance()-1) > 1e-9 {
			t.Errorf("%s: variance %v, but the probabilities have %v", name, law.Variance(), v)
		}
	}
}
