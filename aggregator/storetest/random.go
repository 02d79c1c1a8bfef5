package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"candor/aggregator/store"
	"candor/schema/dap"
)

// testRandom makes random transactions on a store and on the [Model], some of which are rolled back, replayed or followed by a crash,
// and compares every answer and, at times, all rows.
func testRandom(t *testing.T, newPlace func(testing.TB) Place) {
	for seed := range uint64(size(30, 4)) {
		t.Run(fmt.Sprint("seed", seed), func(t *testing.T) {
			r := &randomTest{T: t, rand: rand.New(rand.NewPCG(seed, 7)), place: newPlace(t), model: NewModel(), now: t0}
			r.s = r.place.Open(t)
			defer func() {
				if err := r.s.Close(); err != nil {
					t.Error(err)
				}
			}()
			for range size(120, 60) {
				if r.transaction(); t.Failed() {
					return
				}
			}
		})
	}
}

type randomTest struct {
	*testing.T
	rand  *rand.Rand
	place Place
	s     store.Store
	model *Model
	now   time.Time
}

// An op is one call: it returns what the method returned, and its error.
type op struct {
	text string
	call func(store.Tx) (any, error)
}

var errUndo = errors.New("undo")

func (r *randomTest) transaction() {
	r.Helper()
	if r.rand.IntN(12) == 0 {
		r.place = r.place.Crash(r)
		if err := r.s.Close(); err != nil {
			r.Fatal(err)
		}
		r.s = r.place.Open(r)
	}
	r.now = r.now.Add(time.Duration(r.rand.IntN(3)) * time.Second)
	ops := make([]op, 1+r.rand.IntN(8))
	for i := range ops {
		ops[i] = r.op()
	}
	undo, twice := r.rand.IntN(6) == 0, r.rand.IntN(4) == 0
	run := func(s store.Store) (answers []any) {
		fn := func(tx store.Tx) error {
			answers = nil
			for _, o := range ops {
				v, err := o.call(tx)
				answers = append(answers, v, class(err))
				if class(err) == "other" {
					return err
				}
			}
			if undo {
				return errUndo
			}
			return nil
		}
		if twice {
			s = Replayed(s)
		}
		if err := s.Update(r.Context(), "test", fn); err != nil {
			answers = append(answers, class(err))
		}
		return answers
	}
	want, got := run(r.model), run(r.s)
	if d := diff(want, got); d != "" {
		r.Fatalf("transaction %v (undo %v): answers differ (-model +store):\n%s", ops, undo, d)
	}
	if r.rand.IntN(4) == 0 {
		r.compare(ops)
	}
}

func (o op) String() string { return o.text }

// class tells errors apart as far as the contract does.
func class(err error) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, store.ErrConflict):
		return "conflict"
	case errors.Is(err, store.ErrNotFound):
		return "not found"
	case errors.Is(err, errUndo):
		return "undo"
	}
	return "other"
}

func (r *randomTest) compare(after []op) {
	r.Helper()
	all := func(s store.Store) (out []store.Record) {
		err := s.View(r.Context(), "test", func(tx store.Tx) error {
			out = nil
			return tx.Records(func(rec store.Record) error {
				if j, ok := rec.(store.AggregationJob); ok && j.State != store.JobLive {
					j.Revision = 0 // unspecified
					rec = j
				}
				if b, ok := rec.(store.BucketRecord); ok {
					if len(out) > 0 {
						if last, ok := out[len(out)-1].(store.BucketRecord); ok && last.Task == b.Task && last.ID == b.ID {
							out[len(out)-1] = mergeShards(last, b)
							return nil
						}
					}
					b.Shard = 0
					rec = b
				}
				out = append(out, rec)
				return nil
			})
		})
		if err != nil {
			r.Fatal(err)
		}
		return out
	}
	if d := diff(all(r.model), all(r.s)); d != "" {
		r.Fatalf("after transaction %v: rows differ (-model +store):\n%s", after, d)
	}
}

