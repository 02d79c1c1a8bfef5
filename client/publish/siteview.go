package publish

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"

	"candor/schema/metric"
	"candor/schema/release"
)

type instrumentView struct {
	*metric.Instrument
	File, Basis, Every string
	Metrics            []metricView
	Ratios             []ratioRow
	RatioChart         *chart
	Figures, Hidden    int
}

type metricView struct {
	*metric.Metric
	Table tableView
	Chart *chart
	Bands *tableView // members by magnitude
	State string     // "30 of 45 members measured this, 5 estimated it …"
	Why   []reason   // of each status that hides a number here

	States    *tableView // the same as State, as figures
	WhyStates []reason
}

type tableView struct {
	ID, Caption string
	Rows        []row
}

type reason struct{ Labels, Reason string }

type ratioRow struct {
	release.Ratio
	Label, Shown, Interval, Counts, Why string
}

type cardView struct {
	Label, Shown, Unit, Detail, Coverage, Why, Meaning, Link string
}

// view prepares the site for its templates.
func (s Site) view(names []string) siteView {
	v := siteView{Site: s, Overdue: s.MethodReview < s.Today}
	for _, f := range s.Bundle.Figures {
		if f.Status.Open() || f.Status == release.Coarsened {
			v.Shown++
		} else {
			v.NotShown++
		}
	}
	for i := range s.Catalogue.Instruments {
		if in, ok := s.instrument(&s.Catalogue.Instruments[i]); ok {
			v.Instruments = append(v.Instruments, in)
		}
	}
	for _, h := range s.Headlines {
		v.Cards = append(v.Cards, s.card(h))
	}
	v.Livestream = s.livestream()
	v.Known = s.calibration()
	for i, series := range s.Series {
		v.Charts = append(v.Charts, s.seriesView(i, series))
	}
	for _, name := range names {
		v.Downloads = append(v.Downloads, download{dataDir + name, name, fileWords(name)})
	}
	for _, p := range v.pages() {
		if p.Nav != "" {
			v.Nav = append(v.Nav, p)
		}
	}
	return v
}

// words lets the site use the rows of single-page releases.
func (s Site) words() Release { return Release{Method: s.Method} }

// row words a figure below its metric's heading.
func (s Site) row(f release.Figure, m *metric.Metric, index int) row {
	w := s.words().row(f)
	w.Index, w.Label = index, cellLabel(s.Catalogue, m, f.Cell)
	return w
}

// instrument collects the figures of an instrument; it is not ok if there are none.
func (s Site) instrument(in *metric.Instrument) (instrumentView, bool) {
	v := instrumentView{Instrument: in, File: instrumentFile(in.ID), Every: string(in.Period)}
	for _, b := range s.Catalogue.Bases {
		if b.ID == in.Basis {
			v.Basis = b.Definition
		}
	}
	index := 0
	for i := range in.Metrics {
		m := metricView{Metric: &in.Metrics[i]}
		m.Table = tableView{ID: "table-" + m.ID, Caption: m.Name + ", " + m.Unit}
		bands := tableView{ID: "bands-" + m.ID, Caption: m.Name + ": how many members are in each band"}
		stateTable := tableView{ID: "states-" + m.ID, Caption: m.Name + ": how many members measure, estimate or do not count it"}
		states := map[string]release.Figure{}
		for _, f := range s.Bundle.Figures {
			if f.Instrument != in.ID || f.Metric != m.ID {
				continue
			}
			index++
			v.Figures++
			if f.Status.Withheld() {
				v.Hidden++
			}
			r := s.row(f, m.Metric, index)
			switch {
			case strings.HasPrefix(f.Cell, stateColumn):
				states[strings.TrimPrefix(f.Cell, stateColumn)] = f
				stateTable.Rows = append(stateTable.Rows, r)
			case strings.HasPrefix(f.Cell, magnitudeColumn):
				bands.Rows = append(bands.Rows, r)
			default:
				m.Table.Rows = append(m.Table.Rows, r)
			}
		}
		if len(m.Table.Rows) == 0 && len(bands.Rows) == 0 && len(stateTable.Rows) == 0 {
			continue
		}
		for i := range m.Table.Rows {
			if r := &m.Table.Rows[i]; len(m.Table.Rows) > 1 && isTotal(r.Cell) {
				r.Label = "Total"
			}
		}
		m.Chart = s.metricChart(m)
		m.State = s.stateSentence(states)
		m.Why = reasons(append(slices.Clone(m.Table.Rows), bands.Rows...))
		if len(bands.Rows) > 0 {
			m.Bands = &bands
		}
		if len(stateTable.Rows) > 0 {
			m.States, m.WhyStates = &stateTable, reasons(stateTable.Rows)
		}
		v.Metrics = append(v.Metrics, m)
	}
	v.Ratios, v.RatioChart = s.ratios(in)
	return v, len(v.Metrics) > 0
}

