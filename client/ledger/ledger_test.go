package ledger_test

import (
	"errors"
	"io/fs"
	"math/big"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"candor/client/ledger"
	"candor/schema/round"
)

// The way of a vector: charged, sent, sent again unchanged, corrected once, and then no more.
func TestChargeAndCorrect(t *testing.T) {
	cfg, _ := newConfig(t)
	l := create(t, cfg)
	d := document(t)

	first := charge(t, l, claim(d, 5, 0, 7, 1_000_000))[0]
	if first.Reused || spent(t, l) != "1+1" {
		t.Fatalf("reused %v, spent %s, want 1 and 1 reserved for the correction", first.Reused, spent(t, l))
	}
	for i, x := range []int64{5, 0, 7, 1_000_000} {
		if d := first.Noisy[i] - x; d < -64 || d > 64 || uint64(first.Noisy[i]+64) != first.Measurement[i] {
			t.Errorf("cell %d: %d became %d, shared as %d", i, x, first.Noisy[i], first.Measurement[i])
		}
	}
	equal(t, "first send", send(t, l, first), []uint64{0})

	l = reopen(t, l, cfg)
	again := charge(t, l, claim(d, 5, 0, 7, 1_000_000))[0]
	if !again.Reused || again.Charge != first.Charge || again.Loss.Epsilon != nil || !slices.Equal(again.Noisy, first.Noisy) {
		t.Errorf("an unchanged vector: %+v, was %+v", again, first)
	}
	equal(t, "second send", send(t, l, again), []uint64{1})
	equal(t, "two at once", send(t, l, again, again), []uint64{2, 3})
	if spent(t, l) != "1+1" {
		t.Errorf("sending again costs: %s", spent(t, l))
	}

	changed := charge(t, l, claim(d, 6, 0, 7, 1_000_000))[0]
	if changed.Reused || spent(t, l) != "2+0" {
		t.Errorf("a correction: reused %v, spent %s", changed.Reused, spent(t, l))
	}
	equal(t, "correction", send(t, l, changed), []uint64{4})

	refused(t, l, []ledger.Claim{claim(d, 8, 0, 7, 1_000_000)}, "2 versions already", "first and 1 changed", "part counts of test")
	back := charge(t, l, claim(d, 5, 0, 7, 1_000_000))[0] // back to what was told first
	if !back.Reused || !slices.Equal(back.Noisy, first.Noisy) {
		t.Error("the first version has other noise now")
	}
	equal(t, "back", send(t, l, back), []uint64{5})
}

// After a change, no cell keeps its noise: otherwise the difference of two versions would be the difference of the figures.
func TestChangeRedrawsEveryCell(t *testing.T) {
	cfg, _ := newConfig(t)
	l := create(t, cfg)
	d := document(t, func(d *round.Document) {
		p := &d.Parts[0]
		p.Privacy.Epsilon, p.Privacy.Delta1 = "1/1000", 1000 // noise of scale 10^6: equal draws are next to impossible
		p.Offset = 64_000_000
		p.VDAF.MaxMeasurement = p.Cap + 2*p.Offset
	})
	a, b := charge(t, l, claim(d, 1, 2, 3, 4))[0], charge(t, l, claim(d, 1, 2, 3, 5))[0]
	for i, x := range []int64{1, 2, 3, 4} {
		y := x
		if i == 3 {
			y = 5
		}
		if a.Noisy[i]-x == b.Noisy[i]-y {
			t.Errorf("cell %d has the noise %d twice", i, a.Noisy[i]-x)
		}
	}
}

