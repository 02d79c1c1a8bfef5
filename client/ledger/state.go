package ledger

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"time"

	"candor/crypto/sign"
)

// A state is what follows from a ledger's entries, and from nothing else.
type state struct {
	entries []Entry
	head    string // hash of the last line
	policy  Policy
	text    string // of the policy

	charges map[uint64]*charge
	order   []uint64         // keys of charges, in the order of the file
	rounds  map[string]Round // by hash
	next    map[target]uint64
}

// A charge is a Charge and what became of it.
type charge struct {
	Charge
	seq    uint64
	sent   bool
	voided bool
}

// A target is what a member sends reports to: a part of a round, which is a DAP task.
type target struct{ round, instrument, part string }

func (c *Charge) target(round string) target { return target{round, c.Instrument, c.Part} }

func newState() *state {
	return &state{head: strings.Repeat("0", 64), charges: map[uint64]*charge{}, rounds: map[string]Round{}, next: map[target]uint64{}}
}

// clone returns a copy that can be changed on its own, except for what the charges point to.
func (s *state) clone() *state {
	c := *s
	c.entries = s.entries[:len(s.entries):len(s.entries)]
	c.order = s.order[:len(s.order):len(s.order)]
	c.charges = make(map[uint64]*charge, len(s.charges))
	for k, v := range s.charges {
		copied := *v
		c.charges[k] = &copied
	}
	c.rounds, c.next = maps.Clone(s.rounds), maps.Clone(s.next)
	return &c
}

// read replays a ledger's lines. The error is ErrBroken, naming the line.
func read(text []byte) (*state, error) {
	s := newState()
	for n := 1; len(text) > 0; n++ {
		line, rest, ended := bytes.Cut(text, []byte("\n"))
		if !ended {
			return nil, fmt.Errorf("%w: line %d is cut short", ErrBroken, n)
		}
		e, err := parseEntry(line)
		if err == nil {
			err = s.apply(e, line)
		}
		if err != nil {
			return nil, fmt.Errorf("%w: line %d: %v", ErrBroken, n, err)
		}
		text = rest
	}
	if len(s.entries) == 0 {
		return nil, fmt.Errorf("%w: it is empty", ErrBroken)
	}
	return s, nil
}

// apply takes in an entry, which must be one that may follow.
func (s *state) apply(e Entry, line []byte) error {
	if want := uint64(len(s.entries)) + 1; e.Seq != want {
		return fmt.Errorf("it has the number %d, not %d: lines are missing or moved", e.Seq, want)
	}
	if e.Prev != s.head {
		return errors.New("the chain is broken: the line before was changed")
	}
	events := 0
	for _, set := range []bool{e.Opening != nil, e.Adoption != nil, e.Charge != nil, e.Send != nil, e.Void != nil} {
		if set {
			events++
		}
	}
	if events != 1 || (e.Opening != nil) != (e.Seq == 1) {
		return errors.New("a ledger begins with its opening, and each line has one event")
	}
	var err error
	switch {
	case e.Opening != nil:
		err = s.open(e.Opening)
	case e.Adoption != nil:
		err = s.adopt(e.Adoption)
	case e.Charge != nil:
		err = s.charge(e.Seq, e.Charge)
	case e.Send != nil:
		err = s.send(e.Send)
	case e.Void != nil:
		err = s.void(e.Void)
	}
	if err != nil {
		return err
	}
	s.entries = append(s.entries, e)
	s.head = hashLine(line)
	return nil
}

func (s *state) open(o *Opening) (err error) {
	if o.Format != Format {
		return fmt.Errorf("the format is %q, this program reads %q", o.Format, Format)
	}
	s.text = o.Policy
	s.policy, err = ParsePolicy([]byte(o.Policy))
	return err
}

// policyStatement is what approvals of a new policy sign: for this ledger, instead of the policy in force.
func (s *state) policyStatement(policy []byte) [][]byte {
	return [][]byte{[]byte(s.entries[0].Opening.ID), []byte(s.text), policy}
}

func (s *state) adopt(a *Adoption) error {
	policy, err := ParsePolicy([]byte(a.Policy))
	if err != nil {
		return err
	}
	var signed []sign.PublicKey
	for _, approval := range a.Approvals {
		if !slices.Contains(s.policy.Signers, approval.Key.String()) || slices.Contains(signed, approval.Key) {
			return fmt.Errorf("the key %s is not one of the policy's signers, or signed twice", approval.Key.Fingerprint())
		}
		if err := approval.Key.Verify(approval.Signature, policyLabel, s.policyStatement([]byte(a.Policy))...); err != nil {
			return fmt.Errorf("the approval of %s: %w", approval.Key.Fingerprint(), err)
		}
		signed = append(signed, approval.Key)
	}
	if len(signed) < s.policy.Signatures {
		return fmt.Errorf("the policy in force wants %d signatures on a new one, there are %d", s.policy.Signatures, len(signed))
	}
	s.policy, s.text = policy, a.Policy
	return nil
}

func (s *state) charge(seq uint64, c *Charge) error {
	for _, text := range []string{c.Epsilon, c.Delta} {
		if !rationalText.MatchString(text) {
			return fmt.Errorf("the privacy loss %q is not a fraction", text)
		}
		if r, ok := new(big.Rat).SetString(text); !ok || r.RatString() != text {
			return fmt.Errorf("the privacy loss %q is not a reduced fraction", text)
		}
	}
	if err := s.remember(c.Round); err != nil {
		return err
	}
	s.charges[seq] = &charge{Charge: *c, seq: seq}
	s.order = append(s.order, seq)
	return nil
}

func (s *state) send(e *Send) error {
	c := s.charges[e.Charge]
	if c == nil || c.voided {
		return fmt.Errorf("it sends the charge %d, which does not exist or is void", e.Charge)
	}
	if err := s.remember(e.Round); err != nil {
		return err
	}
	t := c.target(e.Round.Hash)
	if e.Correction != s.next[t] {
		return fmt.Errorf("it has the correction number %d, not %d", e.Correction, s.next[t])
	}
	s.next[t]++
	c.sent = true
	return nil
}

func (s *state) void(e *Void) error {
	c := s.charges[e.Charge]
	switch {
	case c == nil || c.voided:
		return fmt.Errorf("it voids the charge %d, which does not exist or is void", e.Charge)
	case c.sent:
		return fmt.Errorf("it voids the charge %d, of which reports were sent: what was told cannot be taken back", e.Charge)
	}
	c.voided = true
	return nil
}

// remember notes a round. One hash is one document.
func (s *state) remember(r Round) error {
	if h, err := hex.DecodeString(r.Hash); err != nil || len(h) != 32 {
		return fmt.Errorf("the hash of round %s is not a SHA-256", r.ID)
	}
	for _, date := range []string{r.First, r.Last} {
		if _, err := time.Parse(time.DateOnly, date); err != nil {
			return fmt.Errorf("the period of round %s has the bound %q, which is not a date", r.ID, date)
		}
	}
	if known, ok := s.rounds[r.Hash]; ok && !known.equal(r) {
		return fmt.Errorf("round %s is described in two ways", r.ID)
	}
	s.rounds[r.Hash] = r
	return nil
}

func (r Round) equal(other Round) bool {
	sameEnd := r.Closes.Equal(other.Closes)
	r.Closes, other.Closes = time.Time{}, time.Time{}
	return sameEnd && r == other
}

// standing yields the charges that count, in the order of the file.
func (s *state) standing(yield func(*charge) bool) {
	for _, seq := range s.order {
		if c := s.charges[seq]; !c.voided && !yield(c) {
			return
		}
	}
}
