package boltstore

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"go.etcd.io/bbolt"
	"golang.org/x/crypto/cryptobyte"

	"candor/aggregator/store"
	"candor/schema/dap"
)

// A bucketRow is the content of a batch bucket, or of a shard of it. bbolt has one writer, so that buckets are not split into shards here; those
// that were imported from another store may be. The key of shard 0 is the bucket's ID, that of another one ends with its number.
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

func (t *tx) MergeBucket(task dap.TaskID, id store.BucketID, delta store.Bucket, merge store.Merge) error {
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
	if _, v := seekShard(b.Cursor(), id); v != nil {
		var first bucketRow
		if err := decode(v, &first); err != nil {
			return err
		}
		if first.Erased {
			return fmt.Errorf("merging into bucket %x, which was erased: %w", key, store.ErrConflict)
		}
	}
	old := b.Get(key)
	var row bucketRow
	if old != nil {
		if err := decode(old, &row); err != nil {
			return err
		}
	}
	sum := row.bucket(id)
	if err := merge(&sum, delta); err != nil {
		return fmt.Errorf("merging into bucket %x: %w", key, err)
	}
	row = rowOf(sum)
	value, err := encode(&row, 64+len(row.Share))
	if err != nil {
		return err
	}
	return t.put(b, key, old, value)
}

// seekShard moves to the first shard of a bucket; nil if there is none.
func seekShard(c *bbolt.Cursor, id store.BucketID) (key, value []byte) {
	k, v := c.Seek([]byte(id))
	if shardOf, _, ok := shardKey(k); !ok || shardOf != id {
		return nil, nil
	}
	return k, v
}

// shardKey returns the bucket and the shard that a key names.
func shardKey(key []byte) (id store.BucketID, shard uint16, ok bool) {
	switch len(key) {
	case 8, 32:
		return store.BucketID(key), 0, true
	case 10, 34:
		n := len(key) - 2
		return store.BucketID(key[:n]), binary.BigEndian.Uint16(key[n:]), true
	}
	return "", 0, false
}

// keyOfShard is the inverse of shardKey.
func keyOfShard(id store.BucketID, shard uint16) []byte {
	if shard == 0 {
		return []byte(id)
	}
	return binary.BigEndian.AppendUint16([]byte(id), shard)
}

func checkBucketID(id store.BucketID) error {
	if len(id) != 8 && len(id) != 32 {
		return fmt.Errorf("bucket ID of %d bytes, want 8 or 32", len(id))
	}
	return nil
}

// eachBucket calls fn with the rows of a batch's buckets, in order of their IDs and shards. fn must not change the bucket it is called from.
func (t *tx) eachBucket(task dap.TaskID, batch store.Batch, fn func(id store.BucketID, key, value []byte) error) error {
	b := t.find(task, kindBuckets)
	if b == nil {
		return nil
	}
	c := b.Cursor()
	if batch.ID != nil {
		want := store.BatchBucket(*batch.ID)
		for k, v := seekShard(c, want); k != nil; k, v = c.Next() {
			id, _, ok := shardKey(k)
			if !ok || id != want {
				break
			}
			if err := fn(id, k, v); err != nil {
				return err
			}
		}
		return nil
	}
	end, ok := batch.Interval.End()
	if !ok {
		return nil
	}
	last := string(store.TimeBucket(end))
	for k, v := c.Seek([]byte(store.TimeBucket(batch.Interval.Start))); k != nil && string(k) < last; k, v = c.Next() {
		if id, _, ok := shardKey(k); ok && len(id) == 8 {
			if err := fn(id, k, v); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *tx) Buckets(task dap.TaskID, batch store.Batch, merge store.Merge) ([]store.Bucket, error) {
	if err := t.check(false); err != nil {
		return nil, err
	}
	var buckets []store.Bucket
	err := t.eachBucket(task, batch, func(id store.BucketID, _, value []byte) error {
		var row bucketRow
		if err := decode(value, &row); err != nil {
			return err
		}
		if last := len(buckets) - 1; last >= 0 && buckets[last].ID == id {
			if err := merge(&buckets[last], row.bucket(id)); err != nil {
				return fmt.Errorf("merging the shards of bucket %x: %w", string(id), err)
			}
			return nil
		}
		buckets = append(buckets, row.bucket(id))
		return nil
	})
	return buckets, err
}

func (r *bucketRow) bucket(id store.BucketID) store.Bucket {
	return store.Bucket{ID: id, Share: r.Share, Count: r.Count, Checksum: r.Checksum, MinTime: r.MinTime, MaxTime: r.MaxTime}
}

func rowOf(b store.Bucket) bucketRow {
	return bucketRow{Share: b.Share, Count: b.Count, Checksum: b.Checksum, MinTime: b.MinTime, MaxTime: b.MaxTime}
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
		key, old []byte
		row      bucketRow
	}
	var entries []entry
	err := t.eachBucket(task, batch, func(_ store.BucketID, key, value []byte) error {
		e := entry{key: bytes.Clone(key), old: value}
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
		if err := t.put(t.find(task, kindBuckets), e.key, e.old, value); err != nil {
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
