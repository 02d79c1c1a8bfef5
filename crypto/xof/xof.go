// Package xof is XofTurboShake128, the extendable output function of VDAF: one stream at a time ([Stream]), and up to eight
// streams at once over the lanes of a vector unit ([Lanes]).
//
// A stream is TurboSHAKE128 with domain byte 1 over
//
//	u16le(len(dst)) || dst || u8(len(seed)) || seed || binder
//
// where dst separates domains and binder is whatever the output is bound to. (VDAF, XofTurboShake128; RFC 9861,
// TurboSHAKE.) Everything runs in time that depends on lengths only, but for the rejection of elements in [Expand].
package xof

import (
	"encoding/binary"
	"errors"

	"candor/crypto/field"
	"candor/crypto/keccak"
)

// SeedSize is the length of a seed in bytes.
const SeedSize = 32

// ErrTooLong is the error of a dst above 65535 bytes, or a seed above 255.
var ErrTooLong = errors.New("xof: domain separation tag or seed is too long")

// Prefix returns the head of the input of every stream with this dst and seed length: all that stands before the seed.
func Prefix(dst []byte, seedLen int) ([]byte, error) {
	if len(dst) > 65535 || seedLen > 255 {
		return nil, ErrTooLong
	}
	p := binary.LittleEndian.AppendUint16(make([]byte, 0, 2+len(dst)+1), uint16(len(dst)))
	p = append(p, dst...)
	return append(p, byte(seedLen)), nil
}

// New returns the stream for a seed and a binder under dst.
func New(dst, seed, binder []byte) (*Stream, error) {
	prefix, err := Prefix(dst, len(seed))
	if err != nil {
		return nil, err
	}
	s := new(Stream)
	s.Write(prefix)
	s.Write(seed)
	s.Write(binder)
	return s, nil
}

// A Stream is a TurboSHAKE128 sponge with domain byte 1: first written to, then read from. The zero value is ready.
type Stream struct {
	state   [25]uint64
	block   [keccak.Rate]byte
	n       int // bytes of block that are filled (writing) or used (reading)
	reading bool
}

// Reset makes s new.
func (s *Stream) Reset() {
	s.state = [25]uint64{}
	s.n, s.reading = 0, false
}

// Write absorbs p. It must not follow a Read.
func (s *Stream) Write(p []byte) {
	if s.reading {
		panic("xof: internal error: write after read")
	}
	if s.n > 0 {
		m := copy(s.block[s.n:], p)
		p = p[m:]
		if s.n += m; s.n < keccak.Rate {
			return
		}
		s.absorb(s.block[:])
		s.n = 0
	}
	for ; len(p) >= keccak.Rate; p = p[keccak.Rate:] {
		s.absorb(p[:keccak.Rate])
	}
	s.n = copy(s.block[:], p)
}

func (s *Stream) absorb(block []byte) {
	keccak.XORBlock(&s.state, block)
	keccak.Permute12(&s.state)
}

// pad appends the domain byte and the padding to the n bytes of a block.
func pad(block *[keccak.Rate]byte, n int) {
	block[n] = 1
	clear(block[n+1:])
	block[keccak.Rate-1] ^= 0x80
}

// Read fills p with the next bytes of the output.
func (s *Stream) Read(p []byte) {
	if !s.reading {
		pad(&s.block, s.n)
		keccak.XORBlock(&s.state, s.block[:])
		s.reading, s.n = true, keccak.Rate
	}
	m := copy(p, s.block[s.n:])
	s.n += m
	for p = p[m:]; len(p) >= keccak.Rate; p = p[keccak.Rate:] {
		keccak.Permute12(&s.state)
		keccak.ReadBlock(&s.state, p[:keccak.Rate])
	}
	if len(p) > 0 {
		keccak.Permute12(&s.state)
		keccak.ReadBlock(&s.state, s.block[:])
		s.n = copy(p, s.block[:])
	}
}

// Expand fills dst with elements of f drawn from s, skipping those that are not below the modulus. Its time tells how many were
// skipped, which says nothing about those kept.
func Expand(f field.Vector, s *Stream, dst []byte) {
	for n := f.Size(); len(dst) > 0; {
		s.Read(dst[:n])
		if f.Valid(dst[:n]) {
			dst = dst[n:]
		}
	}
}
