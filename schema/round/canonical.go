package round

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth bounds the nesting of a document that Canonicalize reads.
const maxDepth = 32

// maxInteger is the largest integer that every JSON reader holds exactly (RFC 7493, Numbers).
const maxInteger = 1<<53 - 1

// Canonicalize returns the one canonical form (RFC 8785) of a JSON text: no white space, members sorted by the UTF-16 code units of their names,
// strings with the fewest escapes. Numbers must be integers of at most 53 bits, since no figure of a round needs others. Repeated member names,
// invalid UTF-8 and trailing text are errors.
func Canonicalize(text []byte) ([]byte, error) {
	if !utf8.Valid(text) {
		return nil, errors.New("the text is not valid UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var out bytes.Buffer
	if err := canonicalValue(dec, &out, 0); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("there is more text after byte %d", dec.InputOffset())
	}
	return out.Bytes(), nil
}

func canonicalValue(dec *json.Decoder, out *bytes.Buffer, depth int) error {
	token, err := dec.Token()
	if err != nil {
		return err
	}
	switch v := token.(type) {
	case nil:
		out.WriteString("null")
	case bool:
		out.WriteString(strconv.FormatBool(v))
	case string:
		canonicalString(out, v)
	case json.Number:
		n, err := strconv.ParseInt(v.String(), 10, 64)
		if err != nil || n > maxInteger || n < -maxInteger {
			return fmt.Errorf("number %s near byte %d is not an integer of at most 53 bits", v, dec.InputOffset())
		}
		out.WriteString(strconv.FormatInt(n, 10))
	case json.Delim:
		if depth == maxDepth {
			return fmt.Errorf("more than %d levels of nesting near byte %d", maxDepth, dec.InputOffset())
		}
		if v == '[' {
			err = canonicalArray(dec, out, depth+1)
		} else {
			err = canonicalObject(dec, out, depth+1)
		}
		if err != nil {
			return err
		}
		_, err = dec.Token() // the closing delimiter
	}
	return err
}

func canonicalArray(dec *json.Decoder, out *bytes.Buffer, depth int) error {
	out.WriteByte('[')
	for first := true; dec.More(); first = false {
		if !first {
			out.WriteByte(',')
		}
		if err := canonicalValue(dec, out, depth); err != nil {
			return err
		}
	}
	out.WriteByte(']')
	return nil
}

func canonicalObject(dec *json.Decoder, out *bytes.Buffer, depth int) error {
	type member struct {
		name  string
		units []uint16
		value []byte
	}
	var members []member
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return err
		}
		name := token.(string) // the decoder allows nothing else here
		var value bytes.Buffer
		if err := canonicalValue(dec, &value, depth); err != nil {
			return err
		}
		members = append(members, member{name, utf16.Encode([]rune(name)), value.Bytes()})
	}
	slices.SortFunc(members, func(a, b member) int { return slices.Compare(a.units, b.units) })
	out.WriteByte('{')
	for i, m := range members {
		if i > 0 {
			if members[i-1].name == m.name {
				return fmt.Errorf("member %q is there twice", m.name)
			}
			out.WriteByte(',')
		}
		canonicalString(out, m.name)
		out.WriteByte(':')
		out.Write(m.value)
	}
	out.WriteByte('}')
	return nil
}

// canonicalString writes s with the escapes of RFC 8785, section "Serialization of Strings", and no others.
func canonicalString(out *bytes.Buffer, s string) {
	const short = "\b\t\n\f\r\"\\"
	const letters = "btnfr\"\\"
	out.WriteByte('"')
	for i := range len(s) {
		c := s[i]
		if k := strings.IndexByte(short, c); k >= 0 {
			out.Write([]byte{'\\', letters[k]})
		} else if c < 0x20 {
			fmt.Fprintf(out, `\u%04x`, c)
		} else {
			out.WriteByte(c)
		}
	}
	out.WriteByte('"')
}

// strictJSON reads JSON with all members known.
func strictJSON(text []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	return dec.Decode(v)
}

// trimLine removes one line end.
func trimLine(line []byte) []byte {
	return bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
}
