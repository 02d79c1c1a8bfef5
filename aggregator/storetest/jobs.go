package storetest

import (
	"errors"
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"

	"candor/aggregator/store"
	"candor/schema/dap"
)

// collection returns a collection job of which everything follows from n.
func collection(n int) store.CollectionJob {
	return store.CollectionJob{
		ID: dap.CollectionJobID{byte(n), 0xcc}, Task: task1, Request: []byte{'c', byte(n)}, Digest: [32]byte{byte(n)},
		Created: t0.Add(time.Duration(n) * time.Second), State: store.JobLive,
	}
}

func helperJob(n int, state store.JobState) store.HelperJob {
	j := store.HelperJob{
		ID: dap.AggregationJobID{byte(n), 0xdd}, Task: task1, Digest: [32]byte{byte(n), 1}, Created: t0, State: state,
		NextAttempt: t0.Add(time.Duration(n) * time.Second),
	}
	if state == store.JobLive {
		j.Request = []byte{'h', byte(n)}
	} else {
		j.Response = []byte{'a', byte(n)}
	}
	return j
}

func shareAnswer(n int) store.ShareAnswer {
	return store.ShareAnswer{
		ID: dap.AggregateShareID{byte(n), 0xee}, Task: task1, Digest: [32]byte{byte(n), 2}, Batch: interval(uint64(n), 1), Response: []byte{'s', byte(n)}, Created: t0,
	}
}

func (f *fixture) collection(n int) store.CollectionJob {
	f.Helper()
	return read(f, func(tx store.Tx) (store.CollectionJob, error) { return tx.CollectionJob(task1, collection(n).ID) })
}

