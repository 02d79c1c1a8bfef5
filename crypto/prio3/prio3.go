// Package prio3 is Prio3, the verifiable distributed aggregation function that DAP carries: a Client splits its measurement into
// input shares, aggregators check together that it is valid without seeing it, and add up shares of the measurements.
//
// [New] makes one of the five variants for DAP: two aggregators, one proof. A Client calls [VDAF.Shard], or makes a [Sharder] where it has
// many measurements. Each aggregator makes a [Verifier] per worker and gives it batches of reports; the Leader's and the Helper's results are the ping-pong messages of
// DAP. Output shares are added with [VDAF.AddShare], and a Collector joins the two sums with [VDAF.Unshard].
//
// Whatever is secret is handled in time that depends on lengths only. Nothing here reads randomness: it is a parameter.
// (VDAF, Prio3, The Ping-Pong Topology.)
package prio3

import (
	"errors"
	"fmt"

	"candor/crypto/flp"
	"candor/crypto/xof"
)

// Version is the version of VDAF, from draft-irtf-cfrg-vdaf-18 on, which enters all that is hashed.
const Version = 18

// An Algorithm says which variant of Prio3 an instance is.
type Algorithm uint32

const (
	Count            Algorithm = 1 // how many measurements are 1
	Sum              Algorithm = 2 // sum of integers
	SumVec           Algorithm = 3 // sum of vectors of integers
	Histogram        Algorithm = 4 // how many measurements are in each bucket
	MultihotCountVec Algorithm = 5 // how many measurements set each bit, few bits in each
)

func (a Algorithm) String() string {
	switch a {
	case Count:
		return "Prio3Count"
	case Sum:
		return "Prio3Sum"
	case SumVec:
		return "Prio3SumVec"
	case Histogram:
		return "Prio3Histogram"
	case MultihotCountVec:
		return "Prio3MultihotCountVec"
	}
	return fmt.Sprintf("algorithm %#x", uint32(a))
}

const (
	VerifyKeySize = 32
	NonceSize     = 16

	Leader = 0
	Helper = 1
)

var (
	// ErrInvalid says that a report failed verification. It says nothing about how, which would only help a forger.
	ErrInvalid = errors.New("prio3: report is not valid")
	// ErrMalformed says that bytes are not the encoding of what they should be.
	ErrMalformed = errors.New("prio3: malformed encoding")
	// ErrMeasurement says that a measurement is not one of the instance's: a value is out of range, or their number wrong.
	ErrMeasurement = flp.ErrMeasurement
	// ErrParameter says that no instance has the given parameters.
	ErrParameter = flp.ErrParameter
)

// A Config names a variant and its parameters. Those that the variant does not have are zero.
type Config struct {
	Algorithm      Algorithm
	Length         uint32 // elements of a measurement: SumVec, Histogram, MultihotCountVec
	ChunkLength    uint32 // a trade of time for size, best near the square root of the encoded length: as Length
	MaxMeasurement uint64 // largest integer: Sum, SumVec
	MaxWeight      uint64 // most bits set: MultihotCountVec
}

// A VDAF is an instance of Prio3. It is immutable and safe for concurrent use.
type VDAF struct {
	config Config
	id     uint32
	flp    flp.System
	sizes  flp.Sizes
	elem   int // bytes of an element
	shares int
	proofs int
}

// New returns the instance for two aggregators and one proof, as DAP uses it.
func New(c Config) (*VDAF, error) {
	var system flp.System
	var err error
	used := Config{Algorithm: c.Algorithm}
	switch c.Algorithm {
	case Count:
		system, err = flp.NewCount()
	case Sum:
		used.MaxMeasurement = c.MaxMeasurement
		system, err = flp.NewSum(c.MaxMeasurement)
	case SumVec:
		used.Length, used.ChunkLength, used.MaxMeasurement = c.Length, c.ChunkLength, c.MaxMeasurement
		system, err = flp.NewSumVec(c.Length, c.MaxMeasurement, c.ChunkLength)
	case Histogram:
		used.Length, used.ChunkLength = c.Length, c.ChunkLength
		system, err = flp.NewHistogram(c.Length, c.ChunkLength)
	case MultihotCountVec:
		used.Length, used.ChunkLength, used.MaxWeight = c.Length, c.ChunkLength, c.MaxWeight
		system, err = flp.NewMultihotCountVec(c.Length, c.MaxWeight, c.ChunkLength)
	default:
		return nil, fmt.Errorf("making %v: %w", c.Algorithm, ErrParameter)
	}
	if err == nil && used != c {
		err = ErrParameter
	}
	if err != nil {
		return nil, fmt.Errorf("making %v: %w", c.Algorithm, err)
	}
	v, err := NewCustom(uint32(c.Algorithm), system, 2, 1)
	if err != nil {
		return nil, err
	}
	v.config = c
	return v, nil
}

