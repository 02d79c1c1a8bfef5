package leader

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"

	"candor/aggregator"
	"candor/aggregator/store"
)

// Run does the Leader's work until ctx ends: it makes and drives aggregation jobs and collection jobs, and erases what is no longer needed.
// It returns nil after ctx ended and its goroutines are gone. Without Run uploads are taken and stored.
func (l *Leader) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { l.dispatch(ctx); return nil })
	g.Go(func() error { l.maintain(ctx); return nil })
	return g.Wait()
}

// dispatch hands jobs to at most Concurrency goroutines, and looks for more when one is free and something may have changed.
func (l *Leader) dispatch(ctx context.Context) {
	slots := make(chan struct{}, l.cfg.Concurrency)
	work, stop := aggregator.Draining(ctx)
	defer stop()
	var drivers errgroup.Group
	defer drivers.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		step, err := l.next(ctx, work)
		if err != nil && ctx.Err() == nil {
			l.cfg.Logger.ErrorContext(ctx, "looking for work failed", "err", err)
		}
		if step != nil {
			drivers.Go(func() error {
				defer func() { <-slots }()
				step()
				l.wakeUp() // what is done may be what another job waits for
				return nil
			})
			continue
		}
		<-slots
		timer.Reset(l.cfg.PollInterval)
		select {
		case <-ctx.Done():
			return
		case <-l.wake:
		case <-timer.C:
		}
	}
}

// next leases something to do, or returns nil: jobs that wait for us first, then new ones. What it returns is done under the context work.
func (l *Leader) next(ctx, work context.Context) (step func(), err error) {
	now := l.cfg.Now()
	var aggregations []store.AggregationJob
	var collections []store.CollectionJob
	err = l.cfg.Store.Update(ctx, "lease_jobs", func(tx store.Tx) (err error) {
		collections = nil
		if aggregations, err = tx.LeaseAggregationJobs(now, l.cfg.LeaseTTL, 1); err != nil || len(aggregations) > 0 {
			return err
		}
		collections, err = tx.LeaseCollectionJobs(now, l.cfg.LeaseTTL, 1)
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(aggregations) > 0 {
		return func() { l.leased(work, func(ctx context.Context) { l.driveAggregation(ctx, aggregations[0]) }) }, nil
	}
	if len(collections) > 0 {
		return func() { l.leased(work, func(ctx context.Context) { l.driveCollection(ctx, collections[0]) }) }, nil
	}
	var failures []error
	tasks := l.tasks.All()
	for i := range tasks {
		t := tasks[(uint64(i)+l.turn.Load())%uint64(len(tasks))]
		job, ok, err := l.claim(ctx, t)
		if err != nil {
			failures = append(failures, err)
			continue
		}
		if ok {
			l.turn.Add(1)
			return func() { l.leased(work, func(ctx context.Context) { l.driveAggregation(ctx, job) }) }, nil
		}
	}
	return nil, errors.Join(failures...)
}

// leased runs a step for no longer than its lease lasts.
func (l *Leader) leased(ctx context.Context, step func(context.Context)) {
	ctx, cancel := context.WithTimeout(ctx, l.cfg.LeaseTTL)
	defer cancel()
	step(ctx)
}

// Tick does one thing that Run would do now, in the calling goroutine, and returns whether there was any. It is for tests with a clock of their own.
func (l *Leader) Tick(ctx context.Context) (worked bool, err error) {
	step, err := l.next(ctx, ctx)
	if err != nil {
		return false, err
	}
	if step == nil {
		return false, l.tidy(ctx)
	}
	step()
	return true, nil
}

// maintain erases and measures from time to time.
func (l *Leader) maintain(ctx context.Context) {
	const every = time.Minute
	for {
		if err := l.tidy(ctx); err != nil && ctx.Err() == nil {
			l.cfg.Logger.ErrorContext(ctx, "erasing what is no longer needed failed", "err", err)
		}
		if status, err := l.Status(ctx); err == nil {
			for _, s := range status.Tasks {
				l.metrics.Observe(s, status.Now)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(every):
		}
	}
}

// tidy erases what nobody will ask for again: the shares of batches that were collected long ago, and tasks of which nothing is left to do.
func (l *Leader) tidy(ctx context.Context) error {
	var failures []error
	for _, t := range l.tasks.All() {
		if err := l.eraseCollected(ctx, t); err != nil {
			failures = append(failures, err)
		}
		retired, err := t.Retire(ctx, l.cfg.Store, l.cfg.Now(), l.cfg.Retention, func(tx store.Tx, counters map[string]uint64) (bool, error) { return idle(tx, t, counters) })
		if err != nil {
			failures = append(failures, err)
		}
		if retired {
			l.cfg.Logger.InfoContext(ctx, "task retired: its rows were erased", "task_id", t.ID.String())
		}
	}
	return errors.Join(failures...)
}

// Status returns what an operator can know of the Leader.
func (l *Leader) Status(ctx context.Context) (aggregator.Status, error) {
	status := aggregator.Status{Role: "leader", Now: l.cfg.Now()}
	err := l.cfg.Store.View(ctx, "status", func(tx store.Tx) error {
		status.Tasks = nil
		for _, t := range l.tasks.All() {
			s, err := taskStatus(tx, t)
			if err != nil {
				return err
			}
			status.Tasks = append(status.Tasks, s)
		}
		return nil
	})
	return status, err
}

func taskStatus(tx store.Tx, t *aggregator.Task) (aggregator.TaskStatus, error) {
	counters, err := tx.Counters(t.ID)
	if err != nil {
		return aggregator.TaskStatus{}, err
	}
	s := aggregator.NewTaskStatus(t, counters)
	s.Queue = queue(counters)
	live, err := tx.LiveAggregationJobs(t.ID)
	if err != nil {
		return s, err
	}
	for _, j := range live {
		s.AggregationJobs = append(s.AggregationJobs, aggregator.AggregationStatus{ID: j.ID, Reports: len(j.Reports), Created: j.Created,
			Attempts: j.Attempts, NextAttempt: j.NextAttempt, Waiting: aggregator.NewWaitingStatus(j.Waiting)})
	}
	collections, err := tx.CollectionJobs(t.ID)
	if err != nil {
		return s, err
	}
	for _, j := range collections {
		state := aggregator.CollectionPending
		switch j.State {
		case store.JobFinished:
			state = aggregator.CollectionReady
		case store.JobAbandoned:
			state = aggregator.CollectionFailed
		}
		s.CollectionJobs = append(s.CollectionJobs, aggregator.CollectionJobStatus{ID: j.ID, State: state, Created: j.Created,
			Attempts: j.Attempts, NextAttempt: j.NextAttempt, Waiting: aggregator.NewWaitingStatus(j.Waiting)})
	}
	return s, nil
}
