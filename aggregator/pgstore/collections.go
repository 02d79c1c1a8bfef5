package pgstore

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"candor/aggregator/store"
	"candor/schema/dap"
)

// A batchColumns is a batch as three columns.
type batchColumns struct{ start, duration, id []byte }

func columnsOf(b *store.Batch) (c batchColumns) {
	if b != nil {
		c.start, c.duration = timeBytes(b.Interval.Start), binary.BigEndian.AppendUint64(nil, uint64(b.Interval.Duration))
		if b.ID != nil {
			c.id = b.ID[:]
		}
	}
	return c
}

func (c batchColumns) batch() (store.Batch, error) {
	var start, duration [8]byte
	if err := fixed(start[:]).ScanBytes(c.start); err != nil {
		return store.Batch{}, err
	}
	if err := fixed(duration[:]).ScanBytes(c.duration); err != nil {
		return store.Batch{}, err
	}
	b := store.Batch{Interval: dap.Interval{Start: toTime(start[:]), Duration: dap.Duration(toTime(duration[:]))}}
	if c.id != nil {
		b.ID = new(dap.BatchID)
		return b, fixed(b.ID[:]).ScanBytes(c.id)
	}
	return b, nil
}

// scanCollection returns the destinations of a job's columns, and a function that completes the job.
func scanCollection(j *store.CollectionJob) ([]any, func() error) {
	var hasBatch bool
	var columns batchColumns
	var attempts, revision int64
	var state int16
	dest := []any{
		fixed(j.Task[:]), fixed(j.ID[:]), &j.Request, fixed(j.Digest[:]), utc{&j.Created}, &hasBatch, &columns.start, &columns.duration, &columns.id,
		&j.ShareRequest, &j.Location, &j.Response, &j.Problem, &attempts, utc{&j.NextAttempt}, &j.Waiting.Code, &j.Waiting.Text,
		utc{&j.Waiting.Since}, utc{&j.LeaseUntil}, &revision, &state,
	}
	return dest, func() error {
		j.Attempts, j.Revision, j.State = int(attempts), uint64(revision), store.JobState(state)
		if !hasBatch {
			return nil
		}
		b, err := columns.batch()
		j.Batch = &b
		return err
	}
}

func (t *tx) collections(name string, args ...any) ([]store.CollectionJob, error) {
	var jobs []store.CollectionJob
	err := t.rows(name, func(r pgx.Rows) error {
		var j store.CollectionJob
		dest, complete := scanCollection(&j)
		if err := r.Scan(dest...); err != nil {
			return err
		}
		err := complete()
		jobs = append(jobs, j)
		return err
	}, args...)
	return jobs, err
}

func (t *tx) AddCollectionJob(j store.CollectionJob) error {
	if err := t.check(true); err != nil {
		return err
	}
	j.Revision, j.State = 1, store.JobLive
	return t.insertCollection(j)
}

func (t *tx) insertCollection(j store.CollectionJob) error {
	c := columnsOf(j.Batch)
	n, err := t.exec("collection_add", j.Task[:], j.ID[:], null(j.Request), j.Digest[:], j.Created, j.Batch != nil, c.start, c.duration, c.id,
		null(j.ShareRequest), j.Location, null(j.Response), null(j.Problem), int64(j.Attempts), j.NextAttempt, j.Waiting.Code, j.Waiting.Text,
		j.Waiting.Since, j.LeaseUntil, int64(j.Revision), int16(j.State), due(j.NextAttempt, j.LeaseUntil))
	if err == nil && n == 0 {
		err = fmt.Errorf("adding collection job %s: %w", j.ID, store.ErrConflict)
	}
	return err
}

func (t *tx) CollectionJob(task dap.TaskID, id dap.CollectionJobID) (store.CollectionJob, error) {
	if err := t.check(false); err != nil {
		return store.CollectionJob{}, err
	}
	jobs, err := t.collections("collection", task[:], id[:])
	if err != nil {
		return store.CollectionJob{}, err
	}
	if len(jobs) == 0 {
		return store.CollectionJob{}, fmt.Errorf("collection job %s: %w", id, store.ErrNotFound)
	}
	return jobs[0], nil
}

func (t *tx) CollectionJobByDigest(task dap.TaskID, digest [32]byte) (store.CollectionJob, error) {
	if err := t.check(false); err != nil {
		return store.CollectionJob{}, err
	}
	jobs, err := t.collections("collection_by_digest", task[:], digest[:])
	if err != nil {
		return store.CollectionJob{}, err
	}
	if len(jobs) == 0 {
		return store.CollectionJob{}, fmt.Errorf("collection job by digest: %w", store.ErrNotFound)
	}
	return jobs[0], nil
}

func (t *tx) LeaseCollectionJobs(now time.Time, ttl time.Duration, n int) ([]store.CollectionJob, error) {
	if err := t.check(true); err != nil {
		return nil, err
	}
	var list []leasable[store.CollectionJob]
	until := now.Add(ttl)
	err := t.rows("collections_lease", func(r pgx.Rows) error {
		var l leasable[store.CollectionJob]
		dest, complete := scanCollection(&l.job)
		if err := r.Scan(append([]any{utc{&l.due}, &l.place}, dest...)...); err != nil {
			return err
		}
		err := complete()
		list = append(list, l)
		return err
	}, now, until, max(n, 0), afterLease(until))
	return inOrder(list), err
}

func (t *tx) SaveCollectionJob(j store.CollectionJob) error {
	if err := t.check(true); err != nil {
		return err
	}
	if j.State < store.JobLive || j.State > store.JobAbandoned {
		return fmt.Errorf("saving: collection job %s of state %d", j.ID, j.State)
	}
	c := columnsOf(j.Batch)
	n, err := t.exec("collection_save", j.Task[:], j.ID[:], j.Created, j.Batch != nil, c.start, c.duration, c.id, null(j.ShareRequest), j.Location,
		null(j.Response), null(j.Problem), int64(j.Attempts), j.NextAttempt, j.Waiting.Code, j.Waiting.Text, j.Waiting.Since, j.LeaseUntil,
		int64(j.Revision+1), int16(j.State), due(j.NextAttempt, j.LeaseUntil), int64(j.Revision))
	if err != nil || n == 1 {
		return err
	}
	if _, err := t.CollectionJob(j.Task, j.ID); err != nil {
		return fmt.Errorf("saving: %w", err)
	}
	return fmt.Errorf("saving: collection job %s has changed: %w", j.ID, store.ErrConflict)
}

func (t *tx) DeleteCollectionJob(task dap.TaskID, id dap.CollectionJobID) error {
	if err := t.check(true); err != nil {
		return err
	}
	_, err := t.exec("collection_delete", task[:], id[:])
	return err
}

func (t *tx) CollectionJobs(task dap.TaskID) ([]store.CollectionJob, error) {
	if err := t.check(false); err != nil {
		return nil, err
	}
	return t.collections("collections", task[:])
}
