package aggregator

import (
	"fmt"
	"slices"

	"candor/aggregator/store"
	"candor/schema/dap"
)

// An OutputShare is what verification makes of a report: ready to be committed.
type OutputShare struct {
	ID    dap.ReportID
	Time  dap.Time
	Share []byte // encoded; nil: the report was refused and is passed over
}

// Sum adds output shares up by bucket. The deltas come in order of their IDs, so that transactions which touch several buckets touch
// them in one order. Shares for which skip returns true, and those that are nil, are left out; skip may be nil.
func (t *Task) Sum(shares []OutputShare, batch *dap.BatchID, skip func(OutputShare) bool) ([]store.Bucket, error) {
	deltas := make(map[store.BucketID]*store.Bucket)
	for _, s := range shares {
		if s.Share == nil || skip != nil && skip(s) {
			continue
		}
		id := t.Bucket(s.Time, batch)
		d := deltas[id]
		if d == nil {
			d = &store.Bucket{ID: id, Share: t.VDAF.ZeroShare(), MinTime: s.Time, MaxTime: s.Time}
			deltas[id] = d
		}
		if err := t.VDAF.AddShare(d.Share, s.Share); err != nil {
			return nil, fmt.Errorf("summing output shares of task %s: %w", t.ID, err)
		}
		d.Count++
		d.Checksum = dap.XORChecksums(d.Checksum, dap.Checksum(s.ID))
		d.MinTime, d.MaxTime = min(d.MinTime, s.Time), max(d.MaxTime, s.Time)
	}
	list := make([]store.Bucket, 0, len(deltas))
	for _, d := range deltas {
		list = append(list, *d)
	}
	slices.SortFunc(list, func(a, b store.Bucket) int { return cmpBucketID(a.ID, b.ID) })
	return list, nil
}

func cmpBucketID(a, b store.BucketID) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// Aggregate is a batch, merged over its buckets.
type Aggregate struct {
	Share    []byte
	Count    uint64
	Checksum [32]byte
	Interval dap.Interval // the smallest that contains the times of all reports; empty without reports
}

// ReadBatch merges the buckets of a batch, as they are in tx.
func (t *Task) ReadBatch(tx store.Tx, batch store.Batch) (Aggregate, error) {
	buckets, err := tx.Buckets(t.ID, batch, store.Adding(t.VDAF.AddShare))
	if err != nil {
		return Aggregate{}, err
	}
	a := Aggregate{Share: t.VDAF.ZeroShare()}
	var lo, hi dap.Time
	for _, b := range buckets {
		if err := t.VDAF.AddShare(a.Share, b.Share); err != nil {
			return Aggregate{}, fmt.Errorf("merging the buckets of task %s: %w", t.ID, err)
		}
		if a.Count == 0 {
			lo, hi = b.MinTime, b.MaxTime
		}
		a.Count += b.Count
		a.Checksum = dap.XORChecksums(a.Checksum, b.Checksum)
		lo, hi = min(lo, b.MinTime), max(hi, b.MaxTime)
	}
	if a.Count > 0 {
		a.Interval = dap.Interval{Start: lo, Duration: dap.Duration(hi-lo) + 1}
	}
	return a, nil
}
