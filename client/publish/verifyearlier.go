package publish

import (
	"errors"
	"fmt"
	"slices"

	"candor/schema/release"
)

// differences checks what the release says about those before it against those that are here, and notes for each cell what they show of it.
func (v *verifier) differences() {
	const item = "earlier releases"
	states := map[release.Key]release.Figure{}
	for _, f := range v.bundle.Figures {
		states[anyRound(f.Key())] = f
	}
	var errs []error
	rest := 0 // turnovers that rest on who sent
	for _, r := range v.bundle.Earlier {
		at := slices.IndexFunc(v.earlier, func(e *Earlier) bool { return e.digest == r.Package })
		if at < 0 {
			v.unknown(item, "round %s, revision %d, is not here: whether the figures may stand beside it was not looked at", r.Round, r.Revision)
			continue
		}
		e := v.earlier[at]
		if r.Round != e.Document.ID || r.Document != e.document || r.Revision != len(e.Bundle.Revisions) {
			errs = append(errs, fmt.Errorf("round %s, revision %d: the release with that hash is of round %s, revision %d", r.Round, r.Revision, e.Document.ID, len(e.Bundle.Revisions)))
			continue
		}
		v.compared++
		if e.document == v.hash {
			errs = append(errs, onlyLess(e.Bundle.Figures, v.bundle.Figures))
			continue
		}
		n, err := v.turnovers(e, r)
		rest += n
		errs = append(errs, err)
		v.sums.compare(v.doc, e, r, states)
	}
	for _, e := range v.earlier {
		errs = append(errs, v.unrecorded(e))
	}
	if err := v.sums.rules.refusal(v.doc, v.bundle.Earlier); err != nil {
		errs = append(errs, err)
	}
	switch err := errors.Join(errs...); {
	case err != nil || v.compared > 0:
		v.add(item, err, "%d of %d that the release names are here, and are those; who came and went fits rosters and reports", v.compared, len(v.bundle.Earlier))
	case len(v.bundle.Earlier) == 0:
		v.unknown(item, "it names none: only somebody who knows of one could say otherwise")
	}
	if rest > 0 {
		v.unknown("who came and went", "%s: not everybody on the rosters sent, and who did is not public", plural(rest, "part", "parts"))
	}
}

// turnovers checks the numbers of groups that came and went as far as rosters and reports tell; rest is how many they do not decide.
func (v *verifier) turnovers(e *Earlier, r release.Earlier) (rest int, err error) {
	want := History{}.turnovers(v.doc, v.parts, e)
	var errs []error
	if len(want) != len(r.Turnovers) {
		errs = append(errs, fmt.Errorf("round %s: it compares %d parts; the two rounds have %d in common", r.Round, len(r.Turnovers), len(want)))
	}
	for i, t := range r.Turnovers {
		if i >= len(want) || t.Instrument != want[i].Instrument || t.Part != want[i].Part || t.Before != want[i].Before {
			errs = append(errs, fmt.Errorf("round %s, %s/%s: it does not belong here", r.Round, t.Instrument, t.Part))
			continue
		}
		w := want[i]
		switch {
		case t.Corrected > 0 && !samePeriod(v.doc, e.Document):
			errs = append(errs, fmt.Errorf("round %s, %s/%s: corrections between two periods", r.Round, t.Instrument, t.Part))
		case w.Known && (!t.Known || t.Joined != w.Joined || t.Left != w.Left):
			errs = append(errs, fmt.Errorf("round %s, %s/%s: %d joined and %d left; the rosters, of which everybody sent, give %d and %d", r.Round, t.Instrument, t.Part, t.Joined, t.Left, w.Joined, w.Left))
		case !w.Known:
			rest++
		}
	}
	return rest, errors.Join(errs...)
}

// unrecorded reports an earlier release that counts the same things and that neither of the two names.
func (v *verifier) unrecorded(e *Earlier) error {
	names := func(list []release.Earlier, d release.Digest) bool {
		return slices.ContainsFunc(list, func(r release.Earlier) bool { return r.Package == d })
	}
	if e.digest == v.digest || names(v.bundle.Earlier, e.digest) || names(e.Bundle.Earlier, v.digest) || e.Document.Release.Calibration || v.doc.Release.Calibration {
		return nil
	}
	for _, f := range v.bundle.Figures {
		if g, ok := e.figures[anyRound(f.Key())]; ok && f.Status.Open() && g.Status.Open() {
			return fmt.Errorf("the release of round %s, revision %d, shows %s/%s, too, and neither of the two names the other: they were not compared", e.Document.ID, len(e.Bundle.Revisions), f.Instrument, f.Metric)
		}
	}
	return nil
}

// withheldDifference checks that a figure was withheld because of an earlier release: one of those here, or one that is not here.
func (v *verifier) withheldDifference(c Cell) (known bool, err error) {
	for _, change := range c.Since {
		// Without its number only the turnover can be judged.
		if _, ok := v.sums.rules.difference(Cell{}, change); !ok {
			return true, nil
		}
	}
	within := slices.ContainsFunc(c.Since, func(change Change) bool { return change.SamePeriod })
	if within || v.compared < len(v.bundle.Earlier) {
		return false, nil
	}
	return true, errors.New("it is withheld for its difference from an earlier release, and none that the release names says so")
}
