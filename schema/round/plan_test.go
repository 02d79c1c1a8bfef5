package round_test

import (
	"fmt"
	"math/big"
	"strings"
	"testing"

	"candor/schema/metric"
	"candor/schema/round"
	"candor/schema/round/roundtest"
)

// planOf plans a round of the standard catalogue with a test coalition's parties.
func planOf(c *roundtest.Coalition, instruments ...string) round.Plan {
	d := c.Document
	return round.Plan{
		ID: "plan-2026q1", Period: d.Period, Window: d.Window, Precision: 60, Catalogue: metric.Standard(), Instruments: instruments,
		Secretariat: d.Secretariat, Leader: d.Leader, Helper: d.Helper, Collector: d.Collector, Roster: d.Roster, Minimum: d.Minimum, Release: d.Release,
	}
}

func allInstruments() (ids []string) {
	for _, in := range metric.Standard().Instruments {
		ids = append(ids, in.ID)
	}
	return ids
}

func TestPlanOfEveryInstrumentPassesTheCheck(t *testing.T) {
	plan := planOf(roundtest.New(t, 40, 1), allInstruments()...)
	d, err := plan.Document()
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range d.Check() {
		t.Error(problem)
	}
	if _, err := d.Tasks(); err != nil {
		t.Error(err)
	}
	cells := 0
	for _, p := range d.Parts {
		for _, c := range p.Cells {
			if !strings.Contains(c.Code, ":") {
				cells++
			}
		}
	}
	if cells != 590 {
		t.Errorf("the round has %d cells besides states and magnitudes, the catalogue 590", cells)
	}
}

func TestPlanChoosesTheUnit(t *testing.T) {
	for _, c := range []struct {
		instrument, unit string
		delta1           uint64
	}{
		{"hash-match", "item", 7}, // 700 events of one account: noise for a whole account would drown the figures
		{"solicitation", "account", 7},
	} {
		plan := planOf(roundtest.New(t, 10, 1), c.instrument)
		d, err := plan.Document()
		if err != nil {
			t.Fatal(err)
		}
		// The parts share sensitivity and ε, and the scale of the noise is that of the instrument.
		sensitivity, epsilon := uint64(0), new(big.Rat)
		for i := range d.Parts {
			p := d.Parts[i].Privacy
			if p.Mechanism != "laplace" {
				continue
			}
			e, ok := new(big.Rat).SetString(p.Epsilon)
			if !ok || p.Unit != c.unit {
				t.Fatalf("%s/%s protects one %s with ε %q, want one %s", c.instrument, d.Parts[i].Name, p.Unit, p.Epsilon, c.unit)
			}
			sensitivity += p.Delta1
			epsilon.Add(epsilon, e)
			scale := new(big.Rat).Quo(new(big.Rat).SetInt64(int64(p.Delta1)), e)
			if want := new(big.Rat).SetInt64(int64(c.delta1)); scale.Cmp(want) != 0 || d.Parts[i].Offset != 64*c.delta1 {
				t.Errorf("%s/%s has noise of scale %s and offset %d, want %d and %d", c.instrument, d.Parts[i].Name, scale.RatString(), d.Parts[i].Offset, c.delta1, 64*c.delta1)
			}
		}
		if sensitivity != c.delta1 || epsilon.Cmp(big.NewRat(1, 1)) != 0 {
			t.Errorf("the parts of %s have sensitivity %d and ε %s together, want %d and 1", c.instrument, sensitivity, epsilon.RatString(), c.delta1)
		}
	}
}

func TestPlanAddsUpBudgets(t *testing.T) {
	plan := planOf(roundtest.New(t, 10, 1), "hash-match", "novel-detect")
	plan.Spent = map[string]*big.Rat{"items/2026Q1": big.NewRat(1, 2)}
	d, err := plan.Document()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, p := range d.Populations {
		got[p.ID] = p.Epsilon
	}
	if got["items/2026Q1"] != "5/2" || got["answers/2026"] != "2" {
		t.Errorf("populations are %v, want items/2026Q1: 5/2 and answers/2026: 2", got)
	}
}

