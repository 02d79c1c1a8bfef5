package publish

import (
	"fmt"
	"math/big"

	"candor/schema/release"
	"candor/schema/round"
)

// Rules are the numbers that decide what is shown. They come from the round document, which is signed before
// anything is known, and never from the figures. Metrics are named by path, instrument.metric.
type Rules struct {
	Minimum      int      // groups that must have contributed
	CellMinimum  int      // groups below which the aggregators blank a cell
	Colluders    int      // t
	P            *big.Rat // p
	FewSD        int      // values under this many standard deviations are "few"
	LargestGroup int      // g
	Giants       map[string]int
	// Waived are the metrics whose totals need no certificate, because every member agreed, signed and before
	// the round was approved, that its own magnitude may be inferred.
	Waived map[string]bool

	without map[string]bool // rules that tests switch off, to show what each is for
}

// The rules that tests can switch off.
const (
	minimumRule     = "minimum"
	certificateRule = "certificate"
	differenceRule  = "difference"
	complementRule  = "complement"
	bandsRule       = "bands"
)

func (r Rules) off(rule string) bool { return r.without[rule] }

// RulesOf reads the rules from a round document. A waiver speaks for its own member only, and says nothing of
// the others, whom the same total could expose: so a metric counts as waived only if the whole roster waived.
func RulesOf(d *round.Document) (Rules, error) {
	fail := func(format string, a ...any) (Rules, error) {
		return Rules{}, fmt.Errorf("reading the release rules of round %s: %w", d.ID, fmt.Errorf(format, a...))
	}
	p, ok := new(big.Rat).SetString(d.Release.P)
	if !ok || p.Sign() <= 0 {
		return fail("p is %q, not a positive rational", d.Release.P)
	}
	r := Rules{
		Minimum: int(d.Minimum.Groups), CellMinimum: int(d.Minimum.CellGroups), Colluders: int(d.Release.Colluders), P: p, FewSD: int(d.Release.FewSD),
		Giants: map[string]int{}, Waived: map[string]bool{},
	}
	for _, members := range d.Groups() {
		r.LargestGroup = max(r.LargestGroup, members)
	}
	known := map[string]bool{}
	for _, part := range d.Parts {
		for _, m := range part.Metrics() {
			known[part.Instrument+"."+m] = true
		}
	}
	// A name that fits no metric must not pass for "no giants".
	for _, g := range d.Release.Giants {
		if !known[g.Metric] {
			return fail("giants of %q: the round asks for no such metric; it is named like instrument.metric", g.Metric)
		}
		r.Giants[g.Metric] = int(g.Count)
	}
	waivers := map[string]map[string]bool{}
	for _, w := range d.Release.Waivers {
		if !known[w.Metric] {
			return fail("waiver of %q: the round asks for no such metric; it is named like instrument.metric", w.Metric)
		}
		if waivers[w.Metric] == nil {
			waivers[w.Metric] = map[string]bool{}
		}
		waivers[w.Metric][w.Member] = true
	}
	for metric, members := range waivers {
		r.Waived[metric] = len(d.Roster) > 0
		for _, m := range d.Roster {
			r.Waived[metric] = r.Waived[metric] && members[m.ID]
		}
	}
	return r, nil
}

// Certificate returns the certificate of a total over cells of a metric, named by path.
func (r Rules) Certificate(metric string, estimate int64, sd float64, maximum, offset int64, cells int) Certificate {
	return Certificate{
		Estimate: estimate, SD: sd, Cap: maximum, Offset: offset, Cells: cells,
		LargestGroup: r.LargestGroup, Giants: r.Giants[metric], Colluders: r.Colluders, P: r.P,
	}
}

// isFew reports whether an estimate is under so many standard deviations of its noise that a page should not
// print it as a number.
func (r Rules) isFew(f release.Figure) bool {
	return float64(*f.Value) < float64(r.FewSD)*f.NoiseSD
}

// coarseBelow is the number under which a noiseless count of members, or of the others, is only bounded.
const coarseBelow = 3

// CoarsenStates decides noiseless counts that add up to the number of members asked, such as how many measure,
// estimate, or do not measure something. A count under 3 is only said to be 0 to 2, and one over n−3 to be
// n−2 to n. The counts add up to n, so that the small ones could be had by subtraction; hence the smallest of
// the others is bounded, too, by what the small ones leave open. figures and counts belong together.
func CoarsenStates(figures []release.Figure, counts []int64) []release.Figure {
	var n, hidden int64
	small, widened, large := int64(0), -1, false
	for i, c := range counts {
		n += c
		switch {
		case c < coarseBelow:
			small++
			hidden += c
		case widened < 0 || c < counts[widened]:
			widened = i
		}
	}
	for _, c := range counts {
		large = large || c > n-coarseBelow
	}
	out := make([]release.Figure, len(figures))
	for i, f := range figures {
		c := counts[i]
		low, high := c, c
		switch {
		case c > n-coarseBelow:
			low, high = max(n-coarseBelow+1, 0), n
		case c < coarseBelow:
			low, high = 0, min(coarseBelow-1, n)
		case small > 0 && !large && i == widened:
			low, high = max(c+hidden-small*(coarseBelow-1), 0), c+hidden
		default:
			f.Value = &c
		}
		f.CILow, f.CIHigh, f.NoiseSD, f.Status = &low, &high, 0, release.Published
		if f.Value == nil {
			f.Status = release.Coarsened
		}
		out[i] = f
	}
	return out
}
