package field_test

import (
	"bytes"
	"fmt"
	"math/big"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"candor/crypto/field"
)

// extremes are integers below 2^128 whose words and 52-bit limbs are all zeros, all ones, or next to it. Those from the modulus on are no
// elements; the greatest that are stand in for them.
func extremes() []*big.Int {
	var v []*big.Int
	for i := range 8 {
		x := new(big.Int)
		for limb := range 3 {
			if i>>limb&1 == 1 {
				x.Or(x, new(big.Int).Lsh(big.NewInt(1<<52-1), uint(52*limb)))
			}
		}
		v = append(v, x.And(x, new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 128), big.NewInt(1))))
	}
	v = append(v, oracle128.edges()...)
	for i, x := range v {
		if x.Cmp(oracle128.p) >= 0 {
			v[i] = new(big.Int).Sub(oracle128.p, big.NewInt(int64(i+1)))
		}
	}
	return v
}

// A source makes vectors from extremes and random elements. Its bytes decide; after the last one all are zero.
type source struct{ r *bytes.Reader }

func (s source) byte() int {
	b, _ := s.r.ReadByte()
	return int(b)
}

func (s source) integer(pool []*big.Int) *big.Int {
	if i := s.byte(); i < 2*len(pool) {
		return pool[i/2]
	}
	var b [16]byte
	s.r.Read(b[:])
	return oracle128.mod(new(big.Int).SetBytes(b[:]))
}

// encoded returns n encoded elements.
func (s source) encoded(pool []*big.Int, n int) []byte {
	var b []byte
	for range n {
		b = append(b, oracle128.encode(s.integer(pool))...)
	}
	return b
}

// elems returns n elements; it is what represents them that is extreme, a·2^128.
func (s source) elems(pool []*big.Int, n int) []field.Elem128 {
	inverse := new(big.Int).ModInverse(new(big.Int).Lsh(big.NewInt(1), 128), oracle128.p)
	v := make([]field.Elem128, n)
	for i := range v {
		v[i] = oracle128.elem(oracle128.mul(s.integer(pool), inverse))
	}
	return v
}

func randomSource(r *rand.Rand, n int) source {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return source{bytes.NewReader(b)}
}

// onPaths runs f, which returns a result, on every path and compares each result with that of "go".
func onPaths(t *testing.T, what string, f func() []byte) {
	t.Helper()
	var want []byte
	for _, path := range field.Paths() {
		restore := field.SetPath(path)
		got := f()
		restore()
		if path == "go" {
			want = got
		} else if !bytes.Equal(got, want) {
			t.Fatalf("%s: path %s gives %x, path go %x", what, path, got, want)
		}
	}
}

