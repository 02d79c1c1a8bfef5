// Package publish decides what of a round may be shown and turns it into what people read.
//
// CellsOf and Decide apply the release rules, DecideRatio computes ratios; Write makes a single page with its
// data files, WriteSite the pages of a whole release with its bundle.
//
// The package never sees a member's figure: its input are sums with their noise, and the rules work on public
// numbers. Pages need no server and make no request: style, charts and icons are in the page, and a content
// security policy forbids the rest.
//
// It implements "Noise, caps and release rules" and the last arrows of "How data flows" of the design.
package publish

import (
	"errors"
	"fmt"
	"strings"

	"candor/schema/release"
)

// DefaultMinimum is the number of contributing organisations below which nothing is published, unless the
// round says otherwise.
const DefaultMinimum = 10

// A Release is what one page and its data files are made from. Figures are decided: statuses are final, and
// Write only checks them.
type Release struct {
	Title      string // heading of the page; required
	Round      string
	Period     string // "2023", "2026 Q1"
	Instrument string // name for people
	Source     string // where the input comes from, for calibration data; one line

	// Calibration marks figures that are public already: the page says that the release rules were not
	// applied and compares each figure with its Truth. Only a calibration release may have a Truth.
	Calibration bool
	Truth       map[release.Key]int64

	Figures []release.Figure // in the order of the page; at least one
	Metrics []Metric         // words for the figures; a metric without an entry is called by its identifier
	Method  Method
}

// A Metric gives the words in which pages speak of a metric.
type Metric struct {
	Instrument string
	ID         string
	Label      string // "Reports to the clearing house"
	Unit       string // plural: "reports"
	Meaning    string // one sentence, or empty
}

// Method says how the figures came about, as far as the page tells it. The zero value is usable.
type Method struct {
	Members int    // organisations asked; 0 = not stated
	Minimum int    // contributing organisations needed; 0 = DefaultMinimum
	Epsilon string // "1", "1/2"; "" = not stated
	Unit    string // what one unit of noise protects: "report"; "" = "item"
	Cap     int64  // largest contribution of one organisation; 0 = no cap in use

	// Sentences replaces the three sentences that explain the computation.
	Sentences []string
}

func (m Method) minimum() int {
	if m.Minimum > 0 {
		return m.Minimum
	}
	return DefaultMinimum
}

// sentences are the explanation of the computation, in three sentences.
func (m Method) sentences() []string {
	if len(m.Sentences) > 0 {
		return m.Sentences
	}
	unit, epsilon := m.Unit, ""
	if unit == "" {
		unit = "item"
	}
	if m.Epsilon != "" {
		epsilon = fmt.Sprintf(" (Laplace noise; ε = %s for one %s)", m.Epsilon, unit)
	}
	return []string{
		"Each organisation’s own computer added random noise to its count" + epsilon +
			", split the result into two parts that look random on their own, and sent one part, encrypted, to each of two separate servers.",
		fmt.Sprintf("Each server checked that the parts were well-formed, added up its own, and gave out only that sum, and only because at least %d organisations had contributed; no server and nobody at the coalition saw the count of any one organisation.", m.minimum()),
		"Putting the two sums together gives the figure, and its 95 % interval follows from the exact law of the added noise: it covers the noise, not mistakes in the organisations’ own counting.",
	}
}

// Check reports, all at once, why r cannot be published.
func (r Release) Check() error {
	var errs []error
	if strings.TrimSpace(r.Title) == "" {
		errs = append(errs, errors.New("the release has no title"))
	}
	if len(r.Figures) == 0 {
		errs = append(errs, errors.New("the release has no figures"))
	}
	if err := release.CheckFigures(r.Figures); err != nil {
		errs = append(errs, err)
	}
	for _, f := range r.Figures {
		if !f.Status.Withheld() && f.Contributors < r.Method.minimum() {
			errs = append(errs, fmt.Errorf("figure %s: %d organisations contributed and the minimum is %d: withhold it",
				f.Key(), f.Contributors, r.Method.minimum()))
		}
	}
	if !r.Calibration && len(r.Truth) > 0 {
		errs = append(errs, errors.New("only calibration data are compared with known totals: leave Truth empty"))
	}
	return errors.Join(errs...)
}

// WithholdBelow returns the figures with those withheld to which fewer than minimum organisations contributed,
// their numbers removed. The input is left as it is.
func WithholdBelow(minimum int, figures []release.Figure) []release.Figure {
	out := make([]release.Figure, len(figures))
	for i, f := range figures {
		if f.Contributors < minimum && !f.Status.Withheld() {
			f = withhold(f, release.WithheldMinimum)
		}
		out[i] = f
	}
	return out
}

// withhold returns f without its numbers.
func withhold(f release.Figure, s release.Status) release.Figure {
	f.Value, f.CILow, f.CIHigh, f.Status = nil, nil, nil, s
	return f
}
