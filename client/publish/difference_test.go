package publish_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"candor/client/publish"
	"candor/schema/release"
	"candor/schema/round"
)

// grown is a series of two periods between which one member joined.
func grown(t *testing.T) *series {
	s := newSeries(t, 30, 1000)
	s.noisy = true
	values := map[int]map[string]int64{}
	for m := range 30 {
		values[m] = even(1500)
	}
	s.publish(t, numbers(0, 16), values, nil)
	s.publish(t, numbers(0, 17), values, nil)
	return s
}

func (s *series) verify(t *testing.T, b release.Bundle, earlier ...*publish.Earlier) publish.Verification {
	t.Helper()
	b.Signatures = nil
	if err := b.Sign(s.Secretariat); err != nil {
		t.Fatal(err)
	}
	files, err := b.Files()
	if err != nil {
		t.Fatal(err)
	}
	return publish.Verify(files, nil, &publish.Trust{Trust: s.Trust()}, earlier...)
}

// A reader decides again, from the releases before, what may stand beside them; and says so where they are not there.
func TestVerifyEarlier(t *testing.T) {
	s := grown(t)
	b := s.vintages[1].bundle
	if len(b.Earlier) != 1 || b.Earlier[0].Turnovers[0].Joined != 1 || !b.Earlier[0].Turnovers[0].Known {
		t.Fatalf("recorded: %+v", b.Earlier)
	}
	for _, f := range b.Figures {
		if f.Metric == "received" && f.Cell == "hash" && f.Status != release.WithheldDifference {
			t.Fatalf("%+v", f)
		}
	}
	v := s.verify(t, b, s.earlier[0])
	if c := checkOf(v, "earlier releases"); !v.OK() || c.Outcome != publish.Passed || checkOf(v, "status withheld-difference").Outcome != "" {
		t.Errorf("with the release before: %s, %+v", v.Verdict(), v.Checks)
	}
	v = s.verify(t, b)
	if c := checkOf(v, "earlier releases"); !v.OK() || c.Outcome != publish.NotCheckable || !strings.Contains(c.Detail, "round r0, revision 1, is not here") {
		t.Errorf("without it: %s, %+v", v.Verdict(), c)
	}
	if c := checkOf(v, "status withheld-difference"); c.Outcome != publish.NotCheckable {
		t.Errorf("without it: %+v", c)
	}
	again := func(change func(*release.Bundle)) release.Bundle {
		c := b
		c.Earlier = slices.Clone(b.Earlier)
		c.Earlier[0].Turnovers = slices.Clone(b.Earlier[0].Turnovers)
		c.Figures = slices.Clone(b.Figures)
		change(&c)
		return c
	}
	for _, tc := range []struct {
		name, item, want string
		bundle           release.Bundle
	}{
		{"nobody joined", "earlier releases", "0 joined and 0 left; the rosters, of which everybody sent, give 1 and 0", again(func(b *release.Bundle) { b.Earlier[0].Turnovers[0].Joined = 0 })},
		{"who sent is not known", "earlier releases", "give 1 and 0", again(func(b *release.Bundle) {
			b.Earlier[0].Turnovers[0] = release.Turnover{Instrument: "cases", Part: "counts", Before: "counts"}
		})},
		{"corrected between periods", "earlier releases", "corrections between two periods", again(func(b *release.Bundle) { b.Earlier[0].Turnovers[0].Corrected = 5 })},
		{"a part left out", "earlier releases", "it compares", again(func(b *release.Bundle) { b.Earlier[0].Turnovers = b.Earlier[0].Turnovers[1:] })},
		{"another revision", "earlier releases", "is of round r0, revision 1", again(func(b *release.Bundle) { b.Earlier[0].Revision = 2 })},
		{"withheld at will", "release rules", "none that the release names says so", again(func(b *release.Bundle) { b.Earlier[0].Turnovers[0].Joined = 4 })},
	} {
		v := s.verify(t, tc.bundle, s.earlier[0])
		if c := checkOf(v, tc.item); v.OK() || c.Outcome != publish.Failed || !strings.Contains(c.Detail, tc.want) {
			t.Errorf("%s: %s, %+v", tc.name, v.Verdict(), c)
		}
	}
	// Shown all the same: the shares are opened, and only the rule gives it away.
	s.off, s.earlier = []string{"difference"}, s.earlier[:1]
	s.vintages = s.vintages[:1]
	shown := s.publish(t, numbers(0, 17), s.vintages[0].values, nil).bundle
	v = s.verify(t, shown, s.earlier[0])
	if c := checkOf(v, "release rules"); v.OK() || !strings.Contains(c.Detail, "must not stand beside an earlier release: since r0: 1 joined, 0 left; none or at least 3 groups") {
		t.Errorf("shown: %+v", c)
	}
	// A release that is kept secret from the new one.
	shown.Earlier = nil
	v = s.verify(t, shown, s.earlier[0])
	if c := checkOf(v, "earlier releases"); v.OK() || !strings.Contains(c.Detail, "neither of the two names the other") {
		t.Errorf("not named: %+v", c)
	}
}

