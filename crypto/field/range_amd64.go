//go:build amd64 && !purego

package field

// rangeWiresIFMA is RangeWires, unless it returns false: for small matrices, or where more than a part of the last row is missing,
// and on another path.
func rangeWiresIFMA(dst, seeds, x []byte, w, r []Elem128, shift Elem128, scratch []Elem128) bool {
	chunk := len(dst) / 32
	if current != pathIFMA || len(x) < 16*32 || len(x) <= 16*chunk*(len(r)-1) {
		return false
	}
	sums, table := scratch[:rangeSums], scratch[rangeSums:]
	a := rangeStart{seeds, factor(w[0]), factor(shift)}
	for w = w[1:]; len(r) > 0; {
		rows := min(len(r), 8*rangeTile)
		n := min(len(x), 16*rows*chunk)
		rangeRows(dst, x[:n], w[:rows], r[:rows], a, sums, table)
		x, w, r = x[n:], w[rows:], r[rows:]
		a = rangeStart{src: dst, weight: limbs(one156.lo, one156.hi)}
	}
	return true
}

// A rangeStart is what sums of products are added to: weight·src, and shift on every other wire.
type rangeStart struct {
	src           []byte
	weight, shift [3]uint64
}

// rangeRows writes the sums over at most 8·rangeTile rows, of which x holds all elements that there are.
func rangeRows(dst, x []byte, w, r []Elem128, start rangeStart, sums, table []Elem128) {
	chunk, blocks := len(dst)/32, (len(r)+7)/8
	for i := range blocks {
		b := (*[rangeBlock]Elem128)(table[i*rangeBlock:])
		d, r8, w8 := b[:12], b[12:24], b[24:]
		spread(r8, r[8*i:])
		spread(w8, w[8*i:])
		copy(d, w8)
	}
	// Blocks are read in place, but the last one where rows are missing: what it has goes to edge, with zeros for the rest.
	whole := len(x) == 8*blocks*16*chunk
	var edge [8][8 * 16]byte
	var ends [2 * 8 * 16]byte
	var zero [3]uint64
	for j := 0; j < chunk; j += 8 {
		columns := min(8, chunk-j)
		last, lastStride := &edge[0][0], 8*16
		if whole {
			last, lastStride = &x[16*((blocks-1)*8*chunk+j)], 16*chunk
		} else {
			for i := range edge {
				at := min(16*(((blocks-1)*8+i)*chunk+j), len(x))
				clear(edge[i][copy(edge[i][:16*columns], x[at:]):])
			}
		}
		first := &x[min(16*j, len(x)-1)] // with one block it is not read
		rangeColumnsIFMA(&sums[0], &table[0], first, uintptr(16*chunk), last, uintptr(lastStride), blocks, columns)
		to, from := ends[:], ends[:]
		if columns == 8 {
			to, from = dst[32*j:32*j+256], start.src[32*j:32*j+256]
		} else {
			copy(from, start.src[32*j:])
		}
		foldIFMA(&to[0], &from[0], 32, &start.weight, &zero, &sums[0])
		foldIFMA(&to[16], &from[16], 32, &start.weight, &start.shift, &sums[5*8/2])
		if columns < 8 {
			copy(dst[32*j:], ends[:])
		}
	}
}

// spread writes the limbs of the factors for the first eight elements of src, zero where there are fewer.
func spread(dst, src []Elem128) {
	var ends [8]Elem128
	if len(src) < 8 {
		copy(ends[:], src)
		src = ends[:]
	}
	spreadIFMA(&dst[0], &src[0])
}
