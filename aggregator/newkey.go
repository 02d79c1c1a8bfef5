package aggregator

import (
	"context"
	"errors"
	"fmt"

	"candor/aggregator/store"
	"candor/crypto/sign"
	"candor/schema/dap"
)

// ReplaceKey gives a member a new key, before the round is used. The key it had counts no longer.
func (r *Round) ReplaceKey(member string, key sign.PublicKey) {
	p := r.members[member]
	p.key = key
	r.members[member] = p
	r.replaced = append(r.replaced, member)
}

// void stands for the report of a submission that was dropped because its member's key was replaced. No report has this ID but by a chance of 2^-128.
var void dap.ReportID

// DropReplaced drops, at the Leader, the reports of members whose key was replaced and which their new key did not sign. It does nothing the second time: what a member
// submits under its new key stays.
func (t *Task) DropReplaced(ctx context.Context, st store.Store) error {
	if t.Round == nil {
		return nil
	}
	for _, member := range t.Round.replaced {
		err := st.Update(ctx, "drop_replaced", func(tx store.Tx) error {
			s, err := tx.Submission(t.ID, member)
			if errors.Is(err, store.ErrNotFound) || err == nil && (s.Report == void || s.Signer == t.Round.members[member].key) {
				return nil
			}
			if err != nil {
				return err
			}
			if err := tx.DropReport(t.ID, s.Report, dap.ErrorReportDropped); errors.Is(err, store.ErrConflict) {
				return nil // it is being aggregated: the window has closed
			} else if err != nil {
				return err
			}
			if err := tx.Count(t.ID, CounterSuperseded, 1); err != nil {
				return err
			}
			return tx.PutSubmission(store.Submission{Task: t.ID, Member: member, Report: void, Received: s.Received})
		})
		if err != nil {
			return fmt.Errorf("dropping the report of %s under its old key: %w", member, err)
		}
	}
	return nil
}
