package flp

func (w *worker[E]) Query(verifier, meas, proof, queryRand, jointRand []byte) bool {
	f, size := w.field, w.field.Size()
	seeds, values := proof[:w.arity*size], proof[w.arity*size:]
	f.DecodeEvery(w.joint, jointRand, 1)

	t := f.Decode(queryRand[len(queryRand)-size:])
	if w.square(t) == f.FromUint64(1) {
		return false // t^p = 1: the wires at t would show the measurement
	}
	f.Lagrange(w.weights, w.invP, w.powers, w.inverse)

	f.DecodeEvery(w.outs, values[w.cosets*size:], w.cosets)
	w.circuit.outputs(w.out, w.outs, meas, w.invShares)
	v := w.out[0]
	if w.shape.outputs > 1 {
		v = f.Dot(w.out, queryRand, 1)
	}
	f.Encode(verifier, v)
	w.gadget.query(w, verifier[size:(1+w.arity)*size], meas, seeds)
	f.Encode(verifier[(1+w.arity)*size:], w.evalProof(t, values))
	return true
}

// square fills powers with t^(2^b) for each b < log and returns t^p.
func (w *worker[E]) square(t E) E {
	for b := range w.powers {
		w.powers[b] = t
		t = w.field.Mul(t, t)
	}
	return t
}

// evalProof returns the gadget polynomial at t, straight from its values. Values c, c+n/p, c+2n/p … stand on the p-th roots
// shifted by w_n^c, where the weights are those of the p-th roots at t·w_n^−c times (u^n − 1)/(u^p − 1)·p/n,
// u = t·w_n^−c. That factor is the product of (1 + u^(p·2^b))/2.
func (w *worker[E]) evalProof(t E, values []byte) E {
	f, size := w.field, w.field.Size()
	sum := f.FromUint64(0)
	for c, shift := range w.shifts {
		factor := f.FromUint64(1)
		weights := w.weights
		u := t
		if c > 0 {
			u = f.Mul(t, shift)
		}
		z := w.square(u)
		for r := w.cosets; r > 1; r >>= 1 {
			factor = f.Mul(f.Mul(factor, w.half), f.Add(f.FromUint64(1), z))
			z = f.Mul(z, z)
		}
		if c > 0 {
			weights = w.other
			f.Lagrange(weights, w.invP, w.powers, w.inverse)
		}
		part := f.Dot(weights[:(w.m-c+w.cosets-1)/w.cosets], values[c*size:], w.cosets)
		for q, k := range w.missing {
			if i := w.m + q; i%w.cosets == c {
				part = f.Add(part, f.Mul(weights[i/w.cosets], f.Dot(k, values, 1)))
			}
		}
		sum = f.Add(sum, f.Mul(factor, part))
	}
	return sum
}

func (w *worker[E]) Decide(verifier []byte) bool {
	f, size := w.field, w.field.Size()
	zero := f.Decode(verifier) == f.FromUint64(0)
	last := f.Decode(verifier[(1+w.arity)*size:])
	return w.gadget.eval(verifier[size:(1+w.arity)*size]) == last && zero
}
