package publish

import (
	"fmt"

	"candor/schema/release"
)

// A Cell is a collected estimate that waits for a decision.
type Cell struct {
	release.Key
	Estimate    int64
	Low, High   int64 // 95 % interval
	SD          float64
	Groups      int  // distinct groups that contributed
	Blanked     bool // both aggregators replaced it: Estimate means nothing
	Uncollected bool // never asked for, such as the uncapped total of a dominated metric

	// Band are the bounds of the totals of the members that a cell of magnitudes counts; nil for other cells.
	Band *Band

	// Certificate must hold for sums of counts; nil for answers and bands, where one group moves a cell by
	// one at most. Its Estimate and SD are those of the cell.
	Certificate *Certificate

	// Since are the changes of contributors since the earlier releases that show this figure.
	Since []Change
}

// A Relation is a sum that readers know to hold between figures: Total, and with it With, is the sum of Parts.
type Relation struct {
	Total release.Key
	With  []release.Key
	Parts []release.Key
	// Counted says that readers compute the total themselves, so that it holds exactly between published figures. Others hold between true
	// figures, by a rule of the catalogue, and each figure has noise of its own.
	Counted bool
}

// keys are all figures of a relation.
func (r Relation) keys() []release.Key {
	return append(append([]release.Key{r.Total}, r.With...), r.Parts...)
}

// A Decision is a figure with the rule that decided it and the numbers that the rule looked at.
type Decision struct {
	release.Figure
	Rule    string // "minimum", "blanked", "certificate", "waiver", "difference", "complement", "bands", "few", "published"
	Numbers string // "9 of 10 groups", "2.65 < 3.20"
}

// Figures takes the figures out of decisions.
func Figures(decisions []Decision) []release.Figure {
	figures := make([]release.Figure, len(decisions))
	for i, d := range decisions {
		figures[i] = d.Figure
	}
	return figures
}

// Decide applies the rules to all cells of a release, in their order. Relations name every sum among them,
// each with parts that are cells too. The decision is a function of its arguments alone: deciding again gives
// the same.
func Decide(rules Rules, cells []Cell, relations []Relation) ([]Decision, error) {
	p := plan{rules: rules, cells: cells, index: make(map[release.Key]int, len(cells)), decisions: make([]Decision, len(cells))}
	for i, c := range cells {
		if _, ok := p.index[c.Key]; ok {
			return nil, fmt.Errorf("deciding release: cell %s appears twice", c.Key)
		}
		p.index[c.Key] = i
		if c.Certificate != nil {
			if err := c.Certificate.Check(); err != nil {
				return nil, fmt.Errorf("deciding release: cell %s: %w", c.Key, err)
			}
		}
	}
	for _, r := range relations {
		for _, k := range r.keys() {
			if _, ok := p.index[k]; !ok {
				return nil, fmt.Errorf("deciding release: the sum %s names cell %s, which is not there", r.Total, k)
			}
		}
	}
	for i := range cells {
		p.decisions[i] = p.alone(cells[i])
	}
	p.bands(relations)
	p.complement(relations)
	for i, d := range p.decisions {
		if d.Status == release.Published && rules.isFew(d.Figure) {
			p.decisions[i].Status, p.decisions[i].Rule = release.Few, "few"
			p.decisions[i].Numbers = fmt.Sprintf("%d is under %d × %s", *d.Value, rules.FewSD, formatSD(d.NoiseSD))
		}
	}
	return p.decisions, release.CheckFigures(Figures(p.decisions))
}

type plan struct {
	rules     Rules
	cells     []Cell
	index     map[release.Key]int
	decisions []Decision
}

// alone decides a cell without looking at others.
func (p *plan) alone(c Cell) Decision {
	d := Decision{
		Figure: release.Figure{Round: c.Round, Instrument: c.Instrument, Metric: c.Metric, Cell: c.Cell, NoiseSD: c.SD, Contributors: c.Groups},
		Rule:   "published",
	}
	waived := p.rules.Waived[c.Instrument+"."+c.Metric] && c.Certificate != nil
	switch {
	case c.Uncollected:
		d.Status, d.Rule, d.Numbers = release.NotCollected, "not collected", "beside the capped total"
	case c.Groups < p.rules.Minimum && !p.rules.off(minimumRule):
		d.Status, d.Rule, d.Numbers = release.WithheldMinimum, "minimum", fmt.Sprintf("%d of %d groups", c.Groups, p.rules.Minimum)
	case c.Blanked:
		d.Status, d.Rule, d.Numbers = release.WithheldBlanked, "blanked", fmt.Sprintf("fewer than %d groups contribute to it", p.rules.CellMinimum)
	case c.Certificate != nil && !waived && !c.Certificate.Holds() && !p.rules.off(certificateRule):
		d.Status, d.Rule, d.Numbers = release.WithheldCertificate, "certificate", c.Certificate.String()
	default:
		for _, change := range c.Since {
			if why, ok := p.rules.difference(c, change); !ok && !p.rules.off(differenceRule) {
				d.Status, d.Rule, d.Numbers = release.WithheldDifference, "difference", why
				return d
			}
		}
		d.Status = release.Published
		d.Value, d.CILow, d.CIHigh = &c.Estimate, &c.Low, &c.High
		d.Numbers = fmt.Sprintf("%d groups", c.Groups)
		if waived {
			d.Rule, d.Numbers = "waiver", d.Numbers+"; certificate "+c.Certificate.String()
		} else if c.Certificate != nil {
			d.Numbers += "; certificate " + c.Certificate.String()
		}
	}
	return d
}

func (p *plan) open(k release.Key) bool { return p.decisions[p.index[k]].Status == release.Published }

func (p *plan) withhold(k release.Key, why string) {
	p.withholdAs(k, release.WithheldComplementary, "complement", why)
}

func (p *plan) withholdAs(k release.Key, s release.Status, rule, why string) {
	d := &p.decisions[p.index[k]]
	d.Figure = withhold(d.Figure, s)
	d.Rule, d.Numbers = rule, why
}
