package prio3

import (
	"crypto/subtle"
	"fmt"

	"candor/crypto/xof"
)

// CheckShares reports, as ErrMalformed, a public share or an aggregator's input share that does not parse.
func (v *VDAF) CheckShares(aggID int, publicShare, inputShare []byte) error {
	if err := v.checkSizes(aggID, publicShare, inputShare); err != nil {
		return err
	}
	return v.checkInput(aggID, inputShare)
}

// checkSizes is CheckShares but for the elements of the input share.
func (v *VDAF) checkSizes(aggID int, publicShare, inputShare []byte) error {
	if aggID < 0 || aggID >= v.shares {
		return fmt.Errorf("aggregator %d of %d: %w", aggID, v.shares, ErrMalformed)
	}
	if err := checkSize("public share", publicShare, v.PublicShareSize()); err != nil {
		return err
	}
	return checkSize("input share", inputShare, v.InputShareSize(aggID))
}

// checkInput checks the elements of an input share of the right size.
func (v *VDAF) checkInput(aggID int, inputShare []byte) error {
	if aggID == Leader {
		return v.checkElements("input share", inputShare[:v.measSize()+v.proofSize()])
	}
	return nil
}

func (v *VDAF) checkVerifierShare(share []byte) error {
	if err := checkSize("verifier share", share, v.VerifierShareSize()); err != nil {
		return err
	}
	return v.checkElements("verifier share", share[:v.vectorSize()])
}

func checkSize(what string, b []byte, size int) error {
	if len(b) != size {
		return fmt.Errorf("%s has %d bytes, not %d: %w", what, len(b), size, ErrMalformed)
	}
	return nil
}

func (v *VDAF) checkElements(what string, b []byte) error {
	if !v.flp.Field().Valid(b) {
		return fmt.Errorf("%s has an element that is not below the modulus: %w", what, ErrMalformed)
	}
	return nil
}

// A VerifyState is what an aggregator holds between VerifyInit and VerifyNext. It is secret.
type VerifyState struct{ seed, out []byte }

// VerifyInit is the first step of one aggregator of any number, on one report: it returns a verifier share for all of them.
// Aggregators in DAP use a Verifier.
func (v *VDAF) VerifyInit(aggID int, verifyKey [VerifyKeySize]byte, ctx []byte, nonce [NonceSize]byte, publicShare, inputShare []byte) (*VerifyState, []byte, error) {
	if err := v.checkSizes(aggID, publicShare, inputShare); err != nil {
		return nil, nil, err
	}
	if _, err := v.newTags(ctx); err != nil {
		return nil, nil, err
	}
	w := v.NewVerifier(aggID, verifyKey, ctx)
	l := &w.lanes[0]
	l.report = &Report{Nonce: nonce, PublicShare: publicShare, InputShare: inputShare}
	w.init(1)
	if l.err != nil {
		return nil, nil, l.err
	}
	out := make([]byte, v.OutputShareSize())
	v.flp.Truncate(out, l.meas)
	return &VerifyState{l.seed[:v.MessageSize()], out}, l.verifier, nil
}

// VerifierSharesToMessage joins the verifier shares of all aggregators, in order, decides the proof, and returns the verifier message.
func (v *VDAF) VerifierSharesToMessage(ctx []byte, shares [][]byte) ([]byte, error) {
	if len(shares) != v.shares {
		return nil, fmt.Errorf("%d verifier shares, not %d: %w", len(shares), v.shares, ErrMalformed)
	}
	sum := make([]byte, v.vectorSize())
	var parts []byte
	for _, share := range shares {
		if err := v.checkVerifierShare(share); err != nil {
			return nil, err
		}
		v.flp.Field().AddTo(sum, share[:len(sum)])
		parts = append(parts, share[len(sum):]...)
	}
	w := v.flp.NewWorker(v.shares)
	for i := range v.proofs {
		if !w.Decide(nth(sum, i, v.proofs)) {
			return nil, ErrInvalid
		}
	}
	message := make([]byte, v.MessageSize())
	if v.hasJoint() {
		tags, err := v.newTags(ctx)
		if err != nil {
			return nil, err
		}
		x := expander{field: v.flp.Field(), tags: tags}
		x.bytes(usageJointRandSeed, []stream{{seed: make([]byte, xof.SeedSize), head: parts, out: message}})
	}
	return message, nil
}

// VerifyNext is an aggregator's last step on a report, and returns its output share.
func (v *VDAF) VerifyNext(st *VerifyState, message []byte) ([]byte, error) {
	if err := checkSize("verifier message", message, v.MessageSize()); err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare(st.seed, message) != 1 {
		return nil, ErrInvalid
	}
	return st.out, nil
}