func (r *randomTest) task() dap.TaskID {
	return []dap.TaskID{task1, task1, task1, task2}[r.rand.IntN(4)]
}
func (r *randomTest) id() dap.ReportID { return reportID(r.rand.IntN(60)) }

func (r *randomTest) ids(n int) []dap.ReportID {
	ids := make([]dap.ReportID, r.rand.IntN(n+1))
	for i := range ids {
		ids[i] = r.id()
	}
	return ids
}

func (r *randomTest) batch() store.Batch {
	if r.rand.IntN(3) == 0 {
		return leaderBatch(r.rand.IntN(4))
	}
	return interval(uint64(100+r.rand.IntN(6)), uint64(r.rand.IntN(5)))
}

func (r *randomTest) bucket() store.BucketID {
	if b := r.batch(); b.ID != nil {
		return store.BatchBucket(*b.ID)
	} else {
		return store.TimeBucket(b.Interval.Start)
	}
}

func (r *randomTest) soon() time.Time {
	switch r.rand.IntN(3) {
	case 0:
		return time.Time{}
	case 1:
		return r.now
	}
	return r.now.Add(time.Duration(r.rand.IntN(10000)) * time.Millisecond)
}

func (r *randomTest) outcome(id dap.ReportID) store.Outcome {
	o := store.Outcome{ID: id, State: []store.ReportState{store.ReportAggregated, store.ReportAggregated, store.ReportRejected, store.ReportUnassigned}[r.rand.IntN(4)]}
	switch o.State {
	case store.ReportRejected:
		o.Code = dap.ReportError(1 + r.rand.IntN(11))
	case store.ReportUnassigned:
		o.NotBefore = r.soon()
	}
	return o
}

func (r *randomTest) waiting() store.Waiting {
	if r.rand.IntN(2) == 0 {
		return store.Waiting{}
	}
	return store.Waiting{Code: "peer", Text: fmt.Sprint("try ", r.rand.IntN(9)), Since: r.now}
}

// diff compares answers; an empty slice is as good as none.
func diff(want, got any) string {
	if reflect.DeepEqual(want, got) { // fifty times as fast
		return ""
	}
	return cmp.Diff(want, got, cmpopts.EquateEmpty())
}

func do(err error) (any, error) { return nil, err }

// ended returns a job as it is compared: the Revision of an ended one is unspecified.
func ended(j store.AggregationJob, err error) (any, error) {
	if j.State != store.JobLive {
		j.Revision = 0
	}
	return j, err
}

