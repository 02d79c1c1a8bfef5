package aggregator

import (
	"context"
	"fmt"
	"time"

	"candor/aggregator/store"
	"candor/schema/dap"
)

// Retire erases all that the store holds of a task, except that it existed and is retired, when nothing is to come of it any more: its interval ended
// longer than retention ago; idle agrees; and no bucket holds a share that was not collected. With the rest go the IDs of aggregated reports, so
// that no report of the task can be judged again: they are dropped from then on. Tasks without an interval are never retired.
// It returns whether it erased anything.
func (t *Task) Retire(ctx context.Context, st store.Store, now time.Time, retention time.Duration, idle func(store.Tx, map[string]uint64) (bool, error)) (retired bool, err error) {
	if !t.Expired(now, retention) {
		return false, nil
	}
	check := func(tx store.Tx) (bool, error) {
		counters, err := tx.Counters(t.ID)
		if err != nil || len(counters) == 0 || counters[counterRetired] > 0 {
			return false, err
		}
		if ok, err := idle(tx, counters); err != nil || !ok {
			return false, err
		}
		return t.allCollected(tx)
	}
	err = st.View(ctx, "look_for_retirement", func(tx store.Tx) (err error) {
		retired, err = check(tx)
		return err
	})
	if err != nil || !retired {
		return false, err
	}
	err = st.Update(ctx, "retire_task", func(tx store.Tx) (err error) {
		if retired, err = check(tx); err != nil || !retired {
			return err
		}
		if err := tx.DeleteTask(t.ID); err != nil {
			return err
		}
		return tx.Count(t.ID, counterRetired, 1)
	})
	if err != nil {
		return false, fmt.Errorf("retiring task %s: %w", t.ID, err)
	}
	return retired, nil
}

// Cancel erases all that the store holds of a task of a round that was cancelled, except that it existed. From then on its reports are dropped and nothing
// of it is collected. It returns whether it erased anything.
func (t *Task) Cancel(ctx context.Context, st store.Store) (erased bool, err error) {
	err = st.Update(ctx, "cancel_task", func(tx store.Tx) error {
		counters, err := tx.Counters(t.ID)
		if erased = counters[counterRetired] == 0; err != nil || !erased {
			return err
		}
		if err := tx.DeleteTask(t.ID); err != nil {
			return err
		}
		return tx.Count(t.ID, counterRetired, 1)
	})
	if err != nil {
		return false, fmt.Errorf("cancelling task %s: %w", t.ID, err)
	}
	return erased, nil
}

// counterRetired is a counter that stands for a fact.
const counterRetired = "retired"

// Retired says whether Retire has erased the task.
func (t *Task) Retired(tx store.Tx) (bool, error) {
	if t.Interval == nil {
		return false, nil
	}
	counters, err := tx.Counters(t.ID)
	return counters[counterRetired] > 0, err
}

// allCollected says whether no bucket of the task waits for its collection. Leader-selected batches cannot be listed by interval; their tasks are kept.
func (t *Task) allCollected(tx store.Tx) (bool, error) {
	if t.Config.BatchMode != dap.TimeInterval {
		return false, nil
	}
	buckets, err := tx.Buckets(t.ID, store.Batch{Interval: *t.Interval}, store.Adding(t.VDAF.AddShare))
	if err != nil {
		return false, err
	}
	for _, b := range buckets {
		collected, err := tx.BatchCollected(t.ID, t.BucketBatch(b.MinTime, nil))
		if err != nil || !collected {
			return false, err
		}
	}
	return true, nil
}
