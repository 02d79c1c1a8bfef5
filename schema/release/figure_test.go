package release_test

import (
	"encoding/csv"
	"encoding/json"
	"math"
	"strings"
	"testing"

	"candor/schema/release"

	"github.com/google/go-cmp/cmp"
)

func sample() []release.Figure {
	return []release.Figure{
		{Round: "2023", Instrument: "calibration", Metric: "cybertipline_reports", Value: new(int64(35944829)), CILow: new(int64(35944785)), CIHigh: new(int64(35944873)), NoiseSD: 22.627416997969522, Contributors: 247, Status: release.Published},
		{Round: "2023", Instrument: "calibration", Metric: "appeals, all", Cell: "lt-1m", Value: new(int64(-3)), CILow: new(int64(-22)), CIHigh: new(int64(16)), NoiseSD: 9.6, Contributors: 50, Status: release.Few},
		{Round: "2023", Instrument: "calibration", Metric: "appeals, all", Cell: `of "type" é`, NoiseSD: 4, Contributors: 9, Status: release.WithheldMinimum},
		{Round: "2023", Instrument: "answers", Metric: "tools", Cell: "not-measured", CILow: new(int64(0)), CIHigh: new(int64(2)), Contributors: 40, Status: release.Coarsened},
		{Round: "2023", Instrument: "answers", Metric: "raw", Contributors: 0, Status: release.NotCollected},
	}
}

const sampleCSV = `round,instrument,metric,cell,value,ci_low,ci_high,noise_sd,contributors,status
2023,calibration,cybertipline_reports,,35944829,35944785,35944873,22.627416997969522,247,published
2023,calibration,"appeals, all",lt-1m,-3,-22,16,9.6,50,few
2023,calibration,"appeals, all","of ""type"" é",,,,4,9,withheld-minimum
2023,answers,tools,not-measured,,0,2,0,40,coarsened
2023,answers,raw,,,,,0,0,not-collected
`

const sampleJSON = `[
{"round":"2023","instrument":"calibration","metric":"cybertipline_reports","cell":"","value":35944829,"ci_low":35944785,"ci_high":35944873,"noise_sd":22.627416997969522,"contributors":247,"status":"published"},
{"round":"2023","instrument":"calibration","metric":"appeals, all","cell":"lt-1m","value":-3,"ci_low":-22,"ci_high":16,"noise_sd":9.6,"contributors":50,"status":"few"},
{"round":"2023","instrument":"calibration","metric":"appeals, all","cell":"of \"type\" é","value":null,"ci_low":null,"ci_high":null,"noise_sd":4,"contributors":9,"status":"withheld-minimum"},
{"round":"2023","instrument":"answers","metric":"tools","cell":"not-measured","value":null,"ci_low":0,"ci_high":2,"noise_sd":0,"contributors":40,"status":"coarsened"},
{"round":"2023","instrument":"answers","metric":"raw","cell":"","value":null,"ci_low":null,"ci_high":null,"noise_sd":0,"contributors":0,"status":"not-collected"}
]
`

func TestEncodeFigures(t *testing.T) {
	for _, tc := range []struct {
		name, want string
		encode     func([]release.Figure) ([]byte, error)
		parse      func([]byte) ([]release.Figure, error)
	}{
		{"CSV", sampleCSV, release.EncodeCSV, release.ParseCSV},
		{"JSON", sampleJSON, release.EncodeJSON, release.ParseJSON},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := tc.encode(sample())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, string(got)); diff != "" {
				t.Errorf("encoding differs (-want +got):\n%s", diff)
			}
			back, err := tc.parse(got)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(sample(), back); diff != "" {
				t.Errorf("parsed figures differ (-want +got):\n%s", diff)
			}
		})
	}
}

