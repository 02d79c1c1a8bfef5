package boltstore_test

import (
	"path/filepath"
	"testing"
	"time"

	"candor/aggregator/boltstore"
	"candor/aggregator/store"
	"candor/schema/dap"
)

func TestFreeLeases(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	open := func() *boltstore.Store {
		s, err := boltstore.Open(path, boltstore.Options{UnsafeNoSync: true})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	now := time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC)
	task, report := dap.TaskID{1}, dap.ReportID{2}
	lease := func(s *boltstore.Store) (aggregation, collection, helper int) {
		err := s.Update(t.Context(), "lease", func(tx store.Tx) error {
			a, err := tx.LeaseAggregationJobs(now, time.Hour, 9)
			if err != nil {
				return err
			}
			c, err := tx.LeaseCollectionJobs(now, time.Hour, 9)
			if err != nil {
				return err
			}
			h, err := tx.LeaseHelperJobs(now, time.Hour, 9)
			aggregation, collection, helper = len(a), len(c), len(h)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return aggregation, collection, helper
	}
	s := open()
	err := s.Update(t.Context(), "fill", func(tx store.Tx) error {
		if err := tx.AddReport(task, store.Report{ID: report, Encoded: []byte("report")}); err != nil {
			return err
		}
		if err := tx.AddAggregationJob(store.AggregationJob{ID: dap.AggregationJobID{1}, Task: task, Reports: []dap.ReportID{report}, Request: []byte("r"), Created: now, State: store.JobLive}); err != nil {
			return err
		}
		if err := tx.AddCollectionJob(store.CollectionJob{ID: dap.CollectionJobID{1}, Task: task, Request: []byte("r"), Created: now, State: store.JobLive}); err != nil {
			return err
		}
		return tx.AddHelperJob(store.HelperJob{ID: dap.AggregationJobID{2}, Task: task, Request: []byte("r"), Created: now, State: store.JobLive})
	})
	if err != nil {
		t.Fatal(err)
	}
	if a, c, h := lease(s); a != 1 || c != 1 || h != 1 {
		t.Fatalf("leased %d, %d, %d jobs, want one of each kind", a, c, h)
	}
	if err := s.Close(); err != nil { // what a killed process leaves is the same
		t.Fatal(err)
	}
	s = open()
	defer s.Close()
	if a, c, h := lease(s); a+c+h != 0 {
		t.Fatalf("leases did not outlive the process: %d, %d, %d jobs are free", a, c, h)
	}
	if err := s.FreeLeases(t.Context()); err != nil {
		t.Fatal(err)
	}
	if a, c, h := lease(s); a != 1 || c != 1 || h != 1 {
		t.Errorf("after FreeLeases %d, %d, %d jobs are free, want one of each kind", a, c, h)
	}
}
