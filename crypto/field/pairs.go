package field

// pairsMost bounds the columns for which vector code sums pairs: as many numbers of 128 bits, or products, add up in its words.
const pairsMost = 512

// PairScratch is the length of the scratch space for PairSums on so many rows of chunk elements.
func PairScratch(rows, chunk int) int {
	size := (rows + 1) * chunk
	if chunk <= pairsMost {
		size = max(size, 14*chunk+(rows+7)&^7*(rows+1))
	}
	return size
}

func (f F128) PairSums(s, r []Elem128, seeds, rows []byte, scratch []Elem128) {
	if !pairSumsIFMA(s, r, seeds, rows, scratch) {
		pairSums(f, s, r, seeds, rows, scratch)
	}
}

func (f F64) PairSums(s, r []Elem64, seeds, rows []byte, scratch []Elem64) {
	pairSums(f, s, r, seeds, rows, scratch)
}

// pairsBlock is the number of rows that stay in the nearest cache while all others pass by.
const pairsBlock = 8

// pairSums sets apart the seeds, which are any elements. Of two other rows, u[k]·v[l] + u[l]·v[k] is zero in a column where both have a 1 or both
// a 0, and else the one u that is not zero.
func pairSums[E comparable](f Field[E], s, r []E, seeds, rows []byte, scratch []E) {
	n, size := 1+len(r), f.Size()
	chunk := len(seeds) / (2 * size)
	first, u := scratch[:chunk], scratch[chunk:]
	for j := range first {
		first[j] = f.Decode(seeds[2*j*size:])
	}
	f.SumGaps(s[1:n], first, rows)
	for k := range r {
		f.GatedPowers(u[k*chunk:(k+1)*chunk], r[k], rows[k*chunk:])
		z := f.Sub(s[k+1], f.Dot(u[k*chunk:(k+1)*chunk], seeds[size:], 2))
		s[k+1], s[(k+1)*n] = z, z
	}
	for from := 0; from < len(r); from += pairsBlock {
		for l := from + 1; l < len(r); l++ {
			for k := from; k < min(l, from+pairsBlock); k++ {
				z := f.SumEither(u[k*chunk:(k+1)*chunk], u[l*chunk:], rows[k*chunk:], rows[l*chunk:])
				s[(k+1)*n+l+1], s[(l+1)*n+k+1] = z, z
			}
		}
	}
}
