package boltstore

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"

	"candor/aggregator/store"
	"candor/schema/dap"
)

func (t *tx) Records(fn func(store.Record) error) error {
	if err := t.check(false); err != nil {
		return err
	}
	if err := t.flush(); err != nil {
		return err
	}
	// Pins outlive the other rows of their tasks, so the two lists differ.
	var tasks []dap.TaskID
	pins := t.bolt.Bucket(bucketPins)
	for _, b := range []*bbolt.Bucket{pins, t.bolt.Bucket(bucketTasks)} {
		err := b.ForEach(func(k, _ []byte) error {
			tasks = append(tasks, dap.TaskID(k))
			return nil
		})
		if err != nil {
			return err
		}
	}
	slices.SortFunc(tasks, func(a, b dap.TaskID) int { return slices.Compare(a[:], b[:]) })
	for _, task := range slices.Compact(tasks) {
		for _, part := range []func(dap.TaskID, func(store.Record) error) error{
			t.keyRecords, t.pinRecord, t.counterRecords, t.batchRecords, t.reportRecords, t.jobRecords, t.markRecords, t.bucketRecords,
			t.collectedRecords, t.collectionRecords, t.helperRecords, t.shareRecords, t.submissionRecords, t.statementRecord,
		} {
			if err := part(task, fn); err != nil {
				return err
			}
		}
	}
	return nil
}

// each calls fn with the rows of one kind of a task, in order of their keys, which are valid until the transaction ends.
func (t *tx) each(task dap.TaskID, k kind, fn func(key, value []byte) error) error {
	b := t.find(task, k)
	if b == nil {
		return nil
	}
	return b.ForEach(fn)
}

func (t *tx) pinRecord(task dap.TaskID, fn func(store.Record) error) error {
	v := t.bolt.Bucket(bucketPins).Get(task[:])
	if v == nil {
		return nil
	}
	r := store.PinRecord{Task: task}
	if err := rawFixed("pin", r.Digest[:], v); err != nil {
		return err
	}
	return fn(r)
}

func (t *tx) counterRecords(task dap.TaskID, fn func(store.Record) error) error {
	return t.each(task, kindCounters, func(k, v []byte) error {
		n, err := decodeUint64("counter", v)
		if err != nil {
			return err
		}
		return fn(store.CounterRecord{Task: task, Name: string(k), N: n})
	})
}

func (t *tx) batchRecords(task dap.TaskID, fn func(store.Record) error) error {
	type entry struct {
		id dap.BatchID
		n  uint64
	}
	var order []entry
	err := t.each(task, kindBatches, func(k, v []byte) error {
		var row batchRow
		if err := decode(v, &row); err != nil {
			return err
		}
		order = append(order, entry{dap.BatchID(k), row.Number})
		return nil
	})
	if err != nil {
		return err
	}
	slices.SortFunc(order, func(a, b entry) int { return cmp.Compare(a.n, b.n) })
	for _, e := range order {
		row, _, err := t.batch(task, e.id)
		if err != nil {
			return err
		}
		r := store.BatchRecord{Task: task, ID: e.id, Created: row.Created, Progress: store.Progress(row.Progress), Reserved: row.Reserved}
		if err := fn(r); err != nil {
			return err
		}
	}
	return nil
}

// reportRecords needs the ID of each report, which only the index has: it is read in runs of numbers, so that memory stays bounded.
func (t *tx) reportRecords(task dap.TaskID, fn func(store.Record) error) error {
	const run = 1 << 18
	reports := t.find(task, kindReports)
	if reports == nil {
		return nil
	}
	bodies := t.find(task, kindBodies)
	last := reports.Sequence()
	ids := make([]dap.ReportID, min(run, last))
	for from := uint64(1); from <= last; from += run {
		found := 0
		err := t.index(task, indexReports).scan(nil, func(id dap.ReportID, n uint64) (bool, error) {
			if n >= from && n-from < uint64(len(ids)) {
				ids[n-from] = id
				found++
			}
			return true, nil
		})
		if err != nil {
			return err
		}
		c := reports.Cursor()
		for k, v := c.Seek(keyUint64(from)); k != nil; k, v = c.Next() {
			n := binary.BigEndian.Uint64(k)
			if n-from >= uint64(len(ids)) {
				break
			}
			found--
			var row reportRow
			if err := decode(v, &row); err != nil {
				return err
			}
			r := store.ReportRecord{Task: task, State: row.State, Code: row.Code, Job: row.Job}
			r.Report = store.Report{ID: ids[n-from], Time: row.Time, NotBefore: row.NotBefore}
			if body := get(bodies, k); body != nil {
				if r.Encoded, err = unraw("report", body); err != nil {
					return err
				}
			}
			if err := fn(r); err != nil {
				return err
			}
		}
		if found != 0 {
			return fmt.Errorf("reports of task %s: %d more IDs than rows: %w", task, found, errMalformed)
		}
	}
	return nil
}

