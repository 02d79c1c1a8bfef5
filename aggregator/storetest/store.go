package storetest

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"time"

	"candor/aggregator/store"
	"candor/schema/dap"
)

var storeTests = []contractTest{
	{name: "update returns the function's error as it is and rolls back", loose: true, run: func(f *fixture) {
		boom := errors.New("boom")
		err := f.s.Update(f.Context(), "test", func(tx store.Tx) error {
			if err := everyWrite(tx); err != nil {
				return err
			}
			return boom
		})
		if err != boom { //nolint:errorlint // the very same
			f.Errorf("Update returned %v, want the function's own error", err)
		}
		f.empty()
	}},
	{name: "update is durable when it returns", run: func(f *fixture) {
		f.addReports(task1, 0, 3)
		f.crash()
		f.states(task1, map[int]store.ReportState{0: store.ReportUnassigned, 2: store.ReportUnassigned})
		f.addReports(task1, 3, 4)
		f.crash()
		if got := f.unassigned(task1, t0, 9); len(got) != 4 {
			f.Errorf("after a crash reports %v are there, want 4", got)
		}
	}},
	{name: "everything survives a crash", loose: true, run: func(f *fixture) {
		f.update(everyWrite)
		before := f.records()
		f.crash()
		f.sameRecords("after a crash", f.records(), before)
	}},
	{name: "everything survives closing", loose: true, run: func(f *fixture) {
		f.update(everyWrite)
		before := f.records()
		if err := f.s.Close(); err != nil {
			f.Fatal(err)
		}
		f.s = f.place.Open(f)
		f.sameRecords("after reopening", f.records(), before)
	}},
	{name: "view writes nothing", loose: true, run: func(f *fixture) {
		f.update(everyWrite)
		before := f.records()
		for name, write := range writes {
			if err := f.s.View(f.Context(), "test", write); err == nil {
				f.Errorf("%s succeeded in a View", name)
			}
		}
		f.sameRecords("after refused writes", f.records(), before)
	}},
	{name: "view sees one snapshot", once: true, run: func(f *fixture) {
		f.addReports(task1, 0, 1)
		looked, added := make(chan bool), make(chan bool)
		go func() {
			defer close(added)
			<-looked
			err := f.s.Update(context.Background(), "test", func(tx store.Tx) error {
				return errors.Join(tx.AddReport(task1, report(1)), tx.AddReport(task1, report(2)))
			})
			if err != nil {
				f.Errorf("Update: %v", err)
			}
		}()
		f.view(func(tx store.Tx) error {
			first, err := tx.UnassignedReports(task1, t0, 9)
			if err != nil {
				return err
			}
			close(looked)
			<-added
			second, err := tx.UnassignedReports(task1, t0, 9)
			if err != nil {
				return err
			}
			_, err = tx.ReportState(task1, reportID(1))
			if len(first) != 1 || len(second) != 1 || !errors.Is(err, store.ErrNotFound) {
				f.Errorf("a View saw %d, then %d reports, and of the new one %v; want 1, 1 and ErrNotFound", len(first), len(second), err)
			}
			return nil
		})
		if got := f.unassigned(task1, t0, 9); len(got) != 3 {
			f.Errorf("the next View saw %v, want 3 reports", got)
		}
	}},
	{name: "update sees what it wrote", run: func(f *fixture) {
		f.update(func(tx store.Tx) error {
			if err := tx.AddReport(task1, report(1)); err != nil {
				return err
			}
			state, err := tx.ReportState(task1, reportID(1))
			if err != nil || state != store.ReportUnassigned {
				f.Errorf("state %d, %v", state, err)
			}
			p, err := tx.Progress(task1, interval(100, 1))
			if err != nil || p != (store.Progress{Unassigned: 1}) {
				f.Errorf("progress %+v, %v", p, err)
			}
			return nil
		})
	}},
	{name: "an ended context runs nothing", run: func(f *fixture) {
		ran := func(store.Tx) error { f.Error("the function ran"); return nil }
		if err := f.s.View(canceled(), "test", ran); !errors.Is(err, context.Canceled) {
			f.Errorf("View: %v, want Canceled", err)
		}
		if err := f.s.Update(canceled(), "test", ran); !errors.Is(err, context.Canceled) {
			f.Errorf("Update: %v, want Canceled", err)
		}
	}},
	{name: "a context that ends while waiting stops the wait", once: true, run: func(f *fixture) {
		inside, leave := make(chan bool), make(chan bool)
		first := make(chan error, 1)
		go func() {
			once := false
			first <- f.s.Update(context.Background(), "test", func(tx store.Tx) error {
				if !once {
					once = true
					close(inside)
					<-leave
				}
				return tx.AddReport(task1, report(1))
			})
		}()
		<-inside
		ctx, cancel := context.WithTimeout(f.Context(), 50*time.Millisecond)
		defer cancel()
		err := f.s.Update(ctx, "test", func(tx store.Tx) error { return tx.AddReport(task1, report(2)) })
		close(leave)
		if e := <-first; e != nil {
			f.Errorf("the Update before: %v", e)
		}
		_, state := f.tryState(task1, 2)
		if (err == nil) != (state == nil) {
			f.Errorf("Update returned %v, but its report has %v", err, state)
		}
		f.addReports(task1, 3, 4) // the store goes on
	}},
	{name: "close waits for running transactions", once: true, run: func(f *fixture) {
		inside := make(chan bool)
		done := make(chan error, 1)
		go func() {
			once := false
			done <- f.s.Update(context.Background(), "test", func(tx store.Tx) error {
				if !once {
					once = true
					close(inside)
					time.Sleep(50 * time.Millisecond)
				}
				return tx.AddReport(task1, report(1))
			})
		}()
		<-inside
		if err := f.s.Close(); err != nil {
			f.Errorf("Close: %v", err)
		}
		if err := <-done; err != nil {
			f.Errorf("an Update that ran when Close was called: %v", err)
		}
		if err := f.s.Update(context.Background(), "test", func(store.Tx) error { return nil }); err == nil {
			f.Error("Update succeeded after Close")
		}
		f.s = f.place.Open(f)
		f.states(task1, map[int]store.ReportState{1: store.ReportUnassigned})
	}},
	{name: "a panic rolls back and goes on", loose: true, once: true, run: func(f *fixture) {
		func() {
			defer func() {
				if got := recover(); got != "boom" {
					f.Errorf("recovered %v, want the function's panic", got)
				}
			}()
			_ = f.s.Update(f.Context(), "test", func(tx store.Tx) error {
				if err := everyWrite(tx); err != nil {
					return err
				}
				panic("boom")
			})
		}()
		f.empty()
		f.addReports(task1, 0, 1)
	}},
	{name: "a goroutine that exits rolls back", loose: true, once: true, run: func(f *fixture) {
		done := make(chan bool)
		go func() {
			defer close(done)
			_ = f.s.Update(context.Background(), "test", func(tx store.Tx) error {
				_ = everyWrite(tx)
				runtime.Goexit()
				return nil
			})
		}()
		<-done
		f.empty()
		f.addReports(task1, 0, 1)
	}},
	{name: "slices are not shared", loose: true, run: func(f *fixture) {
		id := dap.AggregateShareID{1}
		f.update(func(tx store.Tx) error {
			body := []byte("body")
			if err := tx.AddReport(task1, store.Report{ID: reportID(1), Encoded: body}); err != nil {
				return err
			}
			clear(body)
			j := job(task1, 1, 1, 2)
			batch := *batchID(1)
			j.Batch = &batch
			if err := tx.AddAggregationJob(j); err != nil {
				return err
			}
			clear(j.Request)
			clear(j.Reports)
			clear(batch[:])
			sum := []byte("share")
			if err := tx.MergeBucket(task1, store.TimeBucket(1), store.Bucket{Share: sum}, Sum); err != nil {
				return err
			}
			clear(sum)
			of, answer := *batchID(2), []byte("answer")
			if err := tx.AddShareAnswer(store.ShareAnswer{ID: id, Task: task1, Batch: store.Batch{ID: &of}, Response: answer}); err != nil {
				return err
			}
			clear(answer)
			clear(of[:])
			return nil
		})
		for range 2 { // what the first round got, it spoils
			f.view(func(tx store.Tx) error {
				j, err := tx.AggregationJob(task1, aggregationJobID(1))
				if err != nil {
					return err
				}
				want := job(task1, 1, 1, 2)
				if !bytes.Equal(j.Request, want.Request) || len(j.Reports) != 1 || j.Reports[0] != reportID(1) || j.Batch == nil || *j.Batch != *batchID(1) {
					f.Errorf("job %+v", j)
				}
				reports, err := tx.JobReports(j)
				if err != nil {
					return err
				}
				if len(reports) != 1 || string(reports[0].Encoded) != "body" {
					f.Errorf("reports %+v", reports)
				}
				buckets, err := tx.Buckets(task1, interval(1, 1), Sum)
				if err != nil {
					return err
				}
				if len(buckets) != 1 || string(buckets[0].Share) != "share" {
					f.Errorf("buckets %+v", buckets)
				}
				a, err := tx.ShareAnswer(task1, id)
				if err != nil {
					return err
				}
				if string(a.Response) != "answer" || a.Batch.ID == nil || *a.Batch.ID != *batchID(2) {
					f.Errorf("answer %+v", a)
				}
				for _, b := range [][]byte{j.Request, j.Batch[:], reports[0].Encoded, buckets[0].Share, a.Response, a.Batch.ID[:]} {
					clear(b)
				}
				clear(j.Reports)
				return nil
			})
		}
	}},
	{name: "times are kept to the microsecond in UTC", run: func(f *fixture) {
		zone := time.FixedZone("elsewhere", 2*60*60)
		given := time.Date(2026, 3, 1, 14, 0, 0, 123456999, zone)
		j := job(task1, 1, 0, 0)
		j.Created, j.NextAttempt, j.LeaseUntil = given, given, time.Time{}
		j.Waiting = store.Waiting{Code: "x", Text: "waits", Since: given}
		got := f.addJob(j)
		for name, at := range map[string]time.Time{"Created": got.Created, "NextAttempt": got.NextAttempt, "Since": got.Waiting.Since} {
			if at != t0 {
				f.Errorf("%s is %v, want %v", name, at, t0)
			}
		}
		if got.LeaseUntil != (time.Time{}) {
			f.Errorf("the zero time came back as %v", got.LeaseUntil)
		}
		for _, at := range []time.Time{time.Unix(0, 0).UTC(), time.Unix(-1, 999999000).UTC(), time.Date(1, 1, 1, 0, 0, 1, 0, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC)} {
			got.Waiting.Since = at
			f.update(func(tx store.Tx) error { return tx.SaveAggregationJob(got) })
			if got = f.job(got); got.Waiting.Since != at {
				f.Errorf("%v came back as %v", at, got.Waiting.Since)
			}
		}
	}},
}

