package prio3_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"candor/crypto/prio3"
)

// TestBatches: in batches of every size, with bad reports at any places, each result is that of the report alone, on every path.
func TestBatches(t *testing.T) {
	for _, path := range prio3.Paths() {
		for _, c := range small {
			t.Run(path+"/"+c.name, func(t *testing.T) {
				defer prio3.SetPath(path)()
				v, err := prio3.New(c.config)
				if err != nil {
					t.Fatal(err)
				}
				key := [32]byte(counting(32))
				leader, helper := v.NewVerifier(prio3.Leader, key, taskContext), v.NewVerifier(prio3.Helper, key, taskContext)
				for n := range 11 {
					forLeader, forHelper := make([]prio3.Report, n), make([]prio3.Report, n)
					for i := range n {
						nonce := [16]byte{byte(n), byte(i)}
						public, input, err := v.Shard(taskContext, nonce, random(v.RandSize()), c.m)
						if err != nil {
							t.Fatal(err)
						}
						switch (i*7 + n) % 4 {
						case 1:
							input[0][0] ^= 1 // invalid
						case 2:
							input[i%2] = input[i%2][1:] // malformed for one of the two
						}
						forLeader[i] = prio3.Report{Nonce: nonce, PublicShare: public, InputShare: input[0]}
						forHelper[i] = prio3.Report{Nonce: nonce, PublicShare: public, InputShare: input[1]}
					}
					began := leader.LeaderInit(forLeader)
					for i := range began {
						alone := v.NewVerifier(prio3.Leader, key, taskContext).LeaderInit(forLeader[i : i+1])[0]
						same(t, fmt.Sprintf("leader, report %d of %d", i, n), began[i].Err, alone.Err, began[i].Outbound, alone.Outbound)
						forHelper[i].Inbound = began[i].Outbound
					}
					done := helper.HelperInit(forHelper)
					for i := range done {
						alone := v.NewVerifier(prio3.Helper, key, taskContext).HelperInit(forHelper[i : i+1])[0]
						what := fmt.Sprintf("helper, report %d of %d", i, n)
						same(t, what, done[i].Err, alone.Err, done[i].Outbound, alone.Outbound)
						same(t, what, done[i].Err, alone.Err, done[i].OutShare, alone.OutShare)
						if good := (i*7+n)%4 == 0 || (i*7+n)%4 == 3; good != (done[i].Err == nil) {
							t.Errorf("%s: %v", what, done[i].Err)
						}
					}
				}
			})
		}
	}
}

func same(t *testing.T, what string, err1, err2 error, b1, b2 []byte) {
	t.Helper()
	if errors.Is(err1, prio3.ErrInvalid) != errors.Is(err2, prio3.ErrInvalid) || (err1 == nil) != (err2 == nil) || !bytes.Equal(b1, b2) {
		t.Errorf("%s: in a batch %v, %x; alone %v, %x", what, err1, b1, err2, b2)
	}
}

// TestResultsAreOwned: results do not change when the Verifier works on.
func TestResultsAreOwned(t *testing.T) {
	for _, c := range small {
		s := newSession(t, c.config, c.m)
		p := s.parties[0]
		w := s.vdaf.NewVerifier(prio3.Leader, p.key, p.ctx)
		batch := []prio3.Report{{Nonce: p.nonce, PublicShare: p.public, InputShare: p.input}}
		first := w.LeaderInit(batch)[0]
		kept := bytes.Clone(first.Outbound)
		batch[0].Nonce[3] ^= 1
		w.LeaderInit(batch)
		if !bytes.Equal(kept, first.Outbound) {
			t.Errorf("%s: outbound changes with the next batch", c.name)
		}
	}
}

// TestVerifyAllocates: verification allocates a batch's results, and for each report one block that holds its outputs (for the
// Leader also its state), no more.
func TestVerifyAllocates(t *testing.T) {
	for _, c := range small {
		v, err := prio3.New(c.config)
		if err != nil {
			t.Fatal(err)
		}
		key := [32]byte(random(32))
		forLeader, forHelper, _ := reports(t, v, taskContext, key, 8)
		leader, helper := v.NewVerifier(prio3.Leader, key, taskContext), v.NewVerifier(prio3.Helper, key, taskContext)
		if n := testing.AllocsPerRun(20, func() { leader.LeaderInit(forLeader) }); n > 1+2*8 {
			t.Errorf("%s: the leader allocates %v times for 8 reports", c.name, n)
		}
		if n := testing.AllocsPerRun(20, func() { helper.HelperInit(forHelper) }); n > 1+8 {
			t.Errorf("%s: the helper allocates %v times for 8 reports", c.name, n)
		}
	}
}
