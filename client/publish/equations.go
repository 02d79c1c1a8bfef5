package publish

import (
	"candor/schema/metric"
	"candor/schema/release"
	"candor/schema/round"
)

// equations adds what the catalogue's rules with == say about sums of the round.
func (rc *roundCells) equations(d *round.Document, c *metric.Catalogue) {
	here := map[release.Key]bool{}
	for _, cell := range rc.cells {
		here[cell.Key] = !cell.Blanked // so few members measure a blanked one that no other sum tells it
	}
	add := func(r *metric.Rule) {
		for _, e := range r.Equations() {
			all := true
			keys := func(sums []metric.Sum) (list []release.Key) {
				for _, s := range sums {
					k := release.Key{Round: d.ID, Metric: s.Metric.ID, Cell: s.Code}
					k.Instrument = s.Metric.Cells()[0].Instrument
					if k.Cell == "" {
						k.Cell = total
					}
					all = all && here[k]
					list = append(list, k)
				}
				return list
			}
			left, right := keys(e.Left), keys(e.Right)
			if !all || d.Release.Calibration {
				continue
			}
			// Read in both ways, either side can be what is known.
			rc.relations = append(rc.relations, Relation{Total: left[0], With: left[1:], Parts: right}, Relation{Total: right[0], With: right[1:], Parts: left})
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
