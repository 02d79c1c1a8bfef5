package field

import "math/bits"

func (F64) Lagrange(dst []Elem64, scale Elem64, powers, inverse []Elem64) {
	dst[0] = scale
	for b, half := len(powers)-1, 1; b >= 0; b, half = b-1, 2*half {
		// Each of the two products below is divided by 2^64.
		s := mul64(uint64(powers[b]), minus32)
		x, y := dst[:half], dst[half:2*half]
		at, step := 0, 1<<b
		for k := range x {
			u := uint64(x[k])
			v := montgomery64(bits.Mul64(montgomery64(bits.Mul64(s, uint64(inverse[at]))), u))
			x[k] = Elem64(add64(u, v))
			y[k] = Elem64(sub64(u, v))
			at += step
		}
	}
}

func (F64) Forward(a, roots []Elem64) {
	n := len(a)
	neighbours64(a)
	for half, step := 2, n/4; half < n; half, step = 2*half, step/2 {
		for i := 0; i < n; i += 2 * half {
			x, y := a[i:i+half], a[i+half:][:half]
			u, v := uint64(x[0]), uint64(y[0])
			x[0], y[0] = Elem64(add64(u, v)), Elem64(sub64(u, v))
			for k := 1; k < len(x); k++ {
				u, v := uint64(x[k]), reduce64(bits.Mul64(uint64(y[k]), uint64(roots[k*step])))
				x[k], y[k] = Elem64(add64(u, v)), Elem64(sub64(u, v))
			}
		}
	}
}

func (F64) Backward(a, inverse []Elem64) {
	n := len(a)
	for half, step := n/2, 1; half > 1; half, step = half/2, 2*step {
		for i := 0; i < n; i += 2 * half {
			x, y := a[i:i+half], a[i+half:][:half]
			u, v := uint64(x[0]), uint64(y[0])
			x[0], y[0] = Elem64(add64(u, v)), Elem64(sub64(u, v))
			for k := 1; k < len(x); k++ {
				u, v := uint64(x[k]), uint64(y[k])
				x[k], y[k] = Elem64(add64(u, v)), Elem64(reduce64(bits.Mul64(sub64(u, v), uint64(inverse[k*step]))))
			}
		}
	}
	neighbours64(a)
}

// neighbours64 is the step of a transform between neighbours, in which all roots are 1.
func neighbours64(a []Elem64) {
	for ; len(a) > 1; a = a[2:] {
		u, v := uint64(a[0]), uint64(a[1])
		a[0], a[1] = Elem64(add64(u, v)), Elem64(sub64(u, v))
	}
}
