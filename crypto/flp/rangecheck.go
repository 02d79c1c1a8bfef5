package flp

import "candor/crypto/field"

// rangeCheck is the gadget ParallelSum of Mul, called once for each row of chunk elements: with r the row's element of joint
// randomness, column j of it is the product of r^(j+1)·x and x − 1. All outputs are zero, except with small probability, only if
// each x is 0 or 1. The last row is padded with zeros.
type rangeCheck[E comparable] struct {
	field field.Field[E]
	chunk int
}

// newRangeCheck completes the shape of a circuit that checks every element of its measurement.
func newRangeCheck[E comparable](f field.Field[E], s *shape, chunk uint32) (gadget[E], error) {
	if chunk == 0 || s.meas == 0 || 2*int64(chunk) > MaxElements {
		return nil, ErrParameter
	}
	s.arity, s.degree = 2*int(chunk), 2
	s.calls = (s.meas + int(chunk) - 1) / int(chunk)
	s.joint = s.calls
	return rangeCheck[E]{f, int(chunk)}, nil
}

func (g rangeCheck[E]) eval(wires []byte) E { return g.field.PairSum(wires) }

func (g rangeCheck[E]) query(w *worker[E], dst, meas, seeds []byte) {
	f := g.field
	weights := w.weights[:1+w.shape.calls]
	shift := f.FromUint64(0)
	for _, l := range weights[1:] {
		shift = f.Sub(shift, l)
	}
	shift = f.Mul(shift, w.invShares)
	f.RangeWires(dst, seeds, meas, weights, w.joint, shift, w.scratch)
}

// maxPairs bounds the calls up to which prove works on pairs of rows; above, its time and memory would grow with their square.
const maxPairs = 128

func (g rangeCheck[E]) prove(w *worker[E], out []E, meas, seeds []byte) {
	rows := w.padded(meas, g.chunk)
	if w.shape.calls <= maxPairs {
		g.provePairs(w, out, rows, seeds)
	} else {
		g.proveWires(w, out, rows, seeds)
	}
}

// padded returns the measurement with zeros up to a whole number of rows.
func (w *worker[E]) padded(meas []byte, chunk int) []byte {
	w.rows = append(w.rows[:0], meas...)
	return append(w.rows, make([]byte, w.shape.calls*chunk-len(meas))...)
}

// proveWires evaluates every wire on the shifted roots and multiplies.
func (g rangeCheck[E]) proveWires(w *worker[E], out []E, rows, seeds []byte) {
	f, size, calls := g.field, g.field.Size(), w.shape.calls
	powers := w.matrix(calls * g.chunk)
	for k, r := range w.joint {
		row := k * g.chunk
		f.GatedPowers(powers[row:row+g.chunk], r, rows[row:])
	}
	one := f.FromUint64(1)
	for j := range g.chunk {
		clear(w.a)
		clear(w.b)
		w.a[0], w.b[0] = f.Decode(seeds[2*j*size:]), f.Decode(seeds[(2*j+1)*size:])
		for k := range calls {
			x := k*g.chunk + j
			w.a[k+1], w.b[k+1] = powers[x], f.Sub(f.FromUint64(uint64(rows[x])), one)
		}
		w.extend(w.a)
		w.extend(w.b)
		f.AddHadamard(out, w.a, w.b)
	}
}

// provePairs needs no wire on the shifted roots. Let u_j and v_j be the values of column j's two wires on the roots w^k, and S_kl the sum
// over all j of u_j[k]·v_j[l]. The gadget polynomial is then
//
//	G(X) = Σ_kl S_kl·L_k(X)·L_l(X)
//
// with the Lagrange polynomials L_k. As the measurement is valid, S_kk = 0 but for the seeds, k = 0: these are the values on the
// roots themselves. On the shifted roots, where X^p = −1, L_k(X) = −(2/p)·w^k/(X − w^k), and by partial fractions the product of
// two of them is a combination of the two,
//
//	L_k·L_l = c_(k−l)·L_k + c_(l−k)·L_l,   c_d = (2/p)/(1 − w^d),
//
// so that there G is the polynomial with the values q_k = Σ_l (S_kl + S_lk)·c_(k−l) on the roots, c_0 = 0, plus S_00·L_0². One transform instead of
// two for each column; and since v is 0 or −1, S takes additions, not multiplications. It overwrites rows.
func (g rangeCheck[E]) provePairs(w *worker[E], out []E, rows, seeds []byte) {
	f, n, p := g.field, 1+w.shape.calls, w.p
	size := field.PairScratch(w.shape.calls, g.chunk)
	scratch := w.matrix(size + n*n) // what vectors read most comes first, where the allocator aligns it
	scratch, s := scratch[:size], scratch[size:]
	f.PairSums(s, w.joint, seeds, rows, scratch)
	first := f.PairSum(seeds)
	clear(w.a[:p])
	for k := range n {
		w.a[k] = f.Inner(s[k*n:(k+1)*n], w.pairs[p-1-k:])
	}
	w.extend(w.a)
	out[0] = first
	f.Scale(out[p:], first, w.square0)
	for i, x := range w.a[p:] {
		out[p+i] = f.Add(out[p+i], x)
	}
}

func (rangeCheck[E]) prepare(y *system[E]) {
	if y.calls <= maxPairs {
		y.pairWeights()
	}
}

// pairWeights fills what provePairs needs: pairs[p−1−d] = −c_d for −p < d < p, and the squares of L_0 on the shifted roots.
func (y *system[E]) pairWeights() {
	f, p := y.field, y.p
	one, w := f.FromUint64(1), field.Root(y.field, y.log)
	minus2 := f.Sub(f.FromUint64(0), f.Add(y.invP, y.invP))
	y.pairs = make([]E, 2*p-1)
	x := w
	for d := 1; d < p; d++ {
		y.pairs[p-1-d] = f.Mul(minus2, f.Inv(f.Sub(one, x)))
		x = f.Mul(x, w)
	}
	copy(y.pairs[p:], y.pairs[:p-1]) // c_(d−p) = c_d, and c_0 = 0 stands between
	y.square0 = y.lagrange0()
	f.Hadamard(y.square0, y.square0, y.square0)
}
