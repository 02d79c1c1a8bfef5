package release

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"

	"candor/schema/dap"
)

// An OpenedElement is an element of an aggregator's share that the release opens: one per aggregator for each
// published cell. Added up, and less the offset of each report, they are the figure.
type OpenedElement struct {
	Role    string     `json:"role"`
	Task    dap.TaskID `json:"task"`
	Opening Opening    `json:"opening"`
}

// MarshalText returns the opening's binary form in unpadded base64url.
func (o Opening) MarshalText() ([]byte, error) {
	b, err := o.MarshalBinary()
	if err != nil {
		return nil, err
	}
	return base64.RawURLEncoding.AppendEncode(nil, b), nil
}

// UnmarshalText parses what MarshalText wrote.
func (o *Opening) UnmarshalText(text []byte) error {
	b, err := base64.RawURLEncoding.Strict().DecodeString(string(text))
	if err != nil || len(text) != base64.RawURLEncoding.EncodedLen(len(b)) {
		return errors.New("parsing opening: not unpadded base64url")
	}
	*o, err = ParseOpening(b)
	return err
}

// UnmarshalBinary parses what MarshalBinary wrote.
func (o *Opening) UnmarshalBinary(b []byte) (err error) {
	*o, err = ParseOpening(b)
	return err
}

// Verify checks that the element belongs to the share of the statement and was not blanked.
func (e OpenedElement) Verify(s Statement) error {
	fail := func(why string) error {
		return fmt.Errorf("element %d of the %s's share of task %s: %s", e.Opening.Index, e.Role, e.Task, why)
	}
	if e.Role != s.Role || e.Task != s.Task {
		return fail("compared with a statement of another share")
	}
	if e.Opening.Size != s.Elements {
		return fail(fmt.Sprintf("opened from %d elements; the statement has %d", e.Opening.Size, s.Elements))
	}
	if slices.Contains(s.Blanked, e.Opening.Index) {
		return fail("it was blanked, and is random")
	}
	root, err := e.Opening.Root()
	if err != nil {
		return err
	}
	if root != s.Root {
		return fail("its path does not lead to the root in the statement")
	}
	return nil
}

// EncodeOpened returns opened elements as a JSON array with one element per line.
func EncodeOpened(elements []OpenedElement) ([]byte, error) {
	var errs []error
	type place struct {
		role  string
		task  dap.TaskID
		index uint32
	}
	seen := make(map[place]bool, len(elements))
	for _, e := range elements {
		if e.Role != Leader && e.Role != Helper {
			errs = append(errs, fmt.Errorf("opened element of the role %q", e.Role))
		}
		at := place{e.Role, e.Task, e.Opening.Index}
		if seen[at] {
			errs = append(errs, fmt.Errorf("element %d of the %s's share of task %s: opened twice", at.index, at.role, at.task))
		}
		seen[at] = true
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return encodeLines(elements)
}

// ParseOpened parses what EncodeOpened wrote and nothing else. It verifies no path.
func ParseOpened(b []byte) ([]OpenedElement, error) {
	return parseLines(b, "opened elements", EncodeOpened)
}
