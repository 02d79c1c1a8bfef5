package storetest

import (
	"errors"
	"maps"
	"slices"
	"time"

	"candor/aggregator/store"
	"candor/schema/dap"
)

var taskTests = []contractTest{
	{name: "a pin holds its digest for ever", run: func(f *fixture) {
		pin := func(task dap.TaskID, digest byte) func(store.Tx) error {
			return func(tx store.Tx) error { return tx.PinTask(task, [32]byte{digest}) }
		}
		f.update(pin(task1, 1))
		f.update(pin(task1, 1))
		f.refused(store.ErrConflict, pin(task1, 2))
		f.update(pin(task2, 2))
		f.update(func(tx store.Tx) error { return tx.DeleteTask(task1) })
		f.refused(store.ErrConflict, pin(task1, 2))
		f.update(pin(task1, 1))
	}},
	{name: "counters add up", run: func(f *fixture) {
		f.update(func(tx store.Tx) error {
			return errors.Join(tx.Count(task1, "a", 1), tx.Count(task1, "a", 41), tx.Count(task1, "b", 7))
		})
		f.update(func(tx store.Tx) error { return errors.Join(tx.Count(task1, "a", 1<<40), tx.Count(task2, "a", 5)) })
		for task, want := range map[dap.TaskID]map[string]uint64{task1: {"a": 1<<40 + 42, "b": 7}, task2: {"a": 5}, {3}: {}} {
			got := read(f, func(tx store.Tx) (map[string]uint64, error) { return tx.Counters(task) })
			if !maps.Equal(got, want) {
				f.Errorf("counters of %s are %v, want %v", task, got, want)
			}
		}
	}},
	{name: "delete removes every row but the pin", loose: true, run: func(f *fixture) {
		f.update(everyWrite)
		f.addReports(task2, 0, 2)
		f.update(func(tx store.Tx) error { return errors.Join(tx.DeleteTask(task1), tx.DeleteTask(keyTask)) })
		for _, r := range f.records() {
			switch r := r.(type) {
			case store.PinRecord:
			case store.ReportRecord:
				if r.Task != task2 {
					f.Errorf("left behind: %+v", r)
				}
			default:
				f.Errorf("left behind: %+v", r)
			}
		}
		f.update(func(tx store.Tx) error {
			a, err1 := tx.LeaseAggregationJobs(t0.Add(time.Hour), time.Hour, 9)
			b, err2 := tx.LeaseCollectionJobs(t0.Add(time.Hour), time.Hour, 9)
			c, err3 := tx.LeaseHelperJobs(t0.Add(time.Hour), time.Hour, 9)
			if len(a)+len(b)+len(c) > 0 {
				f.Errorf("still leased: %v, %v, %v", a, b, c)
			}
			return errors.Join(err1, err2, err3)
		})
		f.update(everyWrite) // all IDs are free again
		f.update(func(tx store.Tx) error { return tx.DeleteTask(dap.TaskID{9}) })
	}},
	{name: "delete and write in one update", loose: true, run: func(f *fixture) {
		f.update(everyWrite)
		f.update(func(tx store.Tx) error {
			if err := tx.AddReport(task1, report(60)); err != nil {
				return err
			}
			if err := tx.DeleteTask(task1); err != nil {
				return err
			}
			if _, err := tx.ReportState(task1, reportID(60)); !errors.Is(err, store.ErrNotFound) {
				f.Errorf("a deleted report: %v", err)
			}
			return tx.AddReport(task1, report(61))
		})
		if got := f.unassigned(task1, t0, 99); !slices.Equal(got, []int{61}) {
			f.Errorf("reports %v, want 61", got)
		}
		if got := read(f, func(tx store.Tx) (store.Progress, error) { return tx.Progress(task1, interval(0, 1000)) }); got != (store.Progress{Unassigned: 1}) {
			f.Errorf("progress %+v", got)
		}
		f.refused(store.ErrNotFound, func(tx store.Tx) error {
			if err := tx.DeleteTask(task1); err != nil {
				return err
			}
			return store.ErrNotFound
		})
		if got := f.unassigned(task1, t0, 99); !slices.Equal(got, []int{61}) {
			f.Errorf("after a deletion that was rolled back: reports %v, want 61", got)
		}
	}},
}

