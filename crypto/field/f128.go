package field

import (
	"encoding/binary"
	"math/bits"
)

// F128 is Field128, the integers modulo p = 2^128 − 28·2^64 + 1.
type F128 struct{}

// An Elem128 is an element a of Field128 in the Montgomery domain, a·2^128 mod p, always below p.
type Elem128 struct{ lo, hi uint64 }

// p = p128·2^64 + 1. As p ≡ 1 mod 2^64, Montgomery reduction takes the negated low word itself as quotient.
const p128 = 1<<64 - 28

// mulAdd128 returns t + a·b for a word b. With a and b those of elements, and t below 2^129, it is below 2^192: no word of b's is
// above p128, so that a·b < 2^192 − 28·2^128.
func mulAdd128(t0, t1, t2, alo, ahi, b uint64) (uint64, uint64, uint64) {
	h0, l0 := bits.Mul64(alo, b)
	h1, l1 := bits.Mul64(ahi, b)
	h0, c := bits.Add64(h0, l1, 0)
	t0, d := bits.Add64(t0, l0, 0)
	t1, d = bits.Add64(t1, h0, d)
	return t0, t1, t2 + h1 + c + d
}

// reduceWord128 returns t/2^64 mod p: adding −t0·p clears the lowest word. Below 2^192 it becomes one below 2^129.
func reduceWord128(t0, t1, t2 uint64) (uint64, uint64, uint64) {
	h, l := bits.Mul64(-t0, p128)
	_, c := bits.Add64(t0, -t0, 0)
	t1, c = bits.Add64(t1, l, c)
	t2, c = bits.Add64(t2, h, c)
	return t1, t2, c
}

// canonical128 reduces a three-word integer below 2p.
func canonical128(lo, hi, top uint64) (uint64, uint64) {
	l, b := bits.Sub64(lo, 1, 0)
	h, b := bits.Sub64(hi, p128, b)
	_, b = bits.Sub64(top, 0, b)
	// b is 1 where the integer was already below p; then p is added back.
	l, c := bits.Add64(l, b, 0)
	h, _ = bits.Add64(h, -b&p128, c)
	return l, h
}

// mul128 returns a·b/2^128 mod p. The hot loops repeat its lines, since the compiler does not inline it.
func mul128(alo, ahi, blo, bhi uint64) (lo, hi uint64) {
	t0, t1, t2 := mulAdd128(0, 0, 0, alo, ahi, blo)
	t0, t1, t2 = reduceWord128(t0, t1, t2)
	t0, t1, t2 = mulAdd128(t0, t1, t2, alo, ahi, bhi)
	t0, t1, t2 = reduceWord128(t0, t1, t2)
	return canonical128(t0, t1, t2)
}

func sub128(alo, ahi, blo, bhi uint64) (lo, hi uint64) {
	lo, b := bits.Sub64(alo, blo, 0)
	hi, b = bits.Sub64(ahi, bhi, b)
	lo, c := bits.Add64(lo, b, 0)
	hi, _ = bits.Add64(hi, -b&p128, c)
	return lo, hi
}

// add128 subtracts p − b, which is not 0 but may be p, and works for that too.
func add128(alo, ahi, blo, bhi uint64) (lo, hi uint64) {
	l, b := bits.Sub64(1, blo, 0)
	h, _ := bits.Sub64(p128, bhi, b)
	return sub128(alo, ahi, l, h)
}

// settle128 reduces a three-word integer whose top word is below 2^58, by 2^128 ≡ 28·2^64 − 1. The second step adds what
// the first carried out; its sum is small, so it carries no more.
func settle128(lo, hi, top uint64) (uint64, uint64) {
	lo, b := bits.Sub64(lo, top, 0)
	hi, c := bits.Add64(hi, 28*top-b, 0) // 28·top − b ≥ 0, as b = 1 needs top > 0
	lo, b = bits.Sub64(lo, c, 0)
	hi += 28*c - b
	return canonical128(lo, hi, 0)
}

// wrap128 reduces any three-word integer.
func wrap128(lo, hi, top uint64) (uint64, uint64) {
	h, l := bits.Mul64(top, 28)
	hi, c := bits.Add64(hi, l, 0)
	lo, b := bits.Sub64(lo, top, 0)
	hi, b = bits.Sub64(hi, 0, b)
	return settle128(lo, hi, h+c-b)
}

func load128(x []byte) (lo, hi uint64) {
	return binary.LittleEndian.Uint64(x), binary.LittleEndian.Uint64(x[8:16])
}

func store128(x []byte, lo, hi uint64) {
	binary.LittleEndian.PutUint64(x, lo)
	binary.LittleEndian.PutUint64(x[8:16], hi)
}

// rr is 2^256 mod p: a product with it enters the Montgomery domain.
const rrLo, rrHi = 0xfffffffffffffcf1, 0x5587

func (F128) FromUint64(x uint64) Elem128 { return enter(x, 0) }

func (F128) Decode(x []byte) Elem128 { return enter(load128(x)) }

func enter(lo, hi uint64) (a Elem128) {
	a.lo, a.hi = mul128(lo, hi, rrLo, rrHi)
	return a
}

func (F128) Encode(dst []byte, a Elem128) {
	lo, hi := mul128(a.lo, a.hi, 1, 0)
	store128(dst, lo, hi)
}

func (F128) Add(a, b Elem128) (z Elem128) {
	z.lo, z.hi = add128(a.lo, a.hi, b.lo, b.hi)
	return z
}

func (F128) Sub(a, b Elem128) (z Elem128) {
	z.lo, z.hi = sub128(a.lo, a.hi, b.lo, b.hi)
	return z
}

func (F128) Mul(a, b Elem128) (z Elem128) {
	z.lo, z.hi = mul128(a.lo, a.hi, b.lo, b.hi)
	return z
}

// Inv returns a^(p−2); the exponent's words are p128−1 and 2^64 − 1.
func (f F128) Inv(a Elem128) Elem128 {
	high := Power[Elem128](f, a, p128-1)
	for range 64 {
		high = f.Mul(high, high)
	}
	return f.Mul(high, Power[Elem128](f, a, 1<<64-1))
}

// Generator returns 7^4611686018427387897, of order 2^66.
func (F128) Generator() (g Elem128, log int) {
	return Elem128{lo: 0xf0111fb98c6b9875, hi: 0x50f8f7f554db309c}, 66
}
