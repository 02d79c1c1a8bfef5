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

// WriteEach absorbs p[i] into stream i. All of the n used have the same length.
func (x *Lanes) WriteEach(p *[Width][]byte) {
	if !x.vector {
		for i := range x.n {
			x.single[i].Write(p[i])
		}
		return
	}
	size, done := len(p[0]), 0
	if x.filled > 0 || size < keccak.Rate {
		done = min(size, keccak.Rate-x.filled)
		for i := range x.n {
			copy(x.blocks[i][x.filled:], p[i][:done])
		}
		if x.filled += done; x.filled < keccak.Rate {
			return
		}
		for i := range x.n {
			x.four.XORBlock(i, x.blocks[i][:])
		}
		keccak.Permute12x4(&x.four)
		x.filled = 0
	}
	for ; size-done >= keccak.Rate; done += keccak.Rate {
		for i := range x.n {
			x.four.XORBlock(i, p[i][done:done+keccak.Rate])
		}
		keccak.Permute12x4(&x.four)
	}
	for i := range x.n {
		x.filled = copy(x.blocks[i][:], p[i][done:size])
	}
}

// Read fills out[i] with the output of stream i. It ends the streams: only Reset may follow.
func (x *Lanes) Read(out *[Width][]byte) {
	if !x.vector {
		for i := range x.n {
			x.single[i].Read(out[i])
		}
		return
	}
	for i := range x.n {
		pad(&x.blocks[i], x.filled)
		x.four.XORBlock(i, x.blocks[i][:])
	}
	for i := x.n; i < Width; i++ {
		out[i] = nil
	}
	keccak.Squeeze4(&x.four, out)
}
