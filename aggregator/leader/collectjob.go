package leader

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"candor/aggregator"
	"candor/aggregator/store"
	"candor/schema/dap"
)

// driveCollection takes a leased collection job one step further (DAP, Collection Job Initialization; Obtaining Aggregate Shares).
//
//	pending --ready--> compared --frozen--> asked --share--> ready
//	  ^ |                 |                  ^ |  \
//	  +-+ reports pending |                  +-+   \ refused
//	  ^                   | differs: say which      v
//	  +-------------------+                        failed
//
// The batch is frozen, and a leader-selected one tied to the job, in the transaction that stores the request for the Helper's share; before that
// a job that waits or is deleted costs no batch.
func (l *Leader) driveCollection(ctx context.Context, job store.CollectionJob) {
	start := l.cfg.Now()
	log := l.cfg.Logger.With("task_id", job.Task.String(), "collection_job_id", job.ID.String())
	t := l.tasks.Get(job.Task)
	if t == nil {
		if err := l.collectionWaits(ctx, job, aggregator.WaitingTaskUnknown, "the task is not configured: add it to the configuration, or delete its rows from the store", l.patienceUnknown(job.Waiting)); err != nil && ctx.Err() == nil {
			log.ErrorContext(ctx, "saving a collection job failed", "err", err)
		}
		return
	}
	outcome, err := l.stepCollection(ctx, t, &job)
	switch {
	case errors.Is(err, store.ErrConflict), errors.Is(err, store.ErrNotFound):
		log.InfoContext(ctx, "collection job taken over by another worker, or deleted")
		return
	case ctx.Err() != nil:
		return
	case err != nil:
		log.ErrorContext(ctx, "collection job step failed", "err", err)
		// If this fails too, the job is taken up again when its lease ends.
		_ = l.collectionWaits(ctx, job, aggregator.WaitingInternal, "the last step failed with an error of our own; the log says which", l.cfg.RetryMin)
		outcome = aggregator.StepFailed
	case outcome == aggregator.StepWaiting: // collectionWaits has said why, once
	default:
		log.InfoContext(ctx, "collection job step", "outcome", outcome, "attempts", job.Attempts, "elapsed", l.cfg.Now().Sub(start))
	}
	l.metrics.Stepped(t.ID, aggregator.KindCollection, outcome)
}

func (l *Leader) stepCollection(ctx context.Context, t *aggregator.Task, job *store.CollectionJob) (outcome string, err error) {
	if len(job.ShareRequest) == 0 {
		if now := l.cfg.Now(); now.Before(t.AggregatesFrom()) {
			return aggregator.StepWaiting, l.collectionWaits(ctx, *job, aggregator.WaitingWindowOpen,
				"the window of this round closes at "+t.AggregatesFrom().UTC().Format(time.RFC3339), min(l.cfg.RetryMax, t.AggregatesFrom().Sub(now)))
		}
		batch, agg, wait, err := l.readyBatch(ctx, t, *job)
		if problem := (*dap.Problem)(nil); errors.As(err, &problem) {
			return aggregator.StepAbandoned, l.failCollection(ctx, t, *job, problem)
		}
		if err != nil {
			return "", err
		}
		if wait != nil {
			return aggregator.StepWaiting, l.collectionWaits(ctx, *job, wait.code, wait.text, wait.delay)
		}
		if wait, err = l.compare(ctx, t, *job, batch, agg); err != nil {
			return "", err
		}
		if wait != nil {
			return aggregator.StepWaiting, l.collectionWaits(ctx, *job, wait.code, wait.text, wait.delay)
		}
		frozen, err := l.freeze(ctx, t, job, batch, agg)
		if err != nil {
			return "", err
		}
		if !frozen {
			return aggregator.StepWaiting, l.collectionWaits(ctx, *job, aggregator.WaitingReports, changedMeanwhile, 0)
		}
	}
	job.Attempts++
	a, err := l.askForShare(ctx, t, job)
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if err != nil {
		return l.shareFailed(ctx, t, *job, err)
	}
	if len(a.Body) == 0 {
		if a.Location != "" {
			job.Location = a.Location
		} else if job.Location == "" {
			job.Location = taskURL(t, "aggregate_shares")
		}
		job.Attempts = 0
		delay := a.RetryAfter
		if delay == 0 {
			delay = l.cfg.PollInterval
		}
		return aggregator.StepWaiting, l.collectionWaits(ctx, *job, aggregator.WaitingHelperDeferred, "the Helper has accepted the request for its aggregate share and works on it", delay)
	}
	share, err := dap.Parse[dap.AggregateShare](a.Body)
	if err != nil {
		return l.shareFailed(ctx, t, *job, &peerError{Err: fmt.Errorf("reading the Helper's aggregate share: %w", err)})
	}
	return aggregator.StepFinished, l.finishCollection(ctx, t, *job, share)
}