// comparePaths compares the paths on a matrix of a range check, and on its rows.
func comparePaths(t *testing.T, s source, pool []*big.Int, rows, chunk, short, weights int) {
	t.Helper()
	f := field.F128{}
	encoded := func(a field.Elem128) []byte {
		b := make([]byte, 16)
		f.Encode(b, a)
		return b
	}
	x := s.encoded(pool, max(rows*chunk-short, 0))
	seeds := s.encoded(pool, 2*chunk)
	w, r, shift := s.elems(pool, 1+rows), s.elems(pool, rows), s.elems(pool, 1)[0]
	what := fmt.Sprintf("%d rows of %d, the last less %d", rows, chunk, short)
	onPaths(t, "RangeWires, "+what, func() []byte {
		dst := make([]byte, 32*chunk)
		f.RangeWires(dst, seeds, x, w, r, shift, make([]field.Elem128, field.RangeScratch(rows)))
		return dst
	})
	if rows <= 64 { // the time grows with the square
		n := 1 + rows
		bits := make([]byte, rows*chunk)
		for i := range bits {
			bits[i] = byte(s.byte() & 1)
		}
		onPaths(t, "PairSums, "+what, func() []byte {
			sums := make([]field.Elem128, n*n)
			f.PairSums(sums, r, seeds, slices.Clone(bits), make([]field.Elem128, field.PairScratch(rows, chunk)))
			var b []byte
			for i, z := range sums {
				if i%(n+1) > 0 { // the diagonal is not written
					b = append(b, encoded(z)...)
				}
			}
			return b
		})
	}
	for stride := 1; stride < 4; stride++ {
		n := min(len(w), (len(x)/16+stride-1)/stride)
		onPaths(t, fmt.Sprintf("Dot of %d, stride %d", n, stride), func() []byte { return encoded(f.Dot(w[:n], x, stride)) })
	}
	last := s.byte() % weights
	onPaths(t, fmt.Sprintf("Weigh of %d bits, the last weight 2^%d", weights, last), func() []byte {
		dst := make([]byte, len(x)/16/weights*16)
		f.Weigh(dst, x, weights, 1<<last)
		return dst
	})
	spoilt := slices.Clone(x)
	if at := s.byte(); at < len(x)/16 {
		copy(spoilt[16*at:], []byte{1, 0, 0, 0, 0, 0, 0, 0, 0xe4, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}) // p
	}
	onPaths(t, "Valid", func() []byte { return fmt.Append(nil, f.Valid(x), f.Valid(spoilt)) })
}

func TestPaths(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 14))
	pool := extremes()
	shapes := [][2]int{{5, 7}, {8, 4}, {16, 2}, {35, 35}, {255, 1}, {256, 9}, {257, 3}, {264, 8}, {600, 2}}
	for range 60 {
		shapes = append(shapes, [2]int{1 + r.IntN(40), 1 + r.IntN(40)})
	}
	for i, shape := range shapes {
		n := shape[0] * shape[1]
		comparePaths(t, randomSource(r, 64*n), pool, shape[0], shape[1], r.IntN(shape[1]), 1+i%64)
	}
	// All alike: the greatest sums.
	for _, x := range pool {
		comparePaths(t, source{bytes.NewReader(nil)}, []*big.Int{x}, 257, 2, 0, 51)
		comparePaths(t, source{bytes.NewReader(nil)}, []*big.Int{x}, 512, 1, 0, 8)
	}
}

// TestProductsOfExtremes multiplies elements whose representations are extreme: alone, as a power of joint randomness, and in a sum.
func TestProductsOfExtremes(t *testing.T) {
	f, o := field.F128{}, oracle128
	// The last, times 1, takes a carry that others almost never do: 28 times its high word ends in 2^64 − 4.
	high := new(big.Int).ModInverse(big.NewInt(-7), new(big.Int).Lsh(big.NewInt(1), 62))
	pool := append(extremes(), high.Lsh(high, 64).SetBit(high, 63, 1))
	inverse := new(big.Int).ModInverse(new(big.Int).Lsh(big.NewInt(1), 128), o.p)
	v := make([]field.Elem128, len(pool))
	for i, x := range pool {
		v[i] = o.elem(o.mul(x, inverse))
	}
	for _, path := range field.Paths() {
		restore := field.SetPath(path)
		for _, a := range v {
			for _, b := range v {
				product := o.mul(o.big(a), o.big(b))
				o.sameElems(t, "Mul", []field.Elem128{f.Mul(a, b)}, []*big.Int{product})
				o.sameElems(t, "Inner", []field.Elem128{f.Inner([]field.Elem128{a, b}, []field.Elem128{b, a})}, []*big.Int{o.add(product, product)})
				wires := make([]byte, 32)
				w := []field.Elem128{f.FromUint64(0), a}
				f.RangeWires(wires, make([]byte, 32), o.encode(big.NewInt(1)), w, []field.Elem128{b}, f.FromUint64(0), make([]field.Elem128, field.RangeScratch(1)))
				o.same(t, "RangeWires", wires, []*big.Int{product, o.big(a)})
			}
		}
		restore()
	}
}

