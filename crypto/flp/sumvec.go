package flp

import "candor/crypto/field"

// sumVec is the circuit of Prio3SumVec: integers up to a bound, as bits, all of them checked in chunks.
type sumVec[E comparable] struct {
	field.Field[E]
	bound bound
}

// NewSumVec returns the system of Prio3SumVec for vectors of length integers from 0 to max.
func NewSumVec(length uint32, max uint64, chunk uint32) (System, error) {
	return newSumVec(field.F128{}, length, max, chunk)
}

// NewSumVec64 is NewSumVec over Field64, which is sound only with three or more proofs.
func NewSumVec64(length uint32, max uint64, chunk uint32) (System, error) {
	if max >= field.Modulus64 {
		return nil, ErrParameter
	}
	return newSumVec(field.F64{}, length, max, chunk)
}

func newSumVec[E comparable](f field.Field[E], length uint32, max uint64, chunk uint32) (System, error) {
	if max == 0 || length == 0 || length > MaxElements {
		return nil, ErrParameter
	}
	b := newBound(max)
	s := shape{input: int(length), meas: int(length) * b.bits, output: int(length), maxOutput: max, outputs: 1}
	g, err := newRangeCheck(f, &s, chunk)
	if err != nil {
		return nil, err
	}
	return newSystem(f, s, g, sumVec[E]{f, b})
}

func (c sumVec[E]) encode(dst []byte, m []uint64) error {
	ok := true
	for i, x := range m {
		in := c.bound.encode(dst[i*c.bound.bits:], x)
		ok = ok && in
	}
	if !ok {
		return ErrMeasurement
	}
	return nil
}

func (c sumVec[E]) outputs(out, calls []E, _ []byte, _ E) { out[0] = total(c.Field, calls) }

func (c sumVec[E]) truncate(dst, meas []byte) {
	if c.bound.bits == 1 {
		copy(dst, meas)
		return
	}
	c.Weigh(dst, meas, c.bound.bits, c.bound.last)
}

// total adds elements.
func total[E comparable](f field.Field[E], v []E) E {
	sum := f.FromUint64(0)
	for _, x := range v {
		sum = f.Add(sum, x)
	}
	return sum
}
