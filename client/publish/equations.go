package publish

import (
	"candor/schema/metric"
	"candor/schema/release"
	"candor/schema/round"
)

// equations adds what the catalogue's rules with == say about sums of the round: the totals on one side are the sum of all cells on the other.
// Readers who know one total know by it the other, which its own certificate, of the same members' totals, makes safe; what they must not get is
// a part of the other.
func (rc *roundCells) equations(d *round.Document, c *metric.Catalogue) {
	if d.Release.Calibration {
		return
	}
	here := map[release.Key]bool{}
	for _, cell := range rc.cells {
		here[cell.Key] = !cell.Blanked // so few members measure a blanked one that no other sum tells it
	}
	parts := map[release.Key][]release.Key{}
	for _, r := range rc.relations {
		parts[r.Total] = r.Parts
	}
	add := func(r *metric.Rule) {
		for _, e := range r.Equations() {
			left, right := sumKeys(d, e.Left), sumKeys(d, e.Right)
			all := true
			for _, k := range append(left, right...) {
				all = all && here[k]
			}
			if !all {
				continue
			}
			for _, side := range [][2][]release.Key{{left, right}, {right, left}} {
				r := Relation{Total: side[0][0], With: side[0][1:]}
				for _, k := range side[1] {
					if cells := parts[k]; cells != nil {
						r.Parts = append(r.Parts, cells...)
					} else {
						r.Parts = append(r.Parts, k)
					}
				}
				rc.relations = append(rc.relations, r)
			}
		}
	}
	for i := range c.Instruments {
		for j := range c.Instruments[i].Rules {
			add(&c.Instruments[i].Rules[j])
		}
	}
	for i := range c.Checks {
		add(&c.Checks[i])
	}
}

// sumKeys are the figures of the terms of a rule.
func sumKeys(d *round.Document, sums []metric.Sum) (keys []release.Key) {
	for _, s := range sums {
		k := release.Key{Round: d.ID, Instrument: s.Metric.Cells()[0].Instrument, Metric: s.Metric.ID, Cell: s.Code}
		if k.Cell == "" {
			k.Cell = total
		}
		keys = append(keys, k)
	}
	return keys
}
