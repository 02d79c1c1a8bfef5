package storetest

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"candor/aggregator/store"
	"candor/schema/dap"
)

// A Model is a [store.Store] in memory that is meant to be obviously right: no index, every question is a search through all rows, every Update
// works on a copy. Backends are compared with it; it is too slow for anything else.
type Model struct {
	mu     sync.Mutex // serializes everything
	state  *modelTx
	closed bool
}

// NewModel returns an empty store.
func NewModel() *Model { return &Model{state: &modelTx{tasks: make(map[dap.TaskID]*modelTask)}} }

// View implements [store.Store].
func (m *Model) View(ctx context.Context, _ string, fn func(store.Tx) error) error {
	return m.run(ctx, fn, false)
}

// Update implements [store.Store].
func (m *Model) Update(ctx context.Context, _ string, fn func(store.Tx) error) error {
	return m.run(ctx, fn, true)
}

// Settle implements [store.Store].
func (m *Model) Settle(ctx context.Context) error {
	return m.run(ctx, func(store.Tx) error { return nil }, false)
}

func (m *Model) run(ctx context.Context, fn func(store.Tx) error, write bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return errors.New("storetest: model is closed")
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	tx := m.state.clone()
	tx.write = write
	if err := fn(tx); err != nil {
		return err
	}
	if write {
		m.state = tx
	}
	return nil
}

// Close implements [store.Store].
func (m *Model) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	return nil
}

type modelTx struct {
	write bool
	last  int // number of the newest row
	tasks map[dap.TaskID]*modelTask
}

// Rows are values; the slices and pointers in them are never changed, only replaced.
type modelTask struct {
	pin         *[32]byte
	counters    map[string]uint64
	reports     map[dap.ReportID]modelReport
	jobs        map[dap.AggregationJobID]numberedRow[store.AggregationJob]
	batches     map[dap.BatchID]modelBatch
	marks       map[dap.ReportID]store.BucketID
	buckets     map[store.BucketID]modelBucket
	intervals   []dap.Interval
	collected   map[dap.BatchID]bool
	collections map[dap.CollectionJobID]modelCollection
	helperJobs  map[dap.AggregationJobID]numberedRow[store.HelperJob]
	shares      map[dap.AggregateShareID]numberedRow[store.ShareAnswer]
	submissions map[string]store.Submission
	statement   *store.Statement
	keys        map[uint64]store.Key
}

type numberedRow[T any] struct {
	n   int
	row T
}

type modelReport struct {
	n     int
	r     store.Report
	state store.ReportState
	code  dap.ReportError
	job   dap.AggregationJobID
}

type modelBatch struct {
	n        int
	created  time.Time
	open     bool
	reserved *dap.CollectionJobID
}

type modelBucket struct {
	store.Bucket
	erased bool
}

type modelCollection struct {
	n, queue int
	row      store.CollectionJob
}

func (t *modelTx) clone() *modelTx {
	c := &modelTx{last: t.last, tasks: make(map[dap.TaskID]*modelTask, len(t.tasks))}
	for id, task := range t.tasks {
		n := *task
		n.counters, n.reports, n.jobs, n.batches = maps.Clone(n.counters), maps.Clone(n.reports), maps.Clone(n.jobs), maps.Clone(n.batches)
		n.marks, n.buckets, n.collected = maps.Clone(n.marks), maps.Clone(n.buckets), maps.Clone(n.collected)
		n.intervals, n.collections = slices.Clone(n.intervals), maps.Clone(n.collections)
		n.helperJobs, n.shares, n.submissions = maps.Clone(n.helperJobs), maps.Clone(n.shares), maps.Clone(n.submissions)
		n.keys = maps.Clone(n.keys)
		c.tasks[id] = &n
	}
	return c
}

func (t *modelTx) next() int { t.last++; return t.last }

func (t *modelTx) task(id dap.TaskID) *modelTask {
	m := t.tasks[id]
	if m == nil {
		m = newModelTask()
		t.tasks[id] = m
	}
	return m
}

