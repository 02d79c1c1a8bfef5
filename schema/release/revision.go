package release

import (
	"errors"
	"fmt"
	"time"
)

// A Revision is one entry of the revision log: the first publication, and every later change of what was
// published. Figures are never changed without an entry.
type Revision struct {
	Number int    `json:"revision"` // 1 is the first publication; then 2, 3, …
	Date   string `json:"date"`     // "2026-05-04"
	What   string `json:"what"`     // what changed, in a sentence
	Why    string `json:"why"`      // why it changed, in a sentence

	// Figures are the figures that changed. Empty in entry 1 and where only words changed.
	Figures []RevisedFigure `json:"figures"`
}

// A RevisedFigure names a figure with its value before and after: nil is "not shown".
type RevisedFigure struct {
	Round      string `json:"round"`
	Instrument string `json:"instrument"`
	Metric     string `json:"metric"`
	Cell       string `json:"cell"`
	Before     *int64 `json:"before"`
	After      *int64 `json:"after"`
}

// Key names the figure.
func (f RevisedFigure) Key() Key { return Key{f.Round, f.Instrument, f.Metric, f.Cell} }

// CheckRevisions reports, all at once, gaps in the numbering, dates that are no dates or run backwards, and
// entries without words.
func CheckRevisions(log []Revision) error {
	var errs []error
	last := ""
	for i, r := range log {
		add := func(format string, a ...any) {
			errs = append(errs, fmt.Errorf("revision %d: "+format, append([]any{r.Number}, a...)...))
		}
		if r.Number != i+1 {
			add("entry %d of the log has this number; entries are numbered from 1 without gaps", i+1)
		}
		if _, err := time.Parse(time.DateOnly, r.Date); err != nil {
			add("date %q is not written like 2026-05-04", r.Date)
		} else if r.Date < last {
			add("its date %s is before that of the entry above, %s", r.Date, last)
		}
		last = max(last, r.Date)
		for _, text := range [...]struct{ name, text string }{{"what", r.What}, {"why", r.Why}} {
			if text.text == "" {
				add("%s is empty", text.name)
			} else if err := checkText(text.text); err != nil {
				add("%s %w", text.name, err)
			}
		}
		if r.Figures == nil {
			add("figures is missing; an empty list says that none changed")
		}
		for _, f := range r.Figures {
			for _, name := range [...]string{f.Round, f.Instrument, f.Metric, f.Cell} {
				if err := checkName(name); err != nil {
					add("figure %s: %q %w", f.Key(), name, err)
				}
			}
			if f.Before == nil && f.After == nil {
				add("figure %s: shown neither before nor after", f.Key())
			}
		}
	}
	return errors.Join(errs...)
}

// EncodeRevisions returns the log as a JSON array with one entry per line.
func EncodeRevisions(log []Revision) ([]byte, error) {
	if err := CheckRevisions(log); err != nil {
		return nil, err
	}
	return encodeLines(log)
}

// ParseRevisions parses what EncodeRevisions wrote and nothing else.
func ParseRevisions(b []byte) ([]Revision, error) {
	return parseLines(b, "revision log", EncodeRevisions)
}

// Revise compares what was published with what is to be published and returns the changes for an entry, in the
// order of after, then what vanished in the order of before. Only numbers count as changes.
func Revise(before, after []Figure) []RevisedFigure {
	old := make(map[Key]*int64, len(before))
	for _, f := range before {
		old[f.Key()] = f.Value
	}
	changes := []RevisedFigure{}
	add := func(k Key, was, is *int64) {
		if (was == nil) != (is == nil) || was != nil && *was != *is {
			changes = append(changes, RevisedFigure{k.Round, k.Instrument, k.Metric, k.Cell, was, is})
		}
	}
	for _, f := range after {
		add(f.Key(), old[f.Key()], f.Value)
		delete(old, f.Key())
	}
	for _, f := range before {
		if was, gone := old[f.Key()]; gone {
			add(f.Key(), was, nil)
		}
	}
	return changes
}
