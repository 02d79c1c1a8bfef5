package field_test

import (
	"math/big"
	"math/bits"
	"math/rand/v2"
	"testing"

	"candor/crypto/field"
)

func TestTransforms(t *testing.T) { bothFields(t, testTransforms, testTransforms) }

func testTransforms[E comparable](t *testing.T, o oracle[E]) {
	r := rand.New(rand.NewPCG(9, 10))
	for log := range 8 {
		n := 1 << log
		w := field.Root(o.Field, log)
		roots, inverse := field.Powers(o.Field, w, max(n/2, 1)), field.Powers(o.Field, o.Inv(w), max(n/2, 1))
		coef := o.vector(r, n)
		values := make([]*big.Int, n)
		for i := range values {
			x := o.big(field.Power(o.Field, w, uint64(i)))
			values[i] = new(big.Int)
			for j := n - 1; j >= 0; j-- {
				values[i] = o.add(o.mul(values[i], x), coef[j])
			}
		}
		reversed, scaled := make([]*big.Int, n), make([]*big.Int, n)
		for i := range n {
			j := reverse(i, log)
			reversed[j] = coef[i]
			scaled[j] = o.mul(coef[i], big.NewInt(int64(n)))
		}
		a := o.elems(reversed)
		o.Forward(a, roots)
		o.sameElems(t, "Forward", a, values)
		o.Backward(a, inverse)
		o.sameElems(t, "Backward", a, scaled)

		// Interpolating at any point with Lagrange weights evaluates the polynomial there; also at roots of unity of any order.
		points := append(o.vector(r, 3), o.big(w), o.big(field.Root(o.Field, log+1)))
		for _, x := range points {
			powers := make([]E, log)
			u := o.elem(x)
			for b := range powers {
				powers[b] = u
				u = o.Mul(u, u)
			}
			weights := make([]E, n)
			o.Lagrange(weights, o.Inv(o.FromUint64(uint64(n))), powers, inverse)
			want := new(big.Int)
			for j := n - 1; j >= 0; j-- {
				want = o.add(o.mul(want, x), coef[j])
			}
			o.sameElems(t, "Lagrange", []E{o.Dot(weights, o.bytes(values), 1)}, []*big.Int{want})
		}
	}
}

// TestLagrangeProducts takes any elements for the powers and the roots, since the products are defined for all.
func TestLagrangeProducts(t *testing.T) { bothFields(t, testLagrangeProducts, testLagrangeProducts) }

func testLagrangeProducts[E comparable](t *testing.T, o oracle[E]) {
	r := rand.New(rand.NewPCG(21, 22))
	edges := o.edges()
	for i := range 400 {
		log := i % 6
		n := 1 << log
		scale, powers, inverse := o.vector(r, 1)[0], o.vector(r, log), o.vector(r, max(n/2, 1))
		if i%2 == 0 {
			for _, v := range [][]*big.Int{powers, inverse} {
				for j := range v {
					v[j] = edges[r.IntN(len(edges))]
				}
			}
		}
		want := make([]*big.Int, n)
		for k := range want {
			want[k] = scale
			for b := range powers {
				half := n >> (b + 1)
				x := o.mul(powers[b], inverse[k%half<<b])
				if k&half != 0 {
					x = o.sub(new(big.Int), x)
				}
				want[k] = o.mul(want[k], o.add(big.NewInt(1), x))
			}
		}
		got := make([]E, n)
		o.Lagrange(got, o.elem(scale), o.elems(powers), o.elems(inverse))
		o.sameElems(t, "Lagrange", got, want)
	}
}

// reverse reverses the low log bits of i.
func reverse(i, log int) int {
	return int(bits.Reverse64(uint64(i)<<1) >> (63 - log))
}
