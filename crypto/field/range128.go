package field

import "math/bits"

func (f F128) RangeWires(dst, seeds, x []byte, w, r []Elem128, shift Elem128, scratch []Elem128) {
	if rangeWiresIFMA(dst, seeds, x, w, r, shift, scratch) {
		return
	}
	chunk, rows := len(dst)/32, len(r)
	d, columns := scratch[:rows], scratch[rows:]
	copy(d, w[1:])
	for j := range chunk {
		if j%rangeColumns == 0 {
			readColumns(columns, x, j, chunk, rows)
		}
		column := columns[j%rangeColumns*rows:][:rows]
		multiplyEach128(d, r)
		var powered, plain wide128
		lo, hi := load128(seeds[32*j:])
		powered.add(w[0].lo, w[0].hi, lo, hi)
		powered.addInner(d, column)
		lo, hi = load128(seeds[32*j+16:])
		plain.add(w[0].lo, w[0].hi, lo, hi)
		plain.add(shift.lo, shift.hi, 1, 0) // in the Montgomery domain, as the sum still is
		plain.addInner(w[1:1+rows], column)
		lo, hi = powered.fold()
		store128(dst[32*j:], lo, hi)
		lo, hi = plain.fold()
		store128(dst[32*j+16:], lo, hi)
	}
}

// readColumns copies columns j, j+1 … of x, as they are, to consecutive parts of dst, with zeros for what is missing.
func readColumns(dst []Elem128, x []byte, j, chunk, rows int) {
	a, b, c, d := dst[:rows], dst[rows:2*rows], dst[2*rows:3*rows], dst[3*rows:4*rows]
	var short [16 * rangeColumns]byte
	for k := range rows {
		line := &short
		if at := 16 * (k*chunk + j); j+rangeColumns <= chunk && at+len(short) <= len(x) {
			line = (*[16 * rangeColumns]byte)(x[at:])
		} else {
			n := copy(short[:16*min(rangeColumns, chunk-j)], x[min(at, len(x)):])
			clear(short[n:])
		}
		a[k].lo, a[k].hi = load128(line[0:])
		b[k].lo, b[k].hi = load128(line[16:])
		c[k].lo, c[k].hi = load128(line[32:])
		d[k].lo, d[k].hi = load128(line[48:])
	}
}

// multiplyEach128 sets d[k] = d[k]·r[k]/2^128 mod p, for d[k] any integer below 2^128. Let t be the product and m = t/p mod 2^128, where
// 1/p ≡ 1 + 28·2^64. Then t − m·p is a multiple of 2^128, namely of ⌊t/2^128⌋ − q, where
//
//	q = ⌊m·p/2^128⌋ = m − 28·m1 − ⌊(28·t0 + t1)/2^64⌋
//
// for the words t0, t1 of t and m0 = t0, m1 of m. As ⌊t/2^128⌋ and q are both below p, the difference or that plus p is reduced.
func multiplyEach128(d, r []Elem128) {
	r = r[:len(d)]
	for k := range d {
		h0, t0 := bits.Mul64(d[k].lo, r[k].lo)
		h1, l1 := bits.Mul64(d[k].lo, r[k].hi)
		h2, l2 := bits.Mul64(d[k].hi, r[k].lo)
		t3, t2 := bits.Mul64(d[k].hi, r[k].hi)
		t1, c := bits.Add64(h0, l1, 0)
		t2, c = bits.Add64(t2, h1, c)
		t3, _ = bits.Add64(t3, 0, c)
		t1, c = bits.Add64(t1, l2, 0)
		t2, c = bits.Add64(t2, h2, c)
		t3, _ = bits.Add64(t3, 0, c)

		h, l := bits.Mul64(t0, 28)
		m1, c := bits.Add64(t1, l, 0)
		h, _ = bits.Add64(h, 0, c)
		g, l := bits.Mul64(m1, 28)
		l, c = bits.Add64(l, h, 0)
		g, _ = bits.Add64(g, 0, c)
		q0, b := bits.Sub64(t0, l, 0)
		q1, _ := bits.Sub64(m1, g, b)
		t2, b = bits.Sub64(t2, q0, 0)
		t3, b = bits.Sub64(t3, q1, b)
		d[k].lo, c = bits.Add64(t2, b, 0)
		d[k].hi, _ = bits.Add64(t3, -b&p128, c)
	}
}

func (F128) GatedPowers(dst []Elem128, r Elem128, gate []byte) {
	// Four chains of powers, each in steps of r^4, since one would have to wait for every product.
	var p, steps [4]Elem128
	p[0] = r
	for i := range 3 {
		p[i+1].lo, p[i+1].hi = mul128(p[i].lo, p[i].hi, r.lo, r.hi)
	}
	for i := range steps {
		steps[i] = p[3]
	}
	for len(dst) > 0 {
		for i := range min(len(dst), len(p)) {
			m := -uint64(gate[i])
			dst[i] = Elem128{p[i].lo & m, p[i].hi & m}
		}
		multiplyEach128(p[:], steps[:])
		n := min(len(dst), len(p))
		dst, gate = dst[n:], gate[n:]
	}
}

func (F128) SumGaps(dst, e []Elem128, gates []byte) {
	for l := range dst {
		var s0, s1, s2, c uint64
		g := gates[l*len(e):][:len(e)]
		for j := range g {
			m := uint64(g[j]) - 1
			s0, c = bits.Add64(s0, e[j].lo&m, 0)
			s1, c = bits.Add64(s1, e[j].hi&m, c)
			s2 += c
		}
		dst[l].lo, dst[l].hi = wrap128(s0, s1, s2)
	}
}

func (F128) SumEither(u, v []Elem128, x, y []byte) (z Elem128) {
	var s0, s1, s2, c uint64
	v, x, y = v[:len(u)], x[:len(u)], y[:len(u)]
	for j := range u {
		// Where only one of the two bits is 1, one of the two elements is zero.
		m := -uint64(x[j] ^ y[j])
		s0, c = bits.Add64(s0, (u[j].lo^v[j].lo)&m, 0)
		s1, c = bits.Add64(s1, (u[j].hi^v[j].hi)&m, c)
		s2 += c
	}
	z.lo, z.hi = wrap128(s0, s1, s2)
	return z
}
