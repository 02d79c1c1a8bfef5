package sealstore

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"candor/aggregator/store"
	"candor/schema/dap"
)

// A tx is a transaction of the store beneath whose secrets are sealed on the way down and opened on the way up. Methods that carry no secret are the
// embedded one's own.
type tx struct {
	store.Tx
	s       *Store
	failed  error                   // the first secret that could not be sealed or opened
	current map[dap.TaskID]*dataKey // as of this transaction

	prepared map[keyName]*dataKey // all keys, while rows are handed out one by one; else nil
}

// list opens the secrets of rows, in place.
func list[T any](rows []T, err error, open func(*T) error) ([]T, error) {
	for i := range rows {
		if err == nil {
			err = open(&rows[i])
		}
	}
	if err != nil {
		return nil, err
	}
	return rows, nil
}

// one opens the secrets of a row.
func one[T any](row T, err error, open func(*T) error) (T, error) {
	if err == nil {
		err = open(&row)
	}
	return row, err
}

func (t *tx) PutKey(k store.Key) error {
	delete(t.current, k.Task)
	return t.Tx.PutKey(k)
}

func (t *tx) DeleteKey(task dap.TaskID, id uint64) error {
	delete(t.current, task)
	return t.Tx.DeleteKey(task, id)
}

func (t *tx) DeleteTask(task dap.TaskID) error {
	delete(t.current, task)
	t.s.forget(task)
	return t.Tx.DeleteTask(task)
}

// forget drops the keys of a task from memory.
func (s *Store) forget(task dap.TaskID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name := range s.open {
		if name.task == task {
			delete(s.open, name)
		}
	}
}

func (t *tx) AddReport(task dap.TaskID, r store.Report) error {
	if err := by(t.seal).report(task, &r); err != nil {
		return err
	}
	return t.Tx.AddReport(task, r)
}

func (t *tx) JobReports(job store.AggregationJob) ([]store.Report, error) {
	reports, err := t.Tx.JobReports(job)
	return list(reports, err, func(r *store.Report) error { return by(t.open).report(job.Task, r) })
}

func (t *tx) AddAggregationJob(job store.AggregationJob) error {
	if err := by(t.seal).aggregationJob(&job); err != nil {
		return err
	}
	return t.Tx.AddAggregationJob(job)
}

func (t *tx) LeaseAggregationJobs(now time.Time, ttl time.Duration, n int) ([]store.AggregationJob, error) {
	jobs, err := t.Tx.LeaseAggregationJobs(now, ttl, n)
	return list(jobs, err, by(t.open).aggregationJob)
}

func (t *tx) AggregationJob(task dap.TaskID, id dap.AggregationJobID) (store.AggregationJob, error) {
	job, err := t.Tx.AggregationJob(task, id)
	return one(job, err, by(t.open).aggregationJob)
}

func (t *tx) PrepareAggregationJob(job store.AggregationJob, outcomes []store.Outcome) error {
	if err := by(t.seal).aggregationJob(&job); err != nil {
		return err
	}
	return t.Tx.PrepareAggregationJob(job, outcomes)
}

// merging returns a merge of buckets whose shares are sealed. from is sealed only if it comes from the store.
func (t *tx) merging(task dap.TaskID, merge store.Merge, fromStore bool) store.Merge {
	return func(into *store.Bucket, from store.Bucket) error {
		if err := by(t.open).bucket(task, into); err != nil {
			return err
		}
		if fromStore {
			if err := by(t.open).bucket(task, &from); err != nil {
				return err
			}
		}
		if err := merge(into, from); err != nil {
			return err
		}
		return by(t.seal).bucket(task, into)
	}
}

func (t *tx) MergeBucket(task dap.TaskID, id store.BucketID, delta store.Bucket, merge store.Merge) error {
	return t.Tx.MergeBucket(task, id, delta, t.merging(task, merge, false))
}

func (t *tx) Buckets(task dap.TaskID, batch store.Batch, merge store.Merge) ([]store.Bucket, error) {
	done, err := t.prepare(t.Tx.Keys(task))
	if err != nil {
		return nil, err
	}
	defer done()
	// Shards are read in a View too, in which no key can be made: they are opened as they come and never sealed again.
	opened := make(map[store.BucketID]bool)
	buckets, err := t.Tx.Buckets(task, batch, func(into *store.Bucket, from store.Bucket) error {
		if !opened[into.ID] {
			opened[into.ID] = true
			if err := by(t.open).bucket(task, into); err != nil {
				return err
			}
		}
		if err := by(t.open).bucket(task, &from); err != nil {
			return err
		}
		return merge(into, from)
	})
	return list(buckets, err, func(b *store.Bucket) error {
		if opened[b.ID] {
			return nil
		}
		return by(t.open).bucket(task, b)
	})
}

func (t *tx) AddCollectionJob(job store.CollectionJob) error {
	if err := by(t.seal).collectionJob(&job); err != nil {
		return err
	}
	return t.Tx.AddCollectionJob(job)
}

func (t *tx) CollectionJob(task dap.TaskID, id dap.CollectionJobID) (store.CollectionJob, error) {
	job, err := t.Tx.CollectionJob(task, id)
	return one(job, err, by(t.open).collectionJob)
}

func (t *tx) CollectionJobByDigest(task dap.TaskID, digest [32]byte) (store.CollectionJob, error) {
	job, err := t.Tx.CollectionJobByDigest(task, digest)
	return one(job, err, by(t.open).collectionJob)
}

func (t *tx) LeaseCollectionJobs(now time.Time, ttl time.Duration, n int) ([]store.CollectionJob, error) {
	jobs, err := t.Tx.LeaseCollectionJobs(now, ttl, n)
	return list(jobs, err, by(t.open).collectionJob)
}