// writes are all methods that write, each with arguments that would change an empty store or one in which everyWrite was done.
var writes = map[string]func(store.Tx) error{
	"PinTask":   func(tx store.Tx) error { return tx.PinTask(task2, [32]byte{1}) },
	"Count":     func(tx store.Tx) error { return tx.Count(task1, "c", 1) },
	"AddReport": func(tx store.Tx) error { return tx.AddReport(task1, report(50)) },
	"DeferReports": func(tx store.Tx) error {
		return tx.DeferReports(task1, []dap.ReportID{reportID(9)}, t0)
	},
	"RejectReports": func(tx store.Tx) error { return tx.RejectReports(task1, []store.Rejection{{ID: reportID(9), Code: 1}}) },
	"DropReport":    func(tx store.Tx) error { return tx.DropReport(task1, reportID(9), 1) },
	"AddAggregationJob": func(tx store.Tx) error {
		return tx.AddAggregationJob(job(task1, 50, 0, 0))
	},
	"LeaseAggregationJobs":  func(tx store.Tx) error { _, err := tx.LeaseAggregationJobs(t0, time.Hour, 1); return err },
	"PrepareAggregationJob": func(tx store.Tx) error { return tx.PrepareAggregationJob(job(task1, 1, 0, 1), nil) },
	"SaveAggregationJob":    func(tx store.Tx) error { return tx.SaveAggregationJob(job(task1, 1, 0, 1)) },
	"FinishAggregationJob":  func(tx store.Tx) error { return tx.FinishAggregationJob(job(task1, 1, 0, 1), nil) },
	"AbandonAggregationJob": func(tx store.Tx) error { return tx.AbandonAggregationJob(job(task1, 1, 0, 1), t0) },
	"MarkAggregated": func(tx store.Tx) error {
		_, err := tx.MarkAggregated(task1, store.TimeBucket(1), []dap.ReportID{reportID(50)})
		return err
	},
	"MergeBucket": func(tx store.Tx) error {
		return tx.MergeBucket(task1, store.TimeBucket(1), store.Bucket{Count: 1}, Sum)
	},
	"MarkCollected":       func(tx store.Tx) error { return tx.MarkCollected(task1, leaderBatch(50)) },
	"EraseBatch":          func(tx store.Tx) error { return tx.EraseBatch(task1, interval(200, 10)) },
	"ReserveBatch":        func(tx store.Tx) error { return tx.ReserveBatch(task1, *batchID(50), dap.CollectionJobID{1}) },
	"AddCollectionJob":    func(tx store.Tx) error { return tx.AddCollectionJob(collection(50)) },
	"LeaseCollectionJobs": func(tx store.Tx) error { _, err := tx.LeaseCollectionJobs(t0, time.Hour, 1); return err },
	"SaveCollectionJob":   func(tx store.Tx) error { j := collection(1); j.Revision = 1; return tx.SaveCollectionJob(j) },
	"DeleteCollectionJob": func(tx store.Tx) error { return tx.DeleteCollectionJob(task1, collection(1).ID) },
	"AddHelperJob":        func(tx store.Tx) error { return tx.AddHelperJob(helperJob(50, store.JobLive)) },
	"SaveHelperJob":       func(tx store.Tx) error { return tx.SaveHelperJob(helperJob(1, store.JobFinished)) },
	"LeaseHelperJobs":     func(tx store.Tx) error { _, err := tx.LeaseHelperJobs(t0, time.Hour, 1); return err },
	"DeleteHelperJob":     func(tx store.Tx) error { return tx.DeleteHelperJob(task1, helperJob(1, store.JobLive).ID) },
	"AddShareAnswer":      func(tx store.Tx) error { return tx.AddShareAnswer(shareAnswer(50)) },
	"DeleteShareAnswer":   func(tx store.Tx) error { return tx.DeleteShareAnswer(task1, shareAnswer(1).ID) },
	"PutSubmission":       func(tx store.Tx) error { return tx.PutSubmission(store.Submission{Task: task1, Member: "other"}) },
	"PutStatement":        func(tx store.Tx) error { return tx.PutStatement(store.Statement{Task: task2, Text: []byte("text")}) },
	"PutKey":              func(tx store.Tx) error { return tx.PutKey(key(1, "k")) },
	"DeleteKey":           func(tx store.Tx) error { return tx.DeleteKey(keyTask, 2) },
	"DeleteTask":          func(tx store.Tx) error { return tx.DeleteTask(task1) },
	"ReplaceSecrets": func(tx store.Tx) error {
		return tx.ReplaceSecrets(store.Statement{Task: task1}, func(r store.Record) (store.Record, error) {
			return store.Statement{Task: task1, Text: []byte("other")}, nil
		})
	},
	"AddRecord": func(tx store.Tx) error { return tx.AddRecord(store.CounterRecord{Task: task2, Name: "c", N: 1}) },
}

