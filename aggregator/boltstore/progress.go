package boltstore

import (
	"fmt"

	"golang.org/x/crypto/cryptobyte"

	"candor/aggregator/store"
	"candor/schema/dap"
)

// A progress is a row of counters of reports by their state.
type progress store.Progress

func (p *progress) marshal(b *cryptobyte.Builder) {
	b.AddUint64(p.Unassigned)
	b.AddUint64(p.Assigned)
	b.AddUint64(p.Aggregated)
	b.AddUint64(p.Rejected)
}

func (p *progress) unmarshal(s *reader) bool {
	return s.uint64(&p.Unassigned) && s.uint64(&p.Assigned) && s.uint64(&p.Aggregated) && s.uint64(&p.Rejected)
}

// add adds differences; a negative one is large, and the sum wraps to the right value.
func (p *progress) add(d *progress) {
	p.Unassigned += d.Unassigned
	p.Assigned += d.Assigned
	p.Aggregated += d.Aggregated
	p.Rejected += d.Rejected
}

func (p *progress) negative() bool { return (p.Unassigned|p.Assigned|p.Aggregated|p.Rejected)>>63 == 1 }

// A countKey names a unit of time, or a leader-selected batch, whose reports are counted.
type countKey struct {
	task  dap.TaskID
	batch bool
	time  dap.Time
	id    dap.BatchID
}

func timeKey(t dap.Time) countKey      { return countKey{time: t} }
func batchKey(id dap.BatchID) countKey { return countKey{batch: true, id: id} }

// count returns the differences to add to a row of counters when the function ends: a burst of reports writes it once.
func (t *tx) count(task dap.TaskID, key countKey) *progress {
	key.task = task
	p := t.counts[key]
	if p == nil {
		if t.counts == nil {
			t.counts = make(map[countKey]*progress)
		}
		p = new(progress)
		t.counts[key] = p
	}
	return p
}

// flush writes what was put off; it is called when the function has succeeded.
func (t *tx) flush() error {
	for _, x := range t.indexes {
		if err := x.flush(); err != nil {
			return err
		}
	}
	return t.flushCounts()
}

// flushCounts writes the counters; it is called before they are read.
func (t *tx) flushCounts() error {
	for key, d := range t.counts {
		if key.batch {
			if err := t.countBatch(key.task, key.id, d); err != nil {
				return err
			}
			continue
		}
		b, err := t.make(key.task, kindProgress)
		if err != nil {
			return err
		}
		k := keyUint64(uint64(key.time))
		old := b.Get(k)
		var p progress
		if old != nil {
			if err := decode(old, &p); err != nil {
				return err
			}
		}
		if p.add(d); p.negative() {
			return fmt.Errorf("counting the reports of time %d: %w", key.time, errMalformed)
		}
		value, err := encode(&p, 33)
		if err != nil {
			return err
		}
		if err := t.put(b, k, old, value); err != nil {
			return err
		}
	}
	clear(t.counts)
	return nil
}

func (t *tx) Progress(task dap.TaskID, batch store.Batch) (store.Progress, error) {
	if err := t.check(false); err != nil {
		return store.Progress{}, err
	}
	if err := t.flushCounts(); err != nil {
		return store.Progress{}, err
	}
	if batch.ID != nil {
		row, _, err := t.batch(task, *batch.ID)
		return store.Progress(row.Progress), err
	}
	var sum progress
	b := t.find(task, kindProgress)
	end, ok := batch.Interval.End()
	if b == nil || !ok {
		return store.Progress{}, nil
	}
	c, last := b.Cursor(), keyUint64(uint64(end))
	for k, v := c.Seek(keyUint64(uint64(batch.Interval.Start))); k != nil && string(k) < string(last); k, v = c.Next() {
		var p progress
		if err := decode(v, &p); err != nil {
			return store.Progress{}, err
		}
		sum.add(&p)
	}
	return store.Progress(sum), nil
}
