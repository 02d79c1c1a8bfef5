package boltstore

import (
	"fmt"
	"time"

	"golang.org/x/crypto/cryptobyte"

	"candor/aggregator/store"
	"candor/schema/dap"
)

// A collectionRow is a collection job.
type collectionRow struct {
	Number       uint64 // in order of creation
	Due          uint64 // number in the queue, while live
	Request      []byte
	Digest       [32]byte
	Created      time.Time
	Batch        *store.Batch
	ShareRequest []byte
	Location     string
	Response     []byte
	Problem      []byte
	Attempts     int
	NextAttempt  time.Time
	Waiting      store.Waiting
	LeaseUntil   time.Time
	Revision     uint64
	State        store.JobState
}

func (r *collectionRow) marshal(b *cryptobyte.Builder) {
	b.AddUint64(r.Number)
	b.AddUint64(r.Due)
	addBytes(b, r.Request)
	b.AddBytes(r.Digest[:])
	addTime(b, r.Created)
	addBool(b, r.Batch != nil)
	if r.Batch != nil {
		addBatch(b, *r.Batch)
	}
	addBytes(b, r.ShareRequest)
	addBytes(b, []byte(r.Location))
	addBytes(b, r.Response)
	addBytes(b, r.Problem)
	addInt(b, r.Attempts)
	addTime(b, r.NextAttempt)
	addWaiting(b, r.Waiting)
	addTime(b, r.LeaseUntil)
	b.AddUint64(r.Revision)
	b.AddUint8(uint8(r.State))
}

func (r *collectionRow) unmarshal(s *reader) bool {
	var hasBatch bool
	if !s.uint64(&r.Number) || !s.uint64(&r.Due) || !s.bytes(&r.Request) || !s.fixed(r.Digest[:]) || !s.time(&r.Created) || !s.bool(&hasBatch) {
		return false
	}
	if hasBatch {
		r.Batch = new(store.Batch)
		if !s.batch(r.Batch) {
			return false
		}
	}
	return s.bytes(&r.ShareRequest) && s.text(&r.Location) && s.bytes(&r.Response) && s.bytes(&r.Problem) && s.int(&r.Attempts) &&
		s.time(&r.NextAttempt) && s.waiting(&r.Waiting) && s.time(&r.LeaseUntil) && s.uint64(&r.Revision) && s.jobState(&r.State)
}

func (r *collectionRow) schedule() schedule { return schedule{r.Due, r.NextAttempt, r.LeaseUntil} }

// mutable takes over the fields of a job that may change.
func (r *collectionRow) mutable(job store.CollectionJob) {
	r.Created, r.Batch, r.ShareRequest, r.Location = job.Created, job.Batch, job.ShareRequest, job.Location
	r.Response, r.Problem, r.Attempts, r.NextAttempt = job.Response, job.Problem, job.Attempts, job.NextAttempt
	r.Waiting, r.LeaseUntil, r.State = job.Waiting, job.LeaseUntil, job.State
}

func (r *collectionRow) restore(task dap.TaskID, id dap.CollectionJobID) store.CollectionJob {
	return store.CollectionJob{
		ID: id, Task: task, Request: r.Request, Digest: r.Digest, Created: r.Created, Batch: r.Batch, ShareRequest: r.ShareRequest,
		Location: r.Location, Response: r.Response, Problem: r.Problem, Attempts: r.Attempts, NextAttempt: r.NextAttempt,
		Waiting: r.Waiting, LeaseUntil: r.LeaseUntil, Revision: r.Revision, State: r.State,
	}
}

func (r *collectionRow) digestKey() []byte {
	return append(append(make([]byte, 0, 40), r.Digest[:]...), keyUint64(r.Number)...)
}

func (t *tx) collection(task dap.TaskID, id dap.CollectionJobID) (row collectionRow, value []byte, err error) {
	value = get(t.find(task, kindCollections), id[:])
	if value == nil {
		return row, nil, fmt.Errorf("collection job %s: %w", id, store.ErrNotFound)
	}
	return row, value, decode(value, &row)
}

func (t *tx) saveCollection(task dap.TaskID, id dap.CollectionJobID, old []byte, row *collectionRow) error {
	b, err := t.make(task, kindCollections)
	if err != nil {
		return err
	}
	value, err := encode(row, 512)
	if err != nil {
		return err
	}
	return t.put(b, id[:], old, value)
}

func (t *tx) AddCollectionJob(job store.CollectionJob) error {
	if err := t.check(true); err != nil {
		return err
	}
	if get(t.find(job.Task, kindCollections), job.ID[:]) != nil {
		return fmt.Errorf("adding collection job %s: %w", job.ID, store.ErrConflict)
	}
	order, err := t.make(job.Task, kindCollectionOrder)
	if err != nil {
		return err
	}
	row := collectionRow{Request: job.Request, Digest: job.Digest, Revision: 1}
	row.mutable(job)
	row.State = store.JobLive
	if row.Number, err = number(order); err != nil {
		return err
	}
	if err := t.put(order, keyUint64(row.Number), nil, raw(job.ID[:])); err != nil {
		return err
	}
	digests, err := t.make(job.Task, kindCollectionDigests)
	if err != nil {
		return err
	}
	if err := t.put(digests, row.digestKey(), nil, raw(job.ID[:])); err != nil {
		return err
	}
	s := row.schedule()
	if err := t.enqueue(dueCollection, job.Task, jobID(job.ID), &s); err != nil {
		return err
	}
	row.Due = s.Number
	return t.saveCollection(job.Task, job.ID, nil, &row)
}