// A pause says why a collection job cannot go on yet.
type pause struct {
	code, text string
	delay      time.Duration
}

// readyBatch finds the batch of a job and says whether it can be collected now: all its reports aggregated, and enough of them. The error is a
// *dap.Problem if it never can be.
func (l *Leader) readyBatch(ctx context.Context, t *aggregator.Task, job store.CollectionJob) (batch store.Batch, agg aggregator.Aggregate, wait *pause, err error) {
	err = l.cfg.Store.View(ctx, "collection_progress", func(tx store.Tx) error {
		batch, agg, wait, err = l.readyBatchIn(tx, t, job)
		return err
	})
	if wait != nil && wait.code == aggregator.WaitingBatchTooSmall && l.hopeless(t, job) {
		err = dap.NewProblem(dap.InvalidBatchSize, wait.text)
	}
	return batch, agg, wait, err
}

func (l *Leader) readyBatchIn(tx store.Tx, t *aggregator.Task, job store.CollectionJob) (batch store.Batch, agg aggregator.Aggregate, wait *pause, err error) {
	if t.Config.BatchMode == dap.LeaderSelected {
		batch, wait, err = l.readyLeaderBatch(tx, t)
	} else {
		batch = *job.Batch
		wait, err = l.readyInterval(tx, t, job)
	}
	if err != nil || wait != nil {
		return batch, agg, wait, err
	}
	if agg, err = t.ReadBatch(tx, batch); err != nil {
		return batch, agg, nil, err
	}
	err = t.CheckGroups(tx)
	if problem := (*dap.Problem)(nil); errors.As(err, &problem) {
		err, wait = nil, &pause{aggregator.WaitingBatchTooSmall, problem.Detail, l.patience(job)}
	}
	if agg.Count < t.Config.MinBatchSize {
		wait = &pause{aggregator.WaitingBatchTooSmall, fmt.Sprintf("the batch has %d reports, its minimum is %d", agg.Count, t.Config.MinBatchSize), l.patience(job)}
	}
	return batch, agg, wait, err
}

// hopeless says whether to give up on a batch with too few reports: after the time that is configured, or at once when the window of a round
// has closed, since no report can come any more.
func (l *Leader) hopeless(t *aggregator.Task, job store.CollectionJob) bool {
	now := l.cfg.Now()
	return t.IsRound() && !now.Before(t.AggregatesFrom()) || l.cfg.CollectGiveUp > 0 && now.Sub(job.Created) >= l.cfg.CollectGiveUp
}

// patience returns how long to wait before looking at a batch again that only new reports can complete: longer the longer it has waited.
func (l *Leader) patience(job store.CollectionJob) time.Duration {
	return min(max(l.cfg.PollInterval, l.cfg.Now().Sub(job.Created)/8), l.cfg.RetryMax)
}

