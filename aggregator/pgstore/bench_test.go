package pgstore_test

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"candor/aggregator/pgstore"
	"candor/aggregator/store"
	"candor/aggregator/storetest"
	"candor/schema/dap"
)

func upload(s store.Store, n int) error {
	ids, body := make([]byte, 16*n), make([]byte, 500)
	rand.Read(ids)
	rand.Read(body)
	return s.Update(context.Background(), "upload", func(tx store.Tx) error {
		for i := range n {
			id := dap.ReportID(ids[16*i:])
			if _, err := tx.BatchCollected(task, store.Batch{Interval: dap.Interval{Start: dap.Time(id[0] % 16), Duration: 1}}); err != nil {
				return err
			}
			if err := tx.AddReport(task, store.Report{ID: id, Time: dap.Time(id[0] % 16), Encoded: body}); err != nil {
				return err
			}
		}
		return nil
	})
}

// cycle takes up to 1000 reports through a job; it returns how many.
func cycle(s store.Store, n uint64) (int, error) {
	ctx := context.Background()
	j := store.AggregationJob{Task: task, Created: time.Now()}
	binary.BigEndian.PutUint64(j.ID[:], n)
	err := s.Update(ctx, "claim", func(tx store.Tx) error {
		reports, err := tx.UnassignedReports(task, time.Now(), 1000)
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
	j.Request, j.Revision = make([]byte, 300*len(j.Reports)), 1
	if err := s.Update(ctx, "prepare", func(tx store.Tx) error { return tx.PrepareAggregationJob(j, nil) }); err != nil {
		return 0, err
	}
	j.Revision++
	return len(j.Reports), s.Update(ctx, "finish", func(tx store.Tx) error {
		return aggregateAt(tx, j)
	})
}

// BenchmarkStores measures uploads of batches by several workers of several processes' stores, with and without a worker that aggregates.
func BenchmarkStores(b *testing.B) {
	server := storetest.StartPostgres(b)
	for _, replicas := range []int{1, 2, 4} {
		for _, batch := range []int{1, 10, 1000} {
			for _, aggregates := range []bool{false, true} {
				b.Run(fmt.Sprintf("replicas=%d/batch=%d/aggregate=%v", replicas, batch, aggregates), func(b *testing.B) {
					url := server.NewDatabase(b)
					var retries sync.Map
					var stores []store.Store
					for range replicas {
						s, err := pgstore.Open(b.Context(), url, pgstore.Options{Retried: func(name, state string) {
							n, _ := retries.LoadOrStore(name+" "+state, new(atomic.Int64))
							n.(*atomic.Int64).Add(1)
						}})
						if err != nil {
							b.Fatal(err)
						}
						defer s.Close()
						stores = append(stores, s)
					}
					var left, uploaded, aggregated, jobs atomic.Int64
					left.Store(int64(b.N))
					b.ResetTimer()
					var uploads, wg sync.WaitGroup
					done := make(chan bool)
					for w := range 4 * replicas {
						uploads.Go(func() {
							for left.Add(-1) >= 0 {
								if err := upload(stores[w%replicas], batch); err != nil {
									b.Error(err)
									return
								}
								uploaded.Add(int64(batch))
							}
						})
					}
					if aggregates {
						for _, s := range stores {
							wg.Go(func() {
								for {
									n, err := cycle(s, uint64(jobs.Add(1)))
									if err != nil {
										b.Error(err)
										return
									}
									aggregated.Add(int64(n))
									if n == 0 {
										select {
										case <-done:
											return
										default:
										}
									}
								}
							})
						}
					}
					uploads.Wait()
					elapsed := b.Elapsed()
					close(done)
					wg.Wait()
					b.StopTimer()
					b.ReportMetric(float64(uploaded.Load())/elapsed.Seconds(), "uploads/s")
					if aggregates {
						b.ReportMetric(float64(aggregated.Load())/b.Elapsed().Seconds(), "aggregated/s")
					}
					total := int64(0)
					retries.Range(func(name, n any) bool {
						b.Logf("%s: %d times", name, n.(*atomic.Int64).Load())
						total += n.(*atomic.Int64).Load()
						return true
					})
					b.ReportMetric(float64(total)/float64(b.N), "retries/op")
				})
			}
		}
	}
}
