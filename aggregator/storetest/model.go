package storetest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
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

func (t *modelTx) AddReport(task dap.TaskID, r store.Report) error {
	if err := t.writes(); err != nil {
		return err
	}
	m := t.task(task)
	if _, ok := m.reports[r.ID]; ok {
		return store.ErrConflict
	}
	r.Encoded, r.NotBefore = clone(r.Encoded), micro(r.NotBefore)
	m.reports[r.ID] = modelReport{n: t.next(), r: r, state: store.ReportUnassigned}
	return nil
}

func (t *modelTx) ReportState(task dap.TaskID, id dap.ReportID) (store.ReportState, error) {
	r, ok := t.task(task).reports[id]
	if !ok {
		return 0, store.ErrNotFound
	}
	return r.state, nil
}

func (t *modelTx) UnassignedReports(task dap.TaskID, now time.Time, limit int) ([]store.Report, error) {
	var out []store.Report
	for _, r := range sortedBy(t.task(task).reports, func(a, b modelReport) int {
		return cmp.Or(a.r.NotBefore.Compare(b.r.NotBefore), cmp.Compare(a.n, b.n))
	}) {
		if r.state == store.ReportUnassigned && !r.r.NotBefore.After(micro(now)) && len(out) < limit {
			r.r.Encoded = nil
			out = append(out, r.r)
		}
	}
	return out, nil
}

func (t *modelTx) DeferReports(task dap.TaskID, ids []dap.ReportID, notBefore time.Time) error {
	if err := t.writes(); err != nil {
		return err
	}
	m := t.task(task)
	for _, id := range ids {
		if r := m.reports[id]; r.state == store.ReportUnassigned {
			r.r.NotBefore = micro(notBefore)
			m.reports[id] = r
		}
	}
	return nil
}

func (m *modelTask) allUnassigned(ids []dap.ReportID) bool {
	seen := make(map[dap.ReportID]bool)
	for _, id := range ids {
		if seen[id] || m.reports[id].state != store.ReportUnassigned {
			return false
		}
		seen[id] = true
	}
	return true
}

func (t *modelTx) RejectReports(task dap.TaskID, rejected []store.Rejection) error {
	if err := t.writes(); err != nil {
		return err
	}
	m := t.task(task)
	var ids []dap.ReportID
	for _, r := range rejected {
		ids = append(ids, r.ID)
	}
	if !m.allUnassigned(ids) {
		return store.ErrConflict
	}
	for _, r := range rejected {
		m.outcome(store.Outcome{ID: r.ID, State: store.ReportRejected, Code: r.Code})
	}
	return nil
}

func (t *modelTx) DropReport(task dap.TaskID, id dap.ReportID, code dap.ReportError) error {
	return t.RejectReports(task, []store.Rejection{{ID: id, Code: code}})
}

func (m *modelTask) outcome(o store.Outcome) {
	r := m.reports[o.ID]
	r.state = o.State
	switch o.State {
	case store.ReportUnassigned:
		r.r.NotBefore, r.job = micro(o.NotBefore), dap.AggregationJobID{}
	case store.ReportRejected:
		r.code, r.r.Encoded = o.Code, nil
	case store.ReportAggregated:
		r.r.Encoded = nil
	}
	m.reports[o.ID] = r
}

func (t *modelTx) AddAggregationJob(job store.AggregationJob) error {
	if err := t.writes(); err != nil {
		return err
	}
	m := t.task(job.Task)
	if _, ok := m.jobs[job.ID]; ok || !m.allUnassigned(job.Reports) {
		return store.ErrConflict
	}
	job = cloneJob(job)
	for _, id := range job.Reports {
		r := m.reports[id]
		r.state, r.job = store.ReportAssigned, job.ID
		m.reports[id] = r
	}
	if job.Batch != nil {
		if _, ok := m.batches[*job.Batch]; !ok {
			m.batches[*job.Batch] = modelBatch{n: t.next(), created: job.Created, open: true}
		}
	}
	job.State, job.Revision = store.JobLive, 1
	m.jobs[job.ID] = numberedRow[store.AggregationJob]{t.next(), job}
	return nil
}

