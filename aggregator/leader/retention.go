package leader

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"candor/aggregator"
	"candor/aggregator/store"
)

// queue returns how many reports were stored and neither aggregated nor rejected yet, nor replaced by a correction.
func queue(counters map[string]uint64) uint64 {
	ended := counters[aggregator.CounterAggregated] + counters[aggregator.CounterSuperseded]
	for name, n := range counters {
		if strings.HasPrefix(name, aggregator.CounterRejected) {
			ended += n
		}
	}
	return max(counters[aggregator.CounterUploaded], ended) - ended
}

// idle says whether the Leader has nothing to do for a task any more.
func idle(tx store.Tx, t *aggregator.Task, counters map[string]uint64) (bool, error) {
	if queue(counters) > 0 {
		return false, nil
	}
	jobs, err := tx.CollectionJobs(t.ID)
	if err != nil {
		return false, err
	}
	for _, j := range jobs {
		if j.State == store.JobLive || j.State == store.JobFinished && !j.NextAttempt.IsZero() {
			return false, nil
		}
	}
	return true, nil
}

// eraseCollected erases our share of each batch whose result the Collector has had for the time of retention, or has deleted: what can be asked again is
// the sealed result, which the job keeps. That the batch was collected and which reports it had stays known.
func (l *Leader) eraseCollected(ctx context.Context, t *aggregator.Task) error {
	now := l.cfg.Now()
	var due []store.CollectionJob
	err := l.cfg.Store.View(ctx, "look_for_collected", func(tx store.Tx) error {
		due = nil
		jobs, err := tx.CollectionJobs(t.ID)
		if err != nil {
			return err
		}
		for _, j := range jobs {
			if j.State == store.JobFinished && !j.NextAttempt.IsZero() && !now.Before(j.NextAttempt) {
				due = append(due, j)
			}
		}
		return nil
	})
	for _, j := range due {
		if err != nil {
			break
		}
		err = l.cfg.Store.Update(ctx, "erase_batch", func(tx store.Tx) error {
			j.NextAttempt = time.Time{} // done
			switch err := tx.SaveCollectionJob(j); {
			case errors.Is(err, store.ErrConflict), errors.Is(err, store.ErrNotFound):
				return nil // another process is first, or the Collector has deleted the job
			case err != nil:
				return err
			}
			return tx.EraseBatch(t.ID, *j.Batch)
		})
	}
	if err != nil {
		return fmt.Errorf("erasing collected shares of task %s: %w", t.ID, err)
	}
	return nil
}