// SaveCollectionJob does not seal the request: it never changes.
func (t *tx) SaveCollectionJob(job store.CollectionJob) error {
	job.Request = nil
	if err := by(t.seal).collectionJob(&job); err != nil {
		return err
	}
	return t.Tx.SaveCollectionJob(job)
}

func (t *tx) CollectionJobs(task dap.TaskID) ([]store.CollectionJob, error) {
	jobs, err := t.Tx.CollectionJobs(task)
	return list(jobs, err, by(t.open).collectionJob)
}

func (t *tx) AddHelperJob(job store.HelperJob) error {
	if err := by(t.seal).helperJob(&job); err != nil {
		return err
	}
	return t.Tx.AddHelperJob(job)
}

func (t *tx) HelperJob(task dap.TaskID, id dap.AggregationJobID) (store.HelperJob, error) {
	job, err := t.Tx.HelperJob(task, id)
	return one(job, err, by(t.open).helperJob)
}

func (t *tx) HelperJobByDigest(task dap.TaskID, digest [32]byte) (store.HelperJob, error) {
	job, err := t.Tx.HelperJobByDigest(task, digest)
	return one(job, err, by(t.open).helperJob)
}

// SaveHelperJob binds the answer to the digest that is stored, whatever the caller's is.
func (t *tx) SaveHelperJob(job store.HelperJob) error {
	stored, err := t.Tx.HelperJob(job.Task, job.ID)
	if err != nil {
		return err
	}
	sealed := job
	sealed.Digest, sealed.Request = stored.Digest, nil
	if err := by(t.seal).helperJob(&sealed); err != nil {
		return err
	}
	job.Response = sealed.Response
	return t.Tx.SaveHelperJob(job)
}

func (t *tx) LeaseHelperJobs(now time.Time, ttl time.Duration, n int) ([]store.HelperJob, error) {
	jobs, err := t.Tx.LeaseHelperJobs(now, ttl, n)
	return list(jobs, err, by(t.open).helperJob)
}

func (t *tx) AddShareAnswer(a store.ShareAnswer) error {
	if err := by(t.seal).shareAnswer(&a); err != nil {
		return err
	}
	return t.Tx.AddShareAnswer(a)
}

func (t *tx) ShareAnswer(task dap.TaskID, id dap.AggregateShareID) (store.ShareAnswer, error) {
	a, err := t.Tx.ShareAnswer(task, id)
	return one(a, err, by(t.open).shareAnswer)
}

func (t *tx) ShareAnswerByDigest(task dap.TaskID, digest [32]byte) (store.ShareAnswer, error) {
	a, err := t.Tx.ShareAnswerByDigest(task, digest)
	return one(a, err, by(t.open).shareAnswer)
}

func (t *tx) PutSubmission(s store.Submission) error {
	if err := by(t.sealAlways).submission(&s); err != nil {
		return err
	}
	return t.Tx.PutSubmission(s)
}

func (t *tx) Submission(task dap.TaskID, member string) (store.Submission, error) {
	s, err := t.Tx.Submission(task, member)
	return one(s, err, by(t.openAlways).submission)
}

func (t *tx) Submissions(task dap.TaskID) ([]store.Submission, error) {
	s, err := t.Tx.Submissions(task)
	return list(s, err, by(t.openAlways).submission)
}

// PutStatement compares with a statement that is there: sealed twice, the same bytes are not the same.
func (t *tx) PutStatement(s store.Statement) error {
	old, err := t.Statement(s.Task)
	switch {
	case err == nil && bytes.Equal(old.Text, s.Text) && bytes.Equal(old.Salts, s.Salts):
		return nil
	case err == nil:
		return fmt.Errorf("statement of task %s: %w", s.Task, store.ErrConflict)
	case !errors.Is(err, store.ErrNotFound):
		return err
	}
	if err := by(t.seal).statement(&s); err != nil {
		return err
	}
	return t.Tx.PutStatement(s)
}

func (t *tx) Statement(task dap.TaskID) (store.Statement, error) {
	s, err := t.Tx.Statement(task)
	return one(s, err, by(t.open).statement)
}

// Records leaves out the keys: what comes out is in the clear, and goes sealed under other keys into another store.
func (t *tx) Records(fn func(store.Record) error) error {
	done, err := t.prepare(t.Tx.AllKeys())
	if err != nil {
		return err
	}
	defer done()
	return t.Tx.Records(func(r store.Record) error {
		if _, isKey := r.(store.Key); isKey {
			return nil
		}
		r, err := t.openRecord(r)
		if err != nil {
			return err
		}
		return fn(r)
	})
}

func (t *tx) openRecord(r store.Record) (store.Record, error) {
	if _, ok := r.(store.Submission); ok {
		return by(t.openAlways).record(r)
	}
	return by(t.open).record(r)
}

func (t *tx) sealRecord(r store.Record) (store.Record, error) {
	if _, ok := r.(store.Submission); ok {
		return by(t.sealAlways).record(r)
	}
	return by(t.seal).record(r)
}

func (t *tx) AddRecord(r store.Record) error {
	if _, ok := r.(store.Key); ok {
		return errors.New("sealstore: a key belongs to the store that made it")
	}
	r, err := t.sealRecord(r)
	if err != nil {
		return err
	}
	return t.Tx.AddRecord(r)
}

// ReplaceSecrets seals what it stores under the present key, also if it is what it was.
func (t *tx) ReplaceSecrets(of store.Record, replace func(store.Record) (store.Record, error)) error {
	return t.Tx.ReplaceSecrets(of, func(r store.Record) (store.Record, error) {
		r, err := t.openRecord(r)
		if err != nil {
			return nil, err
		}
		if r, err = replace(r); err != nil {
			return nil, err
		}
		return t.sealRecord(r)
	})
}
