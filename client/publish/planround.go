package publish

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
	"slices"

	"candor/schema/metric"
	"candor/schema/release"
	"candor/schema/round"
)

// A RoundPlan is what is decided about every figure of a round, before anything is signed.
type RoundPlan struct {
	Decisions  []Decision
	Ratios     []release.Ratio
	Statements []release.SignedStatement
	Opened     []release.OpenedElement // of the published cells only
	Earlier    []release.Earlier       // what the decisions were compared with

	// Refused says why the round cannot be released at all: it corrects figures that are public and too few groups changed. Nil if it can.
	Refused error
}

// PlanRound decides every figure of a round from its batches, which are in the order of the document's parts and
// were checked (Batch.Check). catalogue is the one that the document names; nil for a calibration round, whose
// metrics are in no catalogue: such a round has no ratios. h is what was published before.
func PlanRound(d *round.Document, catalogue *metric.Catalogue, batches []release.Batch, h History) (RoundPlan, error) {
	return planWithout(d, catalogue, batches, h)
}

// planWithout is PlanRound with some rules switched off; none in use.
func planWithout(d *round.Document, catalogue *metric.Catalogue, batches []release.Batch, h History, off ...string) (RoundPlan, error) {
	fail := func(err error) (RoundPlan, error) {
		return RoundPlan{}, fmt.Errorf("planning the release of round %s: %w", d.ID, err)
	}
	if err := checkCatalogue(d, catalogue); err != nil {
		return fail(err)
	}
	if len(batches) != len(d.Parts) {
		return fail(fmt.Errorf("%d batches for %d parts", len(batches), len(d.Parts)))
	}
	parts := make([]partSums, len(batches))
	for i, b := range batches {
		var err error
		if parts[i], err = sumsOf(&d.Parts[i], b); err != nil {
			return fail(err)
		}
	}
	rc, err := newRoundCells(d, catalogue, parts)
	if err != nil {
		return fail(err)
	}
	rc.rules.without = map[string]bool{}
	for _, rule := range off {
		rc.rules.without[rule] = true
	}
	var plan RoundPlan
	if plan.Earlier, err = h.records(d, parts); err != nil {
		return fail(err)
	}
	plan.Refused = rc.rules.refusal(d, plan.Earlier)
	states := map[release.Key]release.Figure{}
	for _, s := range rc.decideStates(parts) {
		states[anyRound(s.Key())] = s.Figure
	}
	for _, e := range h.Earlier {
		for _, r := range plan.Earlier {
			if r.Package == e.digest {
				rc.compare(d, e, r, states)
			}
		}
	}
	if plan.Decisions, err = rc.decide(d, parts); err != nil {
		return fail(err)
	}
	if catalogue != nil {
		plan.Ratios = ratiosOf(d, catalogue, Figures(plan.Decisions))
	}
	for i, b := range batches {
		if b.Refused != "" {
			continue
		}
		plan.Statements = append(plan.Statements, b.Statements[:]...)
		var elements []int
		for _, f := range plan.Decisions {
			if at, ok := rc.places[f.Key()]; ok && at.part == i && f.Value != nil {
				elements = append(elements, at.element)
			}
		}
		slices.Sort(elements)
		opened, err := b.Open(elements)
		if err != nil {
			return fail(err)
		}
		plan.Opened = append(plan.Opened, opened...)
	}
	return plan, nil
}

// checkCatalogue reports a catalogue that is not the round's.
func checkCatalogue(d *round.Document, c *metric.Catalogue) error {
	switch {
	case c == nil && !d.Release.Calibration:
		return fmt.Errorf("the catalogue %s %s is needed", d.Catalogue.ID, d.Catalogue.Version)
	case c != nil && c.Hash() != d.Catalogue.Hash:
		return fmt.Errorf("the catalogue has hash %.16s…, the round's is %s %s, %.16s…", c.Hash(), d.Catalogue.ID, d.Catalogue.Version, d.Catalogue.Hash)
	}
	return nil
}