func (l *Leader) readyInterval(tx store.Tx, t *aggregator.Task, job store.CollectionJob) (*pause, error) {
	collected, err := tx.BatchCollected(t.ID, *job.Batch)
	if err != nil {
		return nil, err
	}
	if collected {
		return nil, dap.NewProblem(dap.BatchOverlap, "some of the batch was collected meanwhile")
	}
	jobs, err := tx.CollectionJobs(t.ID)
	if err != nil {
		return nil, err
	}
	for _, other := range jobs {
		if other.ID != job.ID && other.State == store.JobLive && len(other.ShareRequest) > 0 && other.Batch.Interval.Overlaps(job.Batch.Interval) {
			return &pause{aggregator.WaitingOverlap, fmt.Sprintf("collection job %s of an overlapping interval has asked the Helper first", other.ID), l.cfg.PollInterval}, nil
		}
	}
	p, err := tx.Progress(t.ID, *job.Batch)
	if err != nil {
		return nil, err
	}
	if pending := p.Unassigned + p.Assigned; pending > 0 {
		text, err := l.whyPending(tx, t, pending)
		return &pause{aggregator.WaitingReports, text, l.cfg.PollInterval}, err
	}
	return nil, nil
}

// whyPending says what the reports of a batch wait for: that of the live job which has waited longest, if any says.
func (l *Leader) whyPending(tx store.Tx, t *aggregator.Task, pending uint64) (string, error) {
	text := fmt.Sprintf("waiting for %d reports of task %s to be aggregated", pending, t.ID)
	live, err := tx.LiveAggregationJobs(t.ID)
	if err != nil {
		return "", err
	}
	var longest store.Waiting
	for _, j := range live {
		if w := j.Waiting; w.Code != "" && (longest.Code == "" || w.Since.Before(longest.Since)) {
			longest = w
		}
	}
	if longest.Code != "" {
		text += fmt.Sprintf("; since %s %s", longest.Since.UTC().Format(time.RFC3339), longest.Text)
	}
	return text, nil
}

// readyLeaderBatch returns the oldest leader-selected batch that is complete. Batches that are tied to a job are not among those the store lists.
func (l *Leader) readyLeaderBatch(tx store.Tx, t *aggregator.Task) (store.Batch, *pause, error) {
	batches, err := tx.LeaderBatches(t.ID)
	if err != nil {
		return store.Batch{}, nil, err
	}
	var best store.Progress
	for _, b := range batches {
		if b.Progress.Assigned == 0 && b.Progress.Aggregated >= t.Config.MinBatchSize {
			return store.Batch{ID: &b.ID}, nil, nil
		}
		if b.Progress.Assigned+b.Progress.Aggregated >= best.Assigned+best.Aggregated {
			best = b.Progress
		}
	}
	if best.Assigned > 0 {
		text, err := l.whyPending(tx, t, best.Assigned)
		return store.Batch{}, &pause{aggregator.WaitingReports, text, l.cfg.PollInterval}, err
	}
	return store.Batch{}, &pause{aggregator.WaitingBatchTooSmall,
		fmt.Sprintf("no batch is complete; the fullest has %d reports, the minimum is %d", best.Aggregated, t.Config.MinBatchSize), l.cfg.PollInterval}, nil
}

// freeze stores the request for the Helper's share, if the batch is still as it was found and compared. From then on no report is added to it until the
// job ends, and a leader-selected batch belongs to the job for ever.
func (l *Leader) freeze(ctx context.Context, t *aggregator.Task, job *store.CollectionJob, batch store.Batch, agg aggregator.Aggregate) (frozen bool, err error) {
	collectionReq, err := dap.Parse[dap.CollectionJobReq](job.Request)
	if err != nil {
		return false, fmt.Errorf("parsing a stored collection job request: %w", err)
	}
	request, err := dap.Marshal(dap.AggregateShareReq{CollectionJobReq: collectionReq, BatchSelector: selectorOf(batch), ReportCount: agg.Count, Checksum: agg.Checksum})
	if err != nil {
		return false, fmt.Errorf("encoding an aggregate share request: %w", err)
	}
	next := *job
	next.Batch, next.ShareRequest, next.Waiting = &batch, request, store.Waiting{}
	err = l.cfg.Store.Update(ctx, "freeze_batch", func(tx store.Tx) error {
		frozen = false
		found, now, wait, err := l.readyBatchIn(tx, t, *job)
		if problem := (*dap.Problem)(nil); errors.As(err, &problem) {
			return nil // the next step will say so
		}
		if err != nil {
			return err
		}
		if wait != nil || !sameBatch(found, batch) || now.Count != agg.Count || now.Checksum != agg.Checksum {
			return nil
		}
		if batch.ID != nil {
			if err := tx.ReserveBatch(t.ID, *batch.ID, job.ID); err != nil {
				return err
			}
		}
		frozen = true
		return tx.SaveCollectionJob(next)
	})
	if err != nil {
		return false, fmt.Errorf("freezing a batch: %w", err)
	}
	if frozen {
		next.Revision++
		*job = next
	}
	return frozen, nil
}

