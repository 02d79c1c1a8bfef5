package publish_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"candor/client/publish"
	"candor/schema/metric"
	"candor/schema/release"
	"candor/schema/round"
	"candor/schema/round/roundtest"
)

// A series is a coalition whose members send figures round after round, and what is published of them.
type series struct {
	*roundtest.Coalition
	catalogue *metric.Catalogue
	roster    []round.Member
	limit     int64 // cap of every cell
	noisy     bool  // answers carry the aggregators' noise
	off       []string
	change    func(*round.Document)               // before it is signed; nil: nothing
	noise     func(*round.Part, round.Cell) int64 // in the sum of a cell; nil: none

	vintages []*vintage
	earlier  []*publish.Earlier
}

// A vintage is one round: who sent what. Values are keyed by metric and code, "received/hash"; answers are 0 or 1.
type vintage struct {
	document *round.Document
	members  []int
	values   map[int]map[string]int64
	revises  *vintage
	new      map[int]bool // in a revision, whose numbers are others than in what it revises
	bundle   release.Bundle
	refused  error // why nothing was published
}

func seriesCatalogue(t testing.TB) *metric.Catalogue {
	t.Helper()
	text, err := os.ReadFile("testdata/series.yaml")
	if err != nil {
		t.Fatal(err)
	}
	c, err := metric.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func newSeries(t testing.TB, members int, limit int64, off ...string) *series {
	t.Helper()
	c := roundtest.New(t, members, 1)
	return &series{Coalition: c, catalogue: seriesCatalogue(t), roster: c.Document.Roster, limit: limit, off: off}
}

// columns are the cells of counts.
var countColumns = []string{"received/hash", "received/report", "received/other", "by-harm/known", "by-harm/new", "urgent/total"}

// publish closes a round of the given members and releases it. sent are their values; what they do not name is 0. A revision of v measures v's period again.
func (s *series) publish(t testing.TB, members []int, values map[int]map[string]int64, revises *vintage) *vintage {
	t.Helper()
	v := &vintage{members: members, values: values, revises: revises, new: map[int]bool{}}
	n := len(s.vintages)
	year := 2010 + n
	period := round.Period{Label: fmt.Sprint(year), First: fmt.Sprintf("%d-01-01", year), Last: fmt.Sprintf("%d-12-31", year)}
	plan := round.Plan{ID: fmt.Sprintf("r%d", n), Period: period, Window: s.Document.Window, Precision: 60, Catalogue: s.catalogue, Instruments: []string{"cases"},
		Caps:        map[string]int64{"cases.received": s.limit, "cases.by-harm": s.limit, "cases.urgent": s.limit},
		Secretariat: s.Document.Secretariat, Leader: s.Document.Leader, Helper: s.Document.Helper, Collector: s.Document.Collector,
		Minimum: s.Document.Minimum, Release: s.Document.Release}
	for _, m := range members {
		plan.Roster = append(plan.Roster, s.roster[m])
	}
	history := publish.History{Earlier: s.earlier}
	if revises != nil {
		plan.Period = revises.document.Period
		hash, err := revises.document.Hash()
		if err != nil {
			t.Fatal(err)
		}
		plan.Supersedes = fmt.Sprintf("%x", hash)
		for _, m := range members {
			there := slices.Contains(revises.members, m)
			v.new[m] = !there || !equalValues(revises.values[m], values[m])
			if v.new[m] && there {
				history.Corrected++
			}
		}
	}
	var err error
	if v.document, err = plan.Document(); err != nil {
		t.Fatal(err)
	}
	if !s.noisy {
		for i := range v.document.Parts {
			if p := &v.document.Parts[i]; p.Kind == round.KindAnswers {
				p.Privacy.Mechanism, p.Privacy.Epsilon, p.Privacy.Delta1 = "none", "0", 0
			}
		}
	}
	if s.change != nil {
		s.change(v.document)
	}
	if problems := v.document.Check(); len(problems) > 0 {
		t.Fatal(problems)
	}
	c := *s.Coalition
	c.Document = v.document
	var batches []release.Batch
	for i := range v.document.Parts {
		p := &v.document.Parts[i]
		noise := "none"
		if p.Kind == round.KindAnswers && s.noisy {
			noise = "dlap:1"
		}
		batches = append(batches, batchOf(t, &c, i, uint64(len(members)), v.sums(s, p), noise))
	}
	v.bundle, v.refused = publish.AssembleWithout(publish.Publication{Signed: c.Sign(t), Catalogue: s.catalogue, Batches: batches, Date: "2026-05-04", History: history,
		Words: publish.Words{Site: &publish.SiteWords{Coalition: "Example coalition", Period: period.Label, Date: "2026-05-04", Limits: limitsText,
			Helplines: []publish.Helpline{{Name: "Example helpline", How: "telephone 000"}}}}}, s.off...)
	s.vintages = append(s.vintages, v)
	if v.refused != nil {
		return v
	}
	if err := v.bundle.Sign(s.Secretariat); err != nil {
		t.Fatal(err)
	}
	e, err := publish.NewEarlier(v.bundle)
	if err != nil {
		t.Fatal(err)
	}
	s.earlier = append(s.earlier, e)
	return v
}

func equalValues(a, b map[string]int64) bool {
	for _, k := range append(slices.Clone(countColumns), "review/yes") {
		if a[k] != b[k] {
			return false
		}
	}
	return true
}

// received is a member's total.
func received(values map[string]int64) (n int64) {
	for k, v := range values {
		if strings.HasPrefix(k, "received/") {
			n += v
		}
	}
	return n
}

// sums are those that the shares of a part add up to, without noise.
func (v *vintage) sums(s *series, p *round.Part) []int64 {
	sums := make([]int64, len(p.Cells))
	for k, cell := range p.Cells {
		for _, m := range v.members {
			switch code, magnitude := strings.CutPrefix(cell.Code, "magnitude:"); {
			case cell.Code == "state:measured":
				sums[k]++
			case strings.HasPrefix(cell.Code, "state:"):
			case magnitude:
				list := s.catalogue.Metric("cases.received").MagnitudeList()
				if list.Codes[list.BandOfCount(received(v.values[m]))].Code == code {
					sums[k]++
				}
			default:
				sums[k] += v.values[m][cell.Metric+"/"+cell.Code]
			}
		}
		if s.noise != nil {
			sums[k] += s.noise(p, cell)
		}
	}
	return sums
}

// figures are what is published of a vintage, by metric and cell: those of the data files.
func (v *vintage) figures() map[string]release.Figure {
	m := map[string]release.Figure{}
	for _, f := range v.bundle.Figures {
		m[f.Metric+"/"+f.Cell] = f
	}
	return m
}

// member makes up a member's values around a size: what it received by three methods, of two harms, and a few urgent.
func member(random *rand.Rand, size, limit int64) map[string]int64 {
	v := map[string]int64{"received/hash": size * int64(20+random.IntN(60)) / 100}
	v["received/report"] = (size - v["received/hash"]) * int64(20+random.IntN(60)) / 100
	v["received/other"] = size - v["received/hash"] - v["received/report"]
	for k := range v {
		v[k] = min(v[k], limit)
	}
	n := received(v)
	v["by-harm/known"] = min(n*int64(30+random.IntN(40))/100, limit)
	v["by-harm/new"] = min(n-v["by-harm/known"], limit)
	for k := range v { // what no harm has a place for is not received either, so that the rule holds for what is sent
		if strings.HasPrefix(k, "received/") {
			over := received(v) - v["by-harm/known"] - v["by-harm/new"]
			v[k] -= min(max(over, 0), v[k])
		}
	}
	v["urgent/total"] = received(v) * int64(random.IntN(30)) / 100
	v["review/yes"] = int64(random.IntN(2))
	return v
}
