package member

import (
	"errors"
	"fmt"
	"math/big"

	"candor/client/ledger"
	"candor/crypto/dp"
	"candor/schema/round"
)

// grant has the ledger pay for a draft and takes the noise from it: counts first, since the magnitudes among the answers are those of
// totals with noise. Nothing of a draft stays charged that is refused in part.
func (m *Member) grant(d *Draft) error {
	if d.Round.Document.Rehearsal {
		return d.rehearse()
	}
	between, err := m.revised(d.Round)
	if err != nil {
		return err
	}
	counts, err := m.charge(d, round.KindCounts, between)
	if err != nil {
		return err
	}
	for i := range d.Parts {
		if p := &d.Parts[i]; p.Kind == round.KindAnswers {
			if err := d.answers(p); err != nil {
				return err
			}
		}
	}
	if _, err := m.charge(d, round.KindAnswers, between); err != nil {
		for _, g := range counts {
			if !g.Reused {
				err = errors.Join(err, m.cfg.Ledger.Void(g.Charge, "the ledger refused the answers of the same draft"))
			}
		}
		return err
	}
	return nil
}

// charge claims the parts of one kind, all or none.
func (m *Member) charge(d *Draft, kind string, between []*round.Document) ([]ledger.Grant, error) {
	var claims []ledger.Claim
	var parts []*PartDraft
	for i := range d.Parts {
		if p := &d.Parts[i]; p.Kind == kind {
			parts = append(parts, p)
			claims = append(claims, ledger.Claim{Document: d.Round.Document, Hash: d.Round.Hash, Part: p.part.Part, Values: p.measurement, Between: between})
		}
	}
	if err := m.cfg.Ledger.VoidUnsent("the figures were changed before anything was sent", claims...); err != nil {
		return nil, err
	}
	grants, err := m.cfg.Ledger.Charge(claims...)
	if err != nil {
		return nil, err
	}
	for i, g := range grants {
		p := parts[i]
		p.grant, p.Reused, p.measurement = g, g.Reused, g.Measurement
		for j, y := range g.Noisy {
			p.Cells[j].Leaves = y
		}
	}
	return grants, nil
}

// rehearse makes a draft of invented figures: with noise, and without the ledger, which has no people to protect here.
func (d *Draft) rehearse() error {
	for i := range d.Parts {
		p := &d.Parts[i]
		if p.Kind != round.KindCounts || p.part.noise == nil {
			continue
		}
		values := make([]int64, len(p.measurement))
		for j, v := range p.measurement {
			values[j] = int64(v)
		}
		noisy, err := p.part.noise.AddVector(values)
		if err != nil {
			return fmt.Errorf("rehearsing %s: %w", p.part.name(), err)
		}
		for j, y := range noisy {
			p.Cells[j].Leaves = y
			p.measurement[j] = uint64(y + int64(p.part.Offset))
		}
	}
	for i := range d.Parts {
		if p := &d.Parts[i]; p.Kind == round.KindAnswers {
			if err := d.answers(p); err != nil {
				return err
			}
		}
	}
	return nil
}

// revised returns the documents of the rounds that a revision goes back to, as far as the member knows them.
func (m *Member) revised(r *Round) (between []*round.Document, err error) {
	if r.Document.Supersedes == "" {
		return nil, nil
	}
	known, err := m.Known()
	for _, s := range known {
		if s.Document.ID != r.Document.ID {
			between = append(between, s.Document)
		}
	}
	return between, err
}

// confidence of the intervals that are shown.
const confidence = 0.95

// intervals computes what the noise of the whole roster does to a total.
func (d *Draft) intervals() {
	known := map[dp.Law]int64{}
	width := func(law dp.Law, n int) int64 {
		h, ok := known[law]
		if !ok {
			var sum dp.Sum
			sum.Add(law, n)
			h = sum.HalfWidth(confidence)
			known[law] = h
		}
		return h
	}
	for i := range d.Parts {
		p := &d.Parts[i]
		privacy := p.part.Privacy
		switch {
		case p.part.noise != nil:
			p.HalfWidth = width(p.part.noise.Law(), len(d.Round.Document.Roster))
		case privacy.Mechanism == "discrete-laplace" && privacy.Place == "aggregators":
			if epsilon, ok := new(big.Rat).SetString(privacy.Epsilon); ok && epsilon.Sign() > 0 {
				noise := dp.DiscreteLaplace{Scale: new(big.Rat).Quo(new(big.Rat).SetInt64(int64(privacy.Delta1)), epsilon)}
				if noise.Check() == nil {
					p.HalfWidth = width(noise.Law(), 2) // one draw of each aggregator
				}
			}
		}
	}
}
