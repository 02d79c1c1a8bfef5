package keccak_test

import (
	"testing"

	"github.com/cloudflare/circl/simd/keccakf1600"

	"candor/crypto/keccak"
)

// TestAgainstCircl compares every path with circl's permutation on random states, and on each state of one bit.
func TestAgainstCircl(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		r := newStream(t)
		var oracle keccakf1600.StateX4
		interleaved := oracle.Initialize(true)
		n := 2400
		if testing.Short() {
			n = 600
		}
		for i := range n {
			var before, want [4][25]uint64
			for lane := range before {
				if bit := 4*i + lane; bit < 1600 {
					before[lane][bit/64] = 1 << (bit % 64)
				} else {
					before[lane] = r.state()
				}
				for w, word := range before[lane] {
					interleaved[4*w+lane] = word
				}
			}
			oracle.Permute()
			for lane := range want {
				for w := range want[lane] {
					want[lane][w] = interleaved[4*w+lane]
				}
				got := before[lane]
				if keccak.Permute12(&got); got != want[lane] {
					t.Fatalf("Permute12 of %x is\n%x, want\n%x", before[lane], got, want[lane])
				}
			}
			for _, s := range everyWidth() {
				wants := make([][25]uint64, s.width)
				for lane := range wants {
					// Lanes 4–7 get the same states in another order.
					from := (lane + lane/4) % 4
					s.SetLane(lane, &before[from])
					wants[lane] = want[from]
				}
				s.permute()
				s.compare(t, "circl", wants)
			}
		}
	})
}

func BenchmarkCirclx4(b *testing.B) {
	var s keccakf1600.StateX4
	s.Initialize(true)
	benchmark(b, 4, s.Permute)
}
