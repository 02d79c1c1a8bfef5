package flp

import "candor/crypto/field"

// multihot is the circuit of Prio3MultihotCountVec: bits, followed by the number of those that are set, encoded as an integer up to a bound.
type multihot struct {
	field.F128
	length int
	bound  bound
}

// NewMultihotCountVec returns the system of Prio3MultihotCountVec for length bits of which at most maxWeight are set.
func NewMultihotCountVec(length uint32, maxWeight uint64, chunk uint32) (System, error) {
	if length > MaxElements || maxWeight == 0 || maxWeight > uint64(length) {
		return nil, ErrParameter
	}
	b := newBound(maxWeight)
	s := shape{input: int(length), meas: int(length) + b.bits, output: int(length), maxOutput: 1, outputs: 2}
	g, err := newRangeCheck(field.F128{}, &s, chunk)
	if err != nil {
		return nil, err
	}
	return newSystem(field.F128{}, s, g, multihot{length: int(length), bound: b})
}

func (c multihot) encode(dst []byte, m []uint64) error {
	var weight, all uint64
	for i, x := range m {
		dst[i] = byte(x & 1)
		weight += x & 1
		all |= x
	}
	if in := c.bound.encode(dst[c.length:], weight); !in || all > 1 {
		return ErrMeasurement
	}
	return nil
}

func (c multihot) outputs(out, calls []field.Elem128, meas []byte, _ field.Elem128) {
	out[0] = total(c.F128, calls)
	var weight [16]byte
	n := c.length * c.Size()
	c.Weigh(weight[:], meas[n:], c.bound.bits, c.bound.last)
	out[1] = c.Sub(c.Sum(meas[:n]), c.Decode(weight[:]))
}

func (c multihot) truncate(dst, meas []byte) { copy(dst, meas) }