func (r *randomTest) op() op {
	task, now := r.task(), r.now
	ops := []func() op{
		func() op {
			d := [32]byte{byte(r.rand.IntN(2))}
			return op{"pin", func(tx store.Tx) (any, error) { return do(tx.PinTask(task, d)) }}
		},
		func() op {
			return op{"count", func(tx store.Tx) (any, error) { return do(tx.Count(task, string(task[:1])+"x", 3)) }}
		},
		func() op { return op{"counters", func(tx store.Tx) (any, error) { return tx.Counters(task) }} },
		func() op {
			if r.rand.IntN(8) > 0 {
				return r.upload()
			}
			return op{"delete task", func(tx store.Tx) (any, error) { return do(tx.DeleteTask(task)) }}
		},
		r.upload, r.upload, r.upload, r.upload,
		func() op {
			id := r.id()
			return op{"state", func(tx store.Tx) (any, error) { return tx.ReportState(task, id) }}
		},
		func() op {
			n := r.rand.IntN(9)
			return op{"unassigned", func(tx store.Tx) (any, error) { return tx.UnassignedReports(task, now, n) }}
		},
		func() op {
			ids, at := r.ids(4), r.soon()
			return op{"defer", func(tx store.Tx) (any, error) { return do(tx.DeferReports(task, ids, at)) }}
		},
		func() op {
			var list []store.Rejection
			for _, id := range r.ids(2) {
				list = append(list, store.Rejection{ID: id, Code: 8})
			}
			return op{"reject", func(tx store.Tx) (any, error) { return do(tx.RejectReports(task, list)) }}
		},
		r.newJob, r.newJob, r.newJob,
		func() op {
			n, ttl := r.rand.IntN(4), time.Duration(r.rand.IntN(5))*time.Second
			return op{"lease", func(tx store.Tx) (any, error) { return tx.LeaseAggregationJobs(now, ttl, n) }}
		},
		func() op {
			id := aggregationJobID(r.rand.IntN(30))
			return op{"job", func(tx store.Tx) (any, error) { return ended(tx.AggregationJob(task, id)) }}
		},
		r.changeJob, r.changeJob, r.changeJob, r.changeJob,
		func() op { return op{"live", func(tx store.Tx) (any, error) { return tx.LiveAggregationJobs(task) }} },
		func() op {
			b, ids := r.bucket(), r.ids(4)
			return op{"mark", func(tx store.Tx) (any, error) { return tx.MarkAggregated(task, b, ids) }}
		},
		func() op {
			b, limit := r.batch(), r.rand.IntN(9)
			var after *dap.ReportID
			if r.rand.IntN(2) == 0 {
				id := r.id()
				after = &id
			}
			return op{"aggregated", func(tx store.Tx) (any, error) {
				ids, err := tx.AggregatedReports(task, b, after, limit)
				return append([]dap.ReportID{}, ids...), err
			}}
		},
		func() op {
			id, delta := r.bucket(), store.Bucket{Share: share(byte(r.rand.IntN(9))), Count: uint64(r.rand.IntN(3)), Checksum: [32]byte{byte(r.rand.IntN(256))}, MinTime: dap.Time(r.rand.IntN(9)), MaxTime: dap.Time(r.rand.IntN(9))}
			return op{"merge", func(tx store.Tx) (any, error) { return do(tx.MergeBucket(task, id, delta, Sum)) }}
		},
		func() op {
			b := r.batch()
			return op{"buckets", func(tx store.Tx) (any, error) { return tx.Buckets(task, b, Sum) }}
		},
		func() op {
			b := r.batch()
			return op{"collected", func(tx store.Tx) (any, error) { return tx.BatchCollected(task, b) }}
		},
		func() op {
			b := r.batch()
			if r.rand.IntN(2) == 0 {
				return op{"erase", func(tx store.Tx) (any, error) { return do(tx.EraseBatch(task, b)) }}
			}
			if b.ID == nil {
				b.Interval.Duration = min(b.Interval.Duration, 1) // lest all is collected soon
			}
			return op{"mark collected", func(tx store.Tx) (any, error) { return do(tx.MarkCollected(task, b)) }}
		},
		func() op {
			b := r.batch()
			return op{"progress", func(tx store.Tx) (any, error) { return tx.Progress(task, b) }}
		},
		func() op { return op{"batches", func(tx store.Tx) (any, error) { return tx.LeaderBatches(task) }} },
		func() op {
			b, c := *batchID(r.rand.IntN(4)), dap.CollectionJobID{byte(r.rand.IntN(2))}
			if r.rand.IntN(3) > 0 {
				return r.newJob()
			}
			return op{"reserve", func(tx store.Tx) (any, error) { return do(tx.ReserveBatch(task, b, c)) }}
		},
		r.collections, r.collections, r.collections, r.helper, r.helper, r.helper, r.round,
	}
	return ops[r.rand.IntN(len(ops))]()
}

func (r *randomTest) upload() op {
	task, rep := r.task(), report(r.rand.IntN(60))
	rep.NotBefore = r.soon()
	return op{fmt.Sprint("upload ", rep.ID), func(tx store.Tx) (any, error) { return do(tx.AddReport(task, rep)) }}
}

