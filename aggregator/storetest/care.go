package storetest

import (
	"errors"
	"slices"
	"strings"
	"time"

	"candor/aggregator/store"
	"candor/schema/dap"
)

// sameRecords compares rows; an ended job's Revision may be anything.
func (f *fixture) sameRecords(when string, got, want []store.Record) {
	f.Helper()
	if d := diff(want, got); d != "" {
		f.Errorf("%s, rows (-want +got):\n%s", when, d)
	}
}

var careTests = []contractTest{
	{name: "records go from store to store", loose: true, once: true, run: func(f *fixture) {
		f.update(everyWrite)
		f.update(func(tx store.Tx) error {
			return errors.Join(tx.PinTask(task2, [32]byte{1}), tx.AddReport(task2, report(3)))
		})
		// Things in an order that IDs do not have.
		f.addReports(task1, 500, 505)
		f.addReports(task1, 300, 303)
		f.update(func(tx store.Tx) error {
			c := collection(0)
			c.Problem, c.Waiting = []byte("{}"), store.Waiting{Code: "c", Text: "t", Since: t0}
			failed := collection(2)
			return errors.Join(tx.AddCollectionJob(c), tx.AddCollectionJob(failed), tx.AddShareAnswer(shareAnswer(0)), tx.EraseBatch(task1, interval(200, 10)))
		})
		f.update(func(tx store.Tx) error {
			failed, err := tx.CollectionJob(task1, collection(2).ID)
			failed.State = store.JobAbandoned
			return errors.Join(err, tx.SaveCollectionJob(failed))
		})
		older := job(task1, 0, 500, 502)
		older.Batch = batchID(0)
		f.addJob(older)
		back := f.addJob(job(task1, 7, 502, 504))
		f.update(func(tx store.Tx) error { return tx.AbandonAggregationJob(back, t0.Add(time.Hour)) })
		records := f.records()

		other := &fixture{T: f.T, place: f.place}
		other.s = f.newPlace(f).Open(f)
		defer other.s.Close()
		for chunk := range slices.Chunk(records, 5) {
			other.update(func(tx store.Tx) error {
				for _, r := range chunk {
					if err := tx.AddRecord(r); err != nil {
						return err
					}
				}
				return nil
			})
		}
		f.sameRecords("in the other store", other.records(), records)
		// Queues and indexes follow.
		for _, x := range []*fixture{f, other} {
			x.update(func(tx store.Tx) error {
				return errors.Join(tx.DeleteHelperJob(task1, helperJob(2, 1).ID), tx.DeleteCollectionJob(task1, collection(0).ID))
			})
		}
		now := t0.Add(2 * time.Hour)
		type answer struct {
			Unassigned    []store.Report
			Batches       []store.LeaderBatch
			Aggregation   []store.AggregationJob
			Collection    []store.CollectionJob
			Helper        []store.HelperJob
			ByDigest      []dap.CollectionJobID
			Progress      store.Progress
			ProgressBatch store.Progress
		}
		ask := func(x *fixture) (a answer) {
			x.update(func(tx store.Tx) error {
				a = answer{}
				var errs [7]error
				a.Unassigned, errs[0] = tx.UnassignedReports(task1, now, 99)
				a.Batches, errs[1] = tx.LeaderBatches(task1)
				a.Aggregation, errs[2] = tx.LeaseAggregationJobs(now, time.Hour, 9)
				a.Collection, errs[3] = tx.LeaseCollectionJobs(now, time.Hour, 9)
				a.Helper, errs[4] = tx.LeaseHelperJobs(now, time.Hour, 9)
				for n := range 3 {
					if j, err := tx.CollectionJobByDigest(task1, collection(n).Digest); err == nil {
						a.ByDigest = append(a.ByDigest, j.ID)
					}
				}
				a.Progress, errs[5] = tx.Progress(task1, interval(0, 1000))
				a.ProgressBatch, errs[6] = tx.Progress(task1, leaderBatch(1))
				return errors.Join(errs[:]...)
			})
			return a
		}
		want := ask(f)
		if len(want.Unassigned) == 0 || len(want.Batches) == 0 || len(want.Aggregation) == 0 || len(want.Collection) == 0 || len(want.Helper) == 0 || len(want.ByDigest) != 1 {
			f.Fatalf("nothing to compare: %+v", want)
		}
		if d := diff(want, ask(other)); d != "" {
			f.Errorf("answers of the other store (-want +got):\n%s", d)
		}
	}},
	{name: "shards of a bucket add up", loose: true, once: true, run: func(f *fixture) {
		f.update(func(tx store.Tx) error {
			var errs []error
			for i, id := range []store.BucketID{store.TimeBucket(4), store.TimeBucket(5), store.TimeBucket(6), store.BatchBucket(*batchID(1))} {
				for _, shard := range []uint16{0, 3, 17}[i%2:] {
					b := store.Bucket{ID: id, Share: share(byte(shard + 1)), Count: 1 + uint64(shard), Checksum: [32]byte{1 << (shard % 8)}, MinTime: dap.Time(50 - shard), MaxTime: dap.Time(60 + shard)}
					errs = append(errs, tx.AddRecord(store.BucketRecord{Task: task1, Shard: shard, Bucket: b}))
				}
			}
			return errors.Join(errs...)
		})
		f.crash() // another process remembers nothing
		whole := func(id store.BucketID) store.Bucket {
			return store.Bucket{ID: id, Share: share(1 + 4 + 18), Count: 1 + 4 + 18, Checksum: [32]byte{1 | 8 | 2}, MinTime: 33, MaxTime: 77}
		}
		part := func(id store.BucketID) store.Bucket {
			return store.Bucket{ID: id, Share: share(4 + 18), Count: 4 + 18, Checksum: [32]byte{8 | 2}, MinTime: 33, MaxTime: 77}
		}
		for _, c := range []struct {
			batch store.Batch
			want  []store.Bucket
		}{
			{interval(4, 3), []store.Bucket{whole(store.TimeBucket(4)), part(store.TimeBucket(5)), whole(store.TimeBucket(6))}},
			{interval(5, 1), []store.Bucket{part(store.TimeBucket(5))}},
			{leaderBatch(1), []store.Bucket{part(store.BatchBucket(*batchID(1)))}},
		} {
			got := read(f, func(tx store.Tx) ([]store.Bucket, error) { return tx.Buckets(task1, c.batch, Sum) })
			if d := diff(c.want, got); d != "" {
				f.Errorf("buckets of %+v (-want +got):\n%s", c.batch, d)
			}
		}
		one := store.Bucket{Share: share(1), Count: 1, MinTime: 55, MaxTime: 55}
		f.update(func(tx store.Tx) error { return tx.MergeBucket(task1, store.TimeBucket(5), one, Sum) })
		if got := read(f, func(tx store.Tx) ([]store.Bucket, error) { return tx.Buckets(task1, interval(5, 1), Sum) }); len(got) != 1 || got[0].Count != 23 || got[0].Share[0] != 23 {
			f.Errorf("after another report bucket 5 is %+v", got)
		}
		f.update(func(tx store.Tx) error {
			return errors.Join(tx.MarkCollected(task1, interval(5, 1)), tx.MarkCollected(task1, leaderBatch(1)), tx.EraseBatch(task1, interval(5, 1)), tx.EraseBatch(task1, leaderBatch(1)))
		})
		for _, r := range f.records() {
			if b, ok := r.(store.BucketRecord); ok {
				if erased := b.ID == store.TimeBucket(5) || len(b.ID) == 32; erased != b.Erased || erased != (len(b.Share) == 0) {
					f.Errorf("after two batches were erased: %+v", b)
				}
			}
		}
		for _, id := range []store.BucketID{store.TimeBucket(5), store.BatchBucket(*batchID(1))} {
			f.refused(store.ErrConflict, func(tx store.Tx) error { return tx.MergeBucket(task1, id, one, Sum) })
		}
	}},
	{name: "records stop at an error", loose: true, run: func(f *fixture) {
		f.update(everyWrite)
		stop := errors.New("stop")
		n := 0
		err := f.s.View(f.Context(), "test", func(tx store.Tx) error {
			n = 0
			return tx.Records(func(store.Record) error {
				if n++; n == 3 {
					return stop
				}
				return nil
			})
		})
		if !errors.Is(err, stop) || n != 3 {
			f.Errorf("Records called the function %d times and returned %v", n, err)
		}
	}},
	{name: "check finds what does not fit", loose: true, run: func(f *fixture) {
		f.addReports(task1, 0, 20)
		j := f.addJob(job(task1, 1, 0, 5))
		f.update(func(tx store.Tx) error { return finish(tx, j, all(j, store.ReportAggregated, 0)) })
		f.addJob(job(task1, 2, 5, 10))
		f.update(func(tx store.Tx) error {
			_, err := tx.MarkAggregated(task2, store.TimeBucket(1), []dap.ReportID{reportID(1)})
			return errors.Join(err, tx.MergeBucket(task2, store.TimeBucket(1), store.Bucket{Share: share(1), Count: 1, Checksum: dap.Checksum(reportID(1))}, Sum))
		})
		check := func() (store.Summary, []string) {
			var sum store.Summary
			var problems []string
			f.view(func(tx store.Tx) (err error) {
				sum, problems, err = store.Check(tx)
				return err
			})
			return sum, problems
		}
		sum, problems := check()
		if len(problems) > 0 {
			f.Errorf("a good store has problems %q", problems)
		}
		want := store.Summary{
			Tasks: 2, Reports: store.Progress{Unassigned: 10, Assigned: 5, Aggregated: 5}, Marks: 1, LiveAggregationJobs: 1, EndedAggregationJobs: 1, Buckets: 2, Bytes: 15*3 + 2 + 2*4,
		}
		if sum != want {
			f.Errorf("summary %+v, want %+v", sum, want)
		}
		for _, c := range []struct {
			what string
			do   func(store.Tx) error
			want string
		}{
			{"count", func(tx store.Tx) error {
				return tx.MergeBucket(task1, store.TimeBucket(100), store.Bucket{Count: 1}, Sum)
			}, "has count 6"},
			{"checksum", func(tx store.Tx) error {
				return tx.MergeBucket(task2, store.TimeBucket(1), store.Bucket{Checksum: [32]byte{1}}, Sum)
			}, "1 marks with checksum"},
			{"bucket of nothing", func(tx store.Tx) error {
				return tx.MergeBucket(task1, store.TimeBucket(500), store.Bucket{Share: share(1), Count: 2}, Sum)
			}, "no aggregated reports"},
			{"job of nothing", func(tx store.Tx) error {
				return tx.AddRecord(store.ReportRecord{Task: task1, Report: report(700), State: store.ReportAssigned, Job: aggregationJobID(70)})
			}, "which does not exist"},
		} {
			undo := errors.New("undo")
			var problems []string
			err := f.s.Update(f.Context(), "test", func(tx store.Tx) error {
				if err := c.do(tx); err != nil {
					return err
				}
				var err error
				if _, problems, err = store.Check(tx); err != nil {
					return err
				}
				return undo
			})
			if !errors.Is(err, undo) || len(problems) == 0 || !strings.Contains(strings.Join(problems, "\n"), c.want) {
				f.Errorf("%s: %v, problems %q, want one that says %q", c.what, err, problems, c.want)
			}
		}
	}},
}
