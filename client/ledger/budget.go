package ledger

import (
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"time"

	"candor/crypto/dp"
)

// An account is what a Budget's total is kept for: a population, in a year if the budget says so. Of answers, each question is its
// own unit, and a question belongs to one instrument.
type account struct{ unit, population, year, instrument string }

func (p *Policy) account(c *Charge) account {
	a := account{unit: c.Unit, population: c.Population}
	if b := p.budget(c.Unit); b != nil && b.Span == SpanYear && len(c.Round.Last) >= 4 {
		a.year = c.Round.Last[:4]
	}
	if c.Unit == "answer" {
		a.instrument = c.Instrument
	}
	return a
}

func (a account) String() string {
	text := a.population
	if a.instrument != "" {
		text += ", instrument " + a.instrument
	}
	if a.year != "" {
		text += ", year " + a.year
	}
	return text
}

// A tally is what charges cost, by account.
type tally struct {
	spent    map[account]dp.Loss
	reserved map[account]dp.Loss // for corrections of rounds that are open
}

// tally adds up the standing charges and the further ones.
func (s *state) tally(further []plan, now time.Time) tally {
	t := tally{map[account]dp.Loss{}, map[account]dp.Loss{}}
	versions := map[target]uint64{}
	last := map[target]*Charge{}
	count := func(c *Charge) {
		a := s.policy.account(c)
		t.spent[a] = t.spent[a].Plus(c.loss())
		if c.Place == "member" && c.Mechanism != "none" {
			versions[c.target(c.Round.Hash)]++
			last[c.target(c.Round.Hash)] = c
		}
	}
	for c := range s.standing {
		count(&c.Charge)
	}
	for i := range further {
		if further[i].paid == nil {
			count(&further[i].charge)
		}
	}
	for at, c := range last {
		if !c.Round.isOpen(now) {
			continue
		}
		a := s.policy.account(c)
		for n := versions[at]; n < 1+s.policy.Corrections; n++ {
			t.reserved[a] = t.reserved[a].Plus(c.loss())
		}
	}
	return t
}

// loss returns what a charge costs. Its texts were checked when it was read or made.
func (c *Charge) loss() dp.Loss {
	eps, _ := new(big.Rat).SetString(c.Epsilon)
	delta, _ := new(big.Rat).SetString(c.Delta)
	return dp.Loss{Epsilon: eps, Delta: delta, Rho: c.Rho}
}

// judge returns all that stands against the plans, in plain words.
func (s *state) judge(plans []plan, now time.Time) (reasons []string) {
	reason := func(format string, args ...any) { reasons = append(reasons, fmt.Sprintf(format, args...)) }
	after := s.tally(plans, now)
	before := s.tally(nil, now)
	seen := map[account]bool{}
	for i := range plans {
		p := &plans[i]
		c := &p.charge
		if p.groups < s.policy.MinimumGroups {
			reason("%s: the round would release sums of %d groups; your policy asks for at least %d", c.name(), p.groups, s.policy.MinimumGroups)
		}
		if other, ok := s.conflict(p); ok {
			reason("%s: the period %s to %s was told to round %s already (%s to %s), which this round does not revise; telling it twice would cancel noise",
				c.name(), c.Round.First, c.Round.Last, other.ID, other.First, other.Last)
		}
		if p.paid != nil || p.loss.Epsilon.Sign() == 0 {
			continue // it costs nothing
		}
		b := s.policy.budget(c.Unit)
		if b == nil {
			reason("%s: your policy has no budget for the unit %q", c.name(), c.Unit)
			continue
		}
		if p.whole.Cmp(b.perRound) > 0 {
			reason("%s: the instrument's parts tell ε = %s together about one %s; your policy allows %s per instrument and round",
				c.name(), p.whole.RatString(), c.Unit, b.perRound.RatString())
		}
		if p.noise != nil {
			if n := s.versions(c); n > s.policy.Corrections {
				reason("%s: it was sent in %d versions already; your policy allows the first and %d changed", c.name(), n, s.policy.Corrections)
			}
		}
		a := s.policy.account(c)
		if seen[a] {
			continue
		}
		seen[a] = true
		if total := sum(after.spent[a].Epsilon, after.reserved[a].Epsilon); total.Cmp(b.total) > 0 {
			reason("%s: of population %s, ε = %s is told and %s set aside for corrections; with this it would be %s, and your policy allows %s",
				c.name(), a, text(before.spent[a].Epsilon), text(before.reserved[a].Epsilon), total.RatString(), b.total.RatString())
		}
		if total := sum(after.spent[a].Delta, after.reserved[a].Delta); total.Cmp(b.delta) > 0 {
			reason("%s: of population %s, δ would add up to %s, and your policy allows %s", c.name(), a, total.RatString(), b.delta.RatString())
		}
	}
	return reasons
}

// versions counts the vectors charged for a part of a round.
func (s *state) versions(c *Charge) (n uint64) {
	for old := range s.standing {
		if old.target(old.Round.Hash) == c.target(c.Round.Hash) {
			n++
		}
	}
	return n
}

// conflict finds a round that was told of the same instrument and an overlapping period, and that the plan's round
// neither is nor revises, directly or by way of others.
func (s *state) conflict(p *plan) (Round, bool) {
	c := &p.charge
	revised := map[string]bool{c.Round.Hash: true}
	for hash := c.Round.Supersedes; hash != "" && !revised[hash]; {
		revised[hash] = true
		if known, ok := s.rounds[hash]; ok {
			hash = known.Supersedes
		} else {
			hash = p.chain[hash]
		}
	}
	for old := range s.standing {
		r := old.Round
		if old.Instrument == c.Instrument && !revised[r.Hash] && r.First <= c.Round.Last && c.Round.First <= r.Last { // dates of one form
			return r, true
		}
	}
	return Round{}, false
}

// A Balance is how much of a budget is used.
type Balance struct {
	Unit       string
	Population string
	Year       string   // empty: for ever
	Instrument string   // of answers
	Spent      dp.Loss  // told, or about to be
	Reserved   dp.Loss  // set aside for corrections of open rounds
	Limit      *big.Rat // Σε that the policy allows; nil: it has no budget for the unit
}

// Balances returns the use of every budget that was charged, in a fixed order. Spent.Epsilon is the cumulative ε of a population.
func (l *Ledger) Balances() []Balance {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.state.tally(nil, l.now())
	accounts := slices.SortedFunc(maps.Keys(t.spent), func(a, b account) int {
		return strings.Compare(fmt.Sprintf("%q", a), fmt.Sprintf("%q", b))
	})
	var balances []Balance
	for _, a := range accounts {
		if t.spent[a].Epsilon.Sign() == 0 {
			continue // figures without noise have no budget
		}
		b := Balance{Unit: a.unit, Population: a.population, Year: a.year, Instrument: a.instrument,
			Spent: t.spent[a], Reserved: dp.Loss{}.Plus(t.reserved[a])}
		if budget := l.state.policy.budget(a.unit); budget != nil {
			b.Limit = new(big.Rat).Set(budget.total)
		}
		balances = append(balances, b)
	}
	return balances
}

func sum(a, b *big.Rat) *big.Rat {
	total := new(big.Rat)
	for _, r := range []*big.Rat{a, b} {
		if r != nil {
			total.Add(total, r)
		}
	}
	return total
}

func text(r *big.Rat) string { return sum(r, nil).RatString() }
