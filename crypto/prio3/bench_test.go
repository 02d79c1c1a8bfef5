package prio3_test

import (
	"testing"

	"candor/crypto/prio3"
)

// benchCases are the instances that are compared with other implementations.
var benchCases = []struct {
	name   string
	config prio3.Config
}{
	{"Count", prio3.Config{Algorithm: prio3.Count}},
	{"Sum 8 bit", prio3.Config{Algorithm: prio3.Sum, MaxMeasurement: 1<<8 - 1}},
	{"Sum 32 bit", prio3.Config{Algorithm: prio3.Sum, MaxMeasurement: 1<<32 - 1}},
	{"SumVec 10x1", prio3.Config{Algorithm: prio3.SumVec, Length: 10, MaxMeasurement: 1, ChunkLength: 3}},
	{"SumVec 1000x1", prio3.Config{Algorithm: prio3.SumVec, Length: 1000, MaxMeasurement: 1, ChunkLength: 32}},
	{"SumVec 50x24", prio3.Config{Algorithm: prio3.SumVec, Length: 50, MaxMeasurement: 1<<24 - 1, ChunkLength: 35}},
	{"SumVec 500x24", prio3.Config{Algorithm: prio3.SumVec, Length: 500, MaxMeasurement: 1<<24 - 1, ChunkLength: 110}},
	{"SumVec 200x32", prio3.Config{Algorithm: prio3.SumVec, Length: 200, MaxMeasurement: 1<<32 - 1, ChunkLength: 80}},
	{"Histogram 10", prio3.Config{Algorithm: prio3.Histogram, Length: 10, ChunkLength: 3}},
	{"Histogram 100", prio3.Config{Algorithm: prio3.Histogram, Length: 100, ChunkLength: 10}},
	{"Histogram 1000", prio3.Config{Algorithm: prio3.Histogram, Length: 1000, ChunkLength: 32}},
	{"MultihotCountVec 100/3", prio3.Config{Algorithm: prio3.MultihotCountVec, Length: 100, MaxWeight: 3, ChunkLength: 10}},
}

// typical returns a measurement of an instance.
func typical(c prio3.Config) []uint64 {
	switch c.Algorithm {
	case prio3.Count:
		return []uint64{1}
	case prio3.Sum:
		return []uint64{c.MaxMeasurement / 3 * 2}
	case prio3.Histogram:
		return []uint64{uint64(c.Length) / 2}
	case prio3.SumVec:
		m := make([]uint64, c.Length)
		for i := range m {
			m[i] = uint64(i*i+1) % (c.MaxMeasurement + 1)
		}
		return m
	}
	m := make([]uint64, c.Length)
	for i := range c.MaxWeight {
		m[i*7%uint64(c.Length)] = 1
	}
	return m
}

// reports shards n typical measurements, and takes the Leader's first step so that the Helper can take its own.
func reports(tb testing.TB, v *prio3.VDAF, ctx []byte, key [32]byte, n int) (leader, helper []prio3.Report, began []prio3.LeaderResult) {
	tb.Helper()
	leader, helper = make([]prio3.Report, n), make([]prio3.Report, n)
	for i := range n {
		nonce := [16]byte(random(16))
		public, input, err := v.Shard(ctx, nonce, random(v.RandSize()), typical(v.Config()))
		if err != nil {
			tb.Fatal(err)
		}
		leader[i] = prio3.Report{Nonce: nonce, PublicShare: public, InputShare: input[0]}
		helper[i] = prio3.Report{Nonce: nonce, PublicShare: public, InputShare: input[1]}
	}
	began = v.NewVerifier(prio3.Leader, key, ctx).LeaderInit(leader)
	for i, r := range began {
		if r.Err != nil {
			tb.Fatal(r.Err)
		}
		helper[i].Inbound = r.Outbound
	}
	return leader, helper, began
}

const batch = 16

func benchmarkCases(b *testing.B, f func(b *testing.B, v *prio3.VDAF, ctx []byte, key [32]byte)) {
	for _, path := range prio3.Paths() {
		for _, c := range benchCases {
			b.Run(path+"/"+c.name, func(b *testing.B) {
				defer prio3.SetPath(path)()
				v, err := prio3.New(c.config)
				if err != nil {
					b.Fatal(err)
				}
				f(b, v, make([]byte, 38), [32]byte(random(32)))
			})
		}
	}
}

func BenchmarkLeader(b *testing.B) {
	benchmarkCases(b, func(b *testing.B, v *prio3.VDAF, ctx []byte, key [32]byte) {
		in, _, _ := reports(b, v, ctx, key, batch)
		w := v.NewVerifier(prio3.Leader, key, ctx)
		b.ReportAllocs()
		for b.Loop() {
			w.LeaderInit(in)
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*batch), "ns/report")
	})
}

func BenchmarkHelper(b *testing.B) {
	benchmarkCases(b, func(b *testing.B, v *prio3.VDAF, ctx []byte, key [32]byte) {
		_, in, _ := reports(b, v, ctx, key, batch)
		w := v.NewVerifier(prio3.Helper, key, ctx)
		b.ReportAllocs()
		for b.Loop() {
			w.HelperInit(in)
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*batch), "ns/report")
	})
}

func BenchmarkShard(b *testing.B) {
	benchmarkCases(b, func(b *testing.B, v *prio3.VDAF, ctx []byte, key [32]byte) {
		nonce, rand, m := [16]byte(random(16)), random(v.RandSize()), typical(v.Config())
		s, err := v.NewSharder(ctx)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			s.Shard(nonce, rand, m)
		}
	})
}