// A revision of the round, for the same period, reuses what did not change, and pays for what did.
func TestRevision(t *testing.T) {
	cfg, clock := newConfig(t)
	l := create(t, cfg)
	d := document(t)
	first := charge(t, l, claim(d, 1, 2, 3, 4))[0]
	send(t, l, first)
	clock.at = clock.at.AddDate(0, 3, 0)

	hash, err := d.Hash()
	if err != nil {
		t.Fatal(err)
	}
	stranger := *d
	stranger.ID = "test-2026q1-other"
	refused(t, l, []ledger.Claim{claim(&stranger, 1, 2, 3, 4)}, "does not revise", "round test-2026q1 already")

	revision := *d
	revision.ID, revision.Supersedes = "test-2026q1-r1", hexHash(hash)
	revision.Window.Opens, revision.Window.Closes = clock.at.Add(-time.Minute), clock.at.Add(time.Hour)
	same := charge(t, l, claim(&revision, 1, 2, 3, 4))[0]
	if !same.Reused || !slices.Equal(same.Noisy, first.Noisy) || same.Round.ID != "test-2026q1-r1" {
		t.Errorf("unchanged in a revision: %+v", same)
	}
	equal(t, "numbers begin anew in another round", send(t, l, same), []uint64{0})
	if spent(t, l) != "1+0" {
		t.Errorf("spent %s", spent(t, l))
	}
	changed := charge(t, l, claim(&revision, 1, 2, 3, 9))[0]
	if changed.Reused || spent(t, l) != "2+1" {
		t.Errorf("changed in a revision: reused %v, spent %s", changed.Reused, spent(t, l))
	}
	equal(t, "changed", send(t, l, changed), []uint64{1})

	// A revision of the revision, also for a member that did not take part in the one between.
	hash2, err := revision.Hash()
	if err != nil {
		t.Fatal(err)
	}
	third := revision
	third.ID, third.Supersedes = "test-2026q1-r2", hexHash(hash2)
	if g := charge(t, l, claim(&third, 1, 2, 3, 9))[0]; !g.Reused {
		t.Error("not reused in the second revision")
	}
	cfg2, _ := newConfig(t)
	l2 := create(t, cfg2)
	charge(t, l2, claim(d, 1, 2, 3, 4))
	refused(t, l2, []ledger.Claim{claim(&third, 1, 2, 3, 4)}, "does not revise")
	c := claim(&third, 1, 2, 3, 4)
	c.Between = []*round.Document{&revision}
	if g := charge(t, l2, c)[0]; !g.Reused {
		t.Error("not reused with the round between shown")
	}
}

// Other parameters are another mechanism: the noise of the old one does not fit.
func TestChangedParametersDrawAnew(t *testing.T) {
	cfg, clock := newConfig(t)
	l := create(t, cfg)
	d := document(t)
	charge(t, l, claim(d, 1, 2, 3, 4))
	clock.at = clock.at.AddDate(0, 1, 0)
	hash, err := d.Hash()
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*round.Document){
		"cap":       func(d *round.Document) { d.Parts[0].Cap++; d.Parts[0].VDAF.MaxMeasurement++ },
		"catalogue": func(d *round.Document) { d.Catalogue.Hash = strings.Repeat("ab", 32) },
		"cells": func(d *round.Document) {
			d.Parts[0].Cells = slices.Clone(d.Parts[0].Cells)
			d.Parts[0].Cells[0].Code = "x"
		},
		"epsilon": func(d *round.Document) {
			d.Parts[0].Privacy.Epsilon = "63/64"
			d.Parts[0].Offset = 128
			d.Parts[0].VDAF.MaxMeasurement += 128
		},
	} {
		r := *d
		r.Parts = slices.Clone(d.Parts)
		r.ID, r.Supersedes = "rev-"+name, hexHash(hash)
		change(&r)
		cfg2, _ := newConfig(t)
		copyFile(t, cfg.Path, cfg2.Path)
		l2, err := ledger.Open(cfg2)
		if err != nil {
			t.Fatal(err)
		}
		if g := charge(t, l2, claim(&r, 1, 2, 3, 4))[0]; g.Reused {
			t.Errorf("another %s: the noise is reused", name)
		}
		l2.Close()
	}
}

