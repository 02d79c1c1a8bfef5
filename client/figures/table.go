package figures

import (
	"slices"
	"strconv"
	"strings"
)

// headerRows is in how many rows from the top the header of a sheet is looked for.
const headerRows = 20

// A table is a sheet that is being read: a header row that names the columns, and records below it.
type table struct {
	workbook *workbook
	columns  map[string]int // of the header, by name
	header   int            // its row; 0 before it was found
	tried    int
	merged   []span
	lost     bool // merges beyond what is kept
}

// A span is a range of merged cells, of columns from 0 and rows from 1.
type span struct {
	ref         string
	left, right int
	top, bottom int
}

// row takes a row that has something in it.
func (t *table) row(number int, cells []sheetCell) {
	if t.header == 0 {
		t.findHeader(number, cells)
		return
	}
	p := t.workbook.assembly.file.problems
	sheet := t.workbook.sheet
	at := func(column int) place { return place{sheet: sheet, cell: cellName(column, number)} }
	texts := map[string]string{}
	spoiled := false
	for _, name := range []string{"metric", "cell", "value", "reason"} {
		column, ok := t.columns[name]
		if !ok {
			continue
		}
		i := slices.IndexFunc(cells, func(c sheetCell) bool { return c.column == column })
		if i < 0 {
			continue
		}
		switch c := cells[i]; {
		case c.formula:
			p.at(at(column), "cell has a formula; copy it and paste its value, so that what is sent is what you see")
			spoiled = true
		case c.invalid != "":
			p.at(at(column), "cell %s", c.invalid)
			spoiled = true
		default:
			texts[name] = strings.TrimSpace(c.text)
		}
	}
	r := record{instrument: sheet, metric: texts["metric"], cell: texts["cell"], value: texts["value"], reason: texts["reason"],
		at: at(t.columns["metric"]), valueAt: at(t.columns["value"])}
	switch {
	case spoiled && r.metric != "":
		t.workbook.assembly.spoilLine(r)
	case spoiled:
		t.workbook.assembly.damaged = true
	case r.metric == "" && r.cell == "" && r.value == "":
		// a line for people
	case r.metric == "":
		p.at(r.at, "line has no metric")
		t.workbook.assembly.damaged = true
	default:
		t.workbook.assembly.add(r)
	}
}

func (t *table) findHeader(number int, cells []sheetCell) {
	t.tried++
	columns := map[string]int{}
	for _, c := range cells {
		name := strings.ToLower(strings.TrimSpace(c.text))
		if _, twice := columns[name]; !twice {
			columns[name] = c.column
		}
	}
	_, hasMetric := columns["metric"]
	_, hasValue := columns["value"]
	_, hasCell := columns["cell"]
	if hasMetric && hasValue && (hasCell || t.workbook.sheet == fileInstrument) && t.tried <= headerRows {
		t.header, t.columns = number, columns
	}
}

// merge notes a range of merged cells.
func (t *table) merge(ref string) {
	from, to, ok := strings.Cut(ref, ":")
	if !ok {
		to = from
	}
	left, ok1 := columnOf(from)
	right, ok2 := columnOf(to)
	top, err1 := strconv.Atoi(strings.TrimLeft(from, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
	bottom, err2 := strconv.Atoi(strings.TrimLeft(to, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
	if !ok1 || !ok2 || err1 != nil || err2 != nil {
		return
	}
	if len(t.merged) >= maxProblems {
		t.lost = true
		return
	}
	t.merged = append(t.merged, span{ref: ref, left: left, right: right, top: top, bottom: bottom})
}

// finish reports what can be said only when the sheet has ended.
func (t *table) finish() {
	p := t.workbook.assembly.file.problems
	sheet := t.workbook.sheet
	if t.header == 0 {
		p.at(place{sheet: sheet}, "sheet has no header; one of its first rows has the cells metric, cell, value and reason")
		t.workbook.assembly.damaged = true
		return
	}
	for _, m := range t.merged {
		for _, name := range []string{"metric", "cell", "value"} {
			column, ok := t.columns[name]
			if ok && m.left <= column && column <= m.right && m.bottom > t.header && (m.left != m.right || m.top != m.bottom) {
				p.at(place{sheet: sheet, cell: m.ref}, "cells are merged over column %s, so that it is not clear to which line their value belongs; unmerge them", name)
				break
			}
		}
	}
	if t.lost {
		p.at(place{sheet: sheet}, "sheet has more than %d ranges of merged cells; unmerge them", maxProblems)
	}
}
