package release_test

import (
	"strings"
	"testing"

	"candor/schema/release"

	"github.com/google/go-cmp/cmp"
)

func ratios() []release.Ratio {
	return []release.Ratio{
		{Round: "2026-q1", Instrument: "hash-match", Ratio: "precision", Value: new(release.Share(120000)), CILow: new(release.Share(100712)), CIHigh: new(release.Share(139423)), Numerator: new(int64(120)), Denominator: new(int64(1000)), Status: release.Published},
		{Round: "2026-q1", Instrument: "hash-match", Ratio: "precision", Cell: "audio", Status: release.WithheldDenominator},
		{Round: "2026-q1", Instrument: "hash-match", Ratio: "reversal-rate", Value: new(release.Share(0)), CILow: new(release.Share(0)), CIHigh: new(release.One), Numerator: new(int64(-3)), Denominator: new(int64(900)), Status: release.Published},
	}
}

const ratiosCSV = `round,instrument,ratio,cell,value,ci_low,ci_high,numerator,denominator,status
2026-q1,hash-match,precision,,0.120000,0.100712,0.139423,120,1000,published
2026-q1,hash-match,precision,audio,,,,,,withheld-denominator
2026-q1,hash-match,reversal-rate,,0.000000,0.000000,1.000000,-3,900,published
`

const ratiosJSON = `[
{"round":"2026-q1","instrument":"hash-match","ratio":"precision","cell":"","value":0.120000,"ci_low":0.100712,"ci_high":0.139423,"numerator":120,"denominator":1000,"status":"published"},
{"round":"2026-q1","instrument":"hash-match","ratio":"precision","cell":"audio","value":null,"ci_low":null,"ci_high":null,"numerator":null,"denominator":null,"status":"withheld-denominator"},
{"round":"2026-q1","instrument":"hash-match","ratio":"reversal-rate","cell":"","value":0.000000,"ci_low":0.000000,"ci_high":1.000000,"numerator":-3,"denominator":900,"status":"published"}
]
`

func TestRatios(t *testing.T) {
	for _, tc := range []struct {
		name, want string
		encode     func([]release.Ratio) ([]byte, error)
		parse      func([]byte) ([]release.Ratio, error)
	}{
		{"CSV", ratiosCSV, release.EncodeRatiosCSV, release.ParseRatiosCSV},
		{"JSON", ratiosJSON, release.EncodeRatiosJSON, release.ParseRatiosJSON},
	} {
		got, err := tc.encode(ratios())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tc.want, string(got)); diff != "" {
			t.Errorf("%s differs:\n%s", tc.name, diff)
		}
		back, err := tc.parse(got)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(ratios(), back); diff != "" {
			t.Errorf("%s parses differently:\n%s", tc.name, diff)
		}
		for _, change := range [][2]string{{"0.120000", "0.12"}, {"0.120000", "0.1200000"}, {"1.000000", "1.000001"}, {"0.120000", "-0.12000"}, {"0.120000", "0.12000e"}} {
			if _, err := tc.parse([]byte(strings.Replace(tc.want, change[0], change[1], 1))); err == nil {
				t.Errorf("%s with %s for %s parsed", tc.name, change[1], change[0])
			}
		}
	}
}

func TestCheckRatios(t *testing.T) {
	for name, change := range map[string]func(*release.Ratio){
		"few":                  func(r *release.Ratio) { r.Status = release.Few },
		"unknown status":       func(r *release.Ratio) { r.Status = "x" },
		"no count":             func(r *release.Ratio) { r.Denominator = nil },
		"withheld with number": func(r *release.Ratio) { r.Status = release.WithheldUnbounded },
		"interval":             func(r *release.Ratio) { r.CIHigh = new(release.Share(119999)) },
		"above one":            func(r *release.Ratio) { r.CIHigh = new(release.One + 1) },
		"name":                 func(r *release.Ratio) { r.Ratio = "" },
	} {
		r := ratios()[0]
		change(&r)
		if release.CheckRatios([]release.Ratio{r}) == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if release.CheckRatios([]release.Ratio{ratios()[0], ratios()[0]}) == nil {
		t.Error("a ratio that appears twice was accepted")
	}
}

func FuzzParseRatiosCSV(f *testing.F) {
	f.Add([]byte(ratiosCSV))
	f.Fuzz(func(t *testing.T, b []byte) { checkStrict(t, b, release.ParseRatiosCSV, release.EncodeRatiosCSV) })
}

func FuzzParseRatiosJSON(f *testing.F) {
	f.Add([]byte(ratiosJSON))
	f.Fuzz(func(t *testing.T, b []byte) { checkStrict(t, b, release.ParseRatiosJSON, release.EncodeRatiosJSON) })
}
