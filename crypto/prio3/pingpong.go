package prio3

import (
	"crypto/subtle"
	"encoding/binary"
	"fmt"

	"candor/crypto/keccak"
)

// The ping-pong messages of two aggregators, as DAP carries them:
//
//	initialize (0): u32 length, verifier share        Leader to Helper
//	finish (2):     u32 length, verifier message      Helper to Leader
//
// The third, continue (1), needs a VDAF of more than one round. (VDAF, The Ping-Pong Topology.)
const (
	messageInitialize = 0
	messageFinish     = 2
	messageHeader     = 5
)

// parseMessage returns the payload of a message of that type and payload length.
func parseMessage(kind byte, size int, b []byte) ([]byte, error) {
	if len(b) != messageHeader+size || b[0] != kind || binary.BigEndian.Uint32(b[1:]) != uint32(size) {
		return nil, fmt.Errorf("ping-pong message is not of type %d with a payload of %d bytes: %w", kind, size, ErrMalformed)
	}
	return b[messageHeader:], nil
}

func appendMessage(dst []byte, kind byte, payload []byte) []byte {
	dst = binary.BigEndian.AppendUint32(append(dst, kind), uint32(len(payload)))
	return append(dst, payload...)
}

// A Report is what an aggregator verifies: its own decrypted input share with what goes with it. The slices are only read.
type Report struct {
	Nonce       [NonceSize]byte
	PublicShare []byte
	InputShare  []byte
	Inbound     []byte // Helper only: the Leader's message
}

// A LeaderState is what the Leader holds while the Helper works on a report. It is secret.
type LeaderState struct {
	seed []byte // the verifier message it expects
	out  []byte // output share
}

// A LeaderResult is the Leader's first step on one report: either Err, or State and the message for the Helper.
type LeaderResult struct {
	State    *LeaderState
	Outbound []byte
	Err      error
}

// A HelperResult is the Helper's only step on one report: either Err, or its output share and the message for the Leader.
type HelperResult struct {
	OutShare []byte
	Outbound []byte
	Err      error
}

// LeaderInit takes the Leader's first step on each report. Results are in order, and one report's error says nothing about
// another. Err is ErrMalformed for shares that do not parse, ErrInvalid for those that cannot be verified.
func (w *Verifier) LeaderInit(reports []Report) []LeaderResult {
	w.mustBe(Leader)
	results := make([]LeaderResult, len(reports))
	w.groups(reports, func(i int, err error) { results[i].Err = err }, func(l *lane) {
		b := make([]byte, messageHeader+len(l.verifier)+len(l.seed)+w.OutputShareSize())
		outbound := appendMessage(b[:0:messageHeader+len(l.verifier)], messageInitialize, l.verifier)
		b = b[len(outbound):]
		state := &LeaderState{seed: b[:w.MessageSize()], out: b[len(l.seed):]}
		copy(state.seed, l.seed[:])
		w.flp.Truncate(state.out, l.meas)
		results[l.index] = LeaderResult{State: state, Outbound: outbound}
	})
	return results
}

// LeaderContinued takes the Leader's last step with the Helper's answer, and returns its output share.
func (w *Verifier) LeaderContinued(st *LeaderState, inbound []byte) ([]byte, error) {
	w.mustBe(Leader)
	message, err := parseMessage(messageFinish, w.MessageSize(), inbound)
	if err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare(st.seed, message) != 1 {
		return nil, ErrInvalid
	}
	return st.out, nil
}

// HelperInit takes the Helper's step on each report, which answers the Leader's message. As in LeaderInit, results are
// independent; a message that does not parse is ErrMalformed too.
func (w *Verifier) HelperInit(reports []Report) []HelperResult {
	w.mustBe(Helper)
	results := make([]HelperResult, len(reports))
	w.groups(reports, func(i int, err error) { results[i].Err = err }, func(l *lane) {
		b := make([]byte, messageHeader+w.MessageSize()+w.OutputShareSize())
		outbound := appendMessage(b[:0:messageHeader+w.MessageSize()], messageFinish, l.seed[:w.MessageSize()])
		out := b[len(outbound):]
		w.flp.Truncate(out, l.meas)
		results[l.index] = HelperResult{OutShare: out, Outbound: outbound}
	})
	return results
}

func (w *Verifier) mustBe(aggID int) {
	if w.agg != aggID || w.shares != 2 {
		panic("prio3: internal error: ping-pong step of the other aggregator, or among more than two")
	}
}

// nearby is how many bytes of a measurement share the nearer caches keep while a report is verified.
const nearby = 32 << 10

// atOnce returns how many reports are verified at once: as many as there are lanes, or one by one where no vector unit would take several and what one
// step reads of a report would have left the nearer caches when the next step comes to it.
func (w *Verifier) atOnce() int {
	if w.measSize() > nearby && keccak.Path() == "go" {
		return 1
	}
	return len(w.lanes)
}

// groups verifies the reports, some at once, and calls fail or done once for each.
func (w *Verifier) groups(reports []Report, fail func(int, error), done func(*lane)) {
	n, atOnce := 0, w.atOnce()
	for i := range reports {
		r := &reports[i]
		l := &w.lanes[n]
		if l.err = w.checkSizes(w.agg, r.PublicShare, r.InputShare); l.err == nil && w.agg == Helper {
			l.err = w.parseInitialize(l, r.Inbound)
		}
		if l.err != nil {
			fail(i, l.err)
			continue
		}
		l.report, l.index = r, i
		if n++; n == atOnce {
			w.group(n, fail, done)
			n = 0
		}
	}
	if n > 0 {
		w.group(n, fail, done)
	}
}

func (w *Verifier) group(n int, fail func(int, error), done func(*lane)) {
	w.init(n)
	if w.agg == Helper {
		w.decide(n)
	}
	for i := range w.lanes[:n] {
		l := &w.lanes[i]
		if l.err != nil {
			fail(l.index, l.err)
		} else {
			done(l)
		}
		l.report, l.meas, l.proof, l.other = nil, nil, nil, nil
	}
}

// parseInitialize takes the Leader's verifier share from its message.
func (w *Verifier) parseInitialize(l *lane, inbound []byte) error {
	share, err := parseMessage(messageInitialize, w.VerifierShareSize(), inbound)
	if err != nil {
		return err
	}
	l.other = share
	return w.checkVerifierShare(share)
}

// decide takes the Helper's second half step on the first n lanes: the two verifier shares are joined, the proof is decided, and the verifier message
// made of both parts of the joint randomness must be the seed that the Helper has itself computed from the public share.
func (w *Verifier) decide(n int) {
	size := w.vectorSize()
	for i := range w.lanes[:n] {
		l := &w.lanes[i]
		w.flp.Field().AddTo(l.verifier[:size], l.other[:size])
		for j := range w.proofs {
			if !w.worker.Decide(nth(l.verifier[:size], j, w.proofs)) {
				l.err = ErrInvalid
			}
		}
		w.in[i] = stream{seed: w.zero[:], head: l.other[size:], tail: l.verifier[size:], out: l.message[:]}
	}
	if !w.hasJoint() {
		return
	}
	w.expander.bytes(usageJointRandSeed, w.in[:n])
	for i := range w.lanes[:n] {
		l := &w.lanes[i]
		if subtle.ConstantTimeCompare(l.seed[:], l.message[:]) != 1 {
			l.err = ErrInvalid
		}
	}
}
