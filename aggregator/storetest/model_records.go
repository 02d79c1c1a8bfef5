package storetest

import (
	"cmp"
	"errors"
	"maps"
	"slices"

	"candor/aggregator/store"
	"candor/schema/dap"
)

func (t *modelTx) Records(fn func(store.Record) error) error {
	tasks := slices.SortedFunc(maps.Keys(t.tasks), func(a, b dap.TaskID) int { return slices.Compare(a[:], b[:]) })
	for _, id := range tasks {
		records, err := t.taskRecords(id, t.tasks[id])
		if err != nil {
			return err
		}
		for _, r := range records {
			if err := fn(r); err != nil {
				return err
			}
		}
	}
	return nil
}

// ReplaceSecrets serves no role; no test asks a model for it.
func (t *modelTx) ReplaceSecrets(store.Record, func(store.Record) (store.Record, error)) error {
	return errors.New("storetest: a model has no secrets")
}

func (t *modelTx) taskRecords(id dap.TaskID, m *modelTask) ([]store.Record, error) {
	var out []store.Record
	for _, k := range sortedBy(m.keys, byKeyID) {
		out = append(out, k)
	}
	if m.pin != nil {
		out = append(out, store.PinRecord{Task: id, Digest: *m.pin})
	}
	for _, name := range slices.Sorted(maps.Keys(m.counters)) {
		out = append(out, store.CounterRecord{Task: id, Name: name, N: m.counters[name]})
	}
	type batch struct {
		id dap.BatchID
		modelBatch
	}
	var batches []batch
	for id, b := range m.batches {
		batches = append(batches, batch{id, b})
	}
	slices.SortFunc(batches, func(a, b batch) int { return cmp.Compare(a.n, b.n) })
	for _, b := range batches {
		p, err := t.Progress(id, store.Batch{ID: &b.id})
		if err != nil {
			return nil, err
		}
		out = append(out, store.BatchRecord{Task: id, ID: b.id, Created: b.created, Progress: p, Reserved: clonePtr(b.reserved)})
	}
	for _, r := range sortedBy(m.reports, func(a, b modelReport) int { return cmp.Compare(a.n, b.n) }) {
		out = append(out, store.ReportRecord{Task: id, Report: r.r, State: r.state, Code: r.code, Job: r.job})
	}
	for _, j := range sortedBy(m.jobs, func(a, b numberedRow[store.AggregationJob]) int { return cmp.Compare(a.n, b.n) }) {
		out = append(out, j.row)
	}
	for _, r := range slices.SortedFunc(maps.Keys(m.marks), func(a, b dap.ReportID) int { return slices.Compare(a[:], b[:]) }) {
		out = append(out, store.MarkRecord{Task: id, Report: r, Bucket: m.marks[r]})
	}
	for _, b := range sortedBy(m.buckets, func(a, b modelBucket) int { return cmp.Compare(a.ID, b.ID) }) {
		out = append(out, store.BucketRecord{Task: id, Bucket: b.Bucket, Erased: b.erased})
	}
	for _, i := range m.intervals {
		out = append(out, store.CollectedRecord{Task: id, Batch: store.Batch{Interval: i}})
	}
	for _, b := range slices.SortedFunc(maps.Keys(m.collected), func(a, b dap.BatchID) int { return slices.Compare(a[:], b[:]) }) {
		out = append(out, store.CollectedRecord{Task: id, Batch: store.Batch{ID: &b}})
	}
	for _, j := range sortedBy(m.collections, func(a, b modelCollection) int { return cmp.Compare(a.n, b.n) }) {
		out = append(out, j.row)
	}
	for _, j := range sortedBy(m.helperJobs, func(a, b numberedRow[store.HelperJob]) int { return slices.Compare(a.row.ID[:], b.row.ID[:]) }) {
		out = append(out, j.row)
	}
	for _, a := range sortedBy(m.shares, func(a, b numberedRow[store.ShareAnswer]) int { return cmp.Compare(a.n, b.n) }) {
		out = append(out, a.row)
	}
	rounds, err := t.roundRecords(id)
	return append(out, rounds...), err
}
