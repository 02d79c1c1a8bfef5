package boltstore_test

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"candor/aggregator/boltstore"
	"candor/aggregator/store"
	"candor/aggregator/storetest"
	"candor/schema/dap"
)

const bodySize = 500

var benchTask = dap.TaskID{0xbe}

// upload stores n reports in one Update.
func upload(s store.Store, n int) error {
	ids := make([]byte, 16*n)
	rand.Read(ids)
	body := make([]byte, bodySize)
	rand.Read(body)
	return s.Update(context.Background(), "upload", func(tx store.Tx) error {
		for i := range n {
			id := dap.ReportID(ids[16*i:])
			if err := tx.AddReport(benchTask, store.Report{ID: id, Time: dap.Time(binary.BigEndian.Uint16(id[:]) % 16), Encoded: body}); err != nil {
				return err
			}
		}
		return nil
	})
}

func BenchmarkUpload(b *testing.B) {
	for _, batch := range []int{1, 10, 1000} {
		for _, workers := range []int{1, 4, 32} {
			b.Run(fmt.Sprintf("batch=%d/workers=%d", batch, workers), func(b *testing.B) {
				s := open(b, filepath.Join(b.TempDir(), "s.db"))
				var left atomic.Int64
				left.Store(int64(b.N))
				var wg sync.WaitGroup
				b.ResetTimer()
				for range workers {
					wg.Go(func() {
						for left.Add(-1) >= 0 {
							if err := upload(s, batch); err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				wg.Wait()
				b.StopTimer()
				b.ReportMetric(float64(b.N*batch)/b.Elapsed().Seconds(), "reports/s")
			})
		}
	}
}

// cycle takes up to 1000 reports through an aggregation job, as a Leader does; it returns how many.
func cycle(s store.Store, n uint64) (int, error) {
	ctx := context.Background()
	j := store.AggregationJob{Task: benchTask, Created: time.Now()}
	binary.BigEndian.PutUint64(j.ID[:], n)
	err := s.Update(ctx, "claim", func(tx store.Tx) error {
		reports, err := tx.UnassignedReports(benchTask, time.Now(), 1000)
		j.Reports = nil
		for _, r := range reports {
			j.Reports = append(j.Reports, r.ID)
		}
		if err != nil || len(reports) == 0 {
			return err
		}
		return tx.AddAggregationJob(j)
	})
	if err != nil || len(j.Reports) == 0 {
		return 0, err
	}
	var reports []store.Report
	err = s.View(ctx, "read", func(tx store.Tx) (err error) {
		reports, err = tx.JobReports(j)
		return err
	})
	if err != nil {
		return 0, err
	}
	j.Request, j.Revision = make([]byte, 300*len(j.Reports)), 1
	if err := s.Update(ctx, "prepare", func(tx store.Tx) error { return tx.PrepareAggregationJob(j, nil) }); err != nil {
		return 0, err
	}
	j.Revision++
	deltas := make(map[dap.Time]*store.Bucket)
	outcomes := make([]store.Outcome, len(reports))
	for i, r := range reports {
		d := deltas[r.Time]
		if d == nil {
			d = &store.Bucket{Share: make([]byte, 64), MinTime: r.Time, MaxTime: r.Time}
			deltas[r.Time] = d
		}
		d.Count++
		d.Checksum = dap.XORChecksums(d.Checksum, dap.Checksum(r.ID))
		outcomes[i] = store.Outcome{ID: r.ID, State: store.ReportAggregated}
	}
	return len(reports), s.Update(ctx, "finish", func(tx store.Tx) error {
		for at, d := range deltas {
			if err := tx.MergeBucket(benchTask, store.TimeBucket(at), *d, storetest.Sum); err != nil {
				return err
			}
		}
		return tx.FinishAggregationJob(j, outcomes)
	})
}

// BenchmarkJob measures a job of 1000 reports from claim to finish, in a store of 100,000.
func BenchmarkJob(b *testing.B) {
	s := open(b, filepath.Join(b.TempDir(), "s.db"))
	n, have := uint64(0), 0
	for b.Loop() {
		if have < 1000 {
			b.StopTimer()
			for ; have < 100_000; have += 1000 {
				if err := upload(s, 1000); err != nil {
					b.Fatal(err)
				}
			}
			b.StartTimer()
		}
		n++
		got, err := cycle(s, n)
		if err != nil || got != 1000 {
			b.Fatal(got, err)
		}
		have -= got
	}
	b.ReportMetric(1000*float64(n)/b.Elapsed().Seconds(), "reports/s")
}

// BenchmarkMillion takes a million reports through a Leader's store: all are uploaded, then all are aggregated. Run it with -benchtime 1x.
func BenchmarkMillion(b *testing.B) {
	if os.Getenv("CANDOR_TEST_LONG") == "" {
		b.Skip("needs CANDOR_TEST_LONG=1: it takes a minute and writes gigabytes")
	}
	const total = 1_000_000
	for b.Loop() {
		path := filepath.Join(b.TempDir(), "s.db")
		s, err := boltstore.Open(path, boltstore.Options{})
		if err != nil {
			b.Fatal(err)
		}
		start := time.Now()
		var wg sync.WaitGroup
		var failed error
		var mu sync.Mutex
		for range 4 {
			wg.Go(func() {
				for range total / 4 / 1000 {
					if err := upload(s, 1000); err != nil {
						mu.Lock()
						failed = errors.Join(failed, err)
						mu.Unlock()
						return
					}
				}
			})
		}
		wg.Wait()
		if failed != nil {
			b.Fatal(failed)
		}
		b.ReportMetric(total/time.Since(start).Seconds(), "uploads/s")
		b.ReportMetric(peak(b), "MiB-peak-upload")
		info, err := os.Stat(path)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(info.Size())/total, "bytes/report")
		start = time.Now()
		for n, done := uint64(1), 0; done < total; n++ {
			got, err := cycle(s, n)
			if err != nil || got == 0 {
				b.Fatal(n, got, err)
			}
			done += got
		}
		b.ReportMetric(total/time.Since(start).Seconds(), "aggregated/s")
		start = time.Now()
		storetest.CheckInvariants(b, s)
		b.ReportMetric(time.Since(start).Seconds(), "s-check")
		b.ReportMetric(peak(b), "MiB-peak")
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		start = time.Now()
		open(b, path)
		b.ReportMetric(time.Since(start).Seconds(), "s-open")
	}
}

// peak returns the largest memory this process ever had, in MiB.
func peak(b *testing.B) float64 {
	b.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	for line := range strings.Lines(string(status)) {
		var kib float64
		if n, _ := fmt.Sscanf(line, "VmHWM: %f kB", &kib); n == 1 {
			return kib / 1024
		}
	}
	return 0
}
