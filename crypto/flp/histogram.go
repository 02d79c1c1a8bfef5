package flp

import (
	"crypto/subtle"

	"candor/crypto/field"
)

// histogram is the circuit of Prio3Histogram: as many bits as there are buckets, of which exactly one is set.
type histogram struct{ field.F128 }

// NewHistogram returns the system of Prio3Histogram for a histogram of length buckets. A measurement is an index.
func NewHistogram(length, chunk uint32) (System, error) {
	if length > MaxElements {
		return nil, ErrParameter
	}
	s := shape{input: 1, meas: int(length), output: int(length), maxOutput: 1, outputs: 2}
	g, err := newRangeCheck(field.F128{}, &s, chunk)
	if err != nil {
		return nil, err
	}
	return newSystem(field.F128{}, s, g, histogram{})
}

func (histogram) encode(dst []byte, m []uint64) error {
	if m[0] >= uint64(len(dst)) {
		return ErrMeasurement
	}
	for i := range dst {
		dst[i] = byte(subtle.ConstantTimeEq(int32(i), int32(m[0])))
	}
	return nil
}

func (c histogram) outputs(out, calls []field.Elem128, meas []byte, invShares field.Elem128) {
	out[0] = total(c.F128, calls)
	out[1] = c.Sub(c.Sum(meas), invShares)
}

func (histogram) truncate(dst, meas []byte) { copy(dst, meas) }
