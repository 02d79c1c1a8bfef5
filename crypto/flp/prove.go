package flp

func (w *worker[E]) Prove(proof, meas, proveRand, jointRand []byte) {
	w.prepareProof()
	f, size := w.field, w.field.Size()
	f.DecodeEvery(w.joint, jointRand, 1)
	clear(w.g) // the zero element is represented by zero in both fields
	w.gadget.prove(w, w.g, meas, proveRand)
	n := copy(proof, proveRand)
	for c := range w.cosets {
		some := (w.m - c + w.cosets - 1) / w.cosets // of the m values
		f.EncodeEvery(proof[n+c*size:], w.cosets, w.g[c*w.p:][:some])
	}
}

// prepareProof makes the scratch space that only provers need.
func (w *worker[E]) prepareProof() {
	if w.g == nil {
		w.a, w.b, w.g = make([]E, w.n), make([]E, w.n), make([]E, w.n)
		w.coef = make([]E, w.p)
	}
}

// extend takes a polynomial's values on the p-th roots of unity, the first p of v, and adds those on the other cosets.
func (w *worker[E]) extend(v []E) { w.system.extend(v, w.coef) }

func (y *system[E]) extend(v, scratch []E) {
	f, p := y.field, y.p
	copy(scratch, v[:p])
	f.Backward(scratch, y.inverse)
	for c := 1; c < y.cosets; c++ {
		u := v[c*p : (c+1)*p]
		f.Hadamard(u, scratch, y.twists[c])
		f.Forward(u, y.roots)
	}
}

// lagrange0 returns the values on the shifted roots of the polynomial that is 1 at the root w^0 and 0 at the others.
func (y *system[E]) lagrange0() []E {
	v := make([]E, y.n)
	v[0] = y.field.FromUint64(1)
	y.extend(v, make([]E, y.p))
	return v[y.p:]
}

// matrix returns scratch space for n elements.
func (w *worker[E]) matrix(n int) []E {
	if len(w.wide) < n {
		w.wide = make([]E, n)
	}
	return w.wide[:n]
}
