package prio3

import (
	"candor/crypto/field"
	"candor/crypto/xof"
)

// An expander runs the XOF for up to xof.Width reports at once.
type expander struct {
	field field.Vector
	tags  *tags
	lanes xof.Lanes
	in    [xof.Width]stream
	row   [xof.Width][]byte
}

// A stream is one use of the XOF: out is filled with what it yields for the seed and the binder, head || tail.
type stream struct{ seed, head, tail, out []byte }

// seeds runs the first n streams, whose lengths agree, and fills out with bytes.
func (x *expander) seeds(u usage, n int) {
	x.lanes.Reset(n)
	x.lanes.Write(x.tags[u])
	for i := range n {
		x.row[i] = x.in[i].seed
	}
	x.lanes.WriteEach(&x.row)
	for i := range n {
		x.row[i] = x.in[i].head
	}
	x.lanes.WriteEach(&x.row)
	for i := range n {
		x.row[i] = x.in[i].tail
	}
	x.lanes.WriteEach(&x.row)
	for i := range n {
		x.row[i] = x.in[i].out
	}
	x.lanes.Read(&x.row)
}

// vectors runs the first n streams and fills out with field elements. A stream seldom yields an element that is not below the
// modulus; then that stream is run again, alone, leaving such elements out.
func (x *expander) vectors(u usage, n int) {
	x.seeds(u, n)
	for _, in := range x.in[:n] {
		if !x.field.Valid(in.out) {
			var s xof.Stream
			s.Write(x.tags[u])
			s.Write(in.seed)
			s.Write(in.head)
			s.Write(in.tail)
			xof.Expand(x.field, &s, in.out)
		}
	}
}
