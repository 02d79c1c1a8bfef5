package publish_test

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"sync"
	"testing"

	"candor/client/publish"
	"candor/crypto/dp"
	"candor/schema/metric"
	"candor/schema/release"
)

const (
	siteMembers = 40
	siteCap     = 20_000
)

var siteInstruments = []string{"hash-match", "live-design", "live-content", "live-signal", "user-report"}

const limitsText = `## What worked

Thirty members sent figures in time.

## What did not work

- Two members *could not* separate modalities.
- The deadline was moved once.

## What we do not know

How much nobody looks at. See the [method](method.html).

### In live video

Least of all.

## What changes next

Sampling is stated from the next period on.
`

var siteRules = publish.Rules{
	Minimum: 10, CellMinimum: 5, Colluders: 2, P: big.NewRat(1, 5), FewSD: 3, LargestGroup: 1,
	Giants: map[string]int{}, Waived: map[string]bool{},
}

type noiseLaw struct {
	sd   float64
	half int64
}

type decided struct {
	figures []release.Figure
	ratios  []release.Ratio
	book    []release.CodeBookEntry
	err     error
}

// siteFigures makes up the release of a coalition of 40 members: true values by the catalogue's own generator,
// scaled to members of very different sizes, noise by its law, decisions by the rules.
var siteFigures = sync.OnceValue(func() (d decided) {
	catalogue := metric.Standard()
	random := newRandom(11)
	values := map[metric.Cell]int64{}
	groups := map[string]int{}
	states := map[metric.Cell]int64{}
	bands := map[metric.Cell]int64{}
	for i := range siteMembers {
		size := int64(math.Exp(float64(i) / 9))
		for path, entry := range catalogue.Example(uint64(i+1), siteInstruments, i%4 != 0) {
			m := catalogue.Metric(path)
			for j, c := range m.AvailabilityCells() {
				if metric.States()[j] == entry.State {
					states[c]++
				}
			}
			if entry.State != metric.Measured && entry.State != metric.Estimated {
				continue
			}
			groups[path]++
			var total int64
			for j, c := range m.Cells() {
				v := entry.Values[j]
				if m.Type != metric.YesNo && m.Type != metric.YesNoSet && m.Type != metric.Choice {
					v = min(v*size, siteCap)
				}
				values[c] += v
				total += v
			}
			if list := m.MagnitudeList(); list != nil {
				bands[m.MagnitudeCells()[list.BandOfCount(total)]]++
			}
		}
	}
	member := dp.Laplace{Epsilon: big.NewRat(1, 1), Delta1: 1}
	var byMembers, byAggregators dp.Sum
	byMembers.Add(member.Law(), siteMembers)
	byAggregators.Add(dp.DiscreteLaplace{Scale: big.NewRat(1, 1)}.Law(), 2)
	counts := noiseLaw{byMembers.StdDev(), byMembers.HalfWidth(0.95)}
	answers := noiseLaw{byAggregators.StdDev(), byAggregators.HalfWidth(0.95)}
	var cells []publish.Cell
	var bounded []release.Figure
	for _, id := range siteInstruments {
		in := catalogue.Instrument(id)
		for i := range in.Metrics {
			m := &in.Metrics[i]
			add := func(c metric.Cell, v int64, law noiseLaw, certificate bool) {
				estimate := v + int64(math.Round(random.NormFloat64()*law.sd))
				cell := publish.Cell{
					Key:      release.Key{Round: "2026-q1", Instrument: id, Metric: m.ID, Cell: c.Column()},
					Estimate: estimate, Low: estimate - law.half, High: estimate + law.half, SD: math.Round(law.sd*1000) / 1000, Groups: groups[m.Path()],
				}
				if certificate {
					k := siteRules.Certificate(m.Path(), estimate, cell.SD, siteCap, 64, 1)
					cell.Certificate = &k
				}
				cells = append(cells, cell)
			}
			for _, c := range m.Cells() {
				add(c, values[c], counts, m.Type == metric.Count)
			}
			for _, c := range m.MagnitudeCells() {
				add(c, bands[c], answers, false)
			}
			var figures []release.Figure
			var counts []int64
			for _, c := range m.AvailabilityCells() {
				figures = append(figures, release.Figure{Round: "2026-q1", Instrument: id, Metric: m.ID, Cell: c.Column(), Contributors: siteMembers})
				counts = append(counts, states[c])
			}
			bounded = append(bounded, publish.CoarsenStates(figures, counts)...)
		}
	}
	decisions, err := publish.Decide(siteRules, cells, nil)
	if err != nil {
		return decided{err: err}
	}
	figures := append(publish.Figures(decisions), bounded...)
	index := map[release.Key]release.Figure{}
	for _, f := range figures {
		index[f.Key()] = f
	}
	var ratios []release.Ratio
	for _, id := range siteInstruments {
		in := catalogue.Instrument(id)
		for i := range in.Ratios {
			for _, q := range in.Ratios[i].Quotients() {
				rule := publish.RatioRule{Key: release.Key{Round: "2026-q1", Instrument: id, Metric: in.Ratios[i].ID, Cell: q.Code}}
				for _, c := range q.Numerator {
					rule.Numerator = append(rule.Numerator, release.Key{Round: "2026-q1", Instrument: id, Metric: c.Metric, Cell: c.Column()})
				}
				for _, c := range q.Denominator {
					rule.Denominator = append(rule.Denominator, release.Key{Round: "2026-q1", Instrument: id, Metric: c.Metric, Cell: c.Column()})
				}
				ratios = append(ratios, publish.DecideRatio(rule, index))
			}
		}
	}
	book, err := publish.CodeBook(catalogue, figures, ratios)
	return decided{figures, ratios, book, err}
})

