package flp

import (
	"math/rand/v2"
	"slices"
	"testing"

	"candor/crypto/field"
)

// TestProveWays: both ways of proving a range check give the same gadget polynomial.
func TestProveWays(t *testing.T) {
	t.Run("Field64", func(t *testing.T) { testProveWays(t, field.F64{}) })
	t.Run("Field128", func(t *testing.T) { testProveWays(t, field.F128{}) })
}

func testProveWays[E comparable](t *testing.T, f field.Field[E]) {
	r := rand.New(rand.NewPCG(1, 2))
	bytes := func(n int) []byte { // of valid elements
		b := make([]byte, n*f.Size())
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		for i := f.Size() - 1; i < len(b); i += f.Size() {
			b[i] &= 0x7f
		}
		return b
	}
	for _, n := range []struct {
		length uint32
		chunk  uint32
	}{{1, 1}, {2, 1}, {3, 1}, {7, 1}, {8, 1}, {128, 1}, {5, 2}, {9, 4}, {100, 10}, {64, 3}, {3, 9}} {
		s, err := newSumVec(f, n.length, 1, n.chunk)
		if err != nil {
			t.Fatal(err)
		}
		y := s.(*system[E])
		w := y.NewWorker(2).(*worker[E])
		w.prepareProof()
		meas := make([]byte, y.meas)
		for i := range meas {
			meas[i] = byte(r.IntN(2))
		}
		w.field.DecodeEvery(w.joint, bytes(y.joint), 1)
		seeds := bytes(y.arity)
		g, rows := y.gadget.(rangeCheck[E]), slices.Clone(w.padded(meas, int(n.chunk)))
		pairs, wires := make([]E, y.n), make([]E, y.n)
		g.provePairs(w, pairs, slices.Clone(rows), seeds)
		g.proveWires(w, wires, rows, seeds)
		if !slices.Equal(pairs, wires) {
			t.Errorf("%+v: the two differ", n)
		}
	}
}

// TestProveBits: with vectors and without, a check of bits gives the same gadget polynomial.
func TestProveBits(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for n := 1; n <= 64; n++ {
		s, err := NewSum(1<<(n-1) | (1<<(n-1)-1)>>1)
		if err != nil {
			t.Fatal(err)
		}
		y := s.(*system[field.Elem64])
		w := y.NewWorker(1).(*worker[field.Elem64])
		w.prepareProof()
		meas, seeds := make([]byte, y.meas), make([]byte, 8)
		for i := range meas {
			meas[i] = byte(r.IntN(2))
		}
		field.F64{}.Encode(seeds, field.Elem64(r.Uint64N(field.Modulus64)))
		g := y.gadget.(bitCheck)
		got, want := make([]field.Elem64, y.n), make([]field.Elem64, y.n)
		g.prove(w, got, meas, seeds)
		g.polyEval.prove(w, want, meas, seeds)
		if y.meas != n || !slices.Equal(got, want) {
			t.Errorf("%d bits: the two differ", n)
		}
	}
}

// TestManyCalls: a proof of more calls than are worked on in pairs is accepted, and one of as many.
func TestManyCalls(t *testing.T) {
	for _, length := range []uint32{maxPairs, maxPairs + 1, 1000} {
		s, err := NewSumVec(length, 1, 1)
		if err != nil {
			t.Fatal(err)
		}
		sizes, w := s.Sizes(), s.NewWorker(1)
		r := rand.New(rand.NewPCG(3, 4))
		bytes := func(n int) []byte {
			b := make([]byte, 16*n)
			for i := range b {
				b[i] = byte(r.Uint32()) & 0x7f
			}
			return b
		}
		small, meas, proof, verifier := make([]byte, sizes.Meas), make([]byte, 16*sizes.Meas), make([]byte, 16*sizes.Proof), make([]byte, 16*sizes.Verifier)
		for i := range small {
			small[i] = byte(r.IntN(2))
		}
		s.Field().FromSmall(meas, small)
		joint := bytes(sizes.JointRand)
		w.Prove(proof, small, bytes(sizes.ProveRand), joint)
		if !w.Query(verifier, meas, proof, bytes(sizes.QueryRand), joint) || !w.Decide(verifier) {
			t.Errorf("%d calls: rejected", length)
		}
	}
}
