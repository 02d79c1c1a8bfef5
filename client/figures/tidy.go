package figures

import (
	"fmt"
	"io"
	"sort"
	"strings"
)

// DefaultTidyCap is the largest value of a tidy table unless TidyOptions says otherwise.
const DefaultTidyCap = 1 << 40

// Bounds of a tidy table, far above the public ones, so that a hostile file cannot fill memory.
const (
	maxTidyOrganisations = 100_000
	maxTidyMetrics       = 1_000
	maxTidyCells         = 1_000_000
	maxNameBytes         = 400
)

// TidyOptions says how to read a tidy table. The zero value is useful.
type TidyOptions struct {
	File   string // name for problems
	Period string // rows of this period only; empty if the table has at most one
	Metric string // rows of this metric only; empty for all
	Cap    int64  // largest value allowed; 0 means DefaultTidyCap
}

// A Tidy is a table of counts: organisations × metrics, for one period.
type Tidy struct {
	Period        string   // empty if the table has no such column
	Metrics       []string // in order of first appearance; {"value"} if the table has no such column
	Organisations []Organisation
	// Notes are remarks for the reader of the result: what was read in a way that needs saying.
	Notes []string
}

// An Organisation is one row of a Tidy.
type Organisation struct {
	Name    string
	Values  []int64 // one per metric, 0 where Missing
	Missing []bool  // one per metric: the table says nothing
}

// Totals returns the sum of each metric over all organisations.
func (t *Tidy) Totals() map[string]int64 {
	totals := make(map[string]int64, len(t.Metrics))
	for m, metric := range t.Metrics {
		for _, o := range t.Organisations {
			totals[metric] += o.Values[m] // at most 10^5 values of at most 2^40: no overflow
		}
	}
	return totals
}

// ReadTidy reads a table that has one count per line: CSV as in RFC 4180, UTF-8 with or without byte
// order mark, separated by comma or semicolon, with a header that names the columns `organisation` and `value`
// and, if there are several, `metric` and `period`. Other columns are ignored. Organisations come in order of first appearance.
//
// An organisation without a line for a metric contributes 0 to it; Missing marks it and Notes says so.
// An error of type Problems lists everything wrong with the file; any other error is the reader's.
func ReadTidy(r io.Reader, opts TidyOptions) (*Tidy, error) {
	if opts.Cap <= 0 {
		opts.Cap = DefaultTidyCap
	}
	problems := &problemList{file: opts.File}
	rows, err := newCSVReader(r, problems)
	if err != nil {
		return nil, err
	}
	t := &tidyReader{opts: opts, rows: rows, problems: problems,
		organisations: map[string]int{}, metrics: map[string]int{}, periods: map[string]int{}}
	if err := t.readHeader(); err != nil {
		return nil, err
	}
	if err := t.readRows(); err != nil {
		return nil, err
	}
	return t.finish()
}

type tidyReader struct {
	opts     TidyOptions
	rows     *csvReader
	problems *problemList

	width                                int // fields in the header
	organisation, value, metric, period  int // field numbers, -1 if absent
	organisations, metrics, periods      map[string]int
	organisationNames, metricNames, seen []string // seen: periods
	cells                                []tidyCell
	first                                map[cellKey]int32 // line
	otherMetrics                         int               // rows of metrics that were not asked for
}

type cellKey struct{ organisation, metric int32 }

type tidyCell struct {
	key   cellKey
	value int64
}

func (t *tidyReader) readHeader() error {
	row, err := t.rows.next()
	if err == io.EOF {
		t.problems.add(0, 0, "file has no header; the first line names the columns, among them organisation and value")
		return t.problems.err()
	}
	if err != nil {
		return err
	}
	fields := t.rows.header(row, "organisation", "value")
	field := func(name string) int {
		if i, ok := fields[name]; ok {
			return i
		}
		return -1
	}
	t.organisation, t.value, t.metric, t.period = field("organisation"), field("value"), field("metric"), field("period")
	t.width = len(row.fields)
	t.first = map[cellKey]int32{}
	if t.period < 0 && t.opts.Period != "" {
		t.problems.add(row.line, 0, "column %q is missing, so period %s cannot be chosen", "period", quote(t.opts.Period))
	}
	return t.problems.err()
}

func (t *tidyReader) readRows() error {
	for {
		row, err := t.rows.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if len(row.fields) != t.width {
			t.problems.add(row.line, 0, "row has %d fields, the header %d; a field that contains a separator must stand in quotation marks", len(row.fields), t.width)
			continue
		}
		if err := t.readRow(row); err != nil {
			return err
		}
	}
}

