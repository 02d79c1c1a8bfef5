package publish_test

import (
	"math"
	"math/big"
	"strings"
	"testing"

	"candor/client/publish"
)

// example is the running example of the privacy design, "What MPC + DP leave open": 50 organisations, the two
// largest with 30 and 1 million, and a tail falling with the power 0.9 that sums to 4.3 million.
func example() []float64 {
	x := []float64{30e6, 1e6}
	var sum float64
	for i := 3; i <= 50; i++ {
		sum += math.Pow(float64(i-2), -0.9)
	}
	for i := 3; i <= 50; i++ {
		x = append(x, 4.3e6*math.Pow(float64(i-2), -0.9)/sum)
	}
	return x
}

// TestCertificateTable checks T_C/C for each cap against the published numbers of the privacy design, section
// 5.4 A, with and without the giants that readers know.
func TestCertificateTable(t *testing.T) {
	for _, tc := range []struct {
		cap   float64
		ratio float64 // T_C/C as printed
		digit float64 // its precision
		holds bool    // against 3.2, no giants
	}{
		{100e3, 28.9, 0.05, true}, {250e3, 16.0, 0.05, true}, {500e3, 10.0, 0.05, true}, {1e6, 6.3, 0.05, true}, {2e6, 3.65, 0.005, true}, {3e6, 2.77, 0.005, false},
	} {
		var total float64
		for _, x := range example() {
			total += math.Min(x, tc.cap)
		}
		if r := total / tc.cap; math.Abs(r-tc.ratio) > tc.digit {
			t.Errorf("cap %.0f: T/C = %.3f, the privacy design has %v", tc.cap, r, tc.ratio)
		}
		c := publish.Certificate{Estimate: int64(total), Cap: int64(tc.cap), Cells: 1, LargestGroup: 1, Colluders: 2, P: big.NewRat(1, 5)}
		if c.Holds() != tc.holds {
			t.Errorf("cap %.0f: holds is %v, want %v (%s)", tc.cap, c.Holds(), tc.holds, c)
		}
	}
	for _, tc := range []struct {
		cap    int64
		total  int64
		giants int
		want   string
	}{
		{1_000_000, 6_300_000, 2, "4.30 ≥ 3.20"}, {1_500_000, 6_800_000, 1, "3.53 ≥ 3.20"}, {2_000_000, 7_300_000, 1, "2.65 < 3.20"},
	} {
		c := publish.Certificate{Estimate: tc.total, Cap: tc.cap, Cells: 1, LargestGroup: 1, Giants: tc.giants, Colluders: 2, P: big.NewRat(1, 5)}
		if got := c.String(); got != tc.want {
			t.Errorf("cap %d with %d giants: %s, want %s", tc.cap, tc.giants, got, tc.want)
		}
	}
}

// TestCertificateBoundary walks over the exact boundary of every term.
func TestCertificateBoundary(t *testing.T) {
	base := publish.Certificate{Cap: 900, Offset: 100, Cells: 2, LargestGroup: 3, Giants: 1, Colluders: 2, P: big.NewRat(1, 5), SD: 50}
	if got := base.Largest().Int64(); got != 6000 {
		t.Fatalf("C* = %d, want 6000", got)
	}
	base.Estimate = 6000*42/10 + 100 // (K + t + 1 + p)·C* + 2 sd
	if !base.Holds() {
		t.Error("does not hold at the boundary")
	}
	for name, change := range map[string]func(*publish.Certificate){
		"estimate":  func(c *publish.Certificate) { c.Estimate-- },
		"noise":     func(c *publish.Certificate) { c.SD = math.Nextafter(50, 51) },
		"cap":       func(c *publish.Certificate) { c.Cap++ },
		"offset":    func(c *publish.Certificate) { c.Offset++ },
		"cells":     func(c *publish.Certificate) { c.Cells++ },
		"group":     func(c *publish.Certificate) { c.LargestGroup++ },
		"giants":    func(c *publish.Certificate) { c.Giants++ },
		"colluders": func(c *publish.Certificate) { c.Colluders++ },
		"p":         func(c *publish.Certificate) { c.P = big.NewRat(2000001, 10000000) },
	} {
		c := base
		change(&c)
		if c.Holds() {
			t.Errorf("%s: holds just beyond the boundary", name)
		}
	}
	for name, change := range map[string]func(*publish.Certificate){
		"no cap": func(c *publish.Certificate) { c.Cap = 0 }, "no p": func(c *publish.Certificate) { c.P = nil },
		"negative p": func(c *publish.Certificate) { c.P = big.NewRat(-1, 5) }, "no cells": func(c *publish.Certificate) { c.Cells = 0 },
		"no group": func(c *publish.Certificate) { c.LargestGroup = 0 }, "sd not a number": func(c *publish.Certificate) { c.SD = math.NaN() },
		"sd infinite": func(c *publish.Certificate) { c.SD = math.Inf(1) }, "negative sd": func(c *publish.Certificate) { c.SD = -1 },
	} {
		c := base
		c.Estimate = math.MaxInt64
		change(&c)
		if c.Holds() || !strings.Contains(c.String(), "certificate") && !strings.Contains(c.String(), "<") {
			t.Errorf("%s: holds (%s)", name, c)
		}
	}
	// The raw total of a dominated metric is never certified: a cap of 2^40 exceeds any real total.
	raw := publish.Certificate{Estimate: 35_944_826, Cap: 1 << 40, Cells: 1, LargestGroup: 1, Colluders: 2, P: big.NewRat(1, 5)}
	if raw.Holds() {
		t.Error("the raw total is certified")
	}
}

// TestCertificateProtects plays the reader on random coalitions: whenever the certificate holds, the remainder
// that t colluders and the known giants cannot subtract exceeds the greatest other contribution by p of it.
func TestCertificateProtects(t *testing.T) {
	random := newRandom(1)
	held := 0
	for range 3000 {
		n, limit := 10+random.IntN(40), int64(1+random.IntN(1_000_000))
		var total int64
		x := make([]int64, n)
		for i := range x {
			x[i] = min(int64(math.Exp(random.Float64()*16)), limit)
			total += x[i]
		}
		sortDescending(x)
		c := publish.Certificate{Estimate: total, Cap: limit, Cells: 1, LargestGroup: 1, Colluders: 2, P: big.NewRat(1, 5)}
		if !c.Holds() {
			continue
		}
		held++
		// Worst case: members 2 and 3 collude against member 1.
		rest := float64(total - x[0] - x[1] - x[2])
		if rest < 0.2*float64(x[0]) {
			t.Fatalf("cap %d, members %v: what is left, %.0f, is under p of the largest", limit, x[:4], rest)
		}
	}
	if held < 500 || held > 2800 {
		t.Errorf("the certificate held in %d of 3000 cases: the test does not look at both sides", held)
	}
}
