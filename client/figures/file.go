package figures

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"candor/schema/metric"
)

// maxFileBytes bounds a figures file of either form. A full one has 200 kB as CSV and 100 kB as XLSX.
const maxFileBytes = maxCSVBytes

// Options say what a figures file is read for.
type Options struct {
	File      string            // name for problems
	Catalogue *metric.Catalogue // required
	Round     string            // that the file must be for; empty accepts any
	// Instruments are those of the round, by id; nil means all of the catalogue. The file may leave some out.
	Instruments []string
}

// A File is a member's figures file, read. It holds the member's true values.
type File struct {
	Name        string
	Round       string
	Instruments []string          // that the file has, in the order of the catalogue
	Figures     metric.Figures    // entries without anything wrong in them
	Reasons     map[string]string // typed by the member to explain a metric, by the metric's path; they stay with the member
	Notes       []string          // what was read in a way that needs saying

	catalogue *metric.Catalogue
	problems  *problemList
	states    map[string]place // of the line of a metric's state, by path
	values    map[metric.Cell]place
	bad       map[string]bool // paths of metrics with a problem in them
}

// Read reads a figures file, CSV or XLSX, whichever it is. What is wrong with its content is kept for Check, so that every error is
// reported at once; the error returned is the reader's own.
func Read(r io.Reader, opts Options) (*File, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxFileBytes+1))
	if err != nil {
		return nil, fmt.Errorf("reading figures: %w", err)
	}
	f := &File{Name: opts.File, Figures: metric.Figures{}, Reasons: map[string]string{}, catalogue: opts.Catalogue, problems: &problemList{file: opts.File},
		states: map[string]place{}, values: map[metric.Cell]place{}, bad: map[string]bool{}}
	a := &assembly{file: f, opts: opts, seen: map[[3]string]place{}, metrics: map[string]*gathered{}}
	switch {
	case len(data) > maxFileBytes:
		f.problems.at(place{}, "file is larger than %d MiB, the most that is read", maxFileBytes>>20)
		a.unreadable = true
	case bytes.HasPrefix(data, []byte("PK\x03\x04")):
		readXLSX(data, a)
	case bytes.HasPrefix(data, []byte("\xd0\xcf\x11\xe0")):
		f.problems.at(place{}, "file is an old .xls workbook, or one with a password; save it as .xlsx without password")
		a.unreadable = true
	default:
		readCSVFigures(data, a)
	}
	if !a.unreadable {
		a.finish()
	}
	return f, nil
}

// Example sentences in errors show the form of the file.
const csvHeader = "instrument,metric,cell,value"

func readCSVFigures(data []byte, a *assembly) {
	rows, err := newCSVReader(bytes.NewReader(data), a.file.problems)
	if err != nil {
		a.unreadable = true
		return
	}
	row, err := rows.next()
	if err != nil {
		a.file.problems.at(place{}, "file has no header; the first line is %s,…", csvHeader)
		a.unreadable = true
		return
	}
	before := len(a.file.problems.list)
	fields := rows.header(row, "instrument", "metric", "cell", "value")
	if len(a.file.problems.list) > before {
		a.unreadable = true
		return
	}
	reason, hasReason := fields["reason"]
	width := len(row.fields)
	for {
		before := a.file.problems.count()
		row, err := rows.next()
		if a.file.problems.count() > before {
			a.damaged = true // a row was lost
		}
		if err != nil {
			return
		}
		if len(row.fields) != width {
			a.file.problems.add(row.line, 0, "row has %d fields, the header %d; a field that contains a separator must stand in quotation marks", len(row.fields), width)
			a.damaged = true
			continue
		}
		at := func(field int) place { return place{line: row.line, column: row.columns[field]} }
		r := record{
			instrument: strings.TrimSpace(row.fields[fields["instrument"]]), metric: strings.TrimSpace(row.fields[fields["metric"]]),
			cell: strings.TrimSpace(row.fields[fields["cell"]]), value: strings.TrimSpace(row.fields[fields["value"]]),
			at: at(fields["instrument"]), valueAt: at(fields["value"]),
		}
		if hasReason {
			r.reason = strings.TrimSpace(row.fields[reason])
		}
		a.add(r)
	}
}
