package prio3

import (
	"fmt"

	"candor/crypto/flp"
	"candor/crypto/xof"
)

// Shard splits a measurement for two aggregators: into a public share that both get, and one input share for each. It is
// deterministic. rand are RandSize fresh random bytes, and the nonce is random too (in DAP it is the report id); ctx is the
// application's context, the same for all that takes part. Whoever shards many measurements makes a Sharder.
func (v *VDAF) Shard(ctx []byte, nonce [NonceSize]byte, rand []byte, m []uint64) (public []byte, input [2][]byte, err error) {
	if v.shares != 2 {
		return nil, input, fmt.Errorf("sharding for %d aggregators: %w", v.shares, ErrParameter)
	}
	public, all, err := v.ShardAll(ctx, nonce, rand, m)
	if err != nil {
		return nil, input, err
	}
	return public, [2][]byte(all), nil
}

// ShardAll is Shard for any number of aggregators.
func (v *VDAF) ShardAll(ctx []byte, nonce [NonceSize]byte, rand []byte, m []uint64) (public []byte, input [][]byte, err error) {
	s, err := v.NewSharder(ctx)
	if err != nil {
		return nil, nil, err
	}
	return s.Shard(nonce, rand, m)
}

// A Sharder is a Client's scratch space for sharding measurements in one context. It may be used again and again, but not
// concurrently. Between uses it holds what the last one left: it is secret.
type Sharder struct {
	*VDAF
	expander expander
	worker   flp.Worker
	in       []stream              // by aggregator
	heads    [][1 + NonceSize]byte // of their binders
	count    []byte                // of proofs, as binders have it
	helpers  [][]byte              // for each Helper, id 1 first, its measurement share, and then its proof share
	small    []byte                // encoded measurement
	prove    []byte                // randomness of the prover
	joint    []byte                // joint randomness
	seed     [xof.SeedSize]byte    // of the joint randomness
	zero     [xof.SeedSize]byte
}

// NewSharder fails if ctx has more than 65527 bytes.
func (v *VDAF) NewSharder(ctx []byte) (*Sharder, error) {
	tags, err := v.newTags(ctx)
	if err != nil {
		return nil, err
	}
	s := &Sharder{
		VDAF: v, count: []byte{byte(v.proofs)}, expander: expander{field: v.flp.Field(), tags: tags}, worker: v.flp.NewWorker(1),
		in: make([]stream, v.shares), heads: make([][1 + NonceSize]byte, v.shares), helpers: make([][]byte, v.shares-1),
		small: make([]byte, v.sizes.Meas), prove: make([]byte, v.proofs*v.sizes.ProveRand*v.elem), joint: make([]byte, v.proofs*v.sizes.JointRand*v.elem),
	}
	for i := range s.helpers {
		s.helpers[i] = make([]byte, max(v.measSize(), v.proofSize()))
	}
	return s, nil
}

// Shard is VDAF.Shard for as many aggregators as there are.
func (s *Sharder) Shard(nonce [NonceSize]byte, rand []byte, m []uint64) (public []byte, input [][]byte, err error) {
	if len(rand) != s.RandSize() {
		return nil, nil, fmt.Errorf("sharding with %d random bytes, not %d: %w", len(rand), s.RandSize(), ErrParameter)
	}
	if err := s.flp.Encode(s.small, m); err != nil {
		return nil, nil, err
	}
	public, input, proveSeed := s.split(rand)
	meas, proof := input[Leader][:s.measSize()], input[Leader][s.measSize():s.measSize()+s.proofSize()]

	s.flp.Field().FromSmall(meas, s.small)
	s.subtract(meas, usageMeasShare, input, nil)
	if s.hasJoint() {
		s.parts(public, input, nonce)
		s.in[0] = stream{seed: s.zero[:], head: public, out: s.seed[:]}
		s.expander.bytes(usageJointRandSeed, s.in[:1])
		s.in[0] = stream{seed: s.seed[:], head: s.count, out: s.joint}
		s.expander.vectors(usageJointRand, s.in[:1])
	}
	s.in[0] = stream{seed: proveSeed, head: s.count, out: s.prove}
	s.expander.vectors(usageProveRand, s.in[:1])
	for i := range s.proofs {
		s.worker.Prove(nth(proof, i, s.proofs), s.small, nth(s.prove, i, s.proofs), nth(s.joint, i, s.proofs))
	}
	s.subtract(proof, usageProofShare, input, s.count)
	return public, input, nil
}

// split makes the shares, parts of one allocation, with what of them is random, which comes in this order: for each Helper a
// seed and a blind, the Leader's blind. What is left is the prover's seed.
func (s *Sharder) split(rand []byte) (public []byte, input [][]byte, proveSeed []byte) {
	blind := s.MessageSize() // as long as the other seeds, or absent with them
	rest := make([]byte, s.PublicShareSize()+s.InputShareSize(Leader)+(s.shares-1)*s.InputShareSize(Helper))
	next := func(n int) (part []byte) {
		part, rest = rest[:n:n], rest[n:]
		return part
	}
	public = next(s.PublicShareSize())
	input = make([][]byte, s.shares)
	for id := range input {
		input[id] = next(s.InputShareSize(id))
		if id > 0 {
			rand = rand[copy(input[id], rand):]
		}
	}
	leader := input[Leader]
	copy(leader[len(leader)-blind:], rand[:blind])
	return public, input, rand[blind:]
}

// subtract expands each Helper's share of a vector, with binder || id, and subtracts them all from v.
func (s *Sharder) subtract(v []byte, u usage, input [][]byte, binder []byte) {
	for i, share := range s.helpers {
		id := i + 1
		s.heads[id][0] = byte(id)
		s.in[i] = stream{seed: input[id][:xof.SeedSize], head: binder, tail: s.heads[id][:1], out: share[:len(v)]}
	}
	s.expander.vectors(u, s.in[:len(s.helpers)])
	for _, share := range s.helpers {
		s.flp.Field().SubTo(v, share[:len(v)])
	}
}

// parts fills the public share: each aggregator's part of the joint randomness, bound to its measurement share.
func (s *Sharder) parts(public []byte, input [][]byte, nonce [NonceSize]byte) {
	for id, share := range input {
		s.heads[id][0] = byte(id)
		copy(s.heads[id][1:], nonce[:])
		meas := share
		if id != Leader {
			meas = s.helpers[id-1]
		}
		s.in[id] = stream{share[len(share)-xof.SeedSize:], s.heads[id][:], meas[:s.measSize()], nth(public, id, s.shares)}
	}
	s.expander.bytes(usageJointRandPart, s.in)
}

// nth returns the i-th of n equal parts of p.
func nth(p []byte, i, n int) []byte {
	size := len(p) / n
	return p[i*size : (i+1)*size]
}
