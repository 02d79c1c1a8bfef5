package boltstore

import (
	"errors"
	"fmt"

	"candor/aggregator/store"
	"candor/schema/dap"
)

func (t *tx) ReplaceSecrets(of store.Record, replace func(store.Record) (store.Record, error)) error {
	if err := t.check(true); err != nil {
		return err
	}
	switch r := of.(type) {
	case store.ReportRecord:
		return t.replaceBody(r, replace)
	case store.AggregationJob:
		job, err := t.AggregationJob(r.Task, r.ID)
		if err != nil || len(job.Request) == 0 {
			return err
		}
		if job, err = replaced(job, replace); err != nil {
			return err
		}
		b := t.find(r.Task, kindRequests)
		return t.put(b, r.ID[:], b.Get(r.ID[:]), raw(job.Request))
	case store.BucketRecord:
		return t.replaceShare(r, replace)
	case store.CollectionJob:
		row, old, err := t.collection(r.Task, r.ID)
		if err != nil {
			return err
		}
		job, err := replaced(row.restore(r.Task, r.ID), replace)
		if err != nil {
			return err
		}
		row.Request, row.ShareRequest, row.Response = job.Request, job.ShareRequest, job.Response
		return t.saveCollection(r.Task, r.ID, old, &row)
	case store.HelperJob:
		row, old, err := t.helperJob(r.Task, r.ID)
		if err != nil {
			return err
		}
		job, err := replaced(row.restore(r.Task, r.ID), replace)
		if err != nil {
			return err
		}
		row.Request, row.Response = job.Request, job.Response
		return t.saveHelperJob(r.Task, r.ID, old, &row)
	case store.ShareAnswer:
		return t.replaceAnswer(r, replace)
	case store.Submission:
		s, err := t.Submission(r.Task, r.Member)
		if err != nil {
			return err
		}
		if s, err = replaced(s, replace); err != nil {
			return err
		}
		return t.PutSubmission(s)
	case store.Statement:
		s, err := t.Statement(r.Task)
		if err != nil {
			return err
		}
		if s, err = replaced(s, replace); err != nil {
			return err
		}
		b := t.find(r.Task, kindStatement)
		value, err := encode(&statementRow{Text: s.Text, Salts: s.Salts, Created: s.Created}, 64+len(s.Text)+len(s.Salts))
		if err != nil {
			return err
		}
		return t.put(b, statementKey, b.Get(statementKey), value)
	}
	return fmt.Errorf("boltstore: internal error: a %T has no secrets", of)
}

// replaced is replace for one type.
func replaced[R store.Record](r R, replace func(store.Record) (store.Record, error)) (R, error) {
	out, err := replace(r)
	if err != nil {
		return r, err
	}
	same, ok := out.(R)
	if !ok {
		return r, errors.New("boltstore: internal error: a record became one of another type")
	}
	return same, nil
}

func (t *tx) replaceBody(r store.ReportRecord, replace func(store.Record) (store.Record, error)) error {
	n, ok, err := t.numberOf(r.Task, r.ID)
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("report %s: %w", r.ID, store.ErrNotFound)
	}
	row, err := t.report(r.Task, r.ID, n)
	if err != nil {
		return err
	}
	bodies := t.find(r.Task, kindBodies)
	old := get(bodies, keyUint64(n))
	if old == nil {
		return nil // it was erased
	}
	is := store.ReportRecord{Task: r.Task, Report: store.Report{ID: r.ID, Time: row.row.Time, NotBefore: row.row.NotBefore}, State: row.row.State, Code: row.row.Code, Job: row.row.Job}
	if is.Encoded, err = unraw("report", old); err != nil {
		return err
	}
	if is, err = replaced(is, replace); err != nil {
		return err
	}
	return t.put(bodies, keyUint64(n), old, raw(is.Encoded))
}

func (t *tx) replaceShare(r store.BucketRecord, replace func(store.Record) (store.Record, error)) error {
	b, key := t.find(r.Task, kindBuckets), keyOfShard(r.ID, r.Shard)
	old := get(b, key)
	if old == nil {
		return fmt.Errorf("bucket %x: %w", key, store.ErrNotFound)
	}
	var row bucketRow
	if err := decode(old, &row); err != nil {
		return err
	}
	is, err := replaced(store.BucketRecord{Task: r.Task, Shard: r.Shard, Erased: row.Erased, Bucket: row.bucket(r.ID)}, replace)
	if err != nil {
		return err
	}
	row.Share = is.Share
	value, err := encode(&row, 64+len(row.Share))
	if err != nil {
		return err
	}
	return t.put(b, key, old, value)
}

func (t *tx) replaceAnswer(r store.ShareAnswer, replace func(store.Record) (store.Record, error)) error {
	b := t.find(r.Task, kindShares)
	old := get(b, r.ID[:])
	if old == nil {
		return fmt.Errorf("aggregate share %s: %w", dap.AggregateShareID(r.ID), store.ErrNotFound)
	}
	var row shareRow
	if err := decode(old, &row); err != nil {
		return err
	}
	is, err := replaced(store.ShareAnswer{ID: r.ID, Task: r.Task, Digest: row.Digest, Batch: row.Batch, Response: row.Response, Created: row.Created}, replace)
	if err != nil {
		return err
	}
	row.Response = is.Response
	value, err := encode(&row, 128+len(row.Response))
	if err != nil {
		return err
	}
	return t.put(b, r.ID[:], old, value)
}