func sameBatch(a, b store.Batch) bool {
	if a.ID != nil && b.ID != nil {
		return *a.ID == *b.ID
	}
	return a.ID == nil && b.ID == nil && a.Interval == b.Interval
}

// maxShare bounds the response with the Helper's share.
func maxShare(t *aggregator.Task) int64 { return int64(t.VDAF.OutputShareSize()) + 8192 }

func (l *Leader) askForShare(ctx context.Context, t *aggregator.Task, job *store.CollectionJob) (answer, error) {
	if job.Location != "" {
		a, err := l.peer.do(ctx, t, http.MethodGet, job.Location, "", nil, dap.MessageAggregateShare, maxShare(t))
		var pe *peerError
		if !errors.As(err, &pe) || pe.Status != http.StatusNotFound && pe.Status != http.StatusGone {
			return a, err
		}
		job.Location = "" // the Helper forgot it; the same bytes get the same answer
	}
	return l.peer.do(ctx, t, http.MethodPost, taskURL(t, "aggregate_shares"), dap.MediaTypeAggregateShareReq, job.ShareRequest, dap.MessageAggregateShare, maxShare(t))
}

// shareFailed keeps a job for later, or fails it with the error that the Helper gave (DAP, Collection Job Initialization).
func (l *Leader) shareFailed(ctx context.Context, t *aggregator.Task, job store.CollectionJob, err error) (string, error) {
	delay := l.backoff(job.Attempts, err)
	switch judge(err) {
	case permanent, tooLarge:
		var pe *peerError
		problem := dap.NewStatusProblem(http.StatusBadGateway, fmt.Sprintf("the Helper refused its aggregate share: %v", err))
		if errors.As(err, &pe) && pe.Problem != nil && pe.Problem.Status >= 400 && pe.Problem.Type != dap.AboutBlank {
			problem = pe.Problem
		}
		return aggregator.StepAbandoned, l.failCollection(ctx, t, job, problem)
	case refused:
		return aggregator.StepWaiting, l.collectionWaits(ctx, job, aggregator.WaitingHelperRefused,
			fmt.Sprintf("the Helper refuses us (%v); compare endpoint, token and task on both sides", err), delay)
	}
	return aggregator.StepWaiting, l.collectionWaits(ctx, job, aggregator.WaitingHelperUnavailable, fmt.Sprintf("the Helper does not answer (%v)", err), delay)
}

// failCollection ends a job with an error that the Collector will see.
func (l *Leader) failCollection(ctx context.Context, t *aggregator.Task, job store.CollectionJob, problem *dap.Problem) error {
	told := *problem
	told.TaskID = &t.ID
	text, err := json.Marshal(&told)
	if err != nil {
		told = *dap.NewStatusProblem(http.StatusBadGateway, problem.Detail)
		told.TaskID = &t.ID
		if text, err = json.Marshal(&told); err != nil {
			return fmt.Errorf("encoding a problem: %w", err)
		}
	}
	job.State, job.Problem, job.Waiting, job.LeaseUntil = store.JobAbandoned, text, store.Waiting{}, time.Time{}
	l.cfg.Logger.WarnContext(ctx, "collection job failed", "task_id", t.ID.String(), "collection_job_id", job.ID.String(), "err", problem)
	return l.saveCollection(ctx, job)
}

