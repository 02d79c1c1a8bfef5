package publish

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"strings"

	"candor/schema/release"
)

//go:embed templates/style.css
var style string

//go:embed templates/*.html
var templateFiles embed.FS

var templates = template.Must(template.New("").Funcs(template.FuncMap{
	"style": func() template.CSS { return template.CSS(style) },
	"csp":   contentSecurityPolicy,
}).ParseFS(templateFiles, "templates/*.html"))

// contentSecurityPolicy allows the page its own style and an empty icon, and nothing else: no script, no frame,
// no form, no request.
func contentSecurityPolicy() template.HTMLAttr {
	sum := sha256.Sum256([]byte(style))
	return template.HTMLAttr(`content="default-src 'none'; style-src 'sha256-` +
		base64.StdEncoding.EncodeToString(sum[:]) + `'; img-src data:; base-uri 'none'; form-action 'none'"`)
}

// maxHeadlines is how many figures are set large on a page.
const maxHeadlines = 6

type page struct {
	Release
	Cards     []row // at most maxHeadlines; none where there are more figures
	Rows      []row
	Charts    []chart
	Compared  []comparison
	Inside    int
	Withheld  int
	Few       int
	Sentences []string
	HasUnits  bool
}

// CapText is the cap for people.
func (p page) CapText() string { return formatCount(p.Method.Cap) }

// Table is the table of all figures.
func (p page) Table() tableView {
	return tableView{ID: "figures-caption", Caption: "All figures of this page, as in the data files", Rows: p.Rows}
}

// total is how round documents call the cell of a metric without a breakdown.
const total = "total"

// A row is a figure in words.
type row struct {
	release.Figure
	Index                int // from 1, in the order of the page
	Label, Unit, Meaning string
	Shown                string // the estimate, "few" or "withheld"
	Interval             string // "a to b" or "–"
	Rounded              string // "about 35.9 million", or "" where Shown says no less
	SD                   string
	Coverage             string // "247 organisations", "40 of 45 organisations"
	Why                  string // why there is no number; "" where there is one
}

type comparison struct {
	Label, Truth, Estimate, Interval, Difference string
	Inside                                       bool
}

func (r Release) metric(f release.Figure) Metric {
	for _, m := range r.Metrics {
		if m.ID == f.Metric && (m.Instrument == f.Instrument || m.Instrument == "") {
			return m
		}
	}
	return Metric{}
}

// row words a figure.
func (r Release) row(f release.Figure) row {
	m := r.metric(f)
	w := row{Figure: f, Label: m.Label, Unit: m.Unit, Meaning: m.Meaning, Interval: "–", SD: formatSD(f.NoiseSD)}
	if w.Label == "" {
		w.Label = spell(f.Metric)
	}
	if f.Cell != "" && f.Cell != total {
		w.Label += ": " + f.Cell
	}
	if r.Method.Members > 0 {
		w.Coverage = fmt.Sprintf("%s of %s", formatCount(int64(f.Contributors)), plural(r.Method.Members, "organisation", "organisations"))
	} else {
		w.Coverage = plural(f.Contributors, "organisation", "organisations")
	}
	switch {
	case f.Status == release.Published:
		w.Shown = formatCount(*f.Value)
		w.Interval = "exact"
		if *f.CILow < *f.CIHigh {
			w.Interval = formatCount(*f.CILow) + " to " + formatCount(*f.CIHigh)
		}
		if about := formatRounded(*f.Value); about != w.Shown {
			w.Rounded = about
		}
	case f.Status == release.Few:
		w.Shown, w.Why = "few", f.Status.Reason()
	case f.Status == release.Coarsened:
		w.Shown = formatCount(*f.CILow) + " to " + formatCount(*f.CIHigh)
		w.Why = f.Status.Reason()
	case f.Status == release.NotCollected:
		w.Shown, w.Why = "not collected", f.Status.Reason()
	default:
		w.Shown, w.Why = "withheld", f.Status.Reason()
		if f.Status == release.WithheldMinimum && f.Contributors < r.Method.minimum() {
			w.Why += fmt.Sprintf(" Here %s contributed and the minimum is %d.",
				plural(f.Contributors, "organisation", "organisations"), r.Method.minimum())
		}
	}
	return w
}