var reportTests = []contractTest{
	{name: "an ID is accepted once for ever", run: func(f *fixture) {
		add := func(task dap.TaskID, n int) func(store.Tx) error {
			return func(tx store.Tx) error { return tx.AddReport(task, report(n)) }
		}
		f.addReports(task1, 0, 4)
		f.refused(store.ErrConflict, add(task1, 1))
		f.update(add(task2, 1))
		j := f.addJob(job(task1, 1, 1, 3))
		f.refused(store.ErrConflict, add(task1, 1))
		f.update(func(tx store.Tx) error {
			return finish(tx, j, []store.Outcome{{ID: reportID(1), State: store.ReportAggregated}, {ID: reportID(2), State: store.ReportRejected, Code: 6}})
		})
		f.update(func(tx store.Tx) error { return tx.DropReport(task1, reportID(3), 8) })
		for n := range 4 {
			f.refused(store.ErrConflict, add(task1, n))
		}
		f.refused(store.ErrConflict, func(tx store.Tx) error {
			return errors.Join(tx.AddReport(task1, report(9)), tx.AddReport(task1, report(9)))
		})
	}},
	{name: "a conflict stores nothing and can be passed over", run: func(f *fixture) {
		f.addReports(task1, 0, 1)
		var conflict error
		f.update(func(tx store.Tx) error {
			other := report(0)
			other.Encoded, other.Time = []byte("other"), 999
			conflict = tx.AddReport(task1, other)
			return tx.AddReport(task1, report(1))
		})
		if !errors.Is(conflict, store.ErrConflict) {
			f.Errorf("AddReport: %v, want ErrConflict", conflict)
		}
		// The same when the function then fails for a reason of its own.
		boom := errors.New("boom")
		f.refused(boom, func(tx store.Tx) error {
			conflict = tx.AddReport(task1, report(0))
			return boom
		})
		if !errors.Is(conflict, store.ErrConflict) {
			f.Errorf("AddReport: %v, want ErrConflict", conflict)
		}
		if got := f.unassigned(task1, t0, 9); !slices.Equal(got, []int{0, 1}) {
			f.Errorf("reports %v, want 0 and 1", got)
		}
		reports := f.bodies(f.addJob(job(task1, 1, 0, 1)))
		if len(reports) != 1 || string(reports[0].Encoded) != string(report(0).Encoded) || reports[0].Time != 100 {
			f.Errorf("the first report became %+v", reports)
		}
	}},
	{name: "an unknown report is not found", run: func(f *fixture) {
		f.addReports(task1, 0, 1)
		if _, err := f.tryState(task1, 5); !errors.Is(err, store.ErrNotFound) {
			f.Errorf("unknown report: %v, want ErrNotFound", err)
		}
		if _, err := f.tryState(task2, 0); !errors.Is(err, store.ErrNotFound) {
			f.Errorf("report of another task: %v, want ErrNotFound", err)
		}
	}},
	{name: "unassigned reports come by NotBefore, then arrival", run: func(f *fixture) {
		later, soon := t0.Add(time.Hour), t0.Add(time.Minute)
		at := map[int]time.Time{2: later, 3: soon, 4: later, 6: soon}
		f.update(func(tx store.Tx) error {
			for _, n := range []int{300, 2, 1, 3, 4, 5, 6} {
				r := report(n)
				r.NotBefore = at[n]
				if err := tx.AddReport(task1, r); err != nil {
					return err
				}
			}
			return nil
		})
		for _, c := range []struct {
			now   time.Time
			limit int
			want  []int
		}{
			{t0, 9, []int{300, 1, 5}},
			{soon.Add(-time.Microsecond), 9, []int{300, 1, 5}},
			{soon, 9, []int{300, 1, 5, 3, 6}},
			{soon.Add(time.Nanosecond), 9, []int{300, 1, 5, 3, 6}},
			{later, 9, []int{300, 1, 5, 3, 6, 2, 4}},
			{later, 4, []int{300, 1, 5, 3}},
			{later, 0, []int{}},
		} {
			if got := f.unassigned(task1, c.now, c.limit); !slices.Equal(got, c.want) {
				f.Errorf("%v, limit %d: reports %v, want %v", c.now, c.limit, got, c.want)
			}
		}
		for _, r := range read(f, func(tx store.Tx) ([]store.Report, error) { return tx.UnassignedReports(task1, later, 9) }) {
			n := int(r.ID[0])<<8 | int(r.ID[1])
			if r.Time != report(n).Time || !r.NotBefore.Equal(at[n]) || len(r.Encoded) > 0 {
				f.Errorf("report %d came as %+v, want its times and no body", n, r)
			}
		}
		if got := f.unassigned(task2, later, 9); len(got) > 0 {
			f.Errorf("another task has reports %v", got)
		}
	}},
	{name: "deferred reports are offered again later", run: func(f *fixture) {
		f.addReports(task1, 0, 5)
		f.addJob(job(task1, 1, 4, 5))
		ids := []dap.ReportID{reportID(1), reportID(3), reportID(4), reportID(77)}
		f.update(func(tx store.Tx) error { return tx.DeferReports(task1, ids, t0.Add(time.Minute)) })
		if got := f.unassigned(task1, t0, 9); !slices.Equal(got, []int{0, 2}) {
			f.Errorf("now reports %v, want 0 and 2", got)
		}
		if got := f.unassigned(task1, t0.Add(time.Minute), 9); !slices.Equal(got, []int{0, 2, 1, 3}) {
			f.Errorf("later reports %v, want 0, 2, 1, 3", got)
		}
		f.states(task1, map[int]store.ReportState{4: store.ReportAssigned})
		f.update(func(tx store.Tx) error { return tx.DeferReports(task1, ids[:2], time.Time{}) })
		if got := f.unassigned(task1, t0, 9); !slices.Equal(got, []int{0, 1, 2, 3}) {
			f.Errorf("taken back: reports %v, want 0 to 3", got)
		}
	}},
	{name: "rejected reports lose their bodies", run: func(f *fixture) {
		f.addReports(task1, 0, 5)
		f.addJob(job(task1, 1, 4, 5))
		f.update(func(tx store.Tx) error {
			return tx.RejectReports(task1, []store.Rejection{{ID: reportID(0), Code: dap.ErrorReportDropped}, {ID: reportID(2), Code: dap.ErrorTaskExpired}})
		})
		f.update(func(tx store.Tx) error { return tx.DropReport(task1, reportID(1), dap.ErrorReportReplayed) })
		f.states(task1, map[int]store.ReportState{0: store.ReportRejected, 1: store.ReportRejected, 2: store.ReportRejected, 3: store.ReportUnassigned})
		codes := map[dap.ReportID]dap.ReportError{reportID(0): dap.ErrorReportDropped, reportID(1): dap.ErrorReportReplayed, reportID(2): dap.ErrorTaskExpired}
		for _, r := range f.records() {
			if r, ok := r.(store.ReportRecord); ok && (r.Code != codes[r.ID] || (len(r.Encoded) == 0) != (r.Code != 0)) {
				f.Errorf("report %s has code %d and a body of %d bytes", r.ID, r.Code, len(r.Encoded))
			}
		}
		before := f.records()
		for name, ids := range map[string][]int{"rejected": {3, 0}, "assigned": {3, 4}, "unknown": {3, 70}, "twice": {3, 3}} {
			var list []store.Rejection
			for _, n := range ids {
				list = append(list, store.Rejection{ID: reportID(n), Code: 8})
			}
			f.update(func(tx store.Tx) error {
				if err := tx.RejectReports(task1, list); !errors.Is(err, store.ErrConflict) {
					f.Errorf("%s: %v, want ErrConflict", name, err)
				}
				return nil
			})
		}
		f.refused(store.ErrConflict, func(tx store.Tx) error { return tx.DropReport(task1, reportID(4), 8) })
		f.sameRecords("after conflicts", f.records(), before)
	}},
}

// bodies returns a job's reports.
func (f *fixture) bodies(j store.AggregationJob) []store.Report {
	f.Helper()
	return read(f, func(tx store.Tx) ([]store.Report, error) { return tx.JobReports(j) })
}
