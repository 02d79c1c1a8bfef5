package flp

import (
	"slices"

	"candor/crypto/field"
)

// A gadget is the non-linear part of a circuit together with the way its inputs, the wires, are taken from the measurement.
type gadget[E comparable] interface {
	// eval applies the gadget to encoded wires.
	eval(wires []byte) E
	// prove writes the gadget's value at each point: g[c·p + k] belongs to the k-th root of unity of order p, shifted
	// by the c-th power of that of order n. g is zero before. meas holds small integers, seeds the wires' values at k = 0.
	prove(w *worker[E], g []E, meas, seeds []byte)
	// query writes each wire's value at the point whose weights are w.weights.
	query(w *worker[E], dst, meas, seeds []byte)
}

// polyEval is the gadget PolyEval: a polynomial applied to one element of the measurement in each call. It is zero for 0, and
// for all that stands in a valid measurement.
type polyEval[E comparable] struct {
	field field.Field[E]
	coef  []E // from the linear term up; the greatest is 1, and not here
}

func (g polyEval[E]) eval(wires []byte) E {
	x := g.field.Decode(wires)
	last := len(g.coef) - 1
	y := g.field.Add(x, g.coef[last])
	for _, c := range slices.Backward(g.coef[:last]) {
		y = g.field.Add(g.field.Mul(y, x), c)
	}
	return g.field.Mul(y, x)
}

func (g polyEval[E]) prove(w *worker[E], out []E, meas, seeds []byte) {
	// On the roots of order p, only the seed gives something other than zero.
	w.direct(w.a, meas, seeds)
	out[0] = g.eval(seeds)
	g.field.Polynomial(out[w.p:], w.a[w.p:], g.coef)
}

func (g polyEval[E]) query(w *worker[E], dst, meas, seeds []byte) { w.foldDirect(dst, meas, seeds) }

// square is the gadget Mul with the same element of the measurement on both wires.
type square[E comparable] struct{ field field.Field[E] }

func (g square[E]) eval(wires []byte) E { return g.field.PairSum(wires) }

func (g square[E]) prove(w *worker[E], out []E, meas, seeds []byte) {
	w.direct(w.a, meas, seeds)
	w.direct(w.b, meas, seeds[g.field.Size():])
	g.field.Hadamard(out, w.a, w.b)
}

func (g square[E]) query(w *worker[E], dst, meas, seeds []byte) { w.foldDirect(dst, meas, seeds) }

// direct fills v with the wire that takes element k of the measurement in call k, at all points.
func (w *worker[E]) direct(v []E, meas, seeds []byte) {
	clear(v)
	v[0] = w.field.Decode(seeds)
	for k, x := range meas {
		v[k+1] = w.field.FromUint64(uint64(x))
	}
	w.extend(v)
}

// foldDirect writes such wires' values at the query point: they differ in their seeds only.
func (w *worker[E]) foldDirect(dst, meas, seeds []byte) {
	f, size := w.field, w.field.Size()
	sum := f.Dot(w.weights[1:1+w.shape.calls], meas, 1)
	for ; len(dst) > 0; dst, seeds = dst[size:], seeds[size:] {
		f.Encode(dst, f.Add(sum, f.Mul(w.weights[0], f.Decode(seeds))))
	}
}
