package sealstore_test

import (
	"encoding/binary"
	"path/filepath"
	"sync/atomic"
	"testing"

	"candor/aggregator/boltstore"
	"candor/aggregator/store"
	"candor/aggregator/storetest"
	"candor/schema/dap"
)

// BenchmarkUpload is what one upload writes, by many at once, sealed and in the clear. The file is not flushed: the difference is what sealing costs the processor.
func BenchmarkUpload(b *testing.B) {
	for _, sealed := range []bool{false, true} {
		name := map[bool]string{false: "plain", true: "sealed"}[sealed]
		b.Run(name, func(b *testing.B) {
			s := benchStore(b, sealed)
			var n atomic.Uint64
			b.SetParallelism(64)
			b.RunParallel(func(pb *testing.PB) {
				body := make([]byte, 1000)
				for pb.Next() {
					i := n.Add(1)
					r := store.Report{Time: 7, Encoded: body}
					binary.LittleEndian.PutUint64(r.ID[:], i*0x9e3779b97f4a7c15)
					err := s.Update(b.Context(), "upload", func(tx store.Tx) error {
						if err := tx.AddReport(task, r); err != nil {
							return err
						}
						return tx.Count(task, "uploaded", 1)
					})
					if err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}

// BenchmarkMerge adds a share of 1000 elements of Field128 to a bucket.
func BenchmarkMerge(b *testing.B) {
	for _, sealed := range []bool{false, true} {
		name := map[bool]string{false: "plain", true: "sealed"}[sealed]
		b.Run(name, func(b *testing.B) {
			s := benchStore(b, sealed)
			delta := store.Bucket{Share: make([]byte, 16_000), Count: 1, MinTime: 7, MaxTime: 7}
			for b.Loop() {
				err := s.Update(b.Context(), "merge", func(tx store.Tx) error {
					delta.Checksum = dap.Checksum(dap.ReportID{})
					return tx.MergeBucket(task, store.TimeBucket(7), delta, storetest.Sum)
				})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func benchStore(b *testing.B, sealed bool) store.Store {
	b.Helper()
	beneath, err := boltstore.Open(filepath.Join(b.TempDir(), "store.db"), boltstore.Options{UnsafeNoSync: true})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = beneath.Close() })
	if !sealed {
		return beneath
	}
	return seal(b, beneath, wrapping)
}
