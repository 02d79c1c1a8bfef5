package boltstore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"candor/aggregator/store"
	"candor/schema/dap"
)

func (t *tx) PinTask(task dap.TaskID, digest [32]byte) error {
	if err := t.check(true); err != nil {
		return err
	}
	pins := t.bolt.Bucket(bucketPins)
	switch old := pins.Get(task[:]); {
	case old == nil:
		return t.put(pins, task[:], nil, raw(digest[:]))
	case !bytes.Equal(old, raw(digest[:])):
		return fmt.Errorf("pinning task %s: %w", task, store.ErrConflict)
	}
	return nil
}

func (t *tx) Count(task dap.TaskID, counter string, n uint64) error {
	if err := t.check(true); err != nil {
		return err
	}
	b, err := t.make(task, kindCounters)
	if err != nil {
		return err
	}
	key := []byte(counter)
	old := b.Get(key)
	if old != nil {
		was, err := decodeUint64("counter", old)
		if err != nil {
			return err
		}
		n += was
	}
	return t.put(b, key, old, encodeUint64(n))
}

func (t *tx) Counters(task dap.TaskID) (map[string]uint64, error) {
	if err := t.check(false); err != nil {
		return nil, err
	}
	counters := make(map[string]uint64)
	b := t.find(task, kindCounters)
	if b == nil {
		return counters, nil
	}
	c := b.Cursor()
	for k, v := c.First(); k != nil; k, v = c.Next() {
		n, err := decodeUint64("counter", v)
		if err != nil {
			return nil, err
		}
		counters[string(k)] = n
	}
	return counters, nil
}

// errWantsFirst ends a function that is run again as the first of its group.
var errWantsFirst = errors.New("boltstore: to be run again")

func (t *tx) DeleteTask(task dap.TaskID) error {
	if err := t.check(true); err != nil {
		return err
	}
	if !t.first {
		// Releasing a bucket cannot be undone row by row.
		t.wantsFirst = true
		return errWantsFirst
	}
	for key := range t.counts {
		if key.task == task {
			delete(t.counts, key)
		}
	}
	if err := t.undueAll(task); err != nil {
		return err
	}
	tasks := t.bolt.Bucket(bucketTasks)
	if tasks.Bucket(task[:]) == nil {
		return nil
	}
	for _, kinds := range indexes {
		x := t.index(task, kinds)
		if err := x.load(); err != nil {
			return err
		}
		for _, r := range x.list {
			t.filters.forget(r.name)
		}
		delete(t.indexes, indexKey{task, kinds.young})
	}
	t.dirty = true
	delete(t.tasks, task)
	if err := tasks.DeleteBucket(task[:]); err != nil {
		return fmt.Errorf("deleting task %s: %w", task, err)
	}
	return nil
}

func encodeUint64(n uint64) []byte {
	return binary.BigEndian.AppendUint64(append(make([]byte, 0, 9), rowVersion), n)
}

func decodeUint64(what string, value []byte) (uint64, error) {
	var b [8]byte
	if err := rawFixed(what, b[:], value); err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint64(b[:]), nil
}
