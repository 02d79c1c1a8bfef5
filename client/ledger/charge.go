package ledger

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"candor/crypto/dp"
	"candor/schema/round"
)

// A Claim asks to tell a vector of one part of a round. The round is one that the caller has verified; rehearsals,
// whose figures are invented, are not charged to a ledger.
type Claim struct {
	Document *round.Document
	Hash     [32]byte    // of Document; zero: it is computed
	Part     *round.Part // one of Document.Parts itself, not a copy
	Values   []uint64    // the true values, at most the part's cap each; the answers of an answers part
	// Between are the verified documents of rounds that Document revises by way of others: from the one it supersedes
	// back to the first. Needed only where this member did not take part in one of them.
	Between []*round.Document
}

// A Grant is permission to tell a vector, in the form in which it may be told.
type Grant struct {
	Charge uint64 // Seq of the entry that paid for it
	Round  Round  // of the claim
	// Measurement is what is shared: for counts the values with noise and offset, otherwise the values.
	Measurement []uint64
	Noisy       []int64 // counts with noise, without offset; nil where the member adds none
	Reused      bool    // the vector was told before, or paid for: it costs nothing now
	Loss        dp.Loss // what it costs; zero if Reused

	instrument, part string
}

// A Refusal says, for people, why a claim goes beyond the policy or contradicts the ledger. Nothing was charged.
type Refusal struct{ Reasons []string }

func (r *Refusal) Error() string {
	var text strings.Builder
	text.WriteString("the ledger refuses:")
	for _, reason := range r.Reasons {
		text.WriteString("\n  " + reason)
	}
	return text.String()
}

// Charge grants claims, all or none, and returns when what they cost is on disk. A vector that was granted before, for the
// same period and under the same parameters, gets the same noise again and costs nothing, also in a round that revises
// the first. Any other gets fresh noise on all of its elements. Where the Aggregators add the noise, a round is paid for once,
// since one vector of it is released, whichever.
//
// The error is a *Refusal if the policy or the ledger stands against a claim, with all reasons. A grant must not be used
// before Send.
func (l *Ledger) Charge(claims ...Claim) ([]Grant, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	plans := make([]plan, len(claims))
	for i, c := range claims {
		if c.Document == nil || c.Part == nil {
			return nil, errors.New("charging: the claim has no round or no part")
		}
		p, err := l.state.plan(c)
		if err != nil {
			return nil, err
		}
		for _, q := range plans[:i] {
			if q.charge.target(q.charge.Round.Hash) == p.charge.target(p.charge.Round.Hash) {
				return nil, fmt.Errorf("charging %s: it is claimed twice at once", p.charge.name())
			}
		}
		plans[i] = p
	}
	if reasons := l.state.judge(plans, l.now()); len(reasons) > 0 {
		return nil, &Refusal{reasons}
	}
	var entries []Entry
	for i := range plans {
		p := &plans[i]
		if p.paid != nil {
			continue
		}
		if p.noise != nil {
			noisy, err := p.noise.AddVector(signed(p.values))
			if err != nil {
				return nil, fmt.Errorf("charging %s: %w", p.charge.name(), err)
			}
			p.charge.Noisy = noisy
		}
		p.seq = uint64(len(l.state.entries) + len(entries) + 1)
		entries = append(entries, Entry{Charge: &p.charge})
	}
	if len(entries) > 0 {
		if err := l.append(entries...); err != nil {
			return nil, err
		}
	}
	grants := make([]Grant, len(plans))
	for i, p := range plans {
		var err error
		if grants[i], err = p.grant(); err != nil {
			return nil, err
		}
	}
	return grants, nil
}

// A plan is a claim with what it would cost.
type plan struct {
	charge Charge // without noise
	seq    uint64
	paid   *charge // what pays for it already
	noise  round.Noise
	loss   dp.Loss
	values []uint64
	groups uint64            // the round's minimum
	chain  map[string]string // hash of a round in between: hash of the one it supersedes
	whole  *big.Rat          // ε of the instrument's parts with this unit together
}

