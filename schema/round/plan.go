package round

import (
	"fmt"
	"math/big"
	"math/bits"
	"slices"
	"strings"
	"time"

	"candor/schema/metric"
)

// accountUseful is the largest number of noisy events of one account in an instrument for which noise that hides a whole account still leaves figures useful: at 20
// and ε = 1, the sum of 200 members has a standard deviation of 400 (privacy-design, "Units, adjacency, sensitivity"). Beyond it noise hides single items.
const accountUseful = 20

// A Plan is what the secretariat decides about a round; everything else in the document follows from it and from the catalogue.
type Plan struct {
	ID          string
	Rehearsal   bool
	Supersedes  string // hash of the released round that this one revises
	Period      Period
	Window      Window
	Precision   uint64 // seconds
	Catalogue   *metric.Catalogue
	Instruments []string            // empty: all that are due in the period
	Caps        map[string]int64    // by metric path, where lower than the catalogue's bound
	Epsilon     *big.Rat            // of each instrument; nil: 1
	Spent       map[string]*big.Rat // what each population was charged before this round

	Secretariat    string
	Leader, Helper Aggregator
	Collector      string
	Roster         []Member
	Minimum        Minimum
	Release        Release
}

// Document writes the round's document. It returns all mistakes of the plan that keep it from being written; what contradicts itself in a written
// document is for Check.
func (p *Plan) Document() (*Document, error) {
	d := &Document{
		Format: Format, ID: p.ID, Rehearsal: p.Rehearsal, Supersedes: p.Supersedes, Period: p.Period,
		Window:        Window{Opens: p.Window.Opens.UTC().Truncate(time.Second), Closes: p.Window.Closes.UTC().Truncate(time.Second)},
		TimePrecision: p.Precision,
		Catalogue:     Catalogue{ID: p.Catalogue.ID, Version: p.Catalogue.Version, Hash: p.Catalogue.Hash()},
		Secretariat:   p.Secretariat, Leader: p.Leader, Helper: p.Helper, Collector: p.Collector,
		Roster: slices.Clone(p.Roster), Minimum: p.Minimum, Release: p.Release,
	}
	epsilon := p.Epsilon
	if epsilon == nil {
		epsilon = big.NewRat(1, 1)
	}
	budget := budget{spent: p.Spent}
	var problems []string
	for _, id := range p.Instruments {
		in := p.Catalogue.Instrument(id)
		if in == nil {
			problems = append(problems, fmt.Sprintf("the catalogue %s has no instrument %q", p.Catalogue, id))
			continue
		}
		parts, err := p.parts(in, epsilon, &budget)
		if err != nil {
			problems = append(problems, err.Error())
			continue
		}
		d.Parts = append(d.Parts, parts...)
	}
	if len(problems) > 0 {
		return nil, fmt.Errorf("planning round %s: %s", p.ID, strings.Join(problems, "; "))
	}
	if budget.answers != nil {
		budget.charge(population("answer", p.Period), budget.answers)
	}
	d.Populations = budget.populations()
	return d, nil
}

// parts writes the parts of one instrument.
func (p *Plan) parts(in *metric.Instrument, epsilon *big.Rat, b *budget) ([]Part, error) {
	caps := map[string]int64{}
	for path, limit := range p.Caps {
		if instrument, id, ok := strings.Cut(path, "."); ok && instrument == in.ID {
			caps[id] = limit
		}
	}
	source, err := in.Parts(caps)
	if err != nil {
		return nil, err
	}
	privacy := p.privacy(in, epsilon)
	noisy := false
	parts := make([]Part, 0, len(source))
	for i := range source {
		s := &source[i]
		if len(s.Cells) == 0 {
			continue
		}
		part := Part{Instrument: in.ID, Name: s.Name, Cells: make([]Cell, len(s.Cells))}
		for j, c := range s.Cells {
			part.Cells[j] = Cell{Metric: c.Metric, Code: c.Column()}
		}
		if s.Kind == metric.Answers {
			part.answers(s, population("answer", p.Period))
			b.answer(part.Privacy)
		} else if err := part.counts(s, privacy.share(s)); err != nil {
			return nil, fmt.Errorf("instrument %s: %w", in.ID, err)
		}
		noisy = noisy || s.Kind == metric.Counts && s.Noise
		parts = append(parts, part)
	}
	if noisy {
		b.charge(privacy.Population, epsilon)
	}
	return parts, nil
}