func (t *modelTx) LeaseAggregationJobs(now time.Time, ttl time.Duration, n int) ([]store.AggregationJob, error) {
	if err := t.writes(); err != nil {
		return nil, err
	}
	type entry struct {
		since time.Time
		numberedRow[store.AggregationJob]
	}
	var ready []entry
	for _, m := range t.tasks {
		for _, j := range m.jobs {
			if since, ok := due(j.row.NextAttempt, j.row.LeaseUntil, now); ok && j.row.State == store.JobLive {
				ready = append(ready, entry{since, j})
			}
		}
	}
	slices.SortFunc(ready, func(a, b entry) int { return cmp.Or(a.since.Compare(b.since), cmp.Compare(a.n, b.n)) })
	var out []store.AggregationJob
	for _, e := range ready[:min(len(ready), n)] {
		e.row.LeaseUntil = micro(now.Add(ttl))
		e.row.Revision++
		t.task(e.row.Task).jobs[e.row.ID] = e.numberedRow
		out = append(out, cloneJob(e.row))
	}
	return out, nil
}

func (t *modelTx) AggregationJob(task dap.TaskID, id dap.AggregationJobID) (store.AggregationJob, error) {
	j, ok := t.task(task).jobs[id]
	if !ok {
		return store.AggregationJob{}, store.ErrNotFound
	}
	return cloneJob(j.row), nil
}

func (t *modelTx) JobReports(job store.AggregationJob) ([]store.Report, error) {
	m := t.task(job.Task)
	var out []store.Report
	j, ok := m.jobs[job.ID]
	if !ok {
		return nil, store.ErrNotFound
	}
	for _, id := range j.row.Reports {
		r := m.reports[id].r
		r.Encoded = clone(r.Encoded)
		out = append(out, r)
	}
	return out, nil
}

// leased returns a live job at the caller's revision.
func (t *modelTx) leased(job store.AggregationJob) (numberedRow[store.AggregationJob], error) {
	if err := t.writes(); err != nil {
		return numberedRow[store.AggregationJob]{}, err
	}
	j, ok := t.task(job.Task).jobs[job.ID]
	if !ok {
		return j, store.ErrNotFound
	}
	if j.row.State != store.JobLive || j.row.Revision != job.Revision {
		return j, store.ErrConflict
	}
	j.row.Revision++
	return j, nil
}

func (t *modelTx) PrepareAggregationJob(job store.AggregationJob, outcomes []store.Outcome) error {
	j, err := t.leased(job)
	if err != nil {
		return err
	}
	if len(j.row.Request) > 0 {
		return store.ErrConflict
	}
	leave := make(map[dap.ReportID]bool)
	for _, o := range outcomes {
		if leave[o.ID] || !slices.Contains(j.row.Reports, o.ID) || o.State == store.ReportAggregated {
			return errors.New("bad outcome")
		}
		leave[o.ID] = true
	}
	stay := slices.DeleteFunc(slices.Clone(j.row.Reports), func(id dap.ReportID) bool { return leave[id] })
	if !slices.Equal(stay, job.Reports) || len(job.Request) == 0 {
		return errors.New("bad list or request")
	}
	m := t.task(job.Task)
	for _, o := range outcomes {
		m.outcome(o)
	}
	j.row.Reports, j.row.Request = stay, clone(job.Request)
	t.saveJob(j, job)
	return nil
}

func (t *modelTx) saveJob(j numberedRow[store.AggregationJob], job store.AggregationJob) {
	j.row.Location, j.row.Attempts, j.row.NextAttempt, j.row.Waiting, j.row.LeaseUntil = job.Location, job.Attempts, job.NextAttempt, job.Waiting, job.LeaseUntil
	j.row = cloneJob(j.row)
	t.task(job.Task).jobs[job.ID] = j
}

func (t *modelTx) SaveAggregationJob(job store.AggregationJob) error {
	j, err := t.leased(job)
	if err != nil {
		return err
	}
	t.saveJob(j, job)
	return nil
}