// TestFiguresForOtherReaders reads both files without this package's parsers.
func TestFiguresForOtherReaders(t *testing.T) {
	c, _ := release.EncodeCSV(sample())
	rows, err := csv.NewReader(strings.NewReader(string(c))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(release.Columns(), rows[0]); diff != "" {
		t.Errorf("header differs:\n%s", diff)
	}
	j, _ := release.EncodeJSON(sample())
	var objects []map[string]any
	if err := json.Unmarshal(j, &objects); err != nil {
		t.Fatal(err)
	}
	for i, o := range objects {
		if len(o) != len(release.Columns()) {
			t.Errorf("object %d has %d keys, want %d", i, len(o), len(release.Columns()))
		}
		if o["metric"] != rows[i+1][2] || o["status"] != rows[i+1][9] {
			t.Errorf("object %d and row %d differ: %v, %v", i, i, o, rows[i+1])
		}
	}
	if objects[0]["value"] != float64(35944829) || objects[2]["value"] != nil {
		t.Errorf("values read as %v and %v", objects[0]["value"], objects[2]["value"])
	}
}

func TestCheckFigures(t *testing.T) {
	base := sample()[0]
	for _, tc := range []struct {
		name, want string
		change     func(*release.Figure)
	}{
		{"no round", "round is empty", func(f *release.Figure) { f.Round = "" }},
		{"formula", "spreadsheet", func(f *release.Figure) { f.Metric = "=HYPERLINK(1)" }},
		{"control character", "U+000A", func(f *release.Figure) { f.Cell = "a\nb" }},
		{"right-to-left override", "U+202E", func(f *release.Figure) { f.Cell = "a\u202eb" }},
		{"not UTF-8", "not UTF-8", func(f *release.Figure) { f.Cell = "a\xff" }},
		{"space", "space", func(f *release.Figure) { f.Cell = " a" }},
		{"long", "longer", func(f *release.Figure) { f.Cell = strings.Repeat("a", 201) }},
		{"status", "unknown status", func(f *release.Figure) { f.Status = "secret" }},
		{"ratio status", "unknown status", func(f *release.Figure) { f.Status = release.WithheldUnbounded }},
		{"value missing", "needs value", func(f *release.Figure) { f.Value = nil }},
		{"interval", "does not hold", func(f *release.Figure) { f.CILow = new(int64(35944830)) }},
		{"withheld with a number", "allows no number", func(f *release.Figure) { f.Status = release.WithheldBlanked; f.Value = nil; f.CILow = nil }},
		{"coarsened with a value", "no value", func(f *release.Figure) { f.Status = release.Coarsened }},
		{"beyond doubles", "2^53", func(f *release.Figure) { f.CIHigh = new(int64(1 << 53)) }},
		{"sd", "noise_sd", func(f *release.Figure) { f.NoiseSD = math.NaN() }},
		{"sd negative zero", "noise_sd", func(f *release.Figure) { f.NoiseSD = math.Copysign(0, -1) }},
		{"sd infinite", "noise_sd", func(f *release.Figure) { f.NoiseSD = math.Inf(1) }},
		{"contributors", "organisations", func(f *release.Figure) { f.Contributors = -1 }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := base
			tc.change(&f)
			err := release.CheckFigures([]release.Figure{f})
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("CheckFigures: %v, want an error with %q", err, tc.want)
			}
			if b, err := release.EncodeCSV([]release.Figure{f}); err == nil {
				t.Errorf("EncodeCSV wrote %q", b)
			}
			if b, err := release.EncodeJSON([]release.Figure{f}); err == nil {
				t.Errorf("EncodeJSON wrote %q", b)
			}
		})
	}
	t.Run("twice", func(t *testing.T) {
		err := release.CheckFigures([]release.Figure{base, base})
		if err == nil || !strings.Contains(err.Error(), "appears twice") {
			t.Errorf("CheckFigures: %v", err)
		}
	})
	t.Run("all at once", func(t *testing.T) {
		f := base
		f.Round, f.Contributors, f.Status = "", -1, "x"
		if n := strings.Count(release.CheckFigures([]release.Figure{f}).Error(), "\n") + 1; n != 3 {
			t.Errorf("%d errors, want 3", n)
		}
	})
}

