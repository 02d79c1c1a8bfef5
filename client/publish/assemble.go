package publish

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"candor/schema/metric"
	"candor/schema/release"
	"candor/schema/round"
)

// A Publication is a round that is to be released: what was collected, and the words of the secretariat.
type Publication struct {
	Signed    *round.Signed
	Catalogue *metric.Catalogue // the round's; nil in a calibration round without one
	Batches   []release.Batch   // in the order of the document's parts, checked
	Words     Words             // Format and Templates are filled in
	Licence   string            // of the data; "" = not stated

	// CodeBook explains the figures where there is no catalogue to take the words from.
	CodeBook []release.CodeBookEntry

	// Date is that of publication, like 2026-05-04. Previous is the release that this one replaces, if any;
	// What and Why then say, in a sentence each, what changed.
	Date      string
	Previous  *release.Bundle
	What, Why string

	History History // all other releases of the coalition that count the same things
}

// Assemble decides every figure and makes the bundle of a round, unsigned. A rehearsal is refused: its figures
// are made up.
func Assemble(p Publication) (release.Bundle, error) { return assembleWithout(p) }

// assembleWithout is Assemble with some rules switched off; none in use.
func assembleWithout(p Publication, off ...string) (release.Bundle, error) {
	d := p.Signed.Document
	fail := func(err error) (release.Bundle, error) {
		return release.Bundle{}, fmt.Errorf("making the release of round %s: %w", d.ID, err)
	}
	if d.Rehearsal {
		return fail(errors.New("it is a rehearsal with synthetic figures, and is never released"))
	}
	if p.Previous != nil { // its words may change, and no figure may appear
		e, err := NewEarlier(*p.Previous)
		if err != nil {
			return fail(err)
		}
		p.History.Earlier = append(slices.Clone(p.History.Earlier), e)
	}
	plan, err := planWithout(d, p.Catalogue, p.Batches, p.History, off...)
	if err != nil {
		return fail(err)
	}
	if plan.Refused != nil {
		return fail(plan.Refused)
	}
	b := release.Bundle{
		Package:  release.DataPackage{Name: "candor-" + d.ID, Title: "Industry-wide figures, " + d.Period.Label, Licence: p.Licence},
		Figures:  Figures(plan.Decisions),
		Ratios:   plan.Ratios,
		CodeBook: p.CodeBook,
		Method:   MethodNote(d),
		Round:    p.Signed.Encode(), Statements: plan.Statements, Opened: plan.Opened, Earlier: plan.Earlier,
	}
	if p.Catalogue != nil {
		b.Catalogue = p.Catalogue.Canonical()
		if b.CodeBook, err = CodeBook(p.Catalogue, b.Figures, b.Ratios); err != nil {
			return fail(err)
		}
	}
	if b.Revisions, err = revise(p, b.Figures); err != nil {
		return fail(err)
	}
	b.Package.Version = fmt.Sprint(len(b.Revisions))
	p.Words.Templates = templatesDigest
	if p.Words.Site != nil {
		site := *p.Words.Site
		if len(site.Headlines) == 0 {
			site.Headlines = headlines(p.Catalogue, b.Figures)
		}
		p.series(&site, b.Figures)
		p.Words.Site = &site
	}
	if b.Pages, err = p.Words.encode(); err != nil {
		return fail(err)
	}
	if b.Ratios == nil {
		b.Ratios = []release.Ratio{}
	}
	return b, nil
}

// revise continues the revision log, or begins it.
func revise(p Publication, figures []release.Figure) ([]release.Revision, error) {
	if p.Previous == nil {
		return []release.Revision{{Number: 1, Date: p.Date, What: "First publication.", Why: "The round was closed and collected.", Figures: []release.RevisedFigure{}}}, nil
	}
	if err := onlyLess(p.Previous.Figures, figures); err != nil {
		return nil, err
	}
	if p.What == "" || p.Why == "" {
		return nil, errors.New("it was released before: a revision says what changed and why")
	}
	log := slices.Clone(p.Previous.Revisions)
	return append(log, release.Revision{Number: len(log) + 1, Date: p.Date, What: p.What, Why: p.Why, Figures: release.Revise(p.Previous.Figures, figures)}), nil
}

// onlyLess reports figures that an earlier release of the same round did not show, or showed otherwise. One batch has one set of figures: what was
// withheld then could, with what was shown, now give away another withheld cell.
func onlyLess(before, now []release.Figure) error {
	shown := map[release.Key]*int64{}
	for _, f := range before {
		shown[f.Key()] = f.Value
	}
	var errs []error
	for _, f := range now {
		switch v := shown[f.Key()]; {
		case f.Value != nil && v == nil:
			errs = append(errs, fmt.Errorf("figure %s: the release before did not show it, and a revision of the same batch shows nothing more", f.Key()))
		case f.Value != nil && *v != *f.Value:
			errs = append(errs, fmt.Errorf("figure %s: the release before says %d, and the same batch gives %d now", f.Key(), *v, *f.Value))
		}
	}
	return errors.Join(errs...)
}

// headlines are the first totals with a number, one of each metric, and if there are none the first figures.
func headlines(c *metric.Catalogue, figures []release.Figure) []Headline {
	var list []Headline
	add := func(use func(release.Figure) bool) {
		for _, f := range figures {
			m := c.Metric(f.Instrument + "." + f.Metric)
			if m != nil && use(f) && len(list) < maxHeadlines {
				list = append(list, Headline{Key: f.Key(), Meaning: m.Definition})
			}
		}
	}
	add(func(f release.Figure) bool { return isTotal(f.Cell) && f.Status == release.Published })
	if len(list) == 0 {
		add(func(f release.Figure) bool { return true })
	}
	return list
}

// MethodNote is the method in words, in Markdown: it follows from the round document alone.
func MethodNote(d *round.Document) []byte {
	var b strings.Builder
	line := func(format string, a ...any) { fmt.Fprintf(&b, format+"\n", a...) }
	for _, s := range methodOf(d).sentences() {
		line("%s\n", s)
	}
	line("## What was counted\n")
	line("Period %s, from %s to %s; %d organisations in %d groups under one owner were asked.\n", d.Period.Label, d.Period.First, d.Period.Last, len(d.Roster), len(d.Groups()))
	line("Definitions: catalogue %s, version %s, SHA-256 %s.\n", d.Catalogue.ID, d.Catalogue.Version, d.Catalogue.Hash)
	for i := range d.Parts {
		p := &d.Parts[i]
		noise := "no noise"
		if p.Privacy.Mechanism != "none" {
			noise = fmt.Sprintf("%s noise by the %s, %s", p.Privacy.Mechanism, p.Privacy.Place, p.Privacy.Claim())
		}
		if p.Kind == round.KindCounts {
			line("- %s/%s: %d counts, each of at most %d from one organisation; %s", p.Instrument, p.Name, len(p.Cells), p.Cap, noise)
		} else {
			line("- %s/%s: %d answers and states; %s, none on the states", p.Instrument, p.Name, len(p.Cells), noise)
		}
	}
	line("\n## What was released\n")
	if d.Release.Calibration {
		line("A calibration: the figures are public already, and the release rules were not applied.")
	} else {
		line("Rules, fixed in the round document: at least %d groups, a cell at least %d; t = %d members may pool what they know; nobody's contribution may be told more closely than by p = %s; estimates under %d standard deviations of the noise are called few.",
			d.Minimum.Groups, d.Minimum.CellGroups, d.Release.Colluders, d.Release.P, d.Release.FewSD)
	}
	line("\nThe number of contributing organisations is that of groups that sent a report, and at least that many.")
	return []byte(b.String())
}
