package field

import (
	"encoding/binary"
	"math/bits"
)

func (F128) Size() int { return 16 }

// Valid looks at the low words only if a high word is not below p128, which random bytes almost never are, and valid ones only in 2^−64 of the cases.
func (F128) Valid(x []byte) bool {
	valid, n := validIFMA(x)
	x = x[n:]
	var c, high uint64
	y := x
	for ; len(y) >= 64; y = y[64:] {
		four := (*[64]byte)(y)
		_, c = bits.Add64(binary.LittleEndian.Uint64(four[8:]), 1<<64-p128, 0)
		high, _ = bits.Add64(high, 0, c)
		_, c = bits.Add64(binary.LittleEndian.Uint64(four[24:]), 1<<64-p128, 0)
		high, _ = bits.Add64(high, 0, c)
		_, c = bits.Add64(binary.LittleEndian.Uint64(four[40:]), 1<<64-p128, 0)
		high, _ = bits.Add64(high, 0, c)
		_, c = bits.Add64(binary.LittleEndian.Uint64(four[56:]), 1<<64-p128, 0)
		high, _ = bits.Add64(high, 0, c)
	}
	for ; len(y) >= 16; y = y[16:] {
		_, c = bits.Add64(binary.LittleEndian.Uint64(y[8:]), 1<<64-p128, 0)
		high, _ = bits.Add64(high, 0, c)
	}
	if high > 0 {
		for y := x; len(y) >= 16; y = y[16:] {
			lo, hi := load128(y)
			_, b := bits.Sub64(lo, 1, 0)
			_, b = bits.Sub64(hi, p128, b)
			valid &= b
		}
	}
	return valid == 1 && len(x)%16 == 0
}

func (F128) Exceeds(hi, lo uint64) bool { return hi > p128 || hi == p128 && lo > 0 }

func (f F128) EncodeEvery(dst []byte, stride int, a []Elem128) {
	for i, x := range a {
		f.Encode(dst[16*i*stride:], x)
	}
}

func (f F128) DecodeEvery(dst []Elem128, x []byte, stride int) {
	for i := range dst {
		dst[i] = f.Decode(x[16*i*stride:])
	}
}

func (F128) AddTo(dst, src []byte) {
	src = src[:len(dst)]
	for i := 0; i+16 <= len(dst); i += 16 {
		alo, ahi := load128(dst[i:])
		blo, bhi := load128(src[i:])
		alo, ahi = add128(alo, ahi, blo, bhi)
		store128(dst[i:], alo, ahi)
	}
}

func (F128) SubTo(dst, src []byte) {
	src = src[:len(dst)]
	for i := 0; i+16 <= len(dst); i += 16 {
		alo, ahi := load128(dst[i:])
		blo, bhi := load128(src[i:])
		alo, ahi = sub128(alo, ahi, blo, bhi)
		store128(dst[i:], alo, ahi)
	}
}

func (F128) FromSmall(dst, small []byte) {
	for i, s := range small {
		store128(dst[16*i:], uint64(s), 0)
	}
}

// A wide128 is a sum of fewer than 2^32 products of two integers below 2^128, not reduced.
type wide128 struct{ t0, t1, t2, t3, t4 uint64 }

// addLow128 adds a·b to a sum for the low word b of a factor, addHigh128 to all of it but t0 for the high word.
func addLow128(t0, t1, t2, t3, t4, alo, ahi, b uint64) (uint64, uint64, uint64, uint64, uint64) {
	h0, l0 := bits.Mul64(alo, b)
	h1, l1 := bits.Mul64(ahi, b)
	h0, c := bits.Add64(h0, l1, 0)
	t0, d := bits.Add64(t0, l0, 0)
	t1, d = bits.Add64(t1, h0, d)
	t2, d = bits.Add64(t2, h1+c, d)
	t3, d = bits.Add64(t3, 0, d)
	return t0, t1, t2, t3, t4 + d
}

