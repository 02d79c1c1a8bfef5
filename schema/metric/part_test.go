package metric_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"candor/schema/metric"

	"github.com/google/go-cmp/cmp"
)

func TestPartsOfCollaboration(t *testing.T) {
	parts, err := standard.Instrument("collaboration").Parts(map[string]int64{"signals-sent": 8388607})
	if err != nil {
		t.Fatal(err)
	}
	type summary struct {
		Name           string
		Kind           metric.PartKind
		Cap            int64
		Noise          bool
		Weight, Cells  int
		Metrics, First string
	}
	var got []summary
	for _, p := range parts {
		got = append(got, summary{p.Name, p.Kind, p.Cap, p.Noise, p.MaxWeight, len(p.Cells), strings.Join(p.Metrics, " "), p.Cells[0].String()})
	}
	want := []summary{
		{"counts", metric.Counts, 8388607, false, 0, 7, "hashes-contributed", "collaboration.hashes-contributed[image]"},
		{"counts-2", metric.Counts, 1048575, false, 0, 1, "hashes-withdrawn", "collaboration.hashes-withdrawn"},
		{"counts-3", metric.Counts, 8388607, true, 0, 1, "signals-sent", "collaboration.signals-sent"}, // the cap of the first, and noise
		{"counts-4", metric.Counts, 16777215, true, 0, 1, "signals-checked", "collaboration.signals-checked"},
		{"counts-5", metric.Counts, 4194303, true, 0, 3, "signals-confirmed signals-wrong accounts-from-signals", "collaboration.signals-confirmed"},
		{"counts-6", metric.Counts, 255, false, 0, 1, "method-notes", "collaboration.method-notes"},
		{"answers", metric.Answers, 0, false, 9, 8*4 + 9, "hashes-contributed hashes-withdrawn signals-sent signals-checked signals-confirmed signals-wrong accounts-from-signals method-notes",
			"collaboration.hashes-contributed[state:measured]"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("parts differ (-want +got):\n%s", diff)
	}
	if got, want := parts[6].Cells[len(parts[6].Cells)-1].String(), "collaboration.hashes-contributed[magnitude:ge-10m]"; got != want {
		t.Errorf("last cell is %s, want %s", got, want)
	}
}

// TestPartsCoverInstruments checks that the parts have every cell once, and the worth of one part in the end.
func TestPartsCoverInstruments(t *testing.T) {
	for i := range standard.Instruments {
		in := &standard.Instruments[i]
		parts, err := in.Parts(nil)
		if err != nil {
			t.Fatal(err)
		}
		want := map[metric.Cell]int{}
		for _, c := range in.Cells() {
			want[c]++
		}
		for j := range in.Metrics {
			for _, c := range append(in.Metrics[j].AvailabilityCells(), in.Metrics[j].MagnitudeCells()...) {
				want[c]++
			}
		}
		got := map[metric.Cell]int{}
		names := map[string]bool{}
		for _, p := range parts {
			if names[p.Name] {
				t.Errorf("%s has two parts %s", in.ID, p.Name)
			}
			names[p.Name] = true
			for _, c := range p.Cells {
				got[c]++
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("cells of %s differ (-instrument +parts):\n%s", in.ID, diff)
		}
	}
}

func TestPartsRefuseCaps(t *testing.T) {
	in := standard.Instrument("hash-match")
	for id, limit := range map[string]int64{"matched": 134217728, "removed": 0, "nothing": 5} {
		if parts, err := in.Parts(map[string]int64{id: limit}); err == nil {
			t.Errorf("cap %d of %s is accepted: %v", limit, id, parts)
		}
	}
	if _, err := standard.Instrument("scope").Parts(map[string]int64{"size-band": 1}); err == nil {
		t.Error("a cap of a choice is accepted")
	}
}

// TestVectors reads vectors back by the names of their cells and compares them with the figures.
func TestVectors(t *testing.T) {
	for i := range standard.Instruments {
		in := &standard.Instruments[i]
		f := standard.Example(uint64(i), []string{in.ID}, i%2 == 0)
		parts, err := in.Parts(nil)
		if err != nil {
			t.Fatal(err)
		}
		back := metric.Figures{}
		totals := map[string]int64{}
		for _, p := range parts {
			if p.Kind != metric.Counts {
				continue
			}
			values, capped, err := p.Values(f)
			if err != nil || len(capped) > 0 || len(values) != len(p.Cells) {
				t.Fatalf("part %s of %s: %d values, capped %v, error %v", p.Name, in.ID, len(values), capped, err)
			}
			for k, contributes := range p.Contributes(f) {
				m := in.Metric(p.Metrics[k])
				if contributes != f[m.Path()].State.Contributes() {
					t.Errorf("%s contributes: %v", m.Path(), contributes)
				}
				totals[m.ID] = f[m.Path()].Total()
			}
			for k, c := range p.Cells {
				e := back[c.Path()]
				e.Values = append(e.Values, int64(values[k]))
				back[c.Path()] = e
			}
		}
		p := parts[len(parts)-1]
		vector, err := p.Answers(f, totals)
		if err != nil {
			t.Fatal(err)
		}
		weight := 0
		for k, c := range p.Cells {
			weight += int(vector[k])
			e := back[c.Path()]
			switch c.Kind {
			case metric.ValueCell:
				e.Values = append(e.Values, int64(vector[k]))
			case metric.AvailabilityCell:
				if vector[k] == 1 {
					e.State = metric.State(c.Code)
				}
			case metric.MagnitudeCell:
				m := in.Metric(c.Metric)
				band := m.MagnitudeList().BandOfCount(totals[c.Metric])
				if want := f[c.Path()].State.Contributes() && m.MagnitudeList().Codes[band].Code == c.Code; (vector[k] == 1) != want {
					t.Errorf("%s is %d with total %d", c, vector[k], totals[c.Metric])
				}
			}
			back[c.Path()] = e
		}
		if weight > p.MaxWeight {
			t.Errorf("answers of %s weigh %d, more than %d", in.ID, weight, p.MaxWeight)
		}
		for path, e := range back {
			if !e.State.Contributes() {
				if e.Total() != 0 {
					t.Errorf("%s is %s and has values", path, e.State)
				}
				e.Values = nil
			}
			back[path] = e
		}
		if diff := cmp.Diff(f, back); diff != "" {
			t.Errorf("figures of %s differ (-figures +read back):\n%s", in.ID, diff)
		}
	}
}

func TestVectorsCapAndRefuse(t *testing.T) {
	in := standard.Instrument("deterrence")
	parts, err := in.Parts(map[string]int64{"warnings-shown": 100, "sessions-stopped": 100, "help-clicked": 100})
	if err != nil {
		t.Fatal(err)
	}
	f := metric.Figures{
		"deterrence.warnings-shown":   {State: metric.Measured, Values: []int64{101}},
		"deterrence.sessions-stopped": {State: metric.Estimated, Values: []int64{100}},
		"deterrence.help-clicked":     {State: metric.NotMeasured},
	}
	values, capped, err := parts[0].Values(f)
	if err != nil {
		t.Fatal(err)
	}
	if want := []uint64{100, 100, 0}; !slices.Equal(values, want) {
		t.Errorf("values are %v, want %v", values, want)
	}
	if want := []metric.Cell{{Instrument: "deterrence", Metric: "warnings-shown", Code: metric.Total}}; !slices.Equal(capped, want) {
		t.Errorf("capped cells are %v, want %v", capped, want)
	}
	if want := []bool{true, true, false}; !slices.Equal(parts[0].Contributes(f), want) {
		t.Errorf("contributes = %v, want %v", parts[0].Contributes(f), want)
	}
	if _, err := parts[0].Answers(f, nil); err == nil {
		t.Error("a counts part gives answers")
	}
	if _, _, err := parts[1].Values(f); err == nil {
		t.Error("an answers part gives values")
	}
	for name, bad := range map[string]metric.Entry{"no state": {}, "too many values": {State: metric.Measured, Values: []int64{1, 2}}, "negative": {State: metric.Measured, Values: []int64{-1}}} {
		f["deterrence.help-clicked"] = bad
		if v, _, err := parts[0].Values(f); err == nil {
			t.Errorf("figures with %s give %v", name, v)
		}
	}
	reach := standard.Instrument("reach-time")
	all, _ := reach.Parts(nil)
	if _, err := all[len(all)-1].Answers(standard.Example(0, []string{"reach-time"}, true), nil); err == nil {
		t.Error("answers without the total for a magnitude")
	}
}

func TestMagnitudes(t *testing.T) {
	list := standard.CodeList("magnitude")
	for n, want := range map[int64]string{math.MinInt64: "0", -1: "0", 0: "0", 1: "1-9", 9: "1-9", 10: "10-99", 99: "10-99", 100: "100-999", 999: "100-999", 1000: "1k-9999",
		9999: "1k-9999", 10000: "10k-99999", 99999: "10k-99999", 100000: "100k-999999", 999999: "100k-999999", 1000000: "1m-9999999", 9999999: "1m-9999999",
		10000000: "ge-10m", math.MaxInt64: "ge-10m"} {
		if got := list.Codes[list.BandOfCount(n)].Code; got != want {
			t.Errorf("magnitude of %d is %s, want %s", n, got, want)
		}
	}
}

func TestQuotients(t *testing.T) {
	ratio := standard.Instrument("hash-match").Ratio("precision")
	quotients := ratio.Quotients()
	if len(quotients) != 8 || len(quotients[0].Numerator) != 7 || len(quotients[0].Denominator) != 14 {
		t.Fatalf("precision has %d quotients, the whole %d over %d cells", len(quotients), len(quotients[0].Numerator), len(quotients[0].Denominator))
	}
	cell := func(m string) metric.Cell { return metric.Cell{Instrument: "hash-match", Metric: m, Code: "video"} }
	want := metric.Quotient{Code: "video", Numerator: []metric.Cell{cell("confirmed")}, Denominator: []metric.Cell{cell("confirmed"), cell("rejected")}}
	if diff := cmp.Diff(want, quotients[2]); diff != "" {
		t.Errorf("quotient differs (-want +got):\n%s", diff)
	}
	incidents := standard.Instrument("authority-report").Ratio("incidents-per-report").Quotients()
	if len(incidents) != 1 || incidents[0].Denominator[0].Code != "ncmec" || len(incidents[0].Denominator) != 1 {
		t.Errorf("incidents per report = %v", incidents)
	}
	f := metric.Figures{"hash-match.confirmed": {State: metric.Measured, Values: []int64{1, 2, 0, 0, 0, 0, 0}}, "hash-match.rejected": {State: metric.Measured, Values: []int64{0, 1, 0, 0, 0, 0, 0}}}
	if value, ok := ratio.Of(f); !ok || value.RatString() != "3/4" {
		t.Errorf("precision = %v, %v, want 3/4", value, ok)
	}
	f["hash-match.rejected"] = metric.Entry{State: metric.NotMeasured}
	if value, ok := ratio.Of(f); ok {
		t.Errorf("precision with rejected not measured = %v", value)
	}
}
