package storetest

import (
	"cmp"
	"slices"
	"time"

	"candor/aggregator/store"
	"candor/schema/dap"
)

func (t *modelTx) AddCollectionJob(job store.CollectionJob) error {
	if err := t.writes(); err != nil {
		return err
	}
	m := t.task(job.Task)
	if _, ok := m.collections[job.ID]; ok {
		return store.ErrConflict
	}
	job = cloneCollection(job)
	job.State, job.Revision = store.JobLive, 1
	m.collections[job.ID] = modelCollection{t.next(), t.next(), job}
	return nil
}

func (t *modelTx) CollectionJob(task dap.TaskID, id dap.CollectionJobID) (store.CollectionJob, error) {
	j, ok := t.task(task).collections[id]
	if !ok {
		return store.CollectionJob{}, store.ErrNotFound
	}
	return cloneCollection(j.row), nil
}

func (t *modelTx) CollectionJobByDigest(task dap.TaskID, digest [32]byte) (store.CollectionJob, error) {
	var best modelCollection
	for _, j := range t.task(task).collections {
		if j.row.Digest == digest && j.row.State != store.JobAbandoned && j.n > best.n {
			best = j
		}
	}
	if best.n == 0 {
		return store.CollectionJob{}, store.ErrNotFound
	}
	return cloneCollection(best.row), nil
}

func (t *modelTx) LeaseCollectionJobs(now time.Time, ttl time.Duration, n int) ([]store.CollectionJob, error) {
	if err := t.writes(); err != nil {
		return nil, err
	}
	type entry struct {
		since time.Time
		modelCollection
	}
	var ready []entry
	for _, m := range t.tasks {
		for _, j := range m.collections {
			if since, ok := due(j.row.NextAttempt, j.row.LeaseUntil, now); ok && j.row.State == store.JobLive {
				ready = append(ready, entry{since, j})
			}
		}
	}
	slices.SortFunc(ready, func(a, b entry) int { return cmp.Or(a.since.Compare(b.since), cmp.Compare(a.queue, b.queue)) })
	var out []store.CollectionJob
	for _, e := range ready[:min(len(ready), n)] {
		e.row.LeaseUntil = micro(now.Add(ttl))
		e.row.Revision++
		t.task(e.row.Task).collections[e.row.ID] = e.modelCollection
		out = append(out, cloneCollection(e.row))
	}
	return out, nil
}

func (t *modelTx) SaveCollectionJob(job store.CollectionJob) error {
	if err := t.writes(); err != nil {
		return err
	}
	m := t.task(job.Task)
	j, ok := m.collections[job.ID]
	if !ok {
		return store.ErrNotFound
	}
	if j.row.Revision != job.Revision {
		return store.ErrConflict
	}
	if j.row.State != store.JobLive && job.State == store.JobLive {
		j.queue = t.next()
	}
	job.Request, job.Digest = j.row.Request, j.row.Digest
	job.Revision++
	j.row = cloneCollection(job)
	m.collections[job.ID] = j
	return nil
}

func (t *modelTx) DeleteCollectionJob(task dap.TaskID, id dap.CollectionJobID) error {
	if err := t.writes(); err != nil {
		return err
	}
	delete(t.task(task).collections, id)
	return nil
}

func (t *modelTx) CollectionJobs(task dap.TaskID) ([]store.CollectionJob, error) {
	var out []store.CollectionJob
	for _, j := range sortedBy(t.task(task).collections, func(a, b modelCollection) int { return cmp.Compare(a.n, b.n) }) {
		out = append(out, cloneCollection(j.row))
	}
	return out, nil
}