func instrumentFile(id string) string { return "instrument-" + id + ".html" }

// metricChart draws the values of a metric: several on one scale, a single one with its interval wide enough to be seen.
func (s Site) metricChart(m metricView) *chart {
	var rows []chartRow
	drawn := 0
	for _, r := range m.Table.Rows {
		if len(m.Table.Rows) > 1 && isTotal(r.Cell) {
			continue // it would press the others to one side
		}
		c := chartRow{Label: r.Label, Note: r.Shown}
		if r.Status == release.Published {
			c.Value, c.Low, c.High = r.Value, r.CILow, r.CIHigh
			drawn++
		}
		rows = append(rows, c)
	}
	if drawn == 0 {
		return nil
	}
	id := "chart-" + m.ID
	if f := m.Table.Rows[0].Figure; len(rows) == 1 && *f.CILow < *f.CIHigh {
		c := zoomChart(id, m.Name, f, nil)
		return &c
	}
	c := rowsChart(rowsSpec{ID: id, Title: m.Name + " with 95 % intervals", Caption: figuresCaption, Zero: "0"}, rows)
	return &c
}

// stateSentence says how many members measured, estimated, did not measure a metric, or need not.
func (s Site) stateSentence(states map[string]release.Figure) string {
	words := map[string]string{
		string(metric.Measured): "measured it", string(metric.Estimated): "estimated it",
		string(metric.NotMeasured): "do not measure it", string(metric.NotApplicable): "say that it does not apply to them",
	}
	var parts []string
	for _, state := range metric.States() {
		f, ok := states[string(state)]
		if !ok {
			continue
		}
		n := shown(f)
		if f.Status == release.Published {
			n = formatCount(*f.Value)
		}
		parts = append(parts, n+" "+words[string(state)])
	}
	if len(parts) == 0 {
		return ""
	}
	return "Of the members, " + strings.Join(parts, ", ") + "."
}

// reasons lists each reason once, with the rows that it is for.
func reasons(rows []row) []reason {
	var list []reason
	for _, r := range rows {
		if r.Why == "" {
			continue
		}
		i := slices.IndexFunc(list, func(x reason) bool { return x.Reason == r.Why })
		if i < 0 {
			list = append(list, reason{r.Label, r.Why})
		} else {
			list[i].Labels += ", " + r.Label
		}
	}
	return list
}

