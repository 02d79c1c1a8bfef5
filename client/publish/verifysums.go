package publish

import (
	"errors"
	"fmt"
	"slices"

	"candor/crypto/sign"
	"candor/schema/release"
	"candor/schema/round"
)

// checkStatements checks that each task of the round has both statements, or neither where the batch was too
// small, and what each says.
func (v *verifier) checkStatements() error {
	v.statements = make([][2]*release.Statement, len(v.doc.Parts))
	tasks, err := v.doc.Tasks()
	if err != nil {
		return err
	}
	var keys [2]sign.PublicKey
	for i, text := range [2]string{v.doc.Leader.Key, v.doc.Helper.Key} {
		if keys[i], err = sign.ParsePublicKey(text); err != nil {
			return err
		}
	}
	var errs []error
	for k := range v.bundle.Statements {
		s := &v.bundle.Statements[k]
		part := slices.IndexFunc(tasks, func(t *round.Task) bool { return t.ID == s.Task })
		role := slices.Index([]string{release.Leader, release.Helper}, s.Role)
		if part < 0 || role < 0 {
			errs = append(errs, fmt.Errorf("statement of the %s on task %s: the round has no such task", s.Role, s.Task))
			continue
		}
		if err := s.Verify(keys[role]); err != nil {
			errs = append(errs, err)
		}
		if s.Round != v.hash {
			errs = append(errs, fmt.Errorf("statement of the %s on task %s: it is about another round document", s.Role, s.Task))
		}
		v.statements[part][role] = &s.Statement
	}
	for i := range v.statements {
		errs = append(errs, v.checkPair(i))
	}
	return errors.Join(errs...)
}

// checkPair checks the statements on one part against each other and against the round document.
func (v *verifier) checkPair(i int) error {
	p := &v.doc.Parts[i]
	leader, helper := v.statements[i][0], v.statements[i][1]
	fail := func(format string, a ...any) error {
		return fmt.Errorf("%s/%s: %w", p.Instrument, p.Name, fmt.Errorf(format, a...))
	}
	if leader == nil && helper == nil {
		return nil // see decisions: everything of it must be withheld
	}
	if leader == nil || helper == nil {
		return fail("only one aggregator's statement is there")
	}
	errs := []error{release.Agree(*leader, *helper)}
	name, err := noiseName(p)
	switch {
	case err != nil:
		errs = append(errs, fail("%w", err))
	case leader.Noise != name:
		errs = append(errs, fail("the noise is %q; the round document asks for %q", leader.Noise, name))
	}
	if int(leader.Elements) != len(p.Cells) {
		errs = append(errs, fail("%d elements for %d cells", leader.Elements, len(p.Cells)))
	}
	if leader.Reports < v.doc.Minimum.Groups || leader.Reports > uint64(len(v.doc.Roster)) {
		errs = append(errs, fail("%d reports; the roster has %d members and the minimum is %d groups", leader.Reports, len(v.doc.Roster), v.doc.Minimum.Groups))
	}
	return errors.Join(errs...)
}

// openings checks every path.
func (v *verifier) openings() error {
	var errs []error
	for _, e := range v.bundle.Opened {
		s := v.statementOn(e)
		if s == nil {
			errs = append(errs, fmt.Errorf("element %d of the %s's share of task %s: there is no statement on it", e.Opening.Index, e.Role, e.Task))
			continue
		}
		errs = append(errs, e.Verify(*s))
	}
	return errors.Join(errs...)
}

func (v *verifier) statementOn(e release.OpenedElement) *release.Statement {
	for _, pair := range v.statements {
		for _, s := range pair {
			if s != nil && s.Role == e.Role && s.Task == e.Task {
				return s
			}
		}
	}
	return nil
}

// cells prepares what the round should release, with the sums of all opened elements.
func (v *verifier) cells() bool {
	v.parts = make([]partSums, len(v.doc.Parts))
	var errs []error
	opened := map[string]release.OpenedElement{}
	at := func(role string, s *release.Statement, i uint32) string { return fmt.Sprint(role, " ", s.Task, " ", i) }
	for _, e := range v.bundle.Opened {
		opened[fmt.Sprint(e.Role, " ", e.Task, " ", e.Opening.Index)] = e
	}
	used := 0
	for i := range v.parts {
		p := &v.doc.Parts[i]
		s := v.statements[i][0]
		v.parts[i] = partSums{part: p, refused: s == nil, sums: make([]*int64, len(p.Cells))}
		if s == nil {
			v.parts[i].reports = v.sent(p.Instrument, p.Cells[0].Metric)
			continue
		}
		v.parts[i].reports, v.parts[i].blanked = s.Reports, s.Blanked
		for k := range p.Cells {
			a, ok1 := opened[at(release.Leader, s, uint32(k))]
			b, ok2 := opened[at(release.Helper, s, uint32(k))]
			if ok1 != ok2 {
				errs = append(errs, fmt.Errorf("%s/%s, %s %s: only one aggregator's element is opened", p.Instrument, p.Name, p.Cells[k].Metric, p.Cells[k].Code))
			}
			if !ok1 || !ok2 {
				continue
			}
			used += 2
			sum, err := SumOfShares(a.Opening.Element, b.Opening.Element, s.Reports, p.Offset)
			if err != nil {
				errs = append(errs, fmt.Errorf("%s/%s, %s %s: %w", p.Instrument, p.Name, p.Cells[k].Metric, p.Cells[k].Code, err))
				continue
			}
			v.parts[i].sums[k] = &sum
		}
	}
	var err error
	v.sums, err = newRoundCells(v.doc, v.catalogue, v.parts)
	return v.add("sums", errors.Join(append(errs, err)...), "%d elements of both shares added up, offsets taken off", used)
}

