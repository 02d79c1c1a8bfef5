package storetest

import (
	"bytes"
	"cmp"
	"slices"

	"candor/aggregator/store"
	"candor/schema/dap"
)

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
