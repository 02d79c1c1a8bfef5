package release

import (
	"errors"
	"fmt"
)

// A CodeBookEntry says in words what a figure or ratio counts. Metric is the ratio's identifier for a ratio.
type CodeBookEntry struct {
	Instrument string
	Metric     string
	Cell       string
	Label      string
	Unit       string
	Definition string
}

var codeBookColumns = [...]string{"instrument", "metric", "cell", "label", "unit", "definition"}

func (e CodeBookEntry) name() string { return Key{"", e.Instrument, e.Metric, e.Cell}.String()[1:] }

// CheckCodeBook reports unusable names, missing words and entries that appear twice, all at once.
func CheckCodeBook(entries []CodeBookEntry) error {
	var errs []error
	seen := make(map[string]bool, len(entries))
	for _, e := range entries {
		for _, n := range [...]string{e.Instrument, e.Metric, e.Cell} {
			if err := checkName(n); err != nil {
				errs = append(errs, fmt.Errorf("code book entry %s: %q %w", e.name(), n, err))
			}
		}
		for _, text := range [...]string{e.Label, e.Unit, e.Definition} {
			if err := checkText(text); err != nil {
				errs = append(errs, fmt.Errorf("code book entry %s: a text %w", e.name(), err))
			}
		}
		if e.Instrument == "" || e.Metric == "" || e.Label == "" || e.Definition == "" {
			errs = append(errs, fmt.Errorf("code book entry %s: instrument, metric, label and definition are needed", e.name()))
		}
		if seen[e.name()] {
			errs = append(errs, fmt.Errorf("code book entry %s: appears twice", e.name()))
		}
		seen[e.name()] = true
	}
	return errors.Join(errs...)
}

// EncodeCodeBook returns the entries in the form that EncodeCSV gives to figures.
func EncodeCodeBook(entries []CodeBookEntry) ([]byte, error) {
	if err := CheckCodeBook(entries); err != nil {
		return nil, err
	}
	rows := [][]string{codeBookColumns[:]}
	for _, e := range entries {
		rows = append(rows, []string{e.Instrument, e.Metric, e.Cell, e.Label, e.Unit, e.Definition})
	}
	return encodeRows(rows)
}

// ParseCodeBook parses what EncodeCodeBook wrote and nothing else.
func ParseCodeBook(b []byte) ([]CodeBookEntry, error) {
	rows, err := parseRows(b, codeBookColumns[:])
	if err != nil {
		return nil, fmt.Errorf("parsing code book: %w", err)
	}
	entries := make([]CodeBookEntry, 0, len(rows))
	for _, row := range rows {
		entries = append(entries, CodeBookEntry{row[0], row[1], row[2], row[3], row[4], row[5]})
	}
	if err := checkEncoding(b, entries, EncodeCodeBook); err != nil {
		return nil, fmt.Errorf("parsing code book: %w", err)
	}
	return entries, nil
}
