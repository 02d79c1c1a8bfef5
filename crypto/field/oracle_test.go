package field_test

import (
	"bytes"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"candor/crypto/field"
)

// An oracle computes in one of the fields with math/big.
type oracle[E comparable] struct {
	field.Field[E]
	p *big.Int
}

var (
	oracle64  = oracle[field.Elem64]{field.F64{}, modulus("18446744069414584321")}
	oracle128 = oracle[field.Elem128]{field.F128{}, modulus("340282366920938462946865773367900766209")}
)

func modulus(s string) *big.Int {
	p, ok := new(big.Int).SetString(s, 10)
	if !ok {
		panic(s)
	}
	return p
}

// encode returns x mod p, encoded.
func (o oracle[E]) encode(x *big.Int) []byte {
	b := new(big.Int).Mod(x, o.p).FillBytes(make([]byte, o.Size()))
	slices.Reverse(b)
	return b
}

// decode returns the integer of an encoded element.
func (o oracle[E]) decode(b []byte) *big.Int {
	b = slices.Clone(b)
	slices.Reverse(b)
	return new(big.Int).SetBytes(b)
}

func (o oracle[E]) elem(x *big.Int) E { return o.Decode(o.encode(x)) }

func (o oracle[E]) big(a E) *big.Int {
	b := make([]byte, o.Size())
	o.Encode(b, a)
	return o.decode(b)
}

func (o oracle[E]) elems(x []*big.Int) []E {
	v := make([]E, len(x))
	for i := range x {
		v[i] = o.elem(x[i])
	}
	return v
}

func (o oracle[E]) bytes(x []*big.Int) []byte {
	var b []byte
	for _, e := range x {
		b = append(b, o.encode(e)...)
	}
	return b
}

func (o oracle[E]) mod(x *big.Int) *big.Int { return new(big.Int).Mod(x, o.p) }

func (o oracle[E]) mul(a, b *big.Int) *big.Int { return o.mod(new(big.Int).Mul(a, b)) }

func (o oracle[E]) add(a, b *big.Int) *big.Int { return o.mod(new(big.Int).Add(a, b)) }

func (o oracle[E]) sub(a, b *big.Int) *big.Int { return o.mod(new(big.Int).Sub(a, b)) }

// edges are the values at which carries and reductions turn.
func (o oracle[E]) edges() []*big.Int {
	var v []*big.Int
	for _, base := range []*big.Int{big.NewInt(0), new(big.Int).Lsh(big.NewInt(1), 32), new(big.Int).Lsh(big.NewInt(1), 64),
		new(big.Int).Lsh(big.NewInt(1), 96), new(big.Int).Rsh(o.p, 1), new(big.Int).Sub(o.p, new(big.Int).Lsh(big.NewInt(1), 64)), o.p} {
		for d := int64(-2); d <= 2; d++ {
			if x := new(big.Int).Add(base, big.NewInt(d)); x.Sign() >= 0 && x.Cmp(o.p) < 0 {
				v = append(v, x)
			}
		}
	}
	return v
}

// vector returns n elements, a third of them edges.
func (o oracle[E]) vector(r *rand.Rand, n int) []*big.Int {
	edges := o.edges()
	v := make([]*big.Int, n)
	for i := range v {
		if r.IntN(3) == 0 {
			v[i] = edges[r.IntN(len(edges))]
			continue
		}
		b := make([]byte, o.Size()+8)
		for j := range b {
			b[j] = byte(r.Uint32())
		}
		v[i] = o.mod(new(big.Int).SetBytes(b))
	}
	return v
}

// same fails the test if got is not the encoding of want.
func (o oracle[E]) same(t *testing.T, what string, got []byte, want []*big.Int) {
	t.Helper()
	if w := o.bytes(want); !bytes.Equal(got, w) {
		t.Fatalf("%s: got %x, want %x", what, got, w)
	}
}

func (o oracle[E]) sameElems(t *testing.T, what string, got []E, want []*big.Int) {
	t.Helper()
	b := make([]byte, len(got)*o.Size())
	for i, e := range got {
		o.Encode(b[i*o.Size():], e)
	}
	o.same(t, what, b, want)
}
