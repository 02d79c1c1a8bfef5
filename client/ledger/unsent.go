package ledger

// VoidUnsent takes back what was charged for the parts and rounds of the claims but never sent, where the claim is for another
// vector: a draft that was looked at and then changed. What was sent stands. It is to be called before Charge.
func (l *Ledger) VoidUnsent(reason string, claims ...Claim) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	voided := map[uint64]bool{}
	var entries []Entry
	for _, c := range claims {
		p, err := l.state.plan(c)
		if err != nil {
			return err
		}
		at := p.charge.target(p.charge.Round.Hash)
		for old := range l.state.standing {
			if old.sent || voided[old.seq] || p.isPaidBy(old) || old.target(old.Round.Hash) != at {
				continue
			}
			voided[old.seq] = true
			entries = append(entries, Entry{Void: &Void{Charge: old.seq, Reason: reason}})
		}
	}
	if len(entries) == 0 {
		return nil
	}
	return l.append(entries...)
}