// TestLongDot adds more of the greatest products than one run of the vector code may.
func TestLongDot(t *testing.T) {
	f := field.F128{}
	top := new(big.Int).Sub(oracle128.p, big.NewInt(1))
	s := source{bytes.NewReader(nil)}
	w, x := s.elems([]*big.Int{top}, 3000), s.encoded([]*big.Int{top}, 3000)
	onPaths(t, "Dot", func() []byte {
		b := make([]byte, 16)
		f.Encode(b, f.Dot(w, x, 1))
		return b
	})
}

// FuzzPaths compares the paths on the shape and the elements that the input makes.
func FuzzPaths(f *testing.F) {
	pool := extremes()
	r := rand.New(rand.NewPCG(15, 16))
	for i := range 6 {
		b := make([]byte, 1000)
		for j := range b {
			b[j] = byte(r.Uint32())
		}
		f.Add(byte(9*i), byte(7*i), byte(i), byte(11*i), b)
	}
	f.Fuzz(func(t *testing.T, rows, chunk, short, bits byte, b []byte) {
		columns := 1 + int(chunk%24)
		comparePaths(t, source{bytes.NewReader(b)}, pool, 1+int(rows%48), columns, int(short)%columns, 1+int(bits%64))
	})
}

func TestSetPath(t *testing.T) {
	paths := field.Paths()
	if paths[0] != "go" || field.Path() != paths[len(paths)-1] {
		t.Errorf("paths are %v, the one taken is %s", paths, field.Path())
	}
	restore := field.SetPath("go")
	if field.Path() != "go" {
		t.Errorf("path is %s, not go", field.Path())
	}
	if restore(); field.Path() != paths[len(paths)-1] {
		t.Errorf("path is %s again, not %s", field.Path(), paths[len(paths)-1])
	}
	defer func() {
		if v := recover(); v == nil || !strings.Contains(fmt.Sprint(v), "path avx3") {
			t.Errorf("recovered %v", v)
		}
	}()
	field.SetPath("avx3")
}

// TestScratch checks that the vector code stays inside the scratch space, and allocates nothing.
func TestScratch(t *testing.T) {
	f := field.F128{}
	for _, shape := range [][2]int{{1, 40}, {8, 8}, {35, 35}, {300, 3}} {
		rows, chunk := shape[0], shape[1]
		n := field.RangeScratch(rows)
		scratch := make([]field.Elem128, n+64)
		guard := f.FromUint64(0xa5a5a5a5)
		for i := range scratch[n:] {
			scratch[n+i] = guard
		}
		dst, seeds, x := make([]byte, 32*chunk), make([]byte, 32*chunk), make([]byte, 16*rows*chunk)
		w := make([]field.Elem128, 1+rows)
		allocs := testing.AllocsPerRun(10, func() {
			f.RangeWires(dst, seeds, x, w, w[1:], guard, scratch[:n:n])
			f.Dot(w, x, 1)
			f.Weigh(dst[:16*min(2*chunk, rows*chunk)], x, 1, 1)
			f.Valid(x)
		})
		if allocs != 0 {
			t.Errorf("%d rows of %d: %v allocations", rows, chunk, allocs)
		}
		for i, a := range scratch[n:] {
			if a != guard {
				t.Fatalf("%d rows of %d: element %d behind the scratch space is overwritten", rows, chunk, i)
			}
		}
	}
}

// TestGenerated checks that the generated files are what the generator writes.
func TestGenerated(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles the generator")
	}
	program, err := filepath.Abs(filepath.Join("gen", "main.go"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "run", program)
	cmd.Dir = t.TempDir()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go run gen/main.go: %v\n%s", err, out)
	}
	want, err := os.ReadFile(filepath.Join(cmd.Dir, "ifma_amd64.s"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile("ifma_amd64.s"); err != nil || !bytes.Equal(got, want) {
		t.Errorf("ifma_amd64.s is not what the generator writes (%v); run go generate", err)
	}
}