// spell turns an identifier into words.
func spell(id string) string {
	s := strings.NewReplacer("_", " ", "-", " ").Replace(id)
	return strings.ToUpper(s[:1]) + s[1:]
}

func (r Release) page() page {
	p := page{Release: r, Sentences: r.Method.sentences()}
	for i, f := range r.Figures {
		w := r.row(f)
		w.Index = i + 1
		p.Rows = append(p.Rows, w)
		p.HasUnits = p.HasUnits || w.Unit != ""
		switch {
		case f.Status.Withheld():
			p.Withheld++
		case f.Status == release.Few:
			p.Few++
		}
		if truth, ok := r.Truth[f.Key()]; ok && f.Status.Open() {
			c := comparison{
				Label: w.Label, Truth: formatCount(truth), Estimate: formatCount(*f.Value),
				Interval:   formatCount(*f.CILow) + " to " + formatCount(*f.CIHigh),
				Difference: formatSigned(*f.Value - truth),
				Inside:     *f.CILow <= truth && truth <= *f.CIHigh,
			}
			if c.Inside {
				p.Inside++
			}
			p.Compared = append(p.Compared, c)
		}
	}
	if len(p.Rows) <= maxHeadlines {
		p.Cards = p.Rows
	}
	p.Charts = r.charts(p.Rows)
	return p
}

// charts draws a single figure large, several on one scale, and in a calibration several against their
// published totals, where the intervals are wide enough to be seen.
func (r Release) charts(rows []row) []chart {
	var all, against []chartRow
	for _, w := range rows {
		c := chartRow{Label: w.Label, Note: w.Shown}
		if w.Status == release.Published {
			c.Value, c.Low, c.High = w.Value, w.CILow, w.CIHigh
			if truth, ok := r.Truth[w.Key()]; ok {
				d, low, high := *w.Value-truth, *w.CILow-truth, *w.CIHigh-truth
				against = append(against, chartRow{Label: w.Label, Note: formatSigned(d), Value: &d, Low: &low, High: &high})
			}
		}
		all = append(all, c)
	}
	if len(all) == 1 {
		if all[0].Value == nil {
			return nil
		}
		var truth *int64
		if v, ok := r.Truth[rows[0].Key()]; ok {
			truth = &v
		}
		return []chart{zoomChart("chart-figure", rows[0].Label, rows[0].Figure, truth)}
	}
	drawn := 0
	for _, c := range all {
		if c.Value != nil {
			drawn++
		}
	}
	var charts []chart
	if drawn > 0 {
		charts = append(charts, rowsChart(rowsSpec{
			ID: "chart-figures", Title: "All figures with their 95 % intervals", Zero: "0", Caption: figuresCaption,
		}, all))
	}
	if len(against) > 0 {
		// A total far outside would press all other intervals flat.
		var widest int64
		for _, c := range against {
			widest = max(widest, *c.High-*c.Low)
		}
		charts = append(charts, rowsChart(rowsSpec{
			ID: "chart-difference", Title: "How far each figure is from the published total", Zero: "published total",
			Caption: "Dots are estimate minus published total, bars the 95 % interval. A bar that crosses the line holds the published total.",
			Limit:   2 * float64(max(widest, 1)),
		}, against))
	}
	return charts
}

const figuresCaption = "Dots are estimates, bars their 95 % intervals, all on one scale. Where the interval is narrower than the dot, the table has its bounds."

// Render returns the files of the release by name: figures.csv, figures.json and index.html. The same release
// always gives the same bytes.
func Render(r Release) (map[string][]byte, error) {
	if err := r.Check(); err != nil {
		return nil, fmt.Errorf("rendering release: %w", err)
	}
	csv, err := release.EncodeCSV(r.Figures)
	if err != nil {
		return nil, fmt.Errorf("rendering release: %w", err)
	}
	json, err := release.EncodeJSON(r.Figures)
	if err != nil {
		return nil, fmt.Errorf("rendering release: %w", err)
	}
	html, err := execute("release.html", r.page())
	if err != nil {
		return nil, err
	}
	return map[string][]byte{"figures.csv": csv, "figures.json": json, "index.html": html}, nil
}

func execute(name string, data any) ([]byte, error) {
	var buf bytes.Buffer
	if err := templates.ExecuteTemplate(&buf, name, data); err != nil {
		return nil, fmt.Errorf("rendering %s: %w", name, err)
	}
	return buf.Bytes(), nil
}
