package release

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// EncodeJSON returns the figures as one JSON array with one object per line; keys are the columns in their
// order, null where a number is not shown. It refuses what CheckFigures refuses.
func EncodeJSON(figures []Figure) ([]byte, error) {
	if err := CheckFigures(figures); err != nil {
		return nil, err
	}
	return encodeLines(figures)
}

// ParseJSON parses what EncodeJSON wrote and nothing else: unknown, repeated or reordered keys, other number
// forms and other spacing are errors that name the line.
func ParseJSON(b []byte) ([]Figure, error) {
	return parseLines(b, "figures", EncodeJSON)
}

// encodeLines writes a JSON array with one element per line.
func encodeLines[T any](elements []T) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	buf.WriteString("[")
	for i, e := range elements {
		if i > 0 {
			buf.WriteString(",")
		}
		buf.WriteString("\n")
		if err := enc.Encode(e); err != nil {
			return nil, fmt.Errorf("encoding JSON: %w", err)
		}
		buf.Truncate(buf.Len() - 1) // Encode ends each value with a line feed
	}
	buf.WriteString("\n]\n")
	return buf.Bytes(), nil
}

// parseLines reads a JSON array that encode wrote. The decoder is lenient about form; that the elements encode
// to the same bytes again is what makes the parser strict. what names the array in errors.
func parseLines[T any](b []byte, what string, encode func([]T) ([]byte, error)) ([]T, error) {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	elements := []T{}
	if err := dec.Decode(&elements); err != nil {
		return nil, fmt.Errorf("parsing %s: %w", what, err)
	}
	if err := checkEncoding(b, elements, encode); err != nil {
		return nil, fmt.Errorf("parsing %s: %w", what, err)
	}
	return elements, nil
}
