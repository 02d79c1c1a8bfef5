package field

import (
	"encoding/binary"
	"math/bits"
)

// F64 is Field64, the integers modulo p = 2^64 − 2^32 + 1.
type F64 struct{}

// An Elem64 is an element of Field64: a plain integer, always below p.
type Elem64 uint64

// Modulus64 is the modulus of Field64.
const Modulus64 = 1<<64 - 1<<32 + 1

const (
	p64   = Modulus64
	eps64 = 1<<32 - 1 // 2^64 mod p

	minus32 = p64 - 1<<32 // 2^128 mod p
)

// reduce64 returns hi·2^64 + lo mod p. With hi = a·2^32 + b it is lo − a + b·(2^32 − 1), since 2^64 ≡ 2^32 − 1 and 2^96 ≡ −1.
func reduce64(hi, lo uint64) uint64 {
	a, b := hi>>32, hi&eps64
	t, borrow := bits.Sub64(lo, a, 0)
	t -= -borrow & eps64
	t, carry := bits.Add64(t, b<<32-b, 0)
	t += -carry & eps64
	return canonical64(t)
}

// canonical64 reduces a < 2^64 < 2p.
func canonical64(a uint64) uint64 {
	t, borrow := bits.Sub64(a, p64, 0)
	return t + -borrow&p64
}

// montgomery64 returns (hi·2^64 + lo)/2^64 mod p for hi below p, in half the steps of reduce64. As 1/p ≡ 1 + 2^32 mod 2^64, lo is that of m·p with
// m = lo·(1 + 2^32) mod 2^64; and ⌊m·p/2^64⌋ = m − ⌊m/2^32⌋ − e with the carry e of that product's sum.
func montgomery64(hi, lo uint64) uint64 {
	m, e := bits.Add64(lo, lo<<32, 0)
	return sub64(hi, m-m>>32-e)
}

// add64 subtracts p − b, which is not 0 but may be p, and works for that too.
func add64(a, b uint64) uint64 { return sub64(a, p64-b) }

func sub64(a, b uint64) uint64 {
	d, borrow := bits.Sub64(a, b, 0)
	return d + -borrow&p64
}

// mul64 is a·b mod p. The hot loops write it out, since the compiler inlines reduce64 but not this.
func mul64(a, b uint64) uint64 { return reduce64(bits.Mul64(a, b)) }

func (F64) FromUint64(x uint64) Elem64     { return Elem64(x) }
func (F64) Decode(x []byte) Elem64         { return Elem64(binary.LittleEndian.Uint64(x)) }
func (F64) Encode(dst []byte, a Elem64)    { binary.LittleEndian.PutUint64(dst, uint64(a)) }
func (F64) Add(a, b Elem64) Elem64         { return Elem64(add64(uint64(a), uint64(b))) }
func (F64) Sub(a, b Elem64) Elem64         { return Elem64(sub64(uint64(a), uint64(b))) }
func (F64) Mul(a, b Elem64) Elem64         { return Elem64(mul64(uint64(a), uint64(b))) }
func (F64) Generator() (g Elem64, log int) { return 1753635133440165772, 32 }
func (f F64) Inv(a Elem64) Elem64          { return Power[Elem64](f, a, p64-2) }
