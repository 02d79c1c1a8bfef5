package publish

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"candor/schema/release"
)

// An approachView is one of the three ways to make live video safer, with its own figures.
type approachView struct {
	Name, Does, File string
	Cells            []approachCell // by question
}

type approachCell struct{ Label, Shown, Interval string }

// A livestreamRow is one question with the answer of each approach.
type livestreamRow struct {
	Question string
	Cells    []approachCell
}

// LivestreamRows turns the approaches into the rows of one table.
func (v siteView) LivestreamRows() []livestreamRow {
	rows := make([]livestreamRow, len(livestreamRows)+1)
	for i := range rows {
		rows[i].Question = "As a share"
		if i < len(livestreamRows) {
			rows[i].Question = livestreamRows[i].question
		}
		for _, a := range v.Livestream {
			rows[i].Cells = append(rows[i].Cells, a.Cells[i])
		}
	}
	return rows
}

// Balance says how many figures are shown.
func (v siteView) Balance() string {
	s := plural(v.Shown, "figure is shown", "figures are shown")
	switch v.NotShown {
	case 0:
		return s + "; none is withheld."
	case 1:
		return s + " and 1 is withheld, with its reason."
	}
	return s + fmt.Sprintf(" and %d are withheld, each with its reason.", v.NotShown)
}

// livestreamRows are the questions that the livestream page asks of each approach, and the metric that answers.
var livestreamRows = []struct {
	question string
	metrics  map[string]string // by instrument
}{
	{"How much is there to look at?", map[string]string{"live-design": "requests", "live-content": "sessions", "live-signal": "flagged"}},
	{"How often does it step in?", map[string]string{"live-design": "denied", "live-content": "interrupted", "live-signal": "restricted"}},
	{"How often was it right about abuse?", map[string]string{"live-content": "confirmed", "live-signal": "confirmed"}},
	{"How often was it wrong?", map[string]string{"live-content": "interrupted-wrongly", "live-signal": "rejected"}},
	{"How often did people appeal?", map[string]string{"live-design": "appealed", "live-content": "appealed", "live-signal": "appealed"}},
	{"How often was it reversed on appeal?", map[string]string{"live-design": "reversed", "live-content": "reversed", "live-signal": "reversed"}},
	{"What did it miss?", map[string]string{"live-design": "passed-then-confirmed"}},
}

// livestreamRatios are the shares that sum each approach up, by instrument.
var livestreamRatios = map[string]string{"live-design": "denial-reversal-rate", "live-content": "wrongful-interruption-rate", "live-signal": "yield"}

var approaches = []struct{ instrument, name, does string }{
	{"live-design", "Design-based", "Acts before a stream starts: who may go live, and after which steps."},
	{"live-content", "Content analysis", "Looks at picture, sound and text while a stream runs."},
	{"live-signal", "Signal-based", "Judges accounts by behaviour, without looking at what is streamed."},
}

// livestream sets the three approaches side by side, question by question. Approaches without any figure are
// shown as such: that nothing is known is a finding.
func (s Site) livestream() []approachView {
	var views []approachView
	for _, a := range approaches {
		v := approachView{Name: a.name, Does: a.does}
		for _, q := range livestreamRows {
			c := approachCell{Label: "not asked of this approach", Shown: "–", Interval: "–"}
			if id, ok := q.metrics[a.instrument]; ok {
				if m := s.Catalogue.Metric(a.instrument + "." + id); m != nil {
					c.Label = m.Name
					c.Shown, c.Interval = s.metricTotal(a.instrument, id)
				}
			}
			v.Cells = append(v.Cells, c)
		}
		v.Cells = append(v.Cells, s.approachRatio(a.instrument))
		if slices.ContainsFunc(s.Bundle.Figures, func(f release.Figure) bool { return f.Instrument == a.instrument }) {
			v.File = instrumentFile(a.instrument)
		}
		views = append(views, v)
	}
	return views
}

// approachRatio is the share that sums an approach up.
func (s Site) approachRatio(instrument string) approachCell {
	c := approachCell{Label: "no share is defined", Shown: "–", Interval: "–"}
	in := s.Catalogue.Instrument(instrument)
	if in == nil || in.Ratio(livestreamRatios[instrument]) == nil {
		return c
	}
	c.Label, c.Shown = in.Ratio(livestreamRatios[instrument]).Name, "no figure"
	rows, _ := s.ratios(in)
	for _, r := range rows {
		if r.Ratio.Ratio == livestreamRatios[instrument] && r.Cell == "" {
			c.Shown, c.Interval = r.Shown, r.Interval
		}
	}
	return c
}

// metricTotal words the metric as a whole: its total if the release has one, or else the sum of its cells if
// all of them are shown.
func (s Site) metricTotal(instrument, id string) (shownAs, interval string) {
	var sum int64
	var variance float64
	cells, open := 0, 0
	for _, f := range s.Bundle.Figures {
		if f.Instrument != instrument || f.Metric != id || strings.Contains(f.Cell, ":") {
			continue
		}
		if isTotal(f.Cell) {
			r := s.words().row(f)
			return r.Shown, r.Interval
		}
		cells++
		if f.Status.Open() {
			open++
			sum += *f.Value
			variance += f.NoiseSD * f.NoiseSD
		}
	}
	switch {
	case cells == 0:
		return "no figure", "–"
	case open < cells:
		return fmt.Sprintf("%d of %d parts withheld", cells-open, cells), "–"
	case float64(sum) < float64(s.Rules.FewSD)*math.Sqrt(variance):
		return "few", "–"
	}
	half := int64(math.Ceil(z95 * math.Sqrt(variance)))
	return formatCount(sum), formatCount(sum-half) + " to " + formatCount(sum+half)
}
