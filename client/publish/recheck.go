package publish

import (
	"errors"
	"fmt"

	"candor/schema/release"
)

// decisions applies every release rule again as far as public numbers decide it.
func (v *verifier) decisions() {
	figures := map[release.Key]release.Figure{}
	for _, f := range v.bundle.Figures {
		figures[f.Key()] = f
	}
	var errs []error
	checked := 0
	hidden := map[release.Status]int{}
	for _, c := range v.sums.cells {
		f, ok := figures[c.Key]
		if !ok {
			continue // said above
		}
		known, err := v.decision(f, c)
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("figure %s: %w", f.Key(), err))
		case known:
			checked++
		default:
			hidden[f.Status]++
		}
	}
	n, err := v.stateDecisions(figures, hidden)
	checked += n
	errs = append(errs, err, v.subtraction(figures))
	v.add("release rules", errors.Join(errs...), "%s decided again from public numbers; no hidden cell follows from shown ones by subtraction", plural(checked, "figure", "figures"))
	for _, s := range release.Statuses() {
		if hidden[s] > 0 {
			v.unknown("status "+string(s), "%s: whether it was right rests on values that are hidden", plural(hidden[s], "figure", "figures"))
		}
	}
}

// decision checks the status of one figure. It is not known if the status rests on a hidden value.
func (v *verifier) decision(f release.Figure, c Cell) (known bool, err error) {
	must := func(s release.Status) (bool, error) {
		return true, mismatch(f.Status != s, "it is %s; it must be %s", f.Status, s)
	}
	rules := v.sums.rules
	// Decide's order: the first rule that applies decides.
	switch {
	case c.Groups < rules.Minimum:
		return must(release.WithheldMinimum)
	case c.Blanked:
		return must(release.WithheldBlanked)
	}
	switch f.Status {
	case release.WithheldMinimum, release.WithheldBlanked, release.NotCollected:
		return true, fmt.Errorf("it is %s, and the statements say otherwise", f.Status)
	case release.WithheldCertificate:
		if c.Certificate == nil || rules.Waived[c.Instrument+"."+c.Metric] {
			return true, fmt.Errorf("it is %s, and no certificate is asked of it", f.Status)
		}
		return false, nil
	case release.WithheldBands:
		if c.Band == nil {
			return true, errors.New("only bands of magnitudes are withheld for that")
		}
		return false, nil
	case release.WithheldComplementary, release.WithheldDifference:
		if v.doc.Release.Calibration {
			return true, fmt.Errorf("it is %s in a calibration, where no such rule applies", f.Status)
		}
		if f.Status == release.WithheldDifference {
			return v.withheldDifference(c)
		}
		return false, nil
	case release.Coarsened:
		return true, errors.New("only states of availability are coarsened")
	}
	if c.Certificate != nil && !rules.Waived[c.Instrument+"."+c.Metric] {
		k := *c.Certificate
		k.Estimate = *f.Value // of a total over hidden cells the shares say nothing
		if !k.Holds() {
			return true, fmt.Errorf("it is shown, and its certificate does not hold: %s", k)
		}
	}
	c.Estimate = *f.Value
	for _, change := range c.Since {
		if why, ok := rules.difference(c, change); !ok {
			return true, fmt.Errorf("it is shown, and must not stand beside an earlier release: %s", why)
		}
	}
	want := release.Published
	if rules.isFew(f) && !v.doc.Release.Calibration {
		want = release.Few
	}
	return must(want)
}

