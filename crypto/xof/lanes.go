package xof

import "candor/crypto/keccak"

// Width is the number of streams that Lanes runs at once.
const Width = 4

// Lanes runs up to Width streams side by side whose inputs have equal lengths: Reset, then Write and WriteEach in the same
// order as the stream's input, then one Read. With one stream, or without a vector unit, it runs them one after another.
type Lanes struct {
	n       int  // streams
	vector  bool // the streams are the lanes of four, else each is in single
	four    keccak.State4
	blocks  [Width][keccak.Rate]byte
	filled  int // bytes of each of blocks
	single  [Width]Stream
	repeats [Width][]byte
}

// Reset starts n streams.
func (x *Lanes) Reset(n int) {
	x.n, x.filled = n, 0
	x.vector = n > 1 && keccak.Path() != "go"
	if x.vector {
		x.four = keccak.State4{}
		return
	}
	for i := range n {
		x.single[i].Reset()
	}
}

// Write absorbs the same bytes into every stream.
func (x *Lanes) Write(p []byte) {
	for i := range x.n {
		x.repeats[i] = p
	}
	x.WriteEach(&x.repeats)
}

// WriteEach absorbs p[i] into stream i. All of the n used have the same length; the others are overwritten.
func (x *Lanes) WriteEach(p *[Width][]byte) {
	if !x.vector {
		for i := range x.n {
			x.single[i].Write(p[i])
		}
		return
	}
	x.idle(p)
	if x.filled > 0 {
		m := 0
		for i := range p {
			m = copy(x.blocks[i][x.filled:], p[i])
			p[i] = p[i][m:]
		}
		if x.filled += m; x.filled < keccak.Rate {
			return
		}
		x.absorbBlocks()
	}
	whole := len(p[0]) / keccak.Rate * keccak.Rate
	var rest [Width][]byte
	for i := range p {
		p[i], rest[i] = p[i][:whole], p[i][whole:]
	}
	keccak.Absorb4(&x.four, p)
	for i := range p {
		x.filled = copy(x.blocks[i][:], rest[i])
	}
}

func (x *Lanes) absorbBlocks() {
	for i := range x.blocks {
		x.repeats[i] = x.blocks[i][:]
	}
	keccak.Absorb4(&x.four, &x.repeats)
	x.filled = 0
}

// idle makes the lanes without a stream do what the first does, into the same place.
func (x *Lanes) idle(p *[Width][]byte) {
	for i := x.n; i < Width; i++ {
		p[i] = p[0]
	}
}

// Read fills out[i] with the output of stream i. Lengths agree, as in WriteEach. It ends the streams: only Reset may follow.
func (x *Lanes) Read(out *[Width][]byte) {
	if !x.vector {
		for i := range x.n {
			x.single[i].Read(out[i])
		}
		return
	}
	x.idle(out)
	for i := range x.blocks {
		pad(&x.blocks[i], x.filled)
		x.four.XORBlock(i, x.blocks[i][:])
	}
	keccak.Squeeze4(&x.four, out)
}
