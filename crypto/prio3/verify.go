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

// init computes the verifier shares, without framing, and the joint randomness seeds of the reports in the first n lanes, of which all have
// the right sizes. Each step is taken for all lanes before the next. A Leader's shares are hashed before their elements are checked: hashing
// takes any bytes, and leaves time to fetch them into the caches.
func (w *Verifier) init(n int) {
	lanes, in := w.lanes[:n], w.in[:n]
	if w.agg == Leader {
		w.alias(lanes)
	} else {
		w.expand(lanes, in)
	}
	if w.hasJoint() {
		w.deriveJoint(lanes, in)
	}
	for i := range lanes {
		l := &lanes[i]
		l.head[0] = byte(w.proofs)
		copy(l.head[1:], l.report.Nonce[:])
		in[i] = stream{seed: w.key[:], head: l.head[:], out: l.query}
	}
	w.expander.vectors(usageQueryRand, in)
	for i := range lanes {
		w.query(&lanes[i])
	}
}

// alias takes the Leader's measurement and proof shares from its input shares.
func (w *Verifier) alias(lanes []lane) {
	meas, proof := w.measSize(), w.measSize()+w.proofSize()
	for i := range lanes {
		l := &lanes[i]
		l.meas, l.proof = l.report.InputShare[:meas], l.report.InputShare[meas:proof]
	}
}

// expand expands a Helper's measurement and proof shares from its seeds.
func (w *Verifier) expand(lanes []lane, in []stream) {
	meas := w.measSize()
	for i := range lanes {
		l := &lanes[i]
		l.meas, l.proof = l.expanded[:meas], l.expanded[meas:]
		l.head[0] = byte(w.agg)
		in[i] = stream{seed: l.report.InputShare[:xof.SeedSize], head: l.head[:1], out: l.meas}
	}
	w.expander.vectors(usageMeasShare, in)
	for i := range lanes {
		l := &lanes[i]
		l.head[0], l.head[1] = byte(w.proofs), byte(w.agg)
		in[i].head, in[i].out = l.head[:2], l.proof
	}
	w.expander.vectors(usageProofShare, in)
}

// deriveJoint derives the joint randomness: from all parts in the public share, but for the own part, which is computed afresh from the
// own blind and measurement share, so that a Client cannot choose it.
func (w *Verifier) deriveJoint(lanes []lane, in []stream) {
	for i := range lanes {
		l := &lanes[i]
		copy(l.public, l.report.PublicShare)
		l.head[0] = byte(w.agg)
		copy(l.head[1:], l.report.Nonce[:])
		blind := l.report.InputShare[len(l.report.InputShare)-xof.SeedSize:]
		in[i] = stream{blind, l.head[:], l.meas, nth(l.public, w.agg, w.shares)}
	}
	w.expander.bytes(usageJointRandPart, in)
	for i := range lanes {
		l := &lanes[i]
		copy(l.verifier[w.vectorSize():], nth(l.public, w.agg, w.shares))
		in[i] = stream{seed: w.zero[:], head: l.public, out: l.seed[:]}
	}
	w.expander.bytes(usageJointRandSeed, in)
	for i := range lanes {
		l := &lanes[i]
		l.head[0] = byte(w.proofs)
		in[i] = stream{seed: l.seed[:], head: l.head[:1], out: l.joint}
	}
	w.expander.vectors(usageJointRand, in)
}

// query checks the lane's input share and writes the elements of its verifier share.
func (w *Verifier) query(l *lane) {
	if l.err = w.checkInput(w.agg, l.report.InputShare); l.err != nil {
		return
	}
	vector := l.verifier[:w.vectorSize()]
	for j := range w.proofs {
		if !w.worker.Query(nth(vector, j, w.proofs), l.meas, nth(l.proof, j, w.proofs), nth(l.query, j, w.proofs), nth(l.joint, j, w.proofs)) {
			l.err = ErrInvalid
		}
	}
}
