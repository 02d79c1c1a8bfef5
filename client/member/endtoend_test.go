package member_test

import (
	"fmt"
	"math/big"
	mathrand "math/rand/v2"
	"os"
	"testing"

	"candor/crypto/dp"
	"candor/schema/metric"
	"candor/schema/round"
)

// bound returns figures in which every count is as large as the rules allow, all answers yes, and the last of all choices.
func bound(t testing.TB, instruments []string) metric.Figures {
	t.Helper()
	f := metric.Figures{}
	var rules []*metric.Rule
	for _, id := range instruments {
		in := catalogue.Instrument(id)
		for i := range in.Metrics {
			m := &in.Metrics[i]
			e := metric.Entry{State: metric.Measured, Values: make([]int64, m.Width())}
			for j := range e.Values {
				switch {
				case m.Type.Counts():
					e.Values[j] = m.Max
				case m.Type != metric.Choice || j == len(e.Values)-1:
					e.Values[j] = 1
				}
			}
			f[m.Path()] = e
		}
		for i := range in.Rules {
			rules = append(rules, &in.Rules[i])
		}
	}
	for i := range catalogue.Checks {
		rules = append(rules, &catalogue.Checks[i])
	}
	for broken := true; broken; {
		broken = false
		for _, r := range rules {
			for _, v := range r.Check(f) {
				broken = true
				excess := v.Left.Sum - v.Right.Sum
				for _, cells := range v.Left.Cells {
					for _, c := range cells {
						at := &f[c.Path()].Values[index(catalogue.Metric(c.Path()), c)]
						by := min(excess, *at)
						*at -= by
						excess -= by
					}
				}
			}
		}
	}
	setBands(f, instruments)
	return f
}

func index(m *metric.Metric, c metric.Cell) int {
	if m.CodeList() == nil {
		return 0
	}
	return m.CodeList().Index(c.Code)
}

// setBands makes every choice that is the band of a ratio the right one.
func setBands(f metric.Figures, instruments []string) {
	for _, id := range instruments {
		in := catalogue.Instrument(id)
		for i := range in.Metrics {
			m := &in.Metrics[i]
			if m.BandOf == "" {
				continue
			}
			values := f[m.Path()].Values
			clear(values)
			band := len(values) - 1
			if rate, ok := in.Ratio(m.BandOf).Of(f); ok {
				band = m.CodeList().Band(new(big.Rat).Mul(rate, big.NewRat(1_000_000, 1)))
			}
			values[band] = 1
		}
	}
}

// nothing returns figures without any value.
func nothing(instruments []string) metric.Figures {
	f := metric.Figures{}
	for _, id := range instruments {
		for i := range catalogue.Instrument(id).Metrics {
			f[catalogue.Instrument(id).Metrics[i].Path()] = metric.Entry{State: metric.NotMeasured}
		}
	}
	return f
}

// Random valid figures, submitted by members of a random round: what is collected is the sum of what left each machine, exactly, and the sum of the true values
// within the noise. Some report nothing, one has everything at its bound, and all four states occur.
func TestSubmittedIsCollected(t *testing.T) {
	seeds, most := 1, 2
	switch {
	case os.Getenv("CANDOR_TEST_LONG") != "":
		seeds, most = 20, len(catalogue.Instruments)
	case !testing.Short():
		seeds, most = 2, 3
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { submittedIsCollected(t, uint64(seed), most) })
	}
}

