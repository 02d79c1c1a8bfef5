package boltstore

import (
	"bytes"
	"encoding/binary"
	"slices"

	"candor/aggregator/store"
	"candor/schema/dap"
)

// Collected intervals are kept as disjoint ranges, start -> end, so that a question touches one or two rows however many
// buckets a batch has.

// span is a collected range of time buckets.
type span struct{ start, end uint64 }

// spansOver returns the collected ranges that share a bucket with, or touch, [start, end].
func (t *tx) spansOver(task dap.TaskID, start, end uint64) ([]span, error) {
	b := t.find(task, kindIntervals)
	if b == nil {
		return nil, nil
	}
	var spans []span
	c := b.Cursor()
	k, _ := c.Seek(keyUint64(start))
	var v []byte
	// The range before may reach into this one.
	if k == nil {
		k, v = c.Last()
	} else if pk, pv := c.Prev(); pk != nil {
		k, v = pk, pv
	} else {
		k, v = c.First()
	}
	for ; k != nil; k, v = c.Next() {
		to, err := decodeUint64("collected interval", v)
		if err != nil {
			return nil, err
		}
		s := span{binary.BigEndian.Uint64(k), to}
		if s.start > end {
			break
		}
		if s.end >= start {
			spans = append(spans, s)
		}
	}
	return spans, nil
}

func (t *tx) BatchCollected(task dap.TaskID, batch store.Batch) (bool, error) {
	if err := t.check(false); err != nil {
		return false, err
	}
	if batch.ID != nil {
		return get(t.find(task, kindCollected), batch.ID[:]) != nil, nil
	}
	spans, start, end, err := t.spansOf(task, batch.Interval)
	return slices.ContainsFunc(spans, func(s span) bool { return max(s.start, start) < min(s.end, end) }), err
}

// collectedWhole says whether every bucket of the batch was marked collected.
func (t *tx) collectedWhole(task dap.TaskID, batch store.Batch) (bool, error) {
	if batch.ID != nil {
		return get(t.find(task, kindCollected), batch.ID[:]) != nil, nil
	}
	spans, start, end, err := t.spansOf(task, batch.Interval)
	return start == end || slices.ContainsFunc(spans, func(s span) bool { return s.start <= start && end <= s.end }), err
}

// spansOf is spansOver for an interval; one that is not well-formed contains nothing.
func (t *tx) spansOf(task dap.TaskID, i dap.Interval) (spans []span, start, end uint64, err error) {
	last, ok := i.End()
	if !ok || i.Duration == 0 {
		return nil, 0, 0, nil
	}
	start, end = uint64(i.Start), uint64(last)
	spans, err = t.spansOver(task, start, end)
	return spans, start, end, err
}

func (t *tx) MarkCollected(task dap.TaskID, batch store.Batch) error {
	if err := t.check(true); err != nil {
		return err
	}
	if batch.ID != nil {
		b, err := t.make(task, kindCollected)
		if err != nil || b.Get(batch.ID[:]) != nil {
			return err
		}
		return t.put(b, batch.ID[:], nil, raw(nil))
	}
	spans, start, end, err := t.spansOf(task, batch.Interval)
	if err != nil || start == end {
		return err
	}
	b, err := t.make(task, kindIntervals)
	if err != nil {
		return err
	}
	for _, s := range spans {
		if err := t.drop(b, keyUint64(s.start), encodeUint64(s.end)); err != nil {
			return err
		}
		start, end = min(start, s.start), max(end, s.end)
	}
	return t.put(b, keyUint64(start), nil, encodeUint64(end))
}

func (t *tx) AggregatedReports(task dap.TaskID, batch store.Batch, after *dap.ReportID, limit int) ([]dap.ReportID, error) {
	if err := t.check(false); err != nil {
		return nil, err
	}
	var ids []dap.ReportID
	if limit <= 0 {
		return nil, nil
	}
	// A task has report rows or marks, according to the role.
	for kinds, match := range map[indexKinds]func(uint64) (bool, error){
		indexReports: t.aggregatedRows(task, batch), indexMarks: t.markedBuckets(task, batch),
	} {
		found := 0
		err := t.index(task, kinds).scan(after, func(id dap.ReportID, n uint64) (bool, error) {
			ok, err := match(n)
			if ok && err == nil {
				ids = append(ids, id)
				found++
			}
			return found < limit, err
		})
		if err != nil {
			return nil, err
		}
	}
	slices.SortFunc(ids, func(a, b dap.ReportID) int { return bytes.Compare(a[:], b[:]) })
	ids = slices.Compact(ids)
	return ids[:min(len(ids), limit)], nil
}

// markedBuckets tells by a bucket's number whether it belongs to the batch.
func (t *tx) markedBuckets(task dap.TaskID, batch store.Batch) func(uint64) (bool, error) {
	buckets := make(map[uint64]bool)
	return func(n uint64) (bool, error) {
		in, known := buckets[n]
		if !known {
			id, err := t.markBucket(task, n)
			if err != nil {
				return false, err
			}
			in = inBatch(batch, id)
			buckets[n] = in
		}
		return in, nil
	}
}

// aggregatedRows tells by a report's number whether it was aggregated into the batch.
func (t *tx) aggregatedRows(task dap.TaskID, batch store.Batch) func(uint64) (bool, error) {
	jobs := make(map[dap.AggregationJobID]bool)
	return func(n uint64) (bool, error) {
		r, err := t.report(task, dap.ReportID{}, n)
		if err != nil || r.row.State != store.ReportAggregated {
			return false, err
		}
		if batch.ID == nil {
			return batch.Interval.Contains(r.row.Time), nil
		}
		in, known := jobs[r.row.Job]
		if !known {
			row, _, err := t.job(task, r.row.Job)
			if err != nil {
				return false, err
			}
			in = row.Batch != nil && *row.Batch == *batch.ID
			jobs[r.row.Job] = in
		}
		return in, nil
	}
}

// inBatch says whether a bucket belongs to a batch.
func inBatch(batch store.Batch, id store.BucketID) bool {
	if batch.ID != nil {
		return id == store.BatchBucket(*batch.ID)
	}
	return len(id) == 8 && batch.Interval.Contains(dap.Time(binary.BigEndian.Uint64([]byte(id))))
}
