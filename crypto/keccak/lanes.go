package keccak

import "encoding/binary"

// A State4 is four independent states, one per lane 0–3, interleaved so that one 256-bit vector holds the same word of
// all four: word w of lane l is s[4*w+l]. The zero value is four zero states.
type State4 [4 * 25]uint64

// A State8 is eight independent states, one per lane 0–7: word w of lane l is s[8*w+l]. On the path "avx512" it costs
// about a quarter less per state than State4; on others as much.
type State8 [8 * 25]uint64

// Permute12x4 applies Keccak-p[1600, 12] to each of the four states.
func Permute12x4(s *State4) { permute4(s) }

// Permute12x8 applies Keccak-p[1600, 12] to each of the eight states.
func Permute12x8(s *State8) { permute8(s) }

// SetLane makes the lane's state a copy of from.
func (s *State4) SetLane(lane int, from *[25]uint64) { setLane(s[:], 4, lane, from) }

// SetLane makes the lane's state a copy of from.
func (s *State8) SetLane(lane int, from *[25]uint64) { setLane(s[:], 8, lane, from) }

// Lane copies the lane's state to to.
func (s *State4) Lane(lane int, to *[25]uint64) { getLane(s[:], 4, lane, to) }

// Lane copies the lane's state to to.
func (s *State8) Lane(lane int, to *[25]uint64) { getLane(s[:], 8, lane, to) }

// XORBlock XORs p into the first len(p) bytes of the lane's state. It panics if p is longer than Rate.
func (s *State4) XORBlock(lane int, p []byte) { xorLane(s[:], 4, lane, p) }

// XORBlock XORs p into the first len(p) bytes of the lane's state. It panics if p is longer than Rate.
func (s *State8) XORBlock(lane int, p []byte) { xorLane(s[:], 8, lane, p) }

// ReadBlock copies the first len(p) bytes of the lane's state to p. It panics if p is longer than Rate.
func (s *State4) ReadBlock(lane int, p []byte) { readLane(s[:], 4, lane, p) }

// ReadBlock copies the first len(p) bytes of the lane's state to p. It panics if p is longer than Rate.
func (s *State8) ReadBlock(lane int, p []byte) { readLane(s[:], 8, lane, p) }

// Absorb4 XORs a block of each of in into its lane and permutes, block after block. The four are equally long, and a
// multiple of Rate; otherwise it panics.
func Absorb4(s *State4, in *[4][]byte) { absorb(s[:], in[:]) }

// Absorb8 is Absorb4 for eight lanes.
func Absorb8(s *State8, in *[8][]byte) { absorb(s[:], in[:]) }

// Squeeze4 permutes the states and reads a block of each lane, as often as the longest of out needs, and fills
// out[lane] with the lane's bytes: for a lane whose message and padding are XORed in, and on which no permutation has
// run since, these are the next bytes of its output. Lengths may differ and may be zero; a lane that is full is permuted
// along with the others and not read. So a lane can be squeezed further only if its out was as long as the longest
// and a multiple of Rate.
func Squeeze4(s *State4, out *[4][]byte) { squeeze(s[:], out[:]) }

// Squeeze8 is Squeeze4 for eight lanes.
func Squeeze8(s *State8, out *[8][]byte) { squeeze(s[:], out[:]) }

func setLane(words []uint64, width, lane int, from *[25]uint64) {
	checkLane(width, lane)
	for w, word := range from {
		words[w*width+lane] = word
	}
}

func getLane(words []uint64, width, lane int, to *[25]uint64) {
	checkLane(width, lane)
	for w := range to {
		to[w] = words[w*width+lane]
	}
}

func xorLane(words []uint64, width, lane int, p []byte) {
	checkBlock(p)
	checkLane(width, lane)
	i := lane
	for ; len(p) >= 8; i, p = i+width, p[8:] {
		words[i] ^= binary.LittleEndian.Uint64(p)
	}
	if len(p) > 0 {
		words[i] ^= partial(p)
	}
}

func readLane(words []uint64, width, lane int, p []byte) {
	checkBlock(p)
	checkLane(width, lane)
	i := lane
	for ; len(p) >= 8; i, p = i+width, p[8:] {
		binary.LittleEndian.PutUint64(p, words[i])
	}
	if len(p) > 0 {
		readPartial(words[i], p)
	}
}

func checkLane(width, lane int) {
	if uint(lane) >= uint(width) {
		panic("keccak: internal error: no such lane")
	}
}

// permuteWords permutes all of words, a State4 or a State8.
func permuteWords(words []uint64) {
	if len(words) == len(State4{}) {
		permute4((*State4)(words))
	} else {
		permute8((*State8)(words))
	}
}

func absorb(words []uint64, in [][]byte) {
	n := len(in[0])
	for _, p := range in {
		if len(p) != n || n%Rate != 0 {
			panic("keccak: internal error: lanes to absorb are not the same number of whole blocks")
		}
	}
	for at := 0; at < n; at += Rate {
		xorBlocks(words, in, at)
		permuteWords(words)
	}
}

func squeeze(words []uint64, out [][]byte) {
	least, most := len(out[0]), len(out[0])
	for _, p := range out {
		least, most = min(least, len(p)), max(most, len(p))
	}
	at := 0
	for ; at+Rate <= least; at += Rate {
		permuteWords(words)
		readBlocks(words, out, at)
	}
	for ; at < most; at += Rate {
		permuteWords(words)
		for lane, p := range out {
			readLane(words, len(out), lane, p[min(at, len(p)):min(at+Rate, len(p))])
		}
	}
}
