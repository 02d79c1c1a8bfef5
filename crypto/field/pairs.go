package field

// pairsMost bounds the columns for which vector code sums pairs: as many numbers of 128 bits, or products, add up in its words.
const pairsMost = 512

// PairScratch is the length of the scratch space for PairSums on so many rows of chunk elements.
func PairScratch(rows, chunk int) int {
	if chunk > pairsMost {
		return chunk
	}
	return 14*chunk + (rows+7)&^7*(rows+1)
}

func (f F128) PairSums(s, r []Elem128, seeds, rows []byte, scratch []Elem128) {
	if !pairSumsIFMA(s, r, seeds, rows, scratch) {
		pairSums(f, s, r, seeds, rows, scratch)
	}
}

func (f F64) PairSums(s, r []Elem64, seeds, rows []byte, scratch []Elem64) {
	pairSums(f, s, r, seeds, rows, scratch)
}

func pairSums[E comparable](f Field[E], s, r []E, seeds, rows []byte, scratch []E) {
	n, size := 1+len(r), f.Size()
	chunk := len(seeds) / (2 * size)
	u := scratch[:chunk]
	for k := range n {
		if k == 0 {
			for j := range u {
				u[j] = f.Decode(seeds[2*j*size:])
			}
		} else {
			f.GatedPowers(u, r[k-1], rows[(k-1)*chunk:k*chunk])
		}
		s[k*n] = f.Sub(f.FromUint64(0), f.Dot(u, seeds[size:], 2))
		f.SumGaps(s[k*n+1:(k+1)*n], u, rows)
	}
	f.Symmetrize(s, n)
}
