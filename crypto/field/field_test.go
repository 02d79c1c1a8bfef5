package field_test

import (
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"candor/crypto/field"
)

// bothFields runs a test of the two instantiations of a generic function, for Field128 on every path.
func bothFields(t *testing.T, f64 func(*testing.T, oracle[field.Elem64]), f128 func(*testing.T, oracle[field.Elem128])) {
	t.Run("Field64", func(t *testing.T) { f64(t, oracle64) })
	for _, path := range field.Paths() {
		t.Run("Field128/"+path, func(t *testing.T) {
			defer field.SetPath(path)()
			f128(t, oracle128)
		})
	}
}

func TestScalars(t *testing.T) { bothFields(t, testScalars, testScalars) }

func testScalars[E comparable](t *testing.T, o oracle[E]) {
	r := rand.New(rand.NewPCG(1, 2))
	values := append(o.edges(), o.vector(r, 60)...)
	for _, a := range values {
		x := o.elem(a)
		o.sameElems(t, "decode and encode", []E{x}, []*big.Int{a})
		if a.IsUint64() {
			o.sameElems(t, "from uint64", []E{o.FromUint64(a.Uint64())}, []*big.Int{a})
		}
		inv := new(big.Int)
		if a.Sign() != 0 {
			inv.ModInverse(a, o.p)
		}
		o.sameElems(t, "inverse", []E{o.Inv(x)}, []*big.Int{inv})
		for _, b := range values {
			y := o.elem(b)
			o.sameElems(t, "sum, difference, product", []E{o.Add(x, y), o.Sub(x, y), o.Mul(x, y)},
				[]*big.Int{o.add(a, b), o.sub(a, b), o.mul(a, b)})
		}
	}
}

func TestGenerator(t *testing.T) {
	// The encoded generators as the specification gives their values.
	g64, k64 := field.F64{}.Generator()
	g128, k128 := field.F128{}.Generator()
	oracle64.sameElems(t, "generator", []field.Elem64{g64}, []*big.Int{modulus("1753635133440165772")})
	oracle128.sameElems(t, "generator", []field.Elem128{g128}, []*big.Int{modulus("145091266659756586618791329697897684742")})
	if k64 != 32 || k128 != 66 {
		t.Errorf("orders are 2^%d and 2^%d", k64, k128)
	}
	for log := range 33 {
		one := field.Power[field.Elem64](field.F64{}, field.Root[field.Elem64](field.F64{}, log), 1<<log)
		if one != 1 {
			t.Errorf("root of order 2^%d in Field64", log)
		}
		if log > 0 && field.Power[field.Elem64](field.F64{}, field.Root[field.Elem64](field.F64{}, log), 1<<(log-1)) != field.Modulus64-1 {
			t.Errorf("root of order 2^%d in Field64 is not primitive", log)
		}
	}
}

func TestValid(t *testing.T) { bothFields(t, testValid, testValid) }

func testValid[E comparable](t *testing.T, o oracle[E]) {
	n := o.Size()
	limit := new(big.Int).Lsh(big.NewInt(1), uint(8*n))
	for d := int64(-3); d <= 3; d++ {
		for _, base := range []*big.Int{big.NewInt(3), o.p, new(big.Int).Sub(limit, big.NewInt(4)), new(big.Int).Lsh(o.p, 0)} {
			x := new(big.Int).Add(base, big.NewInt(d))
			raw := x.FillBytes(make([]byte, n))
			for i := range n / 2 {
				raw[i], raw[n-1-i] = raw[n-1-i], raw[i]
			}
			want := x.Cmp(o.p) < 0
			for at := range 11 { // in every place of what a loop takes at once, and in what is left
				v := make([]byte, 11*n)
				copy(v[at*n:], raw)
				if o.Valid(v) != want {
					t.Errorf("%v as element %d: valid is %t", x, at, !want)
				}
			}
		}
	}
	if !o.Valid(nil) {
		t.Error("the empty vector is not valid")
	}
	for i := 1; i < n; i++ {
		if o.Valid(make([]byte, n+i)) {
			t.Errorf("one element and %d bytes are valid", i)
		}
	}
}

func TestExceeds(t *testing.T) { bothFields(t, testExceeds, testExceeds) }

