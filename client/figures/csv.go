package figures

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Bounds of a CSV file. The largest public table of this kind, 9,392 rows, has 1.5 MB.
const (
	maxCSVBytes  = 16 << 20
	maxCSVFields = 4096 // in one row
)

// A csvRow is one record and where it stands.
type csvRow struct {
	number  int // of the record, as a spreadsheet counts rows: a line break inside a field does not count, an empty line does
	line    int // where the record begins
	fields  []string
	columns []int // characters from the start of the field's line, counted from 1
}

// A csvReader reads RFC 4180 CSV in UTF-8, with or without byte order mark, separated by comma or
// semicolon, row by row. It reports malformed rows to its problem list and goes on in the line after them. Unlike
// encoding/csv it goes on in the line after an unclosed quotation mark too, and bounds the fields of a row.
type csvReader struct {
	text     string
	at       int // start of the next line in text
	line     int // number of that line
	row      int // number of that row
	comma    byte
	problems *problemList
}

// newCSVReader reads all of r, at most maxCSVBytes, and looks at the first line to find the separator.
func newCSVReader(r io.Reader, problems *problemList) (*csvReader, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxCSVBytes+1))
	if err != nil {
		return nil, fmt.Errorf("reading figures: %w", err)
	}
	text := strings.TrimPrefix(string(data), "\ufeff")
	switch {
	case len(data) > maxCSVBytes:
		problems.add(0, 0, "file is larger than %d MiB, the most that is read", maxCSVBytes>>20)
	case strings.HasPrefix(text, "\xff\xfe"), strings.HasPrefix(text, "\xfe\xff"):
		problems.add(0, 0, "file is UTF-16; save it as CSV in UTF-8")
	case strings.HasPrefix(text, "PK\x03\x04"):
		problems.add(0, 0, "file is a spreadsheet or another zip archive, not CSV; save it as CSV in UTF-8")
	case strings.TrimSpace(text) == "":
		problems.add(0, 0, "file is empty")
	case !strings.Contains(text, "\n") && strings.Contains(strings.TrimSpace(text), "\r"):
		problems.add(0, 0, "lines end as on an old Macintosh, with a carriage return alone; save the file as CSV in UTF-8")
	case tabbed(text):
		problems.add(1, 0, "fields are separated by tabs; save the file as CSV, separated by commas or semicolons")
	}
	if err := problems.err(); err != nil {
		return nil, err
	}
	c := &csvReader{text: text, line: 1, row: 1, comma: ',', problems: problems}
	if commas, semicolons := separators(text); semicolons > commas {
		c.comma = ';'
	}
	return c, nil
}

// tabbed reports whether the first line that is not blank has tabs and neither separator.
func tabbed(text string) bool {
	line, _, _ := strings.Cut(strings.TrimLeft(text, "\r\n"), "\n")
	return strings.Contains(strings.TrimSpace(line), "\t") && !strings.ContainsAny(line, ",;")
}

// separators counts the two possible separators in the first line that is not blank, outside quotation marks.
func separators(text string) (commas, semicolons int) {
	quoted := false
	text = strings.TrimLeft(text, "\r\n")
	for i := range len(text) {
		switch c := text[i]; {
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '\n':
			return commas, semicolons
		case c == ',':
			commas++
		case c == ';':
			semicolons++
		}
	}
	return commas, semicolons
}

// next returns the next well-formed row, or io.EOF. Rows whose fields are all blank are passed over:
// spreadsheets leave them at the end.
func (c *csvReader) next() (csvRow, error) {
	for c.at < len(c.text) {
		row, ok := c.scan()
		if !ok {
			continue
		}
		blank := true
		for i, field := range row.fields {
			blank = blank && strings.TrimSpace(field) == ""
			if ok && !utf8.ValidString(field) {
				c.problems.add(row.line, row.columns[i], "text is not UTF-8; save the file as CSV in UTF-8")
				ok = false
			}
		}
		if ok && !blank {
			return row, nil
		}
	}
	return csvRow{}, io.EOF
}