// Who sent is known if all did, or if the Leader told the secretariat; else nothing is shown beside the release before.
func TestTurnoverKnown(t *testing.T) {
	s := grown(t)
	e := s.earlier[0]
	for _, tc := range []struct {
		name    string
		sent    []int
		members bool
		want    release.Turnover
	}{
		{"all", numbers(0, 16), false, release.Turnover{Known: true}},
		{"all but some, and nobody says who", numbers(0, 12), false, release.Turnover{}},
		{"all but some", numbers(0, 12), true, release.Turnover{Known: true, Left: 4}},
	} {
		v := &vintage{members: tc.sent, values: s.vintages[0].values}
		d := *s.vintages[0].document
		d.ID, d.Period.First, d.Period.Last = "r9", "2019-01-01", "2019-12-31"
		c := *s.Coalition
		c.Document = &d
		var batches []release.Batch
		for i := range d.Parts {
			noise := "none"
			if d.Parts[i].Kind == round.KindAnswers {
				noise = "dlap:1"
			}
			b := batchOf(t, &c, i, uint64(len(tc.sent)), v.sums(s, &d.Parts[i]), noise)
			if tc.members {
				for _, m := range tc.sent {
					b.Members = append(b.Members, d.Roster[m].ID)
				}
			}
			batches = append(batches, b)
		}
		plan, err := publish.PlanRound(&d, s.catalogue, batches, publish.History{Earlier: []*publish.Earlier{e}})
		if err != nil {
			t.Fatal(err)
		}
		got := plan.Earlier[0].Turnovers[0]
		if got.Known != tc.want.Known || got.Joined != tc.want.Joined || got.Left != tc.want.Left {
			t.Errorf("%s: %+v", tc.name, got)
		}
		for _, dec := range plan.Decisions {
			if dec.Metric == "received" && dec.Cell == "hash" && (dec.Rule == "difference") == tc.want.Known {
				t.Errorf("%s: %+v", tc.name, dec)
			}
		}
	}
}

// A correction after release is refused unless enough groups changed, and unless what it corrects is there to compare.
func TestCorrections(t *testing.T) {
	for _, tc := range []struct {
		corrected, joined int
		want              string
	}{
		{1, 0, "0 joined, 0 left, 1 corrected; none or at least 4 groups"}, {2, 1, "1 joined, 0 left, 2 corrected"}, {0, 0, ""}, {4, 0, ""}, {3, 2, ""},
	} {
		s := newSeries(t, 30, 1000)
		values, again := map[int]map[string]int64{}, map[int]map[string]int64{}
		for m := range 30 {
			values[m], again[m] = even(1500), even(1500)
			if m < tc.corrected {
				again[m] = even(1500 + 60*int64(1-m%2*2))
			}
		}
		first := s.publish(t, numbers(0, 16), values, nil)
		v := s.publish(t, numbers(0, 16+tc.joined), again, first)
		if refused := fmt.Sprint(v.refused); (v.refused == nil) != (tc.want == "") || !strings.Contains(refused, tc.want) {
			t.Errorf("%d corrected and %d joined: %v", tc.corrected, tc.joined, v.refused)
		}
		if v.refused == nil {
			if got := s.verify(t, v.bundle, s.earlier[0]); !got.OK() {
				t.Errorf("%d corrected and %d joined: %+v", tc.corrected, tc.joined, got.Checks)
			}
		}
		s.earlier = nil // what it corrects is not there
		if v := s.publish(t, numbers(0, 16), again, first); v.refused == nil || !strings.Contains(v.refused.Error(), "is not here") {
			t.Errorf("a correction of nothing: %v", v.refused)
		}
	}
}

// One batch has one set of figures: a revision of words shows nothing that was withheld.
func TestRevisionShowsNothingMore(t *testing.T) {
	r := publishedRound(t)
	before := r.bundle
	before.Figures = slices.Clone(before.Figures)
	for i, f := range before.Figures {
		if f.Status == release.Published && f.Cell != "total" {
			before.Figures[i].Value, before.Figures[i].CILow, before.Figures[i].CIHigh, before.Figures[i].Status = nil, nil, nil, release.WithheldComplementary
			break
		}
	}
	p := r.publication
	p.Previous, p.What, p.Why = &before, "A word was corrected.", "It was misspelt."
	if _, err := publish.Assemble(p); err == nil || !strings.Contains(err.Error(), "shows nothing more") {
		t.Errorf("a figure that was withheld before is shown: %v", err)
	}
	e, err := publish.NewEarlier(before)
	if err != nil {
		t.Fatal(err)
	}
	p.Previous = &r.bundle
	bundle, err := publish.Assemble(p)
	if err != nil {
		t.Fatal(err)
	}
	bundle.Earlier[0].Package, err = before.Digest()
	if err != nil {
		t.Fatal(err)
	}
	if err := bundle.Sign(r.Secretariat); err != nil {
		t.Fatal(err)
	}
	files, err := bundle.Files()
	if err != nil {
		t.Fatal(err)
	}
	if c := checkOf(publish.Verify(maps.Clone(files), nil, r.pins(), e), "earlier releases"); c.Outcome != publish.Failed || !strings.Contains(c.Detail, "shows nothing more") {
		t.Errorf("a verifier does not see it: %+v", c)
	}
}
