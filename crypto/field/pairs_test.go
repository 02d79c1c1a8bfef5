package field_test

import (
	"math/big"
	"math/rand/v2"
	"testing"

	"candor/crypto/field"
)

func TestPairSums(t *testing.T) { bothFields(t, testPairSums, testPairSums) }

func testPairSums[E comparable](t *testing.T, o oracle[E]) {
	r := rand.New(rand.NewPCG(17, 18))
	for _, shape := range [][2]int{{1, 1}, {2, 3}, {4, 16}, {7, 9}, {8, 8}, {9, 7}, {33, 2}, {16, 31}, {3, 520}, {5, 512}, {6, 256}, {5, 257}} {
		rows, chunk := shape[0], shape[1]
		n := 1 + rows
		gates := make([]byte, rows*chunk)
		for i := range gates {
			gates[i] = byte(r.IntN(2))
		}
		if rows > 2 {
			clear(gates[chunk : 2*chunk])
		}
		if rows > 3 {
			for j := range chunk {
				gates[2*chunk+j] = 1
			}
		}
		seeds, joint := o.vector(r, 2*chunk), o.vector(r, rows)
		if rows == 5 {
			for j := range chunk { // the greatest sums
				seeds[2*j], seeds[2*j+1] = new(big.Int).Sub(o.p, big.NewInt(1)), big.NewInt(1)
			}
		}
		if chunk > 255 { // the greatest sums of digits: in Field128 the lower half of what represents 1 has all bits set
			for i := range gates {
				gates[i] = byte(i / chunk % 2)
			}
			for k := range joint {
				joint[k] = big.NewInt(1)
			}
		}
		u, v := make([][]*big.Int, n), make([][]*big.Int, n)
		for k := range n {
			power := big.NewInt(1)
			for j := range chunk {
				if k == 0 {
					u[k], v[k] = append(u[k], seeds[2*j]), append(v[k], o.sub(big.NewInt(0), seeds[2*j+1]))
					continue
				}
				power = o.mul(power, joint[k-1])
				gate := big.NewInt(int64(gates[(k-1)*chunk+j]))
				u[k], v[k] = append(u[k], o.mul(power, gate)), append(v[k], o.sub(big.NewInt(1), gate))
			}
		}
		want := make([]*big.Int, n*n)
		for i := range want {
			k, l := i/n, i%n
			want[i] = new(big.Int)
			for j := range chunk {
				if k != l {
					want[i] = o.add(want[i], o.add(o.mul(u[k][j], v[l][j]), o.mul(u[l][j], v[k][j])))
				}
			}
		}
		m := field.PairScratch(rows, chunk)
		got, scratch := make([]E, n*n), make([]E, m+50)
		guard := o.FromUint64(77)
		for i := range scratch {
			scratch[i] = guard
		}
		o.PairSums(got, o.elems(joint), o.bytes(seeds), gates, scratch[:m:m])
		for k := range n {
			got[k*n+k] = o.FromUint64(0)
		}
		o.sameElems(t, "PairSums", got, want)
		for i, a := range scratch[m:] {
			if a != guard {
				t.Fatalf("%d rows of %d: element %d behind the scratch space is overwritten", rows, chunk, i)
			}
		}
	}
}
