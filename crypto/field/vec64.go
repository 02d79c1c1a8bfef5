package field

import (
	"encoding/binary"
	"math/bits"
)

func (F64) Size() int { return 8 }

func (F64) Valid(x []byte) bool {
	// An element not below p carries when 2^64 − p is added to it.
	var c, above uint64
	for ; len(x) >= 32; x = x[32:] {
		four := (*[32]byte)(x)
		_, c = bits.Add64(load64(four[0:]), eps64, 0)
		above, _ = bits.Add64(above, 0, c)
		_, c = bits.Add64(load64(four[8:]), eps64, 0)
		above, _ = bits.Add64(above, 0, c)
		_, c = bits.Add64(load64(four[16:]), eps64, 0)
		above, _ = bits.Add64(above, 0, c)
		_, c = bits.Add64(load64(four[24:]), eps64, 0)
		above, _ = bits.Add64(above, 0, c)
	}
	for ; len(x) >= 8; x = x[8:] {
		_, c = bits.Add64(load64(x), eps64, 0)
		above, _ = bits.Add64(above, 0, c)
	}
	return above == 0 && len(x) == 0
}

func (F64) Exceeds(hi, lo uint64) bool { return hi > 0 || lo >= p64 }

func load64(x []byte) uint64     { return binary.LittleEndian.Uint64(x) }
func store64(x []byte, a uint64) { binary.LittleEndian.PutUint64(x, a) }

func (F64) EncodeEvery(dst []byte, stride int, a []Elem64) {
	at := 0
	for _, x := range a {
		store64(dst[at:at+8], uint64(x))
		at += 8 * stride
	}
}

func (F64) DecodeEvery(dst []Elem64, x []byte, stride int) {
	at := 0
	for i := range dst {
		dst[i] = Elem64(load64(x[at : at+8]))
		at += 8 * stride
	}
}

func (F64) AddTo(dst, src []byte) {
	src = src[:len(dst)]
	for i := 0; i+8 <= len(dst); i += 8 {
		store64(dst[i:i+8], add64(load64(dst[i:i+8]), load64(src[i:i+8])))
	}
}

func (F64) SubTo(dst, src []byte) {
	src = src[:len(dst)]
	for i := 0; i+8 <= len(dst); i += 8 {
		store64(dst[i:i+8], sub64(load64(dst[i:i+8]), load64(src[i:i+8])))
	}
}

func (F64) FromSmall(dst, small []byte) {
	for i, s := range small {
		store64(dst[8*i:], uint64(s))
	}
}

func (F64) Weigh(dst, x []byte, n int, last uint64) {
	for ; len(dst) >= 8; dst = dst[8:] {
		var t wide64
		for i := range n - 1 {
			t = t.add(1<<i, load64(x[8*i:]))
		}
		t = t.add(last, load64(x[8*(n-1):]))
		store64(dst, t.fold())
		x = x[8*n:]
	}
}

// A wide64 is a sum of fewer than 2^32 products, not reduced.
type wide64 struct{ t0, t1, t2 uint64 }

// add returns the sum with a·b. Sums are values, so that loops keep them in registers.
func (t wide64) add(a, b uint64) wide64 {
	h, l := bits.Mul64(a, b)
	var c uint64
	t.t0, c = bits.Add64(t.t0, l, 0)
	t.t1, c = bits.Add64(t.t1, h, c)
	t.t2, _ = bits.Add64(t.t2, 0, c)
	return t
}

// fold reduces the sum: 2^128 ≡ −2^32.
func (t wide64) fold() uint64 { return sub64(reduce64(t.t1, t.t0), t.t2<<32) }

func (F64) Dot(w []Elem64, x []byte, stride int) Elem64 {
	var t wide64
	at := 0
	for _, a := range w {
		t = t.add(uint64(a), load64(x[at:at+8]))
		at += 8 * stride
	}
	return Elem64(t.fold())
}

func (F64) PairSum(x []byte) Elem64 {
	var t wide64
	for ; len(x) >= 16; x = x[16:] {
		t = t.add(load64(x), load64(x[8:]))
	}
	return Elem64(t.fold())
}

func (F64) Sum(x []byte) Elem64 {
	var s, top, c uint64
	for ; len(x) >= 8; x = x[8:] {
		s, c = bits.Add64(s, load64(x), 0)
		top += c
	}
	return Elem64(reduce64(top, s))
}

func (F64) Scale(dst []Elem64, s Elem64, x []Elem64) {
	for i, a := range x[:len(dst)] {
		dst[i] = Elem64(mul64(uint64(a), uint64(s)))
	}
}

func (F64) Hadamard(dst, a, b []Elem64) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = Elem64(reduce64(bits.Mul64(uint64(a[i]), uint64(b[i]))))
	}
}

func (F64) AddHadamard(dst, a, b []Elem64) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = Elem64(add64(uint64(dst[i]), mul64(uint64(a[i]), uint64(b[i]))))
	}
}

func (F64) Polynomial(y, x, c []Elem64) {
	x = x[:len(y)]
	last := len(c) - 1
	for i := range y {
		a := uint64(x[i])
		z := add64(a, uint64(c[last]))
		for j := last - 1; j >= 0; j-- {
			z = add64(reduce64(bits.Mul64(z, a)), uint64(c[j]))
		}
		y[i] = Elem64(reduce64(bits.Mul64(z, a)))
	}
}

func (F64) Inner(a, b []Elem64) Elem64 {
	var t wide64
	b = b[:len(a)]
	for i := range a {
		t = t.add(uint64(a[i]), uint64(b[i]))
	}
	return Elem64(t.fold())
}
