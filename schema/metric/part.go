package metric

import (
	"fmt"
	"slices"
)

// A PartKind says what a part's vector is made of.
type PartKind uint8

const (
	Counts  PartKind = iota // whole numbers from 0 to the part's cap: Prio3SumVec
	Answers                 // zeros and ones: Prio3MultihotCountVec
)

// A Part is what one task carries of an instrument: an ordered list of cells. Counts with one cap and one treatment of noise make
// a part; answers, states of availability and magnitudes together make another.
type Part struct {
	Instrument string
	// Name is "answers"; or "counts", "counts-2", "counts-3", … in the order of their first metrics.
	Name    string
	Kind    PartKind
	Metrics []string // ids, in order; a report says for each of a counts part whether it contributes
	Cells   []Cell   // metric by metric; of an answers part: all value cells, then all states, then all magnitudes

	Cap   int64 // Counts: largest value of a cell
	Noise bool  // Counts: each member adds noise to its cells

	MaxWeight int // Answers: most cells that can be 1

	in *Instrument
}

// Parts returns the parts of an instrument, counts first. caps gives caps by metric id where they are lower than Metric.Max; it may be
// nil. The same catalogue and caps always give the same parts.
func (in *Instrument) Parts(caps map[string]int64) ([]Part, error) {
	for id, limit := range caps {
		m := in.Metric(id)
		switch {
		case m == nil || !m.Type.Counts():
			return nil, fmt.Errorf("instrument %s has no counts %q to cap", in.ID, id)
		case limit < 1 || limit > m.Max:
			return nil, fmt.Errorf("cap %d of %s is not from 1 to its bound %d", limit, m.Path(), m.Max)
		}
	}
	var parts []Part
	for i := range in.Metrics {
		m := &in.Metrics[i]
		if !m.Type.Counts() {
			continue
		}
		limit, ok := caps[m.ID]
		if !ok {
			limit = m.Max
		}
		noise := m.Release == AccountNoise
		at := slices.IndexFunc(parts, func(p Part) bool { return p.Cap == limit && p.Noise == noise })
		if at < 0 {
			at = len(parts)
			parts = append(parts, Part{Instrument: in.ID, Kind: Counts, Cap: limit, Noise: noise, in: in})
		}
		parts[at].Metrics = append(parts[at].Metrics, m.ID)
		parts[at].Cells = append(parts[at].Cells, m.Cells()...)
	}
	for i := range parts {
		parts[i].Name = "counts"
		if i > 0 {
			parts[i].Name = fmt.Sprintf("counts-%d", i+1)
		}
	}
	return append(parts, in.answers()), nil
}

func (in *Instrument) answers() Part {
	p := Part{Instrument: in.ID, Name: "answers", Kind: Answers, in: in}
	for i := range in.Metrics {
		m := &in.Metrics[i]
		p.Metrics = append(p.Metrics, m.ID)
		if !m.Type.Counts() {
			p.Cells = append(p.Cells, m.Cells()...)
			if m.Type == Choice {
				p.MaxWeight++
			} else {
				p.MaxWeight += m.Width()
			}
		}
	}
	for i := range in.Metrics {
		p.Cells = append(p.Cells, in.Metrics[i].AvailabilityCells()...)
		p.MaxWeight++
	}
	for i := range in.Metrics {
		if m := &in.Metrics[i]; m.magnitude != nil {
			p.Cells = append(p.Cells, m.MagnitudeCells()...)
			p.MaxWeight++
		}
	}
	return p
}

// UnitLimit returns the largest change that one unit makes in the part's cells that have noise, in the L1 norm. In counts the unit is an item, an account
// or a person. In answers it is one answer, whatever unit says: to yes or no it moves one cell, but a choice or a magnitude that changes moves two.
func (p *Part) UnitLimit(unit PrivacyUnit) int64 {
	if p.Kind == Answers {
		for i := range p.in.Metrics {
			if m := &p.in.Metrics[i]; m.Type == Choice || m.magnitude != nil {
				return 2
			}
		}
		return 1
	}
	var limit int64
	for _, id := range p.Metrics {
		switch m := p.in.Metric(id); {
		case m.Release != AccountNoise:
		case unit != Account:
			limit++ // codes are exclusive
		case m.PrivacyUnit == Account:
			limit += m.UnitMax
		}
	}
	return limit
}

