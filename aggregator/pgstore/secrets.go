package pgstore

import (
	"errors"
	"fmt"

	"candor/aggregator/store"
)

func (t *tx) ReplaceSecrets(of store.Record, replace func(store.Record) (store.Record, error)) error {
	if err := t.checkReports(true); err != nil {
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
		_, err = t.exec("job_secrets", r.Task[:], r.ID[:], null(job.Request))
		return err
	case store.BucketRecord:
		return t.replaceShare(r, replace)
	case store.CollectionJob:
		job, err := t.CollectionJob(r.Task, r.ID)
		if err != nil {
			return err
		}
		if job, err = replaced(job, replace); err != nil {
			return err
		}
		_, err = t.exec("collection_secrets", r.Task[:], r.ID[:], null(job.Request), null(job.ShareRequest), null(job.Response))
		return err
	case store.HelperJob:
		job, err := t.HelperJob(r.Task, r.ID)
		if err != nil {
			return err
		}
		if job, err = replaced(job, replace); err != nil {
			return err
		}
		_, err = t.exec("helper_secrets", r.Task[:], r.ID[:], null(job.Request), null(job.Response))
		return err
	case store.ShareAnswer:
		a, err := t.ShareAnswer(r.Task, r.ID)
		if err != nil {
			return err
		}
		if a, err = replaced(a, replace); err != nil {
			return err
		}
		_, err = t.exec("share_secrets", r.Task[:], r.ID[:], null(a.Response))
		return err
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
		_, err = t.exec("statement_secrets", r.Task[:], null(s.Text), null(s.Salts))
		return err
	}
	return fmt.Errorf("pgstore: internal error: a %T has no secrets", of)
}

// replaced is replace for one type.
func replaced[R store.Record](r R, replace func(store.Record) (store.Record, error)) (R, error) {
	out, err := replace(r)
	if err != nil {
		return r, err
	}
	same, ok := out.(R)
	if !ok {
		return r, errors.New("pgstore: internal error: a record became one of another type")
	}
	return same, nil
}

func (t *tx) replaceBody(r store.ReportRecord, replace func(store.Record) (store.Record, error)) error {
	var number int64
	var at [8]byte
	var state int16
	found, err := t.row("report_body", []any{&number, fixed(at[:]), utc{&r.NotBefore}, &state, &r.Encoded}, r.Task[:], r.ID[:])
	if err != nil {
		return err
	}
	if !found {
		return fmt.Errorf("report %s: %w", r.ID, store.ErrNotFound)
	}
	if len(r.Encoded) == 0 {
		return nil // it was erased
	}
	r.Time, r.State = toTime(at[:]), store.ReportState(state)
	if r, err = replaced(r, replace); err != nil {
		return err
	}
	_, err = t.exec("body_secrets", number, r.Encoded)
	return err
}

func (t *tx) replaceShare(r store.BucketRecord, replace func(store.Record) (store.Record, error)) error {
	dest, complete := scanShard(&r.Bucket)
	found, err := t.row("bucket_shard", dest, r.Task[:], []byte(r.ID), int(r.Shard))
	if err != nil {
		return err
	}
	if !found {
		return fmt.Errorf("bucket %x: %w", string(r.ID), store.ErrNotFound)
	}
	complete()
	if r, err = replaced(r, replace); err != nil {
		return err
	}
	return t.putShard(r.Task, int(r.Shard), r.Bucket)
}
