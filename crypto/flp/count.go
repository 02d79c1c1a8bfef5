package flp

import "candor/crypto/field"

// count is the circuit of Prio3Count: the measurement is 0 or 1, which holds where x·x = x.
type count struct{ field.F64 }

// NewCount returns the system of Prio3Count.
func NewCount() (System, error) {
	s := shape{input: 1, meas: 1, output: 1, maxOutput: 1, outputs: 1, arity: 2, degree: 2, calls: 1}
	return newSystem(field.F64{}, s, square[field.Elem64]{field.F64{}}, count{})
}

func (count) encode(dst []byte, m []uint64) error {
	if m[0] > 1 {
		return ErrMeasurement
	}
	dst[0] = byte(m[0])
	return nil
}

func (c count) outputs(out, calls []field.Elem64, meas []byte, _ field.Elem64) {
	out[0] = c.Sub(calls[0], c.Decode(meas))
}

func (count) truncate(dst, meas []byte) { copy(dst, meas) }