// Contributes returns, for each of p.Metrics, whether f has values for it.
func (p *Part) Contributes(f Figures) []bool {
	contributes := make([]bool, len(p.Metrics))
	for i, id := range p.Metrics {
		contributes[i] = f[p.Instrument+"."+id].State.Contributes()
	}
	return contributes
}

// Values returns the vector of a counts part: one value per cell, at most p.Cap, 0 where nothing is contributed. Noise and offset
// are not yet in it. capped lists the cells whose value was larger. f must be well-formed.
func (p *Part) Values(f Figures) (values []uint64, capped []Cell, err error) {
	if p.Kind != Counts {
		return nil, nil, fmt.Errorf("part %s of %s has no counts", p.Name, p.Instrument)
	}
	values = make([]uint64, 0, len(p.Cells))
	for _, id := range p.Metrics {
		m := p.in.Metric(id)
		e, err := entry(f, m)
		if err != nil {
			return nil, nil, err
		}
		for i := range m.Width() {
			var v int64
			if e.State.Contributes() {
				v = e.Values[i]
			}
			if v < 0 {
				return nil, nil, fmt.Errorf("value of %s is negative", p.Cells[len(values)])
			}
			if v > p.Cap {
				capped = append(capped, p.Cells[len(values)])
				v = p.Cap
			}
			values = append(values, uint64(v))
		}
	}
	return values, capped, nil
}

// Answers returns the vector of an answers part: zeros and ones. totals gives, by metric id, the total of which the magnitude
// is told, noise included, for each metric that has a magnitude and is contributed. f must be well-formed.
func (p *Part) Answers(f Figures, totals map[string]int64) ([]uint64, error) {
	if p.Kind != Answers {
		return nil, fmt.Errorf("part %s of %s has no answers", p.Name, p.Instrument)
	}
	vector := make([]uint64, 0, len(p.Cells))
	oneHot := func(width, index int) {
		at := len(vector)
		vector = append(vector, make([]uint64, width)...)
		if index >= 0 {
			vector[at+index] = 1
		}
	}
	for _, id := range p.Metrics {
		m := p.in.Metric(id)
		e, err := entry(f, m)
		if err != nil {
			return nil, err
		}
		if m.Type.Counts() {
			continue
		}
		for i := range m.Width() {
			var v int64
			if e.State.Contributes() {
				v = e.Values[i]
			}
			if v != 0 && v != 1 {
				return nil, fmt.Errorf("answer %s is neither 0 nor 1", p.Cells[len(vector)])
			}
			vector = append(vector, uint64(v))
		}
	}
	for _, id := range p.Metrics {
		oneHot(len(States()), slices.Index(States(), f[p.Instrument+"."+id].State))
	}
	for _, id := range p.Metrics {
		m := p.in.Metric(id)
		if m.magnitude == nil {
			continue
		}
		band := -1
		if f[m.Path()].State.Contributes() {
			total, ok := totals[id]
			if !ok {
				return nil, fmt.Errorf("no total for the magnitude of %s", m.Path())
			}
			band = m.magnitude.BandOfCount(total)
		}
		oneHot(len(m.magnitude.Codes), band)
	}
	return vector, nil
}

// entry returns the entry of m, checking that it can be read.
func entry(f Figures, m *Metric) (Entry, error) {
	e, ok := f[m.Path()]
	switch {
	case !ok || !e.State.Valid():
		return e, fmt.Errorf("figures have no state of %s", m.Path())
	case e.State.Contributes() && len(e.Values) != m.Width():
		return e, fmt.Errorf("figures have %d values of %s, not %d", len(e.Values), m.Path(), m.Width())
	}
	return e, nil
}
