// Package vectors runs and writes test vectors in the JSON form in which the CFRG publishes those of VDAF: files for Prio3 with every
// message of a run, and for XofTurboShake128. (VDAF, Test Vectors.)
//
// The kind of a file is its name up to an underscore or the extension, as Prio3Sum_0.json. Nothing is skipped: an unknown kind,
// field or operation is a failure, and so is a value that no operation checks.
package vectors

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

// Verify runs the file of that name with that content. It returns nil if all operations do what the file says and yield
// what it says.
func Verify(name string, content []byte) error {
	base := strings.TrimSuffix(path.Base(name), ".json")
	kind, _, _ := strings.Cut(base, "_")
	if kind == "XofTurboShake128" {
		return verifyXOF(content)
	}
	return verifyPrio3(kind, content)
}

// decode is strict JSON into v: no unknown field, nothing after the value.
func decode(content []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(content))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("reading JSON: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("reading JSON: more than one value")
	}
	return nil
}

// A hexBytes is written in hexadecimal.
type hexBytes []byte

func (h hexBytes) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h), nil }

func (h *hexBytes) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

// same returns an error if what was computed is not what the file says. Test vectors are public, so it shows both.
func same(what string, got, want []byte) error {
	if !bytes.Equal(got, want) {
		return fmt.Errorf("%s: got %x, want %x", what, got, want)
	}
	return nil
}
