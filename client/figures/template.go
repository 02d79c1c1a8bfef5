package figures

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"

	"candor/schema/metric"

	"github.com/xuri/excelize/v2"
)

// WriteCSV writes a figures file as CSV, UTF-8 with a byte order mark (which spreadsheets need to recognise it), separated by comma.
func (t *Template) WriteCSV(w io.Writer) error {
	instruments, err := t.instruments()
	if err != nil {
		return err
	}
	if _, err := io.WriteString(w, "\ufeff"); err != nil {
		return fmt.Errorf("writing template: %w", err)
	}
	out := csv.NewWriter(w)
	out.Write([]string{"instrument", "metric", "cell", "value", "reason", "name", "definition", "allowed"})
	for _, id := range append([]string{fileInstrument}, instruments...) {
		for _, l := range t.lines(id) {
			out.Write([]string{l.instrument, l.metric, l.cell, l.value, l.reason, l.name, l.definition, l.allowed})
		}
	}
	out.Flush()
	if err := out.Error(); err != nil {
		return fmt.Errorf("writing template: %w", err)
	}
	return nil
}

// Columns of a sheet.
const (
	columnMetric = iota + 1
	columnCell
	columnValue
	columnSum
	columnReason
	columnName
	columnDefinition
	columnAllowed
)

// WriteXLSX writes a figures file as a workbook: the sheet `file`, and one sheet per instrument with definitions beside the cells, checks of what is
// typed, and totals that add up.
func (t *Template) WriteXLSX(w io.Writer) error {
	instruments, err := t.instruments()
	if err != nil {
		return err
	}
	f := excelize.NewFile()
	defer f.Close()
	s := &sheetWriter{template: t, file: f}
	if err := s.styles(); err != nil {
		return fmt.Errorf("writing template: %w", err)
	}
	if err := f.SetSheetName(f.GetSheetName(0), fileInstrument); err != nil {
		return fmt.Errorf("writing template: %w", err)
	}
	if err := s.fileSheet(instruments); err != nil {
		return fmt.Errorf("writing template: %w", err)
	}
	for _, id := range instruments {
		if err := s.instrumentSheet(id); err != nil {
			return fmt.Errorf("writing template: sheet %s: %w", id, err)
		}
	}
	if err := f.Write(w); err != nil {
		return fmt.Errorf("writing template: %w", err)
	}
	return nil
}

type sheetWriter struct {
	template *Template
	file     *excelize.File

	header, label, state, value, answer, sum, text int // styles
}

func (s *sheetWriter) styles() error {
	border := []excelize.Border{{Type: "bottom", Color: "BFBFBF", Style: 1}, {Type: "top", Color: "BFBFBF", Style: 1}, {Type: "left", Color: "BFBFBF", Style: 1}, {Type: "right", Color: "BFBFBF", Style: 1}}
	top := &excelize.Alignment{Vertical: "top", WrapText: true}
	unlocked := &excelize.Protection{Locked: false}
	for _, style := range []struct {
		to *int
		is excelize.Style
	}{
		{&s.header, excelize.Style{Font: &excelize.Font{Bold: true, Color: "FFFFFF"}, Fill: excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{"1F3864"}}, Alignment: top}},
		{&s.label, excelize.Style{Font: &excelize.Font{Color: "595959"}, Alignment: &excelize.Alignment{Vertical: "top"}}},
		// 49 is the format for text: without it 2-5, picked from a list, becomes a date.
		{&s.state, excelize.Style{NumFmt: 49, Font: &excelize.Font{Bold: true}, Border: border, Fill: excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{"DDEBF7"}}, Alignment: top, Protection: unlocked}},
		{&s.value, excelize.Style{NumFmt: 1, Border: border, Fill: excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{"FFF9E5"}}, Alignment: &excelize.Alignment{Vertical: "top"}, Protection: unlocked}},
		{&s.answer, excelize.Style{NumFmt: 49, Border: border, Fill: excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{"FFF9E5"}}, Alignment: &excelize.Alignment{Vertical: "top"}, Protection: unlocked}},
		{&s.sum, excelize.Style{NumFmt: 1, Font: &excelize.Font{Italic: true, Color: "595959"}, Alignment: &excelize.Alignment{Vertical: "top"}}},
		{&s.text, excelize.Style{Alignment: top}},
	} {
		id, err := s.file.NewStyle(&style.is)
		if err != nil {
			return err
		}
		*style.to = id
	}
	return nil
}

// put writes a row of texts, each with a style.
func (s *sheetWriter) put(sheet string, row int, texts []string, styles []int) error {
	for i, text := range texts {
		cell := cellName(i, row)
		if text != "" {
			if err := s.file.SetCellStr(sheet, cell, text); err != nil {
				return err
			}
		}
		if err := s.file.SetCellStyle(sheet, cell, cell, styles[i]); err != nil {
			return err
		}
	}
	return nil
}

