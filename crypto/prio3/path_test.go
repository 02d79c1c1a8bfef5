package prio3_test

import (
	"bytes"
	"slices"
	"testing"

	"candor/crypto/prio3"
)

// TestPaths checks that all paths give the same shares, messages and output shares.
func TestPaths(t *testing.T) {
	for _, c := range benchCases {
		v, err := prio3.New(c.config)
		if err != nil {
			t.Fatal(err)
		}
		ctx, key, nonce := []byte("paths"), [32]byte(random(32)), [16]byte(random(16))
		rand := random(v.RandSize())
		var want [][]byte
		for _, path := range prio3.Paths() {
			restore := prio3.SetPath(path)
			if prio3.Path() != path {
				t.Errorf("path is %s, not %s", prio3.Path(), path)
			}
			public, input, err := v.Shard(ctx, nonce, rand, typical(c.config))
			if err != nil {
				t.Fatal(err)
			}
			leader := v.NewVerifier(prio3.Leader, key, ctx)
			began := leader.LeaderInit([]prio3.Report{{Nonce: nonce, PublicShare: public, InputShare: input[0]}})
			answer := v.NewVerifier(prio3.Helper, key, ctx).HelperInit([]prio3.Report{
				{Nonce: nonce, PublicShare: public, InputShare: input[1], Inbound: began[0].Outbound},
			})
			if began[0].Err != nil || answer[0].Err != nil {
				t.Fatalf("%s on %s: %v, %v", c.name, path, began[0].Err, answer[0].Err)
			}
			out, err := leader.LeaderContinued(began[0].State, answer[0].Outbound)
			if err != nil {
				t.Fatal(err)
			}
			got := [][]byte{public, input[0], input[1], began[0].Outbound, answer[0].Outbound, answer[0].OutShare, out}
			if want == nil {
				want = got
			} else if !slices.EqualFunc(got, want, bytes.Equal) {
				t.Errorf("%s: paths %s and go differ", c.name, path)
			}
			restore()
		}
	}
}
