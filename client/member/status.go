package member

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"candor/schema/round"
)

// A PartStatus is what is known of one part of a round.
type PartStatus struct {
	Instrument string     `json:"instrument"`
	Part       string     `json:"part"`
	Sent       bool       `json:"sent"` // sealed, at least
	Correction uint64     `json:"correction"`
	Report     string     `json:"report,omitempty"`
	Sealed     *time.Time `json:"sealed,omitempty"`
	Leader     *Word      `json:"leader,omitempty"`  // nil: it has nothing
	Helper     *Word      `json:"helper,omitempty"`  // nil: it has nothing; it learns of a report when it is aggregated
	Alarms     []string   `json:"alarms,omitempty"`  // contradictions, for people
	Unknown    []string   `json:"unknown,omitempty"` // what could not be asked
}

// A Word is what an aggregator's receipt says.
type Word struct {
	Correction uint64    `json:"correction"`
	Report     string    `json:"report"`
	Received   time.Time `json:"received"`
	Counted    bool      `json:"counted"`
}

// Counted says that both aggregators have signed that the member's newest report is in the sum.
func (s *PartStatus) Counted() bool {
	return s.Leader != nil && s.Helper != nil && s.Leader.Counted && s.Helper.Counted && s.Leader.Report == s.Report && s.Helper.Report == s.Report
}

// Status asks both aggregators for their receipts, keeps them, and compares them with what was sent: a Helper's receipt for an older correction
// shows a Leader that forwarded the wrong report, in time before the collection.
func (m *Member) Status(ctx context.Context, r *Round) ([]PartStatus, error) {
	o, err := m.loadOutbox(r)
	if err != nil {
		return nil, err
	}
	states := make([]PartStatus, len(r.parts))
	var group errgroup.Group
	group.SetLimit(transfers)
	for i := range r.parts {
		p := &r.parts[i]
		s := &states[i]
		s.Instrument, s.Part = p.Instrument, p.Name
		it := o.find(p)
		if it != nil {
			s.Sent, s.Correction, s.Report, s.Sealed = true, it.Correction, it.Report, &it.Sealed
		}
		group.Go(func() error {
			for _, role := range []string{round.ByLeader, round.ByHelper} {
				if err := m.ask(ctx, r, p, role, s); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	changed := false
	for i := range states {
		it := o.find(&r.parts[i])
		if it != nil && !it.Received && states[i].Leader != nil && states[i].Leader.Report == it.Report {
			it.received()
			changed = true
		}
	}
	if changed {
		err = m.saveOutbox(r, o)
	}
	return states, err
}

// ask fetches one receipt into a status.
func (m *Member) ask(ctx context.Context, r *Round, p *part, role string, s *PartStatus) error {
	receipt, err := m.fetchReceipt(ctx, r, p, role)
	if errors.Is(err, errNoReceipt) {
		if s.Sent && role == round.ByLeader {
			s.Alarms = append(s.Alarms, "the Leader has no report of this member: submit again")
		}
		return nil
	}
	if err != nil {
		s.Unknown = append(s.Unknown, err.Error())
		return nil
	}
	word := &Word{receipt.Correction, receipt.Report, receipt.Received, receipt.Aggregated}
	if role == round.ByLeader {
		s.Leader = word
	} else {
		s.Helper = word
	}
	switch {
	case !s.Sent || receipt.Correction > s.Correction:
		s.Alarms = append(s.Alarms, fmt.Sprintf("the %s has correction %d, which was not sent from this directory: it is an old copy, or somebody else has this member's key", role, receipt.Correction))
	case receipt.Report == s.Report:
	case role == round.ByHelper:
		s.Alarms = append(s.Alarms, fmt.Sprintf("the Helper counted report %s (correction %d), not the newest one: the Leader forwarded another; tell both operators before the collection", receipt.Report, receipt.Correction))
	default:
		s.Alarms = append(s.Alarms, fmt.Sprintf("the Leader has correction %d, not the newest one: submit again", receipt.Correction))
	}
	return m.keepReceipt(r, p, receipt)
}
