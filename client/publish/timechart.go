package publish

import (
	"fmt"
	"math"
	"strings"

	"candor/schema/release"
)

// A Series is one figure through the periods.
type Series struct {
	Title string // "Matches, all media"
	Unit  string
	// Points are in the order of time.
	Points []Point
}

// A Point is a figure of one period.
type Point struct {
	Period string
	Figure release.Figure
	// Break says why the figure is not comparable with those before it: "definition changed in 2026 Q3". Empty
	// if it is.
	Break string
	// Joined and Left are the groups that joined and left since the point before.
	Joined, Left int
}

// joined reports whether the line from the point before leads to point i, and otherwise why not.
func (s Series) joined(i int, r Rules) (bool, string) {
	p := s.Points[i]
	switch {
	case i == 0:
		return false, ""
	case p.Break != "":
		return false, p.Break
	case !r.Comparable(Change{Joined: p.Joined, Left: p.Left}):
		return false, fmt.Sprintf("%s joined or left: not compared", plural(p.Joined+p.Left, "member", "members"))
	case p.Figure.Status != release.Published || s.Points[i-1].Figure.Status != release.Published:
		return false, ""
	}
	return true, ""
}

const (
	timeTop, timeBottom = 14, 194 // of the plot, in pixels
	maxTimeLabels       = 5
)

// timeChart draws a series with an interval at each point. Points are joined only where they may be compared.
func timeChart(id string, s Series, r Rules) chart {
	c := chart{
		ID: id, Title: s.Title + " by period", Height: timeBottom + 44,
		Caption: "Dots are estimates, vertical bars their 95 % intervals. Dots are joined where they may be compared.",
	}
	low, high := 0.0, 1.0
	for _, p := range s.Points {
		if p.Figure.Status == release.Published {
			low, high = math.Min(low, float64(*p.Figure.CILow)), math.Max(high, float64(*p.Figure.CIHigh))
		}
	}
	step := niceStep(high - low)
	low, high = math.Floor(low/step)*step, math.Ceil(high/step)*step
	y := func(v float64) int {
		return timeBottom - int(math.Round((v-low)/(high-low)*float64(timeBottom-timeTop)))
	}
	for v := low; v <= high+step/2; v += step {
		c.Rules = append(c.Rules, rule{"axis", "2%", px(y(v)), "98%", px(y(v))})
		c.Texts = append(c.Texts, text{"note", "start", "2%", px(y(v) - 4), formatCount(int64(math.Round(v)))})
	}
	x := func(i int) float64 {
		if len(s.Points) == 1 {
			return 57
		}
		return 20 + 74*float64(i)/float64(len(s.Points)-1)
	}
	every := (len(s.Points) + maxTimeLabels - 1) / maxTimeLabels
	var parts, breaks []string
	for i, p := range s.Points {
		at := pct(x(i))
		if i%every == 0 {
			c.Texts = append(c.Texts, text{"", "middle", at, px(timeBottom + 20), p.Period})
		}
		f := p.Figure
		joined, why := s.joined(i, r)
		if why != "" {
			middle := pct((x(i) + x(i-1)) / 2)
			c.Rules = append(c.Rules, rule{"break", middle, px(timeTop), middle, px(timeBottom)})
			breaks = append(breaks, p.Period+": "+why)
		}
		if f.Status != release.Published {
			c.Texts = append(c.Texts, text{"note", "middle", at, px(timeBottom - 6), shown(f)})
			parts = append(parts, p.Period+": "+shown(f))
			continue
		}
		if joined {
			before := s.Points[i-1].Figure
			c.Rules = append(c.Rules, rule{"series", pct(x(i - 1)), px(y(float64(*before.Value))), at, px(y(float64(*f.Value)))})
		}
		top, bottom := y(float64(*f.CIHigh)), y(float64(*f.CILow))
		c.Rules = append(c.Rules, rule{"cap", at, px(top), at, px(max(bottom, top+1))})
		c.Marks = append(c.Marks, mark{X: at, Y: px(y(float64(*f.Value)))})
		parts = append(parts, fmt.Sprintf("%s: %s, 95 %% interval %s to %s", p.Period, formatCount(*f.Value), formatCount(*f.CILow), formatCount(*f.CIHigh)))
	}
	if every > 1 {
		c.Caption += fmt.Sprintf(" One period in %d is named.", every)
	}
	if len(breaks) > 0 {
		c.Caption += " Dashed lines are breaks: " + strings.Join(breaks, "; ") + "."
	}
	c.Desc = strings.Join(parts, "; ") + "."
	return c
}

// shown is what stands for a figure that is not printed as a number.
func shown(f release.Figure) string {
	switch {
	case f.Status == release.Few:
		return "few"
	case f.Status == release.Coarsened:
		return formatCount(*f.CILow) + " to " + formatCount(*f.CIHigh)
	case f.Status == release.NotCollected:
		return "not collected"
	}
	return "withheld"
}

// niceStep is 1, 2 or 5 times a power of ten, at least 1, that divides width into 2 to 5 steps.
func niceStep(width float64) float64 {
	step := math.Pow(10, math.Floor(math.Log10(math.Max(width, 1))))
	for _, f := range []float64{0.2, 0.5, 1} {
		if width/(step*f) <= 5 {
			return math.Max(step*f, 1)
		}
	}
	return math.Max(2*step, 1)
}
