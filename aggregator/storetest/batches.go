package storetest

import (
	"errors"
	"math"
	"slices"

	"github.com/google/go-cmp/cmp"

	"candor/aggregator/store"
	"candor/schema/dap"
)

var batchTests = []contractTest{
	{name: "marks find replays in the whole task", run: func(f *fixture) {
		mark := func(task dap.TaskID, bucket store.BucketID, numbers ...int) (replayed []dap.ReportID) {
			f.Helper()
			var ids []dap.ReportID
			for _, n := range numbers {
				ids = append(ids, reportID(n))
			}
			f.update(func(tx store.Tx) (err error) {
				replayed, err = tx.MarkAggregated(task, bucket, ids)
				for _, id := range ids {
					if err == nil && !slices.Contains(replayed, id) {
						err = tx.MergeBucket(task, bucket, store.Bucket{Share: share(1), Count: 1, Checksum: dap.Checksum(id)}, Sum)
					}
				}
				return err
			})
			return replayed
		}
		if got := mark(task1, store.TimeBucket(1), 5, 1, 2); len(got) > 0 {
			f.Errorf("replayed %v at first", got)
		}
		if got := mark(task1, store.TimeBucket(2), 7, 2, 6, 5); !slices.Equal(got, []dap.ReportID{reportID(2), reportID(5)}) {
			f.Errorf("replayed %v, want 2 and 5", got)
		}
		if got := mark(task2, store.TimeBucket(1), 1); len(got) > 0 {
			f.Errorf("replayed %v in another task", got)
		}
		list := func(batch store.Batch, after *dap.ReportID, limit int) []dap.ReportID {
			return read(f, func(tx store.Tx) ([]dap.ReportID, error) { return tx.AggregatedReports(task1, batch, after, limit) })
		}
		six := reportID(6)
		for _, c := range []struct {
			batch store.Batch
			after *dap.ReportID
			limit int
			want  []dap.ReportID
		}{
			{interval(1, 1), nil, 9, []dap.ReportID{reportID(1), reportID(2), reportID(5)}}, // replays stayed where they were
			{interval(2, 1), nil, 9, []dap.ReportID{reportID(6), reportID(7)}},
			{interval(2, 1), &six, 9, []dap.ReportID{reportID(7)}},
			{interval(1, 2), nil, 4, []dap.ReportID{reportID(1), reportID(2), reportID(5), reportID(6)}},
			{interval(3, 9), nil, 9, nil},
			{leaderBatch(1), nil, 9, nil},
		} {
			if got := list(c.batch, c.after, c.limit); !slices.Equal(got, c.want) {
				f.Errorf("aggregated reports of %+v after %v: %v, want %v", c.batch, c.after, got, c.want)
			}
		}
	}},
	{name: "the Leader's aggregated reports come from its rows", run: func(f *fixture) {
		f.addReports(task1, 0, 40) // times 100 to 103
		a, b := job(task1, 1, 0, 20), job(task1, 2, 20, 30)
		a.Batch, b.Batch = batchID(1), batchID(2)
		a, b = f.addJob(a), f.addJob(b)
		outcomes := all(a, store.ReportAggregated, 0)
		outcomes[3].State, outcomes[4].State = store.ReportRejected, store.ReportUnassigned
		f.update(func(tx store.Tx) error {
			return errors.Join(finish(tx, a, outcomes), finish(tx, b, all(b, store.ReportAggregated, 0)))
		})
		for _, c := range []struct {
			batch store.Batch
			want  int
		}{{leaderBatch(1), 18}, {leaderBatch(2), 10}, {leaderBatch(3), 0}, {interval(100, 1), 8}, {interval(101, 2), 20}, {interval(0, 1000), 28}} {
			var got []dap.ReportID
			for limit := 7; ; {
				var after *dap.ReportID
				if len(got) > 0 {
					after = &got[len(got)-1]
				}
				page := read(f, func(tx store.Tx) ([]dap.ReportID, error) { return tx.AggregatedReports(task1, c.batch, after, limit) })
				got = append(got, page...)
				if len(page) < limit {
					break
				}
			}
			if len(got) != c.want || !slices.IsSortedFunc(got, func(a, b dap.ReportID) int { return slices.Compare(a[:], b[:]) }) {
				f.Errorf("batch %+v: %d reports in pages, want %d, in order", c.batch, len(got), c.want)
			}
		}
	}},
	{name: "buckets merge", loose: true, run: func(f *fixture) {
		merge := func(id store.BucketID, delta store.Bucket) {
			f.Helper()
			f.update(func(tx store.Tx) error { return tx.MergeBucket(task1, id, delta, Sum) })
		}
		merge(store.TimeBucket(7), store.Bucket{Share: []byte{1, 2}, Count: 3, Checksum: [32]byte{0xf0, 1}, MinTime: 70, MaxTime: 75})
		merge(store.TimeBucket(7), store.Bucket{Share: []byte{10, 20}, Count: 1, Checksum: [32]byte{0xff, 4}, MinTime: 60, MaxTime: 72})
		merge(store.TimeBucket(7), store.Bucket{Checksum: [32]byte{0, 0, 1}, MinTime: 1, MaxTime: 99}) // no share, no count
		merge(store.TimeBucket(math.MaxUint64-1), store.Bucket{Share: []byte{9}, Count: math.MaxUint32, MinTime: math.MaxUint64 - 1, MaxTime: math.MaxUint64 - 1})
		merge(store.TimeBucket(5), store.Bucket{Share: []byte{5, 5}, Count: 2, MinTime: 5, MaxTime: 5})
		merge(store.TimeBucket(300), store.Bucket{Share: []byte{6, 6}, Count: 1})
		merge(store.BatchBucket(*batchID(1)), store.Bucket{Share: []byte{7}, Count: 1, MinTime: 1, MaxTime: 2})
		merge(store.BatchBucket(dap.BatchID{}), store.Bucket{Share: []byte{8}, Count: 1, MinTime: 1, MaxTime: 2})
		seven := store.Bucket{ID: store.TimeBucket(7), Share: []byte{11, 22}, Count: 4, Checksum: [32]byte{0x0f, 5, 1}, MinTime: 60, MaxTime: 75}
		five := store.Bucket{ID: store.TimeBucket(5), Share: []byte{5, 5}, Count: 2, MinTime: 5, MaxTime: 5}
		far := store.Bucket{ID: store.TimeBucket(300), Share: []byte{6, 6}, Count: 1}
		last := store.Bucket{ID: store.TimeBucket(math.MaxUint64 - 1), Share: []byte{9}, Count: math.MaxUint32, MinTime: math.MaxUint64 - 1, MaxTime: math.MaxUint64 - 1}
		for _, c := range []struct {
			batch store.Batch
			want  []store.Bucket
		}{
			{interval(5, 3), []store.Bucket{five, seven}},
			{interval(5, 2), []store.Bucket{five}},
			{interval(6, 2), []store.Bucket{seven}},
			{interval(0, 1000), []store.Bucket{five, seven, far}},
			{interval(0, math.MaxUint64), []store.Bucket{five, seven, far, last}},
			{interval(7, math.MaxUint64-5), nil}, // its end does not fit
			{interval(7, 0), nil},
			{leaderBatch(1), []store.Bucket{{ID: store.BatchBucket(*batchID(1)), Share: []byte{7}, Count: 1, MinTime: 1, MaxTime: 2}}},
			{store.Batch{ID: &dap.BatchID{}}, []store.Bucket{{ID: store.BatchBucket(dap.BatchID{}), Share: []byte{8}, Count: 1, MinTime: 1, MaxTime: 2}}},
			{leaderBatch(2), nil},
		} {
			got := read(f, func(tx store.Tx) ([]store.Bucket, error) { return tx.Buckets(task1, c.batch, Sum) })
			if d := cmp.Diff(c.want, got); d != "" {
				f.Errorf("buckets of %+v (-want +got):\n%s", c.batch, d)
			}
		}
		if got := read(f, func(tx store.Tx) ([]store.Bucket, error) { return tx.Buckets(task2, interval(0, 1000), Sum) }); len(got) > 0 {
			f.Errorf("another task has buckets %v", got)
		}
	}},
	{name: "a share of another length does not merge", loose: true, run: func(f *fixture) {
		merge := func(b []byte) func(store.Tx) error {
			return func(tx store.Tx) error {
				if err := tx.MergeBucket(task1, store.TimeBucket(7), store.Bucket{Share: b, Count: 1}, Sum); err != nil {
					return err
				}
				_, err := tx.Buckets(task1, interval(7, 1), Sum) // a backend with shards may find out only now
				return err
			}
		}
		f.update(merge([]byte{1, 2}))
		if err := f.s.Update(f.Context(), "test", merge([]byte{1})); err == nil {
			f.Error("a share of one byte was added to one of two")
		}
		for _, id := range []store.BucketID{"", "1234567", store.BucketID(make([]byte, 33))} {
			if err := f.s.Update(f.Context(), "test", func(tx store.Tx) error { return tx.MergeBucket(task1, id, store.Bucket{Count: 1}, Sum) }); err == nil {
				f.Errorf("a bucket ID of %d bytes was accepted", len(id))
			}
		}
	}},
	{name: "collected batches overlap", run: func(f *fixture) {
		collected := func(task dap.TaskID, b store.Batch) bool {
			return read(f, func(tx store.Tx) (bool, error) { return tx.BatchCollected(task, b) })
		}
		mark := func(b store.Batch) { f.update(func(tx store.Tx) error { return tx.MarkCollected(task1, b) }) }
		if collected(task1, interval(0, 1000)) || collected(task1, leaderBatch(1)) {
			f.Error("collected before anything was marked")
		}
		mark(interval(10, 5)) // 10..14, all empty
		mark(interval(20, 5))
		mark(leaderBatch(1))
		for _, c := range []struct {
			batch store.Batch
			want  bool
		}{
			{interval(10, 5), true}, {interval(0, 10), false}, {interval(0, 11), true}, {interval(14, 1), true}, {interval(15, 5), false}, {interval(15, 6), true},
			{interval(24, 1), true}, {interval(25, 100), false}, {interval(12, 1), true}, {interval(0, 1000), true}, {interval(12, 0), false},
			{interval(12, math.MaxUint64), false}, {leaderBatch(1), true}, {leaderBatch(2), false},
		} {
			if got := collected(task1, c.batch); got != c.want {
				f.Errorf("collected %+v: %v, want %v", c.batch, got, c.want)
			}
		}
		if collected(task2, interval(10, 5)) || collected(task2, leaderBatch(1)) {
			f.Error("collected in another task")
		}
		mark(interval(25, 3)) // adjoins
		f.update(func(tx store.Tx) error { return tx.EraseBatch(task1, interval(21, 6)) })
		mark(interval(13, 9)) // joins both
		mark(interval(13, 9))
		mark(leaderBatch(1))
		for start := range uint64(40) {
			if got, want := collected(task1, interval(start, 1)), start >= 10 && start < 28; got != want {
				f.Errorf("bucket %d collected: %v, want %v", start, got, want)
			}
		}
	}},
	{name: "erase takes only shares of collected batches", run: func(f *fixture) {
		f.addReports(task1, 0, 30) // times 100 to 102
		a, b := job(task1, 1, 0, 20), job(task1, 2, 20, 30)
		b.Batch = batchID(1)
		a, b = f.addJob(a), f.addJob(b)
		f.update(func(tx store.Tx) error {
			return errors.Join(finish(tx, a, all(a, store.ReportAggregated, 0)), finish(tx, b, all(b, store.ReportAggregated, 0)))
		})
		erase := func(b store.Batch) func(store.Tx) error {
			return func(tx store.Tx) error { return tx.EraseBatch(task1, b) }
		}
		f.update(func(tx store.Tx) error { return tx.MarkCollected(task1, interval(100, 1)) })
		for _, b := range []store.Batch{interval(100, 2), interval(101, 1), interval(99, 2), leaderBatch(1)} {
			f.refused(store.ErrConflict, erase(b))
		}
		f.update(erase(interval(100, 1)))
		f.update(erase(interval(100, 1)))
		f.update(func(tx store.Tx) error { return tx.MarkCollected(task1, leaderBatch(1)) })
		f.update(erase(leaderBatch(1)))
		got := read(f, func(tx store.Tx) ([]store.Bucket, error) { return tx.Buckets(task1, interval(100, 3), Sum) })
		if len(got) != 2 || got[0].Share != nil || got[0].Count != 10 || got[0].MinTime != 100 || got[1].Share == nil || got[1].Count != 10 {
			f.Errorf("buckets %+v, want the first without a share", got)
		}
		got = read(f, func(tx store.Tx) ([]store.Bucket, error) { return tx.Buckets(task1, leaderBatch(1), Sum) })
		if len(got) != 1 || got[0].Share != nil || got[0].Count != 10 {
			f.Errorf("bucket of the leader-selected batch %+v, want it without a share", got)
		}
		if !read(f, func(tx store.Tx) (bool, error) { return tx.BatchCollected(task1, interval(100, 1)) }) {
			f.Error("an erased batch is no longer collected")
		}
		f.refused(store.ErrConflict, func(tx store.Tx) error {
			return tx.MergeBucket(task1, store.TimeBucket(100), store.Bucket{Share: share(1), Count: 1}, Sum)
		})
		if ids := read(f, func(tx store.Tx) ([]dap.ReportID, error) {
			return tx.AggregatedReports(task1, interval(100, 1), nil, 99)
		}); len(ids) != 10 {
			f.Errorf("%d reports of the erased batch are known, want 10", len(ids))
		}
	}},
	{name: "progress counts by state", run: func(f *fixture) {
		f.addReports(task1, 0, 40)
		progress := func(b store.Batch) store.Progress {
			return read(f, func(tx store.Tx) (store.Progress, error) { return tx.Progress(task1, b) })
		}
		a, b := job(task1, 1, 5, 15), job(task1, 2, 15, 20)
		b.Batch = batchID(1)
		a, b = f.addJob(a), f.addJob(b)
		f.update(func(tx store.Tx) error { return tx.DropReport(task1, reportID(30), 8) })
		want := func(b store.Batch, want store.Progress) {
			f.Helper()
			if got := progress(b); got != want {
				f.Errorf("progress of %+v is %+v, want %+v", b, got, want)
			}
		}
		want(interval(100, 1), store.Progress{Unassigned: 5, Assigned: 5})
		want(interval(101, 1), store.Progress{Assigned: 10})
		want(interval(103, 1), store.Progress{Unassigned: 9, Rejected: 1})
		want(interval(100, 4), store.Progress{Unassigned: 24, Assigned: 15, Rejected: 1})
		want(interval(104, 4), store.Progress{})
		want(leaderBatch(1), store.Progress{Assigned: 5})
		want(leaderBatch(2), store.Progress{})
		outcomes := all(b, store.ReportAggregated, 0)
		outcomes[0].State, outcomes[1].State = store.ReportUnassigned, store.ReportRejected
		f.update(func(tx store.Tx) error { return errors.Join(finish(tx, b, outcomes), tx.AbandonAggregationJob(a, t0)) })
		want(leaderBatch(1), store.Progress{Aggregated: 3, Rejected: 1})
		want(interval(100, 4), store.Progress{Unassigned: 35, Aggregated: 3, Rejected: 2})
		want(interval(100, math.MaxUint64), store.Progress{})
	}},
	{name: "leader-selected batches", run: func(f *fixture) {
		f.addReports(task1, 0, 30)
		list := func() []store.LeaderBatch {
			return read(f, func(tx store.Tx) ([]store.LeaderBatch, error) { return tx.LeaderBatches(task1) })
		}
		jobs := map[int]store.AggregationJob{}
		for i, n := range []int{9, 4, 7} {
			j := job(task1, n, 5*i, 5*i+5)
			j.Batch, j.Created = batchID(n), t0.AddDate(0, 0, -i) // created out of order
			jobs[n] = f.addJob(j)
		}
		more := job(task1, 1, 20, 22)
		more.Batch = batchID(9)
		f.addJob(more)
		batch := func(n int, p store.Progress) store.LeaderBatch {
			return store.LeaderBatch{ID: *batchID(n), Created: jobs[n].Created, Progress: p}
		}
		want := []store.LeaderBatch{batch(9, store.Progress{Assigned: 7}), batch(4, store.Progress{Assigned: 5}), batch(7, store.Progress{Assigned: 5})}
		if d := cmp.Diff(want, list()); d != "" {
			f.Errorf("batches (-want +got):\n%s", d)
		}
		f.update(func(tx store.Tx) error { return tx.AbandonAggregationJob(jobs[4], t0) })
		f.update(func(tx store.Tx) error { return finish(tx, jobs[7], all(jobs[7], store.ReportAggregated, 0)) })
		want = []store.LeaderBatch{want[0], batch(7, store.Progress{Aggregated: 5})}
		if d := cmp.Diff(want, list()); d != "" {
			f.Errorf("batches with reports (-want +got):\n%s", d)
		}
		reserve := func(n int, job byte) func(store.Tx) error {
			return func(tx store.Tx) error { return tx.ReserveBatch(task1, *batchID(n), dap.CollectionJobID{job}) }
		}
		f.update(reserve(9, 1))
		f.update(reserve(9, 1))
		f.refused(store.ErrConflict, reserve(9, 2))
		if d := cmp.Diff(want[1:], list()); d != "" {
			f.Errorf("batches that are not reserved (-want +got):\n%s", d)
		}
		f.update(reserve(12, 3)) // never seen
		f.refused(store.ErrConflict, reserve(12, 4))
		j := job(task1, 2, 25, 30)
		j.Batch = batchID(12)
		f.addJob(j)
		if d := cmp.Diff(want[1:], list()); d != "" {
			f.Errorf("a reserved batch got reports (-want +got):\n%s", d)
		}
	}},
}
