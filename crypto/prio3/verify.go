package prio3

import (
	"fmt"

	"candor/crypto/flp"
	"candor/crypto/xof"
)

// A Verifier is an aggregator's scratch space for verifying reports. It may be used again and again, but not concurrently.
// It works on several reports at once where the machine can.
type Verifier struct {
	*VDAF
	agg      int
	key      [VerifyKeySize]byte
	expander expander
	worker   flp.Worker
	in       [xof.Width]stream
	lanes    [xof.Width]lane
	zero     [xof.SeedSize]byte // the seed from which joint randomness seeds are derived
}

// A lane is the scratch space for one of the reports verified at once.
type lane struct {
	report      *Report
	index       int    // of the report in its batch
	meas, proof []byte // shares: the Leader's alias its input share
	expanded    []byte // the Helper's measurement and proof shares
	head        [1 + NonceSize]byte
	joint       []byte             // joint randomness
	query       []byte             // query randomness
	public      []byte             // public share with the own part replaced
	verifier    []byte             // verifier share
	other       []byte             // the Leader's verifier share
	seed        [xof.SeedSize]byte // joint randomness seed, which the message must be
	message     [xof.SeedSize]byte
	err         error
}

// NewVerifier returns an aggregator's Verifier under a verify key. It panics if aggID is not an aggregator or ctx has more
// than 65527 bytes.
func (v *VDAF) NewVerifier(aggID int, verifyKey [VerifyKeySize]byte, ctx []byte) *Verifier {
	t, err := v.newTags(ctx)
	if err != nil || aggID < 0 || aggID >= v.shares {
		panic(fmt.Sprintf("prio3: internal error: verifier of aggregator %d with a context of %d bytes", aggID, len(ctx)))
	}
	w := &Verifier{VDAF: v, agg: aggID, key: verifyKey, worker: v.flp.NewWorker(v.shares)}
	w.expander.field, w.expander.tags = v.flp.Field(), t
	for i := range w.lanes {
		l := &w.lanes[i]
		if aggID != Leader {
			l.expanded = make([]byte, v.measSize()+v.proofSize())
		}
		l.joint = make([]byte, v.proofs*v.sizes.JointRand*v.elem)
		l.query = make([]byte, v.proofs*v.sizes.QueryRand*v.elem)
		l.public = make([]byte, v.PublicShareSize())
		l.verifier = make([]byte, v.VerifierShareSize())
	}
	return w
}

// init computes the verifier shares, without framing, and the joint randomness seeds of the reports in the first n lanes. All are well formed.
func (w *Verifier) init(n int) {
	lanes, x := w.lanes[:n], &w.expander
	meas, proof := w.measSize(), w.measSize()+w.proofSize()
	agg, proofs := byte(w.agg), byte(w.proofs)
	if w.agg == Leader {
		for i := range lanes {
			l := &lanes[i]
			l.meas, l.proof = l.report.InputShare[:meas], l.report.InputShare[meas:proof]
		}
	} else {
		for i := range lanes {
			l := &lanes[i]
			l.meas, l.proof = l.expanded[:meas], l.expanded[meas:]
			l.head[0] = agg
			w.in[i] = stream{seed: l.report.InputShare[:xof.SeedSize], head: l.head[:1], out: l.meas}
		}
		x.vectors(usageMeasShare, w.in[:n])
		for i := range lanes {
			l := &lanes[i]
			l.head[0], l.head[1] = proofs, agg
			w.in[i].head, w.in[i].out = l.head[:2], l.proof
		}
		x.vectors(usageProofShare, w.in[:n])
	}

	if w.hasJoint() {
		for i := range lanes {
			l := &lanes[i]
			blind := l.report.InputShare[len(l.report.InputShare)-xof.SeedSize:]
			copy(l.public, l.report.PublicShare)
			l.head[0] = agg
			copy(l.head[1:], l.report.Nonce[:])
			w.in[i] = stream{blind, l.head[:], l.meas, nth(l.public, w.agg, w.shares)}
		}
		x.bytes(usageJointRandPart, w.in[:n])
		for i := range lanes {
			l := &lanes[i]
			copy(l.verifier[w.vectorSize():], nth(l.public, w.agg, w.shares))
			w.in[i] = stream{seed: w.zero[:], head: l.public, out: l.seed[:]}
		}
		x.bytes(usageJointRandSeed, w.in[:n])
		for i := range lanes {
			l := &lanes[i]
			l.head[0] = proofs
			w.in[i] = stream{seed: l.seed[:], head: l.head[:1], out: l.joint}
		}
		x.vectors(usageJointRand, w.in[:n])
	}

	for i := range lanes {
		l := &lanes[i]
		l.head[0] = proofs
		copy(l.head[1:], l.report.Nonce[:])
		w.in[i] = stream{seed: w.key[:], head: l.head[:], out: l.query}
	}
	x.vectors(usageQueryRand, w.in[:n])

	for i := range lanes {
		l := &lanes[i]
		l.err = nil
		for j := range w.proofs {
			ok := w.worker.Query(nth(l.verifier[:w.vectorSize()], j, w.proofs), l.meas, nth(l.proof, j, w.proofs),
				nth(l.query, j, w.proofs), nth(l.joint, j, w.proofs))
			if !ok {
				l.err = ErrInvalid
			}
		}
	}
}
