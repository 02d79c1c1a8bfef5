package figures_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"candor/client/figures"
	"candor/schema/metric"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"
)

var catalogue = metric.Standard()

func allIDs() []string {
	var ids []string
	for i := range catalogue.Instruments {
		ids = append(ids, catalogue.Instruments[i].ID)
	}
	return ids
}

// filled returns a file with made-up figures in one of the two formats.
func filled(t testing.TB, format string, seed uint64, complete bool, instruments []string) ([]byte, metric.Figures) {
	t.Helper()
	if instruments == nil {
		instruments = allIDs()
	}
	f := catalogue.Example(seed, instruments, complete)
	return written(t, format, &figures.Template{Catalogue: catalogue, Round: "2026Q1", Instruments: instruments, Figures: f}), f
}

func written(t testing.TB, format string, template *figures.Template) []byte {
	t.Helper()
	var b bytes.Buffer
	write := template.WriteCSV
	if format == "xlsx" {
		write = template.WriteXLSX
	}
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func read(t testing.TB, data []byte, name string) *figures.File {
	t.Helper()
	f, err := figures.Read(bytes.NewReader(data), figures.Options{File: name, Catalogue: catalogue, Round: "2026Q1"})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// texts returns the errors of a report, a line each.
func texts(r *figures.Report) []string {
	var lines []string
	for _, p := range r.Errors {
		lines = append(lines, p.String())
	}
	return lines
}

// TestRoundTrip writes figures and reads them back, in both formats.
func TestRoundTrip(t *testing.T) {
	seeds := uint64(2)
	if !testing.Short() {
		seeds = 6
	}
	for _, format := range []string{"csv", "xlsx"} {
		for seed := range seeds {
			data, want := filled(t, format, seed, seed%2 == 0, nil)
			file := read(t, data, "f."+format)
			if diff := cmp.Diff(want, file.Figures); diff != "" {
				t.Errorf("%s, seed %d: figures differ (-written +read):\n%s", format, seed, diff)
			}
			report := file.Check(nil)
			if !report.OK() || len(report.Questions) > 0 || len(report.Notes) > 0 {
				t.Errorf("%s, seed %d: report is %v, %v, %v", format, seed, report.Errors, report.Questions, report.Notes)
			}
			if report.Round != "2026Q1" || len(report.Instruments) != 19 {
				t.Errorf("%s, seed %d: round %q, %d instruments", format, seed, report.Round, len(report.Instruments))
			}
			if n := report.Metrics; n.Measured+n.Estimated+n.NotMeasured+n.NotApplicable != 130 {
				t.Errorf("%s, seed %d: tally %v", format, seed, n)
			}
		}
	}
}

// TestBlankTemplate checks that a template as it is handed out has an error for each metric and no other: blank is not zero.
func TestBlankTemplate(t *testing.T) {
	for _, format := range []string{"csv", "xlsx"} {
		data := written(t, format, &figures.Template{Catalogue: catalogue, Round: "2026Q1"})
		report := read(t, data, "f."+format).Check(nil)
		if len(report.Errors) != 130 {
			t.Errorf("%s: %d errors, want 130", format, len(report.Errors))
		}
		for _, e := range report.Errors {
			if !strings.Contains(e.Text, "is blank; write one of measured, estimated, not-measured, not-applicable") {
				t.Errorf("%s: %s", format, e)
			}
		}
	}
}

func TestTemplateRefusesInstruments(t *testing.T) {
	for want, ids := range map[string][]string{
		`catalogue csea-industry-metrics 0.1 has no instrument "hash-mach" (did you mean hash-match?)`: {"scope", "hash-mach"},
		`instrument "scope" is named twice`: {"scope", "scope"},
	} {
		template := figures.Template{Catalogue: catalogue, Round: "r", Instruments: ids}
		for name, write := range map[string]error{"csv": template.WriteCSV(&bytes.Buffer{}), "xlsx": template.WriteXLSX(&bytes.Buffer{})} {
			if write == nil || write.Error() != want {
				t.Errorf("%s: error %v, want %s", name, write, want)
			}
		}
	}
}

// TestCSVProblems changes lines of a good file of one instrument.
func TestCSVProblems(t *testing.T) {
	good := strings.Join([]string{
		"instrument,metric,cell,value,reason",
		"file,round,,2026Q1,",
		"file,hash,," + catalogue.Hash() + ",",
		"deterrence,warnings-shown,state,measured,",
		"deterrence,warnings-shown,total,100,",
		"deterrence,sessions-stopped,state,estimated,",
		"deterrence,sessions-stopped,total,60,",
		"deterrence,help-clicked,state,not-measured,",
		"deterrence,help-clicked,total,,",
	}, "\n") + "\n"
	if report := read(t, []byte(good), "f.csv").Check(nil); !report.OK() {
		t.Fatal(report.Errors)
	}
	tests := map[string]struct {
		old, new string
		want     []string
	}{
		"blank":                    {"total,100", "total,", []string{"f.csv:5:33: deterrence.warnings-shown total is blank; write 0 for a count of zero, or not-measured as the state of the metric"}},
		"thousands":                {"total,100", `total,"1,000"`, []string{`f.csv:5:33: deterrence.warnings-shown total is wrong: "1,000" has a thousands separator or a fraction; write plain digits, 1000 if that is meant`}},
		"negative":                 {"total,100", "total,-1", []string{`f.csv:5:33: deterrence.warnings-shown total is wrong: "-1" is negative; a count starts at 0`}},
		"too large":                {"total,100", "total,4294967296", []string{`f.csv:5:33: deterrence.warnings-shown total is wrong: "4294967296" is above the largest value allowed here, 4294967295`}},
		"rule":                     {"total,60", "total,101", []string{"f.csv:7:35: deterrence.warnings-shown is 100; deterrence.sessions-stopped is 101 and must not be more than that: a stopped session is one of the sessions with a warning"}},
		"state":                    {"state,estimated", "state,guess", []string{`f.csv:6:35: state of deterrence.sessions-stopped is "guess"; it is one of measured, estimated, not-measured, not-applicable`}},
		"blank state":              {"state,estimated", "state,", []string{`f.csv:6:35: state of deterrence.sessions-stopped is blank; write one of measured, estimated, not-measured, not-applicable`}},
		"value in no state":        {"help-clicked,total,", "help-clicked,total,0", []string{`f.csv:9:31: deterrence.help-clicked total is "0" though the state of deterrence.help-clicked is not-measured; clear the cell or change the state`}},
		"instrument":               {"deterrence,warnings-shown,total", "deterence,warnings-shown,total", []string{`f.csv:4:1: deterrence.warnings-shown has no line for cell total`, `f.csv:5:1: catalogue csea-industry-metrics 0.1 has no instrument "deterence" (did you mean deterrence?)`}},
		"metric":                   {"deterrence,help-clicked,total", "deterrence,help-click,total", []string{`f.csv:9:1: instrument deterrence has no metric "help-click" (did you mean help-clicked?)`}},
		"cell":                     {"help-clicked,total", "help-clicked,sum", []string{`f.csv:9:1: metric deterrence.help-clicked has no cell "sum"; it has state, total`}},
		"twice":                    {"deterrence,help-clicked,total", "deterrence,warnings-shown,total", []string{`f.csv:9:1: "deterrence warnings-shown total" stands already in line 5`}},
		"no lines":                 {"deterrence,help-clicked,state,not-measured,\ndeterrence,help-clicked,total,,\n", "", []string{"f.csv: metric deterrence.help-clicked has no lines; each metric of an instrument has a state, if only not-applicable"}},
		"no state line":            {"deterrence,warnings-shown,state,measured,\n", "", []string{"f.csv:4:1: metric deterrence.warnings-shown has no line for its state; add one with measured, estimated, not-measured, not-applicable"}},
		"other round":              {"2026Q1", "2025Q4", []string{`f.csv:2:13: file is for round "2025Q4", not "2026Q1"`}},
		"no round":                 {"file,round,,2026Q1,\n", "", []string{`f.csv: file does not say for which round it is; instrument or sheet "file" needs a line with metric "round" and the round as its value`}},
		"line lost to its coding":  {"2026Q1", "2026\xff", []string{`f.csv:2:13: text is not UTF-8; save the file as CSV in UTF-8`}},
		"line lost to a quotation": {"total,100", `total,"100`, []string{`f.csv:5:33: quotation mark is not closed, or text follows the closing one; close it, and double those inside the field`}},
		"other catalogue":          {catalogue.Hash(), "abc", []string{`f.csv:3:12: file counts by another catalogue, "" with hash "abc"; this is csea-industry-metrics 0.1 with hash ` + catalogue.Hash() + `: make a new template and move the figures`}},
		"missing column":           {"instrument,metric,cell,value", "instrument,metric,code,value", []string{`f.csv:1: column "cell" is missing; the header has "instrument,metric,code,value,reason"`}},
		"short row":                {"total,60,", "total,60", []string{`f.csv:7: row has 4 fields, the header 5; a field that contains a separator must stand in quotation marks`}},
		"unknown line of the file": {"file,round,,2026Q1", "file,rund,,2026Q1", []string{`f.csv: file does not say for which round it is; instrument or sheet "file" needs a line with metric "round" and the round as its value`, `f.csv:2:1: there is no line "file rund"`}},
		"several at once": {"measured,\ndeterrence,warnings-shown,total,100,\ndeterrence,sessions-stopped,state,estimated,\ndeterrence,sessions-stopped,total,60",
			"measured,\ndeterrence,warnings-shown,total,1 000,\ndeterrence,sessions-stopped,state,sure,\ndeterrence,sessions-stopped,total,x", []string{
				`f.csv:5:33: deterrence.warnings-shown total is wrong: "1 000" has a thousands separator or a fraction; write plain digits, 1000 if that is meant`,
				`f.csv:6:35: state of deterrence.sessions-stopped is "sure"; it is one of measured, estimated, not-measured, not-applicable`,
				`f.csv:7:35: deterrence.sessions-stopped total is wrong: "x" is not a number; write digits only`}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if !strings.Contains(good, test.old) {
				t.Fatalf("the good file does not contain %q", test.old)
			}
			file := read(t, []byte(strings.Replace(good, test.old, test.new, 1)), "f.csv")
			got := texts(file.Check(nil))
			for i := range got {
				got[i] = strings.ReplaceAll(got[i], quoteClipped(catalogue.Hash()), catalogue.Hash())
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("errors differ (-want +got):\n%s", diff)
			}
		})
	}
}

func quoteClipped(s string) string { return s[:40] + "…" }

func TestAnswers(t *testing.T) {
	header := "instrument;metric;cell;value\nfile;round;;2026Q1\nfile;hash;;" + catalogue.Hash() + "\n"
	tests := map[string]struct{ metric, cell, value, want string }{
		"yes":          {"limits-stated", "answer", "Yes", ""},
		"true":         {"limits-stated", "answer", "TRUE", `transparency.limits-stated answer is "TRUE"; write yes or no`},
		"choice":       {"assurance", "choice", "internal-audit", ""},
		"wrong choice": {"assurance", "choice", "internal audit", `transparency.assurance choice is "internal audit" (did you mean internal-audit?); it is one of none, internal-audit, independent-review-of-process, independent-assurance-of-figures`},
		"blank choice": {"assurance", "choice", "", `transparency.assurance choice is blank; write one of its codes, or not-measured as the state of the metric`},
		"date":         {"method-review", "choice", "06-Dec", `transparency.method-review choice is "06-Dec" (a date, into which a spreadsheet may have turned it); it is one of le-6-months, 6-12-months, 12-24-months, gt-24-months, never`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			text := header + fmt.Sprintf("transparency;%s;state;measured\ntransparency;%s;%s;%s\n", test.metric, test.metric, test.cell, test.value)
			var got strings.Builder
			for _, e := range read(t, []byte(text), "").Check(nil).Errors {
				if !strings.Contains(e.Text, "has no lines") { // of the other metrics
					got.WriteString(e.Text)
				}
			}
			if got.String() != test.want {
				t.Errorf("error is %q, want %q", got.String(), test.want)
			}
		})
	}
}