func (s Site) ratios(in *metric.Instrument) ([]ratioRow, *chart) {
	var rows []ratioRow
	var drawn []chartRow
	numbers := 0
	for _, r := range s.Bundle.Ratios {
		q := in.Ratio(r.Ratio)
		if r.Instrument != in.ID || q == nil {
			continue
		}
		w := ratioRow{Ratio: r, Label: q.Name, Shown: "withheld", Interval: "–", Counts: "–", Why: r.Status.Reason()}
		if r.Cell != "" {
			w.Label += ": " + spell(r.Cell)
		}
		c := chartRow{Label: w.Label, Note: w.Shown}
		if r.Status == release.Published {
			w.Shown, w.Why = formatShare(*r.Value), ""
			w.Interval = formatShares(*r.CILow, *r.CIHigh)
			w.Counts = formatCount(*r.Numerator) + " of " + formatCount(*r.Denominator)
			value, low, high := int64(*r.Value), int64(*r.CILow), int64(*r.CIHigh)
			c.Note, c.Value, c.Low, c.High = w.Shown, &value, &low, &high
			numbers++
		}
		rows, drawn = append(rows, w), append(drawn, c)
	}
	if numbers == 0 {
		return rows, nil
	}
	c := rowsChart(rowsSpec{
		ID: "chart-ratios", Title: "Ratios with 95 % intervals", Zero: "0 %", High: float64(release.One),
		Caption: "Dots are estimates, bars their 95 % intervals; the scale runs from 0 to 100 %.",
		Format:  func(v int64) string { return formatShare(release.Share(v)) },
	}, drawn)
	return rows, &c
}

// card words a headline.
func (s Site) card(h Headline) cardView {
	c := cardView{Meaning: h.Meaning, Link: instrumentFile(h.Key.Instrument)}
	if h.Ratio {
		rows, _ := s.ratios(s.Catalogue.Instrument(h.Key.Instrument))
		for _, r := range rows {
			if r.Key() == h.Key {
				c.Label, c.Shown, c.Why = r.Label, r.Shown, r.Why
				if r.Status == release.Published {
					c.Detail = "95 % interval: " + r.Interval + ". That is " + r.Counts + "."
				}
			}
		}
		return c
	}
	m := s.Catalogue.Metric(h.Key.Instrument + "." + h.Key.Metric)
	for _, f := range s.Bundle.Figures {
		if f.Key() != h.Key {
			continue
		}
		r := s.row(f, m, 0)
		c.Label, c.Shown, c.Why = m.Name, r.Shown, r.Why
		if !isTotal(f.Cell) {
			c.Label += ": " + r.Label
		}
		c.Coverage = s.coverage(h.Key, strings.Replace(r.Coverage, "organisation", "member", 1)+" contributed.")
		if f.Status == release.Published {
			c.Unit = m.Unit
			if r.Rounded != "" {
				c.Detail = "That is " + r.Rounded + ". "
			}
			c.Detail += "95 % interval: " + r.Interval + "."
		}
	}
	return c
}

// coverage says how many members measure or estimate a metric, if the states of availability tell: more than that they sent something.
func (s Site) coverage(k release.Key, otherwise string) string {
	var low, high int64 // of members that have a number
	var restLow, restHigh, all int64
	for _, f := range s.Bundle.Figures {
		state, ok := strings.CutPrefix(f.Cell, stateColumn)
		if !ok || f.Round != k.Round || f.Instrument != k.Instrument || f.Metric != k.Metric {
			continue
		}
		if f.CILow == nil || f.CIHigh == nil {
			return otherwise
		}
		all = int64(f.Contributors)
		if metric.State(state).Contributes() {
			low, high = low+*f.CILow, high+*f.CIHigh
		} else {
			restLow, restHigh = restLow+*f.CILow, restHigh+*f.CIHigh
		}
	}
	// Each member that sent has one state: what is said of the others bounds the rest.
	low, high = max(low, all-restHigh), min(high, all-restLow)
	if low <= 0 || high < low {
		return otherwise
	}
	have := formatCount(low)
	if low < high {
		have += " to " + formatCount(high)
	}
	return fmt.Sprintf("%s of %s measured or estimated this.", have, plural(max(s.Method.Members, int(all)), "member", "members"))
}

type seriesView struct {
	Series
	ID    string
	Chart chart
	Rows  []seriesRow
}

type seriesRow struct{ Period, Shown, Interval, Change string }