func newModelTask() *modelTask {
	return &modelTask{
		counters: make(map[string]uint64), reports: make(map[dap.ReportID]modelReport),
		jobs: make(map[dap.AggregationJobID]numberedRow[store.AggregationJob]), batches: make(map[dap.BatchID]modelBatch),
		marks: make(map[dap.ReportID]store.BucketID), buckets: make(map[store.BucketID]modelBucket), collected: make(map[dap.BatchID]bool),
		collections: make(map[dap.CollectionJobID]modelCollection), helperJobs: make(map[dap.AggregationJobID]numberedRow[store.HelperJob]),
		shares: make(map[dap.AggregateShareID]numberedRow[store.ShareAnswer]), submissions: make(map[string]store.Submission),
		keys: make(map[uint64]store.Key),
	}
}

func (t *modelTx) writes() error {
	if !t.write {
		return errors.New("storetest: a View cannot write")
	}
	return nil
}

func micro(t time.Time) time.Time { return time.UnixMicro(t.UnixMicro()).UTC() }

func clone(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return bytes.Clone(b)
}

func clonePtr[T any](p *T) *T {
	if p == nil {
		return nil
	}
	v := *p
	return &v
}

func cloneBatch(b *store.Batch) *store.Batch {
	if b = clonePtr(b); b != nil {
		b.ID = clonePtr(b.ID)
	}
	return b
}

func cloneJob(j store.AggregationJob) store.AggregationJob {
	j.Batch, j.Request = clonePtr(j.Batch), clone(j.Request)
	if j.Reports = slices.Clone(j.Reports); len(j.Reports) == 0 {
		j.Reports = nil
	}
	j.Created, j.NextAttempt, j.LeaseUntil, j.Waiting.Since = micro(j.Created), micro(j.NextAttempt), micro(j.LeaseUntil), micro(j.Waiting.Since)
	return j
}

func cloneCollection(j store.CollectionJob) store.CollectionJob {
	j.Request, j.ShareRequest, j.Response, j.Problem = clone(j.Request), clone(j.ShareRequest), clone(j.Response), clone(j.Problem)
	j.Batch = cloneBatch(j.Batch)
	j.Created, j.NextAttempt, j.LeaseUntil, j.Waiting.Since = micro(j.Created), micro(j.NextAttempt), micro(j.LeaseUntil), micro(j.Waiting.Since)
	return j
}

func cloneHelper(j store.HelperJob) store.HelperJob {
	j.Request, j.Response = clone(j.Request), clone(j.Response)
	j.Created, j.NextAttempt, j.LeaseUntil = micro(j.Created), micro(j.NextAttempt), micro(j.LeaseUntil)
	return j
}

func cloneAnswer(a store.ShareAnswer) store.ShareAnswer {
	a.Batch, a.Response, a.Created = *cloneBatch(&a.Batch), clone(a.Response), micro(a.Created)
	return a
}

// due says whether a live job may be leased, and since when.
func due(next, lease, now time.Time) (since time.Time, ok bool) {
	since, now = micro(next), micro(now)
	if !lease.IsZero() {
		if free := micro(lease).Add(time.Microsecond); free.After(since) {
			since = free
		}
	}
	return since, !since.After(now)
}

func sortedBy[K comparable, V any](m map[K]V, order func(a, b V) int) []V {
	return slices.SortedFunc(maps.Values(m), order)
}

func (t *modelTx) PinTask(task dap.TaskID, digest [32]byte) error {
	if err := t.writes(); err != nil {
		return err
	}
	m := t.task(task)
	if m.pin != nil && *m.pin != digest {
		return store.ErrConflict
	}
	m.pin = &digest
	return nil
}

func (t *modelTx) Count(task dap.TaskID, counter string, n uint64) error {
	if err := t.writes(); err != nil {
		return err
	}
	t.task(task).counters[counter] += n
	return nil
}

func (t *modelTx) Counters(task dap.TaskID) (map[string]uint64, error) {
	return maps.Clone(t.task(task).counters), nil
}

func (t *modelTx) DeleteTask(task dap.TaskID) error {
	if err := t.writes(); err != nil {
		return err
	}
	m := newModelTask()
	m.pin = t.task(task).pin
	t.tasks[task] = m
	return nil
}
