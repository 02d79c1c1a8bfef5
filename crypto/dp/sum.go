package dp

import (
	"math"
	"math/bits"
)

// A Sum is the sum of independent noises, possibly of different laws: those of all members and, where they add some,
// of both Aggregators. The zero Sum is 0.
type Sum struct{ terms []term }

type term struct {
	law Law
	n   int
}

// Add adds n independent noises of law l. It panics if n is negative.
func (s *Sum) Add(l Law, n int) {
	if n < 0 {
		panic("dp: internal error: a negative number of noises")
	}
	if n > 0 && l.family != nothing {
		s.terms = append(s.terms, term{l, n})
	}
}

// Variance returns the variance of the sum.
func (s *Sum) Variance() float64 {
	var v float64
	for _, t := range s.terms {
		v += float64(t.n) * t.law.Variance()
	}
	return v
}

// StdDev returns the standard deviation of the sum.
func (s *Sum) StdDev() float64 { return math.Sqrt(s.Variance()) }

// maxConfidence is as far as HalfWidth goes: further out lie the errors of the computation (about 1e-12).
const maxConfidence = 1 - 1e-9

// HalfWidth returns the smallest h such that the sum lies within ±h with at least the given probability, which must
// lie strictly between 0 and 1-1e-9. It panics on another one.
//
// The law of the sum is computed exactly, by convolution. Only where the sum spreads over more than 2^17 integers (as
// for 247 members and a scale above 250) are the noises first expressed in a coarser unit; h is then too large by less
// than one part in a thousand, and never too small.
func (s *Sum) HalfWidth(confidence float64) int64 {
	if !(confidence > 0 && confidence < maxConfidence) {
		panic("dp: internal error: a confidence outside (0, 1-1e-9)")
	}
	p, step := s.distribution()
	within := p[0]
	h := int64(0)
	for within < confidence && h+1 < int64(len(p)) {
		h++
		within += 2 * p[h]
	}
	if step > 1 {
		h++ // a multiple of step stands for everything that rounds to it
	}
	return h * step
}

// P returns the probability that the sum is k. It needs a sum that HalfWidth computes without a coarser unit, and
// panics on another one.
func (s *Sum) P(k int64) float64 {
	p, step := s.distribution()
	if step != 1 {
		panic("dp: internal error: the sum spreads too far for its distribution to be tabled")
	}
	k = max(k, -k)
	if k < 0 || k >= int64(len(p)) {
		return 0
	}
	return p[k]
}

// Points, at most, at which a sum's distribution is computed.
const maxPoints = 1 << 17

// distribution returns P(S = k·step) for k = 0, 1, … up to where the rest weighs less than 1e-13. step is a power of 2,
// and 1 whenever the table is short enough.
func (s *Sum) distribution() (p []float64, step int64) {
	if len(s.terms) == 0 {
		return []float64{1}, 1
	}
	radius := s.radius(1e-13)
	step = 1
	for radius/float64(step) > maxPoints/2-2 {
		step *= 2
	}
	size := 1 << bits.Len64(uint64(2*radius/float64(step)+2))

	// The distribution of a sum is the convolution of those of its terms; in the frequency domain, their product.
	// On a circle of size points nothing overlaps, since no more than 1e-13 lies further out than half of it.
	product := make([]float64, size)
	for i := range product {
		product[i] = 1
	}
	f := make([]complex128, size)
	for _, t := range s.terms {
		law := t.law
		if step > 1 {
			law = law.coarser(float64(step))
		}
		f[0] = complex(law.P(0), 0)
		for k := 1; k <= size/2; k++ {
			v := complex(law.P(int64(k)), 0)
			f[k], f[size-k] = v, v
		}
		fourier(f)
		for i := range product {
			product[i] *= math.Pow(real(f[i]), float64(t.n))
		}
	}
	for i := range f {
		f[i] = complex(product[i]/float64(size), 0)
	}
	fourier(f) // its own inverse, up to the factor, for what is real and symmetric
	p = make([]float64, size/2)
	for k := range p {
		p[k] = max(real(f[k]), 0)
	}
	return p, step
}

// radius returns a bound that the sum exceeds in magnitude with at most the given probability: the best of
// Chernoff's bounds P(|S| > r) <= 2·E[e^(λS)]·e^(-λr) over a grid of λ.
func (s *Sum) radius(tail float64) float64 {
	limit := math.Inf(1)
	for _, t := range s.terms {
		limit = min(limit, t.law.maxLambda())
	}
	best := math.Inf(1)
	for x := 0.999; x > 1e-4; x *= 0.9 {
		lambda := limit * x
		r := math.Log(2 / tail)
		for _, t := range s.terms {
			r += float64(t.n) * t.law.logMGF(lambda)
		}
		best = min(best, r/lambda)
	}
	return best
}

// fourier replaces f, whose length is a power of two, by its discrete Fourier transform.
func fourier(f []complex128) {
	n := len(f)
	if n == 1 {
		return
	}
	shift := 64 - bits.Len(uint(n-1))
	for i := range f {
		if j := int(bits.Reverse64(uint64(i)) >> shift); i < j {
			f[i], f[j] = f[j], f[i]
		}
	}
	root := make([]complex128, n/2)
	for i := range root {
		sin, cos := math.Sincos(-2 * math.Pi * float64(i) / float64(n))
		root[i] = complex(cos, sin)
	}
	for half := 1; half < n; half *= 2 {
		stride := n / (2 * half)
		for start := 0; start < n; start += 2 * half {
			for i := range half {
				a, b := f[start+i], f[start+i+half]*root[i*stride]
				f[start+i], f[start+i+half] = a+b, a-b
			}
		}
	}
}
