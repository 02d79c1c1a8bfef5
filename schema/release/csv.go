package release

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"strconv"
)

var columns = [...]string{
	"round", "instrument", "metric", "cell", "value", "ci_low", "ci_high", "noise_sd", "contributors", "status",
}

// Columns returns the columns of a figures file, in order. The caller owns the slice.
func Columns() []string { return append([]string(nil), columns[:]...) }

// EncodeCSV returns the figures as CSV: UTF-8 without a byte-order mark, a header line, RFC 4180 quoting only
// where a field needs it, lines that end with a line feed, and an empty field where a number is not shown.
// Rows keep their order. It refuses what CheckFigures refuses.
func EncodeCSV(figures []Figure) ([]byte, error) {
	if err := CheckFigures(figures); err != nil {
		return nil, err
	}
	rows := make([][]string, 0, len(figures)+1)
	rows = append(rows, columns[:])
	for _, f := range figures {
		rows = append(rows, []string{
			f.Round, f.Instrument, f.Metric, f.Cell, formatInt(f.Value), formatInt(f.CILow), formatInt(f.CIHigh),
			formatFloat(f.NoiseSD), strconv.Itoa(f.Contributors), string(f.Status),
		})
	}
	return encodeRows(rows)
}

// ParseCSV parses what EncodeCSV wrote and nothing else: other columns, other number forms, other quoting or
// line ends are errors that name the line.
func ParseCSV(b []byte) ([]Figure, error) {
	rows, err := parseRows(b, columns[:])
	if err != nil {
		return nil, fmt.Errorf("parsing figures: %w", err)
	}
	figures := make([]Figure, 0, len(rows))
	for i, row := range rows {
		line := i + 2
		f := Figure{Round: row[0], Instrument: row[1], Metric: row[2], Cell: row[3], Status: Status(row[9])}
		var errs [5]error
		f.Value, errs[0] = parseInt(row[4])
		f.CILow, errs[1] = parseInt(row[5])
		f.CIHigh, errs[2] = parseInt(row[6])
		f.NoiseSD, errs[3] = strconv.ParseFloat(row[7], 64)
		f.Contributors, errs[4] = strconv.Atoi(row[8])
		for j, err := range errs {
			if err != nil {
				return nil, fmt.Errorf("parsing figures: line %d, column %s: unreadable number %q", line, columns[4+j], row[4+j])
			}
		}
		figures = append(figures, f)
	}
	if err := checkEncoding(b, figures, EncodeCSV); err != nil {
		return nil, fmt.Errorf("parsing figures: %w", err)
	}
	return figures, nil
}

// encodeRows writes rows as CSV with line feeds.
func encodeRows(rows [][]string) ([]byte, error) {
	var buf bytes.Buffer
	w := csv.NewWriter(&buf)
	if err := w.WriteAll(rows); err != nil {
		return nil, fmt.Errorf("encoding CSV: %w", err)
	}
	return buf.Bytes(), nil
}

// parseRows reads CSV whose header must be want, and returns the rows below it.
func parseRows(b []byte, want []string) ([][]string, error) {
	r := csv.NewReader(bytes.NewReader(b))
	r.FieldsPerRecord = len(want)
	rows, err := r.ReadAll()
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, errors.New("the file is empty; it begins with a header line")
	}
	for i, name := range rows[0] {
		if name != want[i] {
			return nil, fmt.Errorf("line 1: column %d is %q, not %q", i+1, name, want[i])
		}
	}
	return rows[1:], nil
}

// checkEncoding checks what was parsed from b and that it encodes to b again.
func checkEncoding[T any](b []byte, v T, encode func(T) ([]byte, error)) error {
	again, err := encode(v)
	if err != nil {
		return err
	}
	if bytes.Equal(b, again) {
		return nil
	}
	line := 1
	for i := 0; i < len(b) && i < len(again) && b[i] == again[i]; i++ {
		if b[i] == '\n' {
			line++
		}
	}
	return fmt.Errorf("line %d: not in the one form in which this file is written", line)
}

func formatInt(v *int64) string {
	if v == nil {
		return ""
	}
	return strconv.FormatInt(*v, 10)
}

func parseInt(s string) (*int64, error) {
	if s == "" {
		return nil, nil
	}
	v, err := strconv.ParseInt(s, 10, 64)
	return &v, err
}

// formatFloat writes the shortest decimal that reads back as f, never with an exponent. For the range that
// Check allows it is what encoding/json writes, too.
func formatFloat(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
