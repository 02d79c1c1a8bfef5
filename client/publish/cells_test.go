package publish_test

import (
	"math/big"
	"testing"

	"candor/client/publish"
	"candor/crypto/dp"
	"candor/schema/release"
	"candor/schema/round"
	"candor/schema/round/roundtest"

	"github.com/google/go-cmp/cmp"
)

func TestRulesOf(t *testing.T) {
	d := roundtest.New(t, 12, 3).Document
	d.Roster[1].Group = d.Roster[0].Group
	d.Roster[2].Group = d.Roster[0].Group
	d.Release.Giants = []round.Giants{{Metric: "test.b", Count: 2}}
	d.Release.P, d.Release.Colluders, d.Release.FewSD = "1/4", 3, 4
	d.Release.Waivers = []round.Waiver{{Metric: "test.a", Member: "m1"}, {Metric: "test.a", Member: "m1"}}
	r, err := publish.RulesOf(d)
	if err != nil {
		t.Fatal(err)
	}
	want := publish.Rules{Minimum: 10, CellMinimum: 5, Colluders: 3, P: big.NewRat(1, 4), FewSD: 4, LargestGroup: 3,
		Giants: map[string]int{"test.b": 2}, Waived: map[string]bool{"test.a": false}}
	if diff := cmp.Diff(want, r, cmp.AllowUnexported(publish.Rules{}), cmp.Comparer(func(a, b *big.Rat) bool { return a.Cmp(b) == 0 })); diff != "" {
		t.Errorf("rules differ:\n%s", diff)
	}
	for _, m := range d.Roster {
		d.Release.Waivers = append(d.Release.Waivers, round.Waiver{Metric: "test.a", Member: m.ID})
	}
	if r, err := publish.RulesOf(d); err != nil || !r.Waived["test.a"] {
		t.Errorf("a metric that all members waived needs a certificate: %v, %v", r.Waived, err)
	}
	for name, change := range map[string]func(*round.Document){
		"p":               func(d *round.Document) { d.Release.P = "x" },
		"p zero":          func(d *round.Document) { d.Release.P = "0" },
		"unknown giants":  func(d *round.Document) { d.Release.Giants = []round.Giants{{Metric: "b", Count: 1}} },
		"unknown waivers": func(d *round.Document) { d.Release.Waivers = []round.Waiver{{Metric: "test.z", Member: "m1"}} },
	} {
		d := roundtest.New(t, 12, 3).Document
		change(d)
		if _, err := publish.RulesOf(d); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestCellsOf(t *testing.T) {
	d := roundtest.New(t, 40, 1).Document
	part := &d.Parts[0]
	part.Cap = 1000
	part.Cells = []round.Cell{{Metric: "a", Code: "image"}, {Metric: "a", Code: "video"}, {Metric: "b", Code: "total"}}
	var noise dp.Sum
	noise.Add(dp.Laplace{Epsilon: big.NewRat(1, 1), Delta1: 1}.Law(), 40)
	collected := publish.Collected{Totals: []int64{9000, 3500, 26}, Groups: []int{40, 33, 12}, Noise: &noise}
	cells, err := publish.CellsOf(d, part, collected)
	if err != nil {
		t.Fatal(err)
	}
	cells, relations := publish.SumOf(cells)
	if len(cells) != 4 || len(relations) != 1 || relations[0].Total.Cell != "total" || len(relations[0].Parts) != 2 {
		t.Fatalf("cells %+v, relations %+v", cells, relations)
	}
	sum := cells[3]
	if sum.Metric != "a" || sum.Estimate != 12500 || sum.Groups != 40 || sum.Certificate.Cells != 2 || sum.Certificate.Estimate != 12500 {
		t.Errorf("sum %+v, certificate %+v", sum, sum.Certificate)
	}
	if half := noise.HalfWidth(0.95); cells[0].High-cells[0].Estimate != half || half < 17 || half > 20 {
		t.Errorf("half-width %d, want that of 40 noises, %d", cells[0].High-cells[0].Estimate, half)
	}
	rules, err := publish.RulesOf(d)
	if err != nil {
		t.Fatal(err)
	}
	decisions, err := publish.Decide(rules, cells, relations)
	if err != nil {
		t.Fatal(err)
	}
	// C* is 1064 for one cell and 2128 for two: 3500 − 18 is 3.27 of one, 12500 − 26 is 5.86 of two.
	want := []release.Status{release.Published, release.Published, release.WithheldCertificate, release.Published}
	for i, d := range decisions {
		if d.Status != want[i] {
			t.Errorf("%s: %s (%s), want %s", d.Key(), d.Status, d.Numbers, want[i])
		}
	}
	part.Kind = round.KindAnswers
	cells, err = publish.CellsOf(d, part, collected)
	if err != nil || cells[2].Certificate != nil {
		t.Errorf("an answer has a certificate: %+v, %v", cells[2], err)
	}
	for name, change := range map[string]func(*publish.Collected){
		"totals":   func(c *publish.Collected) { c.Totals = c.Totals[1:] },
		"groups":   func(c *publish.Collected) { c.Groups = c.Groups[1:] },
		"blanked":  func(c *publish.Collected) { c.Blanked = []bool{true} },
		"no noise": func(c *publish.Collected) { c.Noise = nil },
	} {
		c := collected
		change(&c)
		if _, err := publish.CellsOf(d, part, c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	blanked := collected
	blanked.Blanked = []bool{false, true, false}
	part.Kind = round.KindCounts
	cells, err = publish.CellsOf(d, part, blanked)
	if err != nil {
		t.Fatal(err)
	}
	cells, relations = publish.SumOf(cells)
	decisions, err = publish.Decide(rules, cells, relations)
	if err != nil || decisions[1].Status != release.WithheldBlanked || decisions[3].Status != release.WithheldBlanked || decisions[0].Status != release.Published {
		t.Errorf("a blanked cell: %+v, %v", decisions, err)
	}
}
