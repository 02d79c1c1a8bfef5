package dp

import "math"

// A Law is the exact distribution of one noise value: an integer, symmetric around 0. Laws are comparable values.
type Law struct {
	family family
	scale  float64 // Laplace families: Δ1/ε; Gaussian families: σ
}

type family uint8

const (
	nothing          family = iota // always 0: the zero Law
	roundedLaplace                 // Laplace(scale), rounded to the nearest integer
	roundedGaussian                // N(0, scale²), rounded to the nearest integer
	discreteLaplace                // P(k) proportional to e^(-|k|/scale)
	discreteGaussian               // P(k) proportional to e^(-k²/2·scale²)
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
	case roundedGaussian:
		r := math.Sqrt2 * l.scale
		if k == 0 {
			return math.Erf(0.5 / r)
		}
		return (math.Erfc((x-0.5)/r) - math.Erfc((x+0.5)/r)) / 2
	case discreteLaplace:
		return math.Exp(-x/l.scale) * math.Tanh(1/(2*l.scale))
	case discreteGaussian:
		return math.Exp(-x*x/(2*l.scale*l.scale)) / l.gaussianMass()
	}
	if k == 0 {
		return 1
	}
	return 0
}

// gaussianMass returns Σ e^(-k²/2σ²) over all integers k. From σ = 2 on it is σ·√2π to 1e-33 (by Poisson summation).
func (l Law) gaussianMass() float64 {
	if l.scale >= 2 {
		return l.scale * math.Sqrt(2*math.Pi)
	}
	m := 1.0
	for x := 1.0; x < 40; x++ {
		m += 2 * math.Exp(-x*x/(2*l.scale*l.scale))
	}
	return m
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
	case roundedGaussian, discreteGaussian:
		if l.scale >= 2 { // the rest of both is below 1e-30
			if l.family == roundedGaussian {
				return l.scale*l.scale + 1./12
			}
			return l.scale * l.scale
		}
		var v float64
		for k := int64(1); k < 40; k++ {
			v += 2 * float64(k*k) * l.P(k)
		}
		return v
	}
	return 0
}

// StdDev returns the standard deviation of the law.
func (l Law) StdDev() float64 { return math.Sqrt(l.Variance()) }

// logMGF returns ln E[e^(λX)], or an upper bound of it, for 0 < λ < maxLambda.
func (l Law) logMGF(lambda float64) float64 {
	a, d := math.Exp(-1/l.scale), -math.Expm1(-1/l.scale)
	sh := math.Sinh(lambda / 2)
	q := d*d - 4*a*sh*sh // 1 - 2a·cosh λ + a²
	switch l.family {
	case roundedLaplace:
		return math.Log(-math.Expm1(-1/(2*l.scale)) + 2*math.Sinh(1/(2*l.scale))*(a*d+2*a*sh*sh)/q)
	case discreteLaplace:
		return math.Log(d * d / q)
	case roundedGaussian:
		return lambda*lambda*l.scale*l.scale/2 + lambda/2 // rounding adds at most ½
	case discreteGaussian:
		return lambda * lambda * l.scale * l.scale / 2 // it is sub-Gaussian with parameter σ
	}
	return 0
}

// maxLambda returns a bound below which logMGF is finite, and beyond which it is of no use.
func (l Law) maxLambda() float64 {
	switch l.family {
	case nothing:
		return math.Inf(1)
	case roundedGaussian, discreteGaussian:
		return 16 / l.scale
	}
	return 1 / l.scale
}

// coarser returns the law of the noise in units of step, rounded to integers: for a step far below the scale, which is
// the only use made of it, the same to within a relative (step/scale)²/24 of the variance.
func (l Law) coarser(step float64) Law {
	switch l.family {
	case discreteLaplace:
		l.family = roundedLaplace
	case discreteGaussian:
		l.family = roundedGaussian
	}
	l.scale /= step
	return l
}
