package field_test

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/cloudflare/circl/vdaf/prio3/arith"
	"github.com/cloudflare/circl/vdaf/prio3/arith/fp128"
	"github.com/cloudflare/circl/vdaf/prio3/arith/fp64"

	"candor/crypto/field"
)

// TestCircl compares scalars, dot products and transforms with circl's fields, which are another author's.
func TestCircl(t *testing.T) {
	t.Run("Field64", func(t *testing.T) { testCircl[field.Elem64, fp64.Fp, *fp64.Fp, fp64.Vec](t, oracle64) })
	t.Run("Field128", func(t *testing.T) { testCircl[field.Elem128, fp128.Fp, *fp128.Fp, fp128.Vec](t, oracle128) })
}

func testCircl[E comparable, C arith.Elt, P arith.Fp[C], V arith.Vec[V, C]](t *testing.T, o oracle[E]) {
	r := rand.New(rand.NewPCG(11, 12))
	marshal := func(x P) []byte {
		b, err := x.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	encode := func(a E) []byte {
		b := make([]byte, o.Size())
		o.Encode(b, a)
		return b
	}
	for range 2000 {
		v := o.vector(r, 2)
		a, b := o.elem(v[0]), o.elem(v[1])
		var x, y, z C
		if P(&x).UnmarshalBinary(o.encode(v[0])) != nil || P(&y).UnmarshalBinary(o.encode(v[1])) != nil {
			t.Fatal("circl does not read an element")
		}
		for _, op := range []struct {
			name string
			ours E
			do   func()
		}{
			{"sum", o.Add(a, b), func() { P(&z).Add(&x, &y) }},
			{"difference", o.Sub(a, b), func() { P(&z).Sub(&x, &y) }},
			{"product", o.Mul(a, b), func() { P(&z).Mul(&x, &y) }},
		} {
			if op.do(); !bytes.Equal(encode(op.ours), marshal(&z)) {
				t.Fatalf("%s of %v and %v: got %x, circl has %x", op.name, v[0], v[1], encode(op.ours), marshal(&z))
			}
		}
	}
	for log := 1; log < 9; log++ {
		n := 1 << log
		x, y := o.bytes(o.vector(r, n)), o.bytes(o.vector(r, n))
		vx, vy := arith.NewVec[V](uint(n)), arith.NewVec[V](uint(n))
		if vx.UnmarshalBinary(x) != nil || vy.UnmarshalBinary(y) != nil {
			t.Fatal("circl does not read a vector")
		}
		ours := make([]E, n)
		for i := range ours {
			ours[i] = o.Decode(x[i*o.Size():])
		}
		dot := vx.DotProduct(vy)
		if got := encode(o.Dot(ours, y, 1)); !bytes.Equal(got, marshal(&dot)) {
			t.Fatalf("dot product of %d elements: got %x, circl has %x", n, got, marshal(&dot))
		}
		theirs := arith.NewVec[V](uint(n))
		theirs.InvNTT(vx, uint(n)) // as ours, without the division by n
		roots := field.Powers(o.Field, o.Inv(field.Root(o.Field, log)), n/2)
		o.Backward(ours, roots)
		want, err := theirs.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		for i := range n {
			if got := encode(ours[reverse(i, log)]); !bytes.Equal(got, want[i*o.Size():(i+1)*o.Size()]) {
				t.Fatalf("inverse transform of %d elements, coefficient %d: got %x", n, i, got)
			}
		}
	}
}
