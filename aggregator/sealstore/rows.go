package sealstore

import (
	"encoding/binary"
	"fmt"
	"time"

	"candor/aggregator/store"
	"candor/schema/dap"
)

// Each kind of row has a function that changes its secrets, in one way or the other: by is tx.seal or tx.open.
type by func(p place, secret []byte) ([]byte, error)

func (f by) report(task dap.TaskID, r *store.Report) (err error) {
	r.Encoded, err = f(at(fieldReport, task, r.ID[:], number(uint64(r.Time))), r.Encoded)
	return err
}

func (f by) aggregationJob(j *store.AggregationJob) (err error) {
	j.Request, err = f(at(fieldAggregationRequest, j.Task, j.ID[:], batchID(j.Batch)), j.Request)
	return err
}

func (f by) bucket(task dap.TaskID, b *store.Bucket) (err error) {
	b.Share, err = f(at(fieldBucket, task, []byte(b.ID), number(b.Count), b.Checksum[:], number(uint64(b.MinTime)), number(uint64(b.MaxTime))), b.Share)
	return err
}

// collectionJob binds the digest to the request, which is there as long as the job is.
func (f by) collectionJob(j *store.CollectionJob) (err error) {
	var of []byte
	if j.Batch != nil {
		of = batch(*j.Batch)
	}
	if j.Request, err = f(at(fieldCollectionRequest, j.Task, j.ID[:], j.Digest[:]), j.Request); err != nil {
		return err
	}
	if j.ShareRequest, err = f(at(fieldShareRequest, j.Task, j.ID[:], of), j.ShareRequest); err != nil {
		return err
	}
	j.Response, err = f(at(fieldCollectionResponse, j.Task, j.ID[:], of), j.Response)
	return err
}

// helperJob binds the digest to the response too: an answered job has no request.
func (f by) helperJob(j *store.HelperJob) (err error) {
	if j.Request, err = f(at(fieldHelperRequest, j.Task, j.ID[:], j.Digest[:]), j.Request); err != nil {
		return err
	}
	j.Response, err = f(at(fieldHelperResponse, j.Task, j.ID[:], j.Digest[:]), j.Response)
	return err
}

func (f by) shareAnswer(a *store.ShareAnswer) (err error) {
	a.Response, err = f(at(fieldShareAnswer, a.Task, a.ID[:], a.Digest[:], batch(a.Batch)), a.Response)
	return err
}

func (f by) statement(s *store.Statement) (err error) {
	if s.Text, err = f(at(fieldStatement, s.Task, instant(s.Created)), s.Text); err != nil {
		return err
	}
	s.Salts, err = f(at(fieldSalts, s.Task, instant(s.Created)), s.Salts)
	return err
}

// submission binds the whole row, so f must be one that seals an empty secret too.
func (f by) submission(s *store.Submission) (err error) {
	aggregated := []byte{0}
	if s.Aggregated {
		aggregated[0] = 1
	}
	p := at(fieldContributes, s.Task, []byte(s.Member), number(s.Correction), s.Report[:], s.Signer[:], instant(s.Received), aggregated)
	s.Contributes, err = f(p, s.Contributes)
	return err
}

// record changes the secrets of a record.
func (f by) record(r store.Record) (store.Record, error) {
	var err error
	switch r := r.(type) {
	case store.PinRecord, store.CounterRecord, store.BatchRecord, store.MarkRecord, store.CollectedRecord:
		return r, nil
	case store.ReportRecord:
		err = f.report(r.Task, &r.Report)
		return r, err
	case store.AggregationJob:
		err = f.aggregationJob(&r)
		return r, err
	case store.BucketRecord:
		err = f.bucket(r.Task, &r.Bucket)
		return r, err
	case store.CollectionJob:
		err = f.collectionJob(&r)
		return r, err
	case store.HelperJob:
		err = f.helperJob(&r)
		return r, err
	case store.ShareAnswer:
		err = f.shareAnswer(&r)
		return r, err
	case store.Submission:
		err = f.submission(&r)
		return r, err
	case store.Statement:
		err = f.statement(&r)
		return r, err
	}
	return nil, fmt.Errorf("sealstore: internal error: unknown record %T", r)
}

func number(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// instant encodes a time as a store keeps it.
func instant(t time.Time) []byte { return number(uint64(t.UnixMicro())) }

func batchID(id *dap.BatchID) []byte {
	if id == nil {
		return nil
	}
	return id[:]
}

func batch(b store.Batch) []byte {
	return append(append(number(uint64(b.Interval.Start)), number(uint64(b.Interval.Duration))...), batchID(b.ID)...)
}
