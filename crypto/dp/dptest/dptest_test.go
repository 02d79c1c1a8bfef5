package dptest

import (
	"math"
	"testing"
)

// The chi-square machinery itself, against table values.
func TestChiSquareTail(t *testing.T) {
	for _, c := range []struct {
		x    float64
		df   int
		want float64
	}{{3.841459, 1, 0.05}, {18.307038, 10, 0.05}, {23.209251, 10, 0.01}, {9.341818, 10, 0.5}, {124.342113, 100, 0.05}} {
		if got := chiSquareTail(c.x, c.df); math.Abs(got-c.want) > 1e-6 {
			t.Errorf("P(χ²(%d) >= %v) = %v, want %v", c.df, c.x, got, c.want)
		}
	}
}

// The limits are where the binomial tails weigh FalseAlarm.
func TestClopperPearson(t *testing.T) {
	for _, c := range []struct{ k, n int }{{30, 100}, {1, 50}, {500, 1000}} {
		lo, hi := clopperPearson(c.k, c.n)
		if p := binomialTail(c.n, c.k, lo); math.Abs(p/FalseAlarm-1) > 1e-3 {
			t.Errorf("%d of %d: P(X >= k) at the lower limit is %g", c.k, c.n, p)
		}
		if p := binomialTail(c.n, c.n-c.k, 1-hi); math.Abs(p/FalseAlarm-1) > 1e-3 {
			t.Errorf("%d of %d: P(X <= k) at the upper limit is %g", c.k, c.n, p)
		}
	}
	if got := binomialTail(10, 8, 0.5); math.Abs(got-56.0/1024) > 1e-12 {
		t.Errorf("P(X >= 8 of 10) = %v", got)
	}
}
