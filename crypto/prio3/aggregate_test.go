package prio3_test

import (
	"bytes"
	"errors"
	"math/big"
	"testing"

	"candor/crypto/flp"
	"candor/crypto/prio3"
)

func mustNew(t testing.TB, c prio3.Config) *prio3.VDAF {
	t.Helper()
	v, err := prio3.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// counted is what one measurement adds to the aggregate result.
func counted(c prio3.Config, m []uint64) []uint64 {
	if c.Algorithm != prio3.Histogram {
		return m
	}
	hot := make([]uint64, c.Length)
	hot[m[0]] = 1
	return hot
}

// TestNewRefuses lists what DAP's parameters may say and no instance has. That a circuit refuses its own is tested in package flp.
func TestNewRefuses(t *testing.T) {
	for name, c := range map[string]prio3.Config{
		"nothing":                        {},
		"Poplar1":                        {Algorithm: 6},
		"private use":                    {Algorithm: 0xffff1003},
		"count with a length":            {Algorithm: prio3.Count, Length: 1},
		"count with a bound":             {Algorithm: prio3.Count, MaxMeasurement: 1},
		"sum without bound":              {Algorithm: prio3.Sum},
		"sum beyond the field":           {Algorithm: prio3.Sum, MaxMeasurement: 1<<64 - 1<<32 + 1},
		"sum with a chunk length":        {Algorithm: prio3.Sum, MaxMeasurement: 1, ChunkLength: 1},
		"vector without length":          {Algorithm: prio3.SumVec, MaxMeasurement: 1, ChunkLength: 1},
		"vector without chunk length":    {Algorithm: prio3.SumVec, MaxMeasurement: 1, Length: 1},
		"vector without bound":           {Algorithm: prio3.SumVec, Length: 1, ChunkLength: 1},
		"vector with a weight":           {Algorithm: prio3.SumVec, Length: 1, ChunkLength: 1, MaxMeasurement: 1, MaxWeight: 1},
		"vector too long":                {Algorithm: prio3.SumVec, Length: 1<<32 - 1, ChunkLength: 1<<32 - 1, MaxMeasurement: 1<<64 - 1},
		"histogram without buckets":      {Algorithm: prio3.Histogram, ChunkLength: 1},
		"histogram with a bound":         {Algorithm: prio3.Histogram, Length: 1, ChunkLength: 1, MaxMeasurement: 1},
		"multihot without weight":        {Algorithm: prio3.MultihotCountVec, Length: 1, ChunkLength: 1},
		"multihot weight over length":    {Algorithm: prio3.MultihotCountVec, Length: 3, ChunkLength: 1, MaxWeight: 4},
		"multihot weight over all words": {Algorithm: prio3.MultihotCountVec, Length: 3, ChunkLength: 1, MaxWeight: 1 << 63},
	} {
		if v, err := prio3.New(c); !errors.Is(err, prio3.ErrParameter) || v != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestNewCustomRefuses: numbers of aggregators and proofs that do not fit a byte, or that are too few.
func TestNewCustomRefuses(t *testing.T) {
	count, small := must(flp.NewCount()), must(flp.NewSumVec64(3, 7, 2))
	for _, tt := range []struct {
		system         flp.System
		shares, proofs int
		ok             bool
	}{
		{count, 2, 1, true}, {count, 255, 255, true}, {count, 1, 1, false}, {count, 0, 1, false}, {count, 256, 1, false},
		{count, 2, 0, false}, {count, 2, 256, false}, {small, 2, 3, true}, {small, 2, 2, false}, {small, 2, 1, false},
		{must(flp.NewSumVec(1<<20, 1, 1<<10)), 2, 255, true}, {must(flp.NewSumVec(1<<10, 1, 1<<15)), 2, 255, false},
	} {
		if _, err := prio3.NewCustom(0xffffffff, tt.system, tt.shares, tt.proofs); (err == nil) != tt.ok || err != nil && !errors.Is(err, prio3.ErrParameter) {
			t.Errorf("%d aggregators, %d proofs: %v", tt.shares, tt.proofs, err)
		}
	}
}

// TestCheckReports: how many reports fit before a sum may wrap around.
func TestCheckReports(t *testing.T) {
	tests := []struct {
		config prio3.Config
		fits   uint64 // the most reports; 0 for any number
	}{
		{prio3.Config{Algorithm: prio3.Count}, 1<<64 - 1<<32},
		{prio3.Config{Algorithm: prio3.Sum, MaxMeasurement: 1<<64 - 1<<32}, 1},
		{prio3.Config{Algorithm: prio3.Sum, MaxMeasurement: 1 << 62}, 3},
		{prio3.Config{Algorithm: prio3.Sum, MaxMeasurement: 1<<32 + 1}, 1<<32 - 2},
		{prio3.Config{Algorithm: prio3.SumVec, Length: 1, ChunkLength: 1, MaxMeasurement: 1<<64 - 1}, 1<<64 - 28},
		{prio3.Config{Algorithm: prio3.SumVec, Length: 1, ChunkLength: 1, MaxMeasurement: 1 << 63}, 0},
		{prio3.Config{Algorithm: prio3.Histogram, Length: 1, ChunkLength: 1}, 0},
	}
	for _, tt := range tests {
		v := mustNew(t, tt.config)
		if tt.fits == 0 {
			if err := v.CheckReports(1<<64 - 1); err != nil {
				t.Errorf("%+v: %v", tt.config, err)
			}
			continue
		}
		if err := v.CheckReports(tt.fits); err != nil {
			t.Errorf("%+v: %v", tt.config, err)
		}
		if err := v.CheckReports(tt.fits + 1); !errors.Is(err, prio3.ErrParameter) {
			t.Errorf("%+v: %d reports fit", tt.config, tt.fits+1)
		}
	}
}

// TestAggregate adds many reports in two orders, one by one and in two parts that are merged.
func TestAggregate(t *testing.T) {
	for _, c := range small {
		t.Run(c.name, func(t *testing.T) {
			s := newSession(t, c.config, c.m)
			v, out := s.vdaf, [2][][]byte{}
			const n = 20
			for range n {
				nonce := [16]byte(random(16))
				public, input, err := v.Shard(taskContext, nonce, random(v.RandSize()), c.m)
				if err != nil {
					t.Fatal(err)
				}
				for id := range s.parties {
					s.parties[id].nonce, s.parties[id].public, s.parties[id].input = nonce, public, input[id]
				}
				shares, where, err := s.run()
				if err != nil {
					t.Fatalf("%s: %v", where, err)
				}
				for id := range out {
					out[id] = append(out[id], shares[id])
				}
			}
			add := func(shares ...[]byte) []byte {
				sum := v.ZeroShare()
				for _, share := range shares {
					if err := v.AddShare(sum, share); err != nil {
						t.Fatal(err)
					}
				}
				return sum
			}
			agg := make([][]byte, 2)
			for id, o := range out {
				agg[id] = add(o...)
				if merged := add(add(o[7:]...), add(o[:7]...)); !bytes.Equal(merged, agg[id]) {
					t.Errorf("aggregator %d: the sum depends on the order", id)
				}
			}
			got, err := v.Unshard(agg, n)
			if err != nil {
				t.Fatal(err)
			}
			want := counted(c.config, c.m)
			for i, x := range want {
				if got[i].Cmp(new(big.Int).SetUint64(n*x)) != 0 {
					t.Errorf("result %v, want %d times %v", got, n, want)
				}
			}
			for _, shares := range [][][]byte{nil, {agg[0]}, {agg[0], agg[1], agg[1]}, {agg[0], agg[1][1:]}, {agg[0], append(agg[1], 0)}} {
				if _, err := v.Unshard(shares, n); !errors.Is(err, prio3.ErrMalformed) {
					t.Errorf("unsharding %d shares: %v", len(shares), err)
				}
			}
		})
	}
}

// TestShardRefuses: random bytes of any other length, measurements out of range, a context that is too long.
func TestShardRefuses(t *testing.T) {
	for _, c := range small {
		v := mustNew(t, c.config)
		for _, n := range []int{0, 32, v.RandSize() - 1, v.RandSize() + 1, 2 * v.RandSize()} {
			if _, _, err := v.Shard(taskContext, [16]byte{}, make([]byte, n), c.m); !errors.Is(err, prio3.ErrParameter) {
				t.Errorf("%s: %d random bytes: %v", c.name, n, err)
			}
		}
		for _, m := range [][]uint64{nil, append([]uint64{1 << 63}, c.m[1:]...), append(c.m[:len(c.m):len(c.m)], 0)} {
			if _, _, err := v.Shard(taskContext, [16]byte{}, random(v.RandSize()), m); !errors.Is(err, prio3.ErrMeasurement) {
				t.Errorf("%s: measurement %v: %v", c.name, m, err)
			}
		}
		if _, _, err := v.Shard(make([]byte, 65528), [16]byte{}, random(v.RandSize()), c.m); err == nil {
			t.Errorf("%s: context of 65528 bytes", c.name)
		}
		if _, _, err := v.Shard(make([]byte, 65527), [16]byte{}, random(v.RandSize()), c.m); err != nil {
			t.Errorf("%s: context of 65527 bytes: %v", c.name, err)
		}
	}
}

// TestProgrammerErrors: what no peer can cause panics.
func TestProgrammerErrors(t *testing.T) {
	v := mustNew(t, prio3.Config{Algorithm: prio3.Count})
	for name, f := range map[string]func(){
		"aggregator 2":           func() { v.NewVerifier(2, [32]byte{}, nil) },
		"aggregator -1":          func() { v.NewVerifier(-1, [32]byte{}, nil) },
		"context too long":       func() { v.NewVerifier(0, [32]byte{}, make([]byte, 65528)) },
		"leader as helper":       func() { v.NewVerifier(prio3.Leader, [32]byte{}, nil).HelperInit(nil) },
		"helper as leader":       func() { v.NewVerifier(prio3.Helper, [32]byte{}, nil).LeaderInit(nil) },
		"helper continues leads": func() { v.NewVerifier(prio3.Helper, [32]byte{}, nil).LeaderContinued(nil, nil) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}
