package field_test

import (
	"bytes"
	"math/big"
	"math/rand/v2"
	"testing"

	"candor/crypto/field"
)

// checkGated compares GatedSums with math/big, if vectors are at hand.
func checkGated(t *testing.T, s *big.Int, table []*big.Int, gates []byte) {
	t.Helper()
	o, n := oracle64, len(gates)
	want := make([]*big.Int, len(table)-n)
	for i := range want {
		want[i] = o.mul(s, table[i+n])
		for k := 1; k <= n; k++ {
			if gates[k-1] == 1 {
				want[i] = o.add(want[i], table[i+n-k])
			}
		}
	}
	const guard = 77
	dst := repeated(len(want)+1, guard)
	vectors := field.F64{}.GatedSums(dst[:len(want)], o.elem(s), o.elems(table), gates)
	if possible := field.Path() != "go" && n > 0 && len(want)%16 == 0; vectors != possible {
		t.Fatalf("%d sums over %d gates: %t, not %t", len(want), n, vectors, possible)
	}
	if vectors {
		o.sameElems(t, "GatedSums", dst[:len(want)], want)
	}
	if dst[len(want)] != guard {
		t.Fatalf("%d sums over %d gates: the element behind them is overwritten", len(want), n)
	}
}

func repeated(n int, a field.Elem64) []field.Elem64 {
	v := make([]field.Elem64, n)
	for i := range v {
		v[i] = a
	}
	return v
}

func TestGatedSums(t *testing.T) {
	for _, path := range field.Paths() {
		t.Run(path, func(t *testing.T) {
			defer field.SetPath(path)()
			r := rand.New(rand.NewPCG(19, 20))
			greatest := new(big.Int).Sub(oracle64.p, big.NewInt(1))
			for _, n := range []int{0, 1, 2, 7, 8, 31, 32, 33, 64, 1000} {
				for _, m := range []int{8, 16, 17, 32, 64, 128} {
					table, gates := oracle64.vector(r, m+n), make([]byte, n)
					for i := range gates {
						gates[i] = byte(r.IntN(2))
					}
					checkGated(t, oracle64.vector(r, 1)[0], table, gates)
					for i := range table {
						table[i] = greatest
					}
					checkGated(t, greatest, table, bytes.Repeat([]byte{1}, n))
					checkGated(t, greatest, table, make([]byte, n))
				}
			}
		})
	}
}

// FuzzGatedSums takes the gates from the lowest bits of bits, and the numbers one after another from words.
func FuzzGatedSums(f *testing.F) {
	f.Add(bytes.Repeat([]byte{0xff}, 64), bytes.Repeat([]byte{0xff}, 33))
	f.Add(bytes.Repeat([]byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}, 9), []byte{1, 0, 1})
	f.Add(bytes.Repeat([]byte{0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}, 9), bytes.Repeat([]byte{1}, 64))
	f.Fuzz(func(t *testing.T, words, bits []byte) {
		if len(bits) > 100 || len(words) < 8 {
			return
		}
		gates := bytes.Clone(bits)
		for i := range gates {
			gates[i] &= 1
		}
		number := func(i int) *big.Int {
			at := 8 * (i % (len(words) / 8))
			return oracle64.mod(new(big.Int).SetBytes(words[at : at+8]))
		}
		table := make([]*big.Int, 32+len(gates))
		for i := range table {
			table[i] = number(i + 1)
		}
		checkGated(t, number(0), table, gates)
	})
}
