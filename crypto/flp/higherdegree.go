package flp

import "candor/crypto/field"

// higherDegree is a circuit for test vectors only: the measurement is 0, 1 or 2, checked by a gadget of degree 3.
type higherDegree struct{ field.F64 }

// NewHigherDegree returns the system whose published vectors exercise a gadget of degree 3, x·(x−1)·(x−2).
func NewHigherDegree() (System, error) {
	f := field.F64{}
	s := shape{input: 1, meas: 1, output: 1, maxOutput: 2, outputs: 1, arity: 1, degree: 3, calls: 1}
	g := polyEval[field.Elem64]{f, []field.Elem64{2, f.Sub(0, 3)}}
	return newSystem(f, s, g, higherDegree{})
}

func (higherDegree) encode(dst []byte, m []uint64) error {
	if m[0] > 2 {
		return ErrMeasurement
	}
	dst[0] = byte(m[0])
	return nil
}

func (higherDegree) outputs(out, calls []field.Elem64, _ []byte, _ field.Elem64) { copy(out, calls) }

func (higherDegree) truncate(dst, meas []byte) { copy(dst, meas) }