// TestRuleErrorsInPlace breaks rules in a workbook and in a CSV file, and checks file, sheet, cells, both numbers and the rule in plain words.
func TestRuleErrorsInPlace(t *testing.T) {
	f := catalogue.Example(3, []string{"hash-match"}, true)
	f["hash-match.matched"].Values[0] = 100
	f["hash-match.confirmed"].Values[0] = 120
	f["hash-match.rejected"].Values[0] = 30
	cells := map[string][]string{"xlsx": {"hash-match!C11", "hash-match!C19", "hash-match!C3"}, "csv": {"line 14", "line 22", "line 6"}}
	for format, where := range map[string]string{"xlsx": "f.xlsx:hash-match!C11:", "csv": "f.csv:14:28:"} {
		data := written(t, format, &figures.Template{Catalogue: catalogue, Round: "2026Q1", Instruments: []string{"hash-match"}, Figures: f})
		report := read(t, data, "f."+format).Check(nil)
		want := where + " hash-match.matched[image] is 100; hash-match.confirmed[image] + hash-match.rejected[image] is 120 + 30 = 150 and must not be more than that: a match is decided once, one way or the other"
		found := false
		for _, e := range report.Errors {
			if e.String() == want {
				found = true
				if want := cells[format]; !slices.Equal(e.Cells, want) {
					t.Errorf("%s: cells are %q, want %q", format, e.Cells, want)
				}
				if want := "for each media type, “Matches confirmed on review” plus “False matches” must not be more than “Matches”; a match is decided once, one way or the other"; e.Rule != want {
					t.Errorf("rule in plain words is %q, want %q", e.Rule, want)
				}
			}
		}
		if !found {
			t.Errorf("%s: no error\n%s\nin\n%s", format, want, strings.Join(texts(report), "\n"))
		}
	}
}

