package dp

import (
	"errors"
	"fmt"
	"io"
	"math/big"
)

// DiscreteLaplace is the noise an Aggregator adds to the cells of its share: k has a probability proportional to
// e^(-|k|/Scale). For a unit that changes the cells by at most Δ1 in the L1 norm it gives Δ1/Scale-differential
// privacy.
type DiscreteLaplace struct {
	Scale *big.Rat // Δ1/ε: 1/16 … 2^39
}

// DiscreteGaussian is noise k with a probability proportional to e^(-k²/2σ²). For a unit that changes the cells by at
// most Δ2 in the L2 norm it gives ρ-zero-concentrated differential privacy with ρ = Δ2²/2σ².
type DiscreteGaussian struct {
	Sigma *big.Rat // 1/16 … 2^39; it is not the standard deviation, though close to it from 1 on
}

// errTooLarge is not seen in practice: noise of more than 2^62 has a probability of e^-2^23 at the largest scale.
var errTooLarge = errors.New("drawing noise: the noise exceeds 2^62; the stream is not random")

// Check reports whether the parameter lies within its limits. Its errors are of the kind ErrParameters.
func (m DiscreteLaplace) Check() error { return checkDiscrete("the scale", m.Scale) }

// Check reports whether the parameter lies within its limits. Its errors are of the kind ErrParameters.
func (m DiscreteGaussian) Check() error { return checkDiscrete("σ", m.Sigma) }

func checkDiscrete(name string, r *big.Rat) error {
	if r == nil {
		return fmt.Errorf("%w: %s is not set", ErrParameters, name)
	}
	if r.Cmp(big.NewRat(1, 16)) < 0 || r.Cmp(big.NewRat(maxScale, 1)) > 0 {
		return fmt.Errorf("%w: %s is %s, must be between 1/16 and 2^39", ErrParameters, name, r.RatString())
	}
	return nil
}

// Sample draws n independent noises from a stream of uniformly random bytes, by exact arithmetic. The result is a
// function of the stream, which must serve one purpose only and is read four bytes at a time. Its end is an error. The
// time taken grows with the noise.
func (m DiscreteLaplace) Sample(stream io.Reader, n int) ([]int64, error) {
	if err := m.Check(); err != nil {
		return nil, err
	}
	f := fraction{m.Scale.Num(), m.Scale.Denom()}
	return draw(stream, n, func(s *sampler) *big.Int { return s.discreteLaplace(f) })
}

// Sample draws n independent noises, as DiscreteLaplace.Sample does.
func (m DiscreteGaussian) Sample(stream io.Reader, n int) ([]int64, error) {
	if err := m.Check(); err != nil {
		return nil, err
	}
	f := fraction{m.Sigma.Num(), m.Sigma.Denom()}
	return draw(stream, n, func(s *sampler) *big.Int { return s.discreteGaussian(f) })
}

func draw(stream io.Reader, n int, one func(*sampler) *big.Int) ([]int64, error) {
	s := &sampler{stream: stream}
	out := make([]int64, n)
	for i := range out {
		k := one(s)
		if s.err != nil {
			return nil, s.err
		}
		if k.BitLen() > 62 {
			return nil, errTooLarge
		}
		out[i] = k.Int64()
	}
	return out, nil
}

// Law returns the exact law of the noise. It panics unless Check accepts the mechanism.
func (m DiscreteLaplace) Law() Law { return discreteLaw(discreteLaplace, m.Check(), m.Scale) }

// Law returns the exact law of the noise. It panics unless Check accepts the mechanism.
func (m DiscreteGaussian) Law() Law { return discreteLaw(discreteGaussian, m.Check(), m.Sigma) }

func discreteLaw(f family, err error, scale *big.Rat) Law {
	if err != nil {
		panic("dp: internal error: " + err.Error())
	}
	s, _ := scale.Float64()
	return Law{family: f, scale: s}
}
