package release

import (
	"crypto/sha256"
	"errors"
	"fmt"
)

// An Earlier names a release that was published before, with which readers can compare this one, and says how the organisations behind the figures
// changed since. A bundle records every one that its decisions looked at.
type Earlier struct {
	Round    string `json:"round"`
	Document Digest `json:"document"` // SHA-256 of its round document
	Revision int    `json:"revision"` // length of its revision log
	Package  Digest `json:"package"`  // SHA-256 of its descriptor, which holds the hash of every other file

	Turnovers []Turnover `json:"turnovers"` // of each pair of parts that count the same thing, in the order of this round's parts
}

// A Turnover counts the groups behind one part that have come and gone since the same cells were published before.
type Turnover struct {
	Instrument string `json:"instrument"`
	Part       string `json:"part"`
	Before     string `json:"before"` // name of the part in the earlier round
	// Known is false if it is not known who sent figures then or now.
	Known  bool `json:"known"`
	Joined int  `json:"joined"` // groups of which a member sent now and not before
	Left   int  `json:"left"`   // other groups of which a member sent before and not now
	// Corrected is, in a revision of the same period, how many of the remaining groups asked for a correction, as the secretariat says.
	Corrected int `json:"corrected"`
}

// Digest returns the SHA-256 of the bundle's descriptor: the name by which later bundles refer to it. A signature more does not change it.
func (b Bundle) Digest() (Digest, error) {
	files, err := b.Files()
	return sha256.Sum256(files[DataPackageName]), err
}

// Check reports, all at once, what no record of an earlier release says.
func (e Earlier) Check() error {
	var errs []error
	add := func(format string, a ...any) {
		errs = append(errs, fmt.Errorf("earlier release %s: "+format, append([]any{e.Round}, a...)...))
	}
	if e.Round == "" {
		add("it has no round")
	} else if err := checkName(e.Round); err != nil {
		add("%q %w", e.Round, err)
	}
	if e.Revision < 1 {
		add("revision %d", e.Revision)
	}
	if e.Turnovers == nil {
		add("turnovers is missing; an empty list says that it counts nothing that this one does")
	}
	seen := map[[3]string]bool{}
	for _, t := range e.Turnovers {
		at := [3]string{t.Instrument, t.Part, t.Before}
		for _, name := range at {
			if err := checkName(name); err != nil || name == "" {
				add("%q is no name of an instrument or part", name)
			}
		}
		if t.Joined < 0 || t.Left < 0 || t.Corrected < 0 || !t.Known && t.Joined+t.Left > 0 {
			add("%s/%s: %d joined, %d left, %d corrected, known %t", t.Instrument, t.Part, t.Joined, t.Left, t.Corrected, t.Known)
		}
		if seen[at] {
			add("%s/%s: appears twice", t.Instrument, t.Part)
		}
		seen[at] = true
	}
	return errors.Join(errs...)
}

// EncodeEarlier returns the records as a JSON array with one per line.
func EncodeEarlier(list []Earlier) ([]byte, error) {
	var errs []error
	seen := map[Digest]bool{}
	for _, e := range list {
		errs = append(errs, e.Check())
		if seen[e.Package] {
			errs = append(errs, fmt.Errorf("earlier release %s, revision %d: appears twice", e.Round, e.Revision))
		}
		seen[e.Package] = true
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return encodeLines(list)
}

// ParseEarlier parses what EncodeEarlier wrote and nothing else.
func ParseEarlier(b []byte) ([]Earlier, error) {
	return parseLines(b, "earlier releases", EncodeEarlier)
}