// privacy chooses the unit that an instrument's noise protects, and its sensitivity over all counts of the instrument together: they are released with one ε.
func (p *Plan) privacy(in *metric.Instrument, epsilon *big.Rat) Privacy {
	v := Privacy{Unit: "item", Mechanism: "laplace", Place: "member", Epsilon: epsilon.RatString(), Delta: "0", Delta1: uint64(in.ItemLimit())}
	people := slices.ContainsFunc(in.Metrics, func(m metric.Metric) bool {
		return m.Release == metric.AccountNoise && m.PrivacyUnit == metric.Person
	})
	switch limit := in.AccountLimit(); {
	case people && limit == 0:
		v.Unit = "person"
	case limit > 0 && limit <= accountUseful:
		v.Unit, v.Delta1 = "account", uint64(limit)
	}
	v.Population = population(v.Unit, p.Period)
	return v
}

// share returns the privacy block of one part, given that of the whole instrument: the part's own sensitivity, and the same share of ε. So the scale of the
// noise is the instrument's in every part, and the parts' ε add up to the instrument's.
func (v Privacy) share(s *metric.Part) Privacy {
	own := s.UnitLimit(metric.PrivacyUnit(v.Unit))
	epsilon, ok := new(big.Rat).SetString(v.Epsilon)
	if own == 0 || !ok {
		return v
	}
	v.Epsilon = epsilon.Mul(epsilon, big.NewRat(own, int64(v.Delta1))).RatString()
	v.Delta1 = uint64(own)
	return v
}

func (part *Part) counts(s *metric.Part, privacy Privacy) error {
	part.Kind, part.Cap = KindCounts, uint64(s.Cap)
	part.Privacy = Privacy{Unit: privacy.Unit, Mechanism: "none", Place: "member", Epsilon: "0", Delta: "0"}
	if s.Noise {
		part.Privacy = privacy
		noise, err := privacy.MemberNoise()
		if err != nil {
			return err
		}
		part.Offset = uint64(noise.Offset())
	}
	maximum := part.Cap + 2*part.Offset
	part.VDAF = VDAF{Type: "Prio3SumVec", Length: uint32(len(part.Cells)), MaxMeasurement: maximum,
		ChunkLength: ChunkLength(len(part.Cells) * bits.Len64(maximum))}
	return nil
}

// answers sets up a part of zeros and ones. The aggregators add discrete Laplace noise of scale 1 to the cells that are answers; states of availability carry none.
// So ε is the sensitivity: 1 for a yes or no, 2 where there are choices or magnitudes.
func (part *Part) answers(s *metric.Part, population string) {
	part.Kind = KindAnswers
	maxWeight, limit := s.MaxWeight, s.UnitLimit(metric.Organisation)
	part.VDAF = VDAF{Type: "Prio3MultihotCountVec", Length: uint32(len(part.Cells)), MaxWeight: uint64(min(maxWeight, len(part.Cells))),
		ChunkLength: ChunkLength(len(part.Cells) + bits.Len(uint(maxWeight)))}
	part.Privacy = Privacy{Unit: "answer", Population: population, Mechanism: "discrete-laplace", Place: "aggregators",
		Epsilon: big.NewRat(limit, 1).RatString(), Delta: "0", Delta1: uint64(limit)}
}

// population names a set of units with one budget. An item belongs to one period; accounts, persons and the answers of organisations persist, so that the rounds of a
// calendar year add up.
func population(unit string, period Period) string {
	if unit == "item" {
		return "items/" + period.Label
	}
	return unit + "s/" + period.First[:min(4, len(period.First))]
}

// A budget adds up what populations are charged.
type budget struct {
	spent map[string]*big.Rat
	ids   []string
	sums  map[string]*big.Rat
	// answers is the most that the round tells about one answer. A question stands in one instrument, so that those of several do not add up.
	answers *big.Rat
}

func (b *budget) answer(v Privacy) {
	if epsilon, ok := new(big.Rat).SetString(v.Epsilon); ok && (b.answers == nil || epsilon.Cmp(b.answers) > 0) {
		b.answers = epsilon
	}
}

func (b *budget) charge(population string, epsilon *big.Rat) {
	if b.sums == nil {
		b.sums = map[string]*big.Rat{}
	}
	if b.sums[population] == nil {
		b.ids = append(b.ids, population)
		b.sums[population] = new(big.Rat)
		if before := b.spent[population]; before != nil {
			b.sums[population].Set(before)
		}
	}
	b.sums[population].Add(b.sums[population], epsilon)
}

func (b *budget) populations() []Population {
	list := make([]Population, len(b.ids))
	for i, id := range b.ids {
		list[i] = Population{ID: id, Epsilon: b.sums[id].RatString()}
	}
	return list
}
