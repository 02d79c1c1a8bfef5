package publish

import (
	"fmt"
	"math/big"
	"slices"
	"strings"

	"candor/crypto/dp"
	"candor/schema/metric"
	"candor/schema/release"
	"candor/schema/round"
)

// A partSums is what is known of one part of a round: to the secretariat all sums that were opened, to a reader
// those of the published cells.
type partSums struct {
	part    *round.Part
	reports uint64
	refused bool     // the aggregators gave no share: too few groups
	members []string // whose reports they are; nil if not known
	blanked []uint32 // elements replaced by random ones
	sums    []*int64 // by element, offsets taken off; nil = not known
}

// roundCells are all figures that a round has, in the order in which they are released, with what is known of
// each. Secretariat and verifier make them with the same code from what each knows.
type roundCells struct {
	rules     Rules
	cells     []Cell // what Decide takes: all but the states of availability
	relations []Relation
	states    []stateGroup
	order     []release.Key
	places    map[release.Key]place // of cells that are elements; sums of several have none
	refused   map[release.Key]bool
}

// A place is where a cell's shares lie.
type place struct{ part, element int }

// A stateGroup is the states of availability of one metric: noiseless counts that add up to the members asked.
type stateGroup struct {
	part     int
	elements []int
	figures  []release.Figure
}

// noiseOf is the law of all noise in a sum over the reports of a part. States of availability carry none.
func noiseOf(p *round.Part, reports uint64) (*dp.Sum, error) {
	var law dp.Sum
	member, err := p.Privacy.MemberNoise()
	if err != nil {
		return nil, err
	}
	if member != nil {
		law.Add(member.Law(), int(reports))
	}
	if scale, err := aggregatorScale(p); err != nil {
		return nil, err
	} else if scale != nil {
		law.Add(dp.DiscreteLaplace{Scale: scale}.Law(), 2)
	}
	return &law, nil
}

// aggregatorScale is the scale of the noise that each aggregator adds; nil if none.
func aggregatorScale(p *round.Part) (*big.Rat, error) {
	if p.Privacy.Place != "aggregators" || p.Privacy.Mechanism == "none" {
		return nil, nil
	}
	epsilon, ok := new(big.Rat).SetString(p.Privacy.Epsilon)
	if p.Privacy.Mechanism != "discrete-laplace" || !ok || epsilon.Sign() <= 0 {
		return nil, fmt.Errorf("mechanism %q with ε = %q is not one that aggregators run", p.Privacy.Mechanism, p.Privacy.Epsilon)
	}
	return new(big.Rat).Quo(new(big.Rat).SetInt64(int64(p.Privacy.Delta1)), epsilon), nil
}

// noiseName is how statements must call the noise of a part.
func noiseName(p *round.Part) (string, error) {
	scale, err := aggregatorScale(p)
	if err != nil || scale == nil {
		return "none", err
	}
	return "dlap:" + scale.RatString(), nil
}

// groupsOf is how many groups contributed at least, as far as the public can tell: the fewest that so many
// members of the roster can come from, and not fewer than the minimum, below which neither aggregator gives
// its share. Where every member is a group of its own it is the number of reports.
func groupsOf(d *round.Document, p partSums) int {
	left, groups := int(p.reports), 0
	sizes := make([]int, 0, len(d.Roster))
	for _, n := range d.Groups() {
		sizes = append(sizes, n)
	}
	slices.Sort(sizes)
	for _, n := range slices.Backward(sizes) {
		if left <= 0 {
			break
		}
		left -= n
		groups++
	}
	if p.refused || p.reports < d.Minimum.Groups { // which no honest aggregator gives its share of
		return min(groups, int(d.Minimum.Groups)-1)
	}
	return max(groups, int(d.Minimum.Groups))
}

// newRoundCells lists the figures of a round. catalogue may be nil; parts has an entry for each part of the document.
func newRoundCells(d *round.Document, catalogue *metric.Catalogue, parts []partSums) (*roundCells, error) {
	rc := &roundCells{places: map[release.Key]place{}, refused: map[release.Key]bool{}}
	var err error
	if rc.rules, err = RulesOf(d); err != nil {
		return nil, err
	}
	for i := range parts {
		if err := rc.add(d, i, parts[i]); err != nil {
			return nil, err
		}
	}
	if catalogue != nil && !d.Release.Calibration {
		rc.setBands(catalogue)
		rc.equations(d, catalogue)
	}
	return rc, nil
}

