package pgstore

import (
	"fmt"

	"github.com/jackc/pgx/v5"

	"candor/aggregator/store"
	"candor/schema/dap"
)

func (t *tx) PinTask(task dap.TaskID, digest [32]byte) error {
	if err := t.check(true); err != nil {
		return err
	}
	var pinned [32]byte
	found, err := t.row("task_pin", []any{fixed(pinned[:])}, task[:])
	if err != nil {
		return err
	}
	if found {
		if pinned != digest {
			return fmt.Errorf("pinning task %s: %w", task, store.ErrConflict)
		}
		return nil
	}
	_, err = t.exec("task_pin_add", task[:], digest[:])
	return err
}

func (t *tx) Count(task dap.TaskID, counter string, n uint64) error {
	if err := t.check(true); err != nil {
		return err
	}
	_, err := t.exec("task_count", task[:], counter, t.shard, int64(n))
	return err
}

func (t *tx) Counters(task dap.TaskID) (map[string]uint64, error) {
	if err := t.check(false); err != nil {
		return nil, err
	}
	counters := make(map[string]uint64)
	err := t.rows("task_counters", func(r pgx.Rows) error {
		var name string
		var n int64
		err := r.Scan(&name, &n)
		counters[name] = uint64(n)
		return err
	}, task[:])
	return counters, err
}

func (t *tx) DeleteTask(task dap.TaskID) error {
	if err := t.checkReports(true); err != nil {
		return err
	}
	for key := range t.counts {
		if key.task == task {
			delete(t.counts, key)
		}
	}
	for key := range t.added {
		if key.task == task {
			delete(t.added, key)
		}
	}
	for _, name := range []string{
		"task_delete_bodies", "task_delete_reports", "task_delete_counters", "task_delete_progress", "task_delete_leader_batches", "task_delete_aggregation_jobs",
		"task_delete_marks", "task_delete_buckets", "task_delete_erased", "task_delete_collected_intervals", "task_delete_collected_batches",
		"task_delete_collection_jobs", "task_delete_helper_jobs", "task_delete_share_answers", "task_delete_submissions", "task_delete_statements", "task_delete_keys",
	} {
		if _, err := t.exec(name, task[:]); err != nil {
			return err
		}
	}
	return nil
}