// Accounts persist: what the quarters of a year tell about one adds up, in the document and so in the members' ledgers.
func TestPlanAddsUpAccountsOfAYear(t *testing.T) {
	for q, want := range map[string]string{"2026Q1": "1", "2026Q2": "4"} {
		plan := planOf(roundtest.New(t, 10, 1), "solicitation")
		if plan.Period.Label = q; q == "2026Q2" {
			plan.Period.First, plan.Period.Last = "2026-04-01", "2026-06-30"
			plan.Spent = map[string]*big.Rat{"accounts/2026": big.NewRat(3, 1)}
		}
		d, err := plan.Document()
		if err != nil {
			t.Fatal(err)
		}
		if got := d.Parts[0].Privacy.Population; got != "accounts/2026" {
			t.Errorf("%s charges %s, want accounts/2026", q, got)
		}
		if got := d.Populations[0]; got.ID != "accounts/2026" || got.Epsilon != want {
			t.Errorf("%s: the population is %v, want accounts/2026 with ε = %s", q, got, want)
		}
	}
}

// A choice that changes moves a vote from one cell to another: with noise of scale 1 in each that tells ε = 2. Questions of several instruments do not add up, as
// each stands in one.
func TestPlanChargesAnswers(t *testing.T) {
	base := roundtest.New(t, 10, 1)
	catalogue := metric.Standard()
	seen := map[string]bool{}
	for i := range catalogue.Instruments {
		in := &catalogue.Instruments[i]
		want := "1"
		for _, m := range in.Metrics {
			if m.Type == metric.Choice || m.Magnitude != "" {
				want = "2"
			}
		}
		seen[want] = true
		plan := planOf(base, in.ID)
		d, err := plan.Document()
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range d.Parts {
			if v := p.Privacy; p.Kind == round.KindAnswers && (v.Epsilon != want || fmt.Sprint(v.Delta1) != want) {
				t.Errorf("%s: one answer moves %d cells and is told with ε = %s; want %s of both, so that the noise has scale 1", in.ID, v.Delta1, v.Epsilon, want)
			}
		}
		if got := d.Populations[len(d.Populations)-1]; got.ID != "answers/2026" || got.Epsilon != want {
			t.Errorf("%s: the population is %v, want answers/2026 with ε = %s", in.ID, got, want)
		}
	}
	if len(seen) != 2 {
		t.Errorf("all instruments are of one kind: %v", seen)
	}
	plan := planOf(base, "hash-match", "scope", "deterrence")
	plan.Spent = map[string]*big.Rat{"answers/2026": big.NewRat(4, 1)}
	d, err := plan.Document()
	if err != nil {
		t.Fatal(err)
	}
	if got := d.Populations[len(d.Populations)-1].Epsilon; got != "6" {
		t.Errorf("after ε = 4, a round of three instruments makes it %s, want 6", got)
	}
	signed, err := round.NewSigned(d)
	if err != nil {
		t.Fatal(err)
	}
	text := signed.Describe(nil)
	for _, want := range []string{"ε = 2 for one choice, 1 for one yes or no; states have none", "deterrence/answers: 12 cells; answers, one vote per question; each aggregator adds discrete-laplace noise, ε = 1 for one answer;"} {
		if !strings.Contains(text, want) {
			t.Errorf("the description has no %q:\n%s", want, text)
		}
	}
}

func TestPlanListsItsMistakes(t *testing.T) {
	plan := planOf(roundtest.New(t, 10, 1), "no-such", "hash-match", "neither")
	plan.Caps = map[string]int64{"hash-match.nothing": 5}
	_, err := plan.Document()
	for _, want := range []string{`"no-such"`, `"neither"`, `"nothing"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, without %s", err, want)
		}
	}
}
