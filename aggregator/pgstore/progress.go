package pgstore

import (
	"encoding/binary"
	"slices"

	"github.com/jackc/pgx/v5"

	"candor/aggregator/store"
	"candor/schema/dap"
)

// A countKey names a unit of time (8 bytes) or a leader-selected batch (32), whose reports are counted.
type countKey struct {
	task   dap.TaskID
	bucket string
}

// count returns the differences to add to a row of counters when the function ends; a negative one wraps.
func (t *tx) count(task dap.TaskID, bucket []byte) *store.Progress {
	key := countKey{task, string(bucket)}
	p := t.counts[key]
	if p == nil {
		if t.counts == nil {
			t.counts = make(map[countKey]*store.Progress)
		}
		p = new(store.Progress)
		t.counts[key] = p
	}
	return p
}

// flushCounts writes the differences, task by task in one order, so that two transactions never wait for each other.
func (t *tx) flushCounts() error {
	byTask := make(map[dap.TaskID][]countKey)
	var tasks []dap.TaskID
	for key := range t.counts {
		if byTask[key.task] == nil {
			tasks = append(tasks, key.task)
		}
		byTask[key.task] = append(byTask[key.task], key)
	}
	slices.SortFunc(tasks, func(a, b dap.TaskID) int { return slices.Compare(a[:], b[:]) })
	for _, task := range tasks {
		var buckets [][]byte
		var unassigned, assigned, aggregated, rejected []int64
		for _, key := range byTask[task] {
			p := t.counts[key]
			buckets = append(buckets, []byte(key.bucket))
			unassigned, assigned = append(unassigned, int64(p.Unassigned)), append(assigned, int64(p.Assigned))
			aggregated, rejected = append(aggregated, int64(p.Aggregated)), append(rejected, int64(p.Rejected))
		}
		if _, err := t.exec("progress_add", task[:], t.shard, buckets, unassigned, assigned, aggregated, rejected); err != nil {
			return err
		}
	}
	clear(t.counts)
	return nil
}

func (t *tx) Progress(task dap.TaskID, batch store.Batch) (store.Progress, error) {
	var p store.Progress
	if err := t.checkReports(false); err != nil {
		return p, err
	}
	if err := t.flushCounts(); err != nil {
		return p, err
	}
	if batch.ID != nil {
		return t.batchProgress(task, *batch.ID)
	}
	start, end, ok := bound(batch.Interval)
	if !ok {
		return p, nil
	}
	var n [4]int64
	_, err := t.row("progress_interval", []any{&n[0], &n[1], &n[2], &n[3]}, task[:], start, end)
	return toProgress(n), err
}

func (t *tx) batchProgress(task dap.TaskID, id dap.BatchID) (store.Progress, error) {
	var n [4]int64
	_, err := t.row("progress_batch", []any{&n[0], &n[1], &n[2], &n[3]}, task[:], id[:])
	return toProgress(n), err
}

func toProgress(n [4]int64) store.Progress {
	return store.Progress{Unassigned: uint64(n[0]), Assigned: uint64(n[1]), Aggregated: uint64(n[2]), Rejected: uint64(n[3])}
}

func toTime(b []byte) dap.Time { return dap.Time(binary.BigEndian.Uint64(b)) }

func (t *tx) LeaderBatches(task dap.TaskID) ([]store.LeaderBatch, error) {
	if err := t.checkReports(false); err != nil {
		return nil, err
	}
	if err := t.flushCounts(); err != nil {
		return nil, err
	}
	var batches []store.LeaderBatch
	err := t.rows("batches_open", func(r pgx.Rows) error {
		var b store.LeaderBatch
		var n [4]int64
		err := r.Scan(fixed(b.ID[:]), utc{&b.Created}, &n[0], &n[1], &n[2], &n[3])
		b.Progress = toProgress(n)
		batches = append(batches, b)
		return err
	}, task[:])
	return batches, err
}
