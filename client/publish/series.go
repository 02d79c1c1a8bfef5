package publish

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"candor/schema/metric"
	"candor/schema/release"
	"candor/schema/round"
)

// An issue is one release in a series: an earlier one, or the one that is being made.
type issue struct {
	document  *round.Document
	catalogue *metric.Catalogue
	figures   map[release.Key]release.Figure // keyed without round
	senders   func(p *round.Part) map[string]string
}

// issues are the earlier releases whose catalogue is known, in the order of their periods. Of a period that was corrected the correction counts, and of
// several revisions the last.
func (h History) issues() []issue {
	var list []issue
	superseded := map[string]bool{}
	latest := map[release.Digest]*Earlier{}
	for _, e := range h.Earlier {
		superseded[e.Document.Supersedes] = true
		if l := latest[e.document]; l == nil || len(l.Bundle.Revisions) < len(e.Bundle.Revisions) {
			latest[e.document] = e
		}
	}
	for _, e := range h.Earlier {
		c, err := e.catalogue()
		if err != nil || latest[e.document] != e || superseded[e.document.String()] {
			continue
		}
		list = append(list, issue{e.Document, c, e.figures, func(p *round.Part) map[string]string {
			name := partName(p)
			return sendersOf(e.Document, e.reports[name], e.Members[name])
		}})
	}
	slices.SortStableFunc(list, func(a, b issue) int { return strings.Compare(a.document.Period.First, b.document.Period.First) })
	return list
}

// current is the release that is being made.
func (p Publication) current(figures []release.Figure) issue {
	d := p.Signed.Document
	i := issue{d, p.Catalogue, map[release.Key]release.Figure{}, func(part *round.Part) map[string]string {
		for i := range d.Parts {
			if &d.Parts[i] == part && i < len(p.Batches) {
				return sendersOf(d, p.Batches[i].Reports, p.Batches[i].Members)
			}
		}
		return nil
	}}
	for _, f := range figures {
		i.figures[anyRound(f.Key())] = f
	}
	return i
}

// seriesOf follows a figure, keyed without round, through releases. It is not ok for fewer than two points. The words are those of the last release that has it.
func seriesOf(issues []issue, k release.Key) (s Series, ok bool) {
	var before *issue
	for i := range issues {
		at := &issues[i]
		f, there := at.figures[k]
		m := at.catalogue.Metric(k.Instrument + "." + k.Metric)
		if !there || m == nil {
			continue
		}
		s.Title, s.Unit = m.Name, m.Unit
		if !isTotal(k.Cell) {
			s.Title += ": " + cellLabel(at.catalogue, m, k.Cell)
		}
		p := Point{Period: at.document.Period.Label, Figure: f}
		if before != nil {
			p.Joined, p.Left, p.Break = since(before, at, k)
		}
		s.Points = append(s.Points, p)
		before = at
	}
	return s, len(s.Points) > 1
}

// since says who came and went between two releases of a figure, and what makes them incomparable beside that.
func since(before, at *issue, k release.Key) (joined, left int, why string) {
	was, is := partOf(before.document, k), partOf(at.document, k)
	if was == nil || is == nil {
		return 0, 0, "it is counted in another way"
	}
	old, m := before.catalogue.Metric(k.Instrument+"."+k.Metric), at.catalogue.Metric(k.Instrument+"."+k.Metric)
	var breaks []string
	switch {
	case old.Definition != m.Definition:
		breaks = append(breaks, "definition changed")
	case old.Unit != m.Unit || before.catalogue.Instrument(k.Instrument).Basis != at.catalogue.Instrument(k.Instrument).Basis:
		breaks = append(breaks, "counting changed")
	}
	if was.Cap != is.Cap {
		breaks = append(breaks, fmt.Sprintf("cap changed from %s to %s", formatCount(int64(was.Cap)), formatCount(int64(is.Cap))))
	}
	last, err1 := time.Parse(time.DateOnly, before.document.Period.Last)
	first, err2 := time.Parse(time.DateOnly, at.document.Period.First)
	if err1 == nil && err2 == nil && first.After(last.AddDate(0, 0, 1)) {
		breaks = append(breaks, "no round in between")
	}
	then, now := before.senders(was), at.senders(is)
	if then == nil || now == nil {
		breaks = append(breaks, "it is not known who sent figures")
	} else {
		joined, left = turnover(then, now)
	}
	return joined, left, strings.Join(breaks, ", ")
}

func partOf(d *round.Document, k release.Key) *round.Part {
	if i, ok := partsByCell(d)[k]; ok {
		return &d.Parts[i]
	}
	return nil
}

// series follows the headline figures, and the calibration's total, through all releases.
func (p Publication) series(site *SiteWords, figures []release.Figure) {
	issues := append(p.History.issues(), p.current(figures))
	if site.Series == nil {
		for _, h := range site.Headlines {
			if s, ok := seriesOf(issues, anyRound(h.Key)); ok && !h.Ratio {
				site.Series = append(site.Series, s)
			}
		}
	}
	if c := site.Calibration; c != nil && c.Series == nil {
		for _, f := range append(slices.Clone(figures), lastFigures(c)...) {
			if s, ok := seriesOf(issues, anyRound(f.Key())); ok && isTotal(f.Cell) && slices.ContainsFunc(c.Years, func(y CalibrationYear) bool { return y.Round == f.Round }) {
				with := *c
				with.Series = &s
				site.Calibration = &with
				return
			}
		}
	}
}

func lastFigures(c *Calibration) []release.Figure {
	if len(c.Years) == 0 {
		return nil
	}
	return c.Years[len(c.Years)-1].Figures
}
