package pgstore

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"

	"candor/aggregator/store"
	"candor/schema/dap"
)

func (t *tx) Records(fn func(store.Record) error) error {
	if err := t.checkReports(false); err != nil {
		return err
	}
	if err := t.flushCounts(); err != nil {
		return err
	}
	tasks, err := t.ids("tasks")
	if err != nil {
		return err
	}
	for _, b := range tasks {
		var task dap.TaskID
		if err := fixed(task[:]).ScanBytes(b); err != nil {
			return err
		}
		for _, part := range []func(dap.TaskID, func(store.Record) error) error{
			t.keyRecords, t.pinRecord, t.counterRecords, t.batchRecords, t.reportRecords, t.jobRecords, t.markRecords, t.bucketRecords, t.collectedRecords,
			t.collectionRecords, t.helperRecords, t.shareRecords, t.roundRecords,
		} {
			if err := part(task, fn); err != nil {
				return err
			}
		}
	}
	return nil
}

// each calls fn with the elements of a list, which it must not have failed to get.
func each[R store.Record](list []R, err error, fn func(store.Record) error) error {
	for _, r := range list {
		if err == nil {
			err = fn(r)
		}
	}
	return err
}

func (t *tx) pinRecord(task dap.TaskID, fn func(store.Record) error) error {
	r := store.PinRecord{Task: task}
	if found, err := t.row("task_pin", []any{fixed(r.Digest[:])}, task[:]); err != nil || !found {
		return err
	}
	return fn(r)
}

func (t *tx) counterRecords(task dap.TaskID, fn func(store.Record) error) error {
	counters, err := t.Counters(task)
	for _, name := range slices.Sorted(maps.Keys(counters)) {
		if err == nil {
			err = fn(store.CounterRecord{Task: task, Name: name, N: counters[name]})
		}
	}
	return err
}

func (t *tx) batchRecords(task dap.TaskID, fn func(store.Record) error) error {
	var list []store.BatchRecord
	err := t.rows("batches_all", func(rows pgx.Rows) error {
		r := store.BatchRecord{Task: task}
		var reserved []byte
		err := rows.Scan(fixed(r.ID[:]), utc{&r.Created}, &reserved)
		if err == nil && reserved != nil {
			r.Reserved = new(dap.CollectionJobID)
			err = fixed(r.Reserved[:]).ScanBytes(reserved)
		}
		list = append(list, r)
		return err
	}, task[:])
	for i := range list {
		if err == nil {
			list[i].Progress, err = t.batchProgress(task, list[i].ID)
		}
	}
	return each(list, err, fn)
}

func (t *tx) reportRecords(task dap.TaskID, fn func(store.Record) error) error {
	return t.cursor("report_records", func(rows pgx.Rows) error {
		r, at := store.ReportRecord{Task: task}, [8]byte{}
		var state, code int16
		var job []byte
		if err := rows.Scan(fixed(r.ID[:]), fixed(at[:]), utc{&r.NotBefore}, &r.Encoded, &state, &code, &job); err != nil {
			return err
		}
		r.Time, r.State, r.Code, r.Encoded = toTime(at[:]), store.ReportState(state), dap.ReportError(code), null(r.Encoded)
		if job != nil {
			if err := fixed(r.Job[:]).ScanBytes(job); err != nil {
				return err
			}
		}
		return fn(r)
	}, task[:])
}

func (t *tx) jobRecords(task dap.TaskID, fn func(store.Record) error) error {
	// One at a time: together their requests may be large.
	ids, err := t.ids("jobs_all", task[:])
	for _, id := range ids {
		var j store.AggregationJob
		if err == nil {
			j, err = t.AggregationJob(task, dap.AggregationJobID(id))
		}
		if err == nil {
			err = fn(j)
		}
	}
	return err
}

func (t *tx) markRecords(task dap.TaskID, fn func(store.Record) error) error {
	return t.cursor("mark_records", func(rows pgx.Rows) error {
		r := store.MarkRecord{Task: task}
		var bucket []byte
		if err := rows.Scan(fixed(r.Report[:]), &bucket); err != nil {
			return err
		}
		r.Bucket = store.BucketID(bucket)
		return fn(r)
	}, task[:])
}

func (t *tx) bucketRecords(task dap.TaskID, fn func(store.Record) error) error {
	var list []store.BucketRecord
	err := t.rows("buckets_all", func(rows pgx.Rows) error {
		r := store.BucketRecord{Task: task}
		dest, complete := scanShard(&r.Bucket)
		if err := rows.Scan(append(dest, &r.Shard, &r.Erased)...); err != nil {
			return err
		}
		complete()
		list = append(list, r)
		return nil
	}, task[:])
	return each(list, err, fn)
}

