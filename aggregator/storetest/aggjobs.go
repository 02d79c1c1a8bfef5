package storetest

import (
	"errors"
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"

	"candor/aggregator/store"
	"candor/schema/dap"
)

var aggregationJobTests = []contractTest{
	{name: "a new job takes its reports", run: func(f *fixture) {
		f.addReports(task1, 0, 6)
		j := job(task1, 1, 1, 4)
		slices.Reverse(j.Reports)
		j.NextAttempt, j.Location, j.Attempts = t0.Add(time.Second), "/there", 2
		j.Waiting = store.Waiting{Code: "code", Text: "text", Since: t0}
		j.State, j.Revision = store.JobAbandoned, 99 // do not count
		got := f.addJob(j)
		want := j
		want.State, want.Revision = store.JobLive, 1
		if d := cmp.Diff(want, got); d != "" {
			f.Errorf("stored job (-want +got):\n%s", d)
		}
		f.states(task1, map[int]store.ReportState{0: store.ReportUnassigned, 1: store.ReportAssigned, 3: store.ReportAssigned, 4: store.ReportUnassigned})
		if got := f.unassigned(task1, t0, 9); !slices.Equal(got, []int{0, 4, 5}) {
			f.Errorf("unassigned %v", got)
		}
		if d := cmp.Diff([]store.Report{report(3), report(2), report(1)}, f.bodies(got)); d != "" {
			f.Errorf("reports of the job (-want +got):\n%s", d)
		}
		if got := f.job(f.addJob(job(task2, 1, 0, 0))); got.Task != task2 || got.Reports != nil {
			f.Errorf("another task's job of the same ID: %+v", got)
		}
	}},
	{name: "conflicts of a new job", run: func(f *fixture) {
		f.addReports(task1, 0, 6)
		f.addJob(job(task1, 1, 0, 2))
		f.update(func(tx store.Tx) error { return tx.DropReport(task1, reportID(5), 8) })
		twice := job(task1, 7, 2, 3)
		twice.Reports = append(twice.Reports, reportID(2))
		before := f.records()
		for name, j := range map[string]store.AggregationJob{
			"same ID": job(task1, 1, 2, 3), "assigned report": job(task1, 2, 1, 3), "rejected report": job(task1, 3, 4, 6),
			"unknown report": job(task1, 4, 4, 5+3), "a report twice": twice, "another task's reports": job(task2, 1, 2, 3),
		} {
			f.update(func(tx store.Tx) error {
				if err := tx.AddAggregationJob(j); !errors.Is(err, store.ErrConflict) {
					f.Errorf("%s: %v, want ErrConflict", name, err)
				}
				return nil
			})
		}
		f.sameRecords("after conflicts", f.records(), before)
	}},
	{name: "an unknown job is not found", run: func(f *fixture) {
		j := job(task1, 1, 0, 0)
		f.refused(store.ErrNotFound, func(tx store.Tx) error { _, err := tx.AggregationJob(task1, j.ID); return err })
		f.refused(store.ErrNotFound, func(tx store.Tx) error { return tx.SaveAggregationJob(j) })
		f.refused(store.ErrNotFound, func(tx store.Tx) error { return tx.FinishAggregationJob(j, nil) })
		f.refused(store.ErrNotFound, func(tx store.Tx) error { return tx.AbandonAggregationJob(j, t0) })
		f.refused(store.ErrNotFound, func(tx store.Tx) error { return tx.PrepareAggregationJob(j, nil) })
	}},
	{name: "leases go to those that wait longest", run: func(f *fixture) {
		jobs := map[int]store.AggregationJob{}
		for i, next := range []time.Duration{3, 1, 2, 60} {
			n := i + 1
			j := job(task1, n, 0, 0)
			if n == 3 {
				j.Task = task2
			}
			j.NextAttempt = t0.Add(next * time.Second)
			jobs[n] = f.addJob(j)
		}
		now := t0.Add(10 * time.Second)
		lease := func(now time.Time, n int) []int {
			f.Helper()
			var got []int
			f.update(func(tx store.Tx) error {
				leased, err := tx.LeaseAggregationJobs(now, time.Minute, n)
				got = nil
				for _, j := range leased {
					want := jobs[int(j.ID[0])]
					want.LeaseUntil = now.Add(time.Minute)
					want.Revision++
					if d := cmp.Diff(want, j); d != "" {
						f.Errorf("leased job (-want +got):\n%s", d)
					}
					got = append(got, int(j.ID[0]))
				}
				return err
			})
			for _, n := range got {
				j := jobs[n]
				j.LeaseUntil = now.Add(time.Minute)
				j.Revision++
				jobs[n] = j
				if d := cmp.Diff(j, f.job(j)); d != "" {
					f.Errorf("stored job (-want +got):\n%s", d)
				}
			}
			return got
		}
		for _, c := range []struct {
			now  time.Time
			n    int
			want []int
		}{
			{t0.Add(time.Second - time.Microsecond), 9, nil},
			{t0.Add(time.Second), 9, []int{2}}, // NextAttempt is now; leased until t0+61s
			{now, 1, []int{3}},                 // until t0+70s
			{now, 9, []int{1}},
			{now, 9, nil},
			{t0.Add(60 * time.Second), 9, []int{4}},
			{t0.Add(61 * time.Second), 9, nil}, // the lease ends now, not before now
			{t0.Add(61*time.Second + time.Microsecond), 9, []int{2}},
			{t0.Add(1000 * time.Second), 9, []int{1, 3, 4, 2}}, // 1 and 3 since the same moment
		} {
			if got := lease(c.now, c.n); !slices.Equal(got, c.want) {
				f.Errorf("at t0%+v, n %d: leased %v, want %v", c.now.Sub(t0), c.n, got, c.want)
			}
		}
	}},
	{name: "save replaces the mutable fields", run: func(f *fixture) {
		f.addReports(task1, 0, 2)
		j := f.addJob(job(task1, 1, 0, 2))
		saved := j
		saved.Location, saved.Attempts, saved.NextAttempt, saved.LeaseUntil = "/job?step=1", 3, t0.Add(time.Hour), t0.Add(time.Minute)
		saved.Waiting = store.Waiting{Code: "peer", Text: "the Helper answered 503", Since: t0}
		given := saved
		given.Request, given.Reports, given.Created, given.State, given.Batch = []byte("x"), nil, time.Time{}, store.JobFinished, batchID(3) // do not count
		f.update(func(tx store.Tx) error { return tx.SaveAggregationJob(given) })
		saved.Revision++
		if d := cmp.Diff(saved, f.job(j)); d != "" {
			f.Errorf("saved job (-want +got):\n%s", d)
		}
		f.update(func(tx store.Tx) error {
			leased, err := tx.LeaseAggregationJobs(t0.Add(time.Hour-1), time.Hour, 9)
			if len(leased) > 0 {
				f.Error("leased before its new NextAttempt")
			}
			return err
		})
		f.update(func(tx store.Tx) error {
			leased, err := tx.LeaseAggregationJobs(t0.Add(time.Hour), time.Hour, 9)
			if len(leased) != 1 {
				f.Error("not leased at its new NextAttempt")
			}
			return err
		})
	}},
	{name: "a lost lease is a conflict", run: func(f *fixture) {
		f.addReports(task1, 0, 2)
		unprepared := job(task1, 2, 1, 2)
		unprepared.Request = nil
		for _, j := range []store.AggregationJob{f.addJob(job(task1, 1, 0, 1)), f.addJob(unprepared)} {
			f.update(func(tx store.Tx) error { return tx.SaveAggregationJob(j) }) // another worker
			before := f.records()
			prepared := j
			prepared.Request = []byte("request")
			for name, write := range map[string]func(store.Tx) error{
				"Save":    func(tx store.Tx) error { return tx.SaveAggregationJob(j) },
				"Prepare": func(tx store.Tx) error { return tx.PrepareAggregationJob(prepared, nil) },
				"Finish":  func(tx store.Tx) error { return tx.FinishAggregationJob(j, all(j, store.ReportRejected, 6)) },
				"Abandon": func(tx store.Tx) error { return tx.AbandonAggregationJob(j, t0) },
			} {
				f.update(func(tx store.Tx) error {
					if err := write(tx); !errors.Is(err, store.ErrConflict) {
						f.Errorf("%s: %v, want ErrConflict", name, err)
					}
					return nil
				})
			}
			f.sameRecords("after conflicts", f.records(), before)
		}
	}},
	{name: "prepare gives a request once", run: func(f *fixture) {
		f.addReports(task1, 0, 6)
		j := job(task1, 1, 0, 5)
		j.Request, j.Batch = nil, batchID(1)
		j = f.addJob(j)
		if j.Request != nil {
			f.Fatalf("a job that only claims its reports has request %q", j.Request)
		}
		prepared := j
		prepared.Request, prepared.Location, prepared.NextAttempt = []byte("request"), "/x", t0.Add(time.Second)
		prepared.Reports = []dap.ReportID{reportID(0), reportID(2), reportID(4)}
		leave := []store.Outcome{{ID: reportID(3), State: store.ReportUnassigned, NotBefore: t0.Add(time.Hour)}, {ID: reportID(1), State: store.ReportRejected, Code: 5}}
		for name, bad := range map[string]func() (store.AggregationJob, []store.Outcome){
			"aggregated": func() (store.AggregationJob, []store.Outcome) {
				return prepared, []store.Outcome{{ID: reportID(3), State: store.ReportAggregated}, leave[1]}
			},
			"list too long": func() (store.AggregationJob, []store.Outcome) { return prepared, leave[:1] },
			"other report": func() (store.AggregationJob, []store.Outcome) {
				return prepared, append(leave[:2:2], store.Outcome{ID: reportID(5), State: 4})
			},
			"twice": func() (store.AggregationJob, []store.Outcome) { return prepared, append(leave[:2:2], leave[0]) },
			"other order": func() (store.AggregationJob, []store.Outcome) {
				p := prepared
				p.Reports = []dap.ReportID{reportID(2), reportID(0), reportID(4)}
				return p, leave
			},
			"no request": func() (store.AggregationJob, []store.Outcome) { p := prepared; p.Request = nil; return p, leave },
			"state out of range": func() (store.AggregationJob, []store.Outcome) {
				return prepared, []store.Outcome{{ID: reportID(3), State: 9}, leave[1]}
			},
		} {
			before := f.records()
			given, outcomes := bad()
			if err := f.s.Update(f.Context(), "test", func(tx store.Tx) error { return tx.PrepareAggregationJob(given, outcomes) }); err == nil || errors.Is(err, store.ErrConflict) {
				f.Errorf("%s: %v, want an error that is no conflict", name, err)
			}
			f.sameRecords("after "+name, f.records(), before)
		}
		f.update(func(tx store.Tx) error { return tx.PrepareAggregationJob(prepared, leave) })
		prepared.Revision++
		got := f.job(j)
		if d := cmp.Diff(prepared, got); d != "" {
			f.Errorf("prepared job (-want +got):\n%s", d)
		}
		f.states(task1, map[int]store.ReportState{0: store.ReportAssigned, 1: store.ReportRejected, 3: store.ReportUnassigned, 4: store.ReportAssigned})
		if got := f.unassigned(task1, t0.Add(time.Hour-time.Microsecond), 9); !slices.Equal(got, []int{5}) {
			f.Errorf("unassigned %v, want 5", got)
		}
		if got := f.unassigned(task1, t0.Add(time.Hour), 9); !slices.Equal(got, []int{5, 3}) {
			f.Errorf("unassigned later %v, want 5 and 3", got)
		}
		if p := read(f, func(tx store.Tx) (store.Progress, error) { return tx.Progress(task1, leaderBatch(1)) }); p != (store.Progress{Assigned: 3, Rejected: 1}) {
			f.Errorf("progress of the batch %+v", p)
		}
		f.refused(store.ErrConflict, func(tx store.Tx) error { return tx.PrepareAggregationJob(got, nil) })
	}},
	{name: "finish gives each report its outcome", run: func(f *fixture) {
		f.addReports(task1, 0, 5)
		j := job(task1, 1, 0, 4)
		j.Waiting, j.LeaseUntil = store.Waiting{Code: "c", Text: "t", Since: t0}, t0
		j = f.addJob(j)
		outcomes := []store.Outcome{
			{ID: reportID(3), State: store.ReportUnassigned, NotBefore: t0.Add(time.Minute)},
			{ID: reportID(0), State: store.ReportAggregated},
			{ID: reportID(2), State: store.ReportRejected, Code: dap.ErrorVDAFVerifyError},
			{ID: reportID(1), State: store.ReportAggregated},
		}
		for name, bad := range map[string][]store.Outcome{
			"missing": outcomes[:3], "twice": append(outcomes[:3:3], outcomes[0]), "other report": append(outcomes[:3:3], store.Outcome{ID: reportID(4), State: 4}),
			"extra": append(outcomes[:4:4], store.Outcome{ID: reportID(4), State: 4}), "assigned": append(outcomes[:3:3], store.Outcome{ID: reportID(1), State: store.ReportAssigned}),
		} {
			before := f.records()
			if err := f.s.Update(f.Context(), "test", func(tx store.Tx) error { return tx.FinishAggregationJob(j, bad) }); err == nil || errors.Is(err, store.ErrConflict) {
				f.Errorf("%s: %v, want an error that is no conflict", name, err)
			}
			f.sameRecords("after "+name, f.records(), before)
		}
		f.update(func(tx store.Tx) error { return finish(tx, j, outcomes) })
		f.states(task1, map[int]store.ReportState{0: store.ReportAggregated, 1: store.ReportAggregated, 2: store.ReportRejected, 3: store.ReportUnassigned})
		got, want := f.job(j), j
		want.State, want.Request, want.Waiting, want.LeaseUntil, want.Revision = store.JobFinished, nil, store.Waiting{}, time.Time{}, got.Revision
		if d := cmp.Diff(want, got); d != "" || got.Revision == j.Revision {
			f.Errorf("finished job (-want +got):\n%s", d)
		}
		if got := f.unassigned(task1, t0, 9); !slices.Equal(got, []int{4}) {
			f.Errorf("unassigned %v, want 4", got)
		}
		if got := f.unassigned(task1, t0.Add(time.Minute), 9); !slices.Equal(got, []int{4, 3}) {
			f.Errorf("unassigned later %v, want 4 and 3", got)
		}
		for _, r := range f.records() {
			if r, ok := r.(store.ReportRecord); ok && (len(r.Encoded) > 0) != (r.State == store.ReportUnassigned) {
				f.Errorf("report %s of state %d has a body of %d bytes", r.ID, r.State, len(r.Encoded))
			}
		}
		for _, revision := range []uint64{j.Revision, got.Revision} {
			f.refused(store.ErrConflict, func(tx store.Tx) error { return tx.FinishAggregationJob(withRevision(j, revision), outcomes) })
			f.refused(store.ErrConflict, func(tx store.Tx) error { return tx.SaveAggregationJob(withRevision(j, revision)) })
			f.refused(store.ErrConflict, func(tx store.Tx) error { return tx.AbandonAggregationJob(withRevision(j, revision), t0) })
		}
		f.update(func(tx store.Tx) error {
			leased, err := tx.LeaseAggregationJobs(t0.Add(time.Hour), time.Hour, 9)
			if len(leased) > 0 {
				f.Error("a finished job was leased")
			}
			return err
		})
		again := f.addJob(job(task1, 2, 3, 5)) // the report that went back
		if got := f.bodies(again); len(got) != 2 || string(got[0].Encoded) != string(report(3).Encoded) {
			f.Errorf("reports of the next job %+v", got)
		}
	}},
	{name: "abandon gives its reports back", run: func(f *fixture) {
		f.addReports(task1, 0, 4)
		j := job(task1, 1, 1, 3)
		j.Batch = batchID(1)
		j = f.addJob(j)
		f.update(func(tx store.Tx) error { return tx.AbandonAggregationJob(j, t0.Add(time.Minute)) })
		if got := f.unassigned(task1, t0, 9); !slices.Equal(got, []int{0, 3}) {
			f.Errorf("unassigned %v, want 0 and 3", got)
		}
		if got := f.unassigned(task1, t0.Add(time.Minute), 9); !slices.Equal(got, []int{0, 3, 1, 2}) {
			f.Errorf("unassigned later %v", got)
		}
		got := f.job(j)
		if got.State != store.JobAbandoned || got.Request != nil {
			f.Errorf("abandoned job %+v", got)
		}
		f.refused(store.ErrConflict, func(tx store.Tx) error { return tx.AbandonAggregationJob(got, t0) })
		if p := read(f, func(tx store.Tx) (store.Progress, error) { return tx.Progress(task1, leaderBatch(1)) }); p != (store.Progress{}) {
			f.Errorf("progress of the batch %+v, want none", p)
		}
		j2 := f.addJob(job(task1, 2, 0, 4))
		if len(f.bodies(j2)) != 4 {
			f.Error("the reports cannot be assigned again")
		}
	}},
	{name: "live jobs are listed without request", run: func(f *fixture) {
		f.addReports(task1, 0, 4)
		var want []store.AggregationJob
		for _, n := range []int{9, 3, 5} {
			j := f.addJob(job(task1, n, 0, 0))
			j.Request = nil
			want = append(want, j)
		}
		f.addJob(job(task2, 1, 0, 0))
		ended := f.addJob(job(task1, 4, 0, 1))
		f.update(func(tx store.Tx) error { return tx.AbandonAggregationJob(ended, t0) })
		f.update(func(tx store.Tx) error { return tx.SaveAggregationJob(want[0]) })
		want[0].Revision++
		got := read(f, func(tx store.Tx) ([]store.AggregationJob, error) { return tx.LiveAggregationJobs(task1) })
		if d := cmp.Diff(want, got); d != "" {
			f.Errorf("live jobs (-want +got):\n%s", d)
		}
	}},
	{name: "many reports in one job", run: func(f *fixture) {
		f.addReports(task1, 0, 1000)
		j := f.addJob(job(task1, 1, 0, 1000))
		if got := f.bodies(j); len(got) != 1000 || got[999].ID != reportID(999) {
			f.Errorf("%d reports", len(got))
		}
		f.update(func(tx store.Tx) error { return finish(tx, j, all(j, store.ReportAggregated, 0)) })
		if p := read(f, func(tx store.Tx) (store.Progress, error) { return tx.Progress(task1, interval(0, 1000)) }); p != (store.Progress{Aggregated: 1000}) {
			f.Errorf("progress %+v", p)
		}
	}},
}
