package metric

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
)

// Canonical returns the catalogue as canonical JSON (RFC 8785). Parse reads it, too. Layout, comments and the order of members in the
// file it came from do not show. The caller owns the slice.
func (c *Catalogue) Canonical() []byte { return bytes.Clone(c.canonical) }

func canonical(c *Catalogue) []byte {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(c); err != nil {
		panic("metric: internal error: " + err.Error())
	}
	decoder := json.NewDecoder(&b)
	decoder.UseNumber()
	var tree any
	if err := decoder.Decode(&tree); err != nil {
		panic("metric: internal error: " + err.Error())
	}
	var out strings.Builder
	writeCanonical(&out, tree)
	return []byte(out.String())
}

// Hash returns SHA-256 over Canonical in hexadecimal: what a round document names.
func (c *Catalogue) Hash() string { return c.hash }

func hash(canonical []byte) string {
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:])
}

// writeCanonical writes what encoding/json decodes, with numbers as json.Number. All numbers of a catalogue are whole and exact, so
// that their shortest form is their only one.
func writeCanonical(out *strings.Builder, v any) {
	switch v := v.(type) {
	case map[string]any:
		names := make([]string, 0, len(v))
		for name := range v {
			names = append(names, name)
		}
		slices.SortFunc(names, func(a, b string) int {
			return slices.Compare(utf16.Encode([]rune(a)), utf16.Encode([]rune(b)))
		})
		for i, name := range names {
			out.WriteString(separator(i, "{"))
			writeString(out, name)
			out.WriteByte(':')
			writeCanonical(out, v[name])
		}
		out.WriteByte('}')
	case []any:
		for i, member := range v {
			out.WriteString(separator(i, "["))
			writeCanonical(out, member)
		}
		out.WriteByte(']')
	case string:
		writeString(out, v)
	case json.Number:
		out.WriteString(v.String())
	default:
		panic(fmt.Sprintf("metric: internal error: a %T in a catalogue", v))
	}
}

// separator returns what stands before member i. Catalogues have no empty objects and lists.
func separator(i int, open string) string {
	if i == 0 {
		return open
	}
	return ","
}

// writeString writes a text that prints: Parse admits no control characters, so two need an escape.
func writeString(out *strings.Builder, s string) {
	out.WriteByte('"')
	for _, c := range s {
		if c == '"' || c == '\\' {
			out.WriteByte('\\')
		}
		out.WriteRune(c)
	}
	out.WriteByte('"')
}
