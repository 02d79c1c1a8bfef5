package figures

import (
	"encoding/xml"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// readXLSX reads a workbook: the sheets `file` and those named like an instrument. It does not use the library that writes
// templates: that one builds whole sheets in memory, and a small file can be made to hold very large ones.
func readXLSX(data []byte, a *assembly) {
	w := &workbook{assembly: a}
	if err := w.read(data); err != nil {
		a.file.problems.at(place{sheet: w.sheet}, "%v", err)
		a.unreadable = true
	}
}

type workbook struct {
	assembly *assembly
	archive  *archive
	strings  []string
	sheet    string // that is being read
	cells    int
}

func (w *workbook) read(data []byte) error {
	var err error
	if w.archive, err = openArchive(data); err != nil {
		return err
	}
	_, parts, err := w.archive.relations("")
	if err != nil {
		return err
	}
	part := parts["officeDocument"]
	if part == "" {
		part = "xl/workbook.xml"
	}
	targets, types, err := w.archive.relations(part)
	if err != nil {
		return err
	}
	type sheet struct{ name, target string }
	var sheets []sheet
	found, err := w.archive.scan(part, func(token xml.Token, _ int) error {
		start, ok := token.(xml.StartElement)
		if !ok || start.Name.Local != "sheet" {
			return nil
		}
		if len(sheets) >= maxSheets {
			return errTooMuch
		}
		// The attribute r:id comes in two namespaces, of two editions of the standard.
		sheets = append(sheets, sheet{name: attribute(start, "name"), target: targets[attribute(start, "id")]})
		return nil
	})
	if err != nil {
		return err
	}
	if !found || len(sheets) == 0 {
		return errors.New("file is no workbook: it has no sheets")
	}
	if err := w.readStrings(types["sharedStrings"]); err != nil {
		return err
	}
	c := w.assembly.file.catalogue
	read := map[string]bool{}
	for _, s := range sheets {
		if s.name != fileInstrument && c.Instrument(s.name) == nil {
			w.assembly.file.Notes = append(w.assembly.file.Notes, "sheet "+quote(s.name)+" is no instrument of the catalogue and was not read"+
				didYouMean(strings.ToLower(s.name), allInstruments(c)))
			continue
		}
		if read[s.name] {
			return fmt.Errorf("file is damaged: it has two sheets %s", quote(s.name))
		}
		read[s.name] = true
		w.sheet = s.name
		if err := w.readSheet(s.target); err != nil {
			return err
		}
	}
	w.sheet = ""
	return nil
}

// readStrings reads the texts that cells refer to by number.
func (w *workbook) readStrings(part string) error {
	if part == "" {
		return nil
	}
	var text strings.Builder
	total, phonetic, inText := 0, 0, false
	_, err := w.archive.scan(part, func(token xml.Token, _ int) error {
		switch t := token.(type) {
		case xml.StartElement:
			switch t.Name.Local {
			case "si":
				text.Reset()
			case "rPh":
				phonetic++
			case "t":
				inText = phonetic == 0
			}
		case xml.EndElement:
			switch t.Name.Local {
			case "si":
				if total += text.Len(); total > maxStringBytes || len(w.strings) >= maxStrings {
					return errTooMuch
				}
				w.strings = append(w.strings, text.String())
				text = strings.Builder{}
			case "rPh":
				phonetic--
			case "t":
				inText = false
			}
		case xml.CharData:
			if inText && text.Len() < maxCellBytes {
				text.Write(t[:min(len(t), maxCellBytes-text.Len())])
			}
		}
		return nil
	})
	return err
}

// A sheetCell is a cell as it was read.
type sheetCell struct {
	column  int // from 0
	text    string
	formula bool
	invalid string // what is wrong with it, continuing a sentence that begins with the cell
}

// readSheet reads one sheet into records.
func (w *workbook) readSheet(part string) error {
	if part == "" {
		return errors.New("file is damaged: the sheet is missing")
	}
	t := &table{workbook: w, columns: map[string]int{}}
	var cell *sheetCell
	var kind string
	var value strings.Builder
	row, rows := 0, 0
	var cells []sheetCell
	inValue := false
	found, err := w.archive.scan(part, func(token xml.Token, _ int) error {
		switch e := token.(type) {
		case xml.StartElement:
			switch e.Name.Local {
			case "row":
				row++
				if n, err := strconv.Atoi(attribute(e, "r")); err == nil {
					if n < row || n > 1<<20 {
						return errors.New("file is damaged: the rows of the sheet are out of order")
					}
					row = n
				}
				cells = cells[:0]
			case "c":
				if w.cells++; w.cells > maxCells {
					return errTooMuch
				}
				column := 0
				if len(cells) > 0 {
					column = cells[len(cells)-1].column + 1
				}
				if name := attribute(e, "r"); name != "" {
					n, ok := columnOf(name)
					if !ok || n < column {
						return errors.New("file is damaged: the cells of the sheet are out of order")
					}
					column = n
				}
				cells = append(cells, sheetCell{column: column})
				cell, kind = &cells[len(cells)-1], attribute(e, "t")
				value.Reset()
			case "f":
				if cell != nil {
					cell.formula = true
				}
			case "v", "t":
				inValue = cell != nil
			case "mergeCell":
				t.merge(attribute(e, "ref"))
			}
		case xml.EndElement:
			switch e.Name.Local {
			case "v", "t":
				inValue = false
			case "c":
				if cell != nil {
					cell.text, cell.invalid = w.cellText(kind, value.String())
					cell = nil
				}
			case "row":
				if !slices.ContainsFunc(cells, func(c sheetCell) bool { return strings.TrimSpace(c.text) != "" || c.formula }) {
					return nil
				}
				if rows++; rows > maxRows {
					return fmt.Errorf("sheet has more than %d rows", maxRows)
				}
				t.row(row, cells)
			}
		case xml.CharData:
			if inValue && value.Len() < maxCellBytes {
				value.Write(e[:min(len(e), maxCellBytes-value.Len())])
			}
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case !found:
		return errors.New("file is damaged: the sheet is missing")
	}
	t.finish()
	return nil
}

// cellText returns the text of a cell of a kind (the attribute t), or what is wrong with it.
func (w *workbook) cellText(kind, value string) (text, invalid string) {
	switch kind {
	case "s":
		n, err := strconv.Atoi(strings.TrimSpace(value))
		if err != nil || n < 0 || n >= len(w.strings) {
			return "", "refers to a text that the file does not have; type it again"
		}
		return w.strings[n], ""
	case "", "n":
		return numberText(strings.TrimSpace(value)), ""
	case "b":
		if strings.TrimSpace(value) == "1" {
			return "TRUE", ""
		}
		return "FALSE", ""
	case "e":
		return value, "has the error " + quote(value) + "; repair it"
	case "d":
		return value, "is a date; type it as text or number"
	}
	return value, "" // inlineStr, str
}

// numberText writes a number of a workbook, which is kept as a binary fraction, in plain digits if it is whole and exact.
func numberText(s string) string {
	if isDigits(s) || s == "" {
		return s
	}
	x, err := strconv.ParseFloat(s, 64)
	if err != nil || math.Abs(x) > 1<<53 {
		return s
	}
	return strconv.FormatFloat(x, 'f', -1, 64)
}

// columnOf returns the column of a cell name such as C17, from 0.
func columnOf(name string) (int, bool) {
	n := 0
	for i := range len(name) {
		c := name[i]
		if c >= '0' && c <= '9' && i > 0 {
			return n - 1, true
		}
		if c < 'A' || c > 'Z' || i >= 3 {
			return 0, false
		}
		n = n*26 + int(c-'A') + 1
	}
	return 0, false
}

// cellName returns the name of a cell; column counts from 0.
func cellName(column, row int) string {
	name := ""
	for column++; column > 0; column = (column - 1) / 26 {
		name = string(rune('A'+(column-1)%26)) + name
	}
	return name + strconv.Itoa(row)
}
