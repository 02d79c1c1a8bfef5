package round

import (
	"fmt"
	"math/big"
	"regexp"

	"candor/crypto/dp"
)

var rationalPattern = regexp.MustCompile(`^(0|[1-9][0-9]{0,14})(/[1-9][0-9]{0,14})?$`)

// parseRational reads a non-negative fraction of a document: "1", "1/2". Exponents and decimal points are refused, so that no
// short text stands for an enormous number.
func parseRational(text string) (*big.Rat, error) {
	if !rationalPattern.MatchString(text) {
		return nil, fmt.Errorf("%q is not a fraction such as 1/2", text)
	}
	r, _ := new(big.Rat).SetString(text)
	return r, nil
}

// Noise is a member's mechanism: dp.Laplace or dp.Gaussian.
type Noise interface {
	// AddVector returns x with independent fresh noise on every element; each call spends privacy anew.
	AddVector(x []int64) ([]int64, error)
	// Offset bounds the noise: it lies within ±Offset.
	Offset() int64
	Law() dp.Law
	Check() error
	// Loss is what one release costs its population.
	Loss() dp.Loss
}

// Claim says in words how much is told about one unit.
func (p Privacy) Claim() string {
	if eps, err := parseRational(p.Epsilon); err == nil && p.Unit == "answer" && p.Delta1 > 1 {
		one := new(big.Rat).Quo(eps, new(big.Rat).SetInt64(int64(p.Delta1)))
		return fmt.Sprintf("ε = %s for one choice, %s for one yes or no", p.Epsilon, one.RatString())
	}
	return fmt.Sprintf("ε = %s for one %s", p.Epsilon, p.Unit)
}

// MemberNoise returns the mechanism that members run on the part's counts; nil where they add none.
func (p Privacy) MemberNoise() (Noise, error) {
	if p.Mechanism == "none" || p.Place != "member" {
		return nil, nil
	}
	eps, err := parseRational(p.Epsilon)
	if err != nil {
		return nil, fmt.Errorf("epsilon: %w", err)
	}
	var noise Noise
	switch p.Mechanism {
	case "laplace":
		noise = dp.Laplace{Epsilon: eps, Delta1: int64(p.Delta1)}
	case "gaussian":
		delta, err := parseRational(p.Delta)
		if err != nil {
			return nil, fmt.Errorf("delta: %w", err)
		}
		noise = dp.Gaussian{Epsilon: eps, Delta: delta, L0: int64(p.L0), LInf: int64(p.LInf)}
	default:
		return nil, fmt.Errorf("mechanism %q is not one that members run", p.Mechanism)
	}
	if err := noise.Check(); err != nil {
		return nil, err
	}
	return noise, nil
}