// sent is how many organisations a refused part's figures say had sent; nothing public proves it.
func (v *verifier) sent(instrument, metric string) uint64 {
	for _, f := range v.bundle.Figures {
		if f.Instrument == instrument && f.Metric == metric {
			return uint64(f.Contributors)
		}
	}
	return 0
}

// figures compares every figure with what the shares give: that it is there, once, with this estimate, interval,
// noise and number of contributors.
func (v *verifier) figures() {
	want := map[release.Key]Cell{}
	for _, c := range v.sums.cells {
		want[c.Key] = c
	}
	for _, g := range v.sums.states {
		for i, f := range g.figures {
			c := Cell{Key: f.Key(), Groups: f.Contributors}
			if sum := v.parts[g.part].sums[g.elements[i]]; sum != nil {
				c.Estimate, c.Low, c.High = *sum, *sum, *sum
			}
			want[c.Key] = c
		}
	}
	var errs []error
	shown, hiddenSums := 0, 0
	for i, f := range v.bundle.Figures {
		c, ok := want[f.Key()]
		if !ok {
			errs = append(errs, fmt.Errorf("figure %s: the round asks for no such cell", f.Key()))
			continue
		}
		delete(want, f.Key())
		if i < len(v.sums.order) && v.sums.order[i] != f.Key() && len(v.sums.order) == len(v.bundle.Figures) {
			errs = append(errs, fmt.Errorf("figure %s: it stands where %s belongs", f.Key(), v.sums.order[i]))
		}
		err, rests := v.figure(f, c)
		if err != nil {
			errs = append(errs, fmt.Errorf("figure %s: %w", f.Key(), err))
		}
		if f.Status.Open() {
			shown++
		}
		if rests {
			hiddenSums++
		}
	}
	for _, k := range v.sums.order {
		if _, left := want[k]; left {
			errs = append(errs, fmt.Errorf("figure %s: it is missing; a cell that is not shown stands there with its reason", k))
		}
	}
	v.add("figures", errors.Join(errs...), "%d of %d cells of the round are shown; %d estimates, with intervals and noise, computed again", shown, len(v.sums.order), shown-hiddenSums)
	if hiddenSums > 0 {
		v.unknown("totals over hidden cells", "%s: the shares of the withheld parts are not opened, so the sum cannot be made again", plural(hiddenSums, "total", "totals"))
	}
}

// figure compares a figure with its cell. rests is true for a total over cells that are not all opened.
func (v *verifier) figure(f release.Figure, c Cell) (err error, rests bool) {
	if f.Contributors != c.Groups {
		return fmt.Errorf("%d contributors; reports and roster give %d", f.Contributors, c.Groups), false
	}
	if f.NoiseSD != c.SD {
		return fmt.Errorf("noise_sd is %s; the mechanism gives %s", formatSD(f.NoiseSD), formatSD(c.SD)), false
	}
	at, element := v.sums.places[f.Key()]
	if !f.Status.Open() {
		if element && v.parts[at.part].sums[at.element] != nil {
			return errors.New("it is not shown, and yet its shares are opened"), false
		}
		return nil, false
	}
	if element && v.parts[at.part].sums[at.element] == nil {
		return errors.New("it is shown, and the shares that it should be the sum of are not opened"), false
	}
	if !element && !v.allOpen(f.Key()) {
		wrong := *f.Value-*f.CILow != c.Estimate-c.Low || *f.CIHigh-*f.Value != c.High-c.Estimate
		return mismatch(wrong, "its interval is not as wide as the mechanism makes it"), true
	}
	if *f.Value != c.Estimate || *f.CILow != c.Low || *f.CIHigh != c.High {
		return fmt.Errorf("it says %d (%d to %d); the shares give %d (%d to %d)", *f.Value, *f.CILow, *f.CIHigh, c.Estimate, c.Low, c.High), false
	}
	return nil, false
}

// allOpen reports whether all cells that a total is the sum of are opened.
func (v *verifier) allOpen(total release.Key) bool {
	for _, r := range v.sums.relations {
		if r.Total != total || !r.Counted {
			continue
		}
		for _, k := range r.Parts {
			if at := v.sums.places[k]; v.parts[at.part].sums[at.element] == nil {
				return false
			}
		}
	}
	return true
}