func (s *sheetWriter) fileSheet(instruments []string) error {
	head := []int{s.header, s.header, s.header, s.header}
	if err := s.put(fileInstrument, 1, []string{"metric", "value", "name", "definition"}, head); err != nil {
		return err
	}
	row := 2
	for _, l := range s.template.lines(fileInstrument) {
		if err := s.put(fileInstrument, row, []string{l.metric, l.value, l.name, l.definition}, []int{s.label, s.text, s.text, s.text}); err != nil {
			return err
		}
		row++
	}
	row++
	help := []string{
		"Each further sheet is one instrument. Fill in the yellow and blue cells of the column value; leave the other columns as they are.",
		"Each metric begins with its state: measured, estimated, not-measured or not-applicable. Only the first two have values.",
		"Type 0 for a count of zero. A blank cell of a measured metric is an error, never a zero.",
		"Type numbers, not formulas, in the column value. The column sum adds up what you typed and is not read.",
		"In the column reason you can say why a figure is unusual. It stays with you: nothing of that column is ever sent.",
	}
	for _, text := range help {
		if err := s.put(fileInstrument, row, []string{"", "", "", text}, []int{s.label, s.text, s.text, s.text}); err != nil {
			return err
		}
		row++
	}
	row++
	for _, id := range instruments {
		in := s.template.Catalogue.Instrument(id)
		if err := s.put(fileInstrument, row, []string{"", "", in.Name, in.Purpose + " Sheet: " + in.ID + "."}, []int{s.label, s.text, s.text, s.text}); err != nil {
			return err
		}
		row++
	}
	return s.widths(fileInstrument, 12, 40, 40, 100)
}

func (s *sheetWriter) widths(sheet string, widths ...float64) error {
	for i, w := range widths {
		name, err := excelize.ColumnNumberToName(i + 1)
		if err != nil {
			return err
		}
		if err := s.file.SetColWidth(sheet, name, name, w); err != nil {
			return err
		}
	}
	return s.file.SetPanes(sheet, &excelize.Panes{Freeze: true, YSplit: 1, TopLeftCell: "A2", ActivePane: "bottomLeft"})
}

func (s *sheetWriter) instrumentSheet(id string) error {
	if _, err := s.file.NewSheet(id); err != nil {
		return err
	}
	header := []string{"metric", "cell", "value", "sum", "reason", "name", "definition", "allowed"}
	if err := s.put(id, 1, header, []int{s.header, s.header, s.header, s.header, s.header, s.header, s.header, s.header}); err != nil {
		return err
	}
	lines := s.template.lines(id)
	for i, l := range lines {
		if err := s.line(id, i+2, l); err != nil {
			return err
		}
		if l.cell != stateCell {
			continue
		}
		if n := len(cellLines(l.of)); l.of.Type.Counts() && n > 1 {
			cell := cellName(columnSum-1, i+2)
			formula := fmt.Sprintf("SUM(%s:%s)", cellName(columnValue-1, i+3), cellName(columnValue-1, i+2+n))
			if err := s.file.SetCellFormula(id, cell, formula); err != nil {
				return err
			}
			if err := s.file.SetCellStyle(id, cell, cell, s.sum); err != nil {
				return err
			}
		}
	}
	return s.widths(id, 22, 26, 18, 14, 24, 36, 80, 36)
}

func (s *sheetWriter) line(sheet string, row int, l line) error {
	isCount := l.cell != stateCell && l.of.Type.Counts()
	style, value := s.answer, l.value
	switch {
	case l.cell == stateCell:
		style = s.state
	case isCount:
		style, value = s.value, "" // typed as a number below
	}
	styles := []int{s.label, s.label, style, s.label, style, s.text, s.text, s.text}
	if l.cell != stateCell {
		styles[columnReason-1] = s.text
	}
	if err := s.put(sheet, row, []string{l.metric, l.cell, value, "", l.reason, l.name, l.definition, l.allowed}, styles); err != nil {
		return err
	}
	cell := cellName(columnValue-1, row)
	if isCount && l.value != "" {
		n, err := strconv.ParseInt(l.value, 10, 64)
		if err != nil {
			return err
		}
		if err := s.file.SetCellValue(sheet, cell, n); err != nil {
			return err
		}
	}
	return s.validate(sheet, cell, l)
}

// maxListBytes is how long the list of a drop-down can be in the format.
const maxListBytes = 255

// validate makes the spreadsheet refuse what cannot be right in the cell.
func (s *sheetWriter) validate(sheet, cell string, l line) error {
	v := excelize.NewDataValidation(true)
	v.SetSqref(cell)
	var err error
	switch {
	case l.cell == stateCell:
		err = v.SetDropList(words(metric.States()))
	case l.of.Type.Counts():
		err = v.SetRange("0", strconv.FormatInt(l.of.Max, 10), excelize.DataValidationTypeWhole, excelize.DataValidationOperatorBetween)
	case l.of.Type == metric.Choice:
		var codes []string
		length := 0
		for _, c := range l.of.CodeList().Codes {
			codes = append(codes, c.Code)
			length += len(c.Code) + 1
		}
		if length > maxListBytes {
			return nil // the reader checks it anyway
		}
		err = v.SetDropList(codes)
	default:
		err = v.SetDropList([]string{"yes", "no"})
	}
	if err != nil {
		return err
	}
	v.SetError(excelize.DataValidationErrorStyleStop, "Not possible here", shorten("Allowed: "+l.allowed+".", 220))
	return s.file.AddDataValidation(sheet, v)
}

func words[T ~string](list []T) []string {
	texts := make([]string, len(list))
	for i, w := range list {
		texts[i] = string(w)
	}
	return texts
}

// shorten cuts s to at most n characters.
func shorten(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}
