package vectors

import (
	"errors"
	"fmt"
	"math/big"
	"slices"

	"candor/crypto/prio3"
)

// A run is the state of a file's operations.
type run struct {
	*file
	vdaf   *prio3.VDAF
	key    [prio3.VerifyKeySize]byte
	states []map[int]*prio3.VerifyState // by report and aggregator
	// What has been checked, by report and aggregator.
	sharded, joined []bool
	begun, finished [][]bool
	aggregated      []bool
	unsharded       bool
}

func newRun(f *file, v *prio3.VDAF) (*run, error) {
	n := len(f.Reports)
	r := &run{
		file: f, vdaf: v, states: make([]map[int]*prio3.VerifyState, n),
		sharded: make([]bool, n), joined: make([]bool, n), begun: make([][]bool, n), finished: make([][]bool, n),
		aggregated: make([]bool, f.Shares),
	}
	if len(f.VerifyKey) != len(r.key) {
		return nil, fmt.Errorf("verify key has %d bytes", len(f.VerifyKey))
	}
	copy(r.key[:], f.VerifyKey)
	if len(f.AggParam) != 0 {
		return nil, errors.New("aggregation parameter is not empty")
	}
	for i, rep := range f.Reports {
		if len(rep.Nonce) != prio3.NonceSize {
			return nil, fmt.Errorf("report %d: nonce has %d bytes", i, len(rep.Nonce))
		}
		if len(rep.InputShares) != f.Shares {
			return nil, fmt.Errorf("report %d: %d input shares", i, len(rep.InputShares))
		}
		r.states[i] = map[int]*prio3.VerifyState{}
		r.begun[i], r.finished[i] = make([]bool, f.Shares), make([]bool, f.Shares)
	}
	return r, nil
}

// index returns the argument of an operation, which must be below n.
func index(p *int, n int) (int, error) {
	if p == nil || *p < 0 || *p >= n {
		return 0, fmt.Errorf("argument is missing or not below %d", n)
	}
	return *p, nil
}

// do takes one operation. failed is its own error, which the file may expect; err says that the file is not right, or that what the
// operation yields differs.
func (r *run) do(op operation) (failed, err error) {
	var rep *report
	var i, agg int
	switch op.Operation {
	case "shard", "verify_init", "verifier_shares_to_message", "verify_next":
		if i, err = index(op.ReportIndex, len(r.Reports)); err != nil {
			return nil, err
		}
		rep = &r.Reports[i]
	}
	switch op.Operation {
	case "verify_init", "verify_next", "aggregate":
		if agg, err = index(op.AggregatorID, r.Shares); err != nil {
			return nil, err
		}
	}
	switch op.Operation {
	case "shard":
		return r.shard(i, rep)
	case "verify_init":
		return r.verifyInit(i, rep, agg)
	case "verifier_shares_to_message":
		if op.Round == nil || *op.Round != 0 {
			return nil, errors.New("Prio3 has one round, 0")
		}
		return r.verifierSharesToMessage(i, rep)
	case "verify_next":
		if op.Round == nil || *op.Round != 1 {
			return nil, errors.New("Prio3 ends with round 1")
		}
		return r.verifyNext(i, rep, agg)
	case "aggregate":
		return r.aggregate(agg)
	case "unshard":
		return r.unshard()
	}
	return nil, errors.New("unknown operation")
}

