package metric

import (
	"fmt"
	"strconv"
	"strings"
)

// Figures are one member's true values: an entry for each metric of the instruments that it contributes, by the metric's path.
type Figures map[string]Entry

// An Entry is the state of a metric and, if that is measured or estimated, the values of its cells in the order of Metric.Cells:
// counts from 0 to Max, or answers as 0 and 1.
type Entry struct {
	State  State
	Values []int64
}

// Total returns the sum of the values.
func (e Entry) Total() int64 {
	var total int64
	for _, v := range e.Values {
		total += v
	}
	return total
}

// A Violation is a rule that figures break, for one code if the rule has [*].
type Violation struct {
	Rule        *Rule
	Code        string // "" without [*]
	Left, Right Side   // more than, or not equal to
}

// A Side is one side of a rule with its numbers.
type Side struct {
	Terms  []string // as written in the rule, with full paths; [*] is replaced by the code
	Cells  [][]Cell // of each term
	Values []int64  // of each term
	Sum    int64
	// Complete says that every term has a value. A term whose metric is not contributed counts as 0 and is left out above.
	Complete bool
}

// String returns the side with its numbers, as in "a + b is 1 + 2 = 3".
func (s Side) String() string {
	if len(s.Terms) == 1 {
		return fmt.Sprintf("%s is %d", s.Terms[0], s.Sum)
	}
	numbers := make([]string, len(s.Values))
	for i, v := range s.Values {
		numbers[i] = strconv.FormatInt(v, 10)
	}
	return fmt.Sprintf("%s is %s = %d", strings.Join(s.Terms, " + "), strings.Join(numbers, " + "), s.Sum)
}

// String says which numbers contradict each other and why.
func (v *Violation) String() string {
	relation := "and must not be more than that"
	switch {
	case !v.Rule.parsed.equal:
	case !v.Left.Complete || !v.Right.Complete:
		relation = "and must not be more than that even without the metrics that are not contributed"
	default:
		relation = "and must equal that"
	}
	return fmt.Sprintf("%s; %s %s: %s", v.Right, v.Left, relation, v.Rule.Why)
}

// Cells returns all cells of the violation, those of the side that is too large first.
func (v *Violation) Cells() []Cell {
	var cells []Cell
	for _, side := range []Side{v.Left, v.Right} {
		for _, c := range side.Cells {
			cells = append(cells, c...)
		}
	}
	return cells
}

// Check returns where f breaks the rule. Metrics that are not contributed have no value: a side that lacks one is at least the sum
// of the others, and the rule is broken only if that lower bound breaks it. f must be well-formed.
func (r *Rule) Check(f Figures) []Violation {
	codes := 1
	if r.parsed.each != nil {
		codes = len(r.parsed.each.Codes)
	}
	var broken []Violation
	for i := range codes {
		left, right := r.parsed.left.evaluate(f, i), r.parsed.right.evaluate(f, i)
		code := ""
		if r.parsed.each != nil {
			code = r.parsed.each.Codes[i].Code
		}
		if right.Complete && left.Sum > right.Sum {
			broken = append(broken, Violation{Rule: r, Code: code, Left: left, Right: right})
		} else if r.parsed.equal && left.Complete && right.Sum > left.Sum {
			broken = append(broken, Violation{Rule: r, Code: code, Left: right, Right: left})
		}
	}
	return broken
}

// Checkable reports whether f has the values that the rule needs to say anything.
func (r *Rule) Checkable(f Figures) bool {
	left, right := r.parsed.left.evaluate(f, 0), r.parsed.right.evaluate(f, 0)
	return right.Complete && len(left.Terms) > 0 || r.parsed.equal && left.Complete && len(right.Terms) > 0
}

// evaluate returns the side for one code of a sum with [*].
func (s sum) evaluate(f Figures, code int) Side {
	side := Side{Complete: true}
	for _, t := range s {
		e, ok := f[t.metric.Path()]
		if !ok || !e.State.Contributes() {
			side.Complete = false
			continue
		}
		name, cells := t.String(), t.metric.Cells()
		value := e.Total()
		switch {
		case t.each:
			cells, value = cells[code:code+1], e.Values[code]
			name = cells[0].String()
		case t.code != "":
			i := t.metric.codes.Index(t.code)
			cells, value = cells[i:i+1], e.Values[i]
		}
		side.Terms = append(side.Terms, name)
		side.Cells = append(side.Cells, cells)
		side.Values = append(side.Values, value)
		side.Sum += value
	}
	return side
}
