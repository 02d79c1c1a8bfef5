package publish

import (
	"fmt"
	"math"

	"candor/crypto/dp"
	"candor/schema/release"
	"candor/schema/round"
)

// confidence is that of every published interval.
const confidence = 0.95

// A Collected is what collection gave for one part of a round: sums by cell, in the order of the part's cells,
// with the offsets taken off.
type Collected struct {
	Totals  []int64
	Groups  []int  // distinct groups that contributed to each cell; all of them for answers
	Blanked []bool // by the aggregators; nil = none
	Noise   *dp.Sum
}

// CellsOf makes the cells that Decide takes from a part and what was collected for it. Counts get the
// certificate that the round's rules ask for; answers and bands need none, for one group moves a cell by one.
func CellsOf(d *round.Document, p *round.Part, c Collected) ([]Cell, error) {
	fail := func(format string, a ...any) ([]Cell, error) {
		return nil, fmt.Errorf("part %s of instrument %s in round %s: %w", p.Name, p.Instrument, d.ID, fmt.Errorf(format, a...))
	}
	n := len(p.Cells)
	if len(c.Totals) != n || len(c.Groups) != n || c.Blanked != nil && len(c.Blanked) != n {
		return fail("%d totals and %d groups for %d cells", len(c.Totals), len(c.Groups), n)
	}
	if c.Noise == nil {
		return fail("the law of the noise is missing")
	}
	rules, err := RulesOf(d)
	if err != nil {
		return nil, err
	}
	half, sd := c.Noise.HalfWidth(confidence), roundSD(c.Noise.StdDev())
	cells := make([]Cell, n)
	for i, cell := range p.Cells {
		cells[i] = Cell{
			Key:      release.Key{Round: d.ID, Instrument: p.Instrument, Metric: cell.Metric, Cell: cell.Code},
			Estimate: c.Totals[i], Low: c.Totals[i] - half, High: c.Totals[i] + half, SD: sd, Groups: c.Groups[i],
			Blanked: c.Blanked != nil && c.Blanked[i],
		}
		if p.Kind == round.KindCounts {
			k := rules.Certificate(p.Instrument+"."+cell.Metric, c.Totals[i], sd, int64(p.Cap), int64(p.Offset), 1)
			cells[i].Certificate = &k
		}
	}
	return cells, nil
}

// SumOf adds to cells the total of each metric of the part that has several, and returns the relations that
// readers then know: total = sum of the cells. A total carries the certificate of all its cells.
func SumOf(cells []Cell) ([]Cell, []Relation) {
	out := append([]Cell(nil), cells...)
	var relations []Relation
	parts := map[release.Key][]Cell{}
	var order []release.Key
	for _, c := range cells {
		k := c.Key
		k.Cell = total
		if len(parts[k]) == 0 {
			order = append(order, k)
		}
		parts[k] = append(parts[k], c)
	}
	for _, k := range order {
		if len(parts[k]) < 2 {
			continue
		}
		sum := parts[k][0]
		sum.Key = k
		relation := Relation{Total: k, Counted: true}
		for i, c := range parts[k] {
			relation.Parts = append(relation.Parts, c.Key)
			if i == 0 {
				continue
			}
			sum = sum.plus(c)
		}
		out, relations = append(out, sum), append(relations, relation)
	}
	return out, relations
}

// plus is the sum of two cells. Its interval is the normal one, which is right to one count for the noise of 50
// organisations and more (privacy design, "Estimates and intervals"), rounded outwards.
func (c Cell) plus(d Cell) Cell {
	c.Estimate += d.Estimate
	c.SD = roundSD(hypot(c.SD, d.SD))
	half := int64(math.Ceil(z95 * c.SD))
	c.Low, c.High = c.Estimate-half, c.Estimate+half
	c.Groups = max(c.Groups, d.Groups)
	c.Blanked = c.Blanked || d.Blanked
	c.Uncollected = c.Uncollected || d.Uncollected
	if c.Certificate != nil && d.Certificate != nil {
		k := c.Certificate.merge(*d.Certificate)
		c.Certificate = &k
	}
	return c
}