func (t *tx) collectedRecords(task dap.TaskID, fn func(store.Record) error) error {
	var list []store.CollectedRecord
	err := t.rows("collected_intervals", func(rows pgx.Rows) error {
		var start, finish [8]byte
		err := rows.Scan(fixed(start[:]), fixed(finish[:]))
		i := dap.Interval{Start: toTime(start[:]), Duration: dap.Duration(toTime(finish[:]) - toTime(start[:]))}
		list = append(list, store.CollectedRecord{Task: task, Batch: store.Batch{Interval: i}})
		return err
	}, task[:])
	if err != nil {
		return err
	}
	ids, err := t.ids("collected_batches", task[:])
	for _, b := range ids {
		id := new(dap.BatchID)
		if err := fixed(id[:]).ScanBytes(b); err != nil {
			return err
		}
		list = append(list, store.CollectedRecord{Task: task, Batch: store.Batch{ID: id}})
	}
	return each(list, err, fn)
}

func (t *tx) collectionRecords(task dap.TaskID, fn func(store.Record) error) error {
	list, err := t.CollectionJobs(task)
	return each(list, err, fn)
}

func (t *tx) helperRecords(task dap.TaskID, fn func(store.Record) error) error {
	ids, err := t.ids("helpers_all", task[:])
	for _, id := range ids {
		var j store.HelperJob
		if err == nil {
			j, err = t.HelperJob(task, dap.AggregationJobID(id))
		}
		if err == nil {
			err = fn(j)
		}
	}
	return err
}

func (t *tx) shareRecords(task dap.TaskID, fn func(store.Record) error) error {
	list, err := t.shares("shares", task[:])
	return each(list, err, fn)
}

func (t *tx) roundRecords(task dap.TaskID, fn func(store.Record) error) error {
	list, err := t.Submissions(task)
	if err := each(list, err, fn); err != nil {
		return err
	}
	s, err := t.Statement(task)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	} else if err != nil {
		return err
	}
	return fn(s)
}

func (t *tx) AddRecord(record store.Record) error {
	if err := t.checkReports(true); err != nil {
		return err
	}
	switch r := record.(type) {
	case store.Key:
		return t.PutKey(r)
	case store.PinRecord:
		return t.PinTask(r.Task, r.Digest)
	case store.CounterRecord:
		return t.Count(r.Task, r.Name, r.N)
	case store.BatchRecord:
		var reserved []byte
		if r.Reserved != nil {
			reserved = r.Reserved[:]
		}
		*t.count(r.Task, r.ID[:]) = r.Progress
		_, err := t.exec("batch_add", r.Task[:], r.ID[:], r.Created, reserved)
		return err
	case store.ReportRecord:
		return t.addReportRecord(r)
	case store.AggregationJob:
		return t.insertJob(r)
	case store.MarkRecord:
		_, err := t.MarkAggregated(r.Task, r.Bucket, []dap.ReportID{r.Report})
		return err
	case store.BucketRecord:
		if r.Erased {
			if _, err := t.exec("erased_add", r.Task[:], []byte(r.ID)); err != nil {
				return err
			}
		}
		if err := checkBucketID(r.ID); err != nil {
			return err
		}
		return t.putShard(r.Task, int(r.Shard), r.Bucket)
	case store.CollectedRecord:
		return t.MarkCollected(r.Task, r.Batch)
	case store.CollectionJob:
		return t.insertCollection(r)
	case store.HelperJob:
		return t.AddHelperJob(r)
	case store.ShareAnswer:
		return t.AddShareAnswer(r)
	case store.Submission:
		return t.PutSubmission(r)
	case store.Statement:
		return t.PutStatement(r)
	}
	return fmt.Errorf("pgstore: internal error: unknown record %T", record)
}

func (t *tx) addReportRecord(r store.ReportRecord) error {
	p := t.count(r.Task, timeBytes(r.Time))
	switch r.State {
	case store.ReportUnassigned:
		p.Unassigned++
	case store.ReportAssigned:
		p.Assigned++
	case store.ReportAggregated:
		p.Aggregated++
	case store.ReportRejected:
		p.Rejected++
	default:
		return fmt.Errorf("report %s has state %d", r.ID, r.State)
	}
	var job []byte
	if (r.Job != dap.AggregationJobID{}) {
		job = r.Job[:]
	}
	_, err := t.exec("report_record_add", r.Task[:], r.ID[:], timeBytes(r.Time), r.NotBefore, int16(r.State), int16(r.Code), job, null(r.Encoded))
	return err
}
