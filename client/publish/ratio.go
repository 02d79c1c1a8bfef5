package publish

import (
	"math"

	"candor/schema/release"
)

// z95 is the two-sided 95 % point of the standard normal law.
const z95 = 1.959963984540054

// minDenominatorSDs is how many standard deviations of its noise a denominator must exceed 0 by.
const minDenominatorSDs = 10

// A Quotient is a ratio of two noisy sums: A over B, with the variances of their noise and its covariance,
// which is not 0 where both sums have cells in common.
type Quotient struct {
	A, B           int64
	VarA, VarB, Co float64
}

// Fieller returns the estimate A/B and its 95 % interval by Fieller's theorem. It is not ok where the interval
// is not bounded. (Privacy design, "Ratios".)
func (q Quotient) Fieller() (value, low, high float64, ok bool) {
	a, b := float64(q.A), float64(q.B)
	f0, f1, f2 := a*a-z95*z95*q.VarA, a*b-z95*z95*q.Co, b*b-z95*z95*q.VarB
	if f2 <= 0 {
		return 0, 0, 0, false
	}
	root := math.Sqrt(math.Max(f1*f1-f0*f2, 0))
	return a / b, (f1 - root) / f2, (f1 + root) / f2, true
}

// A RatioRule says from which figures a ratio is computed: the sum of Numerator over the sum of Denominator.
type RatioRule struct {
	Key         release.Key // Metric is the ratio's identifier
	Numerator   []release.Key
	Denominator []release.Key
}

// DecideRatio computes a ratio from decided figures. A figure that is not shown, or not there, withholds the
// ratio with its own status; a denominator under 10 standard deviations of its noise, or an unbounded interval,
// with theirs. Otherwise the interval is rounded outwards to millionths and clipped to 0 and 1.
func DecideRatio(rule RatioRule, figures map[release.Key]release.Figure) release.Ratio {
	r := release.Ratio{Round: rule.Key.Round, Instrument: rule.Key.Instrument, Ratio: rule.Key.Metric, Cell: rule.Key.Cell}
	var q Quotient
	in := map[release.Key]bool{}
	for _, k := range rule.Numerator {
		f, ok := figures[k]
		if !ok || !f.Status.Open() {
			r.Status = hiddenStatus(f, ok)
			return r
		}
		q.A += *f.Value
		q.VarA += f.NoiseSD * f.NoiseSD
		in[k] = true
	}
	for _, k := range rule.Denominator {
		f, ok := figures[k]
		if !ok || !f.Status.Open() {
			r.Status = hiddenStatus(f, ok)
			return r
		}
		q.B += *f.Value
		q.VarB += f.NoiseSD * f.NoiseSD
		if in[k] {
			q.Co += f.NoiseSD * f.NoiseSD
		}
	}
	if float64(q.B) < minDenominatorSDs*math.Sqrt(q.VarB) || q.B <= 0 {
		r.Status = release.WithheldDenominator
		return r
	}
	value, low, high, ok := q.Fieller()
	if !ok {
		r.Status = release.WithheldUnbounded
		return r
	}
	r.Status = release.Published
	r.Value, r.CILow, r.CIHigh = toShare(value, math.Round), toShare(low, math.Floor), toShare(high, math.Ceil)
	r.Numerator, r.Denominator = &q.A, &q.B
	return r
}

// hiddenStatus is why a ratio is not shown when figure f is not.
func hiddenStatus(f release.Figure, known bool) release.Status {
	if !known || f.Status == release.Coarsened {
		return release.NotCollected
	}
	return f.Status
}

func toShare(x float64, round func(float64) float64) *release.Share {
	s := release.Share(round(math.Min(math.Max(x, 0), 1) * float64(release.One)))
	return &s
}

// roundSD rounds a standard deviation to thousandths, so that data files do not depend on the last bit of a
// machine's arithmetic.
func roundSD(sd float64) float64 { return math.Round(sd*1000) / 1000 }

func hypot(a, b float64) float64 { return math.Sqrt(a*a + b*b) }