// everyWrite puts rows of every kind into an empty store.
func everyWrite(tx store.Tx) error {
	if err := tx.PinTask(task1, [32]byte{7}); err != nil {
		return err
	}
	if err := tx.Count(task1, "uploads", 10); err != nil {
		return err
	}
	for n := range 10 {
		if err := tx.AddReport(task1, report(n)); err != nil {
			return err
		}
	}
	done := job(task1, 2, 4, 6)
	done.Batch = batchID(1)
	deferred := helperJob(2, store.JobLive)
	deferred.NextAttempt = t0.Add(time.Hour)
	for _, err := range []error{
		tx.DropReport(task1, reportID(8), 8),
		tx.AddAggregationJob(job(task1, 1, 0, 4)),
		tx.AddAggregationJob(done),
		finish(tx, withRevision(done, 1), all(done, store.ReportAggregated, 0)),
		tx.ReserveBatch(task1, *batchID(1), collection(1).ID),
		tx.MergeBucket(task1, store.TimeBucket(200), store.Bucket{Share: share(9), Count: 3, Checksum: [32]byte{1}, MinTime: 200, MaxTime: 200}, Sum),
		tx.MarkCollected(task1, interval(200, 10)),
		tx.MarkCollected(task1, leaderBatch(1)),
		tx.AddCollectionJob(collection(1)),
		tx.AddHelperJob(helperJob(1, store.JobLive)),
		tx.AddHelperJob(deferred),
		tx.AddHelperJob(helperJob(3, store.JobFinished)),
		tx.AddShareAnswer(shareAnswer(1)),
		tx.PutSubmission(store.Submission{Task: task1, Member: "m1", Correction: 2, Report: reportID(1), Contributes: []byte{3}, Received: t0, Aggregated: true}),
		tx.PutStatement(store.Statement{Task: task1, Text: []byte("text"), Salts: []byte("salts"), Created: t0}),
		tx.PutKey(key(2, "wrapped")),
	} {
		if err != nil {
			return err
		}
	}
	_, err := tx.MarkAggregated(task1, store.TimeBucket(200), []dap.ReportID{reportID(100), reportID(101)})
	return err
}

