package boltstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"candor/aggregator/store"
	"candor/schema/dap"
)

// FreeLeases ends every lease. A server calls it once, before it works: a store file belongs to one process at a time, so that the leases it finds are those
// of a process that died, and its jobs need not wait for them to end.
func (s *Store) FreeLeases(ctx context.Context) error {
	return s.Update(ctx, "free_leases", func(generic store.Tx) error {
		t := generic.(*tx)
		var leased []struct {
			kind dueKind
			named
		}
		c := t.bolt.Bucket(bucketDue).Cursor()
		for key, v := c.First(); key != nil; key, v = c.Next() {
			var b [48]byte
			if err := rawFixed("due job", b[:], v); err != nil {
				return err
			}
			leased = append(leased, struct {
				kind dueKind
				named
			}{dueKind(key[0]), named{dap.TaskID(b[:32]), jobID(b[32:])}})
		}
		for _, l := range leased {
			if err := t.freeLease(l.kind, l.named); err != nil {
				return fmt.Errorf("freeing leases: %w", err)
			}
		}
		return nil
	})
}

func (t *tx) freeLease(k dueKind, n named) error {
	switch k {
	case dueAggregation:
		job, err := t.AggregationJob(n.task, dap.AggregationJobID(n.id))
		if err != nil || job.LeaseUntil.IsZero() {
			return err
		}
		job.LeaseUntil = time.Time{}
		return t.SaveAggregationJob(job)
	case dueCollection:
		job, err := t.CollectionJob(n.task, dap.CollectionJobID(n.id))
		if err != nil || job.LeaseUntil.IsZero() {
			return err
		}
		job.LeaseUntil = time.Time{}
		return t.SaveCollectionJob(job)
	case dueHelper:
		job, err := t.HelperJob(n.task, dap.AggregationJobID(n.id))
		if err != nil || job.LeaseUntil.IsZero() {
			return err
		}
		job.LeaseUntil = time.Time{}
		return t.SaveHelperJob(job)
	}
	return errors.New("a job of an unknown kind")
}