// scan reads one record. ok is false if it is malformed, which is then reported. At least one line is consumed.
func (c *csvReader) scan() (row csvRow, ok bool) {
	row = csvRow{number: c.row, line: c.line}
	c.row++
	// The position of the character at `at`: its line, where that line starts, and the column reached at `counted`.
	at, line, column, counted := c.at, c.line, 1, c.at
	resume := func() { // in the line after the first one of the record
		if end := strings.IndexByte(c.text[c.at:], '\n'); end >= 0 {
			c.at += end + 1
		} else {
			c.at = len(c.text)
		}
		c.line++
	}
	for {
		column += utf8.RuneCountInString(c.text[counted:at])
		counted = at
		if len(row.fields) == maxCSVFields {
			c.problems.add(row.line, column, "row has more than %d fields", maxCSVFields)
			resume()
			return row, false
		}
		field, end, closed := c.field(at)
		row.fields = append(row.fields, strings.ReplaceAll(field, "\r\n", "\n"))
		row.columns = append(row.columns, column)
		if !closed {
			if c.text[at] == '"' {
				c.problems.add(line, column, "quotation mark is not closed, or text follows the closing one; close it, and double those inside the field")
			} else {
				quote := strings.IndexByte(c.text[at:], '"')
				c.problems.add(line, column+utf8.RuneCountInString(c.text[at:at+quote]),
					"quotation mark inside an unquoted field; put the field in quotation marks and double those inside it")
			}
			// Lines that a stray quotation mark would swallow are read, so that their own problems show.
			resume()
			return row, false
		}
		if n := strings.Count(c.text[at:end], "\n"); n > 0 {
			line += n
			column, counted = 1, at+strings.LastIndexByte(c.text[at:end], '\n')+1
		}
		at = end
		if at < len(c.text) && c.text[at] == c.comma {
			at++
			continue
		}
		if at < len(c.text) && c.text[at] == '\r' {
			at++
		}
		if at < len(c.text) {
			at++ // the line feed
		}
		c.at, c.line = at, line+1
		return row, true
	}
}

// field reads the field that begins at `at`: its text and where it ends, at a separator, the end of the
// line, or the end of the file. ok is false if its quotation marks are wrong.
func (c *csvReader) field(at int) (text string, end int, ok bool) {
	if at == len(c.text) || c.text[at] != '"' {
		end = at
		for end < len(c.text) && c.text[end] != c.comma && c.text[end] != '\n' {
			end++
		}
		if c.endsLine(end-1) && end > at {
			end--
		}
		text = c.text[at:end]
		return text, end, !strings.Contains(text, `"`)
	}
	doubled := false
	for end = at + 1; ; {
		quote := strings.IndexByte(c.text[end:], '"')
		if quote < 0 {
			return "", 0, false
		}
		end += quote + 1
		if end < len(c.text) && c.text[end] == '"' {
			doubled = true
			end++
			continue
		}
		break
	}
	if end < len(c.text) && c.text[end] != c.comma && c.text[end] != '\n' && !c.endsLine(end) {
		return "", 0, false
	}
	text = c.text[at+1 : end-1]
	if doubled {
		text = strings.ReplaceAll(text, `""`, `"`)
	}
	return text, end, true
}

// endsLine reports whether a carriage return at i belongs to the end of a line or of the file.
func (c *csvReader) endsLine(i int) bool {
	return i >= 0 && i < len(c.text) && c.text[i] == '\r' && (i+1 == len(c.text) || c.text[i+1] == '\n')
}

// header maps the names of a header row, lower-cased and trimmed, to field numbers. Names that occur
// twice, and wanted names that do not occur, are problems.
func (c *csvReader) header(row csvRow, wanted ...string) map[string]int {
	fields := make(map[string]int, len(row.fields))
	for i, field := range row.fields {
		name := strings.ToLower(strings.TrimSpace(field))
		if _, twice := fields[name]; twice && name != "" {
			c.problems.add(row.line, row.columns[i], "column %s occurs twice", quote(name))
			continue
		}
		fields[name] = i
	}
	for _, name := range wanted {
		if _, ok := fields[name]; !ok {
			c.problems.add(row.line, 0, "column %q is missing; the header has %s", name, quote(strings.Join(row.fields, string(c.comma))))
		}
	}
	return fields
}
