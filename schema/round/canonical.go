package round

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
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
	if err := json.Unmarshal(text, new(json.RawMessage)); err != nil { // checks the syntax, which is not looked at again
		return nil, err
	}
	c := canonicalizer{text: text}
	var out bytes.Buffer
	if err := c.value(&out, 0); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// A canonicalizer goes through a text whose syntax is right. Documents are canonicalized many times in each step of a round, and have thousands of names.
type canonicalizer struct {
	text []byte
	at   int
}

// next skips white space and returns the byte that follows.
func (c *canonicalizer) next() byte {
	for c.text[c.at] == ' ' || c.text[c.at] == '\t' || c.text[c.at] == '\n' || c.text[c.at] == '\r' {
		c.at++
	}
	return c.text[c.at]
}

func (c *canonicalizer) value(out *bytes.Buffer, depth int) error {
	switch c.next() {
	case '{', '[':
		if depth == maxDepth {
			return fmt.Errorf("more than %d levels of nesting near byte %d", maxDepth, c.at)
		}
		if c.text[c.at] == '[' {
			return c.array(out, depth+1)
		}
		return c.object(out, depth+1)
	case '"':
		s, plain, err := c.string()
		if plain {
			out.Write(s)
		} else if err == nil {
			canonicalString(out, string(s))
		}
		return err
	}
	start := c.at
	for c.at < len(c.text) && strings.IndexByte(",]} \t\n\r", c.text[c.at]) < 0 {
		c.at++
	}
	word := string(c.text[start:c.at])
	if word == "null" || word == "true" || word == "false" {
		out.WriteString(word)
		return nil
	}
	n, err := strconv.ParseInt(word, 10, 64)
	if err != nil || n > maxInteger || n < -maxInteger {
		return fmt.Errorf("number %s near byte %d is not an integer of at most 53 bits", word, c.at)
	}
	out.WriteString(strconv.FormatInt(n, 10))
	return nil
}

// string reads a string. One without escapes is in its canonical form already: it is plain, and returned with its quotes.
func (c *canonicalizer) string() (s []byte, plain bool, err error) {
	start := c.at
	plain = true
	for c.at++; c.text[c.at] != '"'; c.at++ {
		if c.text[c.at] == '\\' {
			plain = false
			c.at++
		}
	}
	c.at++
	s = c.text[start:c.at]
	if plain {
		return s, true, nil
	}
	var text string
	err = json.Unmarshal(s, &text)
	return []byte(text), false, err
}

func (c *canonicalizer) array(out *bytes.Buffer, depth int) error {
	out.WriteByte('[')
	c.at++
	for c.next() != ']' {
		if c.text[c.at] == ',' {
			out.WriteByte(',')
			c.at++
		}
		if err := c.value(out, depth); err != nil {
			return err
		}
	}
	c.at++
	out.WriteByte(']')
	return nil
}

func (c *canonicalizer) object(out *bytes.Buffer, depth int) error {
	type member struct {
		name  string
		units []uint16
		value []byte
	}
	var members []member
	c.at++
	for c.next() != '}' {
		if c.text[c.at] == ',' {
			c.at++
			c.next()
		}
		s, plain, err := c.string()
		if err != nil {
			return err
		}
		name := string(s)
		if plain {
			name = name[1 : len(name)-1]
		}
		c.next()
		c.at++ // the colon
		var value bytes.Buffer
		if err := c.value(&value, depth); err != nil {
			return err
		}
		members = append(members, member{name, utf16.Encode([]rune(name)), value.Bytes()})
	}
	c.at++
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
