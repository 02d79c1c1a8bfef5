package publish_test

import (
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"candor/client/publish"
	"candor/crypto/dp"
	"candor/schema/release"

	"github.com/google/go-cmp/cmp"
)

func newRandom(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0)) }

func sortDescending(x []int64) {
	slices.SortFunc(x, func(a, b int64) int { return int(b - a) })
}

// TestFiellerTable checks the worked numbers of the privacy design, "Ratios": 50 organisations, ε = 1.
func TestFiellerTable(t *testing.T) {
	v := 50 * 1.8413 // of 50 discrete Laplace variables of scale 1
	for _, tc := range []struct {
		a, b             int64
		value, low, high float64
	}{
		{120, 1000, 0.120, 0.101, 0.139}, {20, 60, 0.333, 0.020, 0.720},
	} {
		value, low, high, ok := publish.Quotient{A: tc.a, B: tc.b, VarA: v, VarB: v}.Fieller()
		if !ok || math.Abs(value-tc.value) > 0.0005 || math.Abs(low-tc.low) > 0.0006 || math.Abs(high-tc.high) > 0.0006 {
			t.Errorf("%d/%d: %.4f, %.4f to %.4f, %v; want %v, %v to %v", tc.a, tc.b, value, low, high, ok, tc.value, tc.low, tc.high)
		}
	}
	// The delta method for the same ratio, to show that it is not what Fieller gives.
	if se := math.Sqrt((v + v/9) / 3600); math.Abs(1.0/3-z*se-0.003) > 0.0006 || math.Abs(1.0/3+z*se-0.664) > 0.0006 {
		t.Errorf("delta interval %.4f to %.4f; the privacy design has 0.003 to 0.664", 1.0/3-z*se, 1.0/3+z*se)
	}
	if _, _, _, ok := (publish.Quotient{A: 5, B: 18, VarA: v, VarB: v}).Fieller(); ok {
		t.Error("18 ± 18.8 below the line has a bounded interval")
	}
}

const z = 1.959963984540054

func noisy(cell string, v int64, sd float64) release.Figure {
	f := release.Figure{Round: "r", Instrument: "i", Metric: "m", Cell: cell, NoiseSD: sd, Contributors: 40, Status: release.Published}
	half := int64(2 * sd)
	f.Value, f.CILow, f.CIHigh = new(v), new(v-half), new(v+half)
	return f
}

func ratioRule(numerator, denominator []string) publish.RatioRule {
	keys := func(cells []string) (k []release.Key) {
		for _, c := range cells {
			k = append(k, release.Key{Round: "r", Instrument: "i", Metric: "m", Cell: c})
		}
		return k
	}
	return publish.RatioRule{Key: release.Key{Round: "r", Instrument: "i", Metric: "q"}, Numerator: keys(numerator), Denominator: keys(denominator)}
}

func byKey(figures ...release.Figure) map[release.Key]release.Figure {
	m := map[release.Key]release.Figure{}
	for _, f := range figures {
		m[f.Key()] = f
	}
	return m
}

