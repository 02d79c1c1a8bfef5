package publish

import (
	"fmt"
	"math"
	"strings"

	"candor/schema/release"
)

// A chart is an SVG drawing whose horizontal positions are percentages of its width and whose vertical ones are
// CSS pixels: it fits any screen while its text keeps the size of the page's. Colours come from the page's
// style by class, so that they follow light, dark and print.
type chart struct {
	ID, Title, Desc string
	Caption         string
	Height          int
	Rules           []rule
	Bars            []bar
	Marks           []mark
	Texts           []text
}

type rule struct {
	Class          string
	X1, Y1, X2, Y2 string
}

type bar struct{ X, Y, Width, Height string }

// A mark is a circle (an estimate) or a diamond (a published total): never told apart by colour alone.
type mark struct {
	Diamond bool
	X, Y    string
}

type text struct{ Class, Anchor, X, Y, Text string }

// scale maps numbers to percentages of the drawing's width.
type scale struct{ low, high, left, right float64 }

func (s scale) at(v float64) float64 {
	if s.high == s.low {
		return (s.left + s.right) / 2
	}
	x := s.left + (v-s.low)/(s.high-s.low)*(s.right-s.left)
	return math.Min(math.Max(x, s.left), s.right)
}

func pct(x float64) string { return fmt.Sprintf("%.2f%%", x) }
func px(y int) string      { return fmt.Sprint(y) }

// anchorAt picks the side to which a label at x grows, so that it stays inside the drawing.
func anchorAt(x float64) string {
	switch {
	case x < 30:
		return "start"
	case x > 70:
		return "end"
	}
	return "middle"
}

func (c *chart) interval(s scale, low, high float64, y int) {
	a, b := s.at(low), s.at(high)
	c.Bars = append(c.Bars, bar{X: pct(a), Y: px(y - 5), Width: pct(b - a), Height: "10"})
	for _, x := range []float64{a, b} {
		c.Rules = append(c.Rules, rule{"cap", pct(x), px(y - 9), pct(x), px(y + 9)})
	}
}

func (c *chart) label(class string, x float64, y int, s string) {
	c.Texts = append(c.Texts, text{class, anchorAt(x), pct(x), px(y), s})
}

// zoomChart draws one open figure with its interval filling half of the width, and truth, if known, beside it.
// The axis does not start at 0: the subject is how sure the figure is.
func zoomChart(id, name string, f release.Figure, truth *int64) chart {
	v, low, high := *f.Value, *f.CILow, *f.CIHigh
	half := math.Max(float64(high-low)/2, 0.5)
	s := scale{float64(low) - half, float64(high) + half, 2, 98}
	c := chart{
		ID:     id,
		Title:  name + ": estimate and 95 % interval",
		Desc:   fmt.Sprintf("The estimate is %s. The 95 %% interval runs from %s to %s.", formatCount(v), formatCount(low), formatCount(high)),
		Height: 120,
		Caption: fmt.Sprintf("The dot is the estimate, the bar its 95 %% interval. The scale runs from %s to %s and does not start at 0.",
			formatCount(int64(s.low)), formatCount(int64(math.Ceil(s.high)))),
	}
	c.Rules = append(c.Rules, rule{"axis", "2%", "52", "98%", "52"})
	c.interval(s, float64(low), float64(high), 52)
	x := s.at(float64(v))
	c.Marks = append(c.Marks, mark{X: pct(x), Y: "52"})
	c.label("strong", x, 24, "Estimate "+formatCount(v))
	// The bounds lie at a quarter and three quarters of the width: room for a centred number on either side.
	c.Texts = append(c.Texts,
		text{"", "middle", pct(s.at(float64(low))), "84", formatCount(low)},
		text{"", "middle", pct(s.at(float64(high))), "84", formatCount(high)})
	if truth == nil {
		return c
	}
	where := "inside"
	if *truth < low || *truth > high {
		where = "outside"
	}
	c.Desc += fmt.Sprintf(" The published total is %s, %s the interval.", formatCount(*truth), where)
	c.Caption += " The diamond is the published total."
	c.Height = 142
	x = s.at(float64(*truth))
	c.Marks = append(c.Marks, mark{Diamond: true, X: pct(x), Y: "52"})
	note := "Published total " + formatCount(*truth)
	if float64(*truth) < s.low || float64(*truth) > s.high {
		note += " (beyond this scale)"
		c.Caption += " It lies beyond the scale and is drawn at its end."
	}
	c.label("truth", x, 116, note)
	return c
}

// chartRow is one line of a chart with many figures. A nil number is a figure that is not drawn, with Note
// in its place.
type chartRow struct {
	Label            string
	Value, Low, High *int64
	Note             string
}

const rowHeight = 46

// A rowsSpec says how rowsChart draws.
type rowsSpec struct {
	ID, Title, Caption string
	Zero               string             // names the line at 0
	Limit              float64            // nothing is drawn beyond ±Limit; a row that lies there says so; 0 = no limit
	High               float64            // the scale reaches at least so far
	Format             func(int64) string // of bounds in the description; nil = formatCount
}

// rowsChart draws figures one below the other on one scale that includes 0.
func rowsChart(spec rowsSpec, rows []chartRow) chart {
	c := chart{ID: spec.ID, Title: spec.Title, Caption: spec.Caption, Height: len(rows)*rowHeight + 26}
	if spec.Limit == 0 {
		spec.Limit = math.Inf(1)
	}
	if spec.Format == nil {
		spec.Format = formatCount
	}
	s := scale{left: 2, right: 98, high: spec.High}
	for _, r := range rows {
		if r.Value != nil {
			s.low = math.Max(math.Min(s.low, float64(*r.Low)), -spec.Limit)
			s.high = math.Min(math.Max(s.high, float64(*r.High)), spec.Limit)
		}
	}
	if s.low == s.high {
		s.high = 1
	}
	x0 := s.at(0)
	var parts []string
	for i, r := range rows {
		y := i*rowHeight + 16
		note, class := r.Note, "strong"
		if r.Value == nil {
			class = "note"
			parts = append(parts, fmt.Sprintf("%s: %s", r.Label, note))
		} else {
			if math.Abs(float64(*r.Value)) > spec.Limit {
				note += " (beyond this scale)"
			}
			parts = append(parts, fmt.Sprintf("%s: %s, 95 %% interval %s to %s", r.Label, note, spec.Format(*r.Low), spec.Format(*r.High)))
		}
		c.Texts = append(c.Texts,
			text{"", "start", "2%", px(y), shorten(r.Label, note)},
			text{class, "end", "98%", px(y), note})
		c.Rules = append(c.Rules,
			rule{"axis", "2%", px(y + 18), "98%", px(y + 18)},
			rule{"zero", pct(x0), px(y + 8), pct(x0), px(y + 28)})
		if r.Value != nil {
			c.interval(s, float64(*r.Low), float64(*r.High), y+18)
			c.Marks = append(c.Marks, mark{X: pct(s.at(float64(*r.Value))), Y: px(y + 18)})
		}
	}
	c.label("", x0, len(rows)*rowHeight+18, spec.Zero)
	c.Desc = strings.Join(parts, "; ") + "."
	return c
}

// shorten cuts a label to what fits on a narrow screen beside note; the table and the description carry it
// whole.
func shorten(s, note string) string {
	most := max(38-len([]rune(note)), 8)
	r := []rune(s)
	if len(r) <= most {
		return s
	}
	return strings.TrimSpace(string(r[:most-1])) + "…"
}