// Every limit of the policy, and the words in which it is told.
func TestRefusals(t *testing.T) {
	one := []uint64{1, 2, 3, 4}
	t.Run("total of a population", func(t *testing.T) {
		cfg, _ := newConfig(t)
		l := create(t, cfg)
		a := document(t)
		b := document(t, func(d *round.Document) { d.Parts[0].Instrument = "second" })
		c := document(t, func(d *round.Document) { d.Parts[0].Instrument = "third" })
		charge(t, l, claim(a, one...))
		charge(t, l, claim(b, one...)) // 2 told, 2 reserved: the total of 4
		refused(t, l, []ledger.Claim{claim(c, one...)}, "population items/2026Q1", "ε = 2 is told and 2 set aside", "it would be 6", "your policy allows 4")
		charge(t, l, claim(a, 2, 2, 3, 4)) // a correction was set aside
		charge(t, l, claim(b, 2, 2, 3, 4))
		refused(t, l, []ledger.Claim{claim(c, one...)}, "ε = 4 is told and 0 set aside")
	})
	t.Run("what is set aside is free once the round is closed", func(t *testing.T) {
		cfg, clock := newConfig(t)
		l := create(t, cfg)
		a := document(t)
		b := document(t, func(d *round.Document) { d.Parts[0].Instrument = "second" })
		c := document(t, func(d *round.Document) {
			d.Parts[0].Instrument = "third"
			d.Window.Closes = d.Window.Closes.AddDate(1, 0, 0)
		})
		charge(t, l, claim(a, one...), claim(b, one...))
		refused(t, l, []ledger.Claim{claim(c, one...)}, "set aside")
		clock.at = a.Window.Closes
		charge(t, l, claim(c, one...))
	})
	t.Run("all or none", func(t *testing.T) {
		cfg, _ := newConfig(t)
		l := create(t, cfg)
		var claims []ledger.Claim
		for _, name := range []string{"a", "b", "c"} {
			claims = append(claims, claim(document(t, func(d *round.Document) { d.Parts[0].Instrument = name }), one...))
		}
		refused(t, l, claims, "it would be 6")
		if spent(t, l) != "0" {
			t.Errorf("spent %s", spent(t, l))
		}
		charge(t, l, claims[:2]...)
	})
	t.Run("the instrument's parts together", func(t *testing.T) {
		cfg, _ := newConfig(t)
		l := create(t, cfg)
		d := document(t, func(d *round.Document) {
			second := d.Parts[0]
			second.Name = "counts-2"
			second.Privacy.Epsilon = "1/2"
			second.Offset = 128
			d.Parts = append(d.Parts, second)
		})
		refused(t, l, []ledger.Claim{claim(d, one...)}, "ε = 3/2 together about one item", "your policy allows 1 per instrument and round")
	})
	t.Run("minimum of groups", func(t *testing.T) {
		cfg, _ := newConfig(t)
		l := create(t, cfg)
		d := document(t, func(d *round.Document) { d.Minimum.Groups = 9 })
		refused(t, l, []ledger.Claim{claim(d, one...)}, "sums of 9 groups", "at least 10")
	})
	t.Run("unit without budget", func(t *testing.T) {
		cfg, _ := newConfig(t)
		l := create(t, cfg)
		d := document(t, func(d *round.Document) { d.Parts[0].Privacy.Unit = "person" })
		refused(t, l, []ledger.Claim{claim(d, one...)}, `no budget for the unit "person"`)
	})
	t.Run("overlapping periods", func(t *testing.T) {
		cfg, _ := newConfig(t)
		l := create(t, cfg)
		charge(t, l, claim(document(t), one...))
		overlap := document(t, func(d *round.Document) {
			d.ID, d.Period = "march", round.Period{Label: "March", First: "2026-03-31", Last: "2026-04-30"}
			d.Parts[0].Privacy.Population = "items/march" // by another name, the same people
		})
		refused(t, l, []ledger.Claim{claim(overlap, one...)}, "2026-03-31 to 2026-04-30", "round test-2026q1 already (2026-01-01 to 2026-03-31)")
		after := document(t, func(d *round.Document) {
			d.ID, d.Period = "q2", round.Period{Label: "Q2", First: "2026-04-01", Last: "2026-06-30"}
		})
		charge(t, l, claim(after, one...))
	})
	t.Run("delta", func(t *testing.T) {
		cfg, _ := newConfig(t)
		l := create(t, cfg)
		gauss := func(delta, instrument string) *round.Document {
			return document(t, func(d *round.Document) {
				p := &d.Parts[0]
				p.Instrument = instrument
				p.Privacy.Unit, p.Privacy.Mechanism, p.Privacy.Delta, p.Privacy.L0, p.Privacy.LInf = "account", "gaussian", delta, 1, 1
				n, err := p.Privacy.MemberNoise()
				if err != nil {
					t.Fatal(err)
				}
				p.Offset = uint64(n.Offset())
			})
		}
		charge(t, l, claim(gauss("1/2500", "a"), one...))
		refused(t, l, []ledger.Claim{claim(gauss("1/2500", "b"), one...)}, "δ would add up to 1/625", "your policy allows 1/1000")
		charge(t, l, claim(gauss("1/100000", "b"), one...))
	})
	t.Run("everything at once", func(t *testing.T) {
		cfg, _ := newConfig(t)
		l := create(t, cfg)
		d := document(t, func(d *round.Document) { d.Minimum.Groups = 3; d.Parts[0].Privacy.Unit = "galaxy" })
		refused(t, l, []ledger.Claim{claim(d, one...)}, "sums of 3 groups", "galaxy")
	})
}