var collectionJobTests = []contractTest{
	{name: "add, get, list", run: func(f *fixture) {
		var want []store.CollectionJob
		for _, n := range []int{5, 2, 9} {
			j := collection(n)
			j.Batch = &store.Batch{ID: batchID(n)}
			if n == 2 {
				j.Batch = &store.Batch{Interval: dap.Interval{Start: 3, Duration: 4}}
			}
			j.State, j.Revision = store.JobFinished, 9 // do not count
			f.update(func(tx store.Tx) error { return tx.AddCollectionJob(j) })
			j.State, j.Revision = store.JobLive, 1
			want = append(want, j)
			if d := cmp.Diff(j, f.collection(n)); d != "" {
				f.Errorf("collection job (-want +got):\n%s", d)
			}
		}
		f.refused(store.ErrConflict, func(tx store.Tx) error { return tx.AddCollectionJob(collection(2)) })
		f.refused(store.ErrNotFound, func(tx store.Tx) error { _, err := tx.CollectionJob(task1, collection(1).ID); return err })
		f.refused(store.ErrNotFound, func(tx store.Tx) error { _, err := tx.CollectionJob(task2, collection(2).ID); return err })
		got := read(f, func(tx store.Tx) ([]store.CollectionJob, error) { return tx.CollectionJobs(task1) })
		if d := cmp.Diff(want, got); d != "" {
			f.Errorf("collection jobs (-want +got):\n%s", d)
		}
	}},
	{name: "the newest by digest that did not fail", run: func(f *fixture) {
		digest := [32]byte{0xff}
		var jobs []store.CollectionJob
		for n := range 3 {
			j := collection(9 - n)
			j.Digest = digest
			f.update(func(tx store.Tx) error { return tx.AddCollectionJob(j) })
			jobs = append(jobs, f.collection(9-n))
		}
		other := collection(20)
		other.Digest = [32]byte{0xff, 1}
		f.update(func(tx store.Tx) error { return tx.AddCollectionJob(other) })
		by := func(want int) {
			f.Helper()
			var got store.CollectionJob
			err := f.s.View(f.Context(), "test", func(tx store.Tx) (err error) {
				got, err = tx.CollectionJobByDigest(task1, digest)
				return err
			})
			switch {
			case want < 0 && !errors.Is(err, store.ErrNotFound):
				f.Errorf("by digest: %s, %v, want ErrNotFound", got.ID, err)
			case want >= 0 && (err != nil || got.ID != jobs[want].ID):
				f.Errorf("by digest: %s, %v, want %s", got.ID, err, jobs[want].ID)
			}
		}
		save := func(i int, state store.JobState) {
			f.Helper()
			jobs[i].State = state
			f.update(func(tx store.Tx) error { return tx.SaveCollectionJob(jobs[i]) })
			jobs[i].Revision++
		}
		by(2)
		save(2, store.JobAbandoned)
		by(1)
		save(1, store.JobFinished)
		by(1)
		save(2, store.JobLive)
		by(2)
		f.update(func(tx store.Tx) error { return tx.DeleteCollectionJob(task1, jobs[2].ID) })
		by(1)
		f.update(func(tx store.Tx) error { return tx.DeleteCollectionJob(task1, jobs[1].ID) })
		save(0, store.JobAbandoned)
		by(-1)
		f.refused(store.ErrNotFound, func(tx store.Tx) error { _, err := tx.CollectionJobByDigest(task2, digest); return err })
	}},
	{name: "save replaces all but what names it", run: func(f *fixture) {
		f.update(func(tx store.Tx) error { return tx.AddCollectionJob(collection(1)) })
		j := f.collection(1)
		j.Created, j.Batch, j.ShareRequest, j.Location = t0.Add(1e9), &store.Batch{ID: batchID(4)}, []byte("share request"), "/share"
		j.Response, j.Problem, j.Attempts, j.NextAttempt = []byte("response"), []byte("{}"), 7, t0.Add(2e9)
		j.Waiting, j.LeaseUntil, j.State = store.Waiting{Code: "c", Text: "t", Since: t0}, t0.Add(3e9), store.JobFinished
		given := j
		given.Request, given.Digest = []byte("other"), [32]byte{9} // do not count
		f.update(func(tx store.Tx) error { return tx.SaveCollectionJob(given) })
		f.refused(store.ErrConflict, func(tx store.Tx) error { return tx.SaveCollectionJob(given) })
		j.Revision++
		if d := cmp.Diff(j, f.collection(1)); d != "" {
			f.Errorf("saved collection job (-want +got):\n%s", d)
		}
		for _, state := range []store.JobState{0, 4} {
			bad := j
			bad.State = state
			if err := f.s.Update(f.Context(), "test", func(tx store.Tx) error { return tx.SaveCollectionJob(bad) }); err == nil {
				f.Errorf("state %d was accepted", state)
			}
		}
	}},
	{name: "delete", run: func(f *fixture) {
		f.update(func(tx store.Tx) error {
			return errors.Join(tx.AddCollectionJob(collection(1)), tx.AddCollectionJob(collection(2)), tx.MarkCollected(task1, interval(1, 1)))
		})
		j := f.collection(1)
		for range 2 {
			f.update(func(tx store.Tx) error { return tx.DeleteCollectionJob(task1, j.ID) })
		}
		f.refused(store.ErrNotFound, func(tx store.Tx) error { return tx.SaveCollectionJob(j) })
		f.refused(store.ErrNotFound, func(tx store.Tx) error { _, err := tx.CollectionJob(task1, j.ID); return err })
		f.update(func(tx store.Tx) error {
			leased, err := tx.LeaseCollectionJobs(t0.Add(time.Hour), time.Hour, 9)
			if len(leased) != 1 || leased[0].ID != collection(2).ID {
				f.Errorf("leased %+v, want the job that was not deleted", leased)
			}
			return err
		})
		if !read(f, func(tx store.Tx) (bool, error) { return tx.BatchCollected(task1, interval(1, 1)) }) {
			f.Error("what was collected is no longer")
		}
		f.update(func(tx store.Tx) error { return tx.AddCollectionJob(collection(1)) }) // its ID is free
	}},
	{name: "leases", run: func(f *fixture) {
		for _, n := range []int{1, 2, 3} {
			j := collection(n)
			j.NextAttempt = t0.Add(-time.Duration(n) * time.Second)
			f.update(func(tx store.Tx) error { return tx.AddCollectionJob(j) })
		}
		lease := func(now time.Time, n int) (got []int) {
			f.Helper()
			f.update(func(tx store.Tx) error {
				got = nil
				jobs, err := tx.LeaseCollectionJobs(now, time.Minute, n)
				for _, j := range jobs {
					if j.LeaseUntil != now.Add(time.Minute) || string(j.Request) != string(collection(int(j.ID[0])).Request) {
						f.Errorf("leased %+v", j)
					}
					got = append(got, int(j.ID[0]))
				}
				return err
			})
			return got
		}
		if got := lease(t0, 2); !slices.Equal(got, []int{3, 2}) {
			f.Errorf("leased %v, want 3 and 2", got)
		}
		if got := lease(t0, 2); !slices.Equal(got, []int{1}) {
			f.Errorf("leased %v, want 1", got)
		}
		j := f.collection(2)
		if j.Revision != 2 {
			f.Errorf("revision %d after one lease", j.Revision)
		}
		j.State = store.JobFinished
		f.update(func(tx store.Tx) error { return tx.SaveCollectionJob(j) })
		if got := lease(t0.Add(time.Hour), 9); !slices.Equal(got, []int{1, 3}) && !slices.Equal(got, []int{3, 1}) {
			f.Errorf("leased %v later, want 1 and 3", got)
		}
		j = f.collection(2)
		j.State, j.LeaseUntil = store.JobLive, time.Time{}
		f.update(func(tx store.Tx) error { return tx.SaveCollectionJob(j) })
		if got := lease(t0.Add(time.Hour), 9); !slices.Equal(got, []int{2}) {
			f.Errorf("leased %v, want 2, which is live again", got)
		}
	}},
}

