package figures

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"candor/schema/metric"
)

// A member's figures file is a table with one line per cell, as CSV or, with a sheet per instrument, as XLSX. These are the words
// it is made of. The sheet or instrument `file` says what the file belongs to.
const (
	fileInstrument = "file"
	fileRound      = "round"
	fileCatalogue  = "catalogue"
	fileHash       = "hash"

	stateCell  = "state"      // value: one of metric.States
	totalCell  = metric.Total // the one cell of a count without codes
	answerCell = "answer"     // the one cell of a yes-no; value: yes or no
	choiceCell = "choice"     // value: a code
)

// A Template is what a figures file is written from.
type Template struct {
	Catalogue   *metric.Catalogue
	Round       string
	Instruments []string       // ids; nil means all of the catalogue
	Figures     metric.Figures // values to fill in; a metric without entry stays blank
	Reasons     map[string]string
}

// A line is one line of a figures file.
type line struct {
	instrument, metric, cell string
	value, reason            string
	name, definition         string
	allowed                  string

	of *metric.Metric // nil for lines of the file itself
}

// lines returns the lines of one instrument, or of the file itself for fileInstrument.
func (t *Template) lines(instrument string) []line {
	if instrument == fileInstrument {
		return []line{
			{instrument: fileInstrument, metric: fileRound, value: t.Round, name: "Round", definition: "The round for which these figures are."},
			{instrument: fileInstrument, metric: fileCatalogue, value: t.Catalogue.String(), name: "Catalogue", definition: "The catalogue by which they are counted."},
			{instrument: fileInstrument, metric: fileHash, value: t.Catalogue.Hash(), name: "Hash of the catalogue", definition: "Do not change it; it shows that definitions are the same everywhere."},
		}
	}
	in := t.Catalogue.Instrument(instrument)
	var lines []line
	for i := range in.Metrics {
		m := &in.Metrics[i]
		e, filled := t.Figures[m.Path()]
		state := line{instrument: in.ID, metric: m.ID, cell: stateCell, value: string(e.State), reason: t.Reasons[m.Path()], name: m.Name,
			definition: m.Definition, allowed: join(metric.States()), of: m}
		if m.Pitfall != "" {
			state.definition += " Pitfall: " + m.Pitfall
		}
		lines = append(lines, state)
		for j, l := range cellLines(m) {
			if filled && e.State.Contributes() {
				l.value = valueText(m, e, j)
			}
			lines = append(lines, l)
		}
	}
	return lines
}

// cellLines returns the blank lines of a metric's values.
func cellLines(m *metric.Metric) []line {
	blank := line{instrument: m.Path()[:len(m.Path())-len(m.ID)-1], metric: m.ID, name: m.Name, of: m}
	list := m.CodeList()
	switch {
	case m.Type == metric.Choice:
		blank.cell, blank.definition = choiceCell, "Exactly one: "+codeMeanings(list)
		var codes []string
		for _, c := range list.Codes {
			codes = append(codes, c.Code)
		}
		blank.allowed = join(codes)
		return []line{blank}
	case m.Type == metric.YesNo:
		blank.cell, blank.allowed = answerCell, "yes, no"
		return []line{blank}
	}
	blank.allowed = "yes, no"
	if m.Type.Counts() {
		blank.allowed = fmt.Sprintf("0 to %d %s", m.Max, m.Unit)
	}
	if list == nil {
		blank.cell = totalCell
		return []line{blank}
	}
	lines := make([]line, len(list.Codes))
	for i, c := range list.Codes {
		lines[i] = blank
		lines[i].cell, lines[i].definition = c.Code, c.Definition
	}
	return lines
}

func codeMeanings(l *metric.CodeList) string {
	texts := make([]string, len(l.Codes))
	for i, c := range l.Codes {
		texts[i] = c.Code + " = " + strings.TrimSuffix(c.Definition, ".")
	}
	return strings.Join(texts, "; ") + "."
}

// valueText writes what stands in the i-th value line of a metric.
func valueText(m *metric.Metric, e metric.Entry, i int) string {
	switch {
	case m.Type == metric.Choice:
		for j, v := range e.Values {
			if v == 1 {
				return m.CodeList().Codes[j].Code
			}
		}
		return ""
	case m.Type.Counts():
		return strconv.FormatInt(e.Values[i], 10)
	case e.Values[i] == 1:
		return "yes"
	}
	return "no"
}

// instruments returns the ids to write, checking that they exist.
func (t *Template) instruments() ([]string, error) {
	if t.Instruments == nil {
		return allInstruments(t.Catalogue), nil
	}
	for i, id := range t.Instruments {
		if t.Catalogue.Instrument(id) == nil {
			return nil, fmt.Errorf("catalogue %s has no instrument %s%s", t.Catalogue, quote(id), didYouMean(id, allInstruments(t.Catalogue)))
		}
		if slices.Contains(t.Instruments[:i], id) {
			return nil, fmt.Errorf("instrument %s is named twice", quote(id))
		}
	}
	return t.Instruments, nil
}

func allInstruments(c *metric.Catalogue) []string {
	ids := make([]string, len(c.Instruments))
	for i := range c.Instruments {
		ids[i] = c.Instruments[i].ID
	}
	return ids
}

func join[T ~string](list []T) string { return strings.Join(words(list), ", ") }

// didYouMean returns a hint in parentheses if one of the words is close to s, otherwise "".
func didYouMean(s string, words []string) string {
	best, distance := "", 3
	for _, w := range words {
		if d := editDistance(s, w, distance); d < distance {
			best, distance = w, d
		}
	}
	if best == "" {
		return ""
	}
	return " (did you mean " + best + "?)"
}

// editDistance returns the number of bytes to insert, delete or replace between a and b, or limit if that is less.
func editDistance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit || len(a) > 200 {
		return limit
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return min(row[len(b)], limit)
}