// Claims that make no sense are errors, not refusals, and cost nothing.
func TestSenselessClaims(t *testing.T) {
	cfg, _ := newConfig(t)
	l := create(t, cfg)
	d := document(t)
	other := document(t, func(d *round.Document) { d.Parts[0].Cap = 3 })
	for name, c := range map[string]ledger.Claim{
		"nothing":        {},
		"too few values": claim(d, 1, 2, 3),
		"above the cap":  claim(d, 1, 2, 3, 1<<20+1),
		"of no part":     {Document: d, Part: &other.Parts[0], Values: []uint64{1, 2, 3, 3}},
		"rehearsal":      claim(document(t, func(d *round.Document) { d.Rehearsal = true }), 1, 2, 3, 4),
		"wrong offset":   claim(document(t, func(d *round.Document) { d.Parts[0].Offset = 63 }), 1, 2, 3, 4),
		"bad mechanism":  claim(document(t, func(d *round.Document) { d.Parts[0].Privacy.Mechanism = "magic" }), 1, 2, 3, 4),
		"unknown ε":      claim(document(t, func(d *round.Document) { d.Parts[0].Privacy.Epsilon = "1e9" }), 1, 2, 3, 4),
		"ε of aggregator": claim(document(t, func(d *round.Document) {
			d.Parts[0].Privacy.Mechanism, d.Parts[0].Privacy.Place, d.Parts[0].Privacy.Epsilon = "discrete-laplace", "aggregators", "17"
		}), 1, 2, 3, 4),
	} {
		_, err := l.Charge(c)
		var r *ledger.Refusal
		if err == nil || errors.As(err, &r) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := l.Charge(claim(d, 1, 2, 3, 4), claim(d, 1, 2, 3, 5)); err == nil || !strings.Contains(err.Error(), "claimed twice") {
		t.Errorf("a part twice at once: %v", err)
	}
	if len(l.Entries()) != 1 {
		t.Errorf("%d entries", len(l.Entries()))
	}
}

// Answers: the Aggregators' noise is paid for once per round, whatever is sent, and each instrument's answers are units of their own.
func TestAnswers(t *testing.T) {
	cfg, _ := newConfig(t)
	l := create(t, cfg)
	answers := func(instrument string) *round.Document {
		return document(t, func(d *round.Document) {
			d.Parts[0].Kind, d.Parts[0].Name, d.Parts[0].Instrument = round.KindAnswers, "answers", instrument
			d.Parts[0].Cap, d.Parts[0].Offset = 0, 0
			d.Parts[0].Privacy = round.Privacy{Unit: "answer", Population: "answers", Mechanism: "discrete-laplace", Place: "aggregators", Epsilon: "2", Delta: "0", Delta1: 2}
		})
	}
	a := answers("a")
	g := charge(t, l, claim(a, 1, 0, 0, 1))[0]
	equal(t, "answers", g.Measurement, []uint64{1, 0, 0, 1})
	if g.Noisy != nil || spent(t, l) != "2+0" {
		t.Errorf("noisy %v, spent %s", g.Noisy, spent(t, l))
	}
	equal(t, "sent", send(t, l, g), []uint64{0})
	g = charge(t, l, claim(a, 0, 0, 0, 1))[0]
	if !g.Reused || spent(t, l) != "2+0" {
		t.Errorf("reused %v, spent %s", g.Reused, spent(t, l))
	}
	equal(t, "changed answers", g.Measurement, []uint64{0, 0, 0, 1})
	equal(t, "sent", send(t, l, g), []uint64{1})
	for _, instrument := range []string{"b", "c", "d"} {
		charge(t, l, claim(answers(instrument), 1, 1, 1, 1))
	}
	if n := len(l.Balances()); n != 4 {
		t.Errorf("%d accounts, want one per instrument", n)
	}
	if _, err := l.Charge(claim(a, 2, 0, 0, 0)); err == nil {
		t.Error("an answer of 2 is accepted")
	}
}

// Figures without noise cost nothing, and their values are not kept.
func TestWithoutNoise(t *testing.T) {
	cfg, _ := newConfig(t)
	l := create(t, cfg)
	d := document(t, func(d *round.Document) {
		d.Parts[0].Offset = 0
		d.Parts[0].Privacy = round.Privacy{Unit: "item", Mechanism: "none", Place: "member", Epsilon: "0", Delta: "0"}
	})
	g := charge(t, l, claim(d, 777_123, 2, 3, 4))[0]
	equal(t, "values", g.Measurement, []uint64{777_123, 2, 3, 4})
	equal(t, "sent", send(t, l, g), []uint64{0})
	for i := range uint64(5) { // corrections cost nothing
		equal(t, "sent", send(t, l, charge(t, l, claim(d, i, 2, 3, 4))[0]), []uint64{i + 1})
	}
	if len(l.Balances()) != 0 {
		t.Errorf("balances %v", l.Balances())
	}
	text, err := os.ReadFile(cfg.Path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "777123") {
		t.Error("the ledger holds a true value")
	}
}

// A charge of which nothing was sent can be taken back; another cannot.
func TestVoid(t *testing.T) {
	cfg, _ := newConfig(t)
	l := create(t, cfg)
	d := document(t)
	g := charge(t, l, claim(d, 1, 2, 3, 4))[0]
	l = reopen(t, l, cfg) // a crash in between leaves it charged
	if spent(t, l) != "1+1" {
		t.Errorf("spent %s", spent(t, l))
	}
	if err := l.Void(g.Charge, "not submitted after all"); err != nil {
		t.Fatal(err)
	}
	if spent(t, l) != "0" {
		t.Errorf("spent %s", spent(t, l))
	}
	if _, err := l.Send(g); err == nil {
		t.Error("a void grant is sent")
	}
	if err := l.Void(g.Charge, "again"); err == nil {
		t.Error("voided twice")
	}
	g = charge(t, l, claim(d, 1, 2, 3, 4))[0]
	if g.Reused {
		t.Error("noise of a void charge is reused")
	}
	send(t, l, g)
	if err := l.Void(g.Charge, "regret"); err == nil || spent(t, l) != "1+1" {
		t.Errorf("%v, spent %s: what was sent is taken back", err, spent(t, l))
	}
	if err := l.Void(99, "?"); err == nil {
		t.Error("a charge that does not exist is void")
	}
	reopen(t, l, cfg)
}

// A grant is of the ledger that gave it.
func TestForeignGrant(t *testing.T) {
	cfg, _ := newConfig(t)
	l := create(t, cfg)
	cfg2, _ := newConfig(t)
	other := create(t, cfg2)
	g := charge(t, other, claim(document(t), 1, 2, 3, 4))
	if _, err := l.Send(g...); err == nil {
		t.Error("another ledger's grant is sent")
	}
	if _, err := l.Send(ledger.Grant{Charge: 1}); err == nil {
		t.Error("an empty grant is sent")
	}
	if n, err := l.Send(); err != nil || n != nil {
		t.Errorf("sending nothing: %v, %v", n, err)
	}
}

// Years are those of the periods; populations that last are charged by year.
func TestYears(t *testing.T) {
	cfg, clock := newConfig(t)
	l := create(t, cfg)
	quarter := func(year, q int) *round.Document {
		return document(t, func(d *round.Document) {
			first := time.Date(year, time.Month(3*q-2), 1, 0, 0, 0, 0, time.UTC)
			d.ID = first.Format("2006-01")
			d.Period = round.Period{Label: d.ID, First: first.Format(time.DateOnly), Last: first.AddDate(0, 3, -1).Format(time.DateOnly)}
			d.Window = round.Window{Opens: first.AddDate(0, 3, 0), Closes: first.AddDate(0, 4, 0)}
			d.Parts[0].Privacy.Unit, d.Parts[0].Privacy.Population = "account", "accounts"
		})
	}
	for q := 1; q <= 4; q++ {
		d := quarter(2026, q)
		clock.at = d.Window.Closes
		charge(t, l, claim(d, 1, 2, 3, uint64(q)))
	}
	refused(t, l, []ledger.Claim{claim(func() *round.Document {
		d := quarter(2026, 4)
		d.Parts[0].Instrument = "other"
		return d
	}(), 1, 2, 3, 4)}, "accounts, year 2026", "your policy allows 4")
	charge(t, l, claim(quarter(2027, 1), 1, 2, 3, 4))
	b := l.Balances()
	if len(b) != 2 || b[0].Year != "2026" || b[0].Spent.Epsilon.Cmp(big.NewRat(4, 1)) != 0 || b[1].Year != "2027" {
		t.Errorf("balances %+v", b)
	}
	if got := b[0].Spent.EpsilonAt(1e-6); got != 4 {
		t.Errorf("at δ = 10^-6, ε = %v", got)
	}
}

func TestCreateAndOpenErrors(t *testing.T) {
	cfg, _ := newConfig(t)
	if _, err := ledger.Open(cfg); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if _, err := ledger.Create(cfg, "m1", []byte("x: y")); err == nil {
		t.Error("a nonsensical policy is accepted")
	}
	if _, err := os.Stat(cfg.Path); err == nil {
		t.Error("it left a file")
	}
	l := create(t, cfg)
	if _, err := ledger.Create(cfg, "m1", []byte(policy)); !errors.Is(err, fs.ErrExist) {
		t.Errorf("an existing file: %v", err)
	}
	if info, err := os.Stat(cfg.Path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if _, err := ledger.Open(cfg); !errors.Is(err, ledger.ErrLocked) {
		t.Errorf("two writers: %v", err)
	}
	if l.Member() != "m1" || l.Policy().Corrections != 1 {
		t.Errorf("member %q, %d corrections", l.Member(), l.Policy().Corrections)
	}
	l.Close()
	if err := l.Close(); err != nil {
		t.Errorf("closing twice: %v", err)
	}
	if _, err := l.Charge(claim(document(t), 1, 2, 3, 4)); !errors.Is(err, os.ErrClosed) {
		t.Errorf("charging a closed ledger: %v", err)
	}
}
