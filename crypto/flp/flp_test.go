package flp_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"candor/crypto/flp"
)

func forEach(t *testing.T, f func(t *testing.T, r *reference, rng *rand.Rand)) {
	for i, r := range references() {
		t.Run(fmt.Sprintf("%s/%d", r.name, i), func(t *testing.T) { f(t, r, rand.New(rand.NewPCG(1, uint64(i)))) })
	}
}

// valid returns a random measurement that the circuit accepts.
func valid(rng *rand.Rand, s flp.System) []uint64 {
	m := make([]uint64, s.Sizes().Input)
	for {
		for i := range m {
			m[i] = rng.Uint64() >> rng.IntN(64)
			if s.MaxOutput() < 1<<64-1 {
				m[i] %= s.MaxOutput() + 1
			}
		}
		if s.Encode(make([]byte, s.Sizes().Meas), m) == nil {
			return m
		}
	}
}

// split returns shares of a vector that add up to it.
func split(r *reference, rng *rand.Rand, v []*big.Int, n int) [][]*big.Int {
	shares := [][]*big.Int{make([]*big.Int, len(v))}
	copy(shares[0], v)
	for range n - 1 {
		s := r.random(rng, len(v))
		for i := range v {
			shares[0][i] = r.sub(shares[0][i], s[i])
		}
		shares = append(shares, s)
	}
	return shares
}

// verify queries all shares, requires that each result is the reference's, and decides.
func verify(t *testing.T, r *reference, meas, proof [][]*big.Int, query, joint []*big.Int) bool {
	t.Helper()
	w := r.system.NewWorker(len(meas))
	sum := make([]byte, r.system.Sizes().Verifier*r.size)
	for i := range meas {
		got := make([]byte, len(sum))
		if !w.Query(got, r.encode(meas[i]), r.encode(proof[i]), r.encode(query), r.encode(joint)) {
			t.Fatal("query fails on a random point")
		}
		if want := r.encode(r.query(meas[i], proof[i], query, joint, len(meas))); !bytes.Equal(got, want) {
			t.Fatalf("verifier share %d: got %x, want %x", i, got, want)
		}
		r.system.Field().AddTo(sum, got)
	}
	return w.Decide(sum)
}

// TestReference compares proofs and verifier shares with the reference, among one to four aggregators, and requires that honest proofs are accepted.
func TestReference(t *testing.T) {
	forEach(t, func(t *testing.T, r *reference, rng *rand.Rand) {
		s := r.system.Sizes()
		for shares := 1; shares <= 4; shares++ {
			small := make([]byte, s.Meas)
			if err := r.system.Encode(small, valid(rng, r.system)); err != nil {
				t.Fatal(err)
			}
			meas := make([]*big.Int, s.Meas)
			for i, x := range small {
				meas[i] = num(uint64(x))
			}
			prove, query, joint := r.random(rng, s.ProveRand), r.random(rng, s.QueryRand), r.random(rng, s.JointRand)
			got := make([]byte, s.Proof*r.size)
			r.system.NewWorker(1).Prove(got, small, r.encode(prove), r.encode(joint))
			proof := r.prove(meas, prove, joint)
			if want := r.encode(proof); !bytes.Equal(got, want) {
				t.Fatalf("proof: got %x, want %x", got, want)
			}
			if !verify(t, r, split(r, rng, meas, shares), split(r, rng, proof, shares), query, joint) {
				t.Errorf("an honest proof among %d aggregators is rejected", shares)
			}
		}
	})
}