func TestDecideRatio(t *testing.T) {
	withheld := noisy("w", 1, 1)
	withheld.Value, withheld.CILow, withheld.CIHigh, withheld.Status = nil, nil, nil, release.WithheldCertificate
	few := noisy("few", -8, 9.6)
	few.Status = release.Few
	figures := byKey(noisy("a", 120, 9.6), noisy("b", 880, 9.6), noisy("small", 95, 9.6), noisy("big", 97, 9.6), noisy("exact", 50, 0), noisy("zero", 0, 0), withheld, few)
	for _, tc := range []struct {
		name                   string
		numerator, denominator []string
		want                   release.Status
	}{
		{"published", []string{"a"}, []string{"a", "b"}, release.Published},
		{"denominator under ten sd", []string{"few"}, []string{"small"}, release.WithheldDenominator},
		{"denominator over ten sd", []string{"few"}, []string{"big"}, release.Published},
		{"two terms below the line have more noise", []string{"few"}, []string{"big", "few"}, release.WithheldDenominator},
		{"no noise", []string{"exact"}, []string{"exact"}, release.Published},
		{"zero below the line", []string{"exact"}, []string{"zero"}, release.WithheldDenominator},
		{"withheld above", []string{"w"}, []string{"a"}, release.WithheldCertificate},
		{"withheld below", []string{"a"}, []string{"a", "w"}, release.WithheldCertificate},
		{"unknown", []string{"nowhere"}, []string{"a"}, release.NotCollected},
	} {
		r := publish.DecideRatio(ratioRule(tc.numerator, tc.denominator), figures)
		if r.Status != tc.want {
			t.Errorf("%s: status %s, want %s", tc.name, r.Status, tc.want)
		}
		if err := r.Check(); err != nil {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
	r := publish.DecideRatio(ratioRule([]string{"few"}, []string{"big"}), figures)
	if *r.Value != 0 || *r.CILow != 0 || *r.CIHigh == 0 {
		t.Errorf("a negative numerator is clipped to %s, %s to %s", *r.Value, *r.CILow, *r.CIHigh)
	}
	r = publish.DecideRatio(ratioRule([]string{"exact"}, []string{"exact"}), figures)
	if *r.CILow != release.One || *r.CIHigh != release.One {
		t.Errorf("50/50 without noise is %s to %s", *r.CILow, *r.CIHigh)
	}
	if diff := cmp.Diff([]int64{120, 1000}, []int64{*publish.DecideRatio(ratioRule([]string{"a"}, []string{"a", "b"}), figures).Numerator, *publish.DecideRatio(ratioRule([]string{"a"}, []string{"a", "b"}), figures).Denominator}); diff != "" {
		t.Errorf("the counts of the ratio differ:\n%s", diff)
	}
}

// TestCoverage simulates 200 releases of 20 cells and 10 ratios by 50 organisations, with noise drawn from the
// exact law, and counts how often the 95 % intervals hold the truth. Of 4000 sums and up to 2000 ratios, 92 to 98 % must;
// for a coverage of 95 % the chance to fall outside is below 10^-15.
func TestCoverage(t *testing.T) {
	const members = 50
	var sum dp.Sum
	law := dp.Laplace{Epsilon: big.NewRat(1, 1), Delta1: 1}.Law()
	sum.Add(law, members)
	half, sd := sum.HalfWidth(0.95), sum.StdDev()
	// Inverse transform sampling from the law of one member's noise.
	var cumulative []float64
	total := 0.0
	for k := int64(-60); k <= 60; k++ {
		total += law.P(k)
		cumulative = append(cumulative, total)
	}
	random := newRandom(7)
	draw := func() int64 {
		i, _ := slices.BinarySearch(cumulative, random.Float64()*total)
		return int64(i) - 60
	}
	sums, sumsHeld, ratios, ratiosHeld := 0, 0, 0, 0
	for range 200 {
		var figures []release.Figure
		var truths []int64
		for c := range 20 {
			truth := int64(math.Exp(4 + 8*random.Float64()))
			estimate := truth
			for range members {
				estimate += draw()
			}
			f := noisy(string(rune('a'+c)), estimate, sd)
			f.CILow, f.CIHigh = new(estimate-half), new(estimate+half)
			figures, truths = append(figures, f), append(truths, truth)
			sums++
			if *f.CILow <= truth && truth <= *f.CIHigh {
				sumsHeld++
			}
		}
		for c := 0; c < 20; c += 2 {
			a, b := figures[c].Cell, figures[c+1].Cell
			r := publish.DecideRatio(ratioRule([]string{a}, []string{a, b}), byKey(figures...))
			if r.Status != release.Published {
				continue
			}
			truth := float64(truths[c]) / float64(truths[c]+truths[c+1])
			ratios++
			if float64(*r.CILow)/1e6 <= truth && truth <= float64(*r.CIHigh)/1e6 {
				ratiosHeld++
			}
		}
	}
	t.Logf("sums %d of %d, ratios %d of %d", sumsHeld, sums, ratiosHeld, ratios)
	for name, share := range map[string]float64{"sums": float64(sumsHeld) / float64(sums), "ratios": float64(ratiosHeld) / float64(ratios)} {
		if share < 0.92 || share > 0.98 {
			t.Errorf("%s: %.1f %% of the intervals hold the truth", name, 100*share)
		}
	}
	if ratios < 1500 {
		t.Errorf("only %d ratios were published", ratios)
	}
}
