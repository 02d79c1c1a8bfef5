// Package storetest is the contract of aggregator/store as tests: each backend runs [Run], and the roles' tests use [Faulty],
// [CheckInvariants] and [Model]. It is imported by tests only.
package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"candor/aggregator/store"
	"candor/schema/dap"
)

// A Place is where a store keeps its rows.
type Place interface {
	// Open opens the store there; the caller closes it.
	Open(testing.TB) store.Store
	// Crash returns the place as it would be found had the process that has the store open been killed now. It is called while no
	// transaction runs.
	Crash(testing.TB) Place
}

// Run tests a backend against every sentence of the contract. newPlace returns a new, empty place each time.
func Run(t *testing.T, newPlace func(testing.TB) Place) {
	for _, group := range []struct {
		name  string
		tests []contractTest
	}{
		{"Store", storeTests}, {"Task", taskTests}, {"Report", reportTests}, {"AggregationJob", aggregationJobTests}, {"Batch", batchTests},
		{"CollectionJob", collectionJobTests}, {"Helper", helperTests}, {"Round", roundTests}, {"Key", keyTests}, {"Secret", secretTests}, {"Care", careTests}, {"Race", raceTests},
	} {
		t.Run(group.name, func(t *testing.T) {
			for _, test := range group.tests {
				t.Run(test.name, func(t *testing.T) { run(t, newPlace, test, false) })
				if !test.once {
					t.Run(test.name+"_replayed", func(t *testing.T) { run(t, newPlace, test, true) })
				}
			}
		})
	}
	t.Run("Random", func(t *testing.T) { testRandom(t, newPlace) })
}

// A contractTest tests one sentence or a few. It runs twice, the second time on a store that runs each function of an Update twice.
type contractTest struct {
	name string
	run  func(*fixture)
	once bool // only without replays
	// loose leaves rows that no role would: the invariants are not checked at the end.
	loose bool
}

func run(t *testing.T, newPlace func(testing.TB) Place, test contractTest, replayed bool) {
	place := newPlace(t)
	s := place.Open(t)
	if replayed {
		s = Replayed(s)
	}
	f := &fixture{T: t, newPlace: newPlace, place: place, s: s}
	defer func() {
		if !test.loose && !t.Failed() {
			CheckInvariants(t, f.s)
		}
		if err := f.s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}()
	test.run(f)
}

// A fixture is one store under test.
type fixture struct {
	*testing.T
	newPlace func(testing.TB) Place
	place    Place
	s        store.Store
}

// update runs fn in an Update that must succeed.
func (f *fixture) update(fn func(store.Tx) error) {
	f.Helper()
	if err := f.s.Update(f.Context(), "test", fn); err != nil {
		f.Fatalf("Update: %v", err)
	}
}

func (f *fixture) view(fn func(store.Tx) error) {
	f.Helper()
	if err := f.s.View(f.Context(), "test", fn); err != nil {
		f.Fatalf("View: %v", err)
	}
}

// refused runs fn in an Update that must fail with an error that is want.
func (f *fixture) refused(want error, fn func(store.Tx) error) {
	f.Helper()
	if err := f.s.Update(f.Context(), "test", fn); !errors.Is(err, want) {
		f.Errorf("Update: %v, want %v", err, want)
	}
}

// crash goes on with the store as it is found after a crash.
func (f *fixture) crash() {
	f.Helper()
	f.place = f.place.Crash(f)
	if err := f.s.Close(); err != nil {
		f.Fatalf("Close: %v", err)
	}
	f.s = f.place.Open(f)
}

// read returns what a method returned in a View.
func read[T any](f *fixture, fn func(store.Tx) (T, error)) T {
	f.Helper()
	var v T
	f.view(func(tx store.Tx) (err error) {
		v, err = fn(tx)
		return err
	})
	return v
}

// t0 is the present of the tests; it has no fraction of a microsecond.
var t0 = time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)

var (
	task1 = dap.TaskID{1}
	task2 = dap.TaskID{2}
)

func reportID(n int) dap.ReportID                 { return dap.ReportID{byte(n >> 8), byte(n), 0xee} }
func aggregationJobID(n int) dap.AggregationJobID { return dap.AggregationJobID{byte(n), 0xaa} }
func batchID(n int) *dap.BatchID                  { return &dap.BatchID{byte(n), 0xbb} }

