package publish_test

import (
	"encoding/csv"
	"fmt"
	"os"
	"strconv"
	"testing"

	"candor/client/publish"
	"candor/schema/release"
)

func figure(metric string, value, half int64, sd float64, n int) release.Figure {
	return release.Figure{
		Round: "2023", Instrument: "calibration", Metric: metric, Value: new(value), CILow: new(value - half), CIHigh: new(value + half),
		NoiseSD: sd, Contributors: n, Status: release.Published,
	}
}

// one is the calibration round of 2023: a real total, and an estimate as the noise of 247 members makes it.
func one() publish.Release {
	f := figure("cybertipline_reports", 35944812, 44, 22.6, 247)
	return publish.Release{
		Title:       "Reports of child sexual abuse material by online services, 2023",
		Round:       "2023",
		Period:      "2023",
		Instrument:  "Calibration",
		Source:      "NCMEC, 2023 CyberTipline Reports by Electronic Service Providers (ESP).",
		Calibration: true,
		Truth:       map[release.Key]int64{f.Key(): 35944826},
		Figures:     []release.Figure{f},
		Metrics:     []publish.Metric{{ID: "cybertipline_reports", Label: "Reports to the clearing house", Unit: "reports", Meaning: "One report can hold several files and says nothing about how many children are concerned."}},
		Method:      publish.Method{Members: 247, Epsilon: "1", Unit: "report"},
	}
}

// twenty has 20 metrics of very different sizes; two published totals lie outside their intervals.
func twenty() publish.Release {
	r := publish.Release{
		Title: "Twenty metrics of 25 organisations", Round: "2023", Period: "2023", Calibration: true,
		Source: "made up for this test", Truth: map[release.Key]int64{},
		Method: publish.Method{Epsilon: "1"},
	}
	size := int64(40)
	for i := range 20 {
		value := size + int64(i*7)
		f := figure(fmt.Sprintf("metric_%02d_with_a_long_identifier", i+1), value, 14, 7.2, 25)
		r.Figures = append(r.Figures, f)
		r.Truth[f.Key()] = value + int64(i%5) - 2
		size = size * 2
	}
	r.Truth[r.Figures[3].Key()] = *r.Figures[3].Value + 15
	r.Truth[r.Figures[4].Key()] = *r.Figures[4].Value - 4000
	return r
}

// withheld has one organisation too few.
func withheld() publish.Release {
	r := one()
	r.Figures = []release.Figure{figure("cybertipline_reports", 812, 8, 4.3, 9)}
	r.Figures = publish.WithholdBelow(publish.DefaultMinimum, r.Figures)
	r.Method.Members = 9
	return r
}

// mixed is no calibration and has every status that a figure can have.
func mixed() publish.Release {
	r := publish.Release{
		Title: "Known material: hash matching", Round: "2026-q1", Period: "2026 Q1", Instrument: "Known material",
		Method:  publish.Method{Members: 45, Minimum: 10, Epsilon: "1", Cap: 1_000_000},
		Metrics: []publish.Metric{{Instrument: "hash-match", ID: "matched", Label: "Matches", Unit: "items"}},
	}
	for i, s := range release.Statuses() {
		if s.ForRatio() {
			continue
		}
		f := figure("matched", int64(1234567-i*200000), 18, 9.1, 40)
		f.Round, f.Instrument, f.Cell, f.Status = "2026-q1", "hash-match", fmt.Sprintf("cell-%d", i), s
		switch {
		case s == release.Few:
			f.Value, f.CILow, f.CIHigh = new(int64(-5)), new(int64(-23)), new(int64(13))
		case s == release.Coarsened:
			f.Value, f.CILow, f.CIHigh, f.NoiseSD = nil, new(int64(0)), new(int64(2)), 0
		case s.Withheld():
			f.Value, f.CILow, f.CIHigh = nil, nil, nil
		}
		r.Figures = append(r.Figures, f)
	}
	return r
}

// hostile carries markup in every text.
func hostile() publish.Release {
	const x = `"><script>alert(1)</script><img src=http://evil.invalid/ onerror=alert(1)>{{.}}`
	r := one()
	r.Title, r.Period, r.Instrument, r.Source = x, x, x, x
	r.Metrics[0].Label, r.Metrics[0].Unit, r.Metrics[0].Meaning = x, x, x
	r.Figures[0].Cell = x
	r.Truth = map[release.Key]int64{r.Figures[0].Key(): 35944826}
	r.Method.Epsilon = x
	return r
}

var samples = []struct {
	name string
	make func() publish.Release
}{
	{"one", one}, {"twenty", twenty}, {"withheld", withheld}, {"mixed", mixed},
}

// publishedTotals reads the yearly sums of the public provider list, when it is beside the checkout.
func publishedTotals(t *testing.T) map[string]int64 {
	f, err := os.Open("../../../shared/data/ncmec_reports_by_esp.csv")
	if err != nil {
		t.Skip("no public figures beside the checkout")
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	totals := map[string]int64{}
	for _, r := range rows[1:] {
		v, err := strconv.ParseInt(r[4], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		totals[r[1]] += v
	}
	return totals
}
