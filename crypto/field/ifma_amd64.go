//go:build amd64 && !purego

package field

import (
	"math/bits"

	"golang.org/x/sys/cpu"
)

//go:generate go run gen/main.go

func fastest() path {
	if cpu.X86.HasAVX512F && cpu.X86.HasAVX512VL && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512IFMA {
		return pathIFMA
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

// weighIFMA writes blocks of eight sums, each of n elements of x times n weights. 1 ≤ n ≤ 51, and the weights' sum is below 2^52.
//
//go:noescape
func weighIFMA(dst, x *byte, weights *uint64, n, blocks int)

// exceedsIFMA returns zero if all elements of x are below the modulus.
//
//go:noescape
func exceedsIFMA(x *byte, blocks int) (over uint64)

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

// addIFMA adds the first products of w and x to t, and returns how many.
func (t *wide128) addIFMA(w []Elem128, x []byte, stride int) (n int) {
	if current != pathIFMA {
		return 0
	}
	for len(w)-n >= 8 {
		// With 64 blocks of eight lanes, each of five summands below 2^52 to a limb, the sum over lanes is below 2^64.
		blocks := min((len(w)-n)/8, 64)
		var sums [5][8]uint64
		dotIFMA(&sums, &w[n], &x[16*n*stride], uintptr(16*stride), blocks)
		var s [5]uint64
		for i := range s {
			for _, lane := range sums[i] {
				s[i] += lane
			}
		}
		t.addLimbs(&s)
		n += 8 * blocks
	}
	return n
}

// addLimbs adds Σ s[i]·2^(52·i).
func (t *wide128) addLimbs(s *[5]uint64) {
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
