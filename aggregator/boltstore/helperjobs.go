package boltstore

import (
	"fmt"
	"time"

	"golang.org/x/crypto/cryptobyte"

	"candor/aggregator/store"
	"candor/schema/dap"
)

// A helperRow is the Helper's side of an aggregation job.
type helperRow struct {
	Due         uint64 // number in the queue, while live
	Digest      [32]byte
	Request     []byte
	Response    []byte
	Created     time.Time
	NextAttempt time.Time
	LeaseUntil  time.Time
	State       store.JobState
}

func (r *helperRow) marshal(b *cryptobyte.Builder) {
	b.AddUint64(r.Due)
	b.AddBytes(r.Digest[:])
	addBytes(b, r.Request)
	addBytes(b, r.Response)
	addTime(b, r.Created)
	addTime(b, r.NextAttempt)
	addTime(b, r.LeaseUntil)
	b.AddUint8(uint8(r.State))
}

func (r *helperRow) unmarshal(s *reader) bool {
	return s.uint64(&r.Due) && s.fixed(r.Digest[:]) && s.bytes(&r.Request) && s.bytes(&r.Response) && s.time(&r.Created) &&
		s.time(&r.NextAttempt) && s.time(&r.LeaseUntil) && s.jobState(&r.State)
}

func (r *helperRow) schedule() schedule { return schedule{r.Due, r.NextAttempt, r.LeaseUntil} }

func (r *helperRow) restore(task dap.TaskID, id dap.AggregationJobID) store.HelperJob {
	return store.HelperJob{
		ID: id, Task: task, Digest: r.Digest, Request: r.Request, Response: r.Response, Created: r.Created,
		NextAttempt: r.NextAttempt, LeaseUntil: r.LeaseUntil, State: r.State,
	}
}

func (t *tx) helperJob(task dap.TaskID, id dap.AggregationJobID) (row helperRow, value []byte, err error) {
	value = get(t.find(task, kindHelperJobs), id[:])
	if value == nil {
		return row, nil, fmt.Errorf("aggregation job %s: %w", id, store.ErrNotFound)
	}
	return row, value, decode(value, &row)
}

func (t *tx) saveHelperJob(task dap.TaskID, id dap.AggregationJobID, old []byte, row *helperRow) error {
	b, err := t.make(task, kindHelperJobs)
	if err != nil {
		return err
	}
	value, err := encode(row, 100+len(row.Request)+len(row.Response))
	if err != nil {
		return err
	}
	return t.put(b, id[:], old, value)
}

// file adds an entry to an index of digests, after the row itself was found to be new; ErrConflict if the digest is there.
func (t *tx) file(task dap.TaskID, k kind, digest [32]byte, id jobID) error {
	b, err := t.make(task, k)
	if err != nil {
		return err
	}
	if b.Get(digest[:]) != nil {
		return fmt.Errorf("the same request has an answer: %w", store.ErrConflict)
	}
	return t.put(b, digest[:], nil, raw(id[:]))
}

func (t *tx) AddHelperJob(job store.HelperJob) error {
	if err := t.check(true); err != nil {
		return err
	}
	if get(t.find(job.Task, kindHelperJobs), job.ID[:]) != nil {
		return fmt.Errorf("adding aggregation job %s: %w", job.ID, store.ErrConflict)
	}
	if job.State != store.JobLive && job.State != store.JobFinished {
		return fmt.Errorf("adding aggregation job %s of state %d", job.ID, job.State)
	}
	if err := t.file(job.Task, kindHelperDigests, job.Digest, jobID(job.ID)); err != nil {
		return fmt.Errorf("adding aggregation job %s: %w", job.ID, err)
	}
	row := helperRow{
		Digest: job.Digest, Response: job.Response, Created: job.Created, NextAttempt: job.NextAttempt, LeaseUntil: job.LeaseUntil, State: job.State,
	}
	if row.State == store.JobLive {
		row.Request = job.Request
		s := row.schedule()
		if err := t.enqueue(dueHelper, job.Task, jobID(job.ID), &s); err != nil {
			return err
		}
		row.Due = s.Number
	}
	return t.saveHelperJob(job.Task, job.ID, nil, &row)
}

