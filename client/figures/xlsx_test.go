package figures_test

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"candor/client/figures"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"
)

// edited returns a good workbook of one instrument after a change.
func edited(t *testing.T, change func(f *excelize.File) error) []byte {
	t.Helper()
	data, _ := filled(t, "xlsx", 1, true, []string{"deterrence"})
	f, err := excelize.OpenReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := change(f); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := f.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// The sheet deterrence has rows 2 and 3 for warnings-shown, 4 and 5 for sessions-stopped, 6 and 7 for help-clicked.
func TestXLSXProblems(t *testing.T) {
	set := func(cell string, value any) func(f *excelize.File) error {
		return func(f *excelize.File) error { return f.SetCellValue("deterrence", cell, value) }
	}
	tests := map[string]struct {
		change func(f *excelize.File) error
		want   []string
		notes  []string
	}{
		"good":              {change: func(f *excelize.File) error { return nil }},
		"blank":             {set("C3", nil), []string{"f.xlsx:deterrence!C3: deterrence.warnings-shown total is blank; write 0 for a count of zero, or not-measured as the state of the metric"}, nil},
		"number":            {set("C3", 4000000000), nil, nil},
		"text":              {set("C3", "4000000000"), nil, nil},
		"exponent":          {set("C3", 4e9), nil, nil},
		"fraction":          {set("C3", 1.5), []string{`f.xlsx:deterrence!C3: deterrence.warnings-shown total is wrong: "1.5" is not a whole number; a count has no fraction`}, nil},
		"negative":          {set("C3", -5), []string{`f.xlsx:deterrence!C3: deterrence.warnings-shown total is wrong: "-5" is negative; a count starts at 0`}, nil},
		"too large":         {set("C3", 4294967296), []string{`f.xlsx:deterrence!C3: deterrence.warnings-shown total is wrong: "4294967296" is above the largest value allowed here, 4294967295`}, nil},
		"huge":              {set("C3", 1e300), []string{`f.xlsx:deterrence!C3: deterrence.warnings-shown total is wrong: "1000000000000000000000000000000000000000…" is above the largest value allowed here, 4294967295`}, nil},
		"thousands":         {set("C3", "4,000,000"), []string{`f.xlsx:deterrence!C3: deterrence.warnings-shown total is wrong: "4,000,000" has a thousands separator or a fraction; write plain digits, 4000000 if that is meant`}, nil},
		"boolean":           {set("C2", true), []string{`f.xlsx:deterrence!C2: state of deterrence.warnings-shown is "TRUE"; it is one of measured, estimated, not-measured, not-applicable`}, nil},
		"formula":           {func(f *excelize.File) error { return f.SetCellFormula("deterrence", "C3", "SUM(1,2)") }, []string{"f.xlsx:deterrence!C3: cell has a formula; copy it and paste its value, so that what is sent is what you see"}, nil},
		"formula in a name": {func(f *excelize.File) error { return f.SetCellFormula("deterrence", "A3", "A2") }, []string{"f.xlsx:deterrence!A3: cell has a formula; copy it and paste its value, so that what is sent is what you see"}, nil},
		"formula elsewhere": {func(f *excelize.File) error { return f.SetCellFormula("deterrence", "J3", "SUM(C1:C9)") }, nil, nil},
		"merged": {func(f *excelize.File) error { return f.MergeCell("deterrence", "C3", "C5") }, []string{"f.xlsx:deterrence!C3:C5: cells are merged over column value, so that it is not clear to which line their value belongs; unmerge them",
			"f.xlsx:deterrence!C4: state of deterrence.sessions-stopped is blank; write one of measured, estimated, not-measured, not-applicable"}, nil},
		"merged elsewhere": {func(f *excelize.File) error { return f.MergeCell("deterrence", "J3", "K5") }, nil, nil},
		"metric":           {set("A3", "warnings-shwon"), []string{`f.xlsx:deterrence!A3: instrument deterrence has no metric "warnings-shwon" (did you mean warnings-shown?)`}, nil},
		"no metric":        {set("A3", nil), []string{"f.xlsx:deterrence!A3: line has no metric"}, nil},
		"row removed":      {func(f *excelize.File) error { return f.RemoveRow("deterrence", 3) }, []string{"f.xlsx:deterrence!A2: deterrence.warnings-shown has no line for cell total"}, nil},
		"rows inserted":    {func(f *excelize.File) error { return f.InsertRows("deterrence", 1, 5) }, nil, nil},
		"column inserted":  {func(f *excelize.File) error { return f.InsertCols("deterrence", "A", 2) }, nil, nil},
		"no header":        {func(f *excelize.File) error { return f.RemoveRow("deterrence", 1) }, []string{"f.xlsx:deterrence: sheet has no header; one of its first rows has the cells metric, cell, value and reason"}, nil},
		"renamed": {func(f *excelize.File) error { return f.SetSheetName("deterrence", "Deterrance") }, []string{"f.xlsx: file has no figures"},
			[]string{`sheet "Deterrance" is no instrument of the catalogue and was not read (did you mean deterrence?)`}},
		"own sheet": {func(f *excelize.File) error { _, err := f.NewSheet("my notes"); return err }, nil, []string{`sheet "my notes" is no instrument of the catalogue and was not read`}},
		"no file sheet": {func(f *excelize.File) error { return f.DeleteSheet("file") }, []string{
			`f.xlsx: file does not say for which round it is; instrument or sheet "file" needs a line with metric "round" and the round as its value`,
			`f.xlsx: file does not say by which catalogue it counts; instrument or sheet "file" needs a line with metric "hash" and value ` + catalogue.Hash()}, nil},
		"other round": {func(f *excelize.File) error { return f.SetCellValue("file", "B2", "2020Q1") }, []string{`f.xlsx:file!B2: file is for round "2020Q1", not "2026Q1"`}, nil},
		"several": {func(f *excelize.File) error {
			return cmpFirst(f.SetCellValue("deterrence", "C3", "x"), f.SetCellValue("deterrence", "C4", ""), f.SetCellFormula("deterrence", "C7", "1+1"))
		}, []string{
			"f.xlsx:deterrence!C7: cell has a formula; copy it and paste its value, so that what is sent is what you see",
			`f.xlsx:deterrence!C3: deterrence.warnings-shown total is wrong: "x" is not a number; write digits only`,
			"f.xlsx:deterrence!C4: state of deterrence.sessions-stopped is blank; write one of measured, estimated, not-measured, not-applicable"}, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			report := read(t, edited(t, test.change), "f.xlsx").Check(nil)
			if diff := cmp.Diff(test.want, texts(report)); diff != "" {
				t.Errorf("errors differ (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.notes, append([]string(nil), report.Notes...)); diff != "" {
				t.Errorf("notes differ (-want +got):\n%s", diff)
			}
		})
	}
}

func cmpFirst(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// parts is a zip file in the making.
type parts map[string]func(w io.Writer)

func text(s string) func(w io.Writer) {
	return func(w io.Writer) { io.WriteString(w, s) }
}

func (p parts) zip(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	names := make([]string, 0, len(p))
	for name := range p {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		p[name](w)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

const (
	workbookXML = `<?xml version="1.0"?><workbook xmlns:r="r"><sheets><sheet name="file" sheetId="1" r:id="a"/><sheet name="deterrence" sheetId="2" r:id="b"/></sheets></workbook>`
	relsXML     = `<Relationships><Relationship Id="a" Type="t/worksheet" Target="worksheets/1.xml"/><Relationship Id="b" Type="t/worksheet" Target="/xl/worksheets/2.xml"/><Relationship Id="s" Type="t/sharedStrings" Target="strings.xml"/></Relationships>`
)

func inline(cells ...string) string {
	var b strings.Builder
	b.WriteString("<row>")
	for _, c := range cells {
		fmt.Fprintf(&b, `<c t="inlineStr"><is><t>%s</t></is></c>`, c)
	}
	return b.String() + "</row>"
}

// handmade returns the parts of a small workbook as another program might write it: without cell names and shared texts, with prefixes.
func handmade() parts {
	sheet := func(rows ...string) func(w io.Writer) {
		return text(`<x:worksheet xmlns:x="m">` + strings.NewReplacer("</", "</x:", "<", "<x:").Replace("<sheetData>"+strings.Join(rows, "")+"</sheetData>") + `</x:worksheet>`)
	}
	return parts{
		"xl/workbook.xml":            text(workbookXML),
		"xl/_rels/workbook.xml.rels": text(relsXML),
		"xl/worksheets/1.xml":        sheet(inline("metric", "value"), inline("round", "2026Q1"), inline("hash", catalogue.Hash())),
		"xl/worksheets/2.xml": sheet(inline("metric", "cell", "value"),
			inline("warnings-shown", "state", "measured"), `<row><c t="s"><v>0</v></c><c t="inlineStr"><is><r><t>to</t></r><r><t>tal</t></r></is></c><c><v>1.2E6</v></c></row>`,
			inline("sessions-stopped", "state", "not-measured"), inline("help-clicked", "state", "not-applicable")),
		"xl/strings.xml": text(`<sst><si><r><t>warnings</t></r><r><t>-shown</t></r><rPh><t>sound</t></rPh></si></sst>`),
	}
}

func TestXLSXOfOtherPrograms(t *testing.T) {
	file := read(t, handmade().zip(t), "f.xlsx")
	if report := file.Check(nil); !report.OK() {
		t.Fatal(report.Errors)
	}
	if got := file.Figures["deterrence.warnings-shown"].Values[0]; got != 1200000 {
		t.Errorf("warnings shown = %d, want 1200000", got)
	}
}

func TestXLSXRefused(t *testing.T) {
	tests := map[string]struct {
		change func(p parts)
		want   string
	}{
		"macros":             {func(p parts) { p["xl/vbaProject.bin"] = text("x") }, "f.xlsx: workbook has macros; save it as .xlsx, which has none"},
		"no workbook":        {func(p parts) { delete(p, "xl/workbook.xml") }, "f.xlsx: file is no workbook: it has no sheets"},
		"no relations":       {func(p parts) { delete(p, "xl/_rels/workbook.xml.rels") }, "f.xlsx:file: file is damaged: the sheet is missing"},
		"missing sheet":      {func(p parts) { delete(p, "xl/worksheets/2.xml") }, "f.xlsx:deterrence: file is damaged: the sheet is missing"},
		"bad xml":            {func(p parts) { p["xl/worksheets/2.xml"] = text("<a><b></a>") }, `f.xlsx:deterrence: file is damaged: its part "xl/worksheets/2.xml" cannot be read`},
		"cut xml":            {func(p parts) { p["xl/worksheets/2.xml"] = text("<a><b>") }, `f.xlsx:deterrence: file is damaged: its part "xl/worksheets/2.xml" cannot be read`},
		"rows out of order":  {func(p parts) { p["xl/worksheets/2.xml"] = text(`<a><row r="5"/><row r="4"/></a>`) }, "f.xlsx:deterrence: file is damaged: the rows of the sheet are out of order"},
		"cells out of order": {func(p parts) { p["xl/worksheets/2.xml"] = text(`<a><row r="1"><c r="B1"/><c r="A1"/></row></a>`) }, "f.xlsx:deterrence: file is damaged: the cells of the sheet are out of order"},
		"two sheets": {func(p parts) {
			p["xl/workbook.xml"] = text(`<w xmlns:r="r"><sheet name="file" r:id="a"/><sheet name="file" r:id="a"/></w>`)
		}, `f.xlsx:file: file is damaged: it has two sheets "file"`},
		"two parts":  {func(p parts) { p["XL/Workbook.xml"] = text("<a/>") }, `f.xlsx: file is damaged: it has two parts "xl/workbook.xml"`},
		"an entity":  {func(p parts) { p["xl/workbook.xml"] = text(`<!DOCTYPE a [<!ENTITY b "bb">]><a>&b;</a>`) }, `f.xlsx: file is damaged: its part "xl/workbook.xml" cannot be read`},
		"utf-16 xml": {func(p parts) { p["xl/workbook.xml"] = text(`<?xml version="1.0" encoding="UTF-16"?><a/>`) }, `f.xlsx: file is damaged: its part "xl/workbook.xml" cannot be read`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p := handmade()
			test.change(p)
			if diff := cmp.Diff([]string{test.want}, texts(read(t, p.zip(t), "f.xlsx").Check(nil))); diff != "" {
				t.Errorf("errors differ (-want +got):\n%s", diff)
			}
		})
	}
	for want, data := range map[string]string{
		"f: file is damaged: it begins like a workbook and cannot be opened":                         "PK\x03\x04xxxxxxxxxxxxxxx",
		"f: file is an old .xls workbook, or one with a password; save it as .xlsx without password": "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1xxxx",
		"f: file is empty":                           " \n",
		"f: file is UTF-16; save it as CSV in UTF-8": "\xff\xfea\x00",
	} {
		if diff := cmp.Diff([]string{want}, texts(read(t, []byte(data), "f").Check(nil))); diff != "" {
			t.Errorf("errors differ (-want +got):\n%s", diff)
		}
	}
	if got := texts(read(t, bytes.Repeat([]byte("a"), 17<<20), "f").Check(nil)); len(got) != 1 || got[0] != "f: file is larger than 16 MiB, the most that is read" {
		t.Errorf("errors are %q", got)
	}
}

// TestZipThatLies checks a part that is larger than the zip file says.
func TestZipThatLies(t *testing.T) {
	p := handmade()
	data := p.zip(t)
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, f := range z.File {
		raw, err := f.OpenRaw()
		if err != nil {
			t.Fatal(err)
		}
		header := f.FileHeader
		if f.Name == "xl/worksheets/2.xml" {
			header.UncompressedSize64 = 10
		}
		out, err := w.CreateRaw(&header)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(out, raw); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	want := []string{`f.xlsx:deterrence: file is damaged: its part "xl/worksheets/2.xml" cannot be read`}
	if diff := cmp.Diff(want, texts(read(t, b.Bytes(), "f.xlsx").Check(nil))); diff != "" {
		t.Errorf("errors differ (-want +got):\n%s", diff)
	}
}

// FuzzRead reads files of both formats.
func FuzzRead(f *testing.F) {
	for _, format := range []string{"csv", "xlsx"} {
		data, _ := filled(f, format, 1, false, []string{"deterrence", "people"})
		f.Add(data)
	}
	f.Add(handmade().zip(f))
	f.Fuzz(checkAnything)
}

// FuzzReadSheet puts anything into a sheet of a workbook, which random changes of a packed file hardly reach.
func FuzzReadSheet(f *testing.F) {
	f.Add(`<a>` + inline("metric", "cell", "value") + inline("warnings-shown", "state", "measured") + `</a>`)
	f.Add(`<a><row r="3"><c r="C3" t="s"><v>0</v></c><c r="D3" t="b"><f>A1</f><v>1</v></c></row><mergeCell ref="A1:C9"/></a>`)
	f.Fuzz(func(t *testing.T, sheet string) {
		p := handmade()
		p["xl/worksheets/2.xml"] = text(sheet)
		checkAnything(t, p.zip(t))
	})
}

// checkAnything checks that whatever is read leads to a report, and that what is accepted can be written and read again.
func checkAnything(t *testing.T, data []byte) {
	file, err := figures.Read(bytes.NewReader(data), figures.Options{File: "f", Catalogue: catalogue})
	if err != nil {
		t.Fatal(err)
	}
	report := file.Check(nil)
	for _, e := range report.Errors {
		if e.Text == "" {
			t.Error("an error without text")
		}
	}
	if !report.OK() {
		return
	}
	again := read(t, written(t, "csv", &figures.Template{Catalogue: catalogue, Round: "2026Q1", Instruments: file.Instruments, Figures: file.Figures}), "again")
	if diff := cmp.Diff(file.Figures, again.Figures); diff != "" {
		t.Errorf("accepted figures differ after writing and reading (-read +again):\n%s", diff)
	}
}
