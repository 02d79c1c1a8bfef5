package leader

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"candor/aggregator"
	"candor/aggregator/store"
	"candor/schema/dap"
)

// taskNotes is what a process remembers of a task between looks for work. Losing it costs time, never a report.
type taskNotes struct {
	partialSince time.Time // since when fewer reports than a full job are waiting; zero: none are
	jobReports   int       // reports of a job, after the Helper refused a larger one; 0: as configured
	blockedUntil time.Time // no new job before: the Helper cannot be reached
}

// note lets fn read and change the notes of a task.
func (l *Leader) note(id dap.TaskID, fn func(*taskNotes)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.notes[id]
	if n == nil {
		n = new(taskNotes)
		l.notes[id] = n
	}
	fn(n)
}

// deferral is for how long reports are put aside whose bucket is being collected. Either the collection succeeds, and they are refused, or it
// fails, and they are aggregated.
const deferral = 10 * time.Second

// claim makes one new aggregation job of a task's unassigned reports, if it is time for one, and leases it to the caller. The job has no request
// yet: making one takes long, and no other worker shall do the same meanwhile.
func (l *Leader) claim(ctx context.Context, t *aggregator.Task) (job store.AggregationJob, ok bool, err error) {
	now := l.cfg.Now()
	if now.Before(t.AggregatesFrom()) {
		return job, false, nil
	}
	var notes taskNotes
	l.note(t.ID, func(n *taskNotes) { notes = *n })
	if now.Before(notes.blockedUntil) {
		return job, false, nil
	}
	size := l.cfg.MaxJobReports
	if notes.jobReports > 0 {
		size = min(size, notes.jobReports)
	}

	// Most looks find nothing to do; a snapshot shows that without a write.
	var waiting, live int
	var wanted bool
	err = l.cfg.Store.View(ctx, "look_for_reports", func(tx store.Tx) error {
		reports, err := tx.UnassignedReports(t.ID, now, size)
		if err != nil || len(reports) == 0 {
			waiting = 0
			return err
		}
		waiting = len(reports)
		if wanted, err = l.wanted(tx, t, now, reports); err != nil {
			return err
		}
		jobs, err := tx.LiveAggregationJobs(t.ID)
		live = len(jobs)
		return err
	})
	if err != nil {
		return job, false, fmt.Errorf("looking for reports of task %s: %w", t.ID, err)
	}
	due := l.due(t, waiting, size, wanted, now)
	// How many jobs live need not be exact, and looking at all of them again when one is made would bring it in conflict with the end of each.
	if !due || live >= l.cfg.MaxLiveJobs {
		return job, false, nil
	}

	var rejected map[dap.ReportError]int
	err = l.cfg.Store.Update(ctx, "claim_reports", func(tx store.Tx) error {
		ok, rejected = false, nil
		limit := size
		var batch *dap.BatchID
		if t.Config.BatchMode == dap.LeaderSelected {
			if batch, limit, err = l.fillBatch(tx, t, limit); err != nil {
				return err
			}
		}
		reports, err := tx.UnassignedReports(t.ID, now, limit)
		if err != nil {
			return err
		}
		if batch == nil {
			if reports, rejected, err = l.sortOut(tx, t, now, reports); err != nil {
				return err
			}
		}
		if len(reports) == 0 {
			return nil
		}
		job = store.AggregationJob{Task: t.ID, Batch: batch, Created: now, LeaseUntil: now.Add(l.cfg.LeaseTTL), State: store.JobLive}
		if _, err := io.ReadFull(l.rand, job.ID[:]); err != nil {
			return err
		}
		job.Reports = make([]dap.ReportID, len(reports))
		for i, r := range reports {
			job.Reports[i] = r.ID
		}
		if err := tx.AddAggregationJob(job); err != nil {
			return err
		}
		job, err = tx.AggregationJob(t.ID, job.ID)
		ok = err == nil
		return err
	})
	if errors.Is(err, store.ErrConflict) {
		return job, false, nil // another process took the reports
	}
	if err != nil {
		return job, false, fmt.Errorf("claiming reports of task %s: %w", t.ID, err)
	}
	l.metrics.Aggregated(t.ID, 0, rejected)
	return job, ok, nil
}

// due says whether a job is to be made of the reports that wait: enough for a full one, or somebody waits for them, or for long enough.
func (l *Leader) due(t *aggregator.Task, waiting, size int, wanted bool, now time.Time) (due bool) {
	l.note(t.ID, func(n *taskNotes) {
		switch {
		case waiting == 0:
			n.partialSince = time.Time{}
		case waiting >= size, wanted, t.IsRound(), t.Expired(now, 0):
			due = true
		case n.partialSince.IsZero() || n.partialSince.After(now): // the latter after the clock was set back
			n.partialSince = now
		case now.Sub(n.partialSince) >= l.cfg.MaxJobDelay:
			due = true
		}
		if due {
			n.partialSince = time.Time{}
		}
	})
	return due
}