func TestParseRefusesOtherForms(t *testing.T) {
	for _, tc := range []struct{ name, old, new string }{
		{"byte-order mark", "round,", "\ufeffround,"},
		{"column name", "noise_sd", "sd"},
		{"column order", "value,ci_low", "ci_low,value"},
		{"leading zero", ",247,", ",0247,"},
		{"plus sign", ",35944829,", ",+35944829,"},
		{"trailing zero", ",9.6,", ",9.60,"},
		{"exponent", ",9.6,", ",96e-1,"},
		{"hexadecimal", ",9.6,", ",0x1p3,"},
		{"needless quotes", "lt-1m", `"lt-1m"`},
		{"carriage return", "\n", "\r\n"},
		{"last line feed", "not-collected\n", "not-collected"},
		{"blank line", "\n2023,answers,raw", "\n\n2023,answers,raw"},
		{"field count", ",not-collected", ",not-collected,"},
	} {
		t.Run("CSV "+tc.name, func(t *testing.T) {
			in := strings.Replace(sampleCSV, tc.old, tc.new, 1)
			if in == sampleCSV {
				t.Fatal("nothing was replaced")
			}
			if _, err := release.ParseCSV([]byte(in)); err == nil {
				t.Error("parsed")
			}
		})
	}
	for _, tc := range []struct{ name, old, new string }{
		{"unknown key", `"status":"published"`, `"status":"published","x":1`},
		{"repeated key", `"status":"published"`, `"status":"few","status":"published"`},
		{"key case", `"status":"published"`, `"Status":"published"`},
		{"key order", `"round":"2023","instrument":"answers"`, `"instrument":"answers","round":"2023"`},
		{"missing key", `"contributors":0,`, ``},
		{"spacing", `"value":-3`, `"value": -3`},
		{"exponent", `"value":-3,`, `"value":-3e0,`},
		{"escape", `é`, `\u00e9`},
		{"trailing bytes", "]\n", "]\n[]"},
		{"null", sampleJSON, "null\n"},
	} {
		t.Run("JSON "+tc.name, func(t *testing.T) {
			in := strings.Replace(sampleJSON, tc.old, tc.new, 1)
			if in == sampleJSON {
				t.Fatal("nothing was replaced")
			}
			if _, err := release.ParseJSON([]byte(in)); err == nil {
				t.Error("parsed")
			}
		})
	}
	_, err := release.ParseCSV([]byte(strings.Replace(sampleCSV, ",9.6,", ",9.60,", 1)))
	if err == nil || !strings.Contains(err.Error(), "line 3") {
		t.Errorf("the error does not name line 3: %v", err)
	}
}

func TestEmptyRelease(t *testing.T) {
	c, err := release.EncodeCSV(nil)
	if err != nil || string(c) != strings.Join(release.Columns(), ",")+"\n" {
		t.Errorf("EncodeCSV(nil) = %q, %v", c, err)
	}
	j, err := release.EncodeJSON(nil)
	if err != nil || string(j) != "[\n]\n" {
		t.Errorf("EncodeJSON(nil) = %q, %v", j, err)
	}
	if f, err := release.ParseJSON(j); err != nil || len(f) != 0 {
		t.Errorf("ParseJSON = %v, %v", f, err)
	}
}

func TestStatuses(t *testing.T) {
	seen := map[string]release.Status{}
	for _, s := range release.Statuses() {
		r := s.Reason()
		if !strings.HasSuffix(r, ".") || len(r) < 20 {
			t.Errorf("%s: reason %q is not a sentence", s, r)
		}
		if o, ok := seen[r]; ok {
			t.Errorf("%s and %s have one reason", s, o)
		}
		seen[r] = s
		if s.Open() && s.Withheld() {
			t.Errorf("%s is open and withheld", s)
		}
	}
	if release.Status("").Valid() || release.Status("").Withheld() || release.Coarsened.Withheld() || release.Coarsened.Open() {
		t.Error("unknown or coarsened statuses are taken for others")
	}
}

func FuzzParseCSV(f *testing.F) {
	f.Add([]byte(sampleCSV))
	f.Add([]byte(strings.Join(release.Columns(), ",") + "\n"))
	f.Fuzz(func(t *testing.T, b []byte) { checkStrict(t, b, release.ParseCSV, release.EncodeCSV) })
}

func FuzzParseJSON(f *testing.F) {
	f.Add([]byte(sampleJSON))
	f.Add([]byte("[\n]\n"))
	f.Fuzz(func(t *testing.T, b []byte) { checkStrict(t, b, release.ParseJSON, release.EncodeJSON) })
}

func checkStrict[T any](t *testing.T, b []byte, parse func([]byte) (T, error), encode func(T) ([]byte, error)) {
	v, err := parse(b)
	if err != nil {
		return
	}
	again, err := encode(v)
	if err != nil {
		t.Fatalf("what parsed does not encode: %v", err)
	}
	if string(again) != string(b) {
		t.Fatalf("parsed %q, which encodes to %q", b, again)
	}
}