// sample returns the first, the last and some of the indices below n; all of few.
func sample(rng *rand.Rand, n int) []int {
	few := 40
	if testing.Short() {
		few = 4
	}
	if n > few {
		return []int{0, n - 1, rng.IntN(n)}
	}
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// TestForged has the strongest prover that follows the protocol prove statements that are not true, and tamper with the proof.
func TestForged(t *testing.T) {
	forEach(t, func(t *testing.T, r *reference, rng *rand.Rand) {
		if testing.Short() && r.wireOrder() > 32 {
			t.Skip("large")
		}
		s := r.system.Sizes()
		small := make([]byte, s.Meas)
		if err := r.system.Encode(small, valid(rng, r.system)); err != nil {
			t.Fatal(err)
		}
		for _, at := range sample(rng, s.Meas) {
			// An element that is not a bit, anywhere; for the circuits with a fixed weight also one bit more or less.
			for _, x := range []*big.Int{num(3), r.sub(num(0), num(1)), r.random(rng, 1)[0], num(1 - uint64(small[at])&1)} {
				meas := make([]*big.Int, s.Meas)
				for i, x := range small {
					meas[i] = num(uint64(x))
				}
				meas[at] = x
				bit := x.Cmp(num(1)) <= 0
				if bit && r.name != "Histogram" && r.name != "MultihotCountVec" {
					continue // still a valid encoding
				}
				query, joint := r.random(rng, s.QueryRand), r.random(rng, s.JointRand)
				proof := r.prove(meas, r.random(rng, s.ProveRand), joint)
				if verify(t, r, split(r, rng, meas, 2), split(r, rng, proof, 2), query, joint) {
					t.Errorf("element %d is %v: accepted", at, x)
				}
			}
		}
		// Any change of an honest proof: wire seeds and gadget values.
		meas := make([]*big.Int, s.Meas)
		for i, x := range small {
			meas[i] = num(uint64(x))
		}
		query, joint := r.random(rng, s.QueryRand), r.random(rng, s.JointRand)
		proof := r.prove(meas, r.random(rng, s.ProveRand), joint)
		for _, i := range sample(rng, len(proof)) {
			forged := append([]*big.Int(nil), proof...)
			forged[i] = r.add(forged[i], r.random(rng, 1)[0])
			if verify(t, r, split(r, rng, meas, 2), split(r, rng, forged, 2), query, joint) {
				t.Errorf("a proof with element %d changed is accepted", i)
			}
		}
	})
}

// TestQueryPoint: a root of unity of the wires' order would show the measurement and is refused; one of the gadget polynomial's order is
// a point like any other, although formulas that divide by t − w^i break there.
func TestQueryPoint(t *testing.T) {
	forEach(t, func(t *testing.T, r *reference, rng *rand.Rand) {
		s := r.system.Sizes()
		meas, proof := r.random(rng, s.Meas), r.random(rng, s.Proof)
		query, joint := r.random(rng, s.QueryRand), r.random(rng, s.JointRand)
		w := r.system.NewWorker(2)
		got := make([]byte, s.Verifier*r.size)
		n, step := r.gadgetOrder(), r.gadgetOrder()/r.wireOrder()
		for _, i := range sample(rng, n) {
			query[len(query)-1] = new(big.Int).Exp(r.root(n), num(uint64(i)), r.p)
			ok := w.Query(got, r.encode(meas), r.encode(proof), r.encode(query), r.encode(joint))
			if ok != (i%step != 0) {
				t.Fatalf("query at root %d of order %d: %t", i, n, ok)
			}
			if ok {
				if want := r.encode(r.query(meas, proof, query, joint, 2)); !bytes.Equal(got, want) {
					t.Fatalf("query at root %d of order %d: got %x, want %x", i, n, got, want)
				}
			}
		}
	})
}

// TestTruncate: output shares are linear and decode to the measurement.
func TestTruncate(t *testing.T) {
	forEach(t, func(t *testing.T, r *reference, rng *rand.Rand) {
		s := r.system.Sizes()
		for range 10 {
			m := valid(rng, r.system)
			small, meas, out := make([]byte, s.Meas), make([]byte, s.Meas*r.size), make([]byte, s.Output*r.size)
			if err := r.system.Encode(small, m); err != nil {
				t.Fatal(err)
			}
			r.system.Field().FromSmall(meas, small)
			r.system.Truncate(out, meas)
			if r.name == "Histogram" {
				hot := m[0]
				m = make([]uint64, s.Output)
				m[hot] = 1
			}
			want := make([]*big.Int, len(m))
			for i := range m {
				want[i] = num(m[i])
			}
			if !bytes.Equal(out, r.encode(want)) {
				t.Fatalf("truncated to %x, want %v", out, m)
			}
		}
	})
}

// TestSizes is the table of lengths in elements.
func TestSizes(t *testing.T) {
	tests := []struct {
		name                                       string
		system                                     flp.System
		meas, proof, verifier, joint, query, prove int
	}{
		{"Count", must(flp.NewCount()), 1, 5, 4, 0, 1, 2},
		{"Sum(1)", must(flp.NewSum(1)), 1, 4, 3, 0, 1, 1},
		{"Sum(10)", must(flp.NewSum(10)), 4, 16, 3, 0, 5, 1},
		{"Sum(255)", must(flp.NewSum(255)), 8, 32, 3, 0, 9, 1},
		{"Sum(4096)", must(flp.NewSum(4096)), 13, 32, 3, 0, 14, 1},
		{"SumVec(4, 4096, 18)", must(flp.NewSumVec(4, 4096, 18)), 52, 43, 38, 3, 1, 36},
		{"SumVec(10, 255, 9)", must(flp.NewSumVec(10, 255, 9)), 80, 49, 20, 9, 1, 18},
		{"SumVec(15, 65536, 16)", must(flp.NewSumVec(15, 65536, 16)), 255, 95, 34, 16, 1, 32},
		{"Histogram(4, 2)", must(flp.NewHistogram(4, 2)), 4, 11, 6, 2, 3, 4},
		{"Histogram(6, 2)", must(flp.NewHistogram(6, 2)), 6, 11, 6, 3, 3, 4},
		{"Histogram(100, 10)", must(flp.NewHistogram(100, 10)), 100, 51, 22, 10, 3, 20},
		{"Histogram(256, 32)", must(flp.NewHistogram(256, 32)), 256, 95, 66, 8, 3, 64},
		{"MultihotCountVec(4, 2, 2)", must(flp.NewMultihotCountVec(4, 2, 2)), 6, 11, 6, 3, 3, 4},
		{"MultihotCountVec(10, 3, 3)", must(flp.NewMultihotCountVec(10, 3, 3)), 12, 21, 8, 4, 3, 6},
		{"MultihotCountVec(100, 7, 11)", must(flp.NewMultihotCountVec(100, 7, 11)), 103, 53, 24, 10, 3, 22},
	}
	for _, tt := range tests {
		s := tt.system.Sizes()
		got := []int{s.Meas, s.Proof, s.Verifier, s.JointRand, s.QueryRand, s.ProveRand}
		if want := []int{tt.meas, tt.proof, tt.verifier, tt.joint, tt.query, tt.prove}; !slices.Equal(got, want) {
			t.Errorf("%s: measurement, proof, verifier, joint, query and prove randomness are %d, want %d", tt.name, got, want)
		}
	}
}

// TestRangeEncoding has the encodings that the checklist gives, first element first.
func TestRangeEncoding(t *testing.T) {
	tests := []struct {
		max, x uint64
		want   string
	}{
		{10, 0, "0000"}, {10, 5, "1010"}, {10, 7, "1110"}, {10, 8, "1011"}, {10, 9, "0111"}, {10, 10, "1111"},
		{1, 0, "0"}, {1, 1, "1"}, {2, 1, "10"}, {2, 2, "11"},
		{255, 255, "11111111"}, {255, 128, "00000001"}, {256, 128, "000000010"}, {256, 255, "111111110"}, {256, 256, "111111111"},
		{4096, 4095, "1111111111110"}, {4096, 4096, "1111111111111"},
	}
	for _, tt := range tests {
		s := must(flp.NewSum(tt.max))
		dst := make([]byte, s.Sizes().Meas)
		if err := s.Encode(dst, []uint64{tt.x}); err != nil {
			t.Fatal(err)
		}
		for i := range dst {
			dst[i] += '0'
		}
		if string(dst) != tt.want {
			t.Errorf("%d of at most %d: %s, want %s", tt.x, tt.max, dst, tt.want)
		}
	}
}

func TestEncodeRefuses(t *testing.T) {
	tests := []struct {
		name   string
		system flp.System
		m      []uint64
	}{
		{"count of 2", must(flp.NewCount()), []uint64{2}},
		{"no count", must(flp.NewCount()), nil},
		{"two counts", must(flp.NewCount()), []uint64{0, 1}},
		{"sum above an odd bound", must(flp.NewSum(10)), []uint64{11}},
		{"sum above a full bound", must(flp.NewSum(255)), []uint64{256}},
		{"sum far above", must(flp.NewSum(10)), []uint64{1<<64 - 1}},
		{"vector too short", must(flp.NewSumVec(3, 10, 2)), []uint64{1, 2}},
		{"vector too long", must(flp.NewSumVec(3, 10, 2)), []uint64{1, 2, 3, 4}},
		{"vector, first out of range", must(flp.NewSumVec(3, 10, 2)), []uint64{11, 2, 3}},
		{"vector, last out of range", must(flp.NewSumVec(3, 10, 2)), []uint64{1, 2, 11}},
		{"no such bucket", must(flp.NewHistogram(4, 2)), []uint64{4}},
		{"bucket whose low word exists", must(flp.NewHistogram(4, 2)), []uint64{1 << 32}},
		{"weight too large", must(flp.NewMultihotCountVec(4, 2, 2)), []uint64{1, 1, 1, 0}},
		{"not a bit", must(flp.NewMultihotCountVec(4, 2, 2)), []uint64{2, 0, 0, 0}},
		{"not a bit, high", must(flp.NewMultihotCountVec(4, 2, 2)), []uint64{1 << 63, 0, 0, 0}},
		{"degree 3", must(flp.NewHigherDegree()), []uint64{3}},
	}
	for _, tt := range tests {
		if err := tt.system.Encode(make([]byte, tt.system.Sizes().Meas), tt.m); !errors.Is(err, flp.ErrMeasurement) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestParametersRefused(t *testing.T) {
	refused := map[string]func() (flp.System, error){
		"sum up to 0":                 func() (flp.System, error) { return flp.NewSum(0) },
		"sum up to the modulus":       func() (flp.System, error) { return flp.NewSum(1<<64 - 1<<32 + 1) },
		"sum beyond the modulus":      func() (flp.System, error) { return flp.NewSum(1<<64 - 1) },
		"vector of length 0":          func() (flp.System, error) { return flp.NewSumVec(0, 1, 1) },
		"vector up to 0":              func() (flp.System, error) { return flp.NewSumVec(1, 0, 1) },
		"vector without chunk":        func() (flp.System, error) { return flp.NewSumVec(1, 1, 0) },
		"vector with a huge chunk":    func() (flp.System, error) { return flp.NewSumVec(1, 1, 1<<32-1) },
		"huge vector":                 func() (flp.System, error) { return flp.NewSumVec(1<<32-1, 1<<64-1, 1<<16) },
		"vector a little too long":    func() (flp.System, error) { return flp.NewSumVec(1<<22+1, 1, 1<<11) },
		"vector with a huge proof":    func() (flp.System, error) { return flp.NewSumVec(1<<22, 1, 1) },
		"small field, huge bound":     func() (flp.System, error) { return flp.NewSumVec64(1, 1<<64-1<<32+1, 1) },
		"histogram without buckets":   func() (flp.System, error) { return flp.NewHistogram(0, 1) },
		"histogram without chunk":     func() (flp.System, error) { return flp.NewHistogram(1, 0) },
		"histogram too long":          func() (flp.System, error) { return flp.NewHistogram(1<<32-1, 1<<16) },
		"multihot without bits":       func() (flp.System, error) { return flp.NewMultihotCountVec(0, 1, 1) },
		"multihot of weight 0":        func() (flp.System, error) { return flp.NewMultihotCountVec(4, 0, 1) },
		"multihot weight over length": func() (flp.System, error) { return flp.NewMultihotCountVec(4, 5, 1) },
		"multihot without chunk":      func() (flp.System, error) { return flp.NewMultihotCountVec(4, 2, 0) },
		"multihot too long":           func() (flp.System, error) { return flp.NewMultihotCountVec(1<<32-1, 2, 1<<16) },
	}
	for name, f := range refused {
		if s, err := f(); !errors.Is(err, flp.ErrParameter) || s != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, f := range map[string]func() (flp.System, error){
		"largest sum":                 func() (flp.System, error) { return flp.NewSum(1<<64 - 1<<32) },
		"largest element of a vector": func() (flp.System, error) { return flp.NewSumVec(1, 1<<64-1, 1) },
		"chunk beyond the vector":     func() (flp.System, error) { return flp.NewSumVec(1, 1, 100) },
	} {
		if _, err := f(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