func interval(start, duration uint64) store.Batch {
	return store.Batch{Interval: dap.Interval{Start: dap.Time(start), Duration: dap.Duration(duration)}}
}

func leaderBatch(n int) store.Batch { return store.Batch{ID: batchID(n)} }

// report returns a report of which everything follows from n; its time is 100 + n/10.
func report(n int) store.Report {
	return store.Report{ID: reportID(n), Time: dap.Time(100 + n/10), Encoded: []byte{'r', byte(n >> 8), byte(n)}}
}

// addReports adds reports from up to and without to.
func (f *fixture) addReports(task dap.TaskID, from, to int) {
	f.Helper()
	f.update(func(tx store.Tx) error {
		for n := from; n < to; n++ {
			if err := tx.AddReport(task, report(n)); err != nil {
				return err
			}
		}
		return nil
	})
}

func (f *fixture) states(task dap.TaskID, want map[int]store.ReportState) {
	f.Helper()
	for n, state := range want {
		got := read(f, func(tx store.Tx) (store.ReportState, error) { return tx.ReportState(task, reportID(n)) })
		if got != state {
			f.Errorf("report %d has state %d, want %d", n, got, state)
		}
	}
}

// unassigned returns the numbers of the reports that are offered.
func (f *fixture) unassigned(task dap.TaskID, now time.Time, limit int) []int {
	f.Helper()
	numbers := []int{}
	for _, r := range read(f, func(tx store.Tx) ([]store.Report, error) { return tx.UnassignedReports(task, now, limit) }) {
		numbers = append(numbers, int(r.ID[0])<<8|int(r.ID[1]))
	}
	return numbers
}

// job returns a job of reports from up to and without to.
func job(task dap.TaskID, n, from, to int) store.AggregationJob {
	j := store.AggregationJob{ID: aggregationJobID(n), Task: task, Request: []byte{'q', byte(n)}, Created: t0}
	for i := from; i < to; i++ {
		j.Reports = append(j.Reports, reportID(i))
	}
	return j
}

func (f *fixture) addJob(j store.AggregationJob) store.AggregationJob {
	f.Helper()
	f.update(func(tx store.Tx) error { return tx.AddAggregationJob(j) })
	return f.job(j)
}

// job returns the stored form of a job.
func (f *fixture) job(j store.AggregationJob) store.AggregationJob {
	f.Helper()
	return read(f, func(tx store.Tx) (store.AggregationJob, error) { return tx.AggregationJob(j.Task, j.ID) })
}

// Share returns a share of one byte for tests, and Sum adds such shares.
func share(b byte) []byte { return []byte{b, 0, 0, 0} }

// Sum adds encoded shares byte by byte: a stand-in for an aggregation function that tests of a store can use.
func Sum(into *store.Bucket, from store.Bucket) error { return store.Adding(sum)(into, from) }

func sum(dst, src []byte) error {
	if len(dst) != len(src) {
		return errors.New("shares of different lengths")
	}
	for i := range dst {
		dst[i] += src[i]
	}
	return nil
}

// finish ends a job as a Leader does: outcomes by report, and what was aggregated goes into the buckets.
func finish(tx store.Tx, j store.AggregationJob, outcomes []store.Outcome) error {
	times := make(map[dap.ReportID]dap.Time)
	reports, err := tx.JobReports(j)
	if err != nil {
		return err
	}
	for _, r := range reports {
		times[r.ID] = r.Time
	}
	for _, o := range outcomes {
		if o.State != store.ReportAggregated {
			continue
		}
		at := times[o.ID]
		bucket := store.TimeBucket(at)
		if j.Batch != nil {
			bucket = store.BatchBucket(*j.Batch)
		}
		delta := store.Bucket{Share: share(1), Count: 1, Checksum: dap.Checksum(o.ID), MinTime: at, MaxTime: at}
		if err := tx.MergeBucket(j.Task, bucket, delta, Sum); err != nil {
			return err
		}
	}
	return tx.FinishAggregationJob(j, outcomes)
}

// all returns the same outcome for each report of a job.
func all(j store.AggregationJob, state store.ReportState, code dap.ReportError) []store.Outcome {
	outcomes := make([]store.Outcome, len(j.Reports))
	for i, id := range j.Reports {
		outcomes[i] = store.Outcome{ID: id, State: state, Code: code}
	}
	return outcomes
}

// canceled returns a context that has ended.
func canceled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}
