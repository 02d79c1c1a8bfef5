package prio3

import (
	"candor/crypto/field"
	"candor/crypto/xof"
)

// An expander runs the XOF, for up to xof.Width inputs at once.
type expander struct {
	field field.Vector
	tags  *tags
	lanes xof.Lanes
	alone xof.Stream
	row   [xof.Width][]byte
}

// A stream is one use of the XOF: out is filled with what it yields for the seed and the binder, head || tail.
type stream struct{ seed, head, tail, out []byte }

// bytes fills the outputs of streams, whose lengths agree, with bytes.
func (x *expander) bytes(u usage, in []stream) {
	if len(in) == 1 {
		x.start(u, &in[0])
		x.alone.Read(in[0].out)
		return
	}
	for len(in) > 0 {
		n := min(len(in), xof.Width)
		x.lanes.Reset(n)
		x.lanes.Write(x.tags[u])
		x.write(in[:n], func(s *stream) []byte { return s.seed })
		x.write(in[:n], func(s *stream) []byte { return s.head })
		x.write(in[:n], func(s *stream) []byte { return s.tail })
		for i := range n {
			x.row[i] = in[i].out
		}
		x.lanes.Read(&x.row)
		in = in[n:]
	}
}

// write writes one part of each stream.
func (x *expander) write(in []stream, part func(*stream) []byte) {
	for i := range in {
		x.row[i] = part(&in[i])
	}
	x.lanes.WriteEach(&x.row)
}

// vectors fills the outputs of streams with field elements. A stream seldom yields an element that is not below the modulus;
// then that stream is run again, alone, leaving such elements out.
func (x *expander) vectors(u usage, in []stream) {
	x.bytes(u, in)
	for i := range in {
		if in := &in[i]; !x.field.Valid(in.out) {
			x.start(u, in)
			xof.Expand(x.field, &x.alone, in.out)
		}
	}
}

// start makes the stream that runs alone one of in.
func (x *expander) start(u usage, in *stream) {
	x.alone.Reset()
	x.alone.Write(x.tags[u])
	x.alone.Write(in.seed)
	x.alone.Write(in.head)
	x.alone.Write(in.tail)
}
