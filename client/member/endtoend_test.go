package member_test

import (
	"fmt"
	"math/big"
	mathrand "math/rand/v2"
	"os"
	"strings"
	"testing"

	"candor/client/member"
	"candor/client/publish"
	"candor/crypto/dp"
	"candor/schema/metric"
	"candor/schema/release"
	"candor/schema/round"
)

// every returns the ids of all instruments of the catalogue.
func every() (ids []string) {
	for i := range catalogue.Instruments {
		ids = append(ids, catalogue.Instruments[i].ID)
	}
	return ids
}

// Random valid figures, submitted by members of a random round, and collected: the result is the sum of what left each machine, exactly where no aggregator adds
// noise, and what left is the sum of the figures within the noise. The first round asks for all instruments, the others for some. One member reports nothing, one has
// everything at its bound, one corrects itself, and all four states of availability occur. A seed that fails once stays here as a case of its own.
func TestSubmittedIsCollected(t *testing.T) {
	seeds := 3
	switch {
	case os.Getenv("CANDOR_TEST_LONG") != "":
		seeds = 25
	case testing.Short():
		seeds = 1
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			random := mathrand.New(mathrand.NewPCG(uint64(seed), 1))
			instruments := every()
			if seed > 0 {
				random.Shuffle(len(instruments), func(i, j int) { instruments[i], instruments[j] = instruments[j], instruments[i] })
				instruments = instruments[:1+random.IntN(len(instruments))]
			}
			submittedIsCollected(t, random, instruments)
		})
	}
}

