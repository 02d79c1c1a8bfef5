package member

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"slices"
	"strconv"

	"candor/client/figures"
	"candor/schema/metric"
	"candor/schema/round"
)

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// pageRounds is how many rounds stand beside each other.
const pageRounds = 5

// A pageView is what the template shows.
type pageView struct {
	Member      string
	Rounds      []pageRound // the newest first
	Instruments []pageInstrument
}

type pageRound struct{ ID, Period string }

type pageInstrument struct {
	ID, Name, Purpose string
	Metrics           []pageMetric
}

type pageMetric struct {
	Name, Definition, Unit string
	States                 []string // by round
	Rows                   []pageRow
	Reasons                []string
}

type pageRow struct {
	Name   string
	Values []string // by round; empty where there is none
	Change string   // against the round before; empty where there is none
	Sum    bool     // of the rows above
}

// A Return is a member's figures of one round.
type Return struct {
	Round *round.Signed
	File  *figures.File
}

// Returns returns the figures that were submitted, the newest round first; rounds by another catalogue are left out.
func (m *Member) Returns(catalogue *metric.Catalogue) ([]Return, error) {
	known, err := m.Known()
	if err != nil {
		return nil, err
	}
	var list []Return
	for _, s := range slices.Backward(known) {
		file, err := m.Kept(s, catalogue)
		if err != nil {
			return nil, err
		}
		if file != nil {
			list = append(list, Return{s, file})
		}
	}
	return list, nil
}

// Page returns an HTML page of the member's own plain figures, the newest round first and the rounds before beside it. It is for the
// member's own eyes: it holds true values, and refers to nothing outside itself.
func (m *Member) Page(catalogue *metric.Catalogue) ([]byte, error) {
	returns, err := m.Returns(catalogue)
	if err != nil {
		return nil, err
	}
	if len(returns) == 0 {
		return nil, fmt.Errorf("making the page of own figures: nothing was submitted from %s yet", m.cfg.Dir)
	}
	returns = returns[:min(len(returns), pageRounds)]
	view := pageView{Member: m.cfg.ID}
	for _, r := range returns {
		d := r.Round.Document
		label := pageRound{ID: d.ID, Period: d.Period.Label}
		if d.Rehearsal {
			label.ID += " (rehearsal)"
		}
		view.Rounds = append(view.Rounds, label)
	}
	for i := range catalogue.Instruments {
		in := &catalogue.Instruments[i]
		if !slices.ContainsFunc(returns, func(r Return) bool { return slices.Contains(r.File.Instruments, in.ID) }) {
			continue
		}
		shown := pageInstrument{ID: in.ID, Name: in.Name, Purpose: in.Purpose}
		for j := range in.Metrics {
			shown.Metrics = append(shown.Metrics, pageOf(&in.Metrics[j], returns))
		}
		view.Instruments = append(view.Instruments, shown)
	}
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, view); err != nil {
		return nil, fmt.Errorf("making the page of own figures: %w", err)
	}
	return b.Bytes(), nil
}

func pageOf(m *metric.Metric, returns []Return) pageMetric {
	shown := pageMetric{Name: m.Name, Definition: m.Definition, Unit: m.Unit}
	for _, r := range returns {
		shown.States = append(shown.States, string(r.File.Figures[m.Path()].State))
	}
	if reason := returns[0].File.Reasons[m.Path()]; reason != "" {
		shown.Reasons = append(shown.Reasons, reason)
	}
	cells := m.Cells()
	for i := range cells {
		row := pageRow{Name: cells[i].Code}
		for _, r := range returns {
			row.Values = append(row.Values, pageValue(m, r.File.Figures[m.Path()], i))
		}
		row.Change = change(m, returns, func(e metric.Entry) int64 { return e.Values[i] })
		shown.Rows = append(shown.Rows, row)
	}
	if m.Type.Counts() && len(cells) > 1 {
		row := pageRow{Name: "sum", Sum: true}
		for _, r := range returns {
			text := ""
			if e := r.File.Figures[m.Path()]; e.State.Contributes() {
				text = grouped(e.Total())
			}
			row.Values = append(row.Values, text)
		}
		row.Change = change(m, returns, metric.Entry.Total)
		shown.Rows = append(shown.Rows, row)
	}
	return shown
}

func pageValue(m *metric.Metric, e metric.Entry, i int) string {
	switch {
	case !e.State.Contributes():
		return ""
	case m.Type.Counts():
		return grouped(e.Values[i])
	case e.Values[i] == 1:
		return "yes"
	}
	return "no"
}

// change compares the newest round with the one before.
func change(m *metric.Metric, returns []Return, value func(metric.Entry) int64) string {
	if len(returns) < 2 || !m.Type.Counts() {
		return ""
	}
	now, before := returns[0].File.Figures[m.Path()], returns[1].File.Figures[m.Path()]
	if !now.State.Contributes() || !before.State.Contributes() {
		return ""
	}
	switch d := value(now) - value(before); {
	case d > 0:
		return "+" + grouped(d)
	case d < 0:
		return "−" + grouped(-d)
	}
	return "same"
}

// grouped writes a number that is not negative with a comma between groups of three digits.
func grouped(n int64) string {
	text := strconv.FormatInt(n, 10)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
