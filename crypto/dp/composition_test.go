package dp_test

import (
	"math"
	"math/big"
	"testing"

	"candor/crypto/dp"
)

// Privacy design, section 4: ρ → ε at δ = 10^-6.
func TestEpsilonOfRhoKnownAnswers(t *testing.T) {
	for _, c := range []struct{ rho, want, unit float64 }{
		{0.01, 0.62, 0.01}, {0.05, 1.47, 0.01}, {0.1, 2.14, 0.01}, {0.25, 3.54, 0.01}, {0.5, 5.22, 0.01}, {1, 7.77, 0.01}, {2, 11.7, 0.1},
	} {
		got := dp.EpsilonOfRho(c.rho, 1e-6)
		if math.Abs(got-c.want) > c.unit/2 {
			t.Errorf("ρ = %v: ε = %v, want %v", c.rho, got, c.want)
		}
		// The minimum over a fine grid of α, and the simple bound above it.
		best := math.Inf(1)
		for u := -8.0; u < 8; u += 1e-4 {
			a := 1 + math.Exp(u)
			best = min(best, c.rho*a+(math.Log(1e6)-math.Log(a))/(a-1)+math.Log(1-1/a))
		}
		if math.Abs(got-best) > 1e-6 {
			t.Errorf("ρ = %v: ε = %v, but a grid search finds %v", c.rho, got, best)
		}
		if simple := c.rho + 2*math.Sqrt(c.rho*math.Log(1e6)); got > simple {
			t.Errorf("ρ = %v: ε = %v is above the simple bound %v", c.rho, got, simple)
		}
	}
	if got := dp.EpsilonOfRho(0, 1e-6); got != 0 {
		t.Errorf("ρ = 0: ε = %v", got)
	}
}

// exactEpsilon returns the least ε that k releases of discrete Laplace noise of scale 1/eps have together with delta,
// for a change of 1 in one cell each: their privacy loss is a sum of k steps of ±eps, up with probability 1/(1+e^-eps).
func exactEpsilon(eps float64, k int, delta float64) float64 {
	up := 1 / (1 + math.Exp(-eps))
	p := make([]float64, k+1) // by the number of steps up
	p[0] = 1
	for range k {
		for j := k; j >= 0; j-- {
			p[j] *= 1 - up
			if j > 0 {
				p[j] += p[j-1] * up
			}
		}
	}
	lo, hi := 0.0, float64(k)*eps
	for range 60 {
		mid, d := (lo+hi)/2, 0.0
		for j := range p {
			if loss := float64(2*j-k) * eps; loss > mid {
				d += p[j] * -math.Expm1(mid-loss)
			}
		}
		if d > delta {
			lo = mid
		} else {
			hi = mid
		}
	}
	return hi
}

// No account may promise less than what k releases really tell, and addition is the best one for short series.
func TestCompositionAgainstExactLoss(t *testing.T) {
	const delta = 1e-6
	for _, eps := range []struct{ num, den int64 }{{1, 10}, {1, 4}, {1, 2}, {1, 1}, {2, 1}} {
		m := discreteLaplace(eps.den, eps.num)
		one, err := m.Loss(1)
		if err != nil {
			t.Fatal(err)
		}
		e := float64(eps.num) / float64(eps.den)
		var total dp.Loss
		for k := 1; k <= 60; k++ {
			total = total.Plus(one)
			exact := exactEpsilon(e, k, delta)
			if got := total.EpsilonAt(delta); got < exact-1e-9 {
				t.Errorf("%d releases at ε = %v: %v is claimed, %v is lost", k, e, got, exact)
			}
			if got, basic := total.EpsilonAt(delta), float64(k)*e; got > basic+1e-9 || k <= 21 && got < basic-1e-9 {
				t.Errorf("%d releases at ε = %v: %v instead of the sum %v", k, e, got, basic)
			}
			if got := dp.KairouzOhViswanath(e, k, delta); got < exact {
				t.Errorf("%d releases at ε = %v: Kairouz, Oh and Viswanath promise %v, %v is lost", k, e, got, exact)
			}
		}
	}
	// A long series: zero-concentrated accounting pays, and stays above the exact value.
	var series dp.Loss
	for range 40 {
		series = series.Plus(laplace(1, 10, 1).Loss())
	}
	if got := series.EpsilonAt(delta); got > 3.2 || got < 2.77 {
		t.Errorf("40 releases at ε = 1/10: %v, want about 3.13 (exactly 2.78 are lost)", got)
	}
}

// The formula as it is printed, and what a Gaussian adds.
func TestCompositionFormulas(t *testing.T) {
	if got, want := dp.KairouzOhViswanath(0.5, 10, 1e-6), 10*0.5*(math.Exp(0.5)-1)/(math.Exp(0.5)+1)+0.5*math.Sqrt(20*math.Log(1e6)); math.Abs(got-want) > 1e-12 {
		t.Errorf("Kairouz, Oh and Viswanath: %v, want %v", got, want)
	}
	if got, want := dp.RhoOfDiscreteLaplace(1), 0.46211715726; math.Abs(got-want) > 1e-10 {
		t.Errorf("ρ of discrete Laplace noise: %v, want %v", got, want)
	}
	g := gaussian(1, 1, millionth, 1, 1).Loss()
	if g.Rho > 0.0281 || g.Rho < 0.0278 { // 1/2σ², σ = 4.225
		t.Errorf("ρ of (1, 10^-6): %v, want 0.028", g.Rho)
	}
	two := g.Plus(g)
	if two.Epsilon.Cmp(big.NewRat(2, 1)) != 0 || two.Delta.Cmp(big.NewRat(2, 1_000_000)) != 0 {
		t.Errorf("two Gaussians: ε = %s, δ = %s", two.Epsilon, two.Delta)
	}
	// Σδ above the δ asked for leaves the concentrated account only.
	if got, want := two.EpsilonAt(1e-6), dp.EpsilonOfRho(two.Rho, 1e-6); got != want {
		t.Errorf("two Gaussians: ε = %v, want %v", got, want)
	}
	if got := two.EpsilonAt(1e-3); got > 2 {
		t.Errorf("two Gaussians at δ = 10^-3: ε = %v, want at most 2", got)
	}
	if l := (dp.Loss{}); l.EpsilonAt(1e-6) != 0 || l.Plus(dp.Loss{}).Epsilon.Sign() != 0 {
		t.Error("the zero Loss is not zero")
	}
}
