package figures

import (
	"fmt"
	"strings"
)

// maxProblems bounds how many problems one reading reports, so that a hostile or hopeless file cannot fill memory.
const maxProblems = 1000

// A Problem is one thing wrong in a file.
type Problem struct {
	File string // as the caller named it; may be empty
	// Line and Column count from 1; Column counts characters. Zero means that the problem
	// belongs to the whole line, or the whole file.
	Line, Column int
	Text         string // what is wrong and what to do, without position, one line
}

// String returns `file:line:column: text`, leaving out what is unknown.
func (p Problem) String() string {
	var b strings.Builder
	if p.File != "" {
		b.WriteString(p.File)
		b.WriteByte(':')
	}
	if p.Line > 0 {
		fmt.Fprintf(&b, "%d:", p.Line)
		if p.Column > 0 {
			fmt.Fprintf(&b, "%d:", p.Column)
		}
	}
	if b.Len() > 0 {
		b.WriteByte(' ')
	}
	b.WriteString(p.Text)
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

// A problemList collects problems of one file up to maxProblems.
type problemList struct {
	file    string
	list    Problems
	dropped int
}

func (l *problemList) add(line, column int, format string, args ...any) {
	if len(l.list) >= maxProblems {
		l.dropped++
		return
	}
	l.list = append(l.list, Problem{File: l.file, Line: line, Column: column, Text: fmt.Sprintf(format, args...)})
}

// err returns the problems as an error, or nil if there are none.
func (l *problemList) err() error {
	if len(l.list) == 0 {
		return nil
	}
	if l.dropped > 0 {
		return append(l.list[:len(l.list):len(l.list)], Problem{File: l.file, Text: fmt.Sprintf("and %d more problems", l.dropped)})
	}
	return l.list
}
