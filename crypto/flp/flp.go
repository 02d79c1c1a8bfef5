// Package flp is the proof system inside Prio3: a Client proves that an encoded measurement satisfies a validity circuit, and
// servers that each hold an additive share of measurement and proof check it together.
//
// A circuit is one short file (count.go, histogram.go, …): how a measurement is encoded as small integers, which gadget it
// calls on which elements, what its outputs are and what remains of the measurement for aggregation. The prover and the
// verifiers are written once for all of them, in system.go, prove.go and query.go.
//
// Vectors cross the package boundary in encoded form (see package field), and none of the functions allocates: scratch space lives in a
// Worker. Except for the errors of parameters and measurements, everything runs in time that depends on lengths only.
// (VDAF, Fully Linear Proof System, The FLP Construction.)
package flp

import (
	"errors"

	"candor/crypto/field"
)

// ErrMeasurement says that a measurement has the wrong length or is out of range. It never says which value it was.
var ErrMeasurement = errors.New("flp: measurement has the wrong length or a value out of range")

// ErrParameter says that a circuit's parameters make no sense or exceed what this implementation supports.
var ErrParameter = errors.New("flp: parameter out of range")

// MaxElements bounds the elements of a measurement and of a proof, and so the memory of a share.
const MaxElements = 1 << 22

// Sizes are the lengths of a system's vectors, in field elements.
type Sizes struct {
	Input     int // one plain measurement, in uint64
	Meas      int // the encoded measurement
	Proof     int
	Verifier  int
	Output    int // what is aggregated
	ProveRand int
	QueryRand int
	JointRand int
}

// A System is the proof system for one circuit. It is immutable and safe for concurrent use.
type System interface {
	// Field is the field of all vectors.
	Field() field.Vector
	Sizes() Sizes
	// MaxOutput is the largest value of one element of the output of one valid measurement.
	MaxOutput() uint64
	// Encode writes the measurement m as one small integer per element.
	Encode(dst []byte, m []uint64) error
	// Truncate maps a measurement share to an output share.
	Truncate(dst, meas []byte)
	// NewWorker returns scratch space to prove, and to verify among this number of shares.
	NewWorker(shares int) Worker
}

// A Worker proves and verifies with its own scratch space. It must not be used concurrently. All vectors are encoded and valid, and have
// the lengths that Sizes tells.
type Worker interface {
	// Prove writes a proof that the measurement is valid. meas is what Encode wrote.
	Prove(proof, meas, proveRand, jointRand []byte)
	// Query writes a share of the verifier from shares of measurement and proof. It returns false where the query point is a root of
	// unity, on which the report must be rejected.
	Query(verifier, meas, proof, queryRand, jointRand []byte) bool
	// Decide reports whether the sum of all verifier shares proves the measurement valid.
	Decide(verifier []byte) bool
}
