package publish

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"candor/schema/metric"
	"candor/schema/release"
	"candor/schema/round"
)

// An Earlier is a release that readers have already, so that they can compare it with a new one.
type Earlier struct {
	Bundle   release.Bundle
	Document *round.Document

	// Members are, by part (instrument/name), those whose reports were aggregated. The secretariat may know; readers do not.
	Members map[string][]string

	document, digest release.Digest
	reports          map[string]uint64 // by part
	parts            map[release.Key]int
	figures          map[release.Key]release.Figure
	catalogue        func() (*metric.Catalogue, error) // parsed when it is first asked for
}

// NewEarlier reads a bundle for comparisons. It does not verify it.
func NewEarlier(b release.Bundle) (*Earlier, error) {
	signed, err := round.ParseSigned(b.Round)
	if err != nil {
		return nil, fmt.Errorf("reading an earlier release: %w", err)
	}
	e := &Earlier{Bundle: b, Document: signed.Document, parts: partsByCell(signed.Document), reports: map[string]uint64{}, figures: map[release.Key]release.Figure{}}
	fail := func(err error) (*Earlier, error) {
		return nil, fmt.Errorf("reading the earlier release of round %s: %w", e.Document.ID, err)
	}
	e.catalogue = sync.OnceValues(func() (*metric.Catalogue, error) { return bundleCatalogue(b, e.Document) })
	hash, err := e.Document.Hash()
	if err != nil {
		return fail(err)
	}
	e.document = release.Digest(hash)
	if e.digest, err = b.Digest(); err != nil {
		return fail(err)
	}
	tasks, err := e.Document.Tasks()
	if err != nil {
		return fail(err)
	}
	for _, s := range b.Statements {
		for i, t := range tasks {
			if t.ID == s.Task {
				e.reports[partName(&e.Document.Parts[i])] = s.Reports
			}
		}
	}
	for _, f := range b.Figures {
		e.figures[anyRound(f.Key())] = f
	}
	return e, nil
}

// record is the entry of this release in a later bundle, turnovers aside.
func (e *Earlier) record() release.Earlier {
	return release.Earlier{Round: e.Document.ID, Document: e.document, Revision: len(e.Bundle.Revisions), Package: e.digest, Turnovers: []release.Turnover{}}
}

func partName(p *round.Part) string { return p.Instrument + "/" + p.Name }

// anyRound is a key without its round, by which figures of several rounds are compared.
func anyRound(k release.Key) release.Key {
	k.Round = ""
	return k
}

// partsByCell gives the part of each cell of a round, totals over several cells included.
func partsByCell(d *round.Document) map[release.Key]int {
	parts := map[release.Key]int{}
	for i := range d.Parts {
		p := &d.Parts[i]
		for _, c := range p.Cells {
			parts[release.Key{Instrument: p.Instrument, Metric: c.Metric, Cell: c.Code}] = i
		}
	}
	for i := range d.Parts {
		p := &d.Parts[i]
		for _, m := range p.Metrics() {
			if k := (release.Key{Instrument: p.Instrument, Metric: m, Cell: total}); p.Kind == round.KindCounts {
				parts[k] = i
			}
		}
	}
	return parts
}

// A History is what was published before, as far as the secretariat has it.
type History struct {
	Earlier []*Earlier
	// Corrected is, in a revision of a period that was released before, how many groups asked to correct their figures.
	Corrected int
}

// turnovers compares the groups behind each part with those behind the parts that counted the same in an earlier round.
func (h History) turnovers(d *round.Document, parts []partSums, e *Earlier) []release.Turnover {
	list := []release.Turnover{}
	for i := range parts {
		p := parts[i].part
		seen := map[int]bool{}
		for _, c := range p.Cells {
			j, ok := e.parts[release.Key{Instrument: p.Instrument, Metric: c.Metric, Cell: c.Code}]
			if !ok || seen[j] {
				continue
			}
			seen[j] = true
			before := &e.Document.Parts[j]
			n, published := e.reports[partName(before)]
			if !published || parts[i].refused { // nothing of it is shown then, or now
				continue
			}
			t := release.Turnover{Instrument: p.Instrument, Part: p.Name, Before: before.Name}
			then, now := sendersOf(e.Document, n, e.Members[partName(before)]), sendersOf(d, parts[i].reports, parts[i].members)
			if then != nil && now != nil {
				t.Known = true
				t.Joined, t.Left = turnover(then, now)
			}
			if samePeriod(d, e.Document) {
				t.Corrected = h.Corrected
			}
			list = append(list, t)
		}
	}
	return list
}

