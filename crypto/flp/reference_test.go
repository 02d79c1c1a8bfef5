package flp_test

import (
	"math/big"
	"math/bits"
	"math/rand/v2"
	"slices"

	"candor/crypto/flp"
)

// A reference is the proof system for one circuit written straight from the specification, with math/big and without any regard to
// speed: wires are recorded while the circuit runs, polynomials interpolated coefficient by coefficient. Unlike the
// package it proves statements about any field elements, valid or not.
type reference struct {
	name    string
	system  flp.System
	p, g    *big.Int // modulus; generator
	order   int      // of g is 2^order
	size    int      // of an element
	arity   int
	degree  int
	calls   int
	gadget  func([]*big.Int) *big.Int
	circuit func(meas, joint []*big.Int, shares int, call func(...*big.Int) *big.Int) []*big.Int
	bases   map[[2]int]*basis // by order and number of values
}

func number(s string) *big.Int {
	x, ok := new(big.Int).SetString(s, 10)
	if !ok {
		panic(s)
	}
	return x
}

func (r *reference) over64() *reference {
	r.p, r.g, r.order, r.size = number("18446744069414584321"), number("1753635133440165772"), 32, 8
	return r
}

func (r *reference) over128() *reference {
	r.p, r.g, r.order, r.size = number("340282366920938462946865773367900766209"), number("145091266659756586618791329697897684742"), 66, 16
	return r
}

func (r *reference) mod(x *big.Int) *big.Int    { return x.Mod(x, r.p) }
func (r *reference) mul(a, b *big.Int) *big.Int { return r.mod(new(big.Int).Mul(a, b)) }
func (r *reference) add(a, b *big.Int) *big.Int { return r.mod(new(big.Int).Add(a, b)) }
func (r *reference) sub(a, b *big.Int) *big.Int { return r.mod(new(big.Int).Sub(a, b)) }
func (r *reference) inv(a *big.Int) *big.Int    { return new(big.Int).ModInverse(a, r.p) }
func num(x uint64) *big.Int                     { return new(big.Int).SetUint64(x) }

// root returns the principal root of unity of order n, a power of two.
func (r *reference) root(n int) *big.Int {
	return new(big.Int).Exp(r.g, new(big.Int).Lsh(big.NewInt(1), uint(r.order-bits.TrailingZeros(uint(n)))), r.p)
}

// at evaluates, at t, the polynomial of least degree with the given values on the first roots of unity of order n: by Lagrange's formula,
// with the products of differences of roots kept from call to call.
func (r *reference) at(values []*big.Int, n int, t *big.Int) *big.Int {
	key := [2]int{n, len(values)}
	l := r.bases[key]
	if l == nil {
		l = new(basis)
		x := big.NewInt(1)
		for range values {
			l.x = append(l.x, x)
			x = r.mul(x, r.root(n))
		}
		for i, x := range l.x {
			d := big.NewInt(1)
			for j, y := range l.x {
				if j != i {
					d = r.mul(d, r.sub(x, y))
				}
			}
			l.inverse = append(l.inverse, r.inv(d))
		}
		if r.bases == nil {
			r.bases = make(map[[2]int]*basis)
		}
		r.bases[key] = l
	}
	// before[i] is the product of t − x over the roots before the i-th; after, over those behind.
	before := []*big.Int{big.NewInt(1)}
	for i, x := range l.x {
		before = append(before, r.mul(before[i], r.sub(t, x)))
	}
	sum, after := new(big.Int), big.NewInt(1)
	for i := len(values) - 1; i >= 0; i-- {
		sum = r.add(sum, r.mul(r.mul(values[i], l.inverse[i]), r.mul(before[i], after)))
		after = r.mul(after, r.sub(t, l.x[i]))
	}
	return sum
}

// A basis holds roots of unity, and for each the inverse of the product of its differences from the others.
type basis struct{ x, inverse []*big.Int }

func nextPower(n int) int { return 1 << bits.Len(uint(n-1)) }

func (r *reference) wireOrder() int   { return nextPower(1 + r.calls) }
func (r *reference) gadgetOrder() int { return nextPower(r.degree*(r.wireOrder()-1) + 1) }

