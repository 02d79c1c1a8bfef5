package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"candor/aggregator/store"
	"candor/schema/dap"
)

// parallel runs n functions at once and reports their errors.
func (f *fixture) parallel(n int, fn func(i int) error) {
	f.Helper()
	var wg sync.WaitGroup
	errs := make([]error, n)
	for i := range n {
		wg.Go(func() { errs[i] = fn(i) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		f.Fatal(err)
	}
}

// size is the number of rounds of a test: full, or few under -short.
func size(full, few int) int {
	if testing.Short() {
		return few
	}
	return full
}

var raceTests = []contractTest{
	{name: "settling waits for what is under way", run: func(f *fixture) {
		began, release, settled := make(chan struct{}), make(chan struct{}), make(chan error, 1)
		ended := make(chan error, 1)
		var once sync.Once
		go func() {
			ended <- f.s.Update(context.Background(), "test", func(tx store.Tx) error {
				_, err := tx.Counters(task1) // from now on it sees what there was
				once.Do(func() { close(began) })
				<-release
				return errors.Join(err, tx.Count(task2, "n", 1))
			})
		}()
		<-began
		go func() { settled <- f.s.Settle(context.Background()) }()
		select {
		case err := <-settled:
			f.Errorf("Settle returned during an Update: %v", err)
			settled <- err
		case <-time.After(200 * time.Millisecond):
		}
		close(release)
		if err := errors.Join(<-settled, <-ended); err != nil {
			f.Fatal(err)
		}
		if n := read(f, func(tx store.Tx) (map[string]uint64, error) { return tx.Counters(task2) })["n"]; n != 1 {
			f.Errorf("counted %d, want 1", n)
		}
		if err := f.s.Settle(canceled()); !errors.Is(err, context.Canceled) {
			f.Errorf("Settle after its context: %v", err)
		}
	}},
	{name: "one of many uploads of an ID wins", run: func(f *fixture) {
		const workers = 8
		reports := size(60, 15)
		var mu sync.Mutex
		won := make(map[int]int)
		f.parallel(workers, func(worker int) error {
			for n := range reports {
				err := f.s.Update(context.Background(), "test", func(tx store.Tx) error { return tx.AddReport(task1, report(n)) })
				switch {
				case err == nil:
					mu.Lock()
					won[n]++
					mu.Unlock()
				case !errors.Is(err, store.ErrConflict):
					return err
				}
			}
			return nil
		})
		for n := range reports {
			if won[n] != 1 {
				f.Errorf("report %d was accepted %d times", n, won[n])
			}
		}
		if got := f.unassigned(task1, t0, 999); len(got) != reports {
			f.Errorf("%d reports are stored, want %d", len(got), reports)
		}
	}},
	{name: "counters lose nothing", run: func(f *fixture) {
		const workers = 8
		rounds := size(50, 10)
		f.parallel(workers, func(worker int) error {
			for range rounds {
				err := f.s.Update(context.Background(), "test", func(tx store.Tx) error {
					one := store.Bucket{Share: []byte{1}, MinTime: 1, MaxTime: 1}
					return errors.Join(tx.Count(task1, "n", 1), tx.MergeBucket(task1, store.TimeBucket(1), one, Sum))
				})
				if err != nil {
					return err
				}
			}
			return nil
		})
		n := read(f, func(tx store.Tx) (map[string]uint64, error) { return tx.Counters(task1) })["n"]
		if int(n) != workers*rounds {
			f.Errorf("counted %d, want %d", n, workers*rounds)
		}
		b := read(f, func(tx store.Tx) ([]store.Bucket, error) { return tx.Buckets(task1, interval(1, 1), Sum) })
		if len(b) != 1 || b[0].Share[0] != byte(workers*rounds) {
			f.Errorf("buckets %+v, want a share of %d", b, byte(workers*rounds))
		}
	}},
	{name: "one of many that fails fails alone", run: func(f *fixture) {
		// Every third function fails after writing, every fifth after a conflict with what another writes.
		const workers = 12
		rounds := size(40, 8)
		boom := errors.New("boom")
		f.parallel(workers, func(worker int) error {
			for i := range rounds {
				n := worker*rounds + i
				fails := n%3 == 0
				err := f.s.Update(context.Background(), "test", func(tx store.Tx) error {
					if err := tx.AddReport(task1, report(n)); err != nil {
						return err
					}
					if err := tx.Count(task1, "n", 1); err != nil {
						return err
					}
					if n%5 == 0 {
						if err := tx.AddReport(task2, report(0)); err != nil {
							return err
						}
					}
					if fails {
						return boom
					}
					return nil
				})
				_, state := f.tryState(task1, n)
				switch {
				case err == nil && (fails || state != nil), err != nil && state == nil:
					return fmt.Errorf("report %d: Update returned %w, and it has %w", n, err, state)
				case errors.Is(err, boom) && !fails, errors.Is(err, store.ErrConflict) && n%5 != 0:
					return fmt.Errorf("report %d: Update returned %w", n, err)
				case err != nil && !errors.Is(err, boom) && !errors.Is(err, store.ErrConflict):
					return err
				}
			}
			return nil
		})
		stored := len(f.unassigned(task1, t0, workers*rounds))
		if n := read(f, func(tx store.Tx) (map[string]uint64, error) { return tx.Counters(task1) })["n"]; int(n) != stored {
			f.Errorf("counted %d, but %d reports are stored", n, stored)
		}
		if p := read(f, func(tx store.Tx) (store.Progress, error) { return tx.Progress(task1, interval(0, 9999)) }); int(p.Unassigned) != stored {
			f.Errorf("progress %+v, but %d reports are stored", p, stored)
		}
	}},
	{name: "deletion of a task among others", run: func(f *fixture) {
		const workers = 6
		rounds := size(30, 8)
		f.parallel(workers, func(worker int) error {
			own := dap.TaskID{0xf0, byte(worker)}
			for i := range rounds {
				err := f.s.Update(context.Background(), "test", func(tx store.Tx) error { return tx.AddReport(task1, report(worker*rounds+i)) })
				if err != nil {
					return err
				}
				err = f.s.Update(context.Background(), "test", func(tx store.Tx) error {
					j := job(own, 1, i, i+1)
					return errors.Join(tx.DeleteTask(own), tx.AddReport(own, report(i)), tx.AddAggregationJob(j))
				})
				if err != nil {
					return err
				}
			}
			return nil
		})
		if got := f.unassigned(task1, t0, 9999); len(got) != workers*rounds {
			f.Errorf("%d reports of the other task, want %d", len(got), workers*rounds)
		}
		f.update(func(tx store.Tx) error {
			jobs, err := tx.LeaseAggregationJobs(t0, time.Hour, 99)
			if len(jobs) != workers {
				f.Errorf("%d jobs in the queue, want %d", len(jobs), workers)
			}
			return err
		})
	}},
	{name: "two workers never have one job", run: func(f *fixture) {
		jobs := size(40, 12)
		for n := range jobs {
			f.addJob(job(task1, n, 0, 0))
		}
		var mu sync.Mutex
		got := make(map[dap.AggregationJobID]int)
		f.parallel(6, func(worker int) error {
			for {
				var leased []store.AggregationJob
				err := f.s.Update(context.Background(), "test", func(tx store.Tx) (err error) {
					leased, err = tx.LeaseAggregationJobs(t0, time.Hour, 3)
					return err
				})
				if err != nil || len(leased) == 0 {
					return err
				}
				mu.Lock()
				for _, j := range leased {
					got[j.ID]++
				}
				mu.Unlock()
			}
		})
		for n := range jobs {
			if got[aggregationJobID(n)] != 1 {
				f.Errorf("job %d was leased %d times", n, got[aggregationJobID(n)])
			}
		}
	}},
	{name: "one worker finishes a job", run: func(f *fixture) {
		jobs := size(12, 4)
		f.addReports(task1, 0, 5*jobs)
		for n := range jobs {
			j := f.addJob(job(task1, n, 5*n, 5*n+5))
			var mu sync.Mutex
			finished := 0
			f.parallel(4, func(worker int) error {
				err := f.s.Update(context.Background(), "test", func(tx store.Tx) error { return finish(tx, j, all(j, store.ReportAggregated, 0)) })
				if err == nil {
					mu.Lock()
					finished++
					mu.Unlock()
				} else if !errors.Is(err, store.ErrConflict) && !errors.Is(err, store.ErrNotFound) {
					return err
				}
				return nil
			})
			if finished != 1 {
				f.Errorf("job %d was finished %d times", n, finished)
			}
		}
	}},
	{name: "reports go into one job", run: func(f *fixture) {
		// Workers that take what is unassigned, with no lock but the store's.
		total := size(200, 60)
		f.addReports(task1, 0, total)
		var mu sync.Mutex
		next := 0
		f.parallel(5, func(worker int) error {
			for {
				mu.Lock()
				n := next
				next++
				mu.Unlock()
				empty := false
				err := f.s.Update(context.Background(), "test", func(tx store.Tx) error {
					empty = false
					reports, err := tx.UnassignedReports(task1, t0, 7)
					if err != nil {
						return err
					}
					if empty = len(reports) == 0; empty {
						return nil
					}
					j := job(task1, n, 0, 0)
					for _, r := range reports {
						j.Reports = append(j.Reports, r.ID)
					}
					return tx.AddAggregationJob(j)
				})
				if err != nil {
					return err
				}
				if empty {
					return nil
				}
			}
		})
		seen := make(map[dap.ReportID]int)
		for _, r := range f.records() {
			if j, ok := r.(store.AggregationJob); ok {
				for _, id := range j.Reports {
					seen[id]++
				}
			}
		}
		for n := range total {
			if seen[reportID(n)] != 1 {
				f.Errorf("report %d is in %d jobs", n, seen[reportID(n)])
			}
		}
	}},
	{name: "collected once", run: func(f *fixture) {
		// Each worker checks and marks in one transaction: only one may find the batch uncollected.
		for round := range size(10, 4) {
			var mu sync.Mutex
			first := 0
			batch := interval(uint64(100*round), 10)
			if round%2 == 1 {
				batch = leaderBatch(round)
			}
			f.parallel(5, func(worker int) error {
				mine := false
				b := batch
				if b.ID == nil {
					b.Interval.Start += dap.Time(worker) // they overlap
				}
				err := f.s.Update(context.Background(), "test", func(tx store.Tx) error {
					collected, err := tx.BatchCollected(task1, b)
					mine = err == nil && !collected
					if !mine {
						return err
					}
					return tx.MarkCollected(task1, b)
				})
				if mine && err == nil {
					mu.Lock()
					first++
					mu.Unlock()
				}
				return err
			})
			if first != 1 {
				f.Errorf("round %d: %d workers collected the batch", round, first)
			}
		}
	}},
	{name: "no report joins a batch that is collected", run: func(f *fixture) {
		// What the Leader checks (not collected) and what it writes (the bucket) are different rows: write skew would lose a report.
		for round := range size(12, 4) {
			batch := interval(uint64(1000+round), 1)
			id := store.TimeBucket(batch.Interval.Start)
			var mu sync.Mutex
			merged, released := 0, -1
			f.parallel(5, func(worker int) error {
				if worker == 0 {
					n := 0
					err := f.s.Update(context.Background(), "test", func(tx store.Tx) error {
						b, err := tx.Buckets(task1, batch, Sum)
						n = 0
						for _, b := range b {
							n += int(b.Share[0])
						}
						return errors.Join(err, tx.MarkCollected(task1, batch))
					})
					mu.Lock()
					released = n
					mu.Unlock()
					return err
				}
				ok := false
				err := f.s.Update(context.Background(), "test", func(tx store.Tx) error {
					collected, err := tx.BatchCollected(task1, batch)
					ok = err == nil && !collected
					if !ok {
						return err
					}
					return tx.MergeBucket(task1, id, store.Bucket{Share: []byte{1}, MinTime: 1, MaxTime: 1}, Sum)
				})
				if ok && err == nil {
					mu.Lock()
					merged++
					mu.Unlock()
				}
				return err
			})
			if merged != released {
				f.Errorf("round %d: %d reports joined the bucket, %d were released", round, merged, released)
			}
		}
	}},
	{name: "replays are found among concurrent marks", run: func(f *fixture) {
		var mu sync.Mutex
		fresh := make(map[dap.ReportID]int)
		f.parallel(6, func(worker int) error {
			r := rand.New(rand.NewPCG(uint64(worker), 1))
			for range size(20, 6) {
				ids := make([]dap.ReportID, 5)
				for i, n := range r.Perm(60)[:5] {
					ids[i] = reportID(n)
				}
				var replayed []dap.ReportID
				err := f.s.Update(context.Background(), "test", func(tx store.Tx) (err error) {
					if replayed, err = tx.MarkAggregated(task1, store.TimeBucket(1), ids); err != nil {
						return err
					}
					old := make(map[dap.ReportID]bool)
					for _, id := range replayed {
						old[id] = true
					}
					for _, id := range ids {
						if !old[id] {
							if err := tx.MergeBucket(task1, store.TimeBucket(1), store.Bucket{Share: share(1), Count: 1, Checksum: dap.Checksum(id)}, Sum); err != nil {
								return err
							}
						}
					}
					return nil
				})
				if err != nil {
					return err
				}
				mu.Lock()
				for _, id := range ids {
					fresh[id]++
				}
				for _, id := range replayed {
					fresh[id]--
				}
				mu.Unlock()
			}
			return nil
		})
		for id, n := range fresh {
			if n != 1 {
				f.Errorf("report %s was new %d times", id, n)
			}
		}
	}},
	{name: "contexts that end at any moment", once: true, run: func(f *fixture) {
		const workers = 8
		rounds := size(60, 20)
		var mu sync.Mutex
		stored := 0
		f.parallel(workers, func(worker int) error {
			r := rand.New(rand.NewPCG(uint64(worker), 2))
			for i := range rounds {
				ctx, cancel := context.WithTimeout(context.Background(), time.Duration(r.IntN(300))*time.Microsecond)
				running := true
				err := f.s.Update(ctx, "test", func(tx store.Tx) error {
					if !running {
						return errors.New("the function runs after Update returned")
					}
					return tx.AddReport(task1, report(worker*rounds+i))
				})
				running = false // the race detector sees a function that still runs
				cancel()
				switch {
				case err == nil:
					mu.Lock()
					stored++
					mu.Unlock()
				case !errors.Is(err, context.DeadlineExceeded):
					return err
				}
			}
			return nil
		})
		f.addReports(task2, 0, 1) // the store goes on
		// A context may end when the commit can no longer be stopped.
		if got := len(f.unassigned(task1, t0, workers*rounds)); got < stored {
			f.Errorf("%d reports are stored, but %d Updates succeeded", got, stored)
		}
	}},
	{name: "faults before and after the commit", run: func(f *fixture) {
		s := NewFaulty(f.s, 1, 0.5)
		defer func() {
			if s.Faults() == 0 {
				f.Error("there was no fault")
			}
		}()
		f.parallel(4, func(worker int) error {
			for i := range size(40, 10) {
				n := worker*100 + i
				err := s.Update(context.Background(), "test", func(tx store.Tx) error { return tx.AddReport(task1, report(n)) })
				for errors.Is(err, ErrFault) { // try again as a client does
					err = s.Update(context.Background(), "test", func(tx store.Tx) error { return tx.AddReport(task1, report(n)) })
				}
				if err != nil && !errors.Is(err, store.ErrConflict) {
					return err
				}
			}
			return nil
		})
		if got := f.unassigned(task1, t0, 999); len(got) != 4*size(40, 10) {
			f.Errorf("%d reports are stored, want %d", len(got), 4*size(40, 10))
		}
	}},
}
