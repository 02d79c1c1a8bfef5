package pgstore

import (
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"candor/aggregator/store"
	"candor/schema/dap"
)

func checkBucketID(id store.BucketID) error {
	if len(id) != 8 && len(id) != 32 {
		return fmt.Errorf("bucket ID of %d bytes, want 8 or 32", len(id))
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
	// A second mention of an ID in one list is a replay of the first.
	var unique, replayed []dap.ReportID
	seen := make(map[dap.ReportID]bool, len(ids))
	for _, id := range ids {
		if !seen[id] {
			seen[id] = true
			unique = append(unique, id)
		}
	}
	added, err := t.ids("marks_add", task[:], []byte(bucket), idBytes(unique))
	if err != nil {
		return nil, err
	}
	isNew := make(map[dap.ReportID]bool, len(added))
	for _, id := range added {
		isNew[dap.ReportID(id)] = true
	}
	for _, id := range ids {
		if !isNew[id] {
			replayed = append(replayed, id)
		}
		delete(isNew, id)
	}
	return replayed, nil
}

func (t *tx) AggregatedReports(task dap.TaskID, batch store.Batch, after *dap.ReportID, limit int) ([]dap.ReportID, error) {
	if err := t.checkReports(false); err != nil {
		return nil, err
	}
	from := []byte{}
	if after != nil {
		from = after[:]
	}
	var ids [][]byte
	var err error
	if batch.ID != nil {
		ids, err = t.ids("aggregated_batch", task[:], from, max(limit, 0), batch.ID[:])
	} else if start, end, ok := bound(batch.Interval); ok {
		ids, err = t.ids("aggregated_interval", task[:], from, max(limit, 0), start, end)
	}
	out := make([]dap.ReportID, len(ids))
	for i, id := range ids {
		if e := fixed(out[i][:]).ScanBytes(id); e != nil {
			return nil, e
		}
	}
	return out, err
}

// scanShard returns the destinations of a bucket's columns, and a function that completes the row.
func scanShard(b *store.Bucket) ([]any, func()) {
	var id []byte
	var count int64
	var times [2][8]byte
	return []any{&id, &b.Share, &count, fixed(b.Checksum[:]), fixed(times[0][:]), fixed(times[1][:])}, func() {
		b.ID, b.Share, b.Count, b.MinTime, b.MaxTime = store.BucketID(id), null(b.Share), uint64(count), toTime(times[0][:]), toTime(times[1][:])
	}
}

func (t *tx) MergeBucket(task dap.TaskID, id store.BucketID, delta store.Bucket, merge store.Merge) error {
	if err := t.check(true); err != nil {
		return err
	}
	if err := checkBucketID(id); err != nil {
		return err
	}
	if erased, err := t.exists("bucket_erased", task[:], []byte(id)); err != nil {
		return err
	} else if erased {
		return fmt.Errorf("merging into bucket %x, which was erased: %w", string(id), store.ErrConflict)
	}
	var b store.Bucket
	dest, complete := scanShard(&b)
	if found, err := t.row("bucket_shard", dest, task[:], []byte(id), t.shard); err != nil {
		return err
	} else if found {
		complete()
	}
	b.ID = id
	if err := merge(&b, delta); err != nil {
		return fmt.Errorf("merging into bucket %x: %w", string(id), err)
	}
	return t.putShard(task, t.shard, b)
}

func (t *tx) putShard(task dap.TaskID, shard int, b store.Bucket) error {
	_, err := t.exec("bucket_put", task[:], []byte(b.ID), shard, null(b.Share), int64(b.Count), b.Checksum[:], timeBytes(b.MinTime), timeBytes(b.MaxTime))
	return err
}

func (t *tx) Buckets(task dap.TaskID, batch store.Batch, merge store.Merge) ([]store.Bucket, error) {
	if err := t.check(false); err != nil {
		return nil, err
	}
	name, args := "buckets_batch", []any{task[:]}
	if batch.ID != nil {
		args = append(args, batch.ID[:])
	} else {
		start, end, ok := bound(batch.Interval)
		if !ok {
			return nil, nil
		}
		name, args = "buckets_interval", append(args, start, end)
	}
	var buckets []store.Bucket
	var failed error
	err := t.rows(name, func(r pgx.Rows) error {
		var b store.Bucket
		dest, complete := scanShard(&b)
		if err := r.Scan(dest...); err != nil {
			return err
		}
		complete()
		if last := len(buckets) - 1; last >= 0 && buckets[last].ID == b.ID {
			if err := merge(&buckets[last], b); err != nil && failed == nil {
				failed = fmt.Errorf("merging the shards of bucket %x: %w", string(b.ID), err)
			}
			return nil
		}
		buckets = append(buckets, b)
		return nil
	}, args...)
	return buckets, errors.Join(err, failed)
}

func (t *tx) EraseBatch(task dap.TaskID, batch store.Batch) error {
	if err := t.check(true); err != nil {
		return err
	}
	if batch.ID != nil {
		if collected, err := t.BatchCollected(task, batch); err != nil {
			return err
		} else if !collected {
			return fmt.Errorf("erasing a batch that was not collected: %w", store.ErrConflict)
		}
		_, err := t.exec("erase_batch", task[:], batch.ID[:])
		return err
	}
	start, end, ok := bound(batch.Interval)
	if !ok {
		return nil
	}
	from, to, err := t.collectedBefore(task, end)
	if err != nil {
		return err
	}
	if from == nil || string(from) > string(start) || string(to) < string(end) {
		return fmt.Errorf("erasing a batch that was not collected as a whole: %w", store.ErrConflict)
	}
	_, err = t.exec("erase_interval", task[:], start, end)
	return err
}

// collectedBefore returns the last collected interval that begins before end; nil if there is none. Collected intervals are disjoint
// and do not touch, so it is the only one that can overlap one that ends there.
func (t *tx) collectedBefore(task dap.TaskID, end []byte) (start, finish []byte, err error) {
	_, err = t.row("collected_before", []any{&start, &finish}, task[:], end)
	return start, finish, err
}

func (t *tx) BatchCollected(task dap.TaskID, batch store.Batch) (bool, error) {
	if err := t.check(false); err != nil {
		return false, err
	}
	if batch.ID != nil {
		return t.exists("collected_batch", task[:], batch.ID[:])
	}
	start, end, ok := bound(batch.Interval)
	if !ok {
		return false, nil
	}
	from, to, err := t.collectedBefore(task, end)
	return from != nil && string(to) > string(start), err
}

func (t *tx) MarkCollected(task dap.TaskID, batch store.Batch) error {
	if err := t.check(true); err != nil {
		return err
	}
	if batch.ID != nil {
		_, err := t.exec("collected_batch_add", task[:], batch.ID[:])
		return err
	}
	start, end, ok := bound(batch.Interval)
	if !ok {
		return nil
	}
	from, to := string(start), string(end)
	err := t.rows("collected_take", func(r pgx.Rows) error {
		var s, f []byte
		err := r.Scan(&s, &f)
		from, to = min(from, string(s)), max(to, string(f))
		return err
	}, task[:], start, end)
	if err != nil {
		return err
	}
	_, err = t.exec("collected_add", task[:], []byte(from), []byte(to))
	return err
}
