package dp_test

import (
	"slices"
	"testing"

	"candor/crypto/dp/dptest"
)

// The noise protects as much as is claimed, and the measurement would show if it did not: at half the scale, and when
// one value is told twice with fresh noise. A claim fails by chance with a probability of 2e-9. The exact sampler runs
// on fixed streams; the bounds from below, for the library's fresh randomness, lie six standard errors away.
func TestEmpiricalEpsilon(t *testing.T) {
	n := draws(16_000, 50_000, 1_000_000)
	library := func(scale float64) []int64 {
		m := laplace(1, 1, 1)
		if scale == 0.5 {
			m = laplace(2, 1, 1)
		}
		return sample(t, n, func() (int64, error) { return m.Add(0) })
	}
	exact := func(seed byte, num, den int64) []int64 {
		x, err := discreteLaplace(num, den).Sample(newStream(seed), n)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	plusOne := func(x []int64) []int64 {
		y := slices.Clone(x)
		for i := range y {
			y[i]++
		}
		return y
	}
	add := func(a, b []int64) []int64 {
		y := slices.Clone(a)
		for i := range y {
			y[i] += b[i]
		}
		return y
	}
	a, b := library(1), library(1)
	c, d := exact(50, 1, 1), exact(51, 1, 1)
	for _, e := range []struct {
		name     string
		x, y     []int64
		min, max float64
	}{
		{"library, ε = 1", a, plusOne(b), 0.45, 1},
		{"exact, ε = 1", c, plusOne(d), 0.45, 1},
		{"control: library at half the scale", library(0.5), plusOne(library(0.5)), 1.02, 2},
		{"control: exact at half the scale", exact(52, 1, 2), plusOne(exact(53, 1, 2)), 1.1, 2},
		{"control: told twice with fresh noise", add(c, exact(54, 1, 1)), plusOne(plusOne(add(d, exact(55, 1, 1)))), 1.02, 2},
	} {
		got := dptest.EmpiricalEpsilon(e.x, e.y)
		if got < e.min || got > e.max {
			t.Errorf("%s: at least %.3f is shown, want %v to %v", e.name, got, e.min, e.max)
		}
		t.Logf("%s: ε of at least %.3f", e.name, got)
	}
}
