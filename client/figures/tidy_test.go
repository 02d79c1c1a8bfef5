package figures_test

import (
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"candor/client/figures"

	"github.com/google/go-cmp/cmp"
)

func TestReadTidy(t *testing.T) {
	want := &figures.Tidy{Period: "2025", Metrics: []string{"reports", "accounts"}, Organisations: []figures.Organisation{
		{Name: "Ålpha, Inc.", Values: []int64{0, 7}, Missing: []bool{false, false}},
		{Name: "Beta", Values: []int64{1099511627776, 0}, Missing: []bool{false, true}},
	}, Notes: []string{`metric "accounts": 1 of 2 organisations have no line and count as 0`}}
	files := map[string]string{
		"comma":                           "period,organisation,metric,value,note\n2025,\"Ålpha, Inc.\",reports,0,x\n2025,Beta,reports,1099511627776,\n2025,\"Ålpha, Inc.\",accounts,7,\n",
		"semicolon":                       "period;organisation;metric;value\n2025;Ålpha, Inc.;reports;0\n2025;Beta;reports;1099511627776\n2025;Ålpha, Inc.;accounts;7\n",
		"bom crlf":                        "\ufeffPeriod,Organisation,Metric,Value\r\n2025,\"Ålpha, Inc.\",reports,0\r\n2025,Beta,reports,1099511627776\r\n2025,\"Ålpha, Inc.\",accounts,007\r\n",
		"blank rows and no last line end": "value,period,organisation,metric\n\n0,2025,\"Ålpha, Inc.\",reports\n,,,\n1099511627776,2025,Beta,reports\n 7 ,2025,\"Ålpha, Inc.\",accounts",
	}
	for name, text := range files {
		t.Run(name, func(t *testing.T) {
			got, err := figures.ReadTidy(strings.NewReader(text), figures.TidyOptions{File: "f.csv"})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("table differs (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReadTidyOneMetric(t *testing.T) {
	got, err := figures.ReadTidy(strings.NewReader("organisation,value\na,1\nb,2\n"), figures.TidyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	want := &figures.Tidy{Metrics: []string{"value"}, Organisations: []figures.Organisation{
		{Name: "a", Values: []int64{1}, Missing: []bool{false}}, {Name: "b", Values: []int64{2}, Missing: []bool{false}}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("table differs (-want +got):\n%s", diff)
	}
}

func TestReadTidyProblems(t *testing.T) {
	tests := map[string]struct {
		text string
		opts figures.TidyOptions
		want []string
	}{
		"old Macintosh": {
			text: "organisation,value\ra,1\rb,2\r",
			want: []string{"f.csv: lines end as on an old Macintosh, with a carriage return alone; save the file as CSV in UTF-8"},
		},
		"tabs": {
			text: "organisation\tvalue\na\t1\n",
			want: []string{"f.csv:1: fields are separated by tabs; save the file as CSV, separated by commas or semicolons"},
		},
		"every error at once": {
			text: "organisation,metric,value\na,m,-1\nb,m,1.5\nc,m,\nd,m,\"1,234\"\ne,m,many\nf,m,1099511627777\n,m,3\ng,m,1\ng,m,2\ng,m\n",
			want: []string{
				`f.csv:2:5: value "-1" is negative; a count starts at 0`,
				`f.csv:3:5: value "1.5" is not a whole number; a count has no fraction`,
				`f.csv:4:5: value is blank; write 0 for a count of zero`,
				`f.csv:5:5: value "1,234" has a thousands separator or a fraction; write plain digits, 1234 if that is meant`,
				`f.csv:6:5: value "many" is not a number; write digits only`,
				`f.csv:7:5: value "1099511627777" is above the largest value allowed here, 1099511627776`,
				`f.csv:8:1: organisation is blank`,
				`f.csv:10:1: organisation "g" has metric "m" already in line 9`,
				`f.csv:11: row has 2 fields, the header 3; a field that contains a separator must stand in quotation marks`,
			},
		},
		"numbers out of spreadsheets": {
			text: "organisation;value\na;1 234 567\nb;1.234\nc;1'234\nd;1.2E+08\ne;12,0\nf;#REF!\ng;=A1\nh;(5)\ni;−5\nj;5%\nk;+5\nl;12 items\nm;1,234,567.89\nn;99999999999999999999\n",
			want: []string{
				`f.csv:2:3: value "1 234 567" has a thousands separator or a fraction; write plain digits, 1234567 if that is meant`,
				`f.csv:3:3: value "1.234" has a thousands separator or a fraction; write plain digits, 1234 if that is meant`,
				`f.csv:4:3: value "1'234" has a thousands separator or a fraction; write plain digits, 1234 if that is meant`,
				`f.csv:5:3: value "1.2E+08" is in scientific notation and may be rounded; show the column as a number with all digits`,
				`f.csv:6:3: value "12,0" has a decimal part; write 12`,
				`f.csv:7:3: value "#REF!" is an error value of a spreadsheet; repair the cell it came from`,
				`f.csv:8:3: value "=A1" is a formula; write the number it gives`,
				`f.csv:9:3: value "(5)" is negative as accountants write it; a count starts at 0`,
				`f.csv:10:3: value "−5" is negative; a count starts at 0`,
				`f.csv:11:3: value "5%" is a percentage; write the count`,
				`f.csv:12:3: value "+5" has a sign; write 5`,
				`f.csv:13:3: value "12 items" is not a number; write digits only, without unit or note`,
				`f.csv:14:3: value "1,234,567.89" is not a whole number; a count has no fraction`,
				`f.csv:15:3: value "99999999999999999999" is above the largest value allowed here, 1099511627776`,
			},
		},
		"cap": {text: "organisation,value\na,101\n", opts: figures.TidyOptions{Cap: 100},
			want: []string{`f.csv:2:3: value "101" is above the largest value allowed here, 100`}},
		"empty":      {text: "", want: []string{"f.csv: file is empty"}},
		"only bom":   {text: "\ufeff\r\n", want: []string{"f.csv: file is empty"}},
		"no rows":    {text: "organisation,value\n", want: []string{"f.csv: file has a header and no rows"}},
		"no columns": {text: "organization,count\na,1\n", want: []string{`f.csv:1: column "organisation" is missing; the header has "organization,count"`, `f.csv:1: column "value" is missing; the header has "organization,count"`}},
		"column twice": {text: "organisation,value,Value\na,1,2\n",
			want: []string{`f.csv:1:20: column "value" occurs twice`}},
		"no metric column, organisation twice": {text: "organisation,value\na,1\na,1\n",
			want: []string{`f.csv:3:1: organisation "a" stands already in line 2`}},
		"several periods": {text: "period,organisation,value\n2024,a,1\n2025,a,2\n",
			want: []string{`f.csv:3: file has 2 periods, "2024", "2025"; choose one`}},
		"wrong period": {text: "period,organisation,value\n2024,a,1\n2025,a,2\n", opts: figures.TidyOptions{Period: "2026"},
			want: []string{`f.csv: period "2026" does not occur; the file has "2024", "2025"`}},
		"no period column": {text: "organisation,value\na,1\n", opts: figures.TidyOptions{Period: "2026"},
			want: []string{`f.csv:1: column "period" is missing, so period "2026" cannot be chosen`}},
		"not utf-8":     {text: "organisation,value\n\xc5land,1\nb,x\n", want: []string{`f.csv:2:1: text is not UTF-8; save the file as CSV in UTF-8`, `f.csv:3:3: value "x" is not a number; write digits only`}},
		"utf-16":        {text: "\xff\xfeo\x00", want: []string{`f.csv: file is UTF-16; save it as CSV in UTF-8`}},
		"a spreadsheet": {text: "PK\x03\x04", want: []string{`f.csv: file is a spreadsheet or another zip archive, not CSV; save it as CSV in UTF-8`}},
		"quotation marks": {text: "organisation,value\na \"b\",1\n\"c\"d,1\ne,-3\n\"f,1\nåäö,-4\n", want: []string{
			`f.csv:2:3: quotation mark inside an unquoted field; put the field in quotation marks and double those inside it`,
			`f.csv:3:1: quotation mark is not closed, or text follows the closing one; close it, and double those inside the field`,
			`f.csv:4:3: value "-3" is negative; a count starts at 0`,
			`f.csv:5:1: quotation mark is not closed, or text follows the closing one; close it, and double those inside the field`,
			`f.csv:6:5: value "-4" is negative; a count starts at 0`,
		}},
		"control character in a name": {text: "organisation,value\n\"a\nb\",1\n", want: []string{
			`f.csv:2:1: organisation "a\nb" is longer than 400 bytes or has characters that do not print`}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			test.opts.File = "f.csv"
			tidy, err := figures.ReadTidy(strings.NewReader(test.text), test.opts)
			var problems figures.Problems
			if !errors.As(err, &problems) {
				t.Fatalf("ReadTidy = %v, %v; want Problems", tidy, err)
			}
			if diff := cmp.Diff(test.want, strings.Split(err.Error(), "\n")); diff != "" {
				t.Errorf("problems differ (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReadTidyManyProblems(t *testing.T) {
	_, err := figures.ReadTidy(strings.NewReader("organisation,value\n"+strings.Repeat("a,x\n", 5000)), figures.TidyOptions{File: "f.csv"})
	var problems figures.Problems
	if !errors.As(err, &problems) || len(problems) != 1001 {
		t.Fatalf("got %d problems, want 1000 and a remark", len(problems))
	}
	if got, want := problems[1000].String(), "f.csv: and 8999 more problems"; got != want {
		t.Errorf("last problem = %q, want %q", got, want)
	}
}

// TestReadTidyPublicData reads real public tables and compares sums with the totals that their publishers state.
func TestReadTidyPublicData(t *testing.T) {
	dir := filepath.Join("..", "..", "..", "shared", "data")
	checks, err := os.ReadFile(filepath.Join(dir, "total_checks.csv"))
	if errors.Is(err, os.ErrNotExist) {
		t.Skip("public data not beside the repository")
	} else if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(strings.NewReader(string(checks))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	at := map[string]int{}
	for i, name := range rows[0] {
		at[name] = i
	}
	compared := 0
	for _, row := range rows[1:] {
		file := row[at["file"]]
		if file != "ncmec_reports_by_esp.csv" && file != "ncmec_reports_by_country.csv" {
			continue
		}
		f, err := os.Open(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		tidy, err := figures.ReadTidy(f, figures.TidyOptions{File: file, Period: row[at["period"]]})
		f.Close()
		if err != nil {
			t.Errorf("reading %s for %s: %v", file, row[at["period"]], err)
			continue
		}
		for m, metric := range tidy.Metrics {
			if metric != row[at["metric"]] {
				continue
			}
			var sum int64
			present := 0
			for _, o := range tidy.Organisations {
				sum += o.Values[m]
				if !o.Missing[m] {
					present++
				}
			}
			compared++
			if got, want := fmt.Sprint(sum), row[at["stated_total"]]; got != want {
				t.Errorf("%s %s %s: sum %s, stated total %s", file, tidy.Period, metric, got, want)
			}
			if got, want := strconv.Itoa(present), row[at["rows_summed"]]; got != want {
				t.Errorf("%s %s %s: %s rows, want %s", file, tidy.Period, metric, got, want)
			}
		}
	}
	if compared != 12 {
		t.Errorf("compared %d totals, want 12", compared)
	}
}

func TestReadTidyMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("reads 16 MiB files")
	}
	files := map[string]func() string{
		"distinct organisations": func() string {
			var b strings.Builder
			b.WriteString("organisation,value\n")
			for i := 0; b.Len() < 16<<20-20; i++ {
				fmt.Fprintf(&b, "%x,1\n", i)
			}
			return b.String()
		},
		"full grid": func() string {
			var b strings.Builder
			b.WriteString("organisation,metric,value\n")
			for i := 0; b.Len() < 16<<20-20; i++ {
				fmt.Fprintf(&b, "%x,%x,1\n", i/1000, i%1000)
			}
			return b.String()
		},
		"one endless field": func() string { return "organisation,value\n\"" + strings.Repeat("x", 16<<20-30) },
		"endless row":       func() string { return "organisation,value\n" + strings.Repeat(",", 16<<20-30) },
		"too large":         func() string { return "organisation,value\n" + strings.Repeat("a,x\n", 5<<20) },
	}
	for name, file := range files {
		t.Run(name, func(t *testing.T) {
			text := file()
			peak := peakMemory(t, func() { figures.ReadTidy(strings.NewReader(text), figures.TidyOptions{}) })
			t.Logf("peak %d MB", peak>>20)
			if peak > 200<<20 {
				t.Errorf("reading used %d MB, want at most 200", peak>>20)
			}
		})
	}
}

// peakMemory samples the heap while fn runs and returns the largest growth seen.
func peakMemory(t *testing.T, fn func()) uint64 {
	t.Helper()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	before, peak := m.HeapAlloc, uint64(0)
	done := make(chan struct{})
	go func() {
		defer close(done)
		fn()
	}()
	for {
		select {
		case <-done:
			return peak
		default:
			runtime.ReadMemStats(&m)
			if m.HeapAlloc > before && m.HeapAlloc-before > peak {
				peak = m.HeapAlloc - before
			}
			time.Sleep(2 * time.Millisecond)
		}
	}
}

func FuzzReadTidy(f *testing.F) {
	for _, seed := range []string{
		"organisation,value\na,1\n", "\ufefforganisation;metric;value\r\n\"a;b\";m;2\r\n", "period,organisation,value\n2024,a,1\n2025,a,2\n",
		"organisation,value\n\"a,1\n", "organisation,value\na,1.234\n", "", "\xff\xfe", ",,,\n;;;", "organisation,value\r\r\n\x00,1",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		tidy, err := figures.ReadTidy(strings.NewReader(text), figures.TidyOptions{Cap: 1000})
		if err != nil {
			if err.Error() == "" {
				t.Error("empty error text")
			}
			return
		}
		for _, o := range tidy.Organisations {
			if len(o.Values) != len(tidy.Metrics) || len(o.Missing) != len(tidy.Metrics) {
				t.Fatalf("organisation %q has %d values and %d marks for %d metrics", o.Name, len(o.Values), len(o.Missing), len(tidy.Metrics))
			}
			for m, v := range o.Values {
				if v < 0 || v > 1000 || o.Missing[m] && v != 0 {
					t.Fatalf("organisation %q has value %d, missing %v", o.Name, v, o.Missing[m])
				}
			}
		}
	})
}
