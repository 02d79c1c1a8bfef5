package publish

import (
	"fmt"
	"math"

	"candor/schema/metric"
	"candor/schema/release"
)

// A Band bounds the totals of the members that one cell of magnitudes counts: Low ≤ total < High.
type Band struct{ Low, High int64 }

// bandOf is the band of a code; the last one has no upper end.
func bandOf(c *metric.Code) *Band {
	b := Band{0, math.MaxInt64}
	if c.Exactly != nil {
		return &Band{*c.Exactly, *c.Exactly + 1}
	}
	if c.AtLeast != nil {
		b.Low = *c.AtLeast
	}
	if c.Below != nil {
		b.High = *c.Below
	}
	return &b
}

// bands withholds the magnitudes of a metric whose total is shown where the two together would tell where in its band a member lies.
//
// Readers know from the bands that the members' totals make up at least L, the sum of the bands' lower ends, and from the total how much there is
// above, T − L. If that is at least t + 1 times the width W of the widest band below the cap, then whatever t members know of one another, the
// last one can still be anywhere in its band. The noise in the bands is taken off L, for readers cannot:
//
//	T̂ − 2 sd(T) − (L̂ − 2 sd(L)) ≥ (t + 1)·W
func (p *plan) bands(relations []Relation) {
	if p.rules.off(bandsRule) {
		return
	}
	metrics := map[release.Key][]release.Key{} // by the total's key
	var order []release.Key
	for _, c := range p.cells {
		if c.Band == nil || !p.open(c.Key) {
			continue
		}
		k := c.Key
		k.Cell = total
		if len(metrics[k]) == 0 {
			order = append(order, k)
		}
		metrics[k] = append(metrics[k], c.Key)
	}
	for _, k := range order {
		i, ok := p.index[k]
		if !ok || p.cells[i].Certificate == nil || !p.totalKnown(k, relations) {
			continue
		}
		bands := make([]Cell, len(metrics[k]))
		for j, b := range metrics[k] {
			bands[j] = p.cells[p.index[b]]
		}
		if why, ok := p.rules.hiddenInBands(*p.cells[i].Certificate, bands); !ok {
			for _, b := range metrics[k] {
				p.withholdAs(b, release.WithheldBands, "bands", why)
			}
		}
	}
}

// totalKnown reports whether readers see a total, or all parts that it is the sum of.
func (p *plan) totalKnown(k release.Key, relations []Relation) bool {
	if p.open(k) {
		return true
	}
	for _, r := range relations {
		if !r.Counted || r.Total != k {
			continue
		}
		for _, part := range r.Parts {
			if !p.open(part) {
				return false
			}
		}
		return true
	}
	return false
}

// hiddenInBands reports whether bands may stand beside the total of a certificate, with the numbers.
func (r Rules) hiddenInBands(total Certificate, bands []Cell) (numbers string, ok bool) {
	limit := float64(total.Cap) * float64(total.Cells) // of one member
	var least, variance, widest float64
	for _, b := range bands {
		low, high := float64(b.Band.Low), math.Min(float64(b.Band.High), limit+1)
		if low > limit {
			low, high = limit, limit // a contribution there is the cap, and its member anything above
		}
		least += low * math.Max(float64(b.Estimate), 0)
		variance += low * low * b.SD * b.SD
		widest = math.Max(widest, high-low-1)
	}
	above := float64(total.Estimate) - 2*total.SD - (least - 2*math.Sqrt(variance))
	need := float64(r.Colluders+1) * widest
	return fmt.Sprintf("%.3g above the bands' lower ends < %.3g", above, need), above >= need
}

// setBands notes at each cell of magnitudes what it counts.
func (rc *roundCells) setBands(c *metric.Catalogue) {
	for i := range rc.cells {
		cell := &rc.cells[i]
		m := c.Metric(cell.Instrument + "." + cell.Metric)
		if m == nil || m.MagnitudeList() == nil {
			continue
		}
		for j, mc := range m.MagnitudeCells() {
			if mc.Column() == cell.Cell {
				cell.Band = bandOf(&m.MagnitudeList().Codes[j])
			}
		}
	}
}