func addHigh128(t1, t2, t3, t4, alo, ahi, b uint64) (uint64, uint64, uint64, uint64) {
	h0, l0 := bits.Mul64(alo, b)
	h1, l1 := bits.Mul64(ahi, b)
	h0, c := bits.Add64(h0, l1, 0)
	t1, d := bits.Add64(t1, l0, 0)
	t2, d = bits.Add64(t2, h0, d)
	t3, d = bits.Add64(t3, h1+c, d)
	return t1, t2, t3, t4 + d
}

// add adds the product of a and b.
func (t *wide128) add(alo, ahi, blo, bhi uint64) {
	t.t0, t.t1, t.t2, t.t3, t.t4 = addLow128(t.t0, t.t1, t.t2, t.t3, t.t4, alo, ahi, blo)
	t.t1, t.t2, t.t3, t.t4 = addHigh128(t.t1, t.t2, t.t3, t.t4, alo, ahi, bhi)
}

// addBytes adds Σ w[i]·x[i·stride].
func (t *wide128) addBytes(w []Elem128, x []byte, stride int) {
	t0, t1, t2, t3, t4 := t.t0, t.t1, t.t2, t.t3, t.t4
	for i := range w {
		lo, hi := load128(x[16*i*stride:])
		t0, t1, t2, t3, t4 = addLow128(t0, t1, t2, t3, t4, w[i].lo, w[i].hi, lo)
		t1, t2, t3, t4 = addHigh128(t1, t2, t3, t4, w[i].lo, w[i].hi, hi)
	}
	*t = wide128{t0, t1, t2, t3, t4}
}

// fold returns the sum divided by 2^128, reduced.
func (t *wide128) fold() (lo, hi uint64) {
	t1, t2, c := reduceWord128(t.t0, t.t1, t.t2)
	t3, c := bits.Add64(t.t3, c, 0)
	t4 := t.t4 + c
	t2, t3, c = reduceWord128(t1, t2, t3)
	return settle128(t2, t3, t4+c)
}

func (F128) Dot(w []Elem128, x []byte, stride int) Elem128 {
	var t wide128
	if n := t.addIFMA(w, x, stride); n < len(w) {
		t.addBytes(w[n:], x[16*n*stride:], stride)
	}
	return enter(t.fold())
}

func (F128) Inner(a, b []Elem128) (z Elem128) {
	var t wide128
	n := t.addInnerIFMA(a, b)
	t.addInner(a[n:], b[n:])
	z.lo, z.hi = t.fold()
	return z
}

// addInner adds Σ a[i]·b[i] for any a and b below 2^128. Each product is put together before it is added, in runs of carries that cross no
// multiplication, since the compiler keeps no carry across one.
func (t *wide128) addInner(a, b []Elem128) {
	b = b[:len(a)]
	t0, t1, t2, t3, t4 := t.t0, t.t1, t.t2, t.t3, t.t4
	var c uint64
	for i := range a {
		h1, l1 := bits.Mul64(a[i].lo, b[i].hi)
		h2, l2 := bits.Mul64(a[i].hi, b[i].lo)
		h3, l3 := bits.Mul64(a[i].hi, b[i].hi)
		h0, l0 := bits.Mul64(a[i].lo, b[i].lo)
		l1, c = bits.Add64(l1, l2, 0)
		h1, c = bits.Add64(h1, h2, c)
		h3, _ = bits.Add64(h3, 0, c)
		h0, c = bits.Add64(h0, l1, 0)
		l3, c = bits.Add64(l3, h1, c)
		h3, _ = bits.Add64(h3, 0, c)
		t0, c = bits.Add64(t0, l0, 0)
		t1, c = bits.Add64(t1, h0, c)
		t2, c = bits.Add64(t2, l3, c)
		t3, c = bits.Add64(t3, h3, c)
		t4, _ = bits.Add64(t4, 0, c)
	}
	*t = wide128{t0, t1, t2, t3, t4}
}

