package dp

import "math"

// A Law is the exact distribution of one noise value: an integer, symmetric around 0. Laws are comparable values.
type Law struct {
	family family
	scale  float64 // Laplace families: Δ1/ε; Gaussian families: σ
}

type family uint8

const (
	nothing         family = iota // always 0: the zero Law
	roundedLaplace                // Laplace(scale), rounded to the nearest integer
	discreteLaplace               // P(k) proportional to e^(-|k|/scale)
)

// P returns the probability of k.
func (l Law) P(k int64) float64 {
	x := math.Abs(float64(k))
	switch l.family {
	case roundedLaplace:
		// The mass of the density e^(-|x|/s)/2s between k-½ and k+½.
		if k == 0 {
			return -math.Expm1(-1 / (2 * l.scale))
		}
		return math.Exp(-x/l.scale) * math.Sinh(1/(2*l.scale))
	case discreteLaplace:
		return math.Exp(-x/l.scale) * math.Tanh(1/(2*l.scale))
	}
	if k == 0 {
		return 1
	}
	return 0
}

// Variance returns the variance of the law.
func (l Law) Variance() float64 {
	a, d := math.Exp(-1/l.scale), -math.Expm1(-1/l.scale) // d = 1 - a, without cancellation
	switch l.family {
	case roundedLaplace:
		// Σ k²·P(k), with Σ k²·a^k = a(1+a)/(1-a)³.
		return 2 * math.Sinh(1/(2*l.scale)) * a * (1 + a) / (d * d * d)
	case discreteLaplace:
		return 2 * a / (d * d)
	}
	return 0
}

// StdDev returns the standard deviation of the law.
func (l Law) StdDev() float64 { return math.Sqrt(l.Variance()) }

// logMGF returns ln E[e^(λX)] for 0 < λ < maxLambda.
func (l Law) logMGF(lambda float64) float64 {
	a, d := math.Exp(-1/l.scale), -math.Expm1(-1/l.scale)
	sh := math.Sinh(lambda / 2)
	q := d*d - 4*a*sh*sh // 1 - 2a·cosh λ + a²
	switch l.family {
	case roundedLaplace:
		return math.Log(-math.Expm1(-1/(2*l.scale)) + 2*math.Sinh(1/(2*l.scale))*(a*d+2*a*sh*sh)/q)
	case discreteLaplace:
		return math.Log(d * d / q)
	}
	return 0
}

// maxLambda returns a bound below which logMGF is finite.
func (l Law) maxLambda() float64 {
	if l.family == nothing {
		return math.Inf(1)
	}
	return 1 / l.scale
}

// coarser returns the law of the noise in units of step, rounded to integers again. For the rounded families that is
// exact, for the discrete ones it is right to a relative 1/(24·scale²) once the scale in the new units is large.
func (l Law) coarser(step float64) Law {
	switch l.family {
	case discreteLaplace:
		l.family = roundedLaplace
	}
	l.scale /= step
	return l
}
