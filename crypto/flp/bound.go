package flp

import "math/bits"

// A bound is the encoding of integers from 0 to max as bits, such that any bits encode something in range: all but the last
// weigh 1, 2, 4 …, together rest, and the last weighs what is then missing to max. (VDAF, Prio3Sum.)
type bound struct {
	bits       int
	rest, last uint64
}

func newBound(max uint64) bound {
	n := bits.Len64(max)
	rest := uint64(1)<<(n-1) - 1
	return bound{n, rest, max - rest}
}

// encode writes the bits of x, and reports whether x is in range. x in 0 … rest is written in binary, a greater x as last plus the remainder.
func (b bound) encode(dst []byte, x uint64) bool {
	_, high := bits.Sub64(b.rest, x, 0) // 1 if x > rest
	x -= -high & b.last
	_, over := bits.Sub64(b.rest, x, 0)
	for i := range b.bits - 1 {
		dst[i] = byte(x >> i & 1)
	}
	dst[b.bits-1] = byte(high)
	return over == 0
}
