package prio3

import (
	"fmt"

	"candor/crypto/xof"
)

// Shard splits a measurement for two aggregators: into a public share that both get, and one input share for each. It is
// deterministic. rand are RandSize fresh random bytes, and the nonce is random too (in DAP it is the report id); ctx is the application's
// context, the same for all that takes part.
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
	if len(rand) != v.RandSize() {
		return nil, nil, fmt.Errorf("sharding with %d random bytes, not %d: %w", len(rand), v.RandSize(), ErrParameter)
	}
	small := make([]byte, v.sizes.Meas)
	if err := v.flp.Encode(small, m); err != nil {
		return nil, nil, err
	}
	tags, err := v.newTags(ctx)
	if err != nil {
		return nil, nil, err
	}
	x := &expander{field: v.flp.Field(), tags: tags}
	one := func(u usage, s stream) {
		x.in[0] = s
		x.vectors(u, 1)
	}

	// The random bytes are, in order: for each Helper a seed and a blind, the Leader's blind, the seed of the prover. The input shares of
	// the Helpers are the random bytes themselves.
	input = make([][]byte, v.shares)
	for id := 1; id < v.shares; id++ {
		input[id] = append([]byte(nil), rand[:v.InputShareSize(id)]...)
		rand = rand[len(input[id]):]
	}
	leaderBlind, rand := rand[:v.joint(xof.SeedSize)], rand[v.joint(xof.SeedSize):]
	proveSeed := rand

	leader := make([]byte, v.InputShareSize(Leader))
	input[Leader] = leader
	meas, proof := leader[:v.measSize()], leader[v.measSize():v.measSize()+v.proofSize()]
	copy(leader[v.measSize()+v.proofSize():], leaderBlind)
	public = make([]byte, v.PublicShareSize())
	share := make([]byte, max(v.measSize(), v.proofSize()))

	part := func(id int, blind, share []byte) {
		if v.hasJoint() {
			out := public[id*xof.SeedSize : (id+1)*xof.SeedSize]
			x.in[0] = stream{blind, append([]byte{byte(id)}, nonce[:]...), share, out}
			x.seeds(usageJointRandPart, 1)
		}
	}
	v.flp.Field().FromSmall(meas, small)
	for id := 1; id < v.shares; id++ {
		out := share[:v.measSize()]
		one(usageMeasShare, stream{seed: input[id][:xof.SeedSize], head: []byte{byte(id)}, out: out})
		part(id, input[id][xof.SeedSize:], out)
		v.flp.Field().SubTo(meas, out)
	}
	part(Leader, leaderBlind, meas)

	proofs := byte(v.proofs)
	prove := make([]byte, v.proofs*v.sizes.ProveRand*v.elem)
	one(usageProveRand, stream{seed: proveSeed, head: []byte{proofs}, out: prove})
	joint := make([]byte, v.proofs*v.sizes.JointRand*v.elem)
	if v.hasJoint() {
		var seed [xof.SeedSize]byte
		x.in[0] = stream{seed: make([]byte, xof.SeedSize), head: public, out: seed[:]}
		x.seeds(usageJointRandSeed, 1)
		one(usageJointRand, stream{seed: seed[:], head: []byte{proofs}, out: joint})
	}
	w := v.flp.NewWorker(1)
	for i := range v.proofs {
		w.Prove(nth(proof, i, v.proofs), small, nth(prove, i, v.proofs), nth(joint, i, v.proofs))
	}
	for id := 1; id < v.shares; id++ {
		out := share[:v.proofSize()]
		one(usageProofShare, stream{seed: input[id][:xof.SeedSize], head: []byte{proofs, byte(id)}, out: out})
		v.flp.Field().SubTo(proof, out)
	}
	return public, input, nil
}

// nth returns the i-th of n equal parts of p.
func nth(p []byte, i, n int) []byte {
	size := len(p) / n
	return p[i*size : (i+1)*size]
}