// NewCustom returns an instance that need not be one of DAP's: any algorithm id, proof system, and number of aggregators
// and proofs, of which a circuit with joint randomness over Field64 needs three (VDAF, Choosing FLP Parameters). Test vectors need it.
func NewCustom(id uint32, system flp.System, shares, proofs int) (*VDAF, error) {
	if shares < 2 || shares > 255 || proofs < 1 || proofs > 255 {
		return nil, fmt.Errorf("%d aggregators, %d proofs: %w", shares, proofs, ErrParameter)
	}
	v := &VDAF{
		id: id, flp: system, sizes: system.Sizes(), elem: system.Field().Size(),
		shares: shares, proofs: proofs,
	}
	// A random element of Field64 is guessed too easily: one proof with joint randomness would not convince.
	if few := v.hasJoint() && v.elem == 8 && proofs < 3; few || v.sizes.Proof*proofs > flp.MaxElements {
		return nil, fmt.Errorf("%d proofs: %w", proofs, ErrParameter)
	}
	return v, nil
}

// Config returns what the instance was made from, and the zero Config if NewCustom made it.
func (v *VDAF) Config() Config { return v.config }

// Shares returns the number of aggregators.
func (v *VDAF) Shares() int { return v.shares }

// MeasurementLen is the number of uint64 in a measurement: for Count, Sum and Histogram one, else Length.
func (v *VDAF) MeasurementLen() int { return v.sizes.Input }

// hasJoint tells whether the circuit needs joint randomness, and with it blinds, a public share and a verifier message.
func (v *VDAF) hasJoint() bool { return v.sizes.JointRand > 0 }

// joint is n where there is joint randomness.
func (v *VDAF) joint(n int) int {
	if v.hasJoint() {
		return n
	}
	return 0
}

func (v *VDAF) measSize() int  { return v.sizes.Meas * v.elem }
func (v *VDAF) proofSize() int { return v.proofs * v.sizes.Proof * v.elem }

// vectorSize is the length of the verifier share's elements in bytes.
func (v *VDAF) vectorSize() int { return v.proofs * v.sizes.Verifier * v.elem }

// RandSize is the number of random bytes that Shard needs.
func (v *VDAF) RandSize() int { return (v.shares + v.joint(v.shares)) * xof.SeedSize }

// PublicShareSize is the length of a public share in bytes. All sizes are exact.
func (v *VDAF) PublicShareSize() int { return v.joint(v.shares * xof.SeedSize) }

// InputShareSize is the length of an aggregator's input share.
func (v *VDAF) InputShareSize(aggID int) int {
	if aggID == Leader {
		return v.measSize() + v.proofSize() + v.joint(xof.SeedSize)
	}
	return xof.SeedSize + v.joint(xof.SeedSize)
}

// VerifierShareSize is the length of a verifier share.
func (v *VDAF) VerifierShareSize() int { return v.vectorSize() + v.joint(xof.SeedSize) }

// MessageSize is the length of a verifier message.
func (v *VDAF) MessageSize() int { return v.joint(xof.SeedSize) }

// OutputShareSize is the length of an output share and of an aggregate share.
func (v *VDAF) OutputShareSize() int { return v.sizes.Output * v.elem }

// OutputLen is the number of elements in an output share and in the aggregate result.
func (v *VDAF) OutputLen() int { return v.sizes.Output }
