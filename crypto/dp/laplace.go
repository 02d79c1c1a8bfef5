package dp

import (
	"fmt"
	"math/big"

	"github.com/google/differential-privacy/go/v3/noise"
)

// Laplace is the noise a member adds to each of its counts: Laplace noise of scale Δ1/ε, rounded to an integer.
// It gives ε-differential privacy for a unit whose presence changes the whole vector of counts by at most Delta1 in
// the L1 norm, against everybody, both Aggregators included.
//
// The zero value is not a mechanism; all methods but Check, Add and AddVector need one that Check accepts, and panic
// otherwise. A Laplace may be used concurrently, as long as nobody writes to Epsilon.
type Laplace struct {
	Epsilon *big.Rat // 1/1000 … 16
	Delta1  int64    // L1 sensitivity, in units of the count: 1 … 2^40, with Delta1/Epsilon at most 2^39
}

// Check reports whether the library is known to draw the intended noise with these parameters.
// Its errors are of the kind ErrParameters.
func (m Laplace) Check() error {
	if err := checkEpsilon(m.Epsilon); err != nil {
		return err
	}
	if m.Delta1 < 1 || m.Delta1 > MaxDelta {
		return fmt.Errorf("%w: Δ1 is %d, must be between 1 and 2^40", ErrParameters, m.Delta1)
	}
	if s := m.scale(); s.Cmp(big.NewRat(maxScale, 1)) > 0 {
		return fmt.Errorf("%w: the noise scale Δ1/ε is above 2^39 (Δ1 = %d, ε = %s)",
			ErrParameters, m.Delta1, m.Epsilon.RatString())
	}
	return nil
}

// Add returns x plus fresh noise. The noise lies within ±Offset; it would leave that range with a probability below
// 2e^-64, and is then moved to its edge. x must lie within ±MaxValue.
//
// Each call spends privacy anew: whoever calls it twice for one x has told more than ε. Keep the result.
func (m Laplace) Add(x int64) (int64, error) {
	if err := m.Check(); err != nil {
		return 0, err
	}
	if err := checkValue(x); err != nil {
		return 0, err
	}
	// The noise is drawn on its own, so that the value reaches neither the library's floating point nor its timing.
	eta, err := noise.Laplace().AddNoiseInt64(0, 1, m.Delta1, floatBelow(m.Epsilon), 0)
	if err != nil {
		return 0, fmt.Errorf("drawing Laplace noise: %w", err)
	}
	b := m.Offset()
	return x + min(max(eta, -b), b), nil
}

// AddVector returns x with independent fresh noise on every element. x is not changed.
func (m Laplace) AddVector(x []int64) ([]int64, error) {
	return addVector(x, m.Add)
}

// Offset returns B = 64·⌈Δ1/ε⌉. A member submits value + noise + B, which is never negative; the Collector subtracts
// B once per report.
func (m Laplace) Offset() int64 {
	m.mustCheck()
	return offset(m.scale())
}

// Law returns the exact law of the noise.
func (m Laplace) Law() Law {
	m.mustCheck()
	s, _ := m.scale().Float64()
	return Law{family: roundedLaplace, scale: s}
}

// Variance returns the variance of one noise value. It is that of rounded Laplace noise, which is larger than that of
// discrete Laplace noise of the same scale.
func (m Laplace) Variance() float64 { return m.Law().Variance() }

// SumHalfWidth returns the smallest h such that the sum of n independent noises lies within ±h with at least the
// given probability, by the exact law of that sum. See Sum.HalfWidth for the limits.
func (m Laplace) SumHalfWidth(n int, confidence float64) int64 {
	var s Sum
	s.Add(m.Law(), n)
	return s.HalfWidth(confidence)
}

func (m Laplace) scale() *big.Rat {
	return new(big.Rat).Quo(new(big.Rat).SetInt64(m.Delta1), m.Epsilon)
}

func (m Laplace) mustCheck() {
	if err := m.Check(); err != nil {
		panic("dp: internal error: " + err.Error())
	}
}

func addVector(x []int64, add func(int64) (int64, error)) ([]int64, error) {
	y := make([]int64, len(x))
	for i := range x {
		v, err := add(x[i])
		if err != nil {
			return nil, fmt.Errorf("element %d: %w", i, err)
		}
		y[i] = v
	}
	return y, nil
}