func (t *tidyReader) readRow(row csvRow) error {
	good := true
	name := func(field int, what string) string {
		if field < 0 {
			return ""
		}
		s := strings.TrimSpace(row.fields[field])
		switch {
		case s == "":
			t.problems.add(row.line, row.columns[field], "%s is blank", what)
			good = false
		case len(s) > maxNameBytes || !plainName(s):
			t.problems.add(row.line, row.columns[field], "%s %s is longer than %d bytes or has characters that do not print", what, quote(s), maxNameBytes)
			good = false
		}
		return s
	}
	if t.period >= 0 {
		// Periods are counted even where others are read, so that a wrong choice can be explained.
		period := name(t.period, "period")
		if good {
			if _, known := t.periods[period]; !known && len(t.seen) < maxTidyMetrics {
				t.periods[period] = row.line
				t.seen = append(t.seen, period)
			}
		}
		if t.opts.Period != "" && period != t.opts.Period {
			return nil
		}
	}
	organisation, metric := name(t.organisation, "organisation"), "value"
	if t.metric >= 0 {
		metric = name(t.metric, "metric")
		if good && t.opts.Metric != "" && metric != t.opts.Metric {
			t.otherMetrics++
			return nil
		}
	}
	value, complaint := parseCount(row.fields[t.value], t.opts.Cap)
	if complaint != "" {
		t.problems.add(row.line, row.columns[t.value], "value %s", complaint)
	}
	if !good {
		return nil
	}

	o := number(t.organisations, &t.organisationNames, organisation)
	m := number(t.metrics, &t.metricNames, metric)
	if len(t.organisationNames) > maxTidyOrganisations || len(t.metricNames) > maxTidyMetrics ||
		len(t.organisationNames)*len(t.metricNames) > maxTidyCells {
		return fmt.Errorf("%s: line %d: more than %d organisations, %d metrics or %d values in all", t.opts.File, row.line,
			maxTidyOrganisations, maxTidyMetrics, maxTidyCells)
	}
	key := cellKey{organisation: int32(o), metric: int32(m)}
	if line, twice := t.first[key]; twice {
		if t.opts.Period == "" && len(t.seen) > 1 {
			return nil // several periods are one problem, not one per organisation
		}
		if t.metric >= 0 {
			t.problems.add(row.line, row.columns[t.organisation], "organisation %s has metric %s already in line %d", quote(organisation), quote(metric), line)
		} else {
			t.problems.add(row.line, row.columns[t.organisation], "organisation %s stands already in line %d", quote(organisation), line)
		}
		return nil
	}
	t.first[key] = int32(row.line)
	if complaint == "" {
		t.cells = append(t.cells, tidyCell{key: key, value: value})
	}
	return nil
}

func (t *tidyReader) finish() (*Tidy, error) {
	result := &Tidy{Period: t.opts.Period, Metrics: t.metricNames}
	switch {
	case t.opts.Period != "" && t.periods[t.opts.Period] == 0 && len(t.seen) > 0:
		t.problems.add(0, 0, "period %s does not occur; the file has %s", quote(t.opts.Period), someOf(t.seen))
	case t.opts.Period == "" && len(t.seen) > 1:
		t.problems.add(t.periods[t.seen[1]], 0, "file has %d periods, %s; choose one", len(t.seen), someOf(t.seen))
	case t.opts.Period == "" && len(t.seen) == 1:
		result.Period = t.seen[0]
	}
	if len(t.organisationNames) == 0 && t.otherMetrics > 0 {
		t.problems.add(0, 0, "metric %s does not occur in the %d rows that were read", quote(t.opts.Metric), t.otherMetrics)
	}
	if len(t.organisationNames) == 0 && len(t.problems.list) == 0 {
		t.problems.add(0, 0, "file has a header and no rows")
	}
	if err := t.problems.err(); err != nil {
		return nil, err
	}

	width := len(t.metricNames)
	values, missing := make([]int64, width*len(t.organisationNames)), make([]bool, width*len(t.organisationNames))
	for i := range missing {
		missing[i] = true
	}
	for _, c := range t.cells {
		at := int(c.key.organisation)*width + int(c.key.metric)
		values[at], missing[at] = c.value, false
	}
	result.Organisations = make([]Organisation, len(t.organisationNames))
	for i, name := range t.organisationNames {
		from, to := i*width, (i+1)*width
		result.Organisations[i] = Organisation{Name: name, Values: values[from:to:to], Missing: missing[from:to:to]}
	}
	for m, metric := range t.metricNames {
		absent := 0
		for _, o := range result.Organisations {
			if o.Missing[m] {
				absent++
			}
		}
		if absent > 0 {
			result.Notes = append(result.Notes, fmt.Sprintf("metric %s: %d of %d organisations have no line and count as 0",
				quote(metric), absent, len(result.Organisations)))
		}
	}
	return result, nil
}

// number returns the index of name in names, adding it if it is new.
func number(index map[string]int, names *[]string, name string) int {
	i, ok := index[name]
	if !ok {
		i = len(*names)
		index[name] = i
		*names = append(*names, name)
	}
	return i
}

// someOf lists up to ten names in order.
func someOf(names []string) string {
	sorted := make([]string, len(names))
	copy(sorted, names)
	sort.Strings(sorted)
	more := ""
	if len(sorted) > 10 {
		more = fmt.Sprintf(" and %d more", len(sorted)-10)
		sorted = sorted[:10]
	}
	for i := range sorted {
		sorted[i] = quote(sorted[i])
	}
	return strings.Join(sorted, ", ") + more
}