func submittedIsCollected(t *testing.T, seed uint64, most int) {
	random := mathrand.New(mathrand.NewPCG(seed, 1))
	var instruments []string
	for _, i := range random.Perm(len(catalogue.Instruments))[:1+random.IntN(most)] {
		instruments = append(instruments, catalogue.Instruments[i].ID)
	}
	t.Logf("instruments %v", instruments)
	w := newWorld(t, 11, instruments, func(p *round.Plan) {
		p.Caps = map[string]int64{} // a random half is capped low
		for _, id := range instruments {
			for _, m := range catalogue.Instrument(id).Metrics {
				if m.Type.Counts() && m.Max > 500 && random.IntN(2) == 0 {
					p.Caps[m.Path()] = 500
				}
			}
		}
	})
	w.serve()
	parts := w.signed.Document.Parts
	left, truth := make([][]int64, len(parts)), make([][]int64, len(parts))
	contributors := make([]map[string]int, len(parts))
	states := map[metric.State]bool{}
	for i := range parts {
		left[i], truth[i] = make([]int64, len(parts[i].Cells)), make([]int64, len(parts[i].Cells))
		contributors[i] = map[string]int{}
	}
	for i, p := range w.members {
		f := catalogue.Example(seed<<8+uint64(i), instruments, i%2 == 0)
		switch i {
		case 0:
			f = bound(t, instruments)
		case 1:
			f = nothing(instruments)
		}
		for _, e := range f {
			states[e.State] = true
		}
		d, sent := w.submit(p, f)
		if len(sent) != len(parts) {
			t.Fatalf("%s sent %d parts of %d", p.id, len(sent), len(parts))
		}
		for j, part := range d.Parts {
			counted := map[string]bool{}
			for k, c := range part.Cells {
				left[j][k] += c.Leaves
				truth[j][k] += c.Capped
				if c.Contributed && !counted[c.Metric] {
					counted[c.Metric] = true
					contributors[j][c.Metric]++
				}
				if c.Capped != min(c.Value, int64(max(parts[j].Cap, 1))) {
					t.Errorf("%s %s/%s %s %s: %d is capped to %d", p.id, part.Instrument, part.Name, c.Metric, c.Code, c.Value, c.Capped)
				}
			}
		}
	}
	if len(states) != 4 {
		t.Errorf("only the states %v occur", states)
	}
	w.close()
	for i := range parts {
		checkPart(t, w, i, left[i], truth[i], contributors[i])
	}
	for _, p := range w.members {
		m, r := w.open(p)
		status := must(m.Status(t.Context(), r))(t)
		for _, s := range status {
			if !s.Counted() || len(s.Alarms) > 0 || len(s.Unknown) > 0 {
				t.Errorf("%s %s/%s: %+v", p.id, s.Instrument, s.Part, s)
			}
		}
	}
}

// almost is a confidence at which a correct program fails once in ten million cells.
const almost = 1 - 1e-7

func checkPart(t *testing.T, w *world, i int, left, truth []int64, contributors map[string]int) {
	t.Helper()
	part := &w.signed.Document.Parts[i]
	sums, reports := w.collect(i)
	if reports != uint64(len(w.members)) {
		t.Errorf("%s/%s: %d reports are counted, not %d", part.Instrument, part.Name, reports, len(w.members))
	}
	noise := must(part.Privacy.MemberNoise())(t)
	var members, servers dp.Sum
	if noise != nil {
		members.Add(noise.Law(), len(w.members))
	}
	if part.Privacy.Place == "aggregators" {
		servers.Add(dp.DiscreteLaplace{Scale: big.NewRat(1, 1)}.Law(), 2)
	}
	ofMembers, ofServers := members.HalfWidth(almost), servers.HalfWidth(almost)
	for k, c := range part.Cells {
		name := fmt.Sprintf("%s/%s %s %s", part.Instrument, part.Name, c.Metric, c.Code)
		if part.Kind == round.KindCounts && uint64(contributors[c.Metric]) < w.signed.Document.Minimum.CellGroups {
			if sums[k] == left[k] {
				t.Errorf("%s: %d groups contribute, and the cell was not blanked", name, contributors[c.Metric])
			}
			continue
		}
		allowed := ofServers
		if len(c.Code) > 6 && c.Code[:6] == "state:" {
			allowed = 0
		}
		if d := abs(sums[k] - left[k]); d > allowed {
			t.Errorf("%s: collected %d, what left is %d", name, sums[k], left[k])
		}
		if d := abs(left[k] - truth[k]); d > ofMembers {
			t.Errorf("%s: what left is %d, the truth %d, the noise at most %d", name, left[k], truth[k], ofMembers)
		}
	}
}

func abs(x int64) int64 { return max(x, -x) }

// All 19 instruments are sealed on one core in less than five seconds.
func BenchmarkSeal19Instruments(b *testing.B) {
	var all []string
	for i := range catalogue.Instruments {
		all = append(all, catalogue.Instruments[i].ID)
	}
	w := newWorld(b, 11, all)
	f := w.file(catalogue.Example(1, all, true))
	b.ResetTimer()
	reports := 0
	for b.Loop() {
		b.StopTimer()
		p := w.newParty("m1")
		p.key = w.members[0].key
		b.StartTimer()
		m, r := w.open(p)
		d := must(m.Draft(r, f))(b)
		parcel := must(m.Seal(b.Context(), d))(b)
		reports = len(parcel.Reports)
	}
	b.ReportMetric(float64(reports), "reports")
}
