package helper

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"candor/aggregator"
	"candor/aggregator/store"
	"candor/schema/dap"
)

// wakeUp makes Run look for deferred jobs now.
func (h *Helper) wakeUp() {
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// Run works on deferred jobs and erases what is no longer needed, until ctx ends and its goroutines are gone. It then returns nil.
func (h *Helper) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { h.dispatch(ctx); return nil })
	g.Go(func() error { h.maintain(ctx); return nil })
	return g.Wait()
}

func (h *Helper) dispatch(ctx context.Context) {
	slots := make(chan struct{}, h.cfg.Concurrency)
	work, stop := aggregator.Draining(ctx)
	defer stop()
	var workers errgroup.Group
	defer workers.Wait()
	for {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		job, ok, err := h.lease(ctx)
		if err != nil && ctx.Err() == nil {
			h.cfg.Logger.ErrorContext(ctx, "looking for deferred jobs failed", "err", err)
		}
		if ok {
			workers.Go(func() error {
				defer func() { <-slots }()
				h.work(work, job)
				return nil
			})
			continue
		}
		<-slots
		select {
		case <-ctx.Done():
			return
		case <-h.wake:
		case <-time.After(h.cfg.PollInterval):
		}
	}
}

// lease takes one deferred job that nobody works on.
func (h *Helper) lease(ctx context.Context) (job store.HelperJob, ok bool, err error) {
	now := h.cfg.Now()
	err = h.cfg.Store.Update(ctx, "lease_deferred", func(tx store.Tx) error {
		jobs, err := tx.LeaseHelperJobs(now, h.cfg.LeaseTTL, 1)
		if ok = err == nil && len(jobs) > 0; ok {
			job = jobs[0]
		}
		return err
	})
	return job, ok && err == nil, err
}

// work answers a leased job. If that fails, another worker tries again when the lease ends.
func (h *Helper) work(ctx context.Context, job store.HelperJob) {
	start := h.cfg.Now()
	ctx, cancel := context.WithTimeout(ctx, h.cfg.LeaseTTL)
	defer cancel()
	log := h.cfg.Logger.With("task_id", job.Task.String(), "aggregation_job_id", job.ID.String())
	t := h.tasks.Get(job.Task)
	if t == nil {
		// Another process may have the task's file already.
		job.NextAttempt, job.LeaseUntil = start.Add(aggregator.PatienceUnknown(start.Sub(job.Created))), time.Time{}
		err := h.cfg.Store.Update(ctx, "put_back_deferred", func(tx store.Tx) error { return tx.SaveHelperJob(job) })
		log.WarnContext(ctx, "deferred job of a task that is not configured", "err", err)
		return
	}
	req, err := dap.Parse[dap.AggregationJobInitReq](job.Request)
	if err == nil {
		_, err = h.answer(ctx, t, job, req, func(tx store.Tx, answered store.HelperJob) error {
			// Two workers may have had the job, if one was slow; the reports are committed by whoever is first.
			now, err := tx.HelperJob(t.ID, job.ID)
			if err != nil {
				return err
			}
			if now.State != store.JobLive {
				return store.ErrConflict
			}
			return tx.SaveHelperJob(answered)
		})
	}
	switch {
	case errors.Is(err, store.ErrConflict), errors.Is(err, store.ErrNotFound):
		log.InfoContext(ctx, "deferred job answered by another worker, or deleted")
	case err != nil && ctx.Err() == nil:
		log.ErrorContext(ctx, "answering a deferred job failed", "err", err)
		h.metrics.Stepped(t.ID, aggregator.KindAggregation, aggregator.StepFailed)
	case err == nil:
		log.InfoContext(ctx, "deferred job answered", "reports", len(req.VerifyInits), "elapsed", h.cfg.Now().Sub(start))
		h.metrics.Stepped(t.ID, aggregator.KindAggregation, aggregator.StepFinished)
	}
}

// Tick does one thing that Run would do now, in the calling goroutine, and returns whether there was any. It is for tests with a clock of their own.
func (h *Helper) Tick(ctx context.Context) (worked bool, err error) {
	job, ok, err := h.lease(ctx)
	if err != nil {
		return false, err
	}
	if !ok {
		return false, h.tidy(ctx)
	}
	h.work(ctx, job)
	return true, nil
}

func (h *Helper) maintain(ctx context.Context) {
	for {
		if err := h.tidy(ctx); err != nil && ctx.Err() == nil {
			h.cfg.Logger.ErrorContext(ctx, "erasing what is no longer needed failed", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Minute):
		}
	}
}

// tidy erases what nobody will ask for again: the shares of batches that were collected long ago, and tasks of which nothing is left to do.
func (h *Helper) tidy(ctx context.Context) error {
	var failures []error
	for _, t := range h.tasks.All() {
		if err := h.eraseCollected(ctx, t); err != nil {
			failures = append(failures, err)
		}
		retired, err := t.Retire(ctx, h.cfg.Store, h.cfg.Now(), h.cfg.Retention, func(store.Tx, map[string]uint64) (bool, error) { return true, nil })
		if err != nil {
			failures = append(failures, err)
		}
		if retired {
			h.cfg.Logger.InfoContext(ctx, "task retired: its rows were erased", "task_id", t.ID.String())
		}
	}
	return errors.Join(failures...)
}

// eraseCollected erases our share of each batch that was collected the time of retention ago, and the answer that the Leader got. A Leader that still
// asks then finds the batch collected.
func (h *Helper) eraseCollected(ctx context.Context, t *aggregator.Task) error {
	before := h.cfg.Now().Add(-h.cfg.Retention)
	var due []store.ShareAnswer
	err := h.cfg.Store.View(ctx, "look_for_collected", func(tx store.Tx) error {
		due = nil
		answers, err := tx.ShareAnswers(t.ID)
		for _, a := range answers {
			if a.Created.Before(before) {
				due = append(due, a)
			}
		}
		return err
	})
	for _, a := range due {
		if err != nil {
			break
		}
		err = h.cfg.Store.Update(ctx, "erase_batch", func(tx store.Tx) error {
			if err := tx.EraseBatch(t.ID, a.Batch); err != nil {
				return err
			}
			return tx.DeleteShareAnswer(t.ID, a.ID)
		})
	}
	if err != nil {
		return fmt.Errorf("erasing collected shares of task %s: %w", t.ID, err)
	}
	return nil
}

// Status returns what an operator can know of the Helper.
func (h *Helper) Status(ctx context.Context) (aggregator.Status, error) {
	status := aggregator.Status{Role: "helper", Now: h.cfg.Now()}
	err := h.cfg.Store.View(ctx, "status", func(tx store.Tx) error {
		status.Tasks = nil
		for _, t := range h.tasks.All() {
			counters, err := tx.Counters(t.ID)
			if err != nil {
				return err
			}
			status.Tasks = append(status.Tasks, aggregator.NewTaskStatus(t, counters))
		}
		return nil
	})
	return status, err
}
