package publish

import (
	"fmt"
	"math/big"

	"candor/schema/release"
	"candor/schema/round"
)

// Rules are the numbers that decide what is shown. They come from the round document, which is signed before
// anything is known, and never from the figures.
type Rules struct {
	Minimum      int      // groups that must have contributed
	CellMinimum  int      // groups below which the aggregators blank a cell
	Colluders    int      // t
	P            *big.Rat // p
	FewSD        int      // values under this many standard deviations are "few"
	LargestGroup int      // g
	Giants       map[string]int
	Waived       map[string]bool // metrics whose cap members waived, signed, before the round was approved
}

// RulesOf reads the rules from a round document.
func RulesOf(d *round.Document) (Rules, error) {
	p, ok := new(big.Rat).SetString(d.Release.P)
	if !ok || p.Sign() <= 0 {
		return Rules{}, fmt.Errorf("reading the release rules of round %s: p is %q, not a positive rational", d.ID, d.Release.P)
	}
	r := Rules{
		Minimum: int(d.Minimum.Groups), CellMinimum: int(d.Minimum.CellGroups), Colluders: int(d.Release.Colluders), P: p, FewSD: int(d.Release.FewSD),
		Giants: map[string]int{}, Waived: map[string]bool{},
	}
	for _, members := range d.Groups() {
		r.LargestGroup = max(r.LargestGroup, members)
	}
	for _, g := range d.Release.Giants {
		r.Giants[g.Metric] = int(g.Count)
	}
	for _, w := range d.Release.Waivers {
		r.Waived[w.Metric] = true
	}
	return r, nil
}

// Certificate returns the certificate of a total of the metric with the given identifier.
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

// Coarsen decides a noiseless count of members, such as how many do not measure something: it is shown unless
// it, or the number of the others, is under 3. n is the number of members asked.
func Coarsen(f release.Figure, count, n int64) release.Figure {
	low, high := count, count
	f.Status = release.Published
	switch {
	case count < coarseBelow && count > n-coarseBelow:
		low, high = 0, n
		f.Status = release.Coarsened
	case count < coarseBelow:
		low, high = 0, coarseBelow-1
		f.Status = release.Coarsened
	case count > n-coarseBelow:
		low, high = n-coarseBelow+1, n
		f.Status = release.Coarsened
	default:
		f.Value = &count
	}
	f.CILow, f.CIHigh, f.NoiseSD = &low, &high, 0
	return f
}

// A Change is how the contributors of a figure differ from those of an earlier release that overlaps or
// precedes it.
type Change struct {
	Joined, Left, Corrected int // groups
	// SamePeriod marks a revision: unchanged members send the same noisy numbers again, so that the
	// difference of the two figures is that of the changed members alone.
	SamePeriod bool
}

// minChanged is the number of groups that must have changed for two figures to be shown side by side.
const minChanged = 3

// Comparable reports whether two figures with change c between them may both be shown and compared. Between
// periods at least 3 groups joined or left, or none. Within one period t colluding members can take out their
// own changes, so that at least t + 2 groups must have changed.
func (r Rules) Comparable(c Change) bool {
	n, least := c.Joined+c.Left, minChanged
	if c.SamePeriod {
		n, least = n+c.Corrected, max(least, r.Colluders+2)
	}
	return n == 0 || n >= least
}