func site(t testing.TB) publish.Site {
	t.Helper()
	d := siteFigures()
	if d.err != nil {
		t.Fatal(d.err)
	}
	s := publish.Site{
		Coalition: "Example coalition", Period: "January to March 2026", Catalogue: metric.Standard(),
		Bundle: release.Bundle{
			Package: release.DataPackage{Name: "release-2026-q1", Title: "Figures of 2026 Q1", Version: "2"},
			Figures: slices.Clone(d.figures), Ratios: slices.Clone(d.ratios), CodeBook: slices.Clone(d.book), Method: []byte("Sessions are sampled once a minute.\n"),
			Revisions: []release.Revision{
				{Number: 1, Date: "2026-05-04", What: "First publication.", Why: "The round was closed.", Figures: []release.RevisedFigure{}},
				{Number: 2, Date: "2026-06-01", What: "One figure was corrected.", Why: "Four members corrected their counts.", Figures: []release.RevisedFigure{
					{Round: "2026-q1", Instrument: "hash-match", Metric: "matched", Cell: "image", Before: new(int64(1200)), After: new(int64(1302))},
					{Round: "2026-q1", Instrument: "hash-match", Metric: "matched", Cell: "link", Before: new(int64(99))},
				}},
			},
		},
		Method: publish.Method{Members: siteMembers, Epsilon: "1", Unit: "account", Cap: siteCap}, Rules: siteRules,
		Budgets:      []publish.Budget{{Population: "Accounts, 2026", Epsilon: big.NewRat(5, 1)}, {Population: "Organisations, 2026", Epsilon: big.NewRat(7, 3)}},
		MethodReview: "2026-12-31", Today: "2026-06-01", Limits: []byte(limitsText),
		Headlines: []publish.Headline{
			{Key: release.Key{Round: "2026-q1", Instrument: "hash-match", Metric: "matched", Cell: "image"}, Meaning: "Known pictures that were found again; one picture can be found many times."},
			{Key: release.Key{Round: "2026-q1", Instrument: "hash-match", Metric: "precision"}, Ratio: true, Meaning: "How often a trained person agreed with the match."},
			{Key: release.Key{Round: "2026-q1", Instrument: "live-content", Metric: "sessions", Cell: "total"}, Meaning: "Live sessions of any length."},
			{Key: release.Key{Round: "2026-q1", Instrument: "live-content", Metric: "coverage"}, Ratio: true, Meaning: "How much of live video anybody or anything looked at."},
		},
		Helplines:  []publish.Helpline{{Name: "Example helpline", How: "telephone 000, day and night"}},
		Prevention: []publish.Helpline{{Name: "Example service", URL: "https://help.example/"}},
	}
	year := publish.CalibrationYear{Round: "providers-2024", Members: 200,
		Known: publish.KnownYear{Period: "2024", Cap: 100_000, Raw: 50_000_000, Capped: 1_000_010, Top: []int64{45_000_000, 2_000_000, 1_000_000}}}
	for _, cell := range []string{"total", "magnitude:1k-9999"} {
		f := figure("reports", 1_000_000, 44, 22.6, 200)
		if f.Round, f.Instrument, f.Cell = year.Round, "provider-reports", cell; cell != "total" {
			f.Value, f.CILow, f.CIHigh, f.NoiseSD = new(int64(57)), new(int64(54)), new(int64(60)), 1.92
		}
		year.Figures = append(year.Figures, f)
	}
	s.Notice, s.Calibration = "Made up.", &publish.Calibration{Source: "public lists", Years: []publish.CalibrationYear{year}}
	for k := range 2 {
		series := publish.Series{Title: fmt.Sprintf("Matches, series %d", k+1), Unit: "items"}
		for i := range 12 {
			v := int64(900 + 70*i + 40*(i%3) - 300*k*i/4)
			f := figure("matched", v, 28, 14, 40)
			pt := publish.Point{Period: fmt.Sprintf("%d Q%d", 2023+i/4, i%4+1), Figure: f}
			switch i {
			case 4:
				pt.Break = "definition changed"
			case 7:
				pt.Joined = 2
			case 9:
				pt.Figure.Status, pt.Figure.Value, pt.Figure.CILow, pt.Figure.CIHigh = release.WithheldCertificate, nil, nil, nil
			}
			series.Points = append(series.Points, pt)
		}
		s.Series = append(s.Series, series)
	}
	return s
}
