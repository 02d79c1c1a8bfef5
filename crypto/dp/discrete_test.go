package dp_test

import (
	"bytes"
	"errors"
	"io"
	"math"
	"math/big"
	"slices"
	"testing"

	"candor/crypto/dp"
	"candor/crypto/dp/dptest"
)

func discreteLaplace(num, den int64) dp.DiscreteLaplace {
	return dp.DiscreteLaplace{Scale: big.NewRat(num, den)}
}

func discreteGaussian(num, den int64) dp.DiscreteGaussian {
	return dp.DiscreteGaussian{Sigma: big.NewRat(num, den)}
}

// Known answers over the stream of newStream: privacy design, section 6. Those with two passes are the outputs that
// libprio-rs publishes for noise added to two aggregate shares in turn.
func TestDiscreteKnownAnswers(t *testing.T) {
	type mechanism interface {
		Sample(io.Reader, int) ([]int64, error)
	}
	for _, c := range []struct {
		name   string
		m      mechanism
		seed   byte
		passes int
		want   []int64
	}{
		{"Gaussian 5", discreteGaussian(5, 1), 0, 1, []int64{10, 7, 2, 1, -1, -2, -1, 3, -3, -1, 3, 6, 3, -7, -8, -1, 2, -4, -11, -4}},
		{"Laplace 5", discreteLaplace(5, 1), 0, 2, []int64{9, 5, 15, 3, 5, 0, -3, -30, 2, -7}},
		{"Laplace 15", discreteLaplace(15, 1), 1, 2, []int64{-36, -8, 24, 32, 9, -7, -4, 9, -8, -14}},
		{"Laplace 1", discreteLaplace(1, 1), 2, 2, []int64{2, 1, -1, 1, 3, 1, 0, 4, 3, -2}},
		{"Laplace 2", discreteLaplace(2, 1), 3, 2, []int64{-10, 0, 3, -3, -7, 2, 0, 4, -2, 2}},
		{"Laplace 1, one pass", discreteLaplace(1, 1), 0, 1, []int64{1, 0, 0, 0, 0, -5, 0, 0, 2, 1}},
		{"Laplace 7/2, one pass", discreteLaplace(7, 2), 0, 1, []int64{5, 4, 3, -2, 3, -4, 4, 11, 2, 0}},
	} {
		stream := newStream(c.seed)
		got := make([]int64, len(c.want))
		for range c.passes {
			x, err := c.m.Sample(stream, len(c.want))
			if err != nil {
				t.Fatal(err)
			}
			for i := range x {
				got[i] += x[i]
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s:\n got %v\nwant %v", c.name, got, c.want)
		}
	}
}

// The distribution for one fixed stream each: p-values below 1e-3 would have been a reason to look, and the negative
// controls show what a wrong sampler would give.
func TestDiscreteDistribution(t *testing.T) {
	n := draws(20_000, 100_000, 1_000_000)
	for _, c := range []struct {
		name         string
		sample       func(io.Reader, int) ([]int64, error)
		law, tighter dp.Law
	}{
		{"Laplace 1", discreteLaplace(1, 1).Sample, discreteLaplace(1, 1).Law(), dp.DiscreteLaplaceLaw(0.9)},
		{"Laplace 7/2", discreteLaplace(7, 2).Sample, discreteLaplace(7, 2).Law(), dp.DiscreteLaplaceLaw(3.15)},
		{"Laplace 10", discreteLaplace(10, 1).Sample, discreteLaplace(10, 1).Law(), dp.DiscreteLaplaceLaw(9)},
		{"Gaussian 5/3", discreteGaussian(5, 3).Sample, discreteGaussian(5, 3).Law(), dp.DiscreteGaussianLaw(1.5)},
		{"Gaussian 5", discreteGaussian(5, 1).Sample, discreteGaussian(5, 1).Law(), dp.DiscreteGaussianLaw(4.5)},
	} {
		x, err := c.sample(newStream(77), n)
		if err != nil {
			t.Fatal(err)
		}
		seen := dptest.Histogram(x)
		if p := dptest.ChiSquare(t, seen, c.law.P); p < 1e-3 {
			t.Errorf("%s: p = %g against its own law", c.name, p)
		}
		if p := dptest.ChiSquare(t, seen, c.tighter.P); p > dptest.FalseAlarm {
			t.Errorf("%s: a scale 10 %% too small is not noticed (p = %g)", c.name, p)
		}
		v, m4 := moments4(c.law.P, 500)
		var sum, squares, lagged, biggest float64
		for i, k := range x {
			sum += float64(k)
			squares += float64(k * k)
			biggest = max(biggest, math.Abs(float64(k)))
			if i > 0 {
				lagged += float64(k * x[i-1])
			}
		}
		root := math.Sqrt(float64(n))
		for what, z := range map[string]float64{
			"mean":     sum / math.Sqrt(v) / root,
			"variance": (squares/float64(n) - v) / math.Sqrt(m4-v*v) * root,
			"lag-1":    lagged / v / root,
		} {
			if math.Abs(z) > 5 {
				t.Errorf("%s: %s off by %.1f standard errors", c.name, what, z)
			}
		}
		if sd := math.Sqrt(v); biggest > sd*(math.Log(float64(n))+21) || biggest < 2*sd {
			t.Errorf("%s: the largest of %d draws is %v", c.name, n, biggest)
		}
	}
}

// One percent shows at 10^6 draws, a zero drawn for both signs at 10^5 (privacy design: about 146 on 22 degrees of
// freedom, and 11,567).
func TestDiscreteNegativeControls(t *testing.T) {
	n := draws(20_000, 100_000, 1_000_000)
	x, err := discreteLaplace(1, 1).Sample(newStream(78), n)
	if err != nil {
		t.Fatal(err)
	}
	// A sampler that keeps a zero of either sign: accept a second draw wherever one fell on "minus zero".
	p0 := discreteLaplace(1, 1).Law().P(0)
	doubled := func(k int64) float64 {
		if k == 0 {
			return 2 * p0 / (1 + p0)
		}
		return discreteLaplace(1, 1).Law().P(k) / (1 + p0)
	}
	if p := dptest.ChiSquare(t, dptest.Histogram(x), doubled); p > dptest.FalseAlarm {
		t.Errorf("zero kept twice is not noticed (p = %g)", p)
	}
	if n >= 1_000_000 {
		if p := dptest.ChiSquare(t, dptest.Histogram(x), dp.DiscreteLaplaceLaw(1.01).P); p > dptest.FalseAlarm {
			t.Errorf("a scale 1 %% off is not noticed (p = %g)", p)
		}
	}
}

// At large scales: Kolmogorov and Smirnov's distance from the exact distribution, which for lattices is conservative.
func TestDiscreteLaplaceLargeScale(t *testing.T) {
	n := draws(5_000, 50_000, 500_000)
	for _, scale := range []int64{1_000, 1 << 30} {
		x, err := discreteLaplace(scale, 1).Sample(newStream(79), n)
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(x)
		distance := func(scale float64) float64 {
			a := math.Exp(-1 / scale)
			cdf := func(k int64) float64 {
				if k < 0 {
					return math.Exp(float64(k)/scale) / (1 + a)
				}
				return 1 - a*math.Exp(-float64(k)/scale)/(1+a)
			}
			var d float64
			for i, k := range x {
				d = max(d, cdf(k)-float64(i)/float64(n), float64(i+1)/float64(n)-cdf(k))
			}
			return d * math.Sqrt(float64(n))
		}
		if d := distance(float64(scale)); d > 1.95 { // P(K > 1.95) = 1e-3
			t.Errorf("scale %d: distance %.2f", scale, d)
		}
		if d := distance(float64(scale) * 0.7); d < 1.95 {
			t.Errorf("scale %d: a wrong scale is at a distance of %.2f only", scale, d)
		}
	}
}

// words returns a stream of 32-bit words.
func words(w ...uint32) io.Reader {
	var b bytes.Buffer
	for _, x := range w {
		b.Write([]byte{byte(x), byte(x >> 8), byte(x >> 16), byte(x >> 24)})
	}
	return &b
}

// Every random word that matters, for every fraction up to q = 8: acceptance is exactly p out of q.
func TestBernoulliIsExact(t *testing.T) {
	for q := int64(1); q <= 8; q++ {
		for p := int64(0); p <= q; p++ {
			var g int64 = new(big.Int).GCD(nil, nil, big.NewInt(p), big.NewInt(q)).Int64()
			den := q / g
			size := big.NewInt(den).BitLen()
			accepted, total := int64(0), int64(0)
			for top := range uint32(1) << size {
				ok, err := dp.SampleBernoulli(words(top<<(32-size)|0x5a5a5a5a>>size), p, q)
				if err != nil {
					continue // rejected: the sampler asked for another word
				}
				total++
				if ok {
					accepted++
				}
			}
			if total != den || accepted*q != p*total {
				t.Errorf("%d/%d: %d of %d words accepted", p, q, accepted, total)
			}
		}
	}
}

// e^-x is the sum of the exact chances of all the ways in which the sampler can say yes, and no way is longer than its draws: up to a depth of 20, beyond which lies
// less than x^20/20!. Each way is played with the words that lead there.
func TestBernoulliExpIsExact(t *testing.T) {
	for _, x := range []struct{ p, q int64 }{{1, 7}, {1, 2}, {3, 4}, {7, 8}, {1, 1}} {
		reach, yes := 1.0, 0.0
		for k := int64(1); k <= 20; k++ {
			chance := float64(x.p) / float64(x.q*k)
			var way []uint32
			for j := int64(1); j <= k; j++ {
				den := x.q * j / new(big.Int).GCD(nil, nil, big.NewInt(x.p), big.NewInt(x.q*j)).Int64()
				u := uint32(0) // the draw succeeds
				if j == k {
					u = uint32(den - 1)
				}
				way = append(way, u<<(32-big.NewInt(den).BitLen()))
			}
			if chance < 1 { // else there is no such way
				got, err := dp.SampleBernoulliExp(words(append(way, 0)...), x.p, x.q)
				if err != nil || got != (k%2 == 1) {
					t.Errorf("e^-%d/%d: the first failure at %d gives %v, %v", x.p, x.q, k, got, err)
				}
				if got {
					yes += reach * (1 - chance)
				}
			}
			reach *= chance
		}
		if want := math.Exp(-float64(x.p) / float64(x.q)); math.Abs(yes-want) > reach+1e-15 {
			t.Errorf("e^-%d/%d: the ways to yes weigh %v, want %v", x.p, x.q, yes, want)
		}
	}
}

// Words come least significant first, and the last is shortened from below.
func TestUniformReadsTheStreamAsDocumented(t *testing.T) {
	for _, c := range []struct {
		n    int64
		in   []uint32
		want int64
	}{
		{1, []uint32{0x80000000, 0x7fffffff}, 0},
		{8, []uint32{0x80000000, 0x50000000}, 5},
		{1 << 32, []uint32{0xdeadbeef, 0x7fffffff}, 0xdeadbeef},
		{1 << 40, []uint32{0x11223344, 0x80000000, 0x11223344, 0x2a800000}, 0x5511223344},
	} {
		if got, err := dp.SampleUniform(words(c.in...), c.n); err != nil || got != c.want {
			t.Errorf("uniform(%d) = %#x, %v, want %#x", c.n, got, err, c.want)
		}
	}
}

// e^-γ and the geometric law built on it.
func TestBernoulliExpAndGeometric(t *testing.T) {
	n := draws(20_000, 50_000, 500_000)
	for _, c := range []struct{ p, q int64 }{{0, 1}, {1, 7}, {1, 1}, {3, 2}, {4, 1}} {
		stream := newStream(80)
		yes := 0
		for range n {
			ok, err := dp.SampleBernoulliExp(stream, c.p, c.q)
			if err != nil {
				t.Fatal(err)
			}
			if ok {
				yes++
			}
		}
		p := math.Exp(-float64(c.p) / float64(c.q))
		if d := math.Abs(float64(yes) - p*float64(n)); d > 4*math.Sqrt(float64(n)*p*(1-p)) {
			t.Errorf("e^-%d/%d: %d of %d, want %.0f", c.p, c.q, yes, n, p*float64(n))
		}
	}
	for _, c := range []struct{ p, q int64 }{{1, 1}, {2, 7}, {3, 2}} {
		stream := newStream(81)
		a := math.Exp(-float64(c.p) / float64(c.q))
		counts := make([]float64, 4)
		for range n {
			k, err := dp.SampleGeometricExp(stream, c.p, c.q)
			if err != nil {
				t.Fatal(err)
			}
			counts[min(k, 3)]++
		}
		for k, want := range []float64{1 - a, (1 - a) * a, (1 - a) * a * a, a * a * a} {
			if d := math.Abs(counts[k] - want*float64(n)); d > 4*math.Sqrt(float64(n)*want*(1-want)) {
				t.Errorf("geometric e^-%d/%d: %v draws of %d, want %v", c.p, c.q, counts[k], k, want*float64(n))
			}
		}
	}
}

// A stream that ends, or fails, is an error and never noise.
func TestDiscreteStreamErrors(t *testing.T) {
	var eof bytes.Buffer
	for name, f := range map[string]func() ([]int64, error){
		"empty Laplace":  func() ([]int64, error) { return discreteLaplace(5, 1).Sample(&eof, 1) },
		"empty Gaussian": func() ([]int64, error) { return discreteGaussian(5, 1).Sample(&eof, 1) },
		"short Gaussian": func() ([]int64, error) {
			return discreteGaussian(5, 1).Sample(io.LimitReader(newStream(0), 1001), 1000)
		},
	} {
		if x, err := f(); !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) || x != nil {
			t.Errorf("%s: %v, %v", name, x, err)
		}
	}
	// Whatever length the stream has, cutting it off never changes a complete result.
	whole, err := discreteGaussian(5, 1).Sample(newStream(0), 20)
	if err != nil {
		t.Fatal(err)
	}
	for length := range int64(4000) {
		x, err := discreteGaussian(5, 1).Sample(io.LimitReader(newStream(0), length), 20)
		if err == nil && !slices.Equal(x, whole) {
			t.Fatalf("a stream of %d bytes gives %v", length, x)
		}
	}
}

