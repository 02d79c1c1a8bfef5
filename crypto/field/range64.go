package field

import "math/bits"

func (F64) RangeWires(dst, seeds, x []byte, w, r []Elem64, shift Elem64, scratch []Elem64) {
	chunk := len(dst) / 16
	d := scratch[:len(r)]
	copy(d, w[1:])
	for j := range chunk {
		var powered, plain wide64
		powered = powered.add(uint64(w[0]), load64(seeds[16*j:]))
		plain = plain.add(uint64(w[0]), load64(seeds[16*j+8:]))
		plain = plain.add(uint64(shift), 1)
		for k := range d {
			d[k] = Elem64(mul64(uint64(d[k]), uint64(r[k])))
			at := 8 * (k*chunk + j)
			if at >= len(x) {
				break // the short last row
			}
			powered = powered.add(uint64(d[k]), load64(x[at:]))
			plain = plain.add(uint64(w[k+1]), load64(x[at:]))
		}
		store64(dst[16*j:], powered.fold())
		store64(dst[16*j+8:], plain.fold())
	}
}

func (F64) GatedPowers(dst []Elem64, r Elem64, gate []byte) {
	p := uint64(r)
	for j := range dst {
		dst[j] = Elem64(p & -uint64(gate[j]))
		p = mul64(p, uint64(r))
	}
}

func (F64) SumGaps(dst, e []Elem64, gates []byte) {
	for l := range dst {
		var s, top, c uint64
		for j, g := range gates[l*len(e):][:len(e)] {
			s, c = bits.Add64(s, uint64(e[j])&(uint64(g)-1), 0)
			top += c
		}
		dst[l] = Elem64(reduce64(top, s))
	}
}

func (F64) SumEither(u, v []Elem64, x, y []byte) Elem64 {
	var s, top, c uint64
	v, x, y = v[:len(u)], x[:len(u)], y[:len(u)]
	for j := range u {
		s, c = bits.Add64(s, uint64(u[j]^v[j])&-uint64(x[j]^y[j]), 0)
		top += c
	}
	return Elem64(reduce64(top, s))
}
