package ledger_test

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"candor/client/ledger"
	"candor/schema/metric"
	"candor/schema/round"
	"candor/schema/round/roundtest"
)

// A play is how the rounds of a year name whom they tell about.
type play struct {
	name       string
	unit       string
	population func(period string) string
}

// quarterRound makes the round of a quarter with all instruments of the standard catalogue that are due: each with its
// parts, ε = 1 for its counts together, and its answers.
func quarterRound(t *testing.T, c *metric.Catalogue, p play, q int) *round.Document {
	t.Helper()
	d := roundtest.New(t, 12, 1).Document
	first := time.Date(2026, time.Month(3*q-2), 1, 0, 0, 0, 0, time.UTC)
	label := fmt.Sprintf("2026Q%d", q)
	d.ID = strings.ToLower(label)
	d.Period = round.Period{Label: label, First: first.Format(time.DateOnly), Last: first.AddDate(0, 3, -1).Format(time.DateOnly)}
	d.Window = round.Window{Opens: first.AddDate(0, 4, 0), Closes: first.AddDate(0, 5, 0)} // Q4 is due in the next year
	if p.unit == "" {
		return planned(t, c, d, q == 4)
	}
	d.Parts = nil
	for i := range c.Instruments {
		in := &c.Instruments[i]
		if in.Period == metric.Year && q != 4 {
			continue
		}
		parts, err := in.Parts(nil)
		if err != nil {
			t.Fatal(err)
		}
		noisy := int64(0)
		for _, mp := range parts {
			if mp.Noise {
				noisy++
			}
		}
		for _, mp := range parts {
			part := round.Part{Instrument: in.ID, Name: mp.Name, Kind: round.KindCounts, Cap: uint64(mp.Cap)}
			for _, cell := range mp.Cells {
				part.Cells = append(part.Cells, round.Cell{Metric: cell.Metric, Code: cell.Code})
			}
			part.Privacy = round.Privacy{Unit: p.unit, Mechanism: "none", Place: "member", Epsilon: "0", Delta: "0"}
			switch {
			case mp.Kind == metric.Answers:
				part.Kind = round.KindAnswers
				part.Privacy = round.Privacy{Unit: "answer", Population: "answers", Mechanism: "discrete-laplace", Place: "aggregators", Epsilon: "2", Delta: "0", Delta1: 2}
			case mp.Noise:
				part.Privacy.Mechanism, part.Privacy.Population = "laplace", p.population(label)
				part.Privacy.Epsilon, part.Privacy.Delta1 = big.NewRat(1, noisy).String(), 1
				noise, err := part.Privacy.MemberNoise()
				if err != nil {
					t.Fatal(err)
				}
				part.Offset = uint64(noise.Offset())
			}
			d.Parts = append(d.Parts, part)
		}
	}
	return d
}

// planned writes the parts of a round as the secretariat's plan does.
func planned(t *testing.T, c *metric.Catalogue, d *round.Document, yearly bool) *round.Document {
	t.Helper()
	plan := round.Plan{
		ID: d.ID, Period: d.Period, Window: d.Window, Precision: 60, Catalogue: c, Secretariat: d.Secretariat, Leader: d.Leader, Helper: d.Helper,
		Collector: d.Collector, Roster: d.Roster, Minimum: d.Minimum, Release: d.Release,
	}
	for i := range c.Instruments {
		if in := &c.Instruments[i]; in.Period != metric.Year || yearly {
			plan.Instruments = append(plan.Instruments, in.ID)
		}
	}
	document, err := plan.Document()
	if err != nil {
		t.Fatal(err)
	}
	return document
}

