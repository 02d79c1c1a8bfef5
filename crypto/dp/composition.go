package dp

import (
	"fmt"
	"math"
	"math/big"
)

// A Loss is what a number of releases tell about one unit at most, in accounts that are kept side by side because
// none is best for every series: (ε, δ) by basic composition, and ρ of zero-concentrated differential privacy. Each
// account bounds all releases on its own. Losses are values; the zero Loss is that of no release.
type Loss struct {
	Epsilon, Delta *big.Rat // Σε and Σδ; nil is 0
	Rho            float64  // Σρ
}

// Plus returns the loss of both together. It changes neither.
func (l Loss) Plus(m Loss) Loss {
	return Loss{Epsilon: plus(l.Epsilon, m.Epsilon), Delta: plus(l.Delta, m.Delta), Rho: l.Rho + m.Rho}
}

func plus(a, b *big.Rat) *big.Rat {
	sum := new(big.Rat)
	for _, r := range []*big.Rat{a, b} {
		if r != nil {
			sum.Add(sum, r)
		}
	}
	return sum
}

// EpsilonAt returns the smallest ε that an account of the loss proves together with the given δ, strictly between 0
// and 1. It panics on another δ.
func (l Loss) EpsilonAt(delta float64) float64 {
	best := EpsilonOfRho(l.Rho, delta)
	if d, _ := plus(l.Delta, nil).Float64(); d <= delta {
		basic, _ := plus(l.Epsilon, nil).Float64()
		best = min(best, basic)
	}
	return best
}

// Loss returns the loss of one vector with this noise. Any ε-differentially private mechanism has ρ at most ε²/2.
func (m Laplace) Loss() Loss {
	m.mustCheck()
	eps, _ := m.Epsilon.Float64()
	return Loss{Epsilon: new(big.Rat).Set(m.Epsilon), Rho: eps * eps / 2}
}

// Loss returns the loss of one vector with this noise: ρ = Δ2²/2σ².
func (m Gaussian) Loss() Loss {
	sigma := m.Sigma()
	d2 := float64(m.LInf) * float64(m.LInf) * float64(m.L0)
	return Loss{Epsilon: new(big.Rat).Set(m.Epsilon), Delta: new(big.Rat).Set(m.Delta), Rho: d2 / (2 * sigma * sigma)}
}

// Loss returns the loss of one vector with this noise for a unit that changes it by at most delta1 in the L1 norm.
func (m DiscreteLaplace) Loss(delta1 int64) (Loss, error) {
	if err := m.Check(); err != nil {
		return Loss{}, err
	}
	if delta1 < 1 || delta1 > MaxDelta {
		return Loss{}, fmt.Errorf("%w: Δ1 is %d, must be between 1 and 2^40", ErrParameters, delta1)
	}
	r := new(big.Rat).Quo(new(big.Rat).SetInt64(delta1), m.Scale)
	eps, _ := r.Float64()
	if delta1 == 1 { // a change of one unit in one cell
		return Loss{Epsilon: r, Rho: RhoOfDiscreteLaplace(eps)}, nil
	}
	return Loss{Epsilon: r, Rho: eps * eps / 2}, nil
}

// RhoOfDiscreteLaplace returns ρ = ε·tanh(ε/2) of discrete Laplace noise of scale 1/ε for a change of 1 in one cell.
func RhoOfDiscreteLaplace(eps float64) float64 { return eps * math.Tanh(eps/2) }

// KairouzOhViswanath returns the ε that k releases of ε each give together with δ, by the advanced composition
// theorem kε(e^ε-1)/(e^ε+1) + ε√(2k·ln(1/δ)).
func KairouzOhViswanath(eps float64, k int, delta float64) float64 {
	n := float64(k)
	return n*eps*math.Tanh(eps/2) + eps*math.Sqrt(2*n*math.Log(1/delta))
}

// EpsilonOfRho returns the smallest ε such that ρ-zero-concentrated differential privacy is known to imply
// (ε, δ)-differential privacy: the minimum of ρα + (ln(1/δ) - ln α)/(α-1) + ln(1-1/α) over α > 1. δ must lie strictly
// between 0 and 1, and ρ must not be negative; it panics otherwise.
func EpsilonOfRho(rho, delta float64) float64 {
	if !(rho >= 0 && delta > 0 && delta < 1) {
		panic("dp: internal error: ρ is negative or δ outside (0, 1)")
	}
	if rho == 0 {
		return 0
	}
	bound := func(u float64) float64 { // at α = 1 + e^u
		x := math.Exp(u)
		return rho*(1+x) + (math.Log(1/delta)-math.Log1p(x))/x + u - math.Log1p(x)
	}
	// Every α gives a valid bound, so a search that misses the minimum by a little errs to the safe side. The function
	// of u falls to its only minimum and rises from there.
	lo, hi := -30.0, 60.0
	for range 200 {
		third := (hi - lo) / 3
		if bound(lo+third) < bound(hi-third) {
			hi -= third
		} else {
			lo += third
		}
	}
	return max(bound((lo+hi)/2), 0)
}
