package boltstore

import (
	"encoding/binary"
	"fmt"
	"time"

	"candor/schema/dap"
)

// A dueKind tells the live jobs of one queue from those of another.
type dueKind uint8

const (
	dueAggregation dueKind = 1
	dueCollection  dueKind = 2
	dueHelper      dueKind = 3
)

// A jobID is an aggregation job's ID or a collection job's.
type jobID [16]byte

// A schedule is when a live job may be leased, and its number in the queue.
type schedule struct {
	Number      uint64
	NextAttempt time.Time
	LeaseUntil  time.Time // zero: free
}

// due returns the first moment, in microseconds, at which NextAttempt is reached and the lease has ended.
func (s schedule) due() time.Time {
	if s.LeaseUntil.IsZero() {
		return s.NextAttempt
	}
	free := time.UnixMicro(s.LeaseUntil.UnixMicro() + 1)
	if free.Before(s.NextAttempt) {
		return s.NextAttempt
	}
	return free
}

func (s schedule) key(k dueKind) []byte {
	key := appendTime(append(make([]byte, 0, 17), byte(k)), s.due())
	return binary.BigEndian.AppendUint64(key, s.Number)
}

func dueValue(task dap.TaskID, id jobID) []byte {
	return append(append(append(make([]byte, 0, 49), rowVersion), task[:]...), id[:]...)
}

func liveKey(k dueKind, n uint64) []byte {
	return binary.BigEndian.AppendUint64(append(make([]byte, 0, 9), byte(k)), n)
}

// enqueue numbers a new live job and puts it into the queue of its kind and the list of its task.
func (t *tx) enqueue(k dueKind, task dap.TaskID, id jobID, s *schedule) error {
	due := t.bolt.Bucket(bucketDue)
	live, err := t.make(task, kindLive)
	if err != nil {
		return err
	}
	if s.Number, err = number(due); err != nil {
		return err
	}
	if err := t.put(live, liveKey(k, s.Number), nil, raw(id[:])); err != nil {
		return err
	}
	return t.put(due, s.key(k), nil, dueValue(task, id))
}

// requeue moves a live job within its queue.
func (t *tx) requeue(k dueKind, task dap.TaskID, id jobID, was, is schedule) error {
	due := t.bolt.Bucket(bucketDue)
	if err := t.drop(due, was.key(k), dueValue(task, id)); err != nil {
		return err
	}
	return t.put(due, is.key(k), nil, dueValue(task, id))
}

// dequeue takes a job that is no longer live out of both.
func (t *tx) dequeue(k dueKind, task dap.TaskID, id jobID, s schedule) error {
	if err := t.drop(t.bolt.Bucket(bucketDue), s.key(k), dueValue(task, id)); err != nil {
		return err
	}
	live := t.find(task, kindLive)
	if get(live, liveKey(k, s.Number)) == nil {
		return fmt.Errorf("live job: %w", errMalformed)
	}
	return t.drop(live, liveKey(k, s.Number), raw(id[:]))
}

type named struct {
	task dap.TaskID
	id   jobID
}

// dueJobs returns up to n jobs of a queue that may be leased now, in the order in which they became due.
func (t *tx) dueJobs(k dueKind, now time.Time, n int) ([]named, error) {
	var jobs []named
	c := t.bolt.Bucket(bucketDue).Cursor()
	for key, v := c.Seek([]byte{byte(k)}); key != nil && key[0] == byte(k) && len(jobs) < n; key, v = c.Next() {
		if len(key) != 17 {
			return nil, fmt.Errorf("due job: %w", errMalformed)
		}
		if keyTime(key[1:]).UnixMicro() > now.UnixMicro() {
			break
		}
		var b [48]byte
		if err := rawFixed("due job", b[:], v); err != nil {
			return nil, err
		}
		jobs = append(jobs, named{dap.TaskID(b[:32]), jobID(b[32:])})
	}
	return jobs, nil
}

// liveJobs returns a task's live jobs of one kind, oldest first.
func (t *tx) liveJobs(k dueKind, task dap.TaskID) ([]jobID, error) {
	live := t.find(task, kindLive)
	if live == nil {
		return nil, nil
	}
	var ids []jobID
	c := live.Cursor()
	for key, v := c.Seek([]byte{byte(k)}); key != nil && key[0] == byte(k); key, v = c.Next() {
		var id jobID
		if err := rawFixed("live job", id[:], v); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// undueAll takes all live jobs of a task out of the queues.
func (t *tx) undueAll(task dap.TaskID) error {
	drop := func(k dueKind, id jobID, s schedule) error {
		return t.drop(t.bolt.Bucket(bucketDue), s.key(k), dueValue(task, id))
	}
	ids, err := t.liveJobs(dueAggregation, task)
	if err != nil {
		return err
	}
	for _, id := range ids {
		row, _, err := t.job(task, dap.AggregationJobID(id))
		if err != nil {
			return err
		}
		if err := drop(dueAggregation, id, row.schedule()); err != nil {
			return err
		}
	}
	if ids, err = t.liveJobs(dueCollection, task); err != nil {
		return err
	}
	for _, id := range ids {
		row, _, err := t.collection(task, dap.CollectionJobID(id))
		if err != nil {
			return err
		}
		if err := drop(dueCollection, id, row.schedule()); err != nil {
			return err
		}
	}
	if ids, err = t.liveJobs(dueHelper, task); err != nil {
		return err
	}
	for _, id := range ids {
		row, _, err := t.helperJob(task, dap.AggregationJobID(id))
		if err != nil {
			return err
		}
		if err := drop(dueHelper, id, row.schedule()); err != nil {
			return err
		}
	}
	return nil
}
