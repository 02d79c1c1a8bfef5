package field

import "math/bits"

func (f F128) RangeWires(dst, seeds, x []byte, w, r []Elem128, shift Elem128, scratch []Elem128) {
	if rangeWiresIFMA(dst, seeds, x, w, r, shift, scratch) {
		return
	}
	chunk := len(dst) / 32
	d := scratch[:len(r)]
	copy(d, w[1:])
	for j := range chunk {
		f.Hadamard(d, d, r)
		rows := (len(x)/16 - j + chunk - 1) / chunk // that have this column
		var powered, plain wide128
		lo, hi := load128(seeds[32*j:])
		powered.add(w[0].lo, w[0].hi, lo, hi)
		lo, hi = load128(seeds[32*j+16:])
		plain.add(w[0].lo, w[0].hi, lo, hi)
		plain.add(shift.lo, shift.hi, 1, 0) // in the Montgomery domain, as the sum still is
		if rows > 0 {
			powered.addBytes(d[:rows], x[16*j:], chunk)
			plain.addBytes(w[1:1+rows], x[16*j:], chunk)
		}
		lo, hi = powered.fold()
		store128(dst[32*j:], lo, hi)
		lo, hi = plain.fold()
		store128(dst[32*j+16:], lo, hi)
	}
}

func (F128) GatedPowers(dst []Elem128, r Elem128, gate []byte) {
	// Four chains of powers, each in steps of r^4, since one would have to wait for every product.
	var p [4]Elem128
	p[0] = r
	for i := range 3 {
		p[i+1].lo, p[i+1].hi = mul128(p[i].lo, p[i].hi, r.lo, r.hi)
	}
	step := p[3]
	for j := range dst {
		q := &p[j%4]
		m := -uint64(gate[j])
		dst[j] = Elem128{q.lo & m, q.hi & m}
		q.lo, q.hi = mul128(q.lo, q.hi, step.lo, step.hi)
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