func TestQuestionsAndReasons(t *testing.T) {
	now := catalogue.Example(5, []string{"deterrence"}, true)
	last := maps.Clone(now)
	last["deterrence.warnings-shown"] = metric.Entry{State: metric.Measured, Values: []int64{now["deterrence.warnings-shown"].Values[0]*4 + 40}}
	for _, format := range []string{"csv", "xlsx"} {
		for reason, open := range map[string]int{"": 1, "one service was closed": 0} {
			template := &figures.Template{Catalogue: catalogue, Round: "2026Q1", Instruments: []string{"deterrence"}, Figures: now, Reasons: map[string]string{"deterrence.warnings-shown": reason}}
			report := read(t, written(t, format, template), "f").Check(last)
			if !report.OK() || len(report.Questions) != 1 || report.Questions[0].Reason != reason || len(report.Unexplained()) != open {
				t.Errorf("%s with reason %q: report %v, questions %v", format, reason, report.Errors, report.Questions)
			}
		}
	}
}

func TestOptions(t *testing.T) {
	data, _ := filled(t, "csv", 1, true, []string{"scope", "deterrence"})
	file, err := figures.Read(bytes.NewReader(data), figures.Options{File: "f.csv", Catalogue: catalogue, Instruments: []string{"deterrence", "people"}})
	if err != nil {
		t.Fatal(err)
	}
	report := file.Check(nil)
	if diff := cmp.Diff([]string{"f.csv:5:1: instrument scope is not asked for in this round; remove its lines"}, texts(report)); diff != "" {
		t.Errorf("errors differ (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"instrument people of the round is not in the file and will not be contributed"}, report.Notes); diff != "" {
		t.Errorf("notes differ (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"deterrence"}, report.Instruments); diff != "" {
		t.Errorf("instruments differ (-want +got):\n%s", diff)
	}
}

func TestReadFailure(t *testing.T) {
	if _, err := figures.Read(iotest.ErrReader(os.ErrClosed), figures.Options{Catalogue: catalogue}); !errors.Is(err, os.ErrClosed) {
		t.Errorf("error is %v, want that of the reader", err)
	}
}

// BenchmarkCheck reads and checks a file with all 19 instruments: the goal is under a second on one core.
func BenchmarkCheck(b *testing.B) {
	for _, format := range []string{"csv", "xlsx"} {
		b.Run(format, func(b *testing.B) {
			data, last := filled(b, format, 1, true, nil)
			for b.Loop() {
				if report := read(b, data, "f").Check(last); !report.OK() {
					b.Fatal(report.Errors)
				}
			}
		})
	}
}

// TestHostileCSVMemory reads CSV files of the largest size.
func TestHostileCSVMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("reads 16 MiB files")
	}
	header := "instrument,metric,cell,value,reason\nfile,round,,2026Q1,\nfile,hash,," + catalogue.Hash() + ",\n"
	fill := func(line func(i int) string) string {
		var b strings.Builder
		b.WriteString(header)
		for i := 0; b.Len() < 16<<20-100; i++ {
			b.WriteString(line(i))
		}
		return b.String()
	}
	for name, text := range map[string]string{
		"unknown instruments": fill(func(i int) string { return fmt.Sprintf("x%x,a,b,1,\n", i) }),
		"unknown cells":       fill(func(i int) string { return fmt.Sprintf("scope,size-band,%x,1,why\n", i) }),
		"one line repeated":   fill(func(int) string { return "scope,size-band,state,measured,why\n" }),
		"long reason":         header + "scope,size-band,state,measured," + strings.Repeat("x", 15<<20) + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			var report *figures.Report
			start := time.Now()
			peak := peakMemory(t, func() { report = read(t, []byte(text), "f.csv").Check(nil) })
			t.Logf("%v, peak %d MB, %d errors, the first one %s", time.Since(start), peak>>20, len(report.Errors), report.Errors[0])
			if last := report.Errors[len(report.Errors)-1].Text; len(report.Errors) > 1000 && !strings.HasSuffix(last, " more problems") {
				t.Errorf("the last of %d errors is %q", len(report.Errors), last)
			}
			if peak > 200<<20 || report.OK() {
				t.Errorf("used %d MB, accepted: %v", peak>>20, report.OK())
			}
		})
	}
}