func (t *tx) jobRecords(task dap.TaskID, fn func(store.Record) error) error {
	type entry struct {
		id dap.AggregationJobID
		n  uint64
	}
	var order []entry
	err := t.each(task, kindJobs, func(k, v []byte) error {
		var row jobRow
		if err := decode(v, &row); err != nil {
			return err
		}
		order = append(order, entry{dap.AggregationJobID(k), row.Number})
		return nil
	})
	if err != nil {
		return err
	}
	slices.SortFunc(order, func(a, b entry) int { return cmp.Compare(a.n, b.n) })
	for _, e := range order {
		job, err := t.AggregationJob(task, e.id)
		if err != nil {
			return err
		}
		if err := fn(job); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) markRecords(task dap.TaskID, fn func(store.Record) error) error {
	return t.index(task, indexMarks).scan(nil, func(id dap.ReportID, n uint64) (bool, error) {
		bucket, err := t.markBucket(task, n)
		if err != nil {
			return false, err
		}
		return true, fn(store.MarkRecord{Task: task, Report: id, Bucket: bucket})
	})
}

func (t *tx) bucketRecords(task dap.TaskID, fn func(store.Record) error) error {
	return t.each(task, kindBuckets, func(k, v []byte) error {
		var row bucketRow
		if err := decode(v, &row); err != nil {
			return err
		}
		id, shard, ok := shardKey(k)
		if !ok {
			return fmt.Errorf("key of a bucket: %w", errMalformed)
		}
		return fn(store.BucketRecord{Task: task, Shard: shard, Erased: row.Erased, Bucket: row.bucket(id)})
	})
}

func (t *tx) collectedRecords(task dap.TaskID, fn func(store.Record) error) error {
	err := t.each(task, kindIntervals, func(k, v []byte) error {
		end, err := decodeUint64("collected interval", v)
		if err != nil {
			return err
		}
		start := binary.BigEndian.Uint64(k)
		i := dap.Interval{Start: dap.Time(start), Duration: dap.Duration(end - start)}
		return fn(store.CollectedRecord{Task: task, Batch: store.Batch{Interval: i}})
	})
	if err != nil {
		return err
	}
	return t.each(task, kindCollected, func(k, _ []byte) error {
		id := dap.BatchID(k)
		return fn(store.CollectedRecord{Task: task, Batch: store.Batch{ID: &id}})
	})
}

func (t *tx) collectionRecords(task dap.TaskID, fn func(store.Record) error) error {
	jobs, err := t.CollectionJobs(task)
	if err != nil {
		return err
	}
	for _, job := range jobs {
		if err := fn(job); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) helperRecords(task dap.TaskID, fn func(store.Record) error) error {
	return t.each(task, kindHelperJobs, func(k, v []byte) error {
		var row helperRow
		if err := decode(v, &row); err != nil {
			return err
		}
		return fn(row.restore(task, dap.AggregationJobID(k)))
	})
}

func (t *tx) shareRecords(task dap.TaskID, fn func(store.Record) error) error {
	answers, err := t.shareAnswers(task, true)
	if err != nil {
		return err
	}
	for _, a := range answers {
		if err := fn(a); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) AddRecord(record store.Record) error {
	if err := t.check(true); err != nil {
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
		return t.addBatch(r)
	case store.ReportRecord:
		return t.addReport(r)
	case store.AggregationJob:
		return t.addJob(r)
	case store.MarkRecord:
		_, err := t.MarkAggregated(r.Task, r.Bucket, []dap.ReportID{r.Report})
		return err
	case store.BucketRecord:
		b, err := t.make(r.Task, kindBuckets)
		if err != nil {
			return err
		}
		if err := checkBucketID(r.ID); err != nil {
			return err
		}
		row := rowOf(r.Bucket)
		row.Erased = r.Erased
		value, err := encode(&row, 64+len(r.Share))
		if err != nil {
			return err
		}
		key := keyOfShard(r.ID, r.Shard)
		return t.put(b, key, b.Get(key), value)
	case store.CollectedRecord:
		return t.MarkCollected(r.Task, r.Batch)
	case store.CollectionJob:
		if err := t.AddCollectionJob(r); err != nil {
			return err
		}
		was, old, err := t.collection(r.Task, r.ID)
		if err != nil {
			return err
		}
		is := was
		is.mutable(r)
		is.Revision = r.Revision
		if err := t.refile(r.Task, r.ID, &was, &is); err != nil {
			return err
		}
		return t.saveCollection(r.Task, r.ID, old, &is)
	case store.HelperJob:
		return t.AddHelperJob(r)
	case store.ShareAnswer:
		return t.AddShareAnswer(r)
	case store.Submission:
		return t.PutSubmission(r)
	case store.Statement:
		return t.PutStatement(r)
	}
	return fmt.Errorf("boltstore: internal error: unknown record %T", record)
}

func (t *tx) addBatch(r store.BatchRecord) error {
	if err := t.createBatch(r.Task, r.ID, r.Created); err != nil {
		return err
	}
	if r.Reserved != nil {
		if err := t.ReserveBatch(r.Task, r.ID, *r.Reserved); err != nil {
			return err
		}
	}
	row, old, err := t.batch(r.Task, r.ID)
	if err != nil {
		return err
	}
	row.Progress = progress(r.Progress)
	return t.saveBatch(r.Task, r.ID, old, &row)
}

func (t *tx) addReport(r store.ReportRecord) error {
	if err := t.AddReport(r.Task, r.Report); err != nil || r.State == store.ReportUnassigned {
		return err
	}
	n, _, err := t.numberOf(r.Task, r.ID)
	if err != nil {
		return err
	}
	row, err := t.report(r.Task, r.ID, n)
	if err != nil {
		return err
	}
	if err := t.withdraw(r.Task, row); err != nil {
		return err
	}
	c := t.count(r.Task, timeKey(r.Time))
	c.Unassigned--
	row.row.State, row.row.Code, row.row.Job = r.State, r.Code, r.Job
	switch r.State {
	case store.ReportAssigned:
		c.Assigned++
		return t.saveReport(r.Task, &row)
	case store.ReportAggregated:
		c.Aggregated++
	case store.ReportRejected:
		c.Rejected++
	default:
		return fmt.Errorf("report %s has state %d", r.ID, r.State)
	}
	if err := t.saveReport(r.Task, &row); err != nil {
		return err
	}
	return t.eraseBody(r.Task, row)
}

func (t *tx) addJob(job store.AggregationJob) error {
	if get(t.find(job.Task, kindJobs), job.ID[:]) != nil {
		return fmt.Errorf("adding aggregation job %s: %w", job.ID, store.ErrConflict)
	}
	members := make(memberRow, len(job.Reports))
	for i, id := range job.Reports {
		n, ok, err := t.numberOf(job.Task, id)
		if err != nil {
			return err
		}
		if !ok {
			return fmt.Errorf("aggregation job %s: report %s: %w", job.ID, id, store.ErrNotFound)
		}
		members[i] = member{id, n}
	}
	if err := t.saveMembers(job.Task, job.ID, nil, members); err != nil {
		return err
	}
	if len(job.Request) > 0 {
		if err := t.addRequest(job.Task, job.ID, job.Request); err != nil {
			return err
		}
	}
	row := jobRow{Batch: job.Batch, Created: job.Created, Revision: job.Revision, State: job.State}
	row.mutable(job)
	s := row.schedule()
	if err := t.enqueue(dueAggregation, job.Task, jobID(job.ID), &s); err != nil {
		return err
	}
	row.Number = s.Number
	if job.State != store.JobLive {
		if err := t.dequeue(dueAggregation, job.Task, jobID(job.ID), s); err != nil {
			return err
		}
	}
	return t.saveJob(job.Task, job.ID, nil, &row)
}
