package publish

import (
	"fmt"
	"strings"

	"candor/schema/metric"
	"candor/schema/release"
)

// The kinds of columns that a metric's cells have in a release, by prefix; without one it is a value.
const (
	stateColumn     = "state:"
	magnitudeColumn = "magnitude:"
)

// isTotal reports whether a cell is that of the metric as a whole.
func isTotal(cell string) bool { return cell == "" || cell == total }

// codeOf splits a cell into its code and the list that it is from; no list for a total.
func codeOf(m *metric.Metric, cell string) (*metric.CodeList, string) {
	if code, ok := strings.CutPrefix(cell, magnitudeColumn); ok {
		return m.MagnitudeList(), code
	}
	return m.CodeList(), cell
}

// cellLabel words a cell: "Image", "10 seconds or more and less than 1 minute".
func cellLabel(c *metric.Catalogue, m *metric.Metric, cell string) string {
	if isTotal(cell) {
		return m.Name
	}
	if state, ok := strings.CutPrefix(cell, stateColumn); ok {
		return spell(state)
	}
	list, code := codeOf(m, cell)
	if list == nil || list.Index(code) < 0 {
		return spell(cell)
	}
	if list.Kind == "codes" || list.Kind == "levels" {
		return spell(code)
	}
	return strings.TrimSuffix(list.Codes[list.Index(code)].Definition, ".")
}

// CodeBook words the figures and ratios of a release from the catalogue, in their order.
func CodeBook(c *metric.Catalogue, figures []release.Figure, ratios []release.Ratio) ([]release.CodeBookEntry, error) {
	var entries []release.CodeBookEntry
	seen := map[release.Key]bool{}
	for _, f := range figures {
		k := release.Key{Instrument: f.Instrument, Metric: f.Metric, Cell: f.Cell}
		m := c.Metric(f.Instrument + "." + f.Metric)
		if m == nil {
			return nil, fmt.Errorf("making the code book: the catalogue has no metric %s.%s", f.Instrument, f.Metric)
		}
		if seen[k] {
			continue // another round's
		}
		seen[k] = true
		e := release.CodeBookEntry{Instrument: f.Instrument, Metric: f.Metric, Cell: f.Cell, Label: m.Name, Unit: m.Unit, Definition: m.Definition}
		if !isTotal(f.Cell) {
			e.Label += ": " + cellLabel(c, m, f.Cell)
			switch list, code := codeOf(m, f.Cell); {
			case strings.HasPrefix(f.Cell, stateColumn):
				e.Unit, e.Definition = "organisations", "Organisations whose figure of this metric has this state. "+m.Definition
			case strings.HasPrefix(f.Cell, magnitudeColumn):
				e.Unit, e.Definition = "organisations", "Organisations whose own total of this metric is in this band. "+m.Definition
			case list != nil && list.Index(code) >= 0:
				e.Definition += " This cell: " + list.Codes[list.Index(code)].Definition
			}
		}
		entries = append(entries, e)
	}
	for _, r := range ratios {
		k := release.Key{Instrument: r.Instrument, Metric: r.Ratio, Cell: r.Cell}
		in := c.Instrument(r.Instrument)
		if in == nil || in.Ratio(r.Ratio) == nil {
			return nil, fmt.Errorf("making the code book: the catalogue has no ratio %s.%s", r.Instrument, r.Ratio)
		}
		if seen[k] {
			continue
		}
		seen[k] = true
		q := in.Ratio(r.Ratio)
		e := release.CodeBookEntry{
			Instrument: r.Instrument, Metric: r.Ratio, Cell: r.Cell, Label: q.Name, Unit: "share",
			Definition: "(" + q.Numerator + ") divided by (" + q.Denominator + ").",
		}
		if r.Cell != "" {
			e.Label += ": " + spell(r.Cell)
		}
		if q.Note != "" {
			e.Definition += " " + q.Note
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// formatShare writes a share as a percentage with one decimal.
func formatShare(s release.Share) string { return fmt.Sprintf("%.1f %%", float64(s)/1e4) }

// formatShares writes the bounds of an interval, with another decimal where one would make them equal.
func formatShares(low, high release.Share) string {
	a, b := formatShare(low), formatShare(high)
	if a == b && low != high {
		a, b = fmt.Sprintf("%.2f %%", float64(low)/1e4), fmt.Sprintf("%.2f %%", float64(high)/1e4)
	}
	return a + " to " + b
}
