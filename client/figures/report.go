package figures

import (
	"cmp"
	"slices"

	"candor/schema/metric"
)

// A Report is what is to be said about a figures file. It quotes the member's values and is for the member's eyes.
type Report struct {
	File        string     `json:"file"`
	Round       string     `json:"round"`
	Catalogue   string     `json:"catalogue"`
	Hash        string     `json:"hash"`
	Instruments []string   `json:"instruments"`
	Metrics     Tally      `json:"metrics"`
	Errors      Problems   `json:"errors"`
	Questions   []Question `json:"questions"`
	Notes       []string   `json:"notes"`
}

// A Tally is how many metrics of the file are in each state.
type Tally struct {
	Measured      int `json:"measured"`
	Estimated     int `json:"estimated"`
	NotMeasured   int `json:"not_measured"`
	NotApplicable int `json:"not_applicable"`
}

// A Question is a warning, which a reason answers. It never keeps figures from being sent.
type Question struct {
	Problem
	Metrics []string `json:"metrics"`          // paths
	Reason  string   `json:"reason,omitempty"` // typed by the member; it stays with the member
}

// OK reports whether the figures can be sent.
func (r *Report) OK() bool { return len(r.Errors) == 0 }

// Unexplained returns the questions without a reason.
func (r *Report) Unexplained() []Question {
	var open []Question
	for _, q := range r.Questions {
		if q.Reason == "" {
			open = append(open, q)
		}
	}
	return open
}

// Check reports everything wrong with the file, and what is unusual in it. last is the member's figures of the last round of the same
// kind of period, kept by the member; nil compares with nothing.
func (f *File) Check(last metric.Figures) *Report {
	r := &Report{File: f.Name, Round: f.Round, Catalogue: f.catalogue.String(), Hash: f.catalogue.Hash(), Instruments: append([]string{}, f.Instruments...),
		Errors: append(Problems{}, f.problems.list...), Questions: []Question{}, Notes: append([]string{}, f.Notes...)}
	for _, e := range f.Figures {
		switch e.State {
		case metric.Measured:
			r.Metrics.Measured++
		case metric.Estimated:
			r.Metrics.Estimated++
		case metric.NotMeasured:
			r.Metrics.NotMeasured++
		case metric.NotApplicable:
			r.Metrics.NotApplicable++
		}
	}
	for _, finding := range f.catalogue.Check(f.Figures, last, f.Instruments) {
		if len(finding.Metrics) == 1 && f.bad[finding.Metrics[0]] {
			continue // its own problems are listed already
		}
		at := f.placeOf(finding)
		p := Problem{File: f.Name, Sheet: at.sheet, Cell: at.cell, Line: at.line, Column: at.column, Text: finding.Text, Rule: finding.Rule}
		if finding.Rule != "" {
			p.Cells = f.spans(finding)
		}
		if !finding.Soft {
			r.Errors = append(r.Errors, p)
			continue
		}
		q := Question{Problem: p, Metrics: finding.Metrics}
		for _, path := range finding.Metrics {
			if reason := f.Reasons[path]; reason != "" {
				q.Reason = reason
				break
			}
		}
		r.Questions = append(r.Questions, q)
	}
	// In the order of the lines; problems of a workbook have no line and keep the order of the catalogue.
	slices.SortStableFunc(r.Errors, func(a, b Problem) int { return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column)) })
	r.Errors = append(r.Errors, f.problems.more()...)
	return r
}

// placeOf returns where the first cell of the finding stands, or else the state of its first metric.
func (f *File) placeOf(finding metric.Finding) place {
	for _, cell := range finding.Cells {
		if at, ok := f.values[cell]; ok {
			return at
		}
	}
	return f.states[finding.Metrics[0]]
}

// spans returns where the figures of a broken rule stand: of each metric the cells that the rule is about, or all of its values.
func (f *File) spans(finding metric.Finding) []string {
	var spans []string
	for _, path := range finding.Metrics {
		var first, last place
		add := func(cells []metric.Cell) {
			for _, cell := range cells {
				at, ok := f.values[cell]
				if !ok || cell.Path() != path {
					continue
				}
				if first == (place{}) {
					first = at
				}
				last = at
			}
		}
		if add(finding.Cells); first == (place{}) {
			add(f.catalogue.Metric(path).Cells())
		}
		if first != (place{}) {
			spans = append(spans, first.span(last))
		}
	}
	return spans
}