func (r *run) shard(i int, rep *report) (failed, err error) {
	m, err := measurement(rep.Measurement)
	if err != nil {
		return nil, err
	}
	public, input, failed := r.vdaf.ShardAll(r.Ctx, [prio3.NonceSize]byte(rep.Nonce), rep.Rand, m)
	if failed != nil {
		return failed, nil
	}
	r.sharded[i] = true
	if err := same("public share", public, rep.PublicShare); err != nil {
		return nil, err
	}
	for agg, share := range input {
		if err := same(fmt.Sprintf("input share %d", agg), share, rep.InputShares[agg]); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

func (r *run) verifyInit(i int, rep *report, agg int) (failed, err error) {
	state, share, failed := r.vdaf.VerifyInit(agg, r.key, r.Ctx, [prio3.NonceSize]byte(rep.Nonce), rep.PublicShare, rep.InputShares[agg])
	if failed != nil {
		return failed, nil
	}
	r.states[i][agg] = state
	if len(rep.VerifierShares) != 1 || len(rep.VerifierShares[0]) <= agg {
		return nil, errors.New("verifier share is missing")
	}
	r.begun[i][agg] = true
	return nil, same("verifier share", share, rep.VerifierShares[0][agg])
}

func (r *run) verifierSharesToMessage(i int, rep *report) (failed, err error) {
	if len(rep.VerifierShares) != 1 {
		return nil, errors.New("verifier shares are missing")
	}
	shares := make([][]byte, len(rep.VerifierShares[0]))
	for agg, s := range rep.VerifierShares[0] {
		shares[agg] = s
	}
	message, failed := r.vdaf.VerifierSharesToMessage(r.Ctx, shares)
	if failed != nil {
		return failed, nil
	}
	if len(rep.VerifierMessages) != 1 {
		return nil, errors.New("verifier message is missing")
	}
	r.joined[i] = true
	return nil, same("verifier message", message, rep.VerifierMessages[0])
}

func (r *run) verifyNext(i int, rep *report, agg int) (failed, err error) {
	state := r.states[i][agg]
	if state == nil || len(rep.VerifierMessages) != 1 {
		return nil, errors.New("verify_init has not been done, or the verifier message is missing")
	}
	out, failed := r.vdaf.VerifyNext(state, rep.VerifierMessages[0])
	if failed != nil {
		return failed, nil
	}
	if len(rep.OutShares) <= agg {
		return nil, errors.New("output share is missing")
	}
	r.finished[i][agg] = true
	return nil, same("output share", out, rep.OutShares[agg])
}

func (r *run) aggregate(agg int) (failed, err error) {
	sum := r.vdaf.ZeroShare()
	for i := range r.Reports {
		if len(r.Reports[i].OutShares) <= agg {
			return nil, fmt.Errorf("output share of report %d is missing", i)
		}
		if failed := r.vdaf.AddShare(sum, r.Reports[i].OutShares[agg]); failed != nil {
			return failed, nil
		}
	}
	if len(r.AggShares) <= agg {
		return nil, errors.New("aggregate share is missing")
	}
	r.aggregated[agg] = true
	return nil, same("aggregate share", sum, r.AggShares[agg])
}

func (r *run) unshard() (failed, err error) {
	shares := make([][]byte, len(r.AggShares))
	for agg, s := range r.AggShares {
		shares[agg] = s
	}
	got, failed := r.vdaf.Unshard(shares, uint64(len(r.Reports)))
	if failed != nil {
		return failed, nil
	}
	want, err := result(r.AggResult)
	if err != nil {
		return nil, err
	}
	r.unsharded = true
	if !slices.EqualFunc(got, want, func(a, b *big.Int) bool { return a.Cmp(b) == 0 }) {
		return nil, fmt.Errorf("aggregate result: got %v, want %v", got, want)
	}
	return nil, nil
}

// unchecked returns an error if the file holds a value that an operation would yield and none has.
func (r *run) unchecked() error {
	for i, rep := range r.Reports {
		if string(rep.Measurement) != "null" && !r.sharded[i] {
			return fmt.Errorf("report %d: no operation shards the measurement", i)
		}
		if len(rep.VerifierShares) > 0 {
			for agg := range rep.VerifierShares[0] {
				if !r.begun[i][agg] {
					return fmt.Errorf("report %d: no operation yields verifier share %d", i, agg)
				}
			}
		}
		for agg := range rep.OutShares {
			if !r.finished[i][agg] {
				return fmt.Errorf("report %d: no operation yields output share %d", i, agg)
			}
		}
		if len(rep.OutShares) > 0 && !r.joined[i] {
			return fmt.Errorf("report %d: no operation yields the verifier message", i)
		}
	}
	for agg := range r.AggShares {
		if !r.aggregated[agg] {
			return fmt.Errorf("no operation yields aggregate share %d", agg)
		}
	}
	if string(r.AggResult) != "null" && !r.unsharded {
		return errors.New("no operation yields the aggregate result")
	}
	return nil
}
