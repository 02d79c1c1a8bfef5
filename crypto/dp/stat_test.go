package dp_test

import (
	"math"
	"testing"

	"candor/crypto/dp"
)

// moments4 returns the variance and the fourth moment of a law around 0.
func moments4(law func(int64) float64, radius int64) (v, m4 float64) {
	for k := int64(1); k <= radius; k++ {
		x := float64(k)
		v += 2 * x * x * law(k)
		m4 += 2 * x * x * x * x * law(k)
	}
	return v, m4
}

// A law's probabilities sum to 1 and its variance is that of its probabilities.
func TestLawMoments(t *testing.T) {
	for name, law := range map[string]dp.Law{
		"rounded 1/16":  dp.RoundedLaplaceLaw(1. / 16),
		"rounded 1":     dp.RoundedLaplaceLaw(1),
		"rounded 20":    dp.RoundedLaplaceLaw(20),
		"discrete 1/2":  dp.DiscreteLaplaceLaw(0.5),
		"discrete 7/2":  dp.DiscreteLaplaceLaw(3.5),
		"discrete 1000": dp.DiscreteLaplaceLaw(1000),
	} {
		total := law.P(0)
		for k := int64(1); k < 60_000; k++ {
			total += law.P(k) + law.P(-k)
		}
		if math.Abs(total-1) > 1e-12 {
			t.Errorf("%s: probabilities sum to %v", name, total)
		}
		if v, _ := moments4(law.P, 60_000); math.Abs(v/law.Variance()-1) > 1e-9 {
			t.Errorf("%s: variance %v, but the probabilities have %v", name, law.Variance(), v)
		}
	}
}
