package sealstore_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"candor/aggregator/sealstore"
	"candor/aggregator/store"
	"candor/aggregator/storetest"
	"candor/schema/dap"
)

// openAll reads every row of a sealed store that consists of these rows.
func openAll(t *testing.T, beneath []store.Record) error {
	t.Helper()
	s := newPlace(t).(place).beneath(t)
	defer s.Close()
	update(t, s, func(tx store.Tx) error {
		for _, r := range beneath {
			if err := tx.AddRecord(r); err != nil {
				return fmt.Errorf("%T: %w", r, err)
			}
		}
		return nil
	})
	return seal(t, s, wrapping).View(t.Context(), "test", func(tx store.Tx) error {
		return tx.Records(func(store.Record) error { return nil })
	})
}

// filled returns the rows beneath a store that fill filled, with a second row of each type that may have one.
func filled(t *testing.T) []store.Record {
	t.Helper()
	beneath := newPlace(t).(place).beneath(t)
	defer beneath.Close()
	s := seal(t, beneath, wrapping)
	update(t, s, fill)
	update(t, s, func(tx store.Tx) error {
		return errors.Join(
			tx.MergeBucket(task, store.TimeBucket(8), store.Bucket{Share: secret("other share"), Count: 1, Checksum: dap.Checksum(reportID(9)), MinTime: 7, MaxTime: 7}, storetest.Sum),
			tx.AddCollectionJob(store.CollectionJob{ID: dap.CollectionJobID{9}, Task: task, Request: secret("other collection"), Digest: [32]byte{9}, Created: now, State: store.JobLive}),
			tx.AddHelperJob(store.HelperJob{ID: dap.AggregationJobID{9}, Task: task, Digest: [32]byte{9}, Request: secret("other request"), Created: now, State: store.JobLive}),
			tx.AddHelperJob(store.HelperJob{ID: dap.AggregationJobID{8}, Task: task, Digest: [32]byte{8}, Response: secret("other response"), Created: now, State: store.JobFinished}),
			tx.AddShareAnswer(store.ShareAnswer{ID: dap.AggregateShareID{9}, Task: task, Digest: [32]byte{9}, Response: secret("other answer"), Created: now}),
			tx.PutSubmission(store.Submission{Task: task, Member: "m2", Correction: 1, Report: reportID(2), Contributes: secret("other contributes"), Received: now}),
		)
	})
	return records(t, beneath)
}

// moved are the values of two rows that could be exchanged.
func moved(a, b store.Record) bool {
	swap := func(x, y *[]byte) bool {
		*x, *y = *y, *x
		return len(*x) > 0 && len(*y) > 0
	}
	switch a := a.(type) {
	case *store.ReportRecord:
		return swap(&a.Encoded, &b.(*store.ReportRecord).Encoded)
	case *store.BucketRecord:
		return swap(&a.Share, &b.(*store.BucketRecord).Share)
	case *store.CollectionJob:
		return swap(&a.Request, &b.(*store.CollectionJob).Request)
	case *store.HelperJob:
		b := b.(*store.HelperJob)
		return swap(&a.Request, &b.Request) || swap(&a.Response, &b.Response)
	case *store.ShareAnswer:
		return swap(&a.Response, &b.(*store.ShareAnswer).Response)
	case *store.Submission:
		return swap(&a.Contributes, &b.(*store.Submission).Contributes)
	}
	return false
}

// pointer returns a pointer to a copy of a record, as the record that it also is.
func pointer(r store.Record) store.Record {
	switch r := r.(type) {
	case store.ReportRecord:
		return &r
	case store.BucketRecord:
		return &r
	case store.CollectionJob:
		return &r
	case store.HelperJob:
		return &r
	case store.ShareAnswer:
		return &r
	case store.Submission:
		return &r
	}
	return r
}

// value is the inverse of pointer.
func value(r store.Record) store.Record {
	switch r := r.(type) {
	case *store.ReportRecord:
		return *r
	case *store.BucketRecord:
		return *r
	case *store.CollectionJob:
		return *r
	case *store.HelperJob:
		return *r
	case *store.ShareAnswer:
		return *r
	case *store.Submission:
		return *r
	}
	return r
}

