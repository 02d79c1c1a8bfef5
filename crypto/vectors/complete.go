package vectors

import (
	"encoding/binary"
	"fmt"

	"candor/crypto/prio3"
	"candor/crypto/xof"
)

// good returns the file of n reports from sharding to the aggregate result.
func (d *drawer) good(c prio3.Config, n int) (*file, error) {
	v, err := prio3.New(c)
	if err != nil {
		return nil, err
	}
	f := d.newFile(v)
	for range n {
		m := d.measurement(v)
		r, err := d.report(f, v, m)
		if err != nil {
			return nil, err
		}
		f.Reports = append(f.Reports, r)
	}
	return f, f.complete(v)
}

// complete verifies the reports of a file and aggregates them.
func (f *file) complete(v *prio3.VDAF) error {
	for i := range f.Reports {
		f.Operations = append(f.Operations, operation{Operation: "shard", ReportIndex: &i, Success: true})
		if ok, err := f.verify(v, i); !ok {
			return fmt.Errorf("an honest report fails: %v", err)
		}
	}
	shares := make([][]byte, f.Shares)
	for agg := range shares {
		shares[agg] = v.ZeroShare()
		for _, r := range f.Reports {
			if err := v.AddShare(shares[agg], r.OutShares[agg]); err != nil {
				return err
			}
		}
		f.AggShares = append(f.AggShares, shares[agg])
		f.Operations = append(f.Operations, operation{Operation: "aggregate", AggregatorID: &agg, Success: true})
	}
	result, err := v.Unshard(shares, uint64(len(f.Reports)))
	if err != nil {
		return err
	}
	if f.AggResult = raw(result); v.OutputLen() == 1 && f.Length == nil {
		f.AggResult = raw(result[0])
	}
	f.Operations = append(f.Operations, operation{Operation: "unshard", Success: true})
	return nil
}

// verify takes all aggregators through the verification of a report, and records operations and values up to the first failure.
func (f *file) verify(v *prio3.VDAF, i int) (ok bool, err error) {
	r, key := &f.Reports[i], [prio3.VerifyKeySize]byte(f.VerifyKey)
	record := func(op operation) bool {
		op.ReportIndex, op.Success = &i, err == nil
		f.Operations = append(f.Operations, op)
		return err == nil
	}
	states, shares := make([]*prio3.VerifyState, f.Shares), make([][]byte, f.Shares)
	for agg := range shares {
		states[agg], shares[agg], err = v.VerifyInit(agg, key, f.Ctx, [prio3.NonceSize]byte(r.Nonce), r.PublicShare, r.InputShares[agg])
		if !record(operation{Operation: "verify_init", AggregatorID: &agg}) {
			return false, err
		}
		if agg == 0 {
			r.VerifierShares = append(r.VerifierShares, nil)
		}
		r.VerifierShares[0] = append(r.VerifierShares[0], shares[agg])
	}
	message, err := v.VerifierSharesToMessage(f.Ctx, shares)
	if round := 0; !record(operation{Operation: "verifier_shares_to_message", Round: &round}) {
		return false, err
	}
	r.VerifierMessages = append(r.VerifierMessages, message)
	round := 1
	for agg, state := range states {
		var out []byte
		out, err = v.VerifyNext(state, message)
		if !record(operation{Operation: "verify_next", AggregatorID: &agg, Round: &round}) {
			return false, err
		}
		r.OutShares = append(r.OutShares, out)
	}
	return true, nil
}

// A flaw is a way in which a report of a bad file is changed after sharding: one bit of one share.
type flaw struct {
	name  string
	share func(*report) []byte
	at    func(v *prio3.VDAF, size int) int // the byte to change
}

// flaws are those that an instance has a place for: the last three need joint randomness.
func flaws(v *prio3.VDAF) []flaw {
	public := func(r *report) []byte { return r.PublicShare }
	leader := func(r *report) []byte { return r.InputShares[prio3.Leader] }
	helper := func(r *report) []byte { return r.InputShares[prio3.Helper] }
	first := func(*prio3.VDAF, int) int { return 0 }
	blind := func(_ *prio3.VDAF, size int) int { return size - xof.SeedSize }
	all := []flaw{
		{"bad_meas_share", leader, first},
		{"bad_gadget_poly", leader, func(v *prio3.VDAF, size int) int { return size - v.MessageSize() - 16 }},
		{"bad_helper_seed", helper, first},
		{"bad_public_share", public, first},
		{"bad_leader_jr_blind", leader, blind},
		{"bad_helper_jr_blind", helper, blind},
	}
	if v.PublicShareSize() == 0 {
		return all[:3]
	}
	return all
}

// bad returns the file of a report that fails, with the operations up to the one that does, and what is wrong with it.
func (d *drawer) bad(c prio3.Config) (*file, string, error) {
	v, err := prio3.New(c)
	if err != nil {
		return nil, "", err
	}
	f := d.newFile(v)
	r, err := d.report(f, v, d.measurement(v))
	if err != nil {
		return nil, "", err
	}
	all := flaws(v)
	flaw := all[d.below(uint64(len(all)))]
	share := flaw.share(&r)
	share[flaw.at(v, len(share))] ^= 1
	r.Measurement = raw(nil)
	f.Reports = []report{r}
	if ok, _ := f.verify(v, 0); ok {
		return nil, "", fmt.Errorf("a report with %s is accepted", flaw.name)
	}
	return f, flaw.name, nil
}

// rejection returns the file of a report in whose Helper's proof share one candidate of the stream is not below the modulus, and is left out.
// One seed in 13 million is like this one.
func rejection() (*file, error) {
	v, err := prio3.New(prio3.Config{Algorithm: prio3.Sum, MaxMeasurement: 1<<64 - 1<<32})
	if err != nil {
		return nil, err
	}
	f := new(drawer).newFile(v)
	f.Ctx = hexBytes("some application")
	r := report{
		Measurement: raw(uint64(1 << 63)), Nonce: make(hexBytes, prio3.NonceSize), Rand: make(hexBytes, v.RandSize()),
		OutShares: []hexBytes{}, VerifierMessages: []hexBytes{}, VerifierShares: [][]hexBytes{},
	}
	binary.BigEndian.PutUint64(r.Rand[24:], 24577797)
	if err := r.shard(f, v, []uint64{1 << 63}); err != nil {
		return nil, err
	}
	f.Reports = []report{r}
	return f, f.complete(v)
}
