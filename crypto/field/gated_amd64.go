//go:build amd64 && !purego

package field

import "math/bits"

// gatedSumsAVX2 sums table[i+n−k] for i < 16 over those k from 1 to n for which gates[k−1] is 1, modulo 2^64, and what these have
// above 32 bits. table starts at its element 0.
//
//go:noescape
func gatedSumsAVX2(sums, high *[16]uint64, table *Elem64, gates *byte, n int)

// GatedSums sets dst[i] = s·table[i+n] + Σ table[i+n−k] over those k from 1 to n = len(gates) for which gates[k−1] is 1; the others
// are 0. It does so unless it returns false: on the path "go", and where dst is not a multiple of 16 elements.
func (F64) GatedSums(dst []Elem64, s Elem64, table []Elem64, gates []byte) bool {
	n := len(gates)
	if current < pathAVX2 || n == 0 || len(dst)%16 != 0 {
		return false
	}
	table = table[:len(dst)+n]
	var sums, high [16]uint64
	for ; len(dst) > 0; dst, table = dst[16:], table[16:] {
		gatedSumsAVX2(&sums, &high, &table[0], &gates[0], n)
		for i, h := range high {
			low := sums[i] - h<<32 // of all their lower halves; it does not wrap
			hi, lo := bits.Mul64(uint64(s), uint64(table[i+n]))
			lo, c := bits.Add64(lo, low, 0)
			hi += c
			lo, c = bits.Add64(lo, h<<32, 0)
			dst[i] = Elem64(reduce64(hi+h>>32+c, lo))
		}
	}
	return true
}
