package boltstore

import (
	"fmt"
	"time"

	"golang.org/x/crypto/cryptobyte"

	"candor/aggregator/store"
	"candor/schema/dap"
)

// A batchRow is a leader-selected batch of the Leader.
type batchRow struct {
	Created  time.Time
	Number   uint64
	Progress progress
	Reserved *dap.CollectionJobID
}

func (r *batchRow) marshal(b *cryptobyte.Builder) {
	addTime(b, r.Created)
	b.AddUint64(r.Number)
	r.Progress.marshal(b)
	addBool(b, r.Reserved != nil)
	if r.Reserved != nil {
		b.AddBytes(r.Reserved[:])
	}
}

func (r *batchRow) unmarshal(s *reader) bool {
	var reserved bool
	if !s.time(&r.Created) || !s.uint64(&r.Number) || !r.Progress.unmarshal(s) || !s.bool(&reserved) {
		return false
	}
	if reserved {
		r.Reserved = new(dap.CollectionJobID)
		return s.fixed(r.Reserved[:])
	}
	return true
}

// batch returns a leader-selected batch and its stored value, which is nil if there is none yet.
func (t *tx) batch(task dap.TaskID, id dap.BatchID) (batchRow, []byte, error) {
	var row batchRow
	value := get(t.find(task, kindBatches), id[:])
	if value == nil {
		return row, nil, nil
	}
	return row, value, decode(value, &row)
}

func (t *tx) saveBatch(task dap.TaskID, id dap.BatchID, old []byte, row *batchRow) error {
	b, err := t.make(task, kindBatches)
	if err != nil {
		return err
	}
	value, err := encode(row, 80)
	if err != nil {
		return err
	}
	return t.put(b, id[:], old, value)
}

// createBatch makes sure that a leader-selected batch exists and is open, unless it was reserved.
func (t *tx) createBatch(task dap.TaskID, id dap.BatchID, created time.Time) error {
	row, old, err := t.batch(task, id)
	if err != nil || old != nil {
		return err
	}
	open, err := t.make(task, kindOpen)
	if err != nil {
		return err
	}
	if row.Number, err = number(open); err != nil {
		return err
	}
	row.Created = created
	if err := t.put(open, keyUint64(row.Number), nil, raw(id[:])); err != nil {
		return err
	}
	return t.saveBatch(task, id, nil, &row)
}

func (t *tx) countBatch(task dap.TaskID, id dap.BatchID, d *progress) error {
	row, old, err := t.batch(task, id)
	if err != nil {
		return err
	}
	if row.Progress.add(d); old == nil || row.Progress.negative() {
		return fmt.Errorf("counting the reports of batch %s: %w", id, errMalformed)
	}
	return t.saveBatch(task, id, old, &row)
}

func (t *tx) LeaderBatches(task dap.TaskID) ([]store.LeaderBatch, error) {
	if err := t.check(false); err != nil {
		return nil, err
	}
	if err := t.flushCounts(); err != nil {
		return nil, err
	}
	open := t.find(task, kindOpen)
	if open == nil {
		return nil, nil
	}
	var batches []store.LeaderBatch
	c := open.Cursor()
	for k, v := c.First(); k != nil; k, v = c.Next() {
		var id dap.BatchID
		if err := rawFixed("open batch", id[:], v); err != nil {
			return nil, err
		}
		row, _, err := t.batch(task, id)
		if err != nil {
			return nil, err
		}
		if row.Progress.Assigned+row.Progress.Aggregated > 0 {
			batches = append(batches, store.LeaderBatch{ID: id, Created: row.Created, Progress: store.Progress(row.Progress)})
		}
	}
	return batches, nil
}

func (t *tx) ReserveBatch(task dap.TaskID, id dap.BatchID, job dap.CollectionJobID) error {
	if err := t.check(true); err != nil {
		return err
	}
	row, old, err := t.batch(task, id)
	if err != nil {
		return err
	}
	if row.Reserved != nil {
		if *row.Reserved != job {
			return fmt.Errorf("reserving batch %s, which has a collection job: %w", id, store.ErrConflict)
		}
		return nil
	}
	row.Reserved = &job
	open, err := t.make(task, kindOpen)
	if err != nil {
		return err
	}
	if old == nil {
		if row.Number, err = number(open); err != nil {
			return err
		}
		return t.saveBatch(task, id, nil, &row)
	}
	key := keyUint64(row.Number)
	value := get(open, key)
	if value == nil {
		return fmt.Errorf("open batch %s: %w", id, errMalformed)
	}
	if err := t.drop(open, key, value); err != nil {
		return err
	}
	return t.saveBatch(task, id, old, &row)
}
