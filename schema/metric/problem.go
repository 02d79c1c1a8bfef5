package metric

import (
	"fmt"
	"strings"
)

// maxProblems bounds how many problems one reading reports.
const maxProblems = 200

// A Problem is one thing wrong in a catalogue file.
type Problem struct {
	Line, Column int    // from 1; 0 if the problem belongs to the whole file
	Text         string // what is wrong and what to do
	Source       string // the line of the file, "" if there is none
}

// String returns `line:column: text` and, below it, the line with a caret at the column.
func (p Problem) String() string {
	if p.Line == 0 {
		return p.Text
	}
	s := fmt.Sprintf("%d:%d: %s", p.Line, p.Column, p.Text)
	if p.Source == "" {
		return s
	}
	gutter := fmt.Sprintf("> %4d | ", p.Line)
	return fmt.Sprintf("%s\n%s%s\n%s^", s, gutter, p.Source, strings.Repeat(" ", len(gutter)+p.Column-1))
}

// Problems is every problem found in a catalogue file, in the order of the file where they have a place in it.
type Problems []Problem

// Error returns all problems.
func (ps Problems) Error() string {
	texts := make([]string, len(ps))
	for i, p := range ps {
		texts[i] = p.String()
	}
	return strings.Join(texts, "\n")
}