// sumsOf adds the two shares of a batch.
func sumsOf(p *round.Part, b release.Batch) (partSums, error) {
	s := partSums{part: p, reports: b.Reports, members: b.Members, refused: b.Refused != "", sums: make([]*int64, len(p.Cells))}
	if s.refused {
		return s, nil
	}
	s.blanked = b.Statements[0].Blanked
	for i := range p.Cells {
		if b.Blanked(i) {
			continue
		}
		v, err := SumOfShares(b.Leaves[0][i].Element, b.Leaves[1][i].Element, b.Reports, p.Offset)
		if err != nil {
			return s, fmt.Errorf("%s/%s, %s %s: %w", p.Instrument, p.Name, p.Cells[i].Metric, p.Cells[i].Code, err)
		}
		s.sums[i] = &v
	}
	return s, nil
}

// modulus is that of Field128, in which both VDAFs of rounds work: 2^128 − 28·2^64 + 1.
var modulus = func() *big.Int {
	m := new(big.Int).Lsh(big.NewInt(1), 128)
	m.Sub(m, new(big.Int).Lsh(big.NewInt(28), 64))
	return m.Add(m, big.NewInt(1))
}()

// elementSize is the number of bytes of an encoded element.
const elementSize = 16

// SumOfShares adds two elements of shares and takes the offset of every report off. The result is signed: noise
// can outweigh a small count.
func SumOfShares(a, b []byte, reports, offset uint64) (int64, error) {
	sum := new(big.Int)
	for _, e := range [][]byte{a, b} {
		if len(e) != elementSize {
			return 0, fmt.Errorf("an element of %d bytes; it has %d", len(e), elementSize)
		}
		var big16 [elementSize]byte // most significant byte first
		binary.BigEndian.PutUint64(big16[:], binary.LittleEndian.Uint64(e[8:]))
		binary.BigEndian.PutUint64(big16[8:], binary.LittleEndian.Uint64(e))
		x := new(big.Int).SetBytes(big16[:])
		if x.Cmp(modulus) >= 0 {
			return 0, errors.New("an element that is not below the modulus")
		}
		sum.Add(sum, x)
	}
	sum.Mod(sum, modulus)
	if sum.Cmp(new(big.Int).Rsh(modulus, 1)) > 0 {
		sum.Sub(sum, modulus)
	}
	sum.Sub(sum, new(big.Int).Mul(new(big.Int).SetUint64(reports), new(big.Int).SetUint64(offset)))
	if !sum.IsInt64() || sum.Int64() > release.MaxValue || sum.Int64() < -release.MaxValue {
		return 0, errors.New("the sum of the shares is no number that the reports could have: both operators must explain it")
	}
	return sum.Int64(), nil
}

// ratiosOf computes the ratios of the catalogue whose cells the round asks for.
func ratiosOf(d *round.Document, c *metric.Catalogue, figures []release.Figure) []release.Ratio {
	index := make(map[release.Key]release.Figure, len(figures))
	asked := map[string]bool{}
	for _, f := range figures {
		index[f.Key()] = f
		asked[f.Instrument] = true
	}
	var ratios []release.Ratio
	for i := range c.Instruments {
		in := &c.Instruments[i]
		if !asked[in.ID] {
			continue
		}
		for j := range in.Ratios {
			for _, q := range in.Ratios[j].Quotients() {
				rule := RatioRule{Key: release.Key{Round: d.ID, Instrument: in.ID, Metric: in.Ratios[j].ID, Cell: q.Code}}
				all := true
				keys := func(cells []metric.Cell) (list []release.Key) {
					for _, cell := range cells {
						k := release.Key{Round: d.ID, Instrument: cell.Instrument, Metric: cell.Metric, Cell: cell.Column()}
						_, ok := index[k]
						all = all && ok
						list = append(list, k)
					}
					return list
				}
				rule.Numerator, rule.Denominator = keys(q.Numerator), keys(q.Denominator)
				if all {
					ratios = append(ratios, DecideRatio(rule, index))
				}
			}
		}
	}
	return ratios
}