func (t *modelTx) FinishAggregationJob(job store.AggregationJob, outcomes []store.Outcome) error {
	j, err := t.leased(job)
	if err != nil {
		return err
	}
	seen := make(map[dap.ReportID]bool)
	for _, o := range outcomes {
		if seen[o.ID] || !slices.Contains(j.row.Reports, o.ID) || o.State < store.ReportUnassigned || o.State > store.ReportRejected || o.State == store.ReportAssigned {
			return errors.New("bad outcome")
		}
		seen[o.ID] = true
	}
	if len(seen) != len(j.row.Reports) {
		return errors.New("missing outcomes")
	}
	for _, o := range outcomes {
		t.task(job.Task).outcome(o)
	}
	t.endJob(j, store.JobFinished)
	return nil
}

func (t *modelTx) endJob(j numberedRow[store.AggregationJob], state store.JobState) {
	j.row.State, j.row.Request, j.row.LeaseUntil, j.row.Waiting = state, nil, time.Time{}, store.Waiting{}
	t.task(j.row.Task).jobs[j.row.ID] = j
}

func (t *modelTx) AbandonAggregationJob(job store.AggregationJob, notBefore time.Time) error {
	j, err := t.leased(job)
	if err != nil {
		return err
	}
	for _, id := range j.row.Reports {
		t.task(job.Task).outcome(store.Outcome{ID: id, State: store.ReportUnassigned, NotBefore: notBefore})
	}
	t.endJob(j, store.JobAbandoned)
	return nil
}

func (t *modelTx) LiveAggregationJobs(task dap.TaskID) ([]store.AggregationJob, error) {
	var out []store.AggregationJob
	for _, j := range sortedBy(t.task(task).jobs, func(a, b numberedRow[store.AggregationJob]) int { return cmp.Compare(a.n, b.n) }) {
		if j.row.State == store.JobLive {
			j.row.Request = nil
			out = append(out, cloneJob(j.row))
		}
	}
	return out, nil
}

func (t *modelTx) MarkAggregated(task dap.TaskID, bucket store.BucketID, ids []dap.ReportID) ([]dap.ReportID, error) {
	if err := t.writes(); err != nil {
		return nil, err
	}
	m := t.task(task)
	var replayed []dap.ReportID
	for _, id := range ids {
		if _, ok := m.marks[id]; ok {
			replayed = append(replayed, id)
			continue
		}
		m.marks[id] = bucket
	}
	return replayed, nil
}

func (t *modelTx) AggregatedReports(task dap.TaskID, batch store.Batch, after *dap.ReportID, limit int) ([]dap.ReportID, error) {
	m := t.task(task)
	var ids []dap.ReportID
	add := func(id dap.ReportID, bucket store.BucketID) {
		if inBatch(batch, bucket) && (after == nil || bytes.Compare(id[:], after[:]) > 0) {
			ids = append(ids, id)
		}
	}
	for id, bucket := range m.marks {
		add(id, bucket)
	}
	for id, r := range m.reports {
		if r.state == store.ReportAggregated {
			if j := m.jobs[r.job].row; j.Batch != nil && batch.ID != nil {
				add(id, store.BatchBucket(*j.Batch))
			} else if batch.ID == nil {
				add(id, store.TimeBucket(r.r.Time))
			}
		}
	}
	slices.SortFunc(ids, func(a, b dap.ReportID) int { return bytes.Compare(a[:], b[:]) })
	ids = slices.Compact(ids)
	return ids[:min(limit, len(ids))], nil
}

func inBatch(batch store.Batch, id store.BucketID) bool {
	if batch.ID != nil {
		return id == store.BatchBucket(*batch.ID)
	}
	end, ok := batch.Interval.End()
	return ok && len(id) == 8 && id >= store.TimeBucket(batch.Interval.Start) && id < store.TimeBucket(end)
}

func (t *modelTx) MergeBucket(task dap.TaskID, id store.BucketID, delta store.Bucket, merge store.Merge) error {
	if err := t.writes(); err != nil {
		return err
	}
	m := t.task(task)
	b := m.buckets[id]
	if b.erased {
		return store.ErrConflict
	}
	b.ID, b.Share = id, clone(b.Share)
	if err := merge(&b.Bucket, delta); err != nil {
		return err
	}
	m.buckets[id] = b
	return nil
}

func (t *modelTx) Buckets(task dap.TaskID, batch store.Batch, _ store.Merge) ([]store.Bucket, error) {
	var out []store.Bucket
	for _, b := range sortedBy(t.task(task).buckets, func(a, b modelBucket) int { return cmp.Compare(a.ID, b.ID) }) {
		if inBatch(batch, b.ID) {
			b.Share = clone(b.Share)
			out = append(out, b.Bucket)
		}
	}
	return out, nil
}