func (r *randomTest) newJob() op {
	task, now, limit := r.task(), r.now, 1+r.rand.IntN(6)
	j := job(task, r.rand.IntN(30), 0, 0)
	j.NextAttempt, j.LeaseUntil, j.Waiting = r.soon(), r.soon(), r.waiting()
	if r.rand.IntN(2) == 0 {
		j.Batch = batchID(r.rand.IntN(4))
	}
	if r.rand.IntN(2) == 0 {
		j.Request = nil
	}
	wild := r.ids(1)
	return op{fmt.Sprint("job ", j.ID[0]), func(tx store.Tx) (any, error) {
		reports, err := tx.UnassignedReports(task, now, limit)
		if err != nil {
			return nil, err
		}
		j.Reports = append([]dap.ReportID(nil), wild...)
		for _, rep := range reports {
			j.Reports = append(j.Reports, rep.ID)
		}
		return do(tx.AddAggregationJob(j))
	}}
}

func (r *randomTest) changeJob() op {
	task, id, what, stale := r.task(), aggregationJobID(r.rand.IntN(30)), r.rand.IntN(5), r.rand.IntN(9) == 0
	location, attempts, next, lease, waiting := fmt.Sprint("/", r.rand.IntN(9)), r.rand.IntN(9), r.soon(), r.soon(), r.waiting()
	var outcomes []store.Outcome
	for range 8 {
		outcomes = append(outcomes, r.outcome(dap.ReportID{}))
	}
	return op{fmt.Sprint("change ", what, " of job ", id[0]), func(tx store.Tx) (any, error) {
		j, err := tx.AggregationJob(task, id)
		if err != nil {
			return nil, err
		}
		if stale {
			j.Revision--
		}
		// As many as there are reports; the few jobs that have more are not finished.
		var list []store.Outcome
		for i, id := range j.Reports {
			if i < len(outcomes) {
				o := outcomes[i]
				o.ID = id
				list = append(list, o)
			}
		}
		j.Location, j.Attempts, j.NextAttempt, j.LeaseUntil, j.Waiting = location, attempts, next, lease, waiting
		switch {
		case what == 0 && j.State == store.JobLive:
			return tx.JobReports(j)
		case what == 1 && j.State == store.JobLive:
			return do(tx.AbandonAggregationJob(j, next))
		case what == 2 && len(list) == len(j.Reports):
			return do(tx.FinishAggregationJob(j, list))
		case what == 3 && len(list) > 0 && list[0].State != store.ReportAggregated:
			j.Request, j.Reports = []byte("prepared"), j.Reports[1:]
			return do(tx.PrepareAggregationJob(j, list[:1]))
		}
		return do(tx.SaveAggregationJob(j))
	}}
}

func (r *randomTest) collections() op {
	n, now := r.rand.IntN(6), r.now
	c := collection(n)
	c.Digest = [32]byte{byte(r.rand.IntN(3))}
	c.NextAttempt = r.soon()
	switch r.rand.IntN(6) {
	case 0:
		return op{"collection", func(tx store.Tx) (any, error) { return do(tx.AddCollectionJob(c)) }}
	case 1:
		return op{"collection by digest", func(tx store.Tx) (any, error) { return tx.CollectionJobByDigest(task1, c.Digest) }}
	case 2:
		return op{"lease collections", func(tx store.Tx) (any, error) { return tx.LeaseCollectionJobs(now, time.Second, 2) }}
	case 3:
		if r.rand.IntN(2) == 0 {
			return op{"collections", func(tx store.Tx) (any, error) { return tx.CollectionJobs(task1) }}
		}
		return op{"delete collection", func(tx store.Tx) (any, error) { return do(tx.DeleteCollectionJob(task1, c.ID)) }}
	}
	state, lease, waiting := store.JobState(1+r.rand.IntN(3)), r.soon(), r.waiting()
	return op{"save collection", func(tx store.Tx) (any, error) {
		j, err := tx.CollectionJob(task1, c.ID)
		if err != nil {
			return nil, err
		}
		j.State, j.LeaseUntil, j.NextAttempt, j.Waiting, j.Response = state, lease, c.NextAttempt, waiting, []byte("response")
		return do(tx.SaveCollectionJob(j))
	}}
}

