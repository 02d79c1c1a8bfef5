// Package keccak is Keccak-p[1600, 12], the permutation of TurboSHAKE128: the last 12 rounds of Keccak-f[1600], for one
// state, and for four or eight states at once (FIPS 202, "Keccak-p Permutations"; RFC 9861, "TurboSHAKE").
//
// It is the permutation and the moving of blocks in and out of states, nothing else: padding, domain separation and
// the order of absorbing and squeezing belong to the caller. Everything here runs in time that depends on lengths only, and
// gives the same result on every path; which machine code runs is chosen once from the CPU's features (see Path).
package keccak

import "encoding/binary"

//go:generate go run gen/main.go

// Rate is the number of bytes of a state that TurboSHAKE128 absorbs into and squeezes from: 1600/8 less a capacity of
// 32 bytes. It is 21 words.
const Rate = 168

// blockWords is the number of 64-bit words in a block.
const blockWords = Rate / 8

// roundConstants are those of iota in the last 12 of the 24 rounds.
var roundConstants = [12]uint64{
	0x000000008000808b, 0x800000000000008b, 0x8000000000008089, 0x8000000000008003,
	0x8000000000008002, 0x8000000000000080, 0x000000000000800a, 0x800000008000000a,
	0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008,
}

// Permute12 applies Keccak-p[1600, 12] to s. Byte i of the state, as FIPS 202 counts them, is byte i%8, counted from
// the least significant, of s[i/8].
func Permute12(s *[25]uint64) { permute(s) }

// XORBlock XORs p into the first len(p) bytes of s. It panics if p is longer than Rate.
func XORBlock(s *[25]uint64, p []byte) {
	if len(p) != Rate {
		xorLane(s[:], 1, 0, p)
		return
	}
	for i := 0; i < blockWords; i += 7 {
		w, b := (*[7]uint64)(s[i:]), (*[7 * 8]byte)(p[8*i:])
		w[0] ^= binary.LittleEndian.Uint64(b[0:])
		w[1] ^= binary.LittleEndian.Uint64(b[8:])
		w[2] ^= binary.LittleEndian.Uint64(b[16:])
		w[3] ^= binary.LittleEndian.Uint64(b[24:])
		w[4] ^= binary.LittleEndian.Uint64(b[32:])
		w[5] ^= binary.LittleEndian.Uint64(b[40:])
		w[6] ^= binary.LittleEndian.Uint64(b[48:])
	}
}

// ReadBlock copies the first len(p) bytes of s to p. It panics if p is longer than Rate.
func ReadBlock(s *[25]uint64, p []byte) {
	if len(p) != Rate {
		readLane(s[:], 1, 0, p)
		return
	}
	for i := 0; i < blockWords; i += 7 {
		w, b := (*[7]uint64)(s[i:]), (*[7 * 8]byte)(p[8*i:])
		binary.LittleEndian.PutUint64(b[0:], w[0])
		binary.LittleEndian.PutUint64(b[8:], w[1])
		binary.LittleEndian.PutUint64(b[16:], w[2])
		binary.LittleEndian.PutUint64(b[24:], w[3])
		binary.LittleEndian.PutUint64(b[32:], w[4])
		binary.LittleEndian.PutUint64(b[40:], w[5])
		binary.LittleEndian.PutUint64(b[48:], w[6])
	}
}

func checkBlock(p []byte) {
	if len(p) > Rate {
		panic("keccak: internal error: block longer than the rate")
	}
}

// partial is the little-endian number in p, which is shorter than eight bytes.
func partial(p []byte) uint64 {
	var last [8]byte
	copy(last[:], p)
	return binary.LittleEndian.Uint64(last[:])
}

// readPartial copies the first len(p) bytes of word, fewer than eight, to p.
func readPartial(word uint64, p []byte) {
	var last [8]byte
	binary.LittleEndian.PutUint64(last[:], word)
	copy(p, last[:])
}
