package flp

import (
	"math/bits"

	"candor/crypto/field"
)

// A circuit is what tells one validity circuit from another.
type circuit[E comparable] interface {
	// encode writes one small integer for each element of the measurement.
	encode(dst []byte, m []uint64) error
	// outputs writes the circuit's outputs, all zero for a valid measurement, from those of the gadget calls and a measurement share.
	// invShares is the share of the constant 1.
	outputs(out, calls []E, meas []byte, invShares E)
	// truncate maps a measurement share to an output share.
	truncate(dst, meas []byte)
}

// A shape holds a circuit's numbers.
type shape struct {
	input, meas, output int
	maxOutput           uint64
	joint               int // elements of joint randomness
	outputs             int // circuit outputs
	arity, degree       int // of the gadget
	calls               int // of the gadget
}

// A system is the proof system for a circuit. A gadget is called at most p − 1 times. Its inputs are the values of one polynomial per wire
// on the p-th roots of unity w^1, w^2 …, the value at w^0 being random; the proof is the polynomial that the gadget makes of
// them, as its first m values on the roots of order n, a power of two that is at least m.
type system[E comparable] struct {
	shape
	field   field.Field[E]
	circuit circuit[E]
	gadget  gadget[E]
	log, p  int // p = 2^log, the order of the wires' roots of unity
	m, n    int
	cosets  int   // n/p
	roots   []E   // w_p^i, i < p/2
	inverse []E   // w_p^−i, i < p/2
	invP    E     // 1/p
	half    E     // 1/2
	shifts  []E   // w_n^−c for each coset c
	twists  [][]E // for each coset what shifts a polynomial's coefficients, bit-reversed, to it
	missing [][]E // each of the n − m values that a proof leaves out, as a combination of the others
	pairs   []E   // see rangeCheck.provePairs
	square0 []E   // likewise
	rotated []E   // see bitCheck.prepare
}

func newSystem[E comparable](f field.Field[E], s shape, g gadget[E], c circuit[E]) (System, error) {
	if s.meas > MaxElements || s.calls >= MaxElements || s.arity > MaxElements {
		return nil, ErrParameter
	}
	y := &system[E]{shape: s, field: f, circuit: c, gadget: g}
	y.log = bits.Len(uint(s.calls)) // least with 2^log ≥ 1 + calls
	y.p = 1 << y.log
	y.m = s.degree*(y.p-1) + 1
	logN := bits.Len(uint(y.m - 1))
	y.n = 1 << logN
	y.cosets = y.n / y.p
	if s.arity+y.m > MaxElements {
		return nil, ErrParameter
	}

	w, wn := field.Root(f, y.log), field.Root(f, logN)
	y.roots = field.Powers(f, w, max(y.p/2, 1))
	y.inverse = field.Powers(f, f.Inv(w), max(y.p/2, 1))
	y.invP = f.Inv(f.FromUint64(uint64(y.p)))
	y.half = f.Inv(f.FromUint64(2))
	y.shifts = field.Powers(f, f.Inv(wn), y.cosets)
	y.twists = make([][]E, y.cosets)
	for c, s := range field.Powers(f, wn, y.cosets) {
		// Coefficient i is multiplied by s^i/p; coefficients stand in bit-reversed order.
		t := make([]E, y.p)
		for i, z := range field.Powers(f, s, y.p) {
			t[reverse(i, y.log)] = f.Mul(z, y.invP)
		}
		y.twists[c] = t
	}
	if g, ok := g.(interface{ prepare(y *system[E]) }); ok {
		g.prepare(y)
	}
	y.interpolate(wn)
	return y, nil
}

// reverse reverses the low log bits of i.
func reverse(i, log int) int {
	if log == 0 {
		return 0
	}
	return int(bits.Reverse64(uint64(i)) >> (64 - log))
}

// interpolate fills missing. Let x_i be the roots of order n, D the indices left out and q one of them. The degree is below m, so
// the value at x_q is Σ_i v_i·K_i over the others with the Lagrange coefficients
//
//	K_i = −(x_i/x_q)·Π_{j in D, j ≠ q} (x_i − x_j)/(x_q − x_j)
//
// since the products over all n roots are n/x_i and n/x_q. For degree 2 only one index is left out.
func (y *system[E]) interpolate(wn E) {
	f := y.field
	x := field.Powers(f, wn, y.n)
	for q := y.m; q < y.n; q++ {
		k := make([]E, y.m)
		scale := x[q]
		for j := y.m; j < y.n; j++ {
			if j != q {
				scale = f.Mul(scale, f.Sub(x[q], x[j]))
			}
		}
		scale = f.Sub(f.FromUint64(0), f.Inv(scale))
		for i := range k {
			k[i] = f.Mul(scale, x[i])
			for j := y.m; j < y.n; j++ {
				if j != q {
					k[i] = f.Mul(k[i], f.Sub(x[i], x[j]))
				}
			}
		}
		y.missing = append(y.missing, k)
	}
}

func (y *system[E]) Field() field.Vector { return y.field }

func (y *system[E]) MaxOutput() uint64 { return y.maxOutput }

func (y *system[E]) Sizes() Sizes {
	s := Sizes{
		Input: y.input, Meas: y.meas, Output: y.output, JointRand: y.joint,
		ProveRand: y.arity, Proof: y.arity + y.m, Verifier: y.arity + 2, QueryRand: 1,
	}
	if y.outputs > 1 {
		s.QueryRand += y.outputs
	}
	return s
}

func (y *system[E]) Encode(dst []byte, m []uint64) error {
	if len(m) != y.input {
		return ErrMeasurement
	}
	return y.circuit.encode(dst[:y.meas], m)
}

func (y *system[E]) Truncate(dst, meas []byte) { y.circuit.truncate(dst, meas) }

// A worker is the scratch space of one goroutine.
type worker[E comparable] struct {
	*system[E]
	invShares E
	weights   []E // of each p-th root at the query point
	other     []E // the same, shifted
	powers    []E
	joint     []E // joint randomness
	scratch   []E
	outs      []E // gadget outputs
	out       []E // circuit outputs

	// For the prover, made on first use.
	a, b []E // two wires at all n points
	g    []E // the gadget at all n points
	coef []E
	wide []E    // see matrix
	rows []byte // the measurement, padded to whole rows
}

func (y *system[E]) NewWorker(shares int) Worker {
	invShares := y.field.FromUint64(1)
	if shares > 1 {
		invShares = y.field.Inv(y.field.FromUint64(uint64(shares)))
	}
	return &worker[E]{
		system:    y,
		invShares: invShares,
		weights:   make([]E, y.p),
		other:     make([]E, y.p),
		powers:    make([]E, y.log),
		joint:     make([]E, y.joint),
		scratch:   make([]E, max(y.p, field.RangeScratch(y.calls))),
		outs:      make([]E, y.calls),
		out:       make([]E, y.outputs),
	}
}