func withRevision(j store.AggregationJob, revision uint64) store.AggregationJob {
	j.Revision = revision
	return j
}

// records returns all rows.
func (f *fixture) records() []store.Record {
	f.Helper()
	var out []store.Record
	f.view(func(tx store.Tx) error {
		out = nil
		return tx.Records(func(r store.Record) error {
			out = append(out, r)
			return nil
		})
	})
	return out
}

// empty fails the test if the store has a row.
func (f *fixture) empty() {
	f.Helper()
	if left := f.records(); len(left) > 0 {
		f.Errorf("%d rows were left behind, the first is %+v", len(left), left[0])
	}
	for _, lease := range []string{"LeaseAggregationJobs", "LeaseCollectionJobs", "LeaseHelperJobs"} {
		f.update(func(tx store.Tx) error { return writes[lease](tx) })
	}
	jobs := 0
	f.update(func(tx store.Tx) error {
		a, err := tx.LeaseAggregationJobs(t0.Add(99*time.Hour), time.Hour, 9)
		if err != nil {
			return err
		}
		b, err := tx.LeaseHelperJobs(t0.Add(99*time.Hour), time.Hour, 9)
		jobs = len(a) + len(b)
		return err
	})
	if jobs > 0 {
		f.Errorf("%d jobs are still in a queue", jobs)
	}
}

func (f *fixture) tryState(task dap.TaskID, n int) (state store.ReportState, err error) {
	f.Helper()
	f.view(func(tx store.Tx) error {
		state, err = tx.ReportState(task, reportID(n))
		return nil
	})
	return state, err
}
