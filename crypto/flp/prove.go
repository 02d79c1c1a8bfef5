package flp

func (w *worker[E]) Prove(proof, meas, proveRand, jointRand []byte) {
	if w.g == nil {
		w.a, w.b, w.g = make([]E, w.n), make([]E, w.n), make([]E, w.n)
		w.coef = make([]E, w.p)
	}
	f, size := w.field, w.field.Size()
	w.decodeJoint(jointRand)
	clear(w.g) // the zero element is represented by zero in both fields
	w.gadget.prove(w, w.g, meas, proveRand)
	n := copy(proof, proveRand)
	for i := range w.m {
		f.Encode(proof[n+i*size:], w.g[i%w.cosets*w.p+i/w.cosets])
	}
}

// extend takes a polynomial's values on the p-th roots of unity, the first p of v, and adds those on the other cosets.
func (w *worker[E]) extend(v []E) {
	f, p := w.field, w.p
	copy(w.coef, v[:p])
	f.Backward(w.coef, w.inverse)
	for c := 1; c < w.cosets; c++ {
		u := v[c*p : (c+1)*p]
		f.Hadamard(u, w.coef, w.twists[c])
		f.Forward(u, w.roots)
	}
}