func (rc *roundCells) add(d *round.Document, at int, p partSums) error {
	noise, err := noiseOf(p.part, p.reports)
	if err != nil {
		return fmt.Errorf("part %s of instrument %s: %w", p.part.Name, p.part.Instrument, err)
	}
	n := len(p.part.Cells)
	c := Collected{Totals: make([]int64, n), Groups: make([]int, n), Blanked: make([]bool, n), Noise: noise}
	groups := groupsOf(d, p)
	for i := range n {
		c.Groups[i] = groups
		c.Blanked[i] = slices.Contains(p.blanked, uint32(i))
		if i < len(p.sums) && p.sums[i] != nil {
			c.Totals[i] = *p.sums[i]
		}
	}
	cells, err := CellsOf(d, p.part, c)
	if err != nil {
		return err
	}
	var values []Cell
	for i, cell := range cells {
		rc.places[cell.Key] = place{at, i}
		rc.refused[cell.Key] = p.refused
		if d.Release.Calibration {
			cell.Certificate = nil
		}
		if strings.HasPrefix(cell.Cell, stateColumn) {
			rc.addState(at, i, cell)
			rc.order = append(rc.order, cell.Key)
			continue
		}
		values = append(values, cell)
	}
	var relations []Relation
	if p.part.Kind == round.KindCounts && !d.Release.Calibration {
		values, relations = SumOf(values)
	}
	for _, cell := range values {
		rc.refused[cell.Key] = p.refused
		rc.order = append(rc.order, cell.Key)
	}
	rc.cells, rc.relations = append(rc.cells, values...), append(rc.relations, relations...)
	return nil
}

func (rc *roundCells) addState(part, element int, c Cell) {
	f := release.Figure{Round: c.Round, Instrument: c.Instrument, Metric: c.Metric, Cell: c.Cell, Contributors: c.Groups}
	if k := len(rc.states) - 1; k >= 0 && rc.states[k].part == part && rc.states[k].figures[0].Metric == c.Metric {
		rc.states[k].elements = append(rc.states[k].elements, element)
		rc.states[k].figures = append(rc.states[k].figures, f)
		return
	}
	rc.states = append(rc.states, stateGroup{part, []int{element}, []release.Figure{f}})
}

// decide applies the release rules. All sums but those of blanked cells and refused parts must be known.
func (rc *roundCells) decide(d *round.Document, parts []partSums) ([]Decision, error) {
	decided, err := Decide(rc.rules, rc.cells, rc.relations)
	if err != nil {
		return nil, err
	}
	byKey := make(map[release.Key]Decision, len(rc.order))
	for _, dec := range decided {
		if d.Release.Calibration && dec.Status == release.Few { // the figures are public already
			dec.Status, dec.Rule = release.Published, "calibration"
		}
		byKey[dec.Key()] = dec
	}
	for _, dec := range rc.decideStates(parts) {
		byKey[dec.Key()] = dec
	}
	out := make([]Decision, len(rc.order))
	for i, k := range rc.order {
		out[i] = byKey[k]
	}
	return out, release.CheckFigures(Figures(out))
}

// decideStates decides the states of availability of all metrics.
func (rc *roundCells) decideStates(parts []partSums) (list []Decision) {
	for _, g := range rc.states {
		list = append(list, g.decide(rc.rules, parts[g.part])...)
	}
	return list
}

// decide decides the states of one metric.
func (g stateGroup) decide(rules Rules, p partSums) []Decision {
	out := make([]Decision, len(g.figures))
	if p.refused || g.figures[0].Contributors < rules.Minimum && !rules.off(minimumRule) {
		for i, f := range g.figures {
			out[i] = Decision{withhold(f, release.WithheldMinimum), "minimum", fmt.Sprintf("%d of %d groups", f.Contributors, rules.Minimum)}
		}
		return out
	}
	counts := make([]int64, len(g.elements))
	for i, e := range g.elements {
		counts[i] = *p.sums[e]
	}
	for i, f := range CoarsenStates(g.figures, counts) {
		out[i] = Decision{f, "state", "exact: no noise"}
		if f.Status == release.Coarsened {
			out[i].Numbers = fmt.Sprintf("between %d and %d", *f.CILow, *f.CIHigh)
		}
	}
	return out
}