// wanted says whether a pending collection job waits for some of the reports.
func (l *Leader) wanted(tx store.Tx, t *aggregator.Task, now time.Time, reports []store.Report) (bool, error) {
	jobs, err := tx.CollectionJobs(t.ID)
	if err != nil {
		return false, err
	}
	for _, j := range jobs {
		if j.State != store.JobLive {
			continue
		}
		if t.Config.BatchMode == dap.LeaderSelected {
			if j.Batch == nil {
				return true, nil
			}
			continue
		}
		for _, r := range reports {
			if j.Batch != nil && j.Batch.Interval.Contains(r.Time) {
				return true, nil
			}
		}
	}
	return false, nil
}

// fillBatch returns the leader-selected batch that the next job is to fill and how many reports it has room for: the oldest that is not full, or a new one.
func (l *Leader) fillBatch(tx store.Tx, t *aggregator.Task, limit int) (*dap.BatchID, int, error) {
	batches, err := tx.LeaderBatches(t.ID)
	if err != nil {
		return nil, 0, err
	}
	target := max(t.Config.MinBatchSize, l.cfg.LeaderBatchReports)
	for _, b := range batches {
		if used := b.Progress.Assigned + b.Progress.Aggregated; used < target {
			return &b.ID, int(min(uint64(limit), target-used)), nil
		}
	}
	var id dap.BatchID
	if _, err := io.ReadFull(l.rand, id[:]); err != nil {
		return nil, 0, err
	}
	return &id, int(min(uint64(limit), target)), nil
}

// sortOut keeps the reports of a time-interval task that can go into a job. Those whose bucket was collected are rejected for ever, and those
// whose bucket is being collected are put aside.
func (l *Leader) sortOut(tx store.Tx, t *aggregator.Task, now time.Time, reports []store.Report) ([]store.Report, map[dap.ReportError]int, error) {
	frozen, err := frozenIntervals(tx, t.ID)
	if err != nil {
		return nil, nil, err
	}
	collected := make(map[dap.Time]bool)
	var keep []store.Report
	var aside []dap.ReportID
	var rejections []store.Rejection
	for _, r := range reports {
		was, known := collected[r.Time]
		if !known {
			if was, err = tx.BatchCollected(t.ID, t.BucketBatch(r.Time, nil)); err != nil {
				return nil, nil, err
			}
			collected[r.Time] = was
		}
		switch {
		case was:
			rejections = append(rejections, store.Rejection{ID: r.ID, Code: dap.ErrorBatchCollected})
		case contained(frozen, r.Time):
			aside = append(aside, r.ID)
		default:
			keep = append(keep, r)
		}
	}
	if len(aside) > 0 {
		if err := tx.DeferReports(t.ID, aside, now.Add(deferral)); err != nil {
			return nil, nil, err
		}
	}
	if len(rejections) == 0 {
		return keep, nil, nil
	}
	if err := tx.RejectReports(t.ID, rejections); err != nil {
		return nil, nil, err
	}
	rejected := map[dap.ReportError]int{dap.ErrorBatchCollected: len(rejections)}
	return keep, rejected, count(tx, t.ID, 0, rejected)
}

// frozenIntervals returns the intervals for which the Helper has been asked for its share: what they hold must not change.
func frozenIntervals(tx store.Tx, task dap.TaskID) ([]dap.Interval, error) {
	jobs, err := tx.CollectionJobs(task)
	if err != nil {
		return nil, err
	}
	var frozen []dap.Interval
	for _, j := range jobs {
		if j.State == store.JobLive && len(j.ShareRequest) > 0 && j.Batch.ID == nil {
			frozen = append(frozen, j.Batch.Interval)
		}
	}
	return frozen, nil
}

func contained(intervals []dap.Interval, at dap.Time) bool {
	for _, i := range intervals {
		if i.Contains(at) {
			return true
		}
	}
	return false
}

// count adds the outcomes of reports to the task's counters.
func count(tx store.Tx, task dap.TaskID, aggregated int, rejected map[dap.ReportError]int) error {
	if aggregated > 0 {
		if err := tx.Count(task, aggregator.CounterAggregated, uint64(aggregated)); err != nil {
			return err
		}
	}
	for code, n := range rejected {
		if err := tx.Count(task, aggregator.CounterRejected+aggregator.ErrorLabel(code), uint64(n)); err != nil {
			return err
		}
	}
	return nil
}
