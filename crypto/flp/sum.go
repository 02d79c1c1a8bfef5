package flp

import "candor/crypto/field"

// sum is the circuit of Prio3Sum: the measurement is an integer up to a bound, as bits, each of which is checked by x² − x = 0.
type sum struct {
	field.F64
	bound bound
}

// NewSum returns the system of Prio3Sum for integers from 0 to max.
func NewSum(max uint64) (System, error) {
	if max == 0 || max >= field.Modulus64 {
		return nil, ErrParameter
	}
	b := newBound(max)
	s := shape{
		input: 1, meas: b.bits, output: 1, maxOutput: max,
		outputs: b.bits, arity: 1, degree: 2, calls: b.bits,
	}
	return newSystem(field.F64{}, s, newBitCheck(), sum{bound: b})
}

func (c sum) encode(dst []byte, m []uint64) error {
	if !c.bound.encode(dst, m[0]) {
		return ErrMeasurement
	}
	return nil
}

func (sum) outputs(out, calls []field.Elem64, _ []byte, _ field.Elem64) { copy(out, calls) }

func (c sum) truncate(dst, meas []byte) { c.Weigh(dst, meas, c.bound.bits, c.bound.last) }
