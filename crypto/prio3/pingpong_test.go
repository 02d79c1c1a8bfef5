package prio3_test

import (
	"crypto/rand"
	"math/big"
	"testing"

	"candor/crypto/prio3"
)

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

// TestPingPong takes measurements of every variant through both aggregators, in batches of several sizes.
func TestPingPong(t *testing.T) {
	tests := []struct {
		name   string
		config prio3.Config
		m      []uint64
	}{
		{"Count", prio3.Config{Algorithm: prio3.Count}, []uint64{1}},
		{"Sum", prio3.Config{Algorithm: prio3.Sum, MaxMeasurement: 1337}, []uint64{1000}},
		{"SumVec", prio3.Config{Algorithm: prio3.SumVec, Length: 7, MaxMeasurement: 10, ChunkLength: 5}, []uint64{0, 1, 10, 9, 8, 7, 3}},
		{"Histogram", prio3.Config{Algorithm: prio3.Histogram, Length: 5, ChunkLength: 2}, []uint64{4}},
		{"MultihotCountVec", prio3.Config{Algorithm: prio3.MultihotCountVec, Length: 5, MaxWeight: 3, ChunkLength: 2}, []uint64{1, 0, 1, 0, 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v, err := prio3.New(tt.config)
			if err != nil {
				t.Fatal(err)
			}
			ctx := []byte("context")
			key := [32]byte(random(32))
			leader, helper := v.NewVerifier(prio3.Leader, key, ctx), v.NewVerifier(prio3.Helper, key, ctx)
			shares := [][]byte{v.ZeroShare(), v.ZeroShare()}
			total := uint64(0)
			for n := range 10 {
				forLeader, forHelper := make([]prio3.Report, n), make([]prio3.Report, n)
				for i := range n {
					nonce := [16]byte(random(16))
					public, input, err := v.Shard(ctx, nonce, random(v.RandSize()), tt.m)
					if err != nil {
						t.Fatal(err)
					}
					forLeader[i] = prio3.Report{Nonce: nonce, PublicShare: public, InputShare: input[0]}
					forHelper[i] = prio3.Report{Nonce: nonce, PublicShare: public, InputShare: input[1]}
				}
				began := leader.LeaderInit(forLeader)
				for i, r := range began {
					if r.Err != nil {
						t.Fatal(r.Err)
					}
					forHelper[i].Inbound = r.Outbound
				}
				for i, r := range helper.HelperInit(forHelper) {
					if r.Err != nil {
						t.Fatal(r.Err)
					}
					out, err := leader.LeaderContinued(began[i].State, r.Outbound)
					if err != nil {
						t.Fatal(err)
					}
					if v.AddShare(shares[0], out) != nil || v.AddShare(shares[1], r.OutShare) != nil {
						t.Fatal("adding shares")
					}
					total++
				}
			}
			got, err := v.Unshard(shares, total)
			if err != nil {
				t.Fatal(err)
			}
			for i, x := range counted(tt.config, tt.m) {
				if got[i].Cmp(new(big.Int).SetUint64(total*x)) != 0 {
					t.Errorf("element %d is %v, want %d times %d", i, got[i], total, x)
				}
			}
		})
	}
}