// sendersOf returns the sending members of each group, nil if not known. If all of a roster sent, everybody knows who did.
func sendersOf(d *round.Document, reports uint64, members []string) map[string]string {
	complete := reports == uint64(len(d.Roster))
	if !complete && uint64(len(members)) != reports {
		return nil
	}
	groups := map[string][]string{}
	for _, m := range d.Roster {
		if complete || slices.Contains(members, m.ID) {
			groups[m.Group] = append(groups[m.Group], m.ID)
		}
	}
	senders := map[string]string{}
	for g, ids := range groups {
		slices.Sort(ids)
		senders[g] = strings.Join(ids, " ")
	}
	return senders
}

// turnover counts the groups of which somebody came, and the other groups of which somebody went.
func turnover(then, now map[string]string) (joined, left int) {
	gone := func(a, b string) bool { // some member of a is not in b
		for id := range strings.FieldsSeq(a) {
			if !slices.Contains(strings.Fields(b), id) {
				return true
			}
		}
		return false
	}
	for g := range now {
		if gone(now[g], then[g]) {
			joined++
		}
	}
	for g := range then {
		if gone(then[g], now[g]) && !gone(now[g], then[g]) {
			left++
		}
	}
	return joined, left
}

// samePeriod reports whether two rounds measure days in common.
func samePeriod(a, b *round.Document) bool {
	return a.Period.First <= b.Period.Last && b.Period.First <= a.Period.Last // dates of one form sort as text
}

// records lists the earlier releases for the bundle of a round. Those of calibrations, whose figures were public before, are left out.
func (h History) records(d *round.Document, parts []partSums) ([]release.Earlier, error) {
	if d.Release.Calibration {
		return nil, nil
	}
	hash, err := d.Hash()
	if err != nil {
		return nil, err
	}
	var list []release.Earlier
	for _, e := range h.Earlier {
		if e.Document.Release.Calibration || slices.ContainsFunc(list, func(r release.Earlier) bool { return r.Package == e.digest }) {
			continue
		}
		r := e.record()
		switch same := e.document == release.Digest(hash); {
		case !same && e.Document.ID == d.ID:
			return nil, fmt.Errorf("a release of another round document with the id %s was published", d.ID)
		case !same:
			r.Turnovers = h.turnovers(d, parts, e)
		}
		list = append(list, r)
	}
	return list, nil
}

// refusal says why a correction of a released round cannot be released at all; nil if it can.
func (r Rules) refusal(d *round.Document, records []release.Earlier) error {
	if d.Supersedes == "" || d.Release.Calibration || r.off(differenceRule) {
		return nil
	}
	var errs []error
	found := false
	for _, e := range records {
		if e.Document.String() != d.Supersedes {
			continue
		}
		found = true
		for _, t := range e.Turnovers {
			c := Change{Joined: t.Joined, Left: t.Left, Corrected: t.Corrected, Unknown: !t.Known, SamePeriod: true}
			if !r.Comparable(c) {
				errs = append(errs, fmt.Errorf("%s/%s: %s", t.Instrument, t.Part, r.describe(c)))
			}
		}
	}
	if !found {
		return fmt.Errorf("it revises the released round with hash %.16s…, whose release must be compared with it and is not here", d.Supersedes)
	}
	if len(errs) > 0 {
		return fmt.Errorf("it corrects figures that are public, and the difference would show what few groups had sent: %w", errors.Join(errs...))
	}
	return nil
}
