package release

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// A Share is a number between 0 and 1 in millionths. Ratios are released as Shares, not as floating-point
// numbers, so that every machine writes the same digits.
type Share int32

// One is the largest Share.
const One Share = 1_000_000

// String writes s with six decimals, "0.120000".
func (s Share) String() string { return fmt.Sprintf("%d.%06d", s/One, s%One) }

// ParseShare inverts String.
func ParseShare(text string) (Share, error) {
	whole, decimals, ok := strings.Cut(text, ".")
	if ok && len(whole) == 1 && len(decimals) == 6 {
		n, err := strconv.ParseUint(whole+decimals, 10, 31)
		if err == nil && Share(n) <= One {
			return Share(n), nil
		}
	}
	return 0, fmt.Errorf("unreadable share %q: it is written like 0.120000 and at most 1.000000", text)
}

// MarshalJSON writes s as a JSON number with six decimals.
func (s Share) MarshalJSON() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalJSON reads what MarshalJSON wrote.
func (s *Share) UnmarshalJSON(b []byte) (err error) {
	*s, err = ParseShare(string(b))
	return err
}

// A Ratio is one row of ratios.csv and ratios.json: a share computed from two sums of published figures, with
// its Fieller interval, clipped to 0 and 1. Its Status is Published, WithheldDenominator, WithheldUnbounded, or
// the status of a withheld figure that it would need.
type Ratio struct {
	Round      string `json:"round"`
	Instrument string `json:"instrument"`
	Ratio      string `json:"ratio"`
	Cell       string `json:"cell"`

	Value  *Share `json:"value"`
	CILow  *Share `json:"ci_low"`
	CIHigh *Share `json:"ci_high"`

	// Numerator and Denominator are the two sums in the unit of the figures: percentages always come with both
	// counts. Nil where the ratio is not shown.
	Numerator   *int64 `json:"numerator"`
	Denominator *int64 `json:"denominator"`
	Status      Status `json:"status"`
}

var ratioColumns = [...]string{
	"round", "instrument", "ratio", "cell", "value", "ci_low", "ci_high", "numerator", "denominator", "status",
}

// Key names the ratio; ratios and figures have keys of their own.
func (r Ratio) Key() Key { return Key{r.Round, r.Instrument, r.Ratio, r.Cell} }

// Check reports, all at once, what keeps r from being published.
func (r Ratio) Check() error {
	var errs []error
	add := func(format string, a ...any) {
		errs = append(errs, fmt.Errorf("ratio %s: "+format, append([]any{r.Key()}, a...)...))
	}
	if err := checkNames(r.Key(), "ratio"); err != nil {
		add("%w", err)
	}
	numbers := 0
	for _, set := range [...]bool{r.Value != nil, r.CILow != nil, r.CIHigh != nil, r.Numerator != nil, r.Denominator != nil} {
		if set {
			numbers++
		}
	}
	switch {
	case !r.Status.Valid() || r.Status == Few || r.Status == Coarsened:
		add("status %q is not one of a ratio", r.Status)
	case r.Status == Published && numbers != 5:
		add("status %s needs value, ci_low, ci_high, numerator and denominator", r.Status)
	case r.Status != Published && numbers != 0:
		add("status %s allows no number", r.Status)
	case r.Status == Published && (*r.CILow > *r.Value || *r.Value > *r.CIHigh || *r.CILow < 0 || *r.CIHigh > One):
		add("the interval %s to %s does not hold the value %s, or is not within 0 and 1", *r.CILow, *r.CIHigh, *r.Value)
	}
	for _, v := range [...]*int64{r.Numerator, r.Denominator} {
		if v != nil && (*v > MaxValue || *v < -MaxValue) {
			add("%d is beyond ±(2^53−1), which readers' programs could not hold", *v)
		}
	}
	return errors.Join(errs...)
}

// CheckRatios checks every ratio and that no key appears twice, all errors at once.
func CheckRatios(ratios []Ratio) error {
	return checkAll("ratio", ratios)
}

// EncodeRatiosCSV returns the ratios in the form that EncodeCSV gives to figures.
func EncodeRatiosCSV(ratios []Ratio) ([]byte, error) {
	if err := CheckRatios(ratios); err != nil {
		return nil, err
	}
	rows := [][]string{ratioColumns[:]}
	for _, r := range ratios {
		rows = append(rows, []string{
			r.Round, r.Instrument, r.Ratio, r.Cell, formatShare(r.Value), formatShare(r.CILow), formatShare(r.CIHigh),
			formatInt(r.Numerator), formatInt(r.Denominator), string(r.Status),
		})
	}
	return encodeRows(rows)
}

// ParseRatiosCSV parses what EncodeRatiosCSV wrote and nothing else.
func ParseRatiosCSV(b []byte) ([]Ratio, error) {
	rows, err := parseRows(b, ratioColumns[:])
	if err != nil {
		return nil, fmt.Errorf("parsing ratios: %w", err)
	}
	ratios := make([]Ratio, 0, len(rows))
	for i, row := range rows {
		r := Ratio{Round: row[0], Instrument: row[1], Ratio: row[2], Cell: row[3], Status: Status(row[9])}
		var errs [5]error
		r.Value, errs[0] = parseOptionalShare(row[4])
		r.CILow, errs[1] = parseOptionalShare(row[5])
		r.CIHigh, errs[2] = parseOptionalShare(row[6])
		r.Numerator, errs[3] = parseInt(row[7])
		r.Denominator, errs[4] = parseInt(row[8])
		for j, err := range errs {
			if err != nil {
				return nil, fmt.Errorf("parsing ratios: line %d, column %s: unreadable number %q", i+2, ratioColumns[4+j], row[4+j])
			}
		}
		ratios = append(ratios, r)
	}
	if err := checkEncoding(b, ratios, EncodeRatiosCSV); err != nil {
		return nil, fmt.Errorf("parsing ratios: %w", err)
	}
	return ratios, nil
}

// EncodeRatiosJSON returns the ratios in the form that EncodeJSON gives to figures.
func EncodeRatiosJSON(ratios []Ratio) ([]byte, error) {
	if err := CheckRatios(ratios); err != nil {
		return nil, err
	}
	return encodeLines(ratios)
}

// ParseRatiosJSON parses what EncodeRatiosJSON wrote and nothing else.
func ParseRatiosJSON(b []byte) ([]Ratio, error) {
	return parseLines(b, "ratios", EncodeRatiosJSON)
}

func formatShare(s *Share) string {
	if s == nil {
		return ""
	}
	return s.String()
}

func parseOptionalShare(text string) (*Share, error) {
	if text == "" {
		return nil, nil
	}
	s, err := ParseShare(text)
	return &s, err
}
