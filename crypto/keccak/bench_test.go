package keccak_test

import (
	"testing"

	"candor/crypto/keccak"
)

// Each benchmark reports ns/state: the time of one permutation of one state.
func benchmark(b *testing.B, states int, f func()) {
	for b.Loop() {
		f()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*states), "ns/state")
}

func BenchmarkPermute12(b *testing.B) {
	for _, name := range keccak.Paths() {
		b.Run(name, func(b *testing.B) {
			defer keccak.SetPath(name)()
			var s [25]uint64
			benchmark(b, 1, func() { keccak.Permute12(&s) })
		})
	}
}

func BenchmarkPermute12x4(b *testing.B) {
	for _, name := range keccak.Paths() {
		b.Run(name, func(b *testing.B) {
			defer keccak.SetPath(name)()
			var s keccak.State4
			benchmark(b, 4, func() { keccak.Permute12x4(&s) })
		})
	}
}

// BenchmarkSqueeze4 squeezes 16 blocks of each lane.
func BenchmarkSqueeze4(b *testing.B) {
	for _, name := range keccak.Paths() {
		b.Run(name, func(b *testing.B) {
			defer keccak.SetPath(name)()
			var s keccak.State4
			var out [4][]byte
			for lane := range out {
				out[lane] = make([]byte, 16*keccak.Rate)
			}
			b.SetBytes(4 * 16 * keccak.Rate)
			benchmark(b, 4*16, func() { keccak.Squeeze4(&s, &out) })
		})
	}
}
