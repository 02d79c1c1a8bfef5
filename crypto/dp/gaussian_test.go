package dp_test

import (
	"errors"
	"math"
	"math/big"
	"testing"

	"candor/crypto/dp"
	"candor/crypto/dp/dptest"
)

func gaussian(num, den int64, delta *big.Rat, l0, lInf int64) dp.Gaussian {
	return dp.Gaussian{Epsilon: big.NewRat(num, den), Delta: delta, L0: l0, LInf: lInf}
}

var millionth = big.NewRat(1, 1_000_000)

// σ/Δ2 = 4.225 for (1, 10^-6), and the calibration's own definition: the δ of σ, and of a σ 0.2 % smaller.
func TestGaussianSigma(t *testing.T) {
	if got := gaussian(1, 1, millionth, 1, 1).Sigma(); got < 4.2245 || got > 4.2255*1.001 {
		t.Errorf("σ = %v, want 4.225", got)
	}
	phi := func(x float64) float64 { return math.Erfc(-x/math.Sqrt2) / 2 }
	delta := func(sigma, l2, eps float64) float64 {
		return phi(l2/(2*sigma)-eps*sigma/l2) - math.Exp(eps)*phi(-l2/(2*sigma)-eps*sigma/l2)
	}
	for _, c := range []struct {
		m       dp.Gaussian
		l2, eps float64
		delta   float64
	}{
		{gaussian(1, 1, millionth, 1, 1), 1, 1, 1e-6},
		{gaussian(1, 2, millionth, 4, 3), 6, 0.5, 1e-6},
		{gaussian(1, 10, big.NewRat(1, 1e9), 9, 20), 60, 0.1, 1e-9},
		{gaussian(4, 1, big.NewRat(1, 100), 2, 1), math.Sqrt2, 4, 0.01},
	} {
		s := c.m.Sigma()
		if d := delta(s, c.l2, c.eps); d > c.delta {
			t.Errorf("σ = %v gives δ = %g, above %g", s, d, c.delta)
		}
		if d := delta(s*0.998, c.l2, c.eps); d <= c.delta {
			t.Errorf("σ = %v is more than 0.2 %% above what δ = %g needs", s, c.delta)
		}
	}
}

// The noise follows the rounded normal law, and the test is strong enough to tell it from its neighbours.
func TestGaussianDistribution(t *testing.T) {
	n := draws(20_000, 40_000, 500_000)
	m := gaussian(1, 1, millionth, 1, 1)
	x := sample(t, n, func() (int64, error) { return m.Add(0) })
	seen := dptest.Histogram(x)
	if p := dptest.ChiSquare(t, seen, m.Law().P); p < dptest.FalseAlarm {
		t.Errorf("p = %g against its own law", p)
	}
	for name, wrong := range map[string]dp.Law{
		"σ 10 % too small":        dp.RoundedGaussianLaw(m.Sigma() * 0.9),
		"Laplace of the variance": dp.RoundedLaplaceLaw(m.Sigma() / math.Sqrt2),
	} {
		if p := dptest.ChiSquare(t, seen, wrong.P); p > dptest.FalseAlarm {
			t.Errorf("%s is not noticed (p = %g)", name, p)
		}
	}
}

// Half-widths against plain convolution and, for many members, the normal law.
func TestGaussianSumHalfWidth(t *testing.T) {
	m := gaussian(1, 1, millionth, 1, 1)
	const radius = 300
	p := make([]float64, 2*radius+1)
	p[radius] = 1
	for range 12 {
		p = convolve(p, m.Law())
	}
	want, within := int64(0), p[radius]
	for within < 0.95 {
		want++
		within += 2 * p[radius+want]
	}
	if got := m.SumHalfWidth(12, 0.95); got != want {
		t.Errorf("12 members: ±%d, want ±%d", got, want)
	}
	if got, normal := float64(m.SumHalfWidth(1000, 0.95)), 1.959964*math.Sqrt(1000*m.Variance()); math.Abs(got-normal) > 1 {
		t.Errorf("1000 members: ±%v, normal law ±%.1f", got, normal)
	}
	var mixed dp.Sum // members' Gaussian noise with two Aggregators' exact one
	mixed.Add(m.Law(), 12)
	mixed.Add(discreteGaussian(3, 1).Law(), 2)
	if got, want := mixed.Variance(), 12*m.Variance()+18; math.Abs(got-want) > 1e-9 {
		t.Errorf("variance of the mixed sum: %v, want %v", got, want)
	}
}

func TestGaussianAddAndOffset(t *testing.T) {
	m := gaussian(1, 1, millionth, 1, 1)
	if got := m.Offset(); got != 60 { // 12·⌈4.225⌉
		t.Errorf("offset %d, want 60", got)
	}
	x := []int64{0, 1_000, dp.MaxValue, -dp.MaxValue}
	y, err := m.AddVector(x)
	if err != nil {
		t.Fatal(err)
	}
	for i := range x {
		if d := y[i] - x[i]; d < -60 || d > 60 {
			t.Errorf("%d became %d", x[i], y[i])
		}
	}
	if _, err := m.Add(dp.MaxValue + 1); err == nil {
		t.Error("a value above the limit was accepted")
	}
}

// Parameters with which the library hangs or wraps are refused before it is called, and the edges of what is accepted
// return promptly.
func TestGaussianRefusals(t *testing.T) {
	for name, m := range map[string]dp.Gaussian{
		"zero value":  {},
		"ε = 800":     gaussian(800, 1, millionth, 1, 1),
		"ε = 0":       gaussian(0, 1, millionth, 1, 1),
		"no δ":        gaussian(1, 1, nil, 1, 1),
		"δ = 0":       gaussian(1, 1, new(big.Rat), 1, 1),
		"δ = 1":       gaussian(1, 1, big.NewRat(1, 1), 1, 1),
		"δ = 10^-16":  gaussian(1, 1, big.NewRat(1, 1e16), 1, 1),
		"L0 = 0":      gaussian(1, 1, millionth, 0, 1),
		"L0 = 2^32":   gaussian(1, 1, millionth, 1<<32, 1),
		"L∞ = 0":      gaussian(1, 1, millionth, 1, 0),
		"L∞ = 2^62":   gaussian(1, 1, millionth, 3, 1<<62),
		"σ over 2^39": gaussian(1, 1000, millionth, 1, 1<<40),
	} {
		if _, err := m.Add(0); !errors.Is(err, dp.ErrParameters) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	for name, m := range map[string]dp.Gaussian{
		"largest ε, least δ":  gaussian(16, 1, big.NewRat(1, 1e15), 1, 1),
		"largest ε and δ":     gaussian(16, 1, big.NewRat(1, 100), 1, 1),
		"smallest ε, least δ": gaussian(1, 1000, big.NewRat(1, 1e15), 1, 1),
		"many cells":          gaussian(16, 1, millionth, 1<<20, 1<<20),
	} {
		for range 100 {
			if _, err := m.Add(1); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		if m.Offset() < int64(11*m.Sigma()) {
			t.Errorf("%s: offset %d for σ = %v", name, m.Offset(), m.Sigma())
		}
	}
}