func (r *randomTest) helper() op {
	n, now := r.rand.IntN(8), r.now
	j := helperJob(n, store.JobState(1+r.rand.IntN(2)))
	j.Digest, j.NextAttempt, j.LeaseUntil = [32]byte{byte(r.rand.IntN(8))}, r.soon(), r.soon()
	a := shareAnswer(n)
	a.Digest = j.Digest
	switch r.rand.IntN(10) {
	case 0, 1:
		return op{"helper job", func(tx store.Tx) (any, error) { return do(tx.AddHelperJob(j)) }}
	case 2:
		return op{"helper by digest", func(tx store.Tx) (any, error) { return tx.HelperJobByDigest(task1, j.Digest) }}
	case 3:
		return op{"save helper", func(tx store.Tx) (any, error) { return do(tx.SaveHelperJob(j)) }}
	case 4:
		return op{"lease helper", func(tx store.Tx) (any, error) { return tx.LeaseHelperJobs(now, 2*time.Second, 2) }}
	case 5:
		return op{"delete helper", func(tx store.Tx) (any, error) { return do(tx.DeleteHelperJob(task1, j.ID)) }}
	case 6, 7:
		return op{"answer", func(tx store.Tx) (any, error) { return do(tx.AddShareAnswer(a)) }}
	case 8:
		if r.rand.IntN(2) == 0 {
			return op{"delete answer", func(tx store.Tx) (any, error) { return do(tx.DeleteShareAnswer(task1, a.ID)) }}
		}
		return op{"answer by digest", func(tx store.Tx) (any, error) { return tx.ShareAnswerByDigest(task1, a.Digest) }}
	}
	return op{"answers", func(tx store.Tx) (any, error) { return tx.ShareAnswers(task1) }}
}

func (r *randomTest) round() op {
	s := store.Submission{Task: r.task(), Member: fmt.Sprint("m", r.rand.IntN(12)), Correction: r.rand.Uint64(), Report: r.id(), Received: r.now, Aggregated: r.rand.IntN(2) == 0}
	if r.rand.IntN(2) == 0 {
		s.Contributes = []byte{byte(r.rand.IntN(256))}
	}
	st := store.Statement{Task: s.Task, Text: []byte{byte(r.rand.IntN(2))}, Salts: []byte("salts"), Created: r.now}
	switch r.rand.IntN(6) {
	case 0:
		return op{"submission", func(tx store.Tx) (any, error) { return tx.Submission(s.Task, s.Member) }}
	case 1:
		return op{"submissions", func(tx store.Tx) (any, error) { return tx.Submissions(s.Task) }}
	case 2:
		return op{"statement", func(tx store.Tx) (any, error) { return tx.Statement(s.Task) }}
	case 3:
		return op{"put statement", func(tx store.Tx) (any, error) { return do(tx.PutStatement(st)) }}
	}
	return op{"put submission", func(tx store.Tx) (any, error) { return do(tx.PutSubmission(s)) }}
}

// mergeShards adds up two shards of a bucket.
func mergeShards(a, b store.BucketRecord) store.BucketRecord {
	switch {
	case len(a.Share) == 0:
		a.Share = b.Share
	case len(b.Share) > 0:
		a.Share = bytes.Clone(a.Share)
		if err := sum(a.Share, b.Share); err != nil {
			panic(err)
		}
	}
	switch {
	case a.Count == 0:
		a.MinTime, a.MaxTime = b.MinTime, b.MaxTime
	case b.Count > 0:
		a.MinTime, a.MaxTime = min(a.MinTime, b.MinTime), max(a.MaxTime, b.MaxTime)
	}
	a.Count += b.Count
	a.Checksum = dap.XORChecksums(a.Checksum, b.Checksum)
	a.Shard = 0
	return a
}
