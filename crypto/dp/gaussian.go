package dp

import (
	"fmt"
	"math"
	"math/big"

	"github.com/google/differential-privacy/go/v3/noise"
)

// Gaussian is member noise for rounds that ask for it: normal noise, rounded to an integer, of the smallest σ that
// gives (ε, δ)-differential privacy for a unit that changes at most L0 cells by at most LInf each (as the library's
// analytic calibration finds it, which rounds σ up by at most 0.1 %).
//
// The zero value is not a mechanism; all methods but Check, Add and AddVector need one that Check accepts, and panic
// otherwise. A Gaussian may be used concurrently, as long as nobody writes to its parameters.
type Gaussian struct {
	Epsilon *big.Rat // 1/1000 … 16
	Delta   *big.Rat // 10^-15 … 1/100
	L0      int64    // cells one unit can change: 1 … 2^20
	LInf    int64    // how far it can change each: 1 … 2^40, with σ at most 2^39
}

var (
	minDelta = big.NewRat(1, 1e15)
	maxDelta = big.NewRat(1, 100)
)

// Check reports whether the library is known to draw the intended noise with these parameters.
// Its errors are of the kind ErrParameters.
func (m Gaussian) Check() error {
	if err := checkEpsilon(m.Epsilon); err != nil {
		return err
	}
	if m.Delta == nil {
		return fmt.Errorf("%w: δ is not set", ErrParameters)
	}
	if m.Delta.Cmp(minDelta) < 0 || m.Delta.Cmp(maxDelta) > 0 {
		return fmt.Errorf("%w: δ is %s, must be between 10^-15 and 1/100", ErrParameters, m.Delta.RatString())
	}
	if m.L0 < 1 || m.L0 > 1<<20 {
		return fmt.Errorf("%w: L0 is %d, must be between 1 and 2^20", ErrParameters, m.L0)
	}
	if m.LInf < 1 || m.LInf > MaxDelta {
		return fmt.Errorf("%w: L∞ is %d, must be between 1 and 2^40", ErrParameters, m.LInf)
	}
	if s := m.sigma(); !(s <= maxScale) {
		return fmt.Errorf("%w: σ is %g, must be at most 2^39", ErrParameters, s)
	}
	return nil
}

// Add returns x plus fresh noise. The noise lies within ±Offset; it would leave that range with a probability below
// 4e-33, and is then moved to its edge. x must lie within ±MaxValue. What Laplace.Add says of repetition holds here.
func (m Gaussian) Add(x int64) (int64, error) {
	if err := m.Check(); err != nil {
		return 0, err
	}
	if err := checkValue(x); err != nil {
		return 0, err
	}
	eta, err := noise.Gaussian().AddNoiseInt64(0, m.L0, m.LInf, floatBelow(m.Epsilon), floatBelow(m.Delta))
	if err != nil {
		return 0, fmt.Errorf("drawing Gaussian noise: %w", err)
	}
	b := m.Offset()
	return x + min(max(eta, -b), b), nil
}

// AddVector returns x with independent fresh noise on every element. x is not changed.
func (m Gaussian) AddVector(x []int64) ([]int64, error) {
	return addVector(x, m.Add)
}

// Sigma returns the σ of the noise before it is rounded to an integer.
func (m Gaussian) Sigma() float64 {
	m.mustCheck()
	return m.sigma()
}

// Offset returns B = 12·⌈σ⌉.
func (m Gaussian) Offset() int64 { return 12 * int64(math.Ceil(m.Sigma())) }

// Law returns the exact law of the noise.
func (m Gaussian) Law() Law { return Law{family: roundedGaussian, scale: m.Sigma()} }

// Variance returns the variance of one noise value.
func (m Gaussian) Variance() float64 { return m.Law().Variance() }

// SumHalfWidth returns the smallest h such that the sum of n independent noises lies within ±h with at least the
// given probability. See Sum.HalfWidth for the limits.
func (m Gaussian) SumHalfWidth(n int, confidence float64) int64 {
	var s Sum
	s.Add(m.Law(), n)
	return s.HalfWidth(confidence)
}

func (m Gaussian) sigma() float64 {
	return noise.SigmaForGaussian(m.L0, float64(m.LInf), floatBelow(m.Epsilon), floatBelow(m.Delta))
}

func (m Gaussian) mustCheck() {
	if err := m.Check(); err != nil {
		panic("dp: internal error: " + err.Error())
	}
}
