//go:build amd64 && !purego

package field

import "encoding/binary"

// lanes is where the elements of a block are in vectors.
var lanes = [8]int{0, 2, 4, 6, 1, 3, 5, 7}

// pairSumsIFMA is PairSums, unless it returns false: for few elements or many columns, and on another path.
func pairSumsIFMA(s, r []Elem128, seeds, rows []byte, scratch []Elem128) bool {
	n, chunk := 1+len(r), len(seeds)/32
	if current != pathIFMA || chunk > pairsMost || len(rows) < 32 {
		return false
	}
	s, rows = s[:n*n], rows[:len(r)*chunk]
	var f F128
	width := (len(r) + 7) &^ 7
	u, scratch := scratch[:12*chunk], scratch[12*chunk:]
	factors, scratch := scratch[:2*chunk], scratch[2*chunk:]
	first, sums := scratch[:width], scratch[width:][:width*len(r)]

	// Row 0 in Go; then rows become gaps.
	for j := range chunk {
		u[j] = f.Decode(seeds[32*j:])
		v := factor(f.Sub(Elem128{}, f.Decode(seeds[32*j+16:])))
		factors[2*j], factors[2*j+1] = Elem128{v[0], v[1]}, Elem128{v[2], 0}
	}
	f.SumGaps(s[1:n], u[:chunk], rows)
	invert(rows)

	// Eight of the vectors u at once, gated by eight rows: their products with the seeds, and with all rows' gaps.
	for k := 0; k < len(r); k += 8 {
		var gates [pairsMost]byte
		for i := range min(8, len(r)-k) {
			for j, gap := range rows[(k+i)*chunk : (k+i+1)*chunk] {
				gates[j] |= (^gap & 1) << lanes[i]
			}
		}
		var r8 [12]Elem128
		spread(r8[:], r[k:])
		gatedPowersIFMA(&u[0], &first[k], &r8[0], &gates[0], &factors[0], chunk)
		sumGapsIFMA(&sums[k], uintptr(16*width), &u[0], &rows[0], chunk, len(r))
	}
	for k := range r {
		s[k+1] = f.Add(s[k+1], first[k])
		s[(k+1)*n] = s[k+1]
		for l := range k {
			z := f.Add(sums[k*width+l], sums[l*width+k])
			s[(k+1)*n+l+1], s[(l+1)*n+k+1] = z, z
		}
	}
	return true
}

// invert turns each byte from 1 into 0 and from 0 into 0xff.
func invert(b []byte) {
	const ones = 0x0101010101010101
	for ; len(b) >= 8; b = b[8:] {
		binary.LittleEndian.PutUint64(b, (binary.LittleEndian.Uint64(b)^ones)*0xff)
	}
	for i := range b {
		b[i]--
	}
}