// A value that stands in the row of another is found.
func TestSwappedValue(t *testing.T) {
	rows := filled(t)
	if err := openAll(t, rows); err != nil {
		t.Fatalf("nothing was changed: %v", err)
	}
	tried := map[string]int{}
	for i := range rows {
		for j := range i {
			a, b := pointer(rows[i]), pointer(rows[j])
			if fmt.Sprintf("%T", a) != fmt.Sprintf("%T", b) || !moved(a, b) {
				continue
			}
			changed := slices.Clone(rows)
			changed[i], changed[j] = value(a), value(b)
			tried[fmt.Sprintf("%T", a)]++
			if err := openAll(t, changed); !errors.Is(err, sealstore.ErrAltered) {
				t.Errorf("values of two %T exchanged: %v", a, err)
			}
		}
	}
	if len(tried) != 6 {
		t.Errorf("exchanged: %v, want 6 types", tried)
	}
}

// What a value is bound to cannot be changed beside it.
func TestChangedRow(t *testing.T) {
	rows := filled(t)
	for what, change := range map[string]func(store.Record) (store.Record, bool){
		"a byte of a body": on(func(r *store.ReportRecord) bool { return flip(&r.Encoded) }),
		"time of a report": on(func(r *store.ReportRecord) bool { r.Time++; return true }),
		"batch of an aggregation job": on(func(r *store.AggregationJob) bool {
			r.Batch = &dap.BatchID{1}
			return len(r.Request) > 0
		}),
		"count of a bucket":               on(func(r *store.BucketRecord) bool { r.Count++; return true }),
		"checksum of a bucket":            on(func(r *store.BucketRecord) bool { r.Checksum[3] ^= 1; return true }),
		"least time of a bucket":          on(func(r *store.BucketRecord) bool { r.MinTime--; return true }),
		"greatest time of a bucket":       on(func(r *store.BucketRecord) bool { r.MaxTime++; return true }),
		"name of a bucket":                on(func(r *store.BucketRecord) bool { r.ID = store.TimeBucket(99); return true }),
		"digest of a collection job":      on(func(r *store.CollectionJob) bool { r.Digest[0] ^= 0x40; return true }),
		"batch of a collection job":       on(func(r *store.CollectionJob) bool { r.Batch = nil; return len(r.Response) > 0 }),
		"digest of a Helper's job":        on(func(r *store.HelperJob) bool { r.Digest[0] ^= 0x40; return true }),
		"digest of a share":               on(func(r *store.ShareAnswer) bool { r.Digest[0] ^= 0x40; return true }),
		"batch of a share":                on(func(r *store.ShareAnswer) bool { r.Batch.Interval.Start++; return true }),
		"member of a submission":          on(func(r *store.Submission) bool { r.Member += "x"; return true }),
		"correction of a submission":      on(func(r *store.Submission) bool { r.Correction++; return true }),
		"report of a submission":          on(func(r *store.Submission) bool { r.Report[0] ^= 1; return true }),
		"key of a submission":             on(func(r *store.Submission) bool { r.Signer[0] ^= 1; return true }),
		"time of a submission":            on(func(r *store.Submission) bool { r.Received = r.Received.Add(time.Second); return true }),
		"whether a submission is counted": on(func(r *store.Submission) bool { r.Aggregated = !r.Aggregated; return true }),
		"no contributions":                on(func(r *store.Submission) bool { r.Contributes = nil; return true }),
		"time of a statement":             on(func(r *store.Statement) bool { r.Created = r.Created.Add(time.Second); return true }),
		"text of a statement":             on(func(r *store.Statement) bool { r.Text, r.Salts = r.Salts, r.Text; return true }),
		"a wrapped key":                   on(func(r *store.Key) bool { return r.Task == task && flip(&r.Wrapped) }),
		"the task of a key":               on(func(r *store.Key) bool { r.Task[5] ^= 1; return r.ID != 0 }),
	} {
		changed := slices.Clone(rows)
		found := false
		for i, r := range rows {
			if changed[i], found = change(r); found {
				break
			}
		}
		if err := openAll(t, changed); !found || !errors.Is(err, sealstore.ErrAltered) {
			t.Errorf("%s changed (%v): %v", what, found, err)
		}
	}
}

// on makes a change of one type of record a change of any.
func on[R store.Record](change func(*R) bool) func(store.Record) (store.Record, bool) {
	return func(r store.Record) (store.Record, bool) {
		is, ok := r.(R)
		if !ok || !change(&is) {
			return r, false
		}
		return is, true
	}
}

func flip(b *[]byte) bool {
	*b = append([]byte(nil), *b...)
	(*b)[len(*b)-1] ^= 1
	return true
}
