package flp

import "candor/crypto/field"

// bitCheck is the gadget PolyEval with x² − x, over Field64: zero only for 0 and 1.
type bitCheck struct{ polyEval[field.Elem64] }

func newBitCheck() bitCheck {
	f := field.F64{}
	return bitCheck{polyEval[field.Elem64]{f, []field.Elem64{f.Sub(0, 1)}}}
}

// prove needs no transform where the CPU has vectors: the wire's value at a shifted root is the sum of the Lagrange polynomials of
// those roots at which the wire is 1, and the seed times that of the first root.
func (g bitCheck) prove(w *worker[field.Elem64], out []field.Elem64, meas, seeds []byte) {
	f, v := field.F64{}, w.a[w.p:]
	if !f.GatedSums(v, f.Decode(seeds), w.rotated, meas) {
		g.polyEval.prove(w, out, meas, seeds)
		return
	}
	out[0] = g.eval(seeds)
	f.Polynomial(out[w.p:], v, g.coef)
}

// prepare fills rotated: the Lagrange polynomial L_k at the i-th shifted root is L_0 at the (i−k)-th, and rotated[i+calls−k].
func (bitCheck) prepare(y *system[field.Elem64]) {
	first := y.lagrange0()
	y.rotated = make([]field.Elem64, y.p+y.calls)
	for i := range y.rotated {
		y.rotated[i] = first[(i+y.p-y.calls)%y.p]
	}
}
