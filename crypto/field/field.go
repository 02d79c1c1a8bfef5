// Package field is the arithmetic of VDAF's two prime fields, Field64 and Field128, on whole vectors.
//
// A vector is met in two forms. Shares stay in the encoded form they travel in: fixed-width little-endian integers,
// one after another, each below the modulus. Coefficients that meet many shares (Lagrange weights, roots of unity,
// powers of joint randomness) are held as elements ([Elem64], [Elem128]) in whatever internal representation makes
// the product of a coefficient and an encoded share cheap, so that no pass over a share ever converts it.
//
// Every function runs in time that depends on lengths only, never on values, unless its comment says otherwise. Long vectors of Field128,
// and sums in Field64 that bits select, run on vector instructions where the CPU has them (see [Path]), with the same results.
// Code above is generic over [Field], whose methods do whole-vector work; the two implementations are
// [F64] and [F128]. (VDAF, Finite Fields.)
package field

// A Vector is the part of a field that handles encoded vectors and needs no elements. Slices given to its methods hold whole
// elements; lengths that disagree are a programmer error and panic.
type Vector interface {
	// Size is the encoded length of one element in bytes.
	Size() int
	// Valid reports whether every element of x is below the modulus.
	Valid(x []byte) bool
	// Exceeds reports whether the integer hi·2^64 + lo is not below the modulus.
	Exceeds(hi, lo uint64) bool
	// AddTo adds src to dst, element by element.
	AddTo(dst, src []byte)
	// SubTo subtracts src from dst, element by element.
	SubTo(dst, src []byte)
	// FromSmall encodes one small integer per element: dst holds len(small) elements.
	FromSmall(dst, small []byte)
	// Weigh sums each n consecutive elements of x, 1 ≤ n ≤ 64, with the weights 1, 2, 4 … and, for the n-th, last.
	Weigh(dst, x []byte, n int, last uint64)
}

// A Field is one of the two fields with elements of type E, which are always reduced.
type Field[E comparable] interface {
	Vector

	// FromUint64 returns x, which must be below the modulus.
	FromUint64(x uint64) E
	// Decode reads one encoded element, which must be valid.
	Decode(x []byte) E
	// Encode writes one element.
	Encode(dst []byte, a E)
	// DecodeEvery reads dst[i] from element i·stride of x.
	DecodeEvery(dst []E, x []byte, stride int)
	// EncodeEvery writes a[i] as element i·stride of dst.
	EncodeEvery(dst []byte, stride int, a []E)
	Add(a, b E) E
	Sub(a, b E) E
	Mul(a, b E) E
	// Inv returns 1/a, and 0 for 0. It is slow and meant for constants.
	Inv(a E) E
	// Generator returns the element of order 2^k, and k, from which the roots of unity come.
	Generator() (g E, k int)

	// Dot returns Σ w[i]·x[i·stride], reading len(w) elements.
	Dot(w []E, x []byte, stride int) E
	// Sum returns the sum of all elements of x.
	Sum(x []byte) E
	// Scale sets dst[i] = s·x[i] for a vector of elements; dst may be x.
	Scale(dst []E, s E, x []E)
	// Hadamard sets dst[i] = a[i]·b[i]; dst may be a or b.
	Hadamard(dst, a, b []E)
	// Polynomial sets y[i] = x[i]·(x[i]^n + Σ_j c[j]·x[i]^j), where n = len(c) > 0. y may be x.
	Polynomial(y, x, c []E)
	// Inner returns Σ a[i]·b[i].
	Inner(a, b []E) E
	// AddHadamard adds a[i]·b[i] to dst[i].
	AddHadamard(dst, a, b []E)

	// Lagrange fills dst, of length 2^len(powers), given powers[b] = t^(2^b) and inverse[i] = w^−i for i < len(dst)/2, where w
	// is the root of unity of order len(dst): dst[k] = scale·Π_b (1 + (t·w^−k)^(2^b)). With scale = 1/len(dst)
	// those are the weights with which values on the roots w^k interpolate at t.
	Lagrange(dst []E, scale E, powers, inverse []E)
	// Forward evaluates a polynomial, its coefficients in bit-reversed order, on the roots of unity of order len(a), in place and in natural
	// order. roots[i] = w^i for i < len(a)/2.
	Forward(a, roots []E)
	// Backward is the inverse of Forward times len(a): values in natural order become coefficients in
	// bit-reversed order. inverse[i] = w^−i.
	Backward(a, inverse []E)

	// RangeWires folds the wires of a chunked range check at one point. Regard x as a matrix of rows of chunk elements (the last may
	// be short), r as one element per row, w as one weight for the wire seeds and then one per row. For each column j
	//
	//	dst[2j]   = w[0]·seeds[2j]   + Σ_k w[k+1]·r[k]^(j+1)·x[k][j]
	//	dst[2j+1] = w[0]·seeds[2j+1] + Σ_k w[k+1]·x[k][j] + shift
	//
	// dst, seeds and x are encoded. scratch has RangeScratch(len(r)) elements.
	RangeWires(dst, seeds, x []byte, w, r []E, shift E, scratch []E)
	// GatedPowers sets dst[j] = r^(j+1) where gate[j] is 1, and 0 where it is 0.
	GatedPowers(dst []E, r E, gate []byte)
	// SumGaps sets dst[l] = Σ e[j] over those j < len(e) for which gates[l·len(e) + j] is 0; the others are 1.
	SumGaps(dst, e []E, gates []byte)
	// SumEither returns Σ u[j] + v[j] over those j for which exactly one of x[j] and y[j] is 1; the others are 0. u[j] is zero where
	// x[j] is, and v[j] where y[j] is.
	SumEither(u, v []E, x, y []byte) E
	// PairSums fills the n×n matrix s, n = 1+len(r), but for its diagonal. Column j of a range check has two vectors of n elements, u = (seeds[2j],
	// r[0]^(j+1)·rows[j], r[1]^(j+1)·rows[chunk+j] …) and v = (−seeds[2j+1], 1 − rows[j], 1 − rows[chunk+j] …):
	//
	//	s[k·n+l] = Σ_j u[k]·v[l] + u[l]·v[k]
	//
	// All rows are whole, and overwritten. scratch has PairScratch(len(r), chunk) elements.
	PairSums(s, r []E, seeds, rows []byte, scratch []E)
	// PairSum returns Σ x[2j]·x[2j+1] over the encoded vector x of even length.
	PairSum(x []byte) E
}

// Power returns a^n in time that depends on n.
func Power[E comparable](f Field[E], a E, n uint64) E {
	z := f.FromUint64(1)
	for ; n > 0; n >>= 1 {
		if n&1 == 1 {
			z = f.Mul(z, a)
		}
		a = f.Mul(a, a)
	}
	return z
}

// Root returns the principal root of unity of order 2^log.
func Root[E comparable](f Field[E], log int) E {
	w, k := f.Generator()
	for ; k > log; k-- {
		w = f.Mul(w, w)
	}
	return w
}

// Powers returns 1, w, w², … as a vector of n elements.
func Powers[E comparable](f Field[E], w E, n int) []E {
	v := make([]E, n)
	z := f.FromUint64(1)
	for i := range v {
		v[i] = z
		z = f.Mul(z, w)
	}
	return v
}
