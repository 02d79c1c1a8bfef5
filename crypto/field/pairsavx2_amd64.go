//go:build amd64 && !purego

package field

import "math/bits"

// eitherMost bounds the columns for which sums of digits stay below 2^15: 64 groups, of two digits each.
const eitherMost = 256

// interleaveAVX2 turns the bytes of four elements at a time, a group, into 16 digits of four columns: first the lowest bytes of the four elements.
//
//go:noescape
func interleaveAVX2(v *Elem128, groups int)

// sumEitherAVX2 is SumEither for a row u and each of four rows from v on, stride bytes apart, all of them interleaved; the rows' bits, one to a byte, are
// bitStride bytes apart. A sum is Σ sums[i]·2^(16·i). groups is at most eitherMost/4.
//
//go:noescape
func sumEitherAVX2(sums *[4][8]uint64, u, uBits, v, vBits *Elem128, stride, bitStride uintptr, groups int)

// sumAllEitherAVX2 is sumAllEither, unless it returns false: for less than four rows or many columns, and on another path.
func sumAllEitherAVX2(s, u []Elem128, rows []byte, chunk int, scratch []Elem128) bool {
	n := len(rows)/chunk + 1
	if current < pathAVX2 || n < 5 || chunk > eitherMost {
		return false
	}
	width, bitWidth := pairsWidth(chunk), (chunk+15)/16
	gates := scratch[:(n-1)*bitWidth]
	for k := range n - 1 {
		for j := range bitWidth {
			var b [16]byte
			copy(b[:], rows[k*chunk+16*j:(k+1)*chunk])
			g := &gates[k*bitWidth+j]
			g.lo, g.hi = load128(b[:])
		}
	}
	interleaveAVX2(&u[0], (n-1)*width/4)
	var sums [4][8]uint64
	for l := 1; l < n-1; l += 4 {
		first := min(l, n-5) // the last four rows may be among those before
		for k := range min(l+3, n-2) {
			sumEitherAVX2(&sums, &u[k*width], &gates[k*bitWidth], &u[first*width], &gates[first*bitWidth], uintptr(16*width), uintptr(16*bitWidth), width/4)
			for i := range sums {
				if m := first + i; m > k {
					var z Elem128
					z.lo, z.hi = foldDigits(&sums[i])
					s[(k+1)*n+m+1], s[(m+1)*n+k+1] = z, z
				}
			}
		}
	}
	return true
}

// foldDigits reduces Σ d[i]·2^(16·i), d[i] < 2^25.
func foldDigits(d *[8]uint64) (lo, hi uint64) {
	a, b := d[2]+d[3]<<16, d[6]+d[7]<<16
	lo, c := bits.Add64(d[0]+d[1]<<16, a<<32, 0)
	hi, top := bits.Add64(d[4]+d[5]<<16, a>>32, c)
	hi, c = bits.Add64(hi, b<<32, 0)
	return settle128(lo, hi, top+b>>32+c)
}