func (t *tx) HelperJob(task dap.TaskID, id dap.AggregationJobID) (store.HelperJob, error) {
	if err := t.check(false); err != nil {
		return store.HelperJob{}, err
	}
	row, _, err := t.helperJob(task, id)
	if err != nil {
		return store.HelperJob{}, err
	}
	return row.restore(task, id), nil
}

func (t *tx) HelperJobByDigest(task dap.TaskID, digest [32]byte) (store.HelperJob, error) {
	if err := t.check(false); err != nil {
		return store.HelperJob{}, err
	}
	v := get(t.find(task, kindHelperDigests), digest[:])
	if v == nil {
		return store.HelperJob{}, fmt.Errorf("aggregation job by digest: %w", store.ErrNotFound)
	}
	var id dap.AggregationJobID
	if err := rawFixed("helper digest", id[:], v); err != nil {
		return store.HelperJob{}, err
	}
	return t.HelperJob(task, id)
}

func (t *tx) SaveHelperJob(job store.HelperJob) error {
	if err := t.check(true); err != nil {
		return err
	}
	row, old, err := t.helperJob(job.Task, job.ID)
	if err != nil {
		return fmt.Errorf("saving: %w", err)
	}
	if row.State != store.JobLive {
		return fmt.Errorf("saving: aggregation job %s was answered: %w", job.ID, store.ErrConflict)
	}
	was := row.schedule()
	row.Response, row.NextAttempt, row.LeaseUntil, row.State = job.Response, job.NextAttempt, job.LeaseUntil, job.State
	switch row.State {
	case store.JobLive:
		err = t.requeue(dueHelper, job.Task, jobID(job.ID), was, row.schedule())
	case store.JobFinished:
		row.Request = nil
		err = t.dequeue(dueHelper, job.Task, jobID(job.ID), was)
	default:
		err = fmt.Errorf("saving: aggregation job %s of state %d", job.ID, job.State)
	}
	if err != nil {
		return err
	}
	return t.saveHelperJob(job.Task, job.ID, old, &row)
}

func (t *tx) LeaseHelperJobs(now time.Time, ttl time.Duration, n int) ([]store.HelperJob, error) {
	if err := t.check(true); err != nil {
		return nil, err
	}
	due, err := t.dueJobs(dueHelper, now, n)
	if err != nil {
		return nil, err
	}
	var jobs []store.HelperJob
	for _, d := range due {
		id := dap.AggregationJobID(d.id)
		row, old, err := t.helperJob(d.task, id)
		if err != nil {
			return nil, err
		}
		was := row.schedule()
		row.LeaseUntil = asStored(now.Add(ttl))
		if err := t.requeue(dueHelper, d.task, d.id, was, row.schedule()); err != nil {
			return nil, err
		}
		if err := t.saveHelperJob(d.task, id, old, &row); err != nil {
			return nil, err
		}
		jobs = append(jobs, row.restore(d.task, id))
	}
	return jobs, nil
}

func (t *tx) DeleteHelperJob(task dap.TaskID, id dap.AggregationJobID) error {
	if err := t.check(true); err != nil {
		return err
	}
	b := t.find(task, kindHelperJobs)
	value := get(b, id[:])
	if value == nil {
		return nil
	}
	var row helperRow
	if err := decode(value, &row); err != nil {
		return err
	}
	if row.State == store.JobLive {
		if err := t.dequeue(dueHelper, task, jobID(id), row.schedule()); err != nil {
			return err
		}
	}
	if err := t.drop(t.find(task, kindHelperDigests), row.Digest[:], raw(id[:])); err != nil {
		return err
	}
	return t.drop(b, id[:], value)
}
