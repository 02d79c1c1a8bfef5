package boltstore_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"candor/aggregator/boltstore"
	"candor/aggregator/store"
	"candor/schema/dap"
)

func compareIDs(a, b dap.ReportID) int { return slices.Compare(a[:], b[:]) }

// Marks in batches of all sizes, some rolled back, some by several goroutines at once, are compared with a map; the index must answer the same
// through its tree, its runs and their merges, also after reopening.
func TestIndex(t *testing.T) {
	task := dap.TaskID{1}
	total := 60_000
	if testing.Short() {
		total = 12_000
	}
	r := rand.New(rand.NewPCG(1, 2))
	p := place(filepath.Join(t.TempDir(), "s.db"))
	s := p.Open(t)
	defer func() { s.Close() }()
	var known []dap.ReportID
	bucketOf := make(map[dap.ReportID]uint64)
	undo := errors.New("undo")
	for step := 0; len(known) < total; step++ {
		workers := 1 + step%3
		type batch struct {
			fresh, old []dap.ReportID
			fails      bool
		}
		batches := make([]batch, workers)
		for i := range batches {
			b := &batches[i]
			b.fails = r.IntN(5) == 0
			b.fresh = make([]dap.ReportID, []int{1, 3, 20, 255, 256, 300, 1500}[r.IntN(7)])
			for j := range b.fresh {
				for k := range b.fresh[j] {
					b.fresh[j][k] = byte(r.Uint32())
				}
				if r.IntN(4) == 0 {
					b.fresh[j] = dap.ReportID{byte(step >> 8), byte(step), byte(i), byte(j >> 8), byte(j)} // neighbours
				}
			}
			for range min(len(known), 20) {
				b.old = append(b.old, known[r.IntN(len(known))])
			}
		}
		var wg sync.WaitGroup
		errs := make([]error, workers)
		for i, b := range batches {
			wg.Go(func() {
				errs[i] = s.Update(context.Background(), "mark", func(tx store.Tx) error {
					replayed, err := tx.MarkAggregated(task, store.TimeBucket(dap.Time(step%7)), slices.Concat(b.fresh, b.old))
					if err != nil {
						return err
					}
					if !slices.Equal(replayed, b.old) {
						return fmt.Errorf("step %d: %d replayed, want the %d known", step, len(replayed), len(b.old))
					}
					// What this function wrote is seen by it, too.
					if replayed, err = tx.MarkAggregated(task, store.TimeBucket(0), b.fresh); err != nil || len(replayed) != len(b.fresh) {
						return fmt.Errorf("step %d: %d of %d new IDs replayed, %w", step, len(replayed), len(b.fresh), err)
					}
					if b.fails {
						return undo
					}
					return nil
				})
			})
		}
		wg.Wait()
		for i, b := range batches {
			switch {
			case b.fails && errors.Is(errs[i], undo):
				continue
			case b.fails || errs[i] != nil:
				t.Fatal(errs[i])
			}
			for _, id := range b.fresh {
				known = append(known, id)
				bucketOf[id] = uint64(step % 7)
			}
		}
		if r.IntN(40) == 0 {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = p.Open(t)
		}
	}
	for level, n := range s.(*boltstore.Store).Runs(task) {
		if n >= 4 {
			t.Errorf("%d runs of level %d", n, level)
		}
	}
	if n, bytes := s.(*boltstore.Store).Filters(); n > 4*7 || bytes > 4*total {
		t.Errorf("%d filters of %d bytes are in memory", n, bytes)
	}
	slices.SortFunc(known, compareIDs)
	for first := range uint64(7) {
		batch := store.Batch{Interval: dap.Interval{Start: dap.Time(first), Duration: 2}}
		var want, got []dap.ReportID
		for _, id := range known {
			if b := bucketOf[id]; b == first || b == first+1 {
				want = append(want, id)
			}
		}
		err := s.View(t.Context(), "list", func(tx store.Tx) error {
			for {
				var after *dap.ReportID
				if len(got) > 0 {
					after = &got[len(got)-1]
				}
				page, err := tx.AggregatedReports(task, batch, after, 997)
				got = append(got, page...)
				if err != nil || len(page) < 997 {
					return err
				}
			}
		})
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("buckets %d and %d have %d reports, %v; want %d", first, first+1, len(got), err, len(want))
		}
	}
	n := 0
	err := s.View(t.Context(), "records", func(tx store.Tx) error {
		return tx.Records(func(r store.Record) error {
			m, ok := r.(store.MarkRecord)
			if !ok || m.Report != known[n] || m.Bucket != store.TimeBucket(dap.Time(bucketOf[m.Report])) {
				return fmt.Errorf("record %d is %+v", n, r)
			}
			n++
			return nil
		})
	})
	if err != nil || n != len(known) {
		t.Errorf("%d records, %v; want %d", n, err, len(known))
	}
}

func TestFilter(t *testing.T) {
	for _, entries := range []int{1, 256, 100_000} {
		const tries = 20_000
		// 1.2 % are expected; 2 % would be twelve standard deviations more.
		if wrong := boltstore.FalsePositives(entries, tries); wrong > tries/50 {
			t.Errorf("a filter of %d entries is wrong in %d of %d tries", entries, wrong, tries)
		}
	}
}
