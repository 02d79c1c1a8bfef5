package ledger

import (
	"errors"
	"fmt"
)

// Send notes that reports with the granted vectors are about to leave, and returns the correction number of each, in
// order, when that is on disk. Numbers count from 0 for each part of a round and are never given twice: a report that is made
// anew, also of an unchanged vector, needs a new one. After Send, a charge cannot be voided.
func (l *Ledger) Send(grants ...Grant) ([]uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	corrections := make([]uint64, len(grants))
	entries := make([]Entry, len(grants))
	given := map[target]uint64{}
	for i, g := range grants {
		t := target{g.Round.Hash, g.instrument, g.part}
		corrections[i] = l.state.next[t] + given[t]
		given[t]++
		c := l.state.charges[g.Charge]
		if c == nil || c.Instrument != g.instrument || c.Part != g.part {
			return nil, errors.New("sending: the grant is not of this ledger")
		}
		entries[i] = Entry{Send: &Send{Charge: g.Charge, Round: g.Round, Correction: corrections[i]}}
	}
	if len(entries) == 0 {
		return nil, nil
	}
	if err := l.append(entries...); err != nil {
		return nil, err
	}
	return corrections, nil
}

// Void takes a charge back of which nothing was sent, so that it does not count; for instance when the member decides
// not to submit. The reason is for those who read the ledger. The noise is forgotten: the same vector will get other noise.
func (l *Ledger) Void(charge uint64, reason string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.append(Entry{Void: &Void{Charge: charge, Reason: reason}})
}

// Highest returns the highest correction number that was sent for a part of a round; ok is false if nothing was.
func (l *Ledger) Highest(roundHash [32]byte, instrument, part string) (correction uint64, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.state.next[target{fmt.Sprintf("%x", roundHash), instrument, part}]
	return n - min(n, 1), n > 0
}

// CheckLeader compares the ledger with the highest correction number that the Leader has received from this member for a part of a
// round. A Leader that has more than was sent from here shows that this ledger is an old copy: ErrRolledBack. It is to be
// called before Send, in every round. A Leader that has less has not received all.
func (l *Ledger) CheckLeader(roundHash [32]byte, instrument, part string, received uint64) error {
	if own, ok := l.Highest(roundHash, instrument, part); !ok || received > own {
		sent := "nothing"
		if ok {
			sent = fmt.Sprintf("correction %d", own)
		}
		return fmt.Errorf("%w: the Leader has correction %d of part %s of %s, this ledger sent %s; find the newest copy of the ledger, and send nothing from this one",
			ErrRolledBack, received, part, instrument, sent)
	}
	return nil
}
