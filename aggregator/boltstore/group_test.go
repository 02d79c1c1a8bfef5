package boltstore_test

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"candor/aggregator/store"
	"candor/schema/dap"
)

func add(n byte) func(store.Tx) error {
	return func(tx store.Tx) error {
		return tx.AddReport(dap.TaskID{1}, store.Report{ID: dap.ReportID{n}, Encoded: []byte{n}})
	}
}

// While one Update holds the turn, others queue up; they must all go into one commit.
func TestBurstSharesOneCommit(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "s.db"))
	if err := s.Update(t.Context(), "first", add(0)); err != nil {
		t.Fatal(err)
	}
	const burst = 20
	before := s.Commits()
	var wg sync.WaitGroup
	errs := make([]error, burst+1)
	inside, leave := make(chan bool), make(chan bool)
	boom := errors.New("boom")
	wg.Go(func() {
		errs[0] = s.Update(context.Background(), "holds the turn", func(tx store.Tx) error {
			close(inside)
			<-leave
			return add(1)(tx)
		})
	})
	<-inside
	for i := range burst {
		wg.Go(func() {
			errs[i+1] = s.Update(context.Background(), "burst", func(tx store.Tx) error {
				if err := add(byte(i + 2))(tx); err != nil || i%4 > 0 {
					return err
				}
				return boom
			})
		})
	}
	for s.Waiting() < burst {
		time.Sleep(time.Millisecond)
	}
	close(leave)
	wg.Wait()
	for i, err := range errs {
		if i > 0 && (i-1)%4 == 0 {
			if err != boom { //nolint:errorlint // the very same
				t.Errorf("Update %d: %v, want its own error", i, err)
			}
		} else if err != nil {
			t.Errorf("Update %d: %v", i, err)
		}
	}
	if got := s.Commits() - before; got != 1 {
		t.Errorf("%d commits for a burst, want 1", got)
	}
	for i := range burst {
		err := s.View(t.Context(), "look", func(tx store.Tx) error {
			_, err := tx.ReportState(dap.TaskID{1}, dap.ReportID{byte(i + 2)})
			return err
		})
		if (err == nil) == (i%4 == 0) {
			t.Errorf("report of Update %d: %v", i, err)
		}
	}
}

func TestUpdateThatWritesNothingCommitsNothing(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "s.db"))
	if err := s.Update(t.Context(), "first", add(0)); err != nil {
		t.Fatal(err)
	}
	before := s.Commits()
	for name, fn := range map[string]func(store.Tx) error{
		"lease": func(tx store.Tx) error { _, err := tx.LeaseAggregationJobs(time.Now(), time.Hour, 9); return err },
		"fails": add(0),
		"read":  func(tx store.Tx) error { _, err := tx.UnassignedReports(dap.TaskID{1}, time.Now(), 9); return err },
		"again": func(tx store.Tx) error { return tx.DeleteCollectionJob(dap.TaskID{1}, dap.CollectionJobID{}) },
	} {
		if err := s.Update(t.Context(), name, fn); err != nil && !errors.Is(err, store.ErrConflict) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := s.Commits() - before; got != 0 {
		t.Errorf("%d commits, want none", got)
	}
}

// An Update that is alone must not wait for others to come.
func TestAloneDoesNotWait(t *testing.T) {
	s, err := place(filepath.Join(t.TempDir(), "s.db")).Open(t), error(nil)
	defer s.Close()
	const rounds = 50
	best := time.Hour
	for i := range rounds {
		start := time.Now()
		if err = s.Update(t.Context(), "alone", add(byte(i))); err != nil {
			t.Fatal(err)
		}
		best = min(best, time.Since(start))
	}
	if best > 2*time.Millisecond {
		t.Errorf("the fastest of %d Updates took %v without a flush", rounds, best)
	}
}
