package dp_test

import (
	"math"
	"testing"
	"time"

	"candor/crypto/dp"
)

func sumOf(l dp.Law, n int) *dp.Sum {
	var s dp.Sum
	s.Add(l, n)
	return &s
}

// Exact 95 % half-widths and variances of sums of discrete Laplace noises: privacy design, section 2.
func TestSumKnownAnswers(t *testing.T) {
	for _, c := range []struct {
		eps      float64
		n        int
		variance float64
		half     int64
	}{
		{0.5, 10, 78, 18}, {0.5, 50, 392, 39}, {0.5, 200, 1567, 78},
		{1, 10, 18.4, 9}, {1, 50, 92, 19}, {1, 200, 368, 38},
		{2, 10, 3.6, 4}, {2, 50, 18.1, 8}, {2, 200, 72, 17},
	} {
		s := sumOf(dp.DiscreteLaplaceLaw(1/c.eps), c.n)
		if got := s.HalfWidth(0.95); got != c.half {
			t.Errorf("ε = %v, n = %d: half-width %d, want %d", c.eps, c.n, got, c.half)
		}
		if got := s.Variance(); math.Abs(got-c.variance) > c.variance*0.006 {
			t.Errorf("ε = %v, n = %d: variance %v, want %v", c.eps, c.n, got, c.variance)
		}
	}
}

// The members' noise, whose rounding widens the interval: 44 for 247 members at ε = 1.
func TestLaplaceSumHalfWidth(t *testing.T) {
	if got := laplace(1, 1, 1).SumHalfWidth(247, 0.95); got != 44 {
		t.Errorf("247 members: ±%d, want ±44", got)
	}
	for n, want := range map[int]int64{0: 0, 1: 3} { // e^-3 + … : P(|η| <= 2) = 0.918, P(|η| <= 3) = 0.970
		if got := laplace(1, 1, 1).SumHalfWidth(n, 0.95); got != want {
			t.Errorf("%d members: ±%d, want ±%d", n, got, want)
		}
	}
}

// The transform against plain convolution of the probabilities, sums of two different laws included.
func TestSumAgainstPlainConvolution(t *testing.T) {
	for _, c := range []struct {
		name   string
		a, b   dp.Law
		na, nb int
	}{
		{"one", dp.RoundedLaplaceLaw(1), dp.Law{}, 1, 1},
		{"two", dp.RoundedLaplaceLaw(2.5), dp.Law{}, 2, 0},
		{"twelve", dp.RoundedLaplaceLaw(0.5), dp.Law{}, 12, 0},
		{"sixteenth", dp.RoundedLaplaceLaw(1. / 16), dp.Law{}, 30, 0},
		{"mixed", dp.RoundedLaplaceLaw(1), dp.DiscreteLaplaceLaw(3), 10, 2},
	} {
		var s dp.Sum
		s.Add(c.a, c.na)
		s.Add(c.b, c.nb)
		const radius = 160
		want := make([]float64, 2*radius+1) // index radius is 0
		want[radius] = 1
		for range c.na {
			want = convolve(want, c.a)
		}
		for range c.nb {
			want = convolve(want, c.b)
		}
		for k := int64(-radius / 2); k <= radius/2; k++ {
			if got := s.P(k); math.Abs(got-want[k+radius]) > 1e-12 {
				t.Fatalf("%s: P(%d) = %v, want %v", c.name, k, got, want[k+radius])
			}
		}
		for _, confidence := range []float64{0.5, 0.9, 0.95, 0.999} {
			h, within := int64(0), want[radius]
			for within < confidence {
				h++
				within += 2 * want[radius+h]
			}
			if got := s.HalfWidth(confidence); got != h {
				t.Errorf("%s: half-width at %v is %d, want %d", c.name, confidence, got, h)
			}
		}
	}
}

func convolve(p []float64, l dp.Law) []float64 {
	out := make([]float64, len(p))
	for i := range out {
		for j := range p {
			out[i] += p[j] * l.P(int64(i-j))
		}
	}
	return out
}

// Sums that spread too far for unit steps: close to the normal law, and never narrower than the exact value.
func TestSumOfWideNoises(t *testing.T) {
	const z = 1.959964
	for _, scale := range []float64{300, 1e4, 1e6, 1 << 38} {
		s := sumOf(dp.RoundedLaplaceLaw(scale), 1000)
		if got, want := float64(s.HalfWidth(0.95)), z*s.StdDev(); math.Abs(got/want-1) > 2e-3 {
			t.Errorf("scale %g: ±%v, but the normal law says ±%v", scale, got, want)
		}
		// One noise has a closed form: P(|η| <= h) = 1 - e^(-(h+½)/s).
		one := sumOf(dp.RoundedLaplaceLaw(scale), 1)
		exact := math.Ceil(-scale*math.Log(0.05) - 0.5)
		if got := float64(one.HalfWidth(0.95)); got < exact || got > exact*1.001+1 {
			t.Errorf("scale %g: ±%v for one noise, want ±%v", scale, got, exact)
		}
	}
}

func TestSumIsFast(t *testing.T) {
	start := time.Now()
	const rounds = 5
	for range rounds {
		laplace(1, 1, 1).SumHalfWidth(1000, 0.95)
	}
	if d := time.Since(start) / rounds; d > 50*time.Millisecond {
		t.Errorf("an interval for 1000 members takes %v", d)
	}
}

func TestSumRefusesNonsense(t *testing.T) {
	for name, f := range map[string]func(){
		"confidence 1":   func() { laplace(1, 1, 1).SumHalfWidth(1, 1) },
		"confidence 0":   func() { laplace(1, 1, 1).SumHalfWidth(1, 0) },
		"confidence NaN": func() { laplace(1, 1, 1).SumHalfWidth(1, math.NaN()) },
		"negative count": func() { laplace(1, 1, 1).SumHalfWidth(-1, 0.5) },
		"no mechanism":   func() { dp.Laplace{}.SumHalfWidth(1, 0.5) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s is accepted", name)
				}
			}()
			f()
		}()
	}
}

func BenchmarkSumHalfWidth(b *testing.B) {
	m := laplace(1, 1, 1)
	for b.Loop() {
		m.SumHalfWidth(1000, 0.95)
	}
}