func (c *Charge) name() string {
	return fmt.Sprintf("part %s of %s in round %s", c.Part, c.Instrument, c.Round.ID)
}

// plan reads a claim. Its errors are of a claim that makes no sense, not of one that is refused.
func (s *state) plan(c Claim) (plan, error) {
	d, part := c.Document, c.Part
	refuse := func(err error) (plan, error) {
		return plan{}, fmt.Errorf("charging part %s of %s in round %s: %w", part.Name, part.Instrument, d.ID, err)
	}
	switch {
	case d.Rehearsal:
		return refuse(errors.New("it is a rehearsal, whose figures are invented: nothing is to be charged"))
	case !contains(d, part):
		return refuse(errors.New("the round has no such part"))
	case len(c.Values) != len(part.Cells):
		return refuse(fmt.Errorf("%d values for %d cells", len(c.Values), len(part.Cells)))
	}
	limit := part.Cap
	if part.Kind == round.KindAnswers {
		limit = 1
	}
	for i, v := range c.Values {
		if v > limit {
			return refuse(fmt.Errorf("the value of cell %d is above the cap", i+1))
		}
	}
	noise, err := part.Privacy.MemberNoise()
	if err != nil {
		return refuse(err)
	}
	if noise != nil && uint64(noise.Offset()) != part.Offset {
		return refuse(fmt.Errorf("the offset is %d, the noise asks for %d", part.Offset, noise.Offset()))
	}
	loss, err := lossOf(part.Privacy, noise)
	if err != nil {
		return refuse(err)
	}
	parameters, err := parametersOf(d, part)
	if err != nil {
		return refuse(err)
	}
	hash := c.Hash
	if hash == [32]byte{} {
		if hash, err = d.Hash(); err != nil {
			return refuse(err)
		}
	}
	p := plan{
		charge: Charge{
			Round: Round{
				ID: d.ID, Hash: hex.EncodeToString(hash[:]), Supersedes: d.Supersedes,
				First: d.Period.First, Last: d.Period.Last, Closes: d.Window.Closes.UTC(),
			},
			Instrument: part.Instrument,
			Part:       part.Name,
			Parameters: parameters,
			Vector:     s.hashVector(c.Values),
			Population: part.Privacy.Population,
			Unit:       part.Privacy.Unit,
			Mechanism:  part.Privacy.Mechanism,
			Place:      part.Privacy.Place,
			Epsilon:    loss.Epsilon.RatString(),
			Delta:      loss.Delta.RatString(),
			Rho:        loss.Rho,
			Offset:     part.Offset,
		},
		noise:  noise,
		loss:   loss,
		values: slices.Clone(c.Values),
		groups: d.Minimum.Groups,
		whole:  new(big.Rat),
		chain:  map[string]string{},
	}
	for _, b := range c.Between {
		h, err := b.Hash()
		if err != nil {
			return refuse(err)
		}
		p.chain[hex.EncodeToString(h[:])] = b.Supersedes
	}
	for _, other := range d.Parts {
		if other.Instrument == part.Instrument && other.Privacy.Unit == part.Privacy.Unit {
			n, err := other.Privacy.MemberNoise()
			if err != nil {
				return refuse(err)
			}
			l, err := lossOf(other.Privacy, n)
			if err != nil {
				return refuse(err)
			}
			p.whole.Add(p.whole, l.Epsilon)
		}
	}
	for old := range s.standing {
		if p.isPaidBy(old) {
			p.paid = old
		}
	}
	return p, nil
}

// contains reports whether a part is one of the document's own.
func contains(d *round.Document, part *round.Part) bool {
	for i := range d.Parts {
		if &d.Parts[i] == part {
			return true
		}
	}
	return false
}

