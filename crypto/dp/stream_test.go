package dp_test

import (
	"encoding/binary"
	"io"

	"github.com/cloudflare/circl/simd/keccakf1600"
)

// A turboShake is the stream TurboSHAKE128(input, D = 1) for an input shorter than one block: RFC 9861, on circl's
// 12-round permutation. The known answers of the samplers are given over it.
type turboShake struct {
	state keccakf1600.StateX4
	lanes []uint64
	block []byte
}

// newStream returns the stream of XofTurboShake128 with an empty domain separation tag, a 32-byte seed whose bytes
// all equal b, and no binder.
func newStream(b byte) io.Reader {
	const rate = 168
	block := make([]byte, rate)
	block[2] = 32
	for i := range 32 {
		block[3+i] = b
	}
	block[35] = 1
	block[rate-1] ^= 0x80
	s := &turboShake{}
	s.lanes = s.state.Initialize(true)
	for i := range rate / 8 {
		s.lanes[4*i] = binary.LittleEndian.Uint64(block[8*i:])
	}
	return s
}

func (s *turboShake) Read(p []byte) (int, error) {
	if len(s.block) == 0 {
		s.state.Permute()
		s.block = make([]byte, 168)
		for i := range 21 {
			binary.LittleEndian.PutUint64(s.block[8*i:], s.lanes[4*i])
		}
	}
	n := copy(p, s.block)
	s.block = s.block[n:]
	return n, nil
}
