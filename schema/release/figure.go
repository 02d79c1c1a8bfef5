package release

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxValue bounds the magnitude of every published number, so that a reader whose numbers are IEEE doubles
// (JavaScript, most spreadsheets) reads it exactly.
const MaxValue = 1<<53 - 1

// maxName bounds the bytes of an identifier.
const maxName = 200

// A Key names a figure. No two figures of a release have the same Key.
type Key struct {
	Round      string
	Instrument string
	Metric     string
	Cell       string // "" is the metric as a whole
}

// String is the key for people, in error texts and page anchors.
func (k Key) String() string {
	s := k.Round + "/" + k.Instrument + "/" + k.Metric
	if k.Cell != "" {
		s += "/" + k.Cell
	}
	return s
}

// A Figure is one row of a release: a sum over members, estimated from noisy contributions.
type Figure struct {
	Round      string `json:"round"`
	Instrument string `json:"instrument"`
	Metric     string `json:"metric"`
	Cell       string `json:"cell"`

	// Value is the estimate in the metric's unit; it may be negative, since noise is. CILow and CIHigh are
	// the bounds, both included, of its 95 % interval. Nil means not shown; Status says why.
	Value  *int64 `json:"value"`
	CILow  *int64 `json:"ci_low"`
	CIHigh *int64 `json:"ci_high"`

	// NoiseSD is the standard deviation of all noise in the figure, a public constant of the mechanism and the
	// number of contributors: 0 (no noise, or not known) or from 1e-6 to 1e15.
	NoiseSD float64 `json:"noise_sd"`

	// Contributors is the number of organisations whose contributions were counted.
	Contributors int    `json:"contributors"`
	Status       Status `json:"status"`
}

// Key returns the figure's key.
func (f Figure) Key() Key { return Key{f.Round, f.Instrument, f.Metric, f.Cell} }

// Check reports, all at once, what keeps f from being published: unusable names, numbers that do not go with
// the status, an interval that does not hold the value.
func (f Figure) Check() error {
	var errs []error
	add := func(format string, a ...any) {
		errs = append(errs, fmt.Errorf("figure %s: "+format, append([]any{f.Key()}, a...)...))
	}
	if err := checkNames(f.Key(), "metric"); err != nil {
		add("%w", err)
	}
	switch {
	case !f.Status.Valid() || f.Status.ForRatio():
		add("unknown status %q; a figure has one of %s", f.Status, figureStatuses())
	case f.Status.Open():
		if f.Value == nil || f.CILow == nil || f.CIHigh == nil {
			add("status %s needs value, ci_low and ci_high", f.Status)
		} else if *f.CILow > *f.Value || *f.Value > *f.CIHigh {
			add("the interval %d to %d does not hold the value %d", *f.CILow, *f.CIHigh, *f.Value)
		}
	case f.Status == Coarsened:
		if f.Value != nil || f.CILow == nil || f.CIHigh == nil {
			add("status %s needs ci_low and ci_high and no value", f.Status)
		} else if *f.CILow > *f.CIHigh {
			add("the bounds %d and %d are the wrong way round", *f.CILow, *f.CIHigh)
		}
	case f.Value != nil || f.CILow != nil || f.CIHigh != nil:
		add("status %s allows no number in value, ci_low and ci_high", f.Status)
	}
	for _, v := range [...]*int64{f.Value, f.CILow, f.CIHigh} {
		if v != nil && (*v > MaxValue || *v < -MaxValue) {
			add("%d is beyond ±(2^53−1), which readers' programs could not hold", *v)
		}
	}
	if err := checkSD(f.NoiseSD); err != nil {
		add("%w", err)
	}
	if f.Contributors < 0 || f.Contributors > math.MaxInt32 {
		add("contributors is %d; it is a number of organisations", f.Contributors)
	}
	return errors.Join(errs...)
}

// CheckFigures checks every figure and that no key appears twice, all errors at once.
func CheckFigures(figures []Figure) error {
	return checkAll("figure", figures)
}

// checkAll checks each row, and that no key appears twice.
func checkAll[T interface {
	Check() error
	Key() Key
}](kind string, rows []T) error {
	var errs []error
	seen := make(map[Key]bool, len(rows))
	for _, r := range rows {
		errs = append(errs, r.Check())
		if seen[r.Key()] {
			errs = append(errs, fmt.Errorf("%s %s: appears twice", kind, r.Key()))
		}
		seen[r.Key()] = true
	}
	return errors.Join(errs...)
}

// checkNames checks the four names of a row; metric is what its third column is called.
func checkNames(k Key, metric string) error {
	var errs []error
	for _, n := range [...]struct{ column, name string }{
		{"round", k.Round}, {"instrument", k.Instrument}, {metric, k.Metric}, {"cell", k.Cell},
	} {
		if n.name == "" && n.column != "cell" {
			errs = append(errs, fmt.Errorf("%s is empty", n.column))
		} else if err := checkName(n.name); err != nil {
			errs = append(errs, fmt.Errorf("%s %q %w", n.column, n.name, err))
		}
	}
	return errors.Join(errs...)
}

func checkSD(sd float64) error {
	if sd == 0 && !math.Signbit(sd) || sd >= 1e-6 && sd <= 1e15 {
		return nil
	}
	return fmt.Errorf("noise_sd is %v; it is 0 or from 1e-6 to 1e15", sd)
}

// maxText bounds the bytes of a text for people.
const maxText = 4000

// checkText accepts a text for people on one line.
func checkText(s string) error {
	if len(s) > maxText {
		return fmt.Errorf("is longer than %d bytes", maxText)
	}
	if !utf8.ValidString(s) {
		return errors.New("is not UTF-8")
	}
	for _, r := range s {
		if !unicode.IsPrint(r) {
			return fmt.Errorf("holds the unprintable character %U", r)
		}
	}
	return nil
}

// checkName accepts what is safe in a file that spreadsheets open: no control or invisible formatting
// characters, no space at the ends, and no first character that makes a spreadsheet take the field for a
// formula.
func checkName(s string) error {
	switch {
	case len(s) > maxName:
		return fmt.Errorf("is longer than %d bytes", maxName)
	case strings.TrimSpace(s) != s:
		return errors.New("begins or ends with a space")
	case s != "" && strings.ContainsRune("=+-@", rune(s[0])):
		return errors.New("begins with a character that a spreadsheet would run as a formula")
	}
	return checkText(s)
}

func figureStatuses() string {
	var names []string
	for _, s := range Statuses() {
		if !s.ForRatio() {
			names = append(names, string(s))
		}
	}
	return strings.Join(names, ", ")
}
