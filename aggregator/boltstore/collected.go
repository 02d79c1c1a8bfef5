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
	k, v := c.Seek(keyUint64(start))
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
	// A task has report rows or marks, according to the role.
	ids, err := t.scan(task, kindIDs, after, limit, t.aggregatedRows(task, batch))
	if err != nil {
		return nil, err
	}
	marked, err := t.scan(task, kindAggregated, after, limit, func(_ dap.ReportID, value []byte) (bool, error) {
		id, err := peekRaw("aggregated report", value)
		return inBatch(batch, store.BucketID(id)), err
	})
	if err != nil {
		return nil, err
	}
	ids = append(ids, marked...)
	slices.SortFunc(ids, func(a, b dap.ReportID) int { return bytes.Compare(a[:], b[:]) })
	ids = slices.Compact(ids)
	return ids[:min(len(ids), max(limit, 0))], nil
}

// scan returns up to limit keys greater than after that match.
func (t *tx) scan(task dap.TaskID, k kind, after *dap.ReportID, limit int, match func(id dap.ReportID, value []byte) (bool, error)) ([]dap.ReportID, error) {
	b := t.find(task, k)
	if b == nil {
		return nil, nil
	}
	c := b.Cursor()
	key, value := c.First()
	if after != nil {
		if key, value = c.Seek(after[:]); bytes.Equal(key, after[:]) {
			key, value = c.Next()
		}
	}
	var ids []dap.ReportID
	for ; key != nil && len(ids) < limit; key, value = c.Next() {
		id := dap.ReportID(key)
		ok, err := match(id, value)
		if err != nil {
			return nil, err
		}
		if ok {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// aggregatedRows tells by a report's row whether it was aggregated into the batch.
func (t *tx) aggregatedRows(task dap.TaskID, batch store.Batch) func(dap.ReportID, []byte) (bool, error) {
	jobs := make(map[dap.AggregationJobID]bool)
	return func(id dap.ReportID, value []byte) (bool, error) {
		n, err := decodeUint64("report number", value)
		if err != nil {
			return false, err
		}
		r, err := t.report(task, id, n)
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
