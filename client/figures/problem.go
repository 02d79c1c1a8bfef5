package figures

import (
	"fmt"
	"strings"
)

// maxProblems bounds how many problems one reading reports, so that a hostile or hopeless file cannot fill memory.
const maxProblems = 1000

// A Problem is one thing wrong in a file.
type Problem struct {
	File string `json:"file,omitempty"` // as the caller named it; may be empty
	// Sheet and Cell are where the problem is in a workbook, as in C17. Cell may be empty.
	Sheet string `json:"sheet,omitempty"`
	Cell  string `json:"cell,omitempty"`
	// Line and Column count from 1 in a text file; Column counts characters. Zero means that the problem
	// belongs to the whole line, or the whole file.
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
	Text   string `json:"text"`           // what is wrong and what to do, without position, one line
	Rule   string `json:"rule,omitempty"` // the broken rule of the catalogue in plain words
	// Cells are where the figures stand that contradict each other under the rule, one entry for each metric.
	Cells []string `json:"cells,omitempty"`
}

// String returns `file:line:column: text` or `file:sheet!cell: text`, leaving out what is unknown.
func (p Problem) String() string {
	if where := p.Where(); where != "" {
		return where + " " + p.Text
	}
	return p.Text
}

// Where returns the position alone, with a colon at its end.
func (p Problem) Where() string {
	var b strings.Builder
	if p.File != "" {
		b.WriteString(p.File)
		b.WriteByte(':')
	}
	switch {
	case p.Sheet != "" && p.Cell != "":
		fmt.Fprintf(&b, "%s!%s:", p.Sheet, p.Cell)
	case p.Sheet != "":
		fmt.Fprintf(&b, "%s:", p.Sheet)
	case p.Line > 0 && p.Column > 0:
		fmt.Fprintf(&b, "%d:%d:", p.Line, p.Column)
	case p.Line > 0:
		fmt.Fprintf(&b, "%d:", p.Line)
	}
	return b.String()
}

// Problems is every problem found in one reading, in the order of the file. A non-nil Problems returned as an error is never empty.
type Problems []Problem

// Error returns all problems, one per line.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// A place is where something stands in a file: a line and column, or a sheet and cell.
type place struct {
	sheet, cell  string
	line, column int
}

// span names the places from p to q, which are those of one metric.
func (p place) span(q place) string {
	switch {
	case p.sheet != "" && p == q:
		return p.sheet + "!" + p.cell
	case p.sheet != "":
		return p.sheet + "!" + p.cell + ":" + q.cell
	case p.line == q.line:
		return fmt.Sprintf("line %d", p.line)
	}
	return fmt.Sprintf("lines %d to %d", p.line, q.line)
}

// A problemList collects problems of one file up to maxProblems.
type problemList struct {
	file    string
	list    Problems
	dropped int
}

// full says that a further problem is only counted.
func (l *problemList) full() bool { return len(l.list) >= maxProblems }

// count returns how many problems there were.
func (l *problemList) count() int { return len(l.list) + l.dropped }

func (l *problemList) add(line, column int, format string, args ...any) {
	l.at(place{line: line, column: column}, format, args...)
}

func (l *problemList) at(p place, format string, args ...any) {
	if l.full() {
		l.dropped++
		return
	}
	l.list = append(l.list, Problem{File: l.file, Sheet: p.sheet, Cell: p.cell, Line: p.line, Column: p.column, Text: fmt.Sprintf(format, args...)})
}

// err returns the problems as an error, or nil if there are none.
func (l *problemList) err() error {
	if len(l.list) == 0 {
		return nil
	}
	return append(l.list[:len(l.list):len(l.list)], l.more()...)
}

// more returns a remark if there were more problems than the list holds.
func (l *problemList) more() Problems {
	if l.dropped == 0 {
		return nil
	}
	return Problems{{File: l.file, Text: fmt.Sprintf("and %d more problems", l.dropped)}}
}