func (s Site) seriesView(i int, series Series) seriesView {
	v := seriesView{Series: series, ID: fmt.Sprintf("series-%d", i+1)}
	v.Chart = timeChart("chart-"+v.ID, series, s.Rules)
	for i, p := range series.Points {
		r := s.words().row(p.Figure)
		w := seriesRow{Period: p.Period, Shown: r.Shown, Interval: r.Interval, Change: "–"}
		if joined, why := series.joined(i, s.Rules); why != "" {
			w.Change = why
		} else if joined {
			before := series.Points[i-1].Figure
			sd := hypot(p.Figure.NoiseSD, before.NoiseSD)
			w.Change = formatSigned(*p.Figure.Value - *before.Value)
			if math.Abs(float64(*p.Figure.Value-*before.Value)) < z95*sd {
				w.Change += " (within the noise)"
			}
		}
		v.Rows = append(v.Rows, w)
	}
	return v
}

type download struct{ Path, Name, What string }

func fileWords(name string) string {
	for _, w := range [...]struct{ name, what string }{
		{"figures.csv", "all figures as a table"}, {"figures.json", "the same for programs"},
		{"ratios.csv", "all ratios as a table"}, {"ratios.json", "the same for programs"},
		{"codebook.csv", "what every figure and ratio counts"}, {"revisions.json", "what was changed since the first publication"},
		{"method.md", "the method note"}, {"round.json", "the signed round document: who, what, and by which rules"},
		{"statements.json", "what each server says, signed, about its sums"}, {"openings.json", "the servers’ shares of the published figures"},
		{"catalogue.json", "the definitions by which members counted"}, {"earlier.json", "which releases these figures were compared with"},
		{"pages.json", "the words of these pages that no figure gives"},
		{release.DataPackageName, "describes the files above, with their hashes (Frictionless Data Package)"},
		{release.SignaturesName, "signatures of the secretariat"},
	} {
		if w.name == name {
			return w.what
		}
	}
	return "part of the release"
}

// Sentences explain the computation.
func (v siteView) Sentences() []string { return v.Method.sentences() }

// CapText is the cap for people.
func (v siteView) CapText() string { return formatCount(v.Method.Cap) }

// PercentP is p as a percentage.
func (v siteView) PercentP() string { return percentP(v.Rules.P) }

func percentP(rational *big.Rat) string {
	p, _ := rational.Float64()
	return strings.TrimSuffix(fmt.Sprintf("%.1f", 100*p), ".0") + " %"
}

// MinimumGroups is the number of organisations that must contribute.
func (m Method) MinimumGroups() int { return m.minimum() }

// Text is ε in decimals where that is exact enough to read.
func (b Budget) Text() string {
	if b.Epsilon == nil {
		return "not stated"
	}
	if b.Epsilon.IsInt() {
		return b.Epsilon.Num().String()
	}
	return b.Epsilon.RatString() + " ≈ " + b.Epsilon.FloatString(2)
}

type revisionView struct {
	release.Revision
	Rows []revisedRow
}

type revisedRow struct{ Figure, Before, After string }

// Log is the revision log, the latest entry first.
func (v siteView) Log() []revisionView {
	var log []revisionView
	for _, r := range v.Bundle.Revisions {
		w := revisionView{Revision: r}
		for _, f := range r.Figures {
			label := f.Key().String()
			if m := v.Catalogue.Metric(f.Instrument + "." + f.Metric); m != nil {
				label = m.Name
				if !isTotal(f.Cell) {
					label += ": " + cellLabel(v.Catalogue, m, f.Cell)
				}
				label += " (" + f.Round + ")"
			}
			w.Rows = append(w.Rows, revisedRow{label, formatOptional(f.Before), formatOptional(f.After)})
		}
		log = append(log, w)
	}
	slices.Reverse(log)
	return log
}

func formatOptional(v *int64) string {
	if v == nil {
		return "not shown"
	}
	return formatCount(*v)
}