// run evaluates the circuit, records its wires on top of the seeds, and takes what the gadget returns from result.
func (r *reference) run(meas, joint, seeds []*big.Int, shares int, result func(call int, inputs []*big.Int) *big.Int) (wires [][]*big.Int, out []*big.Int) {
	wires = make([][]*big.Int, r.arity)
	for j := range wires {
		wires[j] = []*big.Int{seeds[j]}
	}
	k := 0
	out = r.circuit(meas, joint, shares, func(inputs ...*big.Int) *big.Int {
		for j, x := range inputs {
			wires[j] = append(wires[j], x)
		}
		k++
		return result(k, inputs)
	})
	for j := range wires {
		for len(wires[j]) < r.wireOrder() {
			wires[j] = append(wires[j], new(big.Int))
		}
	}
	return wires, out
}

func (r *reference) prove(meas, proveRand, joint []*big.Int) []*big.Int {
	wires, _ := r.run(meas, joint, proveRand, 1, func(_ int, in []*big.Int) *big.Int { return r.gadget(in) })
	proof := slices.Clone(proveRand)
	x := big.NewInt(1)
	for range r.degree*(r.wireOrder()-1) + 1 {
		at := make([]*big.Int, r.arity)
		for j := range wires {
			at[j] = r.at(wires[j], r.wireOrder(), x)
		}
		proof = append(proof, r.gadget(at))
		x = r.mul(x, r.root(r.gadgetOrder()))
	}
	return proof
}

func (r *reference) query(meas, proof, queryRand, joint []*big.Int, shares int) []*big.Int {
	seeds, values := proof[:r.arity], proof[r.arity:]
	step := r.gadgetOrder() / r.wireOrder()
	wires, out := r.run(meas, joint, seeds, shares, func(k int, _ []*big.Int) *big.Int { return values[k*step] })
	v := out[0]
	if len(out) > 1 {
		v = new(big.Int)
		for i := range out {
			v = r.add(v, r.mul(queryRand[i], out[i]))
		}
	}
	t := queryRand[len(queryRand)-1]
	verifier := []*big.Int{v}
	for _, w := range wires {
		verifier = append(verifier, r.at(w, r.wireOrder(), t))
	}
	return append(verifier, r.at(values, r.gadgetOrder(), t))
}

func (r *reference) encode(v []*big.Int) []byte {
	var b []byte
	for _, x := range v {
		e := x.FillBytes(make([]byte, r.size))
		slices.Reverse(e)
		b = append(b, e...)
	}
	return b
}

func (r *reference) random(rng *rand.Rand, n int) []*big.Int {
	v := make([]*big.Int, n)
	for i := range v {
		v[i] = r.mod(new(big.Int).Add(new(big.Int).Lsh(num(rng.Uint64()), 70), num(rng.Uint64())))
	}
	return v
}

// chunked is ParallelSum(Mul) over chunks, the range check of the vector circuits.
func (r *reference) chunked(chunk int, meas, joint []*big.Int, shares int, call func(...*big.Int) *big.Int) *big.Int {
	inv := r.inv(big.NewInt(int64(shares)))
	sum := new(big.Int)
	for k := range r.calls {
		var in []*big.Int
		power := joint[k]
		for j := range chunk {
			x := new(big.Int)
			if i := k*chunk + j; i < len(meas) {
				x = meas[i]
			}
			in = append(in, r.mul(power, x), r.sub(x, inv))
			power = r.mul(power, joint[k])
		}
		sum = r.add(sum, call(in...))
	}
	return sum
}

func (r *reference) parallelMul(in []*big.Int) *big.Int {
	sum := new(big.Int)
	for i := 0; i < len(in); i += 2 {
		sum = r.add(sum, r.mul(in[i], in[i+1]))
	}
	return sum
}

// weigh decodes the bits of an integer up to max.
func (r *reference) weigh(e []*big.Int, max uint64) *big.Int {
	sum := new(big.Int)
	for i, x := range e[:len(e)-1] {
		sum = r.add(sum, r.mul(x, new(big.Int).Lsh(big.NewInt(1), uint(i))))
	}
	last := max - (1<<(len(e)-1) - 1)
	return r.add(sum, r.mul(e[len(e)-1], num(last)))
}

func must(s flp.System, err error) flp.System {
	if err != nil {
		panic(err)
	}
	return s
}

func refCount() *reference {
	r := (&reference{name: "Count", system: must(flp.NewCount()), arity: 2, degree: 2, calls: 1}).over64()
	r.gadget = r.parallelMul
	r.circuit = func(meas, _ []*big.Int, _ int, call func(...*big.Int) *big.Int) []*big.Int {
		return []*big.Int{r.sub(call(meas[0], meas[0]), meas[0])}
	}
	return r
}