// isPaidBy reports whether an earlier charge covers the plan.
func (p *plan) isPaidBy(old *charge) bool {
	if old.Instrument != p.charge.Instrument || old.Part != p.charge.Part || old.Parameters != p.charge.Parameters {
		return false
	}
	if p.noise == nil {
		return old.Round.Hash == p.charge.Round.Hash
	}
	return old.Vector == p.charge.Vector && old.Round.First == p.charge.Round.First && old.Round.Last == p.charge.Round.Last
}

func (p *plan) grant() (Grant, error) {
	g := Grant{
		Charge: p.seq, Round: p.charge.Round, Measurement: p.values, Noisy: p.charge.Noisy, Loss: p.loss,
		instrument: p.charge.Instrument, part: p.charge.Part,
	}
	if p.paid != nil {
		g.Charge, g.Noisy, g.Loss, g.Reused = p.paid.seq, p.paid.Noisy, dp.Loss{}, true
	}
	if p.noise == nil {
		return g, nil
	}
	if len(g.Noisy) != len(p.values) {
		return g, fmt.Errorf("charging %s: the ledger keeps %d noisy values for %d cells", p.charge.name(), len(g.Noisy), len(p.values))
	}
	g.Noisy = slices.Clone(g.Noisy)
	g.Measurement = make([]uint64, len(g.Noisy))
	for i, y := range g.Noisy {
		shifted := y + int64(p.charge.Offset)
		if shifted < 0 {
			return g, fmt.Errorf("charging %s: the noisy value of cell %d is below the offset", p.charge.name(), i+1)
		}
		g.Measurement[i] = uint64(shifted)
	}
	return g, nil
}

// lossOf returns what one vector under a privacy block tells.
func lossOf(p round.Privacy, member round.Noise) (dp.Loss, error) {
	zero := dp.Loss{Epsilon: new(big.Rat), Delta: new(big.Rat)}
	switch {
	case member != nil:
		return zero.Plus(member.Loss()), nil
	case p.Mechanism == "none":
		return zero, nil
	}
	// The Aggregators' noise: discrete Laplace, of which the block says ε.
	eps, ok := new(big.Rat), rationalText.MatchString(p.Epsilon)
	if ok {
		_, ok = eps.SetString(p.Epsilon)
	}
	if p.Mechanism != "discrete-laplace" || p.Place != "aggregators" || !ok || eps.Sign() <= 0 || eps.Cmp(big.NewRat(16, 1)) > 0 {
		return zero, fmt.Errorf("the privacy block (mechanism %q at %q, ε %q) is not one that can be charged", p.Mechanism, p.Place, p.Epsilon)
	}
	f, _ := eps.Float64()
	return zero.Plus(dp.Loss{Epsilon: eps, Rho: f * f / 2}), nil
}

// parametersOf returns the hash of all that the law of a part's noise and the meaning of its cells depend on. Rounds
// with the same hash tell the same vector in the same way.
func parametersOf(d *round.Document, p *round.Part) (string, error) {
	text, err := json.Marshal(struct {
		Catalogue round.Catalogue
		Kind      string
		Cells     []round.Cell
		Cap       uint64
		Offset    uint64
		Privacy   round.Privacy
	}{d.Catalogue, p.Kind, p.Cells, p.Cap, p.Offset, p.Privacy})
	if err != nil {
		return "", err
	}
	h := sha256.Sum256(append([]byte("candor/1 ledger parameters\x00"), text...))
	return hex.EncodeToString(h[:]), nil
}

// hashVector hashes true values together with the ledger's random id, so that two members' hashes do not compare.
func (s *state) hashVector(values []uint64) string {
	b := append([]byte("candor/1 ledger vector\x00"), s.entries[0].Opening.ID...)
	for _, v := range values {
		b = binary.BigEndian.AppendUint64(b, v)
	}
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

func signed(values []uint64) []int64 {
	x := make([]int64, len(values))
	for i, v := range values {
		x[i] = int64(v) // at most the cap, which the mechanism bounds
	}
	return x
}

// isOpen reports whether a round still takes corrections.
func (r Round) isOpen(now time.Time) bool { return now.Before(r.Closes) }
