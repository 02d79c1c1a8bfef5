package keccak_test

import (
	"testing"

	"candor/crypto/keccak"
)

// benchmark runs f, which permutes that many states, and reports ns/state: the time per permutation of one state.
func benchmark(b *testing.B, states int, f func()) {
	b.ReportAllocs()
	for b.Loop() {
		f()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*states), "ns/state")
}

func benchmarkPaths(b *testing.B, states int, f func()) {
	for _, name := range keccak.Paths() {
		b.Run(name, func(b *testing.B) {
			defer keccak.SetPath(name)()
			benchmark(b, states, f)
		})
	}
}

func BenchmarkPermute12(b *testing.B) {
	var s [25]uint64
	benchmarkPaths(b, 1, func() { keccak.Permute12(&s) })
}

func BenchmarkPermute12x4(b *testing.B) {
	var s keccak.State4
	benchmarkPaths(b, 4, func() { keccak.Permute12x4(&s) })
}

func BenchmarkPermute12x8(b *testing.B) {
	var s keccak.State8
	benchmarkPaths(b, 8, func() { keccak.Permute12x8(&s) })
}

// The benchmarks of Absorb and Squeeze move 16 blocks per lane.

func buffers(width int) [][]byte {
	p := make([][]byte, width)
	for lane := range p {
		p[lane] = make([]byte, 16*keccak.Rate)
	}
	return p
}

func BenchmarkAbsorb4(b *testing.B) {
	var s keccak.State4
	in := [4][]byte(buffers(4))
	benchmarkPaths(b, 4*16, func() { keccak.Absorb4(&s, &in) })
}

func BenchmarkAbsorb8(b *testing.B) {
	var s keccak.State8
	in := [8][]byte(buffers(8))
	benchmarkPaths(b, 8*16, func() { keccak.Absorb8(&s, &in) })
}

func BenchmarkSqueeze4(b *testing.B) {
	var s keccak.State4
	out := [4][]byte(buffers(4))
	benchmarkPaths(b, 4*16, func() { keccak.Squeeze4(&s, &out) })
}

func BenchmarkSqueeze8(b *testing.B) {
	var s keccak.State8
	out := [8][]byte(buffers(8))
	benchmarkPaths(b, 8*16, func() { keccak.Squeeze8(&s, &out) })
}