func TestDiscreteRefusals(t *testing.T) {
	for name, err := range map[string]error{
		"nil":         dp.DiscreteLaplace{}.Check(),
		"zero":        discreteLaplace(0, 1).Check(),
		"negative":    discreteLaplace(-1, 1).Check(),
		"tiny":        discreteLaplace(1, 17).Check(),
		"huge":        discreteLaplace(1<<39+1, 1).Check(),
		"nil σ":       dp.DiscreteGaussian{}.Check(),
		"zero σ":      discreteGaussian(0, 1).Check(),
		"sensitivity": func() error { _, err := discreteLaplace(1, 1).Loss(0); return err }(),
	} {
		if !errors.Is(err, dp.ErrParameters) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := (dp.DiscreteLaplace{}).Sample(newStream(0), 1); !errors.Is(err, dp.ErrParameters) {
		t.Errorf("Sample without a scale: %v", err)
	}
}

// V(ε) = 2a/(1-a)², a = e^-ε.
func TestDiscreteVarianceKnownAnswers(t *testing.T) {
	for _, c := range []struct{ got, want float64 }{
		{discreteLaplace(1, 1).Law().Variance(), 1.8413},
		{discreteLaplace(2, 1).Law().Variance(), 7.8354},
	} {
		if math.Abs(c.got-c.want) > 5e-5 {
			t.Errorf("variance %v, want %v", c.got, c.want)
		}
	}
}

func BenchmarkDiscreteLaplace(b *testing.B) {
	stream := newStream(0)
	for b.Loop() {
		if _, err := discreteLaplace(1, 1).Sample(stream, 1); err != nil {
			b.Fatal(err)
		}
	}
}
