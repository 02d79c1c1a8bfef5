package publish

import (
	"fmt"
	"html/template"
	"strings"

	"candor/schema/metric"
	"candor/schema/release"
)

// A Calibration is the words of the page that sets what the system found beside what was public before, year by year, and shows what an uncapped total would
// have given away. It uses public figures only.
type Calibration struct {
	Source string            `json:"source"` // of the public figures
	Years  []CalibrationYear `json:"years"`
	Series *Series           `json:"series,omitempty"` // filled in from earlier releases
}

// A CalibrationYear is a calibration round. Figures are those of its release; none stand for those of the bundle that these words are in.
type CalibrationYear struct {
	Known   KnownYear        `json:"known"`
	Round   string           `json:"round"`
	Members int              `json:"members"`
	Figures []release.Figure `json:"figures,omitempty"`
}

// A KnownYear is what was public before about one year: counts of one metric.
type KnownYear struct {
	Period string  `json:"period"`
	Cap    int64   `json:"cap"`    // of one member
	Raw    int64   `json:"raw"`    // total without the cap
	Capped int64   `json:"capped"` // total with the cap
	Top    []int64 `json:"top"`    // the three largest members' counts, the largest first
}

// Check reports numbers that cannot belong together.
func (k KnownYear) Check() error {
	if len(k.Top) != 3 || k.Cap < 1 || k.Capped < 1 || k.Raw < k.Capped || k.Top[0] < k.Top[1] || k.Top[1] < k.Top[2] || k.Top[2] < 0 || k.Top[0] < 1 || k.Raw < k.Top[0]+k.Top[1]+k.Top[2] {
		return fmt.Errorf("the calibration of %s: the public numbers contradict one another", k.Period)
	}
	return nil
}

// closeness is how far off an outsider would have been who took the uncapped total for the largest member's figure, and two members who take out their own.
func (k KnownYear) closeness() (alone, pooled float64) {
	others := float64(k.Raw - k.Top[0])
	return others / float64(k.Top[0]), (others - float64(k.Top[1]+k.Top[2])) / float64(k.Top[0])
}

type calibrationView struct {
	Source    string
	Rows      []calibrationRow
	Bands     bandsView
	Series    *seriesView
	Latest    calibrationRow
	Compared  int
	Inside    int
	PercentP  string
	RawReason string
}

type calibrationRow struct {
	Period, Members, Cap, Shown, Interval, Truth, Largest, Raw, Share, Alone, Pooled string
	Compared, Inside                                                                 bool
}

// bandsView is a table of bands by year.
type bandsView struct {
	Periods []string
	Rows    []bandRow
}

type bandRow struct {
	Band  string
	Cells []string
}

// calibration words the page; nil where the site has none.
func (s Site) calibration() *calibrationView {
	c := s.Calibration
	if c == nil || len(c.Years) == 0 {
		return nil
	}
	v := &calibrationView{Source: c.Source, PercentP: percentP(s.Rules.P), RawReason: release.NotCollected.Reason()}
	for _, y := range c.Years {
		v.Rows = append(v.Rows, s.calibrationRow(y))
	}
	for _, r := range v.Rows {
		if r.Compared {
			v.Compared++
		}
		if r.Inside {
			v.Inside++
		}
	}
	v.Latest = v.Rows[len(v.Rows)-1]
	v.Bands = s.bands(c.Years)
	if c.Series != nil {
		series := s.seriesView(0, *c.Series)
		series.ID = "series-calibration"
		series.Chart = timeChart("chart-calibration", *c.Series, s.Rules)
		v.Series = &series
	}
	return v
}

func (s Site) figuresOf(y CalibrationYear) []release.Figure {
	if len(y.Figures) > 0 {
		return y.Figures
	}
	return s.Bundle.Figures
}

func (s Site) calibrationRow(y CalibrationYear) calibrationRow {
	k := y.Known
	alone, pooled := k.closeness()
	w := calibrationRow{Period: k.Period, Members: formatCount(int64(y.Members)), Cap: formatCount(k.Cap), Shown: "withheld", Interval: "–", Truth: formatCount(k.Capped),
		Largest: formatRounded(k.Top[0]), Raw: formatCount(k.Raw), Share: percent(float64(k.Top[0]) / float64(k.Raw)), Alone: percent(alone), Pooled: percent(pooled)}
	for _, f := range s.figuresOf(y) {
		if isTotal(f.Cell) && f.Status == release.Published {
			w.Shown, w.Interval = formatCount(*f.Value), formatCount(*f.CILow)+" to "+formatCount(*f.CIHigh)
			w.Compared, w.Inside = true, *f.CILow <= k.Capped && k.Capped <= *f.CIHigh
		}
	}
	return w
}

// bands sets the bands of all years side by side.
func (s Site) bands(years []CalibrationYear) (v bandsView) {
	rows := map[string]int{}
	for i, y := range years {
		v.Periods = append(v.Periods, y.Known.Period)
		for _, f := range s.figuresOf(y) {
			code, ok := strings.CutPrefix(f.Cell, magnitudeColumn)
			if !ok {
				continue
			}
			at, ok := rows[code]
			if !ok {
				at = len(v.Rows)
				rows[code] = at
				v.Rows = append(v.Rows, bandRow{Band: bandWords(s.Catalogue, f, code), Cells: make([]string, len(years))})
			}
			text := shown(f)
			if f.Status == release.Published {
				text = formatCount(*f.Value)
			}
			v.Rows[at].Cells[i] = text
		}
	}
	return v
}

// bandWords words a band. The catalogue of the site may be another than that of the calibration.
func bandWords(c *metric.Catalogue, f release.Figure, code string) string {
	if m := c.Metric(f.Instrument + "." + f.Metric); m != nil {
		return cellLabel(c, m, f.Cell)
	}
	for _, l := range c.CodeLists {
		if l.ID == "magnitude" && l.Index(code) >= 0 {
			return strings.TrimSuffix(l.Codes[l.Index(code)].Definition, ".")
		}
	}
	return spell(strings.NewReplacer("ge-", "at least ", "100k", "100,000", "10k-99999", "10,000 to 99,999", "1k-9999", "1,000 to 9,999", "10-99", "10 to 99").Replace(code))
}

func percent(share float64) string {
	text := fmt.Sprintf("%.0f %%", 100*share)
	if share < 0.095 {
		text = fmt.Sprintf("%.1f %%", 100*share)
	}
	return text
}

// Reason is a sentence of the release rules as text.
func (v *calibrationView) Reason() template.HTML {
	return template.HTML(template.HTMLEscapeString(v.RawReason))
}
