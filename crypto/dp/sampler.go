package dp

// The exact samplers of Canonne, Kamath and Steinke, "The Discrete Gaussian for Differential Privacy". Between the
// random bytes and the noise there are integers and fractions only, so that what comes out follows the stated law
// exactly, and follows from the stream on every machine alike. Nothing in this file may import math or math/rand; a
// test holds it to that.
//
// The order in which the stream is consumed is part of the contract (two operators recompute each other's noise from
// it): it is that of libprio-rs, whose published outputs the tests reproduce.

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/big"
)

var (
	one  = big.NewInt(1)
	half = fraction{one, big.NewInt(2)}
	unit = fraction{one, one}
)

// A fraction is num/den with num >= 0 and den > 0, not necessarily reduced. Its parts are never written to.
type fraction struct{ num, den *big.Int }

// A sampler reads random bytes from a stream. After a read error all results are meaningless and err is set; loops
// that draw until they accept must therefore stop on err.
type sampler struct {
	stream io.Reader
	err    error
	word   [4]byte
}

// uniform returns an integer of [0, n), for n > 0. It reads as many little-endian 32-bit words as n is long, the least
// significant one first, drops the surplus low bits of the last, and starts over while the result is not below n.
func (s *sampler) uniform(n *big.Int) *big.Int {
	size := n.BitLen()
	words := (size + 31) / 32
	surplus := uint(words*32 - size)
	be := make([]byte, 4*words)
	u := new(big.Int)
	for s.err == nil {
		for i := range words {
			if _, err := io.ReadFull(s.stream, s.word[:]); err != nil {
				s.err = fmt.Errorf("reading the noise stream: %w", err)
				return u
			}
			w := binary.LittleEndian.Uint32(s.word[:])
			if i == words-1 {
				w >>= surplus
			}
			binary.BigEndian.PutUint32(be[4*(words-1-i):], w)
		}
		if u.SetBytes(be).Cmp(n) < 0 {
			return u
		}
	}
	return u
}

// bernoulli returns true with probability p, for p <= 1.
func (s *sampler) bernoulli(p fraction) bool {
	num, den := p.num, p.den
	if g := new(big.Int).GCD(nil, nil, num, den); g.Cmp(one) > 0 {
		num, den = new(big.Int).Quo(num, g), new(big.Int).Quo(den, g)
	}
	// u < num out of den values. A certain outcome reads the stream as well.
	return s.uniform(den).Cmp(num) < 0 && s.err == nil
}

// bernoulliExp returns true with probability e^-x, for any x >= 0.
func (s *sampler) bernoulliExp(x fraction) bool {
	whole, rest := new(big.Int).QuoRem(x.num, x.den, new(big.Int))
	for ; whole.Sign() > 0; whole.Sub(whole, one) {
		if !s.bernoulliExp1(unit) {
			return false
		}
	}
	return s.bernoulliExp1(fraction{rest, x.den})
}

// bernoulliExp1 returns true with probability e^-x, for x <= 1: of Bernoulli draws with the chances x/1, x/2, x/3, …,
// the first to fail has an odd position with probability 1 - x + x²/2! - x³/3! + …
func (s *sampler) bernoulliExp1(x fraction) bool {
	k := int64(1)
	for s.err == nil && s.bernoulli(fraction{x.num, new(big.Int).Mul(x.den, big.NewInt(k))}) {
		k++
	}
	return k%2 == 1
}

// geometricExp returns k >= 0 with probability (1-e^-x)·e^(-xk), for x > 0.
func (s *sampler) geometricExp(x fraction) *big.Int {
	// With x = n/d: a variable of ratio e^(-1/d), as a remainder u below d and a whole number v of d's, divided by n.
	u := s.uniform(x.den)
	for s.err == nil && !s.bernoulliExp1(fraction{u, x.den}) {
		u = s.uniform(x.den)
	}
	v := new(big.Int)
	for s.err == nil && s.bernoulliExp1(unit) {
		v.Add(v, one)
	}
	v.Mul(v, x.den)
	v.Add(v, u)
	return v.Quo(v, x.num)
}

// discreteLaplace returns k with probability proportional to e^(-|k|/scale), for scale > 0.
func (s *sampler) discreteLaplace(scale fraction) *big.Int {
	for s.err == nil {
		negative := s.bernoulli(half)
		k := s.geometricExp(fraction{scale.den, scale.num})
		if negative && k.Sign() == 0 {
			continue // or else 0 would have twice its probability
		}
		if negative {
			k.Neg(k)
		}
		return k
	}
	return new(big.Int)
}

// discreteGaussian returns k with probability proportional to e^(-k²/2σ²), for σ > 0, by rejection from discrete
// Laplace noise of scale t = ⌊σ⌋ + 1.
func (s *sampler) discreteGaussian(sigma fraction) *big.Int {
	t := new(big.Int).Quo(sigma.num, sigma.den)
	t.Add(t, one)
	// Keep y with probability e^(-(|y| - σ²/t)² / 2σ²). With σ = n/d the exponent is (|y|·t·d² - n²)² / 2·(t·n·d)².
	n2 := new(big.Int).Mul(sigma.num, sigma.num)
	td2 := new(big.Int).Mul(t, new(big.Int).Mul(sigma.den, sigma.den))
	den := new(big.Int).Mul(t, new(big.Int).Mul(sigma.num, sigma.den))
	den.Mul(den, den).Lsh(den, 1)
	for s.err == nil {
		y := s.discreteLaplace(fraction{t, one})
		num := new(big.Int).Abs(y)
		num.Mul(num, td2).Sub(num, n2)
		num.Mul(num, num)
		if s.bernoulliExp(fraction{num, den}) {
			return y
		}
	}
	return new(big.Int)
}