var helperTests = []contractTest{
	{name: "a job is found by ID and by digest", run: func(f *fixture) {
		for n, state := range map[int]store.JobState{1: store.JobFinished, 2: store.JobLive} {
			want := helperJob(n, state)
			given := want
			if state == store.JobFinished {
				given.Request = []byte("not kept")
			}
			f.update(func(tx store.Tx) error { return tx.AddHelperJob(given) })
			for _, get := range []func(store.Tx) (store.HelperJob, error){
				func(tx store.Tx) (store.HelperJob, error) { return tx.HelperJob(task1, want.ID) },
				func(tx store.Tx) (store.HelperJob, error) { return tx.HelperJobByDigest(task1, want.Digest) },
			} {
				if d := cmp.Diff(want, read(f, get)); d != "" {
					f.Errorf("job (-want +got):\n%s", d)
				}
			}
		}
		sameID, sameDigest := helperJob(1, store.JobFinished), helperJob(3, store.JobFinished)
		sameID.Digest, sameDigest.Digest = [32]byte{9}, helperJob(1, store.JobFinished).Digest
		before := f.records()
		for _, j := range []store.HelperJob{sameID, sameDigest} {
			f.update(func(tx store.Tx) error {
				if err := tx.AddHelperJob(j); !errors.Is(err, store.ErrConflict) {
					f.Errorf("AddHelperJob: %v, want ErrConflict", err)
				}
				return nil
			})
		}
		f.sameRecords("after conflicts", f.records(), before)
		f.refused(store.ErrNotFound, func(tx store.Tx) error { _, err := tx.HelperJob(task2, sameID.ID); return err })
		f.refused(store.ErrNotFound, func(tx store.Tx) error { _, err := tx.HelperJobByDigest(task1, [32]byte{9}); return err })
		elsewhere := helperJob(1, store.JobFinished)
		elsewhere.Task = task2
		f.update(func(tx store.Tx) error { return tx.AddHelperJob(elsewhere) })
	}},
	{name: "a deferred job is answered once", run: func(f *fixture) {
		j := helperJob(1, store.JobLive)
		f.refused(store.ErrNotFound, func(tx store.Tx) error { return tx.SaveHelperJob(j) })
		f.update(func(tx store.Tx) error { return tx.AddHelperJob(j) })
		get := func() store.HelperJob {
			return read(f, func(tx store.Tx) (store.HelperJob, error) { return tx.HelperJob(task1, j.ID) })
		}
		j.NextAttempt, j.LeaseUntil = t0.Add(time.Minute), t0.Add(time.Second)
		given := j
		given.Request, given.Digest, given.Created = []byte("x"), [32]byte{9}, time.Time{} // do not count
		f.update(func(tx store.Tx) error { return tx.SaveHelperJob(given) })
		if d := cmp.Diff(j, get()); d != "" {
			f.Errorf("put off (-want +got):\n%s", d)
		}
		j.Response, j.State, j.Request = []byte("answer"), store.JobFinished, nil
		f.update(func(tx store.Tx) error { return tx.SaveHelperJob(j) })
		if d := cmp.Diff(j, get()); d != "" {
			f.Errorf("answered (-want +got):\n%s", d)
		}
		late := j
		late.Response = []byte("other")
		f.refused(store.ErrConflict, func(tx store.Tx) error { return tx.SaveHelperJob(late) })
		if d := cmp.Diff(j, get()); d != "" {
			f.Errorf("answered twice (-want +got):\n%s", d)
		}
	}},
	{name: "leases and deletion", run: func(f *fixture) {
		for _, n := range []int{3, 1, 2, 9} {
			f.update(func(tx store.Tx) error { return tx.AddHelperJob(helperJob(n, store.JobLive)) })
		}
		f.update(func(tx store.Tx) error { return tx.AddHelperJob(helperJob(4, store.JobFinished)) })
		lease := func(now time.Time, n int) (got []int) {
			f.Helper()
			f.update(func(tx store.Tx) error {
				got = nil
				jobs, err := tx.LeaseHelperJobs(now, time.Minute, n)
				for _, j := range jobs {
					if j.LeaseUntil != now.Add(time.Minute) || len(j.Request) == 0 {
						f.Errorf("leased %+v", j)
					}
					got = append(got, int(j.ID[0]))
				}
				return err
			})
			return got
		}
		now := t0.Add(3 * time.Second)
		if got := lease(now, 2); !slices.Equal(got, []int{1, 2}) {
			f.Errorf("leased %v, want 1 and 2", got)
		}
		if got := lease(now, 2); !slices.Equal(got, []int{3}) {
			f.Errorf("leased %v, want 3", got)
		}
		for range 2 {
			f.update(func(tx store.Tx) error {
				return errors.Join(tx.DeleteHelperJob(task1, helperJob(2, 1).ID), tx.DeleteHelperJob(task1, helperJob(4, 1).ID))
			})
		}
		f.refused(store.ErrNotFound, func(tx store.Tx) error { _, err := tx.HelperJob(task1, helperJob(2, 1).ID); return err })
		f.refused(store.ErrNotFound, func(tx store.Tx) error { _, err := tx.HelperJobByDigest(task1, helperJob(4, 1).Digest); return err })
		f.refused(store.ErrNotFound, func(tx store.Tx) error { return tx.SaveHelperJob(helperJob(2, store.JobFinished)) })
		if got := lease(t0.Add(time.Hour), 9); len(got) != 3 || slices.Contains(got, 2) || got[0] != 9 {
			f.Errorf("leased %v, want 9 first, then 1 and 3", got)
		}
		f.update(func(tx store.Tx) error { return tx.AddHelperJob(helperJob(4, store.JobFinished)) }) // ID and digest are free
	}},
	{name: "share answers", run: func(f *fixture) {
		for _, n := range []int{7, 1, 4} {
			a := shareAnswer(n)
			if n == 4 {
				a.Batch = leaderBatch(4)
			}
			f.update(func(tx store.Tx) error { return tx.AddShareAnswer(a) })
			for _, get := range []func(store.Tx) (store.ShareAnswer, error){
				func(tx store.Tx) (store.ShareAnswer, error) { return tx.ShareAnswer(task1, a.ID) },
				func(tx store.Tx) (store.ShareAnswer, error) { return tx.ShareAnswerByDigest(task1, a.Digest) },
			} {
				if d := cmp.Diff(a, read(f, get)); d != "" {
					f.Errorf("answer (-want +got):\n%s", d)
				}
			}
		}
		list := func() (ids []int) {
			for _, a := range read(f, func(tx store.Tx) ([]store.ShareAnswer, error) { return tx.ShareAnswers(task1) }) {
				if a.Response != nil || a.Digest != shareAnswer(int(a.ID[0])).Digest {
					f.Errorf("listed %+v", a)
				}
				ids = append(ids, int(a.ID[0]))
			}
			return ids
		}
		if got := list(); !slices.Equal(got, []int{7, 1, 4}) {
			f.Errorf("listed %v", got)
		}
		sameID, sameDigest := shareAnswer(1), shareAnswer(2)
		sameID.Digest, sameDigest.Digest = [32]byte{9}, shareAnswer(1).Digest
		before := f.records()
		for _, a := range []store.ShareAnswer{sameID, sameDigest} {
			f.update(func(tx store.Tx) error {
				if err := tx.AddShareAnswer(a); !errors.Is(err, store.ErrConflict) {
					f.Errorf("AddShareAnswer: %v, want ErrConflict", err)
				}
				return nil
			})
		}
		f.sameRecords("after conflicts", f.records(), before)
		for range 2 {
			f.update(func(tx store.Tx) error { return tx.DeleteShareAnswer(task1, shareAnswer(1).ID) })
		}
		f.refused(store.ErrNotFound, func(tx store.Tx) error { _, err := tx.ShareAnswer(task1, shareAnswer(1).ID); return err })
		f.refused(store.ErrNotFound, func(tx store.Tx) error { _, err := tx.ShareAnswerByDigest(task1, shareAnswer(1).Digest); return err })
		if got := list(); !slices.Equal(got, []int{7, 4}) {
			f.Errorf("listed %v", got)
		}
		f.update(func(tx store.Tx) error { return tx.AddShareAnswer(shareAnswer(1)) })
	}},
}
