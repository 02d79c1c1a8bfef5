package field_test

import (
	"bytes"
	"math/big"
	"testing"

	"candor/crypto/field"
)

// FuzzField64 and FuzzField128 compare all arithmetic on four elements, taken from the input modulo p, with math/big.
func FuzzField64(f *testing.F) { fuzz(f, oracle64) }

func FuzzField128(f *testing.F) { fuzz(f, oracle128) }

func fuzz[E comparable](f *testing.F, o oracle[E]) {
	edges := o.edges()
	for i, a := range edges {
		b := edges[(5*i+3)%len(edges)]
		f.Add(a.Bytes(), b.Bytes(), b.Bytes(), a.Bytes(), uint64(i)<<60)
	}
	f.Fuzz(func(t *testing.T, a, b, c, d []byte, last uint64) {
		v := make([]*big.Int, 4)
		for i, x := range [][]byte{a, b, c, d} {
			if len(x) > 64 {
				return
			}
			v[i] = o.mod(new(big.Int).SetBytes(x))
		}
		x := o.elems(v)
		raw := o.bytes(v)
		if !o.Valid(raw) {
			t.Fatal("elements are not valid")
		}
		o.sameElems(t, "scalars", []E{o.Add(x[0], x[1]), o.Sub(x[0], x[1]), o.Mul(x[0], x[1])},
			[]*big.Int{o.add(v[0], v[1]), o.sub(v[0], v[1]), o.mul(v[0], v[1])})
		dot := new(big.Int)
		for i := range v {
			dot = o.add(dot, o.mul(v[i], v[3-i]))
		}
		reversed := o.bytes([]*big.Int{v[3], v[2], v[1], v[0]})
		o.sameElems(t, "Dot", []E{o.Dot(x, reversed, 1)}, []*big.Int{dot})
		o.sameElems(t, "Sum", []E{o.Sum(raw)}, []*big.Int{o.add(o.add(v[0], v[1]), o.add(v[2], v[3]))})
		o.sameElems(t, "PairSum", []E{o.PairSum(raw)}, []*big.Int{o.add(o.mul(v[0], v[1]), o.mul(v[2], v[3]))})
		weighed := make([]byte, o.Size())
		last %= field.Modulus64
		o.Weigh(weighed, raw, 4, last)
		want := o.mul(v[3], new(big.Int).SetUint64(last))
		for i := range 3 {
			want = o.add(want, o.mul(v[i], big.NewInt(1<<i)))
		}
		o.same(t, "Weigh", weighed, []*big.Int{want})
		wires := make([]byte, 2*o.Size())
		o.RangeWires(wires, raw, reversed, []E{x[0], x[1], x[2], x[3], x[0]}, x, x[3], make([]E, field.RangeScratch(4)))
		powered, plain := o.mul(v[0], v[0]), o.add(o.mul(v[0], v[1]), v[3])
		for k := range v {
			y := o.mul(v[(k+1)%4], v[3-k])
			plain, powered = o.add(plain, y), o.add(powered, o.mul(y, v[k]))
		}
		o.same(t, "RangeWires", wires, []*big.Int{powered, plain})
	})
}

// FuzzValid compares the check of encoded vectors with math/big, and requires that what is valid encodes to the same bytes.
func FuzzValid(f *testing.F) {
	for _, x := range oracle128.edges() {
		f.Add(oracle128.encode(x))
	}
	for _, x := range oracle64.edges() {
		f.Add(oracle64.encode(x))
	}
	f.Add(bytes.Repeat([]byte{0xff}, 16))
	f.Fuzz(func(t *testing.T, b []byte) {
		checkValid(t, oracle64, b)
		checkValid(t, oracle128, b)
	})
}

func checkValid[E comparable](t *testing.T, o oracle[E], b []byte) {
	want := len(b)%o.Size() == 0
	for rest := b; len(rest) >= o.Size(); rest = rest[o.Size():] {
		want = want && o.decode(rest[:o.Size()]).Cmp(o.p) < 0
	}
	if got := o.Valid(b); got != want {
		t.Fatalf("%x: valid is %t", b, got)
	}
	if want {
		for rest := b; len(rest) > 0; rest = rest[o.Size():] {
			again := make([]byte, o.Size())
			if o.Encode(again, o.Decode(rest)); !bytes.Equal(again, rest[:o.Size()]) {
				t.Fatalf("%x encodes again as %x", rest[:o.Size()], again)
			}
		}
	}
}