func testExceeds[E comparable](t *testing.T, o oracle[E]) {
	low := new(big.Int).SetUint64(1<<64 - 1)
	for d := int64(-1); d <= 1; d++ {
		x := new(big.Int).Add(o.p, big.NewInt(d))
		hi, lo := new(big.Int).Rsh(x, 64).Uint64(), new(big.Int).And(x, low).Uint64()
		if o.Exceeds(hi, lo) != (d >= 0) {
			t.Errorf("p%+d: exceeds is %t", d, d < 0)
		}
	}
	if !o.Exceeds(1<<64-1, 1<<64-1) || o.Exceeds(0, 0) {
		t.Error("extremes")
	}
}

func TestVectors(t *testing.T) { bothFields(t, testVectors, testVectors) }

func testVectors[E comparable](t *testing.T, o oracle[E]) {
	r := rand.New(rand.NewPCG(3, 4))
	for n := range 40 {
		a, b := o.vector(r, n), o.vector(r, n)
		sum, diff, product, scaled := make([]*big.Int, n), make([]*big.Int, n), make([]*big.Int, n), make([]*big.Int, n)
		small, smallBig := make([]byte, n), make([]*big.Int, n)
		total, dot, pairs := new(big.Int), new(big.Int), new(big.Int)
		s := o.vector(r, 1)[0]
		for i := range n {
			small[i] = byte(r.IntN(256))
			smallBig[i] = big.NewInt(int64(small[i]))
			sum[i], diff[i], product[i], scaled[i] = o.add(a[i], b[i]), o.sub(a[i], b[i]), o.mul(a[i], b[i]), o.mul(a[i], s)
			total, dot = o.add(total, a[i]), o.add(dot, product[i])
			if i%2 == 1 {
				pairs = o.add(pairs, o.mul(a[i-1], a[i]))
			}
		}
		x := o.bytes(a)
		o.AddTo(x, o.bytes(b))
		o.same(t, "AddTo", x, sum)
		x = o.bytes(a)
		o.SubTo(x, o.bytes(b))
		o.same(t, "SubTo", x, diff)
		x = make([]byte, n*o.Size())
		o.FromSmall(x, small)
		o.same(t, "FromSmall", x, smallBig)

		u, v, z := o.elems(a), o.elems(b), make([]E, n)
		o.Hadamard(z, u, v)
		o.sameElems(t, "Hadamard", z, product)
		copy(z, u)
		o.AddHadamard(z, u, v)
		for i := range n {
			product[i] = o.add(product[i], a[i])
		}
		o.sameElems(t, "AddHadamard", z, product)
		coef := o.vector(r, 3)
		for degree := 1; degree <= 3; degree++ {
			value := slices.Clone(a)
			for i := range n {
				for j := degree - 1; j >= 0; j-- {
					value[i] = o.mul(o.add(value[i], coef[j]), a[i])
				}
			}
			o.Polynomial(z, u, o.elems(coef[:degree]))
			o.sameElems(t, "Polynomial", z, value)
		}
		every := make([]byte, 3*n*o.Size())
		o.EncodeEvery(every, 3, u)
		thirds := make([]*big.Int, 3*n)
		for i := range thirds {
			if thirds[i] = new(big.Int); i%3 == 0 {
				thirds[i] = a[i/3]
			}
		}
		o.same(t, "EncodeEvery", every, thirds)
		o.DecodeEvery(z, every, 3)
		o.sameElems(t, "DecodeEvery", z, a)
		o.Scale(z, o.elem(s), u)
		o.sameElems(t, "Scale", z, scaled)
		o.sameElems(t, "Inner", []E{o.Inner(u, v)}, []*big.Int{dot})
		o.sameElems(t, "Sum", []E{o.Sum(o.bytes(a))}, []*big.Int{total})
		o.sameElems(t, "Dot", []E{o.Dot(u, o.bytes(b), 1)}, []*big.Int{dot})
		var strided []byte
		for _, e := range b {
			strided = append(append(strided, o.encode(e)...), o.encode(s)...)
		}
		o.sameElems(t, "strided Dot", []E{o.Dot(u, strided, 2)}, []*big.Int{dot})
		if n%2 == 0 {
			o.sameElems(t, "PairSum", []E{o.PairSum(o.bytes(a))}, []*big.Int{pairs})
		}
	}
}

// TestLongSums adds as many of the largest products as any proof has, where sums outgrow a word.
func TestLongSums(t *testing.T) { bothFields(t, testLongSums, testLongSums) }

