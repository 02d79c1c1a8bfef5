package dp_test

import (
	"errors"
	"math"
	"math/big"
	"os"
	"testing"

	"candor/crypto/dp"
	"candor/crypto/dp/dptest"
)

func laplace(num, den, delta1 int64) dp.Laplace {
	return dp.Laplace{Epsilon: big.NewRat(num, den), Delta1: delta1}
}

// draws is the number of samples of a test: fewer with -short, more with CANDOR_TEST_LONG=1.
func draws(short, normal, long int) int {
	switch {
	case os.Getenv("CANDOR_TEST_LONG") == "1":
		return long
	case testing.Short():
		return short
	}
	return normal
}

func sample(t *testing.T, n int, draw func() (int64, error)) []int64 {
	t.Helper()
	x := make([]int64, n)
	for i := range x {
		k, err := draw()
		if err != nil {
			t.Fatal(err)
		}
		x[i] = k
	}
	return x
}

// The noise follows rounded Laplace, and the test is strong enough to tell it from its neighbours.
func TestLaplaceDistribution(t *testing.T) {
	n := draws(30_000, 60_000, 1_000_000)
	for _, c := range []struct {
		name string
		m    dp.Laplace
	}{{"ε=1", laplace(1, 1, 1)}, {"ε=2/3", laplace(2, 3, 1)}, {"Δ1=7 ε=2", laplace(2, 1, 7)}} {
		if testing.Short() && c.m.Epsilon.Cmp(big.NewRat(2, 3)) == 0 {
			continue
		}
		seen := dptest.Histogram(sample(t, n, func() (int64, error) { return c.m.Add(0) }))
		if p := dptest.ChiSquare(t, seen, c.m.Law().P); p < dptest.FalseAlarm {
			t.Errorf("%s: p = %g against its own law", c.name, p)
		}
		scale, _ := new(big.Rat).Quo(big.NewRat(c.m.Delta1, 1), c.m.Epsilon).Float64()
		for name, wrong := range map[string]dp.Law{
			"a scale 10 % too small": dp.RoundedLaplaceLaw(scale * 0.9),
			"a scale 10 % too large": dp.RoundedLaplaceLaw(scale * 1.1),
		} {
			if p := dptest.ChiSquare(t, seen, wrong.P); p > dptest.FalseAlarm {
				t.Errorf("%s: %s is not noticed (p = %g)", c.name, name, p)
			}
		}
		if scale < 1.1 {
			if p := dptest.ChiSquare(t, seen, dp.DiscreteLaplaceLaw(scale).P); p > dptest.FalseAlarm {
				t.Errorf("%s: discrete Laplace is not told from rounded Laplace (p = %g)", c.name, p)
			}
		}
		// "Zero kept for either sign", the classical mistake of a two-sided sampler.
		doubled := func(k int64) float64 {
			p0 := c.m.Law().P(0)
			if k == 0 {
				return 2 * p0 / (1 + p0)
			}
			return c.m.Law().P(k) / (1 + p0)
		}
		if p := dptest.ChiSquare(t, seen, doubled); p > dptest.FalseAlarm {
			t.Errorf("%s: a zero drawn twice is not noticed (p = %g)", c.name, p)
		}
	}
}

// Variance, symmetry and independence of successive draws; each z has a false-alarm rate of 1e-9 at 6.1.
func TestLaplaceMoments(t *testing.T) {
	m := laplace(1, 1, 3)
	n := draws(15_000, 60_000, 1_000_000)
	x := sample(t, n, func() (int64, error) { return m.Add(0) })
	v, m4 := moments4(m.Law().P, 500)
	var sum, squares, lagged float64
	for i, k := range x {
		sum += float64(k)
		squares += float64(k * k)
		if i > 0 {
			lagged += float64(k * x[i-1])
		}
	}
	root := math.Sqrt(float64(n))
	for name, z := range map[string]float64{
		"mean":              sum / math.Sqrt(v) / root,
		"variance":          (squares/float64(n) - v) / math.Sqrt(m4-v*v) * root,
		"lag-1 correlation": lagged / v / root,
	} {
		if math.Abs(z) > 6.1 {
			t.Errorf("%s is off by %.1f standard errors", name, z)
		}
	}
	if math.Abs(m.Variance()-v) > 1e-9 {
		t.Errorf("Variance() = %v, want %v", m.Variance(), v)
	}
	if wrong := (squares/float64(n) - 0.8*v) / math.Sqrt(m4-v*v) * root; wrong < 3 {
		t.Errorf("a variance 20 %% off is only %.1f standard errors away", wrong)
	}
}