func (t *modelTx) BatchCollected(task dap.TaskID, batch store.Batch) (bool, error) {
	m := t.task(task)
	if batch.ID != nil {
		return m.collected[*batch.ID], nil
	}
	return slices.ContainsFunc(m.intervals, batch.Interval.Overlaps), nil
}

func (t *modelTx) MarkCollected(task dap.TaskID, batch store.Batch) error {
	if err := t.writes(); err != nil {
		return err
	}
	m := t.task(task)
	if batch.ID != nil {
		m.collected[*batch.ID] = true
		return nil
	}
	// One interval per unit of time would do as well, but for long ones.
	i := batch.Interval
	end, ok := i.End()
	if !ok || i.Duration == 0 {
		return nil
	}
	var kept []dap.Interval
	for _, old := range m.intervals {
		oldEnd, _ := old.End()
		if oldEnd < i.Start || old.Start > end {
			kept = append(kept, old)
			continue
		}
		i.Start, end = min(i.Start, old.Start), max(end, oldEnd)
	}
	i.Duration = dap.Duration(end - i.Start)
	m.intervals = append(kept, i)
	slices.SortFunc(m.intervals, func(a, b dap.Interval) int { return cmp.Compare(a.Start, b.Start) })
	return nil
}

func (t *modelTx) EraseBatch(task dap.TaskID, batch store.Batch) error {
	if err := t.writes(); err != nil {
		return err
	}
	m := t.task(task)
	_, ok := batch.Interval.End()
	switch {
	case batch.ID != nil && m.collected[*batch.ID]:
	case batch.ID == nil && (!ok || batch.Interval.Duration == 0):
	case batch.ID == nil && slices.ContainsFunc(m.intervals, func(i dap.Interval) bool { return i.ContainsInterval(batch.Interval) }):
	default:
		return store.ErrConflict
	}
	for id, b := range m.buckets {
		if inBatch(batch, id) {
			b.Share, b.erased = nil, true
			m.buckets[id] = b
		}
	}
	return nil
}

func (t *modelTx) Progress(task dap.TaskID, batch store.Batch) (store.Progress, error) {
	m := t.task(task)
	var p store.Progress
	for _, r := range m.reports {
		if batch.ID == nil && !inBatch(batch, store.TimeBucket(r.r.Time)) {
			continue
		}
		if j := m.jobs[r.job].row; batch.ID != nil && (j.Batch == nil || *j.Batch != *batch.ID) {
			continue
		}
		switch r.state {
		case store.ReportUnassigned:
			p.Unassigned++
		case store.ReportAssigned:
			p.Assigned++
		case store.ReportAggregated:
			p.Aggregated++
		case store.ReportRejected:
			p.Rejected++
		}
	}
	return p, nil
}

func (t *modelTx) LeaderBatches(task dap.TaskID) ([]store.LeaderBatch, error) {
	m := t.task(task)
	type entry struct {
		n int
		store.LeaderBatch
	}
	var open []entry
	for id, b := range m.batches {
		p, err := t.Progress(task, store.Batch{ID: &id})
		if err != nil {
			return nil, err
		}
		if b.open && p.Assigned+p.Aggregated > 0 {
			open = append(open, entry{b.n, store.LeaderBatch{ID: id, Created: b.created, Progress: p}})
		}
	}
	slices.SortFunc(open, func(a, b entry) int { return cmp.Compare(a.n, b.n) })
	var out []store.LeaderBatch
	for _, e := range open {
		out = append(out, e.LeaderBatch)
	}
	return out, nil
}

func (t *modelTx) ReserveBatch(task dap.TaskID, batch dap.BatchID, job dap.CollectionJobID) error {
	if err := t.writes(); err != nil {
		return err
	}
	m := t.task(task)
	b, ok := m.batches[batch]
	if b.reserved != nil && *b.reserved != job {
		return store.ErrConflict
	}
	if !ok {
		b.n = t.next()
	}
	b.open, b.reserved = false, &job
	m.batches[batch] = b
	return nil
}

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