func refSum(max uint64) *reference {
	r := (&reference{name: "Sum", system: must(flp.NewSum(max)), arity: 1, degree: 2, calls: bits.Len64(max)}).over64()
	r.gadget = func(in []*big.Int) *big.Int { return r.sub(r.mul(in[0], in[0]), in[0]) }
	r.circuit = func(meas, _ []*big.Int, _ int, call func(...*big.Int) *big.Int) (out []*big.Int) {
		for _, x := range meas {
			out = append(out, call(x))
		}
		return out
	}
	return r
}

func refHigherDegree() *reference {
	r := (&reference{name: "HigherDegree", system: must(flp.NewHigherDegree()), arity: 1, degree: 3, calls: 1}).over64()
	r.gadget = func(in []*big.Int) *big.Int {
		x := in[0]
		return r.mul(x, r.mul(r.sub(x, num(1)), r.sub(x, num(2))))
	}
	r.circuit = func(meas, _ []*big.Int, _ int, call func(...*big.Int) *big.Int) []*big.Int {
		return []*big.Int{call(meas[0])}
	}
	return r
}

func refSumVec(length int, max uint64, chunk int, small bool) *reference {
	n := length * bits.Len64(max)
	r := &reference{name: "SumVec", arity: 2 * chunk, degree: 2, calls: (n + chunk - 1) / chunk}
	if small {
		r.over64().system = must(flp.NewSumVec64(uint32(length), max, uint32(chunk)))
	} else {
		r.over128().system = must(flp.NewSumVec(uint32(length), max, uint32(chunk)))
	}
	r.gadget = r.parallelMul
	r.circuit = func(meas, joint []*big.Int, shares int, call func(...*big.Int) *big.Int) []*big.Int {
		return []*big.Int{r.chunked(chunk, meas, joint, shares, call)}
	}
	return r
}

func refHistogram(length, chunk int) *reference {
	r := (&reference{name: "Histogram", arity: 2 * chunk, degree: 2, calls: (length + chunk - 1) / chunk}).over128()
	r.system = must(flp.NewHistogram(uint32(length), uint32(chunk)))
	r.gadget = r.parallelMul
	r.circuit = func(meas, joint []*big.Int, shares int, call func(...*big.Int) *big.Int) []*big.Int {
		sum := r.sub(new(big.Int), r.inv(big.NewInt(int64(shares))))
		for _, x := range meas {
			sum = r.add(sum, x)
		}
		return []*big.Int{r.chunked(chunk, meas, joint, shares, call), sum}
	}
	return r
}

func refMultihot(length int, max uint64, chunk int) *reference {
	n := length + bits.Len64(max)
	r := (&reference{name: "MultihotCountVec", arity: 2 * chunk, degree: 2, calls: (n + chunk - 1) / chunk}).over128()
	r.system = must(flp.NewMultihotCountVec(uint32(length), max, uint32(chunk)))
	r.gadget = r.parallelMul
	r.circuit = func(meas, joint []*big.Int, shares int, call func(...*big.Int) *big.Int) []*big.Int {
		sum := r.sub(new(big.Int), r.weigh(meas[length:], max))
		for _, x := range meas[:length] {
			sum = r.add(sum, x)
		}
		return []*big.Int{r.chunked(chunk, meas, joint, shares, call), sum}
	}
	return r
}

// references returns instances of all circuits, in shapes that cover one call, full and short last rows, and chunks longer than the
// measurement.
func references() []*reference {
	all := []*reference{refCount(), refHigherDegree()}
	for _, max := range []uint64{1, 2, 3, 10, 256, 1337, 1<<64 - 1<<32} {
		all = append(all, refSum(max))
	}
	for _, s := range []struct {
		length int
		max    uint64
		chunk  int
	}{{1, 1, 1}, {1, 1, 3}, {3, 10, 4}, {2, 7, 2}, {5, 1, 5}, {7, 1, 2}, {4, 4096, 18}, {1, 1<<64 - 1, 9}} {
		all = append(all, refSumVec(s.length, s.max, s.chunk, false))
		if s.max < 1<<63 {
			all = append(all, refSumVec(s.length, s.max, s.chunk, true))
		}
	}
	for _, s := range []struct{ length, chunk int }{{1, 1}, {1, 4}, {4, 2}, {5, 2}, {11, 3}, {9, 1}} {
		all = append(all, refHistogram(s.length, s.chunk))
		all = append(all, refMultihot(s.length, 1, s.chunk), refMultihot(s.length, uint64(s.length+1)/2, s.chunk), refMultihot(s.length, uint64(s.length), s.chunk))
	}
	return all
}