func testLongSums[E comparable](t *testing.T, o oracle[E]) {
	const n = 1 << 12
	top := new(big.Int).Sub(o.p, big.NewInt(1))
	v := make([]*big.Int, n)
	for i := range v {
		v[i] = top
	}
	dot := o.mod(big.NewInt(n)) // (−1)·(−1) each
	o.sameElems(t, "Dot", []E{o.Dot(o.elems(v), o.bytes(v), 1)}, []*big.Int{dot})
	o.sameElems(t, "PairSum", []E{o.PairSum(o.bytes(v))}, []*big.Int{big.NewInt(n / 2)})
	o.sameElems(t, "Sum", []E{o.Sum(o.bytes(v))}, []*big.Int{o.mod(big.NewInt(-n))})
}

func TestWeigh(t *testing.T) { bothFields(t, testWeigh, testWeigh) }

func testWeigh[E comparable](t *testing.T, o oracle[E]) {
	r := rand.New(rand.NewPCG(5, 6))
	for n := 1; n <= 64; n++ {
		for _, last := range []uint64{1, 3, r.Uint64(), 1<<64 - 1<<33} {
			x := o.vector(r, 3*n)
			if n%2 == 0 {
				for i := range x {
					x[i] = new(big.Int).Sub(o.p, big.NewInt(1))
				}
			}
			want := make([]*big.Int, 3)
			for g := range want {
				want[g] = o.mul(x[g*n+n-1], new(big.Int).SetUint64(last))
				for i := range n - 1 {
					want[g] = o.add(want[g], o.mul(x[g*n+i], new(big.Int).Lsh(big.NewInt(1), uint(i))))
				}
			}
			got := make([]byte, 3*o.Size())
			o.Weigh(got, o.bytes(x), n, last)
			o.same(t, "Weigh", got, want)
		}
	}
}

func TestRangeWires(t *testing.T) { bothFields(t, testRangeWires, testRangeWires) }

func testRangeWires[E comparable](t *testing.T, o oracle[E]) {
	r := rand.New(rand.NewPCG(7, 8))
	for _, n := range []int{1, 2, 3, 7, 8, 9, 31, 32, 33, 100, 257} {
		for _, chunk := range []int{1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 33} {
			rows := (n + chunk - 1) / chunk
			x, seeds := o.vector(r, n), o.vector(r, 2*chunk)
			w, joint, shift := o.vector(r, 1+rows), o.vector(r, rows), o.vector(r, 1)[0]
			want := make([]*big.Int, 2*chunk)
			for j := range chunk {
				powered, plain := o.mul(w[0], seeds[2*j]), o.add(o.mul(w[0], seeds[2*j+1]), shift)
				for k := range rows {
					if k*chunk+j < n {
						y := o.mul(w[k+1], x[k*chunk+j])
						plain = o.add(plain, y)
						powered = o.add(powered, o.mul(y, new(big.Int).Exp(joint[k], big.NewInt(int64(j+1)), o.p)))
					}
				}
				want[2*j], want[2*j+1] = powered, plain
			}
			got := make([]byte, 2*chunk*o.Size())
			o.RangeWires(got, o.bytes(seeds), o.bytes(x), o.elems(w), o.elems(joint), o.elem(shift), make([]E, field.RangeScratch(rows)))
			o.same(t, "RangeWires", got, want)
		}
	}
}

func TestGates(t *testing.T) { bothFields(t, testGates, testGates) }

func testGates[E comparable](t *testing.T, o oracle[E]) {
	r := rand.New(rand.NewPCG(13, 14))
	for _, n := range []int{0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 33, 110, 300} {
		for _, rows := range []int{0, 1, 2, 7, 8, 9, 17, 40} {
			base, e := o.vector(r, 1)[0], o.vector(r, n)
			if rows == 7 {
				for i := range e {
					e[i] = new(big.Int).Sub(o.p, big.NewInt(1))
				}
			}
			gates := make([]byte, rows*n)
			for i := range gates {
				gates[i] = byte(r.IntN(2))
			}
			if rows > 3 {
				clear(gates[2*n : 3*n])
			}
			powers, sums := make([]*big.Int, n), make([]*big.Int, rows)
			for l := range sums {
				sums[l] = new(big.Int)
				power := big.NewInt(1)
				for j, g := range gates[l*n : (l+1)*n] {
					power = o.mul(power, base)
					powers[j] = new(big.Int)
					if g == 1 {
						powers[j] = power
					} else {
						sums[l] = o.add(sums[l], e[j])
					}
				}
				got := make([]E, n)
				o.GatedPowers(got, o.elem(base), gates[l*n:(l+1)*n])
				o.sameElems(t, "GatedPowers", got, powers)
			}
			got := make([]E, rows)
			o.SumGaps(got, o.elems(e), gates)
			o.sameElems(t, "SumGaps", got, sums)
		}
	}
}
