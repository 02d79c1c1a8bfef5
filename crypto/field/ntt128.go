package field

func (F128) Lagrange(dst []Elem128, scale Elem128, powers, inverse []Elem128) {
	// From the top down: the factor with exponent 2^b is the same for all k that agree modulo m = len/2^b, and turns its
	// sign with k + m/2, since w^(−m/2·2^b) = −1. Two multiplications make two values.
	dst[0] = scale
	for b, half := len(powers)-1, 1; b >= 0; b, half = b-1, 2*half {
		s := powers[b]
		for k := range half {
			u, w := dst[k], inverse[k<<b]
			lo, hi := mul128(s.lo, s.hi, w.lo, w.hi)
			lo, hi = mul128(lo, hi, u.lo, u.hi)
			dst[k].lo, dst[k].hi = add128(u.lo, u.hi, lo, hi)
			dst[k+half].lo, dst[k+half].hi = sub128(u.lo, u.hi, lo, hi)
		}
	}
}

func (F128) Forward(a, roots []Elem128) {
	n := len(a)
	for half, step := 1, n/2; half < n; half, step = 2*half, step/2 {
		for i := 0; i < n; i += 2 * half {
			x, y := a[i:i+half], a[i+half:i+2*half]
			for k := range x {
				u, v, w := x[k], y[k], roots[k*step]
				t0, t1, t2 := mulAdd128(0, 0, 0, v.lo, v.hi, w.lo)
				t0, t1, t2 = reduceWord128(t0, t1, t2)
				t0, t1, t2 = mulAdd128(t0, t1, t2, v.lo, v.hi, w.hi)
				t0, t1, t2 = reduceWord128(t0, t1, t2)
				lo, hi := canonical128(t0, t1, t2)
				x[k].lo, x[k].hi = add128(u.lo, u.hi, lo, hi)
				y[k].lo, y[k].hi = sub128(u.lo, u.hi, lo, hi)
			}
		}
	}
}

func (F128) Backward(a, inverse []Elem128) {
	n := len(a)
	for half, step := n/2, 1; half > 0; half, step = half/2, 2*step {
		for i := 0; i < n; i += 2 * half {
			x, y := a[i:i+half], a[i+half:i+2*half]
			for k := range x {
				u, v, w := x[k], y[k], inverse[k*step]
				x[k].lo, x[k].hi = add128(u.lo, u.hi, v.lo, v.hi)
				lo, hi := sub128(u.lo, u.hi, v.lo, v.hi)
				t0, t1, t2 := mulAdd128(0, 0, 0, lo, hi, w.lo)
				t0, t1, t2 = reduceWord128(t0, t1, t2)
				t0, t1, t2 = mulAdd128(t0, t1, t2, lo, hi, w.hi)
				t0, t1, t2 = reduceWord128(t0, t1, t2)
				y[k].lo, y[k].hi = canonical128(t0, t1, t2)
			}
		}
	}
}