// TestTemplateChecksTyping reads the template with another library: validation, sums and definitions are there.
func TestTemplateChecksTyping(t *testing.T) {
	data := written(t, "xlsx", &figures.Template{Catalogue: catalogue, Round: "2026Q1"})
	f, err := excelize.OpenReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if diff := cmp.Diff(append([]string{"file"}, allIDs()...), f.GetSheetList()); diff != "" {
		t.Errorf("sheets differ (-want +got):\n%s", diff)
	}
	for i := range catalogue.Instruments {
		in := &catalogue.Instruments[i]
		rows, err := f.GetRows(in.ID)
		if err != nil {
			t.Fatal(err)
		}
		validations, err := f.GetDataValidations(in.ID)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := len(validations), len(rows)-1; got != want {
			t.Errorf("%s has %d validations for %d lines", in.ID, got, want)
		}
		states, definitions := 0, 0
		for r, row := range rows[1:] {
			if row[1] == "state" {
				states++
				m := in.Metric(row[0])
				formula, err := f.GetCellFormula(in.ID, fmt.Sprintf("D%d", r+2))
				if err != nil {
					t.Fatal(err)
				}
				want := ""
				if m.Type.Counts() && m.Width() > 1 {
					want = fmt.Sprintf("SUM(C%d:C%d)", r+3, r+2+m.Width())
				}
				if formula != want {
					t.Errorf("%s: sum is %q, want %q", m.Path(), formula, want)
				}
			}
			if len(row) >= 7 && row[6] != "" {
				definitions++
			}
		}
		if states != len(in.Metrics) || definitions < states {
			t.Errorf("%s has %d states and %d definitions for %d metrics", in.ID, states, definitions, len(in.Metrics))
		}
	}
}