func (t *tx) CollectionJob(task dap.TaskID, id dap.CollectionJobID) (store.CollectionJob, error) {
	if err := t.check(false); err != nil {
		return store.CollectionJob{}, err
	}
	row, _, err := t.collection(task, id)
	if err != nil {
		return store.CollectionJob{}, err
	}
	return row.restore(task, id), nil
}

func (t *tx) CollectionJobByDigest(task dap.TaskID, digest [32]byte) (store.CollectionJob, error) {
	if err := t.check(false); err != nil {
		return store.CollectionJob{}, err
	}
	if b := t.find(task, kindCollectionDigests); b != nil {
		c := b.Cursor()
		// The newest is the last of those with this prefix: numbers never reach the largest.
		k, _ := c.Seek(append(digest[:], keyUint64(1<<64-1)...))
		var v []byte
		if k == nil {
			k, v = c.Last()
		} else {
			k, v = c.Prev()
		}
		if len(k) == 40 && [32]byte(k[:32]) == digest {
			var id dap.CollectionJobID
			if err := rawFixed("collection digest", id[:], v); err != nil {
				return store.CollectionJob{}, err
			}
			return t.CollectionJob(task, id)
		}
	}
	return store.CollectionJob{}, fmt.Errorf("collection job by digest: %w", store.ErrNotFound)
}

func (t *tx) LeaseCollectionJobs(now time.Time, ttl time.Duration, n int) ([]store.CollectionJob, error) {
	if err := t.check(true); err != nil {
		return nil, err
	}
	due, err := t.dueJobs(dueCollection, now, n)
	if err != nil {
		return nil, err
	}
	var jobs []store.CollectionJob
	for _, d := range due {
		id := dap.CollectionJobID(d.id)
		row, old, err := t.collection(d.task, id)
		if err != nil {
			return nil, err
		}
		was := row.schedule()
		row.LeaseUntil = asStored(now.Add(ttl))
		row.Revision++
		if err := t.requeue(dueCollection, d.task, d.id, was, row.schedule()); err != nil {
			return nil, err
		}
		if err := t.saveCollection(d.task, id, old, &row); err != nil {
			return nil, err
		}
		jobs = append(jobs, row.restore(d.task, id))
	}
	return jobs, nil
}

func (t *tx) SaveCollectionJob(job store.CollectionJob) error {
	if err := t.check(true); err != nil {
		return err
	}
	was, old, err := t.collection(job.Task, job.ID)
	if err != nil {
		return fmt.Errorf("saving: %w", err)
	}
	if was.Revision != job.Revision {
		return fmt.Errorf("saving: collection job %s has changed: %w", job.ID, store.ErrConflict)
	}
	if job.State < store.JobLive || job.State > store.JobAbandoned {
		return fmt.Errorf("saving: collection job %s of state %d", job.ID, job.State)
	}
	is := was
	is.mutable(job)
	is.Revision++
	if err := t.refile(job.Task, job.ID, &was, &is); err != nil {
		return err
	}
	return t.saveCollection(job.Task, job.ID, old, &is)
}

// refile keeps the queue and the index of digests in step with a job's change; is is nil when the job is deleted.
func (t *tx) refile(task dap.TaskID, id dap.CollectionJobID, was, is *collectionRow) error {
	live := is != nil && is.State == store.JobLive
	switch wasLive := was.State == store.JobLive; {
	case wasLive && live:
		if err := t.requeue(dueCollection, task, jobID(id), was.schedule(), is.schedule()); err != nil {
			return err
		}
	case wasLive:
		if err := t.dequeue(dueCollection, task, jobID(id), was.schedule()); err != nil {
			return err
		}
	case live:
		s := is.schedule()
		if err := t.enqueue(dueCollection, task, jobID(id), &s); err != nil {
			return err
		}
		is.Due = s.Number
	}
	digests := t.find(task, kindCollectionDigests)
	switch found, wasFound := is != nil && is.State != store.JobAbandoned, was.State != store.JobAbandoned; {
	case wasFound && !found:
		return t.drop(digests, was.digestKey(), raw(id[:]))
	case found && !wasFound:
		return t.put(digests, is.digestKey(), nil, raw(id[:]))
	}
	return nil
}

func (t *tx) DeleteCollectionJob(task dap.TaskID, id dap.CollectionJobID) error {
	if err := t.check(true); err != nil {
		return err
	}
	b := t.find(task, kindCollections)
	value := get(b, id[:])
	if value == nil {
		return nil
	}
	var row collectionRow
	if err := decode(value, &row); err != nil {
		return err
	}
	if err := t.refile(task, id, &row, nil); err != nil {
		return err
	}
	if err := t.drop(t.find(task, kindCollectionOrder), keyUint64(row.Number), raw(id[:])); err != nil {
		return err
	}
	return t.drop(b, id[:], value)
}

func (t *tx) CollectionJobs(task dap.TaskID) ([]store.CollectionJob, error) {
	if err := t.check(false); err != nil {
		return nil, err
	}
	order := t.find(task, kindCollectionOrder)
	if order == nil {
		return nil, nil
	}
	var jobs []store.CollectionJob
	c := order.Cursor()
	for k, v := c.First(); k != nil; k, v = c.Next() {
		var id dap.CollectionJobID
		if err := rawFixed("collection order", id[:], v); err != nil {
			return nil, err
		}
		job, err := t.CollectionJob(task, id)
		if err != nil {
			return nil, err
		}
		jobs = append(jobs, job)
	}
	return jobs, nil
}