func submittedIsCollected(t *testing.T, random *mathrand.Rand, instruments []string) {
	w := newWorld(t, 11+random.IntN(3), instruments, func(p *round.Plan) {
		p.Epsilon = big.NewRat(1, 1+random.Int64N(2))
		for i := round.LeastGroups; i < len(p.Roster); i++ { // beyond the minimum some belong to the owner of another
			p.Roster[i].Group = p.Roster[random.IntN(i+1)].Group
		}
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
	books := make([]*book, len(w.signed.Document.Parts))
	for i := range books {
		books[i] = newBook(&w.signed.Document.Parts[i])
	}
	states := map[metric.State]bool{}
	for i, p := range w.members {
		f := catalogue.Example(random.Uint64(), instruments, i%2 == 0)
		switch i {
		case 0:
			f = bound(t, instruments)
		case 1:
			f = nothing(instruments)
		case 2: // what it tells first does not count
			w.submit(p, catalogue.Example(random.Uint64(), instruments, false))
		}
		for _, e := range f {
			states[e.State] = true
		}
		d, sent := w.submit(p, f)
		if len(sent) != len(books) {
			t.Fatalf("%s sent %d parts of %d", p.id, len(sent), len(books))
		}
		totals := noisyTotals(d)
		for j := range books {
			books[j].enter(t, w.plan.Roster[i].Group, f, &d.Parts[j], totals)
		}
	}
	if len(states) != 4 {
		t.Errorf("only the states %v occur", states)
	}
	w.close()
	batches := w.collect()
	members, servers := noiseSize{who: "members"}, noiseSize{who: "aggregators"}
	for i, b := range books {
		b.compare(t, w.signed.Document, batches[i], &members, &servers)
	}
	members.check(t)
	servers.check(t)
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

// A book is one part of a round as this test keeps it, from the members' figures, without help from the client under test.
type book struct {
	part    *round.Part
	reports uint64
	groups  map[string]map[string]bool // that contribute, by metric
	truth   []int64                    // sums of the members' values, each at most the cap
	left    []int64                    // sums of what the members were shown to leave their machines
}

func newBook(p *round.Part) *book {
	return &book{part: p, groups: map[string]map[string]bool{}, truth: make([]int64, len(p.Cells)), left: make([]int64, len(p.Cells))}
}

// enter adds a member's figures, and what its draft says about them. totals are those of which a magnitude is told.
func (b *book) enter(t *testing.T, group string, f metric.Figures, d *member.PartDraft, totals map[string]int64) {
	t.Helper()
	b.reports++
	for k, c := range b.part.Cells {
		m := catalogue.Metric(b.part.Instrument + "." + c.Metric)
		e := f[m.Path()]
		state, isState := strings.CutPrefix(c.Code, "state:")
		magnitude, isMagnitude := strings.CutPrefix(c.Code, "magnitude:")
		var x int64
		switch {
		case isState:
			x = one(string(e.State) == state)
		case !e.State.Contributes():
		case isMagnitude:
			band := m.MagnitudeList().BandOfCount(totals[m.Path()])
			x = one(m.MagnitudeList().Codes[band].Code == magnitude)
		default:
			x = e.Values[index(m, metric.Cell{Code: c.Code})]
			if m.Type.Counts() {
				x = min(x, int64(b.part.Cap))
				if b.groups[c.Metric] == nil {
					b.groups[c.Metric] = map[string]bool{}
				}
				b.groups[c.Metric][group] = true
			}
		}
		if got := d.Cells[k]; got.Metric != c.Metric || got.Code != c.Code || got.Capped != x {
			t.Errorf("%s of %s: the draft says %s %s is %d after the cap, it is %d", c.Code, m.Path(), got.Metric, got.Code, got.Capped, x)
		}
		b.truth[k] += x
		b.left[k] += d.Cells[k].Leaves
	}
}

func one(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// noisyTotals returns the total of each metric of counts, by path, as it leaves the member's machine.
func noisyTotals(d *member.Draft) map[string]int64 {
	totals := map[string]int64{}
	for i := range d.Parts {
		if p := &d.Parts[i]; p.Kind == round.KindCounts {
			for _, c := range p.Cells {
				totals[p.Instrument+"."+c.Metric] += c.Leaves
			}
		}
	}
	return totals
}

// almost is a confidence at which a correct program fails once in 500 million cells: a round of all instruments has about 1200.
const almost = 1 - 2e-9

// compare holds a collected batch against the book, cell by cell.
func (b *book) compare(t *testing.T, d *round.Document, batch release.Batch, sizeMembers, sizeServers *noiseSize) {
	t.Helper()
	if batch.Refused != "" || batch.Reports != b.reports {
		t.Errorf("%s/%s: %d reports are counted, not %d; %s", b.part.Instrument, b.part.Name, batch.Reports, b.reports, batch.Refused)
		return
	}
	noise := must(b.part.Privacy.MemberNoise())(t)
	var members, servers dp.Sum
	if noise != nil {
		members.Add(noise.Law(), int(b.reports))
	}
	if b.part.Privacy.Place == "aggregators" {
		servers.Add(dp.DiscreteLaplace{Scale: big.NewRat(1, 1)}.Law(), 2)
	}
	ofMembers, ofServers := members.HalfWidth(almost), servers.HalfWidth(almost)
	for k, c := range b.part.Cells {
		name := fmt.Sprintf("%s/%s %s %s", b.part.Instrument, b.part.Name, c.Metric, c.Code)
		few := b.part.Kind == round.KindCounts && uint64(len(b.groups[c.Metric])) < d.Minimum.CellGroups
		if batch.Blanked(k) != few {
			t.Errorf("%s: %d groups contribute, and blanked is %v", name, len(b.groups[c.Metric]), batch.Blanked(k))
		}
		sizeMembers.add(b.left[k]-b.truth[k], members.Variance())
		if diff := abs(b.left[k] - b.truth[k]); diff > ofMembers {
			t.Errorf("%s: what left is %d, the sum of the figures %d, and the noise at most %d", name, b.left[k], b.truth[k], ofMembers)
		}
		sum, err := publish.SumOfShares(batch.Leaves[0][k].Element, batch.Leaves[1][k].Element, batch.Reports, b.part.Offset)
		if few { // random elements: nobody's figure
			if err == nil && sum == b.left[k] {
				t.Errorf("%s: the cell is said to be blanked, and its sum is there", name)
			}
			continue
		}
		allowed := ofServers
		if strings.HasPrefix(c.Code, "state:") {
			allowed = 0
		} else {
			sizeServers.add(sum-b.left[k], servers.Variance())
		}
		if diff := abs(sum - b.left[k]); err != nil || diff > allowed {
			t.Errorf("%s: collected is %d, %v; what left is %d, and the aggregators' noise at most %d", name, sum, err, b.left[k], allowed)
		}
	}
}

func abs(x int64) int64 { return max(x, -x) }

// A noiseSize sees whether there is as much noise as there should be, in all cells together.
type noiseSize struct {
	who     string
	cells   int
	squares float64 // in variances
}

func (s *noiseSize) add(d int64, variance float64) {
	if variance > 0 {
		s.cells++
		s.squares += float64(d) * float64(d) / variance
	}
}

// check wants the mean square to be about the variance, where there are cells enough to tell: of 250 cells with the noise of two aggregators it has a standard
// error of 0.12, and less with that of more members.
func (s *noiseSize) check(t *testing.T) {
	t.Helper()
	mean := s.squares / float64(s.cells)
	t.Logf("mean square of the %s' noise in %d cells: %.2f of its variance", s.who, s.cells, mean)
	if s.cells >= 250 && (mean < 0.4 || mean > 1.9) {
		t.Errorf("the %s' noise in %d cells has a mean square of %.2f of its variance", s.who, s.cells, mean)
	}
}
