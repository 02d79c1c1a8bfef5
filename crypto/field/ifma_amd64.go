//go:build amd64 && !purego

package field

import (
	"math/bits"

	"golang.org/x/sys/cpu"
)

//go:generate go run gen/main.go

func fastest() path {
	switch {
	case cpu.X86.HasAVX2 && cpu.X86.HasAVX512F && cpu.X86.HasAVX512VL && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512IFMA:
		return pathIFMA
	case cpu.X86.HasAVX2:
		return pathAVX2
	}
	return pathGo
}

// The functions in ifma_amd64.s work on blocks of eight elements. A factor is an element multiplied by 2^156, in three limbs of
// 52 bits; the product of a factor and a number is the number times the element. Lengths must be right: they are not checked.

// spreadIFMA writes the factors of eight elements, limb by limb.
//
//go:noescape
func spreadIFMA(dst, src *Elem128)

// rangeColumnsIFMA sums blocks of eight rows of a range check, which lie stride bytes apart from x on; of the last block, lastStride
// bytes apart from last on. sums gets, for each column and each of eight lanes, five limbs of the wire with powers and five of the other.
// table has for each block the factors d, r and w; d is multiplied by r for every column.
//
//go:noescape
func rangeColumnsIFMA(sums, table *Elem128, x *byte, stride uintptr, last *byte, lastStride uintptr, blocks, columns int)

// foldIFMA reduces five limbs of each of eight columns of sums, summed over lanes, plus weight·src + shift. Elements of dst and src
// lie stride bytes apart; they may be the same. It overwrites sums.
//
//go:noescape
func foldIFMA(dst, src *byte, stride uintptr, weight, shift *[3]uint64, sums *Elem128)

// dotIFMA sums the products of w and x, whose elements lie stride bytes apart, limb by limb and in eight lanes.
//
//go:noescape
func dotIFMA(sums *[5][8]uint64, w *Elem128, x *byte, stride uintptr, blocks int)

// innerIFMA is dotIFMA on two vectors of elements.
//
//go:noescape
func innerIFMA(sums *[5][8]uint64, x, y *Elem128, stride uintptr, blocks int)

// weighIFMA writes blocks of eight sums, each of n elements of x times n weights. 1 ≤ n ≤ 51, and the weights' sum is below 2^52.
//
//go:noescape
func weighIFMA(dst, x *byte, weights *uint64, n, blocks int)

// exceedsIFMA returns zero if all elements of x are below the modulus.
//
//go:noescape
func exceedsIFMA(x *byte, blocks int) (over uint64)

// gatedPowersIFMA writes, for each of chunk columns, the limbs of the column's power of eight elements r, the first in the first, or zero for
// the elements whose bit in the column's byte of gates is zero. To dst go the sums of these numbers times the seeds' factors.
//
//go:noescape
func gatedPowersIFMA(u, dst, r *Elem128, gates *byte, seeds *Elem128, chunk int)

// sumGapsIFMA writes eight sums for each row of chunk gaps: of those u, eight numbers in limbs, whose gap is 0xff and not 0. The
// sums of one row are step bytes from those of the one before.
//
//go:noescape
func sumGapsIFMA(dst *Elem128, step uintptr, u *Elem128, gaps *byte, chunk, rows int)

// one156 is 2^156 mod p.
var one156 = Elem128{lo: 1<<64 - 1<<28, hi: 28<<28 - 1}

// factor returns the factor of a.
func factor(a Elem128) [3]uint64 { return limbs(mul128(a.lo, a.hi, one156.lo, one156.hi)) }

func limbs(lo, hi uint64) [3]uint64 {
	const mask = 1<<52 - 1
	return [3]uint64{lo & mask, (lo>>52 | hi<<12) & mask, hi >> 40}
}

// validIFMA checks the first elements of x, and returns 1 if they are below the modulus, else 0, and their length.
func validIFMA(x []byte) (below uint64, n int) {
	if current != pathIFMA || len(x) < 8*16 {
		return 1, 0
	}
	over := exceedsIFMA(&x[0], len(x)/(8*16))
	return 1 &^ ((over | -over) >> 63), len(x) &^ (8*16 - 1)
}

// dotBlocks is how many blocks' products are added up at most: 64 blocks of eight lanes with five summands below 2^52 to a limb
// have sums below 2^64.
const dotBlocks = 64

// addIFMA adds the first products of w and x to t, and returns how many.
func (t *wide128) addIFMA(w []Elem128, x []byte, stride int) (n int) {
	if current != pathIFMA || len(w) < 8 {
		return 0
	}
	_ = x[16*(len(w)-1)*stride+15]
	var sums [5][8]uint64
	for len(w)-n >= 8 {
		blocks := min((len(w)-n)/8, dotBlocks)
		dotIFMA(&sums, &w[n], &x[16*n*stride], uintptr(16*stride), blocks)
		t.addLanes(&sums)
		n += 8 * blocks
	}
	return n
}

// addInnerIFMA adds the first products of a and b to t, and returns how many.
func (t *wide128) addInnerIFMA(a, b []Elem128) (n int) {
	if current != pathIFMA || len(a) < 8 {
		return 0
	}
	b = b[:len(a)]
	var sums [5][8]uint64
	for len(a)-n >= 8 {
		blocks := min((len(a)-n)/8, dotBlocks)
		innerIFMA(&sums, &a[n], &b[n], 16, blocks)
		t.addLanes(&sums)
		n += 8 * blocks
	}
	return n
}

// addLanes adds Σ s[i][lane]·2^(52·i).
func (t *wide128) addLanes(sums *[5][8]uint64) {
	var s [5]uint64
	for i, lanes := range sums {
		for _, lane := range lanes {
			s[i] += lane
		}
	}
	var c uint64
	t.t0, c = bits.Add64(t.t0, s[0], 0)
	t.t1, c = bits.Add64(t.t1, s[1]>>12, c)
	t.t2, c = bits.Add64(t.t2, s[2]>>24, c)
	t.t3, c = bits.Add64(t.t3, s[3]>>36, c)
	t.t4 += s[4]>>48 + c
	t.t0, c = bits.Add64(t.t0, s[1]<<52, 0)
	t.t1, c = bits.Add64(t.t1, s[2]<<40, c)
	t.t2, c = bits.Add64(t.t2, s[3]<<28, c)
	t.t3, c = bits.Add64(t.t3, s[4]<<16, c)
	t.t4 += c
}

// weighManyIFMA is Weigh, unless it returns false: for few sums, large weights, and on another path.
func weighManyIFMA(dst, x []byte, n int, last uint64) bool {
	count := len(dst) / 16
	if current != pathIFMA || count < 8 || n > 51 || last>>51 != 0 {
		return false
	}
	var weights [51]uint64
	for i := range n - 1 {
		weights[i] = 1 << i
	}
	weights[n-1] = last
	x = x[:16*n*count]
	weighIFMA(&dst[0], &x[0], &weights[0], n, count/8)
	if count%8 > 0 {
		// The last eight, some of them once more.
		weighIFMA(&dst[16*(count-8)], &x[16*n*(count-8)], &weights[0], n, 1)
	}
	return true
}