// stateDecisions checks the states of each metric: all as the rule says if all are shown, and otherwise that
// bounds are such as the rule gives.
func (v *verifier) stateDecisions(figures map[release.Key]release.Figure, hidden map[release.Status]int) (checked int, err error) {
	var errs []error
	for _, g := range v.sums.states {
		p := v.parts[g.part]
		counts, all := make([]int64, len(g.figures)), true
		for i, e := range g.elements {
			if p.sums[e] == nil {
				all = false
			} else {
				counts[i] = *p.sums[e]
			}
		}
		decided := CoarsenStates(g.figures, counts)
		for i, f := range g.figures {
			got, ok := figures[f.Key()]
			if !ok {
				continue
			}
			fail := func(format string, a ...any) {
				errs = append(errs, fmt.Errorf("figure %s: %w", f.Key(), fmt.Errorf(format, a...)))
			}
			switch {
			case p.refused && got.Status != release.WithheldMinimum:
				fail("it is %s; it must be %s", got.Status, release.WithheldMinimum)
			case p.refused:
				checked++
			case all && got.Status != decided[i].Status:
				fail("it is %s; it must be %s", got.Status, decided[i].Status)
			case got.Status == release.Published && counts[i] < coarseBelow:
				fail("it shows %d, which must be coarsened", counts[i])
			case got.Status != release.Published && got.Status != release.Coarsened:
				fail("it is %s; a state is shown or bounded", got.Status)
			case got.Status == release.Coarsened && (*got.CILow < 0 || *got.CIHigh > int64(p.reports)):
				fail("its bounds are %d to %d; there were %d reports", *got.CILow, *got.CIHigh, p.reports)
			case got.Status == release.Coarsened:
				hidden[release.Coarsened]++
			default:
				checked++
			}
		}
	}
	return checked, errors.Join(errs...)
}

// subtraction checks that no hidden cell can be had from shown ones: alone by linear algebra, and the sum of the
// hidden parts of a shown total, which a reader can compute, by the rules for any total.
func (v *verifier) subtraction(figures map[release.Key]release.Figure) error {
	open := func(k release.Key) bool { return figures[k].Status.Open() }
	var errs []error
	for _, k := range exposed(v.sums.relations, open) {
		errs = append(errs, fmt.Errorf("figure %s: it is not shown, and follows from others that are", k))
	}
	cells := map[release.Key]Cell{}
	for _, c := range v.sums.cells {
		cells[c.Key] = c
	}
	for _, r := range v.sums.relations {
		rest, all := int64(0), true
		for _, k := range append([]release.Key{r.Total}, r.With...) {
			if all = all && open(k); all {
				rest += *figures[k].Value
			}
		}
		if !all {
			continue
		}
		shown := 0
		var hidden []release.Key
		var merged *Certificate
		for _, k := range r.Parts {
			if open(k) {
				rest -= *figures[k].Value
				shown++
				continue
			}
			hidden = append(hidden, k)
			if k := cells[k].Certificate; k != nil && merged == nil {
				merged = k
			} else if k != nil {
				m := merged.merge(*k)
				merged = &m
			}
		}
		if len(hidden) == 0 || !r.Counted && shown == 0 {
			continue
		}
		if len(hidden) == 1 {
			errs = append(errs, fmt.Errorf("figure %s: %s and all that makes up the rest of it are shown", hidden[0], r.Total))
		}
		if merged != nil {
			m := *merged
			m.Estimate = rest
			if !m.Holds() {
				errs = append(errs, fmt.Errorf("figure %s: it leaves %d for the parts that are not shown, whose certificate does not hold: %s", r.Total, rest, m))
			}
		}
	}
	return errors.Join(append(errs, v.bandsBeside(figures))...)
}

// bandsBeside checks that no bands stand beside a total which, with them, tells where in its band a member lies.
func (v *verifier) bandsBeside(figures map[release.Key]release.Figure) error {
	bands := map[release.Key][]Cell{}
	totals := map[release.Key]Certificate{}
	for _, c := range v.sums.cells {
		f := figures[c.Key]
		k := c.Key
		k.Cell = total
		switch {
		case !f.Status.Open():
		case c.Band != nil:
			c.Estimate = *f.Value
			bands[k] = append(bands[k], c)
		case c.Key == k && c.Certificate != nil:
			m := *c.Certificate
			m.Estimate = *f.Value
			totals[k] = m
		}
	}
	var errs []error
	for _, k := range v.sums.order {
		k.Cell = total
		t, shown := totals[k]
		if len(bands[k]) == 0 || !shown {
			continue
		}
		if why, ok := v.sums.rules.hiddenInBands(t, bands[k]); !ok {
			errs = append(errs, fmt.Errorf("figure %s: it is shown beside its bands: %s", k, why))
		}
		delete(bands, k) // once
	}
	return errors.Join(errs...)
}