// A member contributes to every instrument of the standard catalogue for a full year and corrects every round once,
// in all of its parts; the shipped policy lets it, however the rounds name the people, and one more of anything is refused.
func TestAYear(t *testing.T) {
	catalogue := metric.Standard()
	for _, p := range []play{
		{"as rounds are planned", "", nil},
		{"items, one population per quarter", "item", func(period string) string { return "items/" + period }},
		{"accounts, one population for ever", "account", func(string) string { return "accounts" }},
		{"persons, one population for ever", "person", func(string) string { return "persons" }},
	} {
		t.Run(p.name, func(t *testing.T) {
			if testing.Short() && p.unit != "" && p.unit != "account" {
				t.Skip("much the same as the others")
			}
			cfg, clock := newConfig(t)
			l, err := ledger.Create(cfg, "m1", ledger.ShippedPolicy())
			if err != nil {
				t.Fatal(err)
			}
			defer func() { l.Close() }()
			random := rand.New(rand.NewPCG(1, 2)) // the figures only
			instruments := map[string]bool{}
			var last *round.Document
			for q := 1; q <= 4; q++ {
				d := quarterRound(t, catalogue, p, q)
				last = d
				clock.at = d.Window.Opens.AddDate(0, 0, 10)
				for version := range uint64(2) {
					var claims []ledger.Claim
					for i := range d.Parts {
						part := &d.Parts[i]
						instruments[part.Instrument] = true
						values := make([]uint64, len(part.Cells))
						for j := range values {
							limit := part.Cap
							if part.Kind == round.KindAnswers {
								limit = 1
							}
							values[j] = min(random.Uint64N(1000), limit)
						}
						values[0] = min(values[0]/2*2+version, max(part.Cap, 1)) // differs between the versions
						claims = append(claims, ledger.Claim{Document: d, Part: part, Values: values})
					}
					grants := charge(t, l, claims...)
					for i, n := range send(t, l, grants...) {
						if n != version {
							t.Fatalf("Q%d, part %d: correction %d, want %d", q, i, n, version)
						}
					}
					for i, g := range charge(t, l, claims...) { // sent again, as after a lost answer
						if !g.Reused || len(g.Measurement) != len(claims[i].Values) {
							t.Fatalf("Q%d, part %d: not reused", q, i)
						}
					}
				}
				l = reopen(t, l, cfg)
			}
			if len(instruments) != 19 {
				t.Fatalf("%d instruments", len(instruments))
			}
			var thirds []ledger.Claim
			var words []string
			for i := range last.Parts {
				if part := &last.Parts[i]; part.Privacy.Mechanism == "laplace" {
					third := make([]uint64, len(part.Cells))
					third[0] = 77_777
					thirds = append(thirds, ledger.Claim{Document: last, Part: part, Values: third})
					words = append(words, fmt.Sprintf("part %s of %s in round 2026q4: it was sent in 2 versions already", part.Name, part.Instrument))
				}
			}
			refused(t, l, thirds, words...)
			for _, b := range l.Balances() {
				if b.Limit == nil || b.Spent.Epsilon.Cmp(b.Limit) > 0 {
					t.Errorf("%s %s %s: %s of %v", b.Unit, b.Population, b.Year, b.Spent.Epsilon.RatString(), b.Limit)
				}
			}
			if p.unit == "" {
				checkPlannedYear(t, l)
			}
			if entries, err := ledger.Verify(cfg.Path); err != nil || len(entries) < 600 {
				t.Errorf("%d entries, %v", len(entries), err)
			}
		})
	}
}

// checkPlannedYear checks what a year of all instruments, each corrected once, has told: of an item by quarter, of an account and of an answer in the whole year.
func checkPlannedYear(t *testing.T, l *ledger.Ledger) {
	t.Helper()
	got := map[string]string{}
	for _, b := range l.Balances() {
		if b.Unit != "answer" || b.Instrument == "scope" || b.Instrument == "deterrence" || b.Instrument == "transparency" {
			got[b.Population+" "+b.Year+" "+b.Instrument] = b.Spent.Epsilon.RatString()
		}
	}
	want := map[string]string{
		"accounts/2026 2026 ": "24",                                                                         // 3 instruments, 4 quarters, 2 versions
		"items/2026Q1  ":      "24", "items/2026Q2  ": "24", "items/2026Q3  ": "24", "items/2026Q4  ": "24", // 12 instruments, 2 versions
		"answers/2026 2026 scope": "8", "answers/2026 2026 deterrence": "4", // choices, and none, in 4 quarters; a correction is released in the place of what it corrects
		"answers/2026 2026 transparency": "2", // once a year
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the year has told (-want +got):\n%s", diff)
	}
}
