package storetest

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"candor/aggregator/store"
	"candor/schema/dap"
)

func (t *modelTx) AddHelperJob(job store.HelperJob) error {
	if err := t.writes(); err != nil {
		return err
	}
	m := t.task(job.Task)
	for id, j := range m.helperJobs {
		if id == job.ID || j.row.Digest == job.Digest {
			return store.ErrConflict
		}
	}
	if job.State == store.JobFinished {
		job.Request = nil
	} else if job.State != store.JobLive {
		return errors.New("bad state")
	}
	m.helperJobs[job.ID] = numberedRow[store.HelperJob]{t.next(), cloneHelper(job)}
	return nil
}

func (t *modelTx) HelperJob(task dap.TaskID, id dap.AggregationJobID) (store.HelperJob, error) {
	j, ok := t.task(task).helperJobs[id]
	if !ok {
		return store.HelperJob{}, store.ErrNotFound
	}
	return cloneHelper(j.row), nil
}

func (t *modelTx) HelperJobByDigest(task dap.TaskID, digest [32]byte) (store.HelperJob, error) {
	for _, j := range t.task(task).helperJobs {
		if j.row.Digest == digest {
			return cloneHelper(j.row), nil
		}
	}
	return store.HelperJob{}, store.ErrNotFound
}

func (t *modelTx) SaveHelperJob(job store.HelperJob) error {
	if err := t.writes(); err != nil {
		return err
	}
	m := t.task(job.Task)
	j, ok := m.helperJobs[job.ID]
	if !ok {
		return store.ErrNotFound
	}
	if j.row.State != store.JobLive {
		return store.ErrConflict
	}
	j.row.Response, j.row.State, j.row.NextAttempt, j.row.LeaseUntil = job.Response, job.State, job.NextAttempt, job.LeaseUntil
	switch job.State {
	case store.JobFinished:
		j.row.Request = nil
	case store.JobLive:
	default:
		return errors.New("bad state")
	}
	j.row = cloneHelper(j.row)
	m.helperJobs[job.ID] = j
	return nil
}

func (t *modelTx) LeaseHelperJobs(now time.Time, ttl time.Duration, n int) ([]store.HelperJob, error) {
	if err := t.writes(); err != nil {
		return nil, err
	}
	type entry struct {
		since time.Time
		numberedRow[store.HelperJob]
	}
	var ready []entry
	for _, m := range t.tasks {
		for _, j := range m.helperJobs {
			if since, ok := due(j.row.NextAttempt, j.row.LeaseUntil, now); ok && j.row.State == store.JobLive {
				ready = append(ready, entry{since, j})
			}
		}
	}
	slices.SortFunc(ready, func(a, b entry) int { return cmp.Or(a.since.Compare(b.since), cmp.Compare(a.n, b.n)) })
	var out []store.HelperJob
	for _, e := range ready[:min(len(ready), n)] {
		e.row.LeaseUntil = micro(now.Add(ttl))
		t.task(e.row.Task).helperJobs[e.row.ID] = e.numberedRow
		out = append(out, cloneHelper(e.row))
	}
	return out, nil
}

func (t *modelTx) DeleteHelperJob(task dap.TaskID, id dap.AggregationJobID) error {
	if err := t.writes(); err != nil {
		return err
	}
	delete(t.task(task).helperJobs, id)
	return nil
}

func (t *modelTx) AddShareAnswer(a store.ShareAnswer) error {
	if err := t.writes(); err != nil {
		return err
	}
	m := t.task(a.Task)
	for id, old := range m.shares {
		if id == a.ID || old.row.Digest == a.Digest {
			return store.ErrConflict
		}
	}
	m.shares[a.ID] = numberedRow[store.ShareAnswer]{t.next(), cloneAnswer(a)}
	return nil
}

func (t *modelTx) ShareAnswer(task dap.TaskID, id dap.AggregateShareID) (store.ShareAnswer, error) {
	a, ok := t.task(task).shares[id]
	if !ok {
		return store.ShareAnswer{}, store.ErrNotFound
	}
	return cloneAnswer(a.row), nil
}

func (t *modelTx) ShareAnswerByDigest(task dap.TaskID, digest [32]byte) (store.ShareAnswer, error) {
	for _, a := range t.task(task).shares {
		if a.row.Digest == digest {
			return cloneAnswer(a.row), nil
		}
	}
	return store.ShareAnswer{}, store.ErrNotFound
}

func (t *modelTx) ShareAnswers(task dap.TaskID) ([]store.ShareAnswer, error) {
	var out []store.ShareAnswer
	for _, a := range sortedBy(t.task(task).shares, func(a, b numberedRow[store.ShareAnswer]) int { return cmp.Compare(a.n, b.n) }) {
		a.row.Response = nil
		out = append(out, cloneAnswer(a.row))
	}
	return out, nil
}

func (t *modelTx) DeleteShareAnswer(task dap.TaskID, id dap.AggregateShareID) error {
	if err := t.writes(); err != nil {
		return err
	}
	delete(t.task(task).shares, id)
	return nil
}

func (t *modelTx) AddRecord(r store.Record) error {
	return fmt.Errorf("storetest: a model takes no %T", r)
}