// finishCollection seals our share and ends the job. That the batch is collected and that there is a result become true together.
func (l *Leader) finishCollection(ctx context.Context, t *aggregator.Task, job store.CollectionJob, helperShare dap.AggregateShare) error {
	asked, err := dap.Parse[dap.AggregateShareReq](job.ShareRequest)
	if err != nil {
		return fmt.Errorf("parsing a stored aggregate share request: %w", err)
	}
	var agg aggregator.Aggregate
	err = l.cfg.Store.View(ctx, "read_batch", func(tx store.Tx) (err error) {
		agg, err = t.ReadBatch(tx, *job.Batch)
		return err
	})
	if err != nil {
		return fmt.Errorf("reading a batch: %w", err)
	}
	if agg.Count != asked.ReportCount || agg.Checksum != asked.Checksum {
		return fmt.Errorf("collecting a batch of task %s: it changed after the Helper was asked, which the store must prevent", t.ID)
	}
	job.State, job.Waiting, job.LeaseUntil = store.JobFinished, store.Waiting{}, time.Time{}
	job.NextAttempt = l.cfg.Now().Add(l.cfg.Retention) // when the shares may go
	err = l.cfg.Store.Update(ctx, "finish_collection_job", func(tx store.Tx) error {
		collected, err := tx.BatchCollected(t.ID, *job.Batch)
		if err != nil {
			return err
		}
		if collected {
			return fmt.Errorf("collecting a batch of task %s: another job collected it meanwhile", t.ID)
		}
		now, err := t.ReadBatch(tx, *job.Batch)
		if err != nil {
			return err
		}
		if now.Count != agg.Count || now.Checksum != agg.Checksum {
			return fmt.Errorf("collecting a batch of task %s: it changed after the Helper was asked, which the store must prevent", t.ID)
		}
		// Sealing within the transaction costs it well under a millisecond, once for each batch, and statement and share are of the same state.
		share, err := t.Release(tx, dap.Leader, now, l.cfg.Now())
		if err != nil {
			return err
		}
		ours, err := t.SealShare(dap.Leader, job.Request, share)
		if err != nil {
			return err
		}
		if job.Response, err = dap.Marshal(dap.CollectionJobResp{ReportCount: agg.Count, Interval: agg.Interval, Leader: ours, Helper: helperShare}); err != nil {
			return fmt.Errorf("encoding a collection result: %w", err)
		}
		if err := tx.MarkCollected(t.ID, *job.Batch); err != nil {
			return err
		}
		if err := tx.Count(t.ID, aggregator.CounterCollected, agg.Count); err != nil {
			return err
		}
		return tx.SaveCollectionJob(job)
	})
	if err != nil {
		return fmt.Errorf("storing a collection result: %w", err)
	}
	return nil
}

// collectionWaits ends a step: the job is looked at again after delay.
func (l *Leader) collectionWaits(ctx context.Context, job store.CollectionJob, code, text string, delay time.Duration) error {
	now, before := l.cfg.Now(), job.Waiting.Code
	job.Waiting = aggregator.Waits(job.Waiting, code, text, now)
	job.NextAttempt, job.LeaseUntil = now.Add(delay), time.Time{}
	if err := l.saveCollection(ctx, job); err != nil {
		return err
	}
	if code != before { // a line for each reason, not for each look
		l.cfg.Logger.InfoContext(ctx, "collection job waits", "task_id", job.Task.String(), "collection_job_id", job.ID.String(), "reason", code, "waiting_for", text)
	}
	return nil
}

func (l *Leader) saveCollection(ctx context.Context, job store.CollectionJob) error {
	err := l.cfg.Store.Update(ctx, "save_collection_job", func(tx store.Tx) error { return tx.SaveCollectionJob(job) })
	if err != nil {
		return fmt.Errorf("saving a collection job: %w", err)
	}
	return nil
}
