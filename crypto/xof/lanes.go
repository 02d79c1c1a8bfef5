package xof

import "candor/crypto/keccak"

// Width is the number of streams that Lanes runs at once.
const Width = 8

// Lanes runs up to Width streams side by side whose inputs have equal lengths: Reset, then Write and WriteEach in the same
// order as the stream's input, then one Read. With one stream, or without a vector unit, it runs them one after another.
type Lanes struct {
	n      int // streams
	width  int // lanes of the state in use, four or eight; 0 if each stream is in single
	four   keccak.State4
	eight  keccak.State8
	blocks [Width][keccak.Rate]byte
	filled int // bytes of each of blocks
	single [Width]Stream
	row    [Width][]byte
}

// Reset starts n streams.
func (x *Lanes) Reset(n int) {
	x.n, x.filled = n, 0
	switch {
	case n == 1 || keccak.Path() == "go":
		x.width = 0
		for i := range n {
			x.single[i].Reset()
		}
	case n <= 4:
		x.width = 4
		x.four = keccak.State4{}
	default:
		x.width = 8
		x.eight = keccak.State8{}
	}
}

// Write absorbs the same bytes into every stream.
func (x *Lanes) Write(p []byte) {
	var each [Width][]byte
	for i := range x.n {
		each[i] = p
	}
	x.WriteEach(&each)
}

// WriteEach absorbs p[i] into stream i. All of the n used have the same length.
func (x *Lanes) WriteEach(p *[Width][]byte) {
	if x.width == 0 {
		for i := range x.n {
			x.single[i].Write(p[i])
		}
		return
	}
	done, size := 0, len(p[0])
	if x.filled > 0 || size < keccak.Rate {
		done = min(keccak.Rate-x.filled, size)
		x.fill(p, 0, done)
		if x.filled < keccak.Rate {
			return
		}
		for i := range x.width {
			x.row[i] = x.blocks[i][:]
		}
		x.absorb()
		x.filled = 0
	}
	if whole := (size - done) / keccak.Rate * keccak.Rate; whole > 0 {
		for i := range x.width {
			x.row[i] = p[x.stream(i)][done : done+whole]
		}
		x.absorb()
		done += whole
	}
	x.fill(p, done, size)
}

// stream is the stream that lane i runs: those without one do what the first does.
func (x *Lanes) stream(i int) int {
	if i < x.n {
		return i
	}
	return 0
}

// fill appends bytes from to to of p to the blocks.
func (x *Lanes) fill(p *[Width][]byte, from, to int) {
	for i := range x.width {
		copy(x.blocks[i][x.filled:], p[x.stream(i)][from:to])
	}
	x.filled += to - from
}

func (x *Lanes) absorb() {
	if x.width == 4 {
		keccak.Absorb4(&x.four, (*[4][]byte)(x.row[:4]))
	} else {
		keccak.Absorb8(&x.eight, &x.row)
	}
}

// Read fills out[i] with the output of stream i. Lengths agree, as in WriteEach. It ends the streams: only Reset may follow.
func (x *Lanes) Read(out *[Width][]byte) {
	if x.width == 0 {
		for i := range x.n {
			x.single[i].Read(out[i])
		}
		return
	}
	for i := range x.width {
		x.row[i] = out[x.stream(i)]
		pad(&x.blocks[i], x.filled)
		if x.width == 4 {
			x.four.XORBlock(i, x.blocks[i][:])
		} else {
			x.eight.XORBlock(i, x.blocks[i][:])
		}
	}
	if x.width == 4 {
		keccak.Squeeze4(&x.four, (*[4][]byte)(x.row[:4]))
	} else {
		keccak.Squeeze8(&x.eight, &x.row)
	}
}