func (F128) PairSum(x []byte) Elem128 {
	var t0, t1, t2, t3, t4 uint64
	for ; len(x) >= 32; x = x[32:] {
		alo, ahi := load128(x)
		blo, bhi := load128(x[16:])
		t0, t1, t2, t3, t4 = addLow128(t0, t1, t2, t3, t4, alo, ahi, blo)
		t1, t2, t3, t4 = addHigh128(t1, t2, t3, t4, alo, ahi, bhi)
	}
	t := wide128{t0, t1, t2, t3, t4}
	// Both factors are plain, so the reduction leaves their sum divided by 2^128.
	return enter(enter(t.fold()).words())
}

func (a Elem128) words() (lo, hi uint64) { return a.lo, a.hi }

func (F128) Sum(x []byte) Elem128 {
	var s0, s1, s2, c uint64
	for ; len(x) >= 16; x = x[16:] {
		lo, hi := load128(x)
		s0, c = bits.Add64(s0, lo, 0)
		s1, c = bits.Add64(s1, hi, c)
		s2 += c
	}
	return enter(wrap128(s0, s1, s2))
}

func (F128) Weigh(dst, x []byte, n int, last uint64) {
	if weighManyIFMA(dst, x, n, last) {
		return
	}
	for ; len(dst) >= 16; dst = dst[16:] {
		// Less than 64 elements, doubled that often, and one product: each sum fits three words.
		var s0, s1, s2, c uint64
		for y := x[:16*(n-1)]; len(y) >= 16; y = y[:len(y)-16] {
			s0, c = bits.Add64(s0, s0, 0)
			s1, c = bits.Add64(s1, s1, c)
			s2, _ = bits.Add64(s2, s2, c)
			e := (*[16]byte)(y[len(y)-16:])
			s0, c = bits.Add64(s0, binary.LittleEndian.Uint64(e[:]), 0)
			s1, c = bits.Add64(s1, binary.LittleEndian.Uint64(e[8:]), c)
			s2, _ = bits.Add64(s2, 0, c)
		}
		lo, hi := load128(x[16*(n-1):])
		t1, t0 := bits.Mul64(lo, last)
		t2, l := bits.Mul64(hi, last)
		t1, c = bits.Add64(t1, l, 0)
		t2 += c
		s0, s1 = wrap128(s0, s1, s2)
		t0, t1 = wrap128(t0, t1, t2)
		lo, hi = add128(s0, s1, t0, t1)
		store128(dst, lo, hi)
		x = x[16*n:]
	}
}

func (F128) Scale(dst []Elem128, s Elem128, x []Elem128) {
	x = x[:len(dst)]
	for i := range dst {
		dst[i].lo, dst[i].hi = mul128(x[i].lo, x[i].hi, s.lo, s.hi)
	}
}

func (F128) Hadamard(dst, a, b []Elem128) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		t0, t1, t2 := mulAdd128(0, 0, 0, a[i].lo, a[i].hi, b[i].lo)
		t0, t1, t2 = reduceWord128(t0, t1, t2)
		t0, t1, t2 = mulAdd128(t0, t1, t2, a[i].lo, a[i].hi, b[i].hi)
		t0, t1, t2 = reduceWord128(t0, t1, t2)
		dst[i].lo, dst[i].hi = canonical128(t0, t1, t2)
	}
}

func (f F128) Polynomial(y, x, c []Elem128) {
	x = x[:len(y)]
	last := len(c) - 1
	for i, a := range x {
		z := f.Add(a, c[last])
		for j := last - 1; j >= 0; j-- {
			z = f.Add(f.Mul(z, a), c[j])
		}
		y[i] = f.Mul(z, a)
	}
}

func (F128) AddHadamard(dst, a, b []Elem128) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		lo, hi := mul128(a[i].lo, a[i].hi, b[i].lo, b[i].hi)
		dst[i].lo, dst[i].hi = add128(dst[i].lo, dst[i].hi, lo, hi)
	}
}
