package boltstore

import (
	"fmt"

	"golang.org/x/crypto/cryptobyte"

	"candor/aggregator/store"
	"candor/schema/dap"
)

// A bucketRow is the content of a batch bucket. bbolt has one writer, so no bucket is split into shards.
type bucketRow struct {
	Count    uint64
	Checksum [32]byte
	MinTime  dap.Time
	MaxTime  dap.Time
	Erased   bool
	Share    []byte
}

func (r *bucketRow) marshal(b *cryptobyte.Builder) {
	b.AddUint64(r.Count)
	b.AddBytes(r.Checksum[:])
	b.AddUint64(uint64(r.MinTime))
	b.AddUint64(uint64(r.MaxTime))
	addBool(b, r.Erased)
	addBytes(b, r.Share)
}

func (r *bucketRow) unmarshal(s *reader) bool {
	return s.uint64(&r.Count) && s.fixed(r.Checksum[:]) && s.dapTime(&r.MinTime) && s.dapTime(&r.MaxTime) && s.bool(&r.Erased) &&
		s.bytes(&r.Share) && !(r.Erased && r.Share != nil)
}

func (t *tx) MergeBucket(task dap.TaskID, id store.BucketID, delta store.Bucket, add func(dst, src []byte) error) error {
	if err := t.check(true); err != nil {
		return err
	}
	if err := checkBucketID(id); err != nil {
		return err
	}
	b, err := t.make(task, kindBuckets)
	if err != nil {
		return err
	}
	key := []byte(id)
	old := b.Get(key)
	var row bucketRow
	if old != nil {
		if err := decode(old, &row); err != nil {
			return err
		}
	}
	if row.Erased {
		return fmt.Errorf("merging into bucket %x, which was erased: %w", key, store.ErrConflict)
	}
	if err := row.merge(delta, add); err != nil {
		return fmt.Errorf("merging into bucket %x: %w", key, err)
	}
	value, err := encode(&row, 64+len(row.Share))
	if err != nil {
		return err
	}
	return t.put(b, key, old, value)
}

func (r *bucketRow) merge(delta store.Bucket, add func(dst, src []byte) error) error {
	switch {
	case len(delta.Share) == 0:
	case r.Share == nil:
		r.Share = clone(delta.Share)
	case len(r.Share) != len(delta.Share):
		return fmt.Errorf("a share of %d bytes does not add to one of %d", len(delta.Share), len(r.Share))
	default:
		if err := add(r.Share, delta.Share); err != nil {
			return err
		}
	}
	if delta.Count > 0 {
		if r.Count == 0 {
			r.MinTime, r.MaxTime = delta.MinTime, delta.MaxTime
		}
		r.MinTime, r.MaxTime = min(r.MinTime, delta.MinTime), max(r.MaxTime, delta.MaxTime)
	}
	r.Count += delta.Count
	for i := range r.Checksum {
		r.Checksum[i] ^= delta.Checksum[i]
	}
	return nil
}

func checkBucketID(id store.BucketID) error {
	if len(id) != 8 && len(id) != 32 {
		return fmt.Errorf("bucket ID of %d bytes, want 8 or 32", len(id))
	}
	return nil
}

// eachBucket calls fn with the rows of a batch's buckets, in order of their IDs. fn must not change the bucket it is called from.
func (t *tx) eachBucket(task dap.TaskID, batch store.Batch, fn func(id store.BucketID, value []byte) error) error {
	b := t.find(task, kindBuckets)
	if b == nil {
		return nil
	}
	if batch.ID != nil {
		if v := b.Get(batch.ID[:]); v != nil {
			return fn(store.BatchBucket(*batch.ID), v)
		}
		return nil
	}
	end, ok := batch.Interval.End()
	if !ok {
		return nil
	}
	c, last := b.Cursor(), string(store.TimeBucket(end))
	for k, v := c.Seek([]byte(store.TimeBucket(batch.Interval.Start))); k != nil && string(k) < last; k, v = c.Next() {
		if len(k) != 8 {
			continue
		}
		if err := fn(store.BucketID(k), v); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) Buckets(task dap.TaskID, batch store.Batch, _ func(dst, src []byte) error) ([]store.Bucket, error) {
	if err := t.check(false); err != nil {
		return nil, err
	}
	var buckets []store.Bucket
	err := t.eachBucket(task, batch, func(id store.BucketID, value []byte) error {
		var row bucketRow
		if err := decode(value, &row); err != nil {
			return err
		}
		buckets = append(buckets, store.Bucket{
			ID: id, Share: row.Share, Count: row.Count, Checksum: row.Checksum, MinTime: row.MinTime, MaxTime: row.MaxTime,
		})
		return nil
	})
	return buckets, err
}

func (t *tx) EraseBatch(task dap.TaskID, batch store.Batch) error {
	if err := t.check(true); err != nil {
		return err
	}
	if all, err := t.collectedWhole(task, batch); err != nil {
		return err
	} else if !all {
		return fmt.Errorf("erasing a batch that was not collected: %w", store.ErrConflict)
	}
	type entry struct {
		id  store.BucketID
		old []byte
		row bucketRow
	}
	var entries []entry
	err := t.eachBucket(task, batch, func(id store.BucketID, value []byte) error {
		e := entry{id: id, old: value}
		if err := decode(value, &e.row); err != nil {
			return err
		}
		if !e.row.Erased {
			entries = append(entries, e)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, e := range entries {
		e.row.Share, e.row.Erased = nil, true
		value, err := encode(&e.row, 64)
		if err != nil {
			return err
		}
		if err := t.put(t.find(task, kindBuckets), []byte(e.id), e.old, value); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) MarkAggregated(task dap.TaskID, bucket store.BucketID, ids []dap.ReportID) ([]dap.ReportID, error) {
	if err := t.check(true); err != nil {
		return nil, err
	}
	if err := checkBucketID(bucket); err != nil {
		return nil, err
	}
	n, err := t.bucketNumber(task, bucket)
	if err != nil {
		return nil, err
	}
	marks := t.index(task, indexMarks)
	var replayed []dap.ReportID
	for _, id := range ids {
		_, seen, err := marks.find(id)
		if err != nil {
			return nil, err
		}
		if seen {
			replayed = append(replayed, id)
			continue
		}
		marks.add(id, n)
	}
	return replayed, nil
}

// bucketNumber returns the number that stands for a bucket in the index of marks.
func (t *tx) bucketNumber(task dap.TaskID, bucket store.BucketID) (uint64, error) {
	if v := get(t.find(task, kindMarkBuckets), []byte(bucket)); v != nil {
		return decodeUint64("number of a bucket", v)
	}
	numbers, err := t.make(task, kindMarkNumbers)
	if err != nil {
		return 0, err
	}
	buckets, err := t.make(task, kindMarkBuckets)
	if err != nil {
		return 0, err
	}
	n, err := number(numbers)
	if err != nil {
		return 0, err
	}
	if err := t.put(numbers, keyUint64(n), nil, raw([]byte(bucket))); err != nil {
		return 0, err
	}
	return n, t.put(buckets, []byte(bucket), nil, encodeUint64(n))
}

// markBucket returns the bucket that a number in the index of marks stands for.
func (t *tx) markBucket(task dap.TaskID, n uint64) (store.BucketID, error) {
	v := get(t.find(task, kindMarkNumbers), keyUint64(n))
	if v == nil {
		return "", fmt.Errorf("bucket %d of the marks: %w", n, errMalformed)
	}
	id, err := peekRaw("bucket of a mark", v)
	return store.BucketID(id), err
}
