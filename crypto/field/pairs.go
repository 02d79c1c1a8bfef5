package field

// pairsMost bounds the columns for which vector code sums pairs: as many numbers of 128 bits, or products, add up in its words.
const pairsMost = 512

// PairScratch is the length of the scratch space for PairSums on so many rows of chunk elements.
func PairScratch(rows, chunk int) int {
	size := rows*(pairsWidth(chunk)+(chunk+15)/16) + 2*chunk
	if chunk <= pairsMost {
		size = max(size, 14*chunk+(rows+7)&^7*(rows+1))
	}
	return size
}

// pairsWidth is the length of a row in scratch space: a multiple of four, with zeros at the end.
func pairsWidth(chunk int) int { return (chunk + 3) &^ 3 }

func (f F128) PairSums(s, r []Elem128, seeds, rows []byte, scratch []Elem128) {
	if pairSumsIFMA(s, r, seeds, rows, scratch) {
		return
	}
	u, rest, chunk := pairRows(f, s, r, seeds, rows, scratch)
	if !sumAllEitherAVX2(s, u, rows, chunk, rest) {
		sumAllEither(f, s, u, rows, chunk)
	}
}

func (f F64) PairSums(s, r []Elem64, seeds, rows []byte, scratch []Elem64) {
	u, _, chunk := pairRows(f, s, r, seeds, rows, scratch)
	sumAllEither(f, s, u, rows, chunk)
}

// pairRows writes the first row and the first column of s, those of the seeds, and the vectors u of all other rows to scratch space,
// of which it returns the rest.
func pairRows[E comparable](f Field[E], s, r []E, seeds, rows []byte, scratch []E) (u, rest []E, chunk int) {
	n, size := 1+len(r), f.Size()
	chunk = len(seeds) / (2 * size)
	width := pairsWidth(chunk)
	first, second, u := scratch[:chunk], scratch[chunk:2*chunk], scratch[2*chunk:]
	for j := range chunk {
		first[j], second[j] = f.Decode(seeds[2*j*size:]), f.Decode(seeds[(2*j+1)*size:])
	}
	f.SumGaps(s[1:n], first, rows)
	for k := range r {
		v := u[k*width : (k+1)*width]
		f.GatedPowers(v[:chunk], r[k], rows[k*chunk:])
		clear(v[chunk:])
		z := f.Sub(s[k+1], f.Inner(v[:chunk], second))
		s[k+1], s[(k+1)*n] = z, z
	}
	return u[:len(r)*width], u[len(r)*width:], chunk
}

// pairsBlock is the number of rows that stay in the nearest cache while all others pass by.
const pairsBlock = 8

// sumAllEither fills the rest of s but for its diagonal. For two rows k and l, u[k]·v[l] + u[l]·v[k] is zero in a column where both have a
// 1 or both a 0, and else the one of u[k] and u[l] that is not zero.
func sumAllEither[E comparable](f Field[E], s, u []E, rows []byte, chunk int) {
	n, width := len(rows)/chunk+1, pairsWidth(chunk)
	for from := 0; from < n-1; from += pairsBlock {
		for l := from + 1; l < n-1; l++ {
			for k := from; k < min(l, from+pairsBlock); k++ {
				z := f.SumEither(u[k*width:][:chunk], u[l*width:], rows[k*chunk:], rows[l*chunk:])
				s[(k+1)*n+l+1], s[(l+1)*n+k+1] = z, z
			}
		}
	}
}