// The values noted in the privacy design for the library's rounding.
func TestLaplaceVarianceKnownAnswers(t *testing.T) {
	for _, c := range []struct {
		eps  int64
		want float64
		unit float64
	}{{1, 2.08, 0.005}, {2, 0.559, 0.0005}, {4, 0.143, 0.0005}} {
		if got := laplace(c.eps, 1, 1).Variance(); math.Abs(got-c.want) > c.unit {
			t.Errorf("ε = %d: variance %v, want %v", c.eps, got, c.want)
		}
	}
}

// Around the value lies the noise, and nothing else: a vector comes back shifted by what Offset allows.
func TestLaplaceAdd(t *testing.T) {
	m := laplace(1, 1, 1)
	x := []int64{0, 5, -7, 1_000_000, dp.MaxValue, -dp.MaxValue}
	y, err := m.AddVector(x)
	if err != nil {
		t.Fatal(err)
	}
	for i := range x {
		if d := y[i] - x[i]; d < -m.Offset() || d > m.Offset() {
			t.Errorf("%d became %d", x[i], y[i])
		}
	}
	if x[1] != 5 {
		t.Error("the argument was changed")
	}
	if _, err := m.AddVector([]int64{0, dp.MaxValue + 1}); err == nil {
		t.Error("a value above the limit was accepted")
	}
	if _, err := m.AddVector([]int64{0, math.MinInt64}); err == nil {
		t.Error("a value below the limit was accepted")
	}
}

func TestLaplaceOffset(t *testing.T) {
	for _, c := range []struct{ num, den, delta1, want int64 }{
		{1, 1, 1, 64}, {1, 2, 1, 128}, {2, 1, 1, 64}, {3, 1, 7, 192}, {2, 3, 1, 128}, {1, 1, 20, 1280},
		{1, 1000, 1, 64_000}, {16, 1, 1, 64}, {1, 1, 1 << 39, 64 << 39},
	} {
		if got := laplace(c.num, c.den, c.delta1).Offset(); got != c.want {
			t.Errorf("ε = %d/%d, Δ1 = %d: offset %d, want %d", c.num, c.den, c.delta1, got, c.want)
		}
	}
}

// Parameters with which the library hangs, wraps or adds nothing are refused before it is called.
func TestLaplaceRefusals(t *testing.T) {
	for name, m := range map[string]dp.Laplace{
		"zero value":       {},
		"no epsilon":       {Delta1: 1},
		"zero epsilon":     laplace(0, 1, 1),
		"negative epsilon": laplace(-1, 1, 1),
		"tiny epsilon":     laplace(1, 1001, 1),
		"huge epsilon":     laplace(1000, 1, 1),
		"epsilon 16.001":   laplace(16001, 1000, 1),
		"no sensitivity":   laplace(1, 1, 0),
		"negative":         laplace(1, 1, -1),
		"sensitivity 2^62": laplace(1, 1, 1<<62),
		"scale over 2^39":  laplace(1, 2, 1<<39),
	} {
		if _, err := m.Add(0); !errors.Is(err, dp.ErrParameters) {
			t.Errorf("%s: error %v", name, err)
		}
		if err := m.Check(); !errors.Is(err, dp.ErrParameters) {
			t.Errorf("%s: Check says %v", name, err)
		}
	}
	for name, m := range map[string]dp.Laplace{
		"smallest epsilon": laplace(1, 1000, 1), "largest epsilon": laplace(16, 1, 1), "largest scale": laplace(1, 1, 1<<39),
		"largest sensitivity": laplace(2, 1, 1<<40),
	} {
		if _, err := m.Add(1); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A rational ε that no float64 equals reaches the library rounded towards more noise.
func TestEpsilonRoundsDown(t *testing.T) {
	for _, r := range []*big.Rat{big.NewRat(1, 3), big.NewRat(1, 10), big.NewRat(2, 3), big.NewRat(7, 5), big.NewRat(1, 1)} {
		f := dp.FloatBelow(r)
		if new(big.Rat).SetFloat64(f).Cmp(r) > 0 {
			t.Errorf("%s became the larger %v", r, f)
		}
		if up := math.Nextafter(f, 17); new(big.Rat).SetFloat64(up).Cmp(r) <= 0 {
			t.Errorf("%s became %v, although %v is not above it", r, f, up)
		}
	}
}

func BenchmarkLaplaceAdd(b *testing.B) {
	m := laplace(1, 1, 1)
	for b.Loop() {
		if _, err := m.Add(1000); err != nil {
			b.Fatal(err)
		}
	}
}
