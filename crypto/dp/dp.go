// Package dp holds Candor's noise mechanisms, their exact laws, and the accounting of privacy loss.
//
// Members add [Laplace] or [Gaussian] noise, drawn by Google's differential-privacy library, to every count before
// it is shared. The library is called only inside limits in which it neither hangs nor wraps; outside of them a
// mechanism refuses to work. What is published about the noise of a sum (its variance, its interval) comes from [Sum],
// which knows the exact law of each mechanism, that of the library's rounding included.
//
// Privacy parameters are rationals, because they are signed and compared; floating point appears only behind them, in
// the library and in what describes a law. This is the only package below crypto that computes with floats.
package dp

import (
	"errors"
	"fmt"
	"math"
	"math/big"
)

// Limits of every member mechanism. Inside of them the library is known to terminate and its results cannot wrap.
const (
	// MaxValue bounds the magnitude of a value to which noise is added.
	MaxValue = 1 << 41
	// MaxDelta bounds a sensitivity, in units of the value.
	MaxDelta = 1 << 40
	// maxScale bounds the scale of the noise. Up to 2^39 the library draws on a grid finer than the integers, so that
	// it neither snaps the value to a coarser grid nor leaves the law stated in law.go.
	maxScale = 1 << 39
)

var (
	minEpsilon = big.NewRat(1, 1000)
	maxEpsilon = big.NewRat(16, 1)
)

// ErrParameters is the cause of every refusal of a privacy parameter.
var ErrParameters = errors.New("privacy parameters outside the limits")

// checkEpsilon refuses an ε with which the library hangs, or with which it adds next to nothing.
func checkEpsilon(eps *big.Rat) error {
	if eps == nil {
		return fmt.Errorf("%w: ε is not set", ErrParameters)
	}
	if eps.Cmp(minEpsilon) < 0 || eps.Cmp(maxEpsilon) > 0 {
		return fmt.Errorf("%w: ε is %s, must be between %s and %s",
			ErrParameters, eps.RatString(), minEpsilon.RatString(), maxEpsilon.RatString())
	}
	return nil
}

func checkValue(x int64) error {
	if x < -MaxValue || x > MaxValue {
		return fmt.Errorf("adding noise: the value lies outside ±2^41")
	}
	return nil
}

// floatBelow returns the largest float64 that does not exceed r, which must be positive and in float64's range:
// a smaller ε never means less noise.
func floatBelow(r *big.Rat) float64 {
	f, exact := r.Float64()
	if exact {
		return f
	}
	if new(big.Rat).SetFloat64(f).Cmp(r) > 0 {
		return math.Nextafter(f, 0)
	}
	return f
}

// offset returns 64·⌈r⌉.
func offset(r *big.Rat) int64 {
	up := new(big.Int).Add(r.Num(), r.Denom())
	up.Sub(up, big.NewInt(1)).Quo(up, r.Denom())
	return 64 * up.Int64()
}
