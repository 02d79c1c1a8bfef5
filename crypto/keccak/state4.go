package keccak

import "encoding/binary"

// A State4 is four independent states, one per lane 0–3, interleaved: word w of lane l is s[w][l], so that one 256-bit
// vector holds the same word of all four. The zero value is four zero states.
type State4 [25][4]uint64

// Permute12x4 applies Keccak-p[1600, 12] to each of the four states.
func Permute12x4(s *State4) { permute4(s) }

// SetLane makes the state of the lane a copy of from.
func (s *State4) SetLane(lane int, from *[25]uint64) {
	for w := range s {
		s[w][lane&3] = from[w]
	}
}

// Lane copies the state of the lane to to.
func (s *State4) Lane(lane int, to *[25]uint64) {
	for w := range s {
		to[w] = s[w][lane&3]
	}
}

// XORBlock XORs p into the first len(p) bytes of the lane's state. It panics if p is longer than Rate.
func (s *State4) XORBlock(lane int, p []byte) {
	if len(p) > Rate {
		panic("keccak: internal error: block longer than the rate")
	}
	lane &= 3
	w := 0
	for ; len(p) >= 8; w, p = w+1, p[8:] {
		s[w][lane] ^= binary.LittleEndian.Uint64(p)
	}
	if len(p) > 0 {
		s[w][lane] ^= partial(p)
	}
}

// ReadBlock copies the first len(p) bytes of the lane's state to p. It panics if p is longer than Rate.
func (s *State4) ReadBlock(lane int, p []byte) {
	if len(p) > Rate {
		panic("keccak: internal error: block longer than the rate")
	}
	lane &= 3
	w := 0
	for ; len(p) >= 8; w, p = w+1, p[8:] {
		binary.LittleEndian.PutUint64(p, s[w][lane])
	}
	if len(p) > 0 {
		var last [8]byte
		binary.LittleEndian.PutUint64(last[:], s[w][lane])
		copy(p, last[:])
	}
}

// Squeeze4 permutes the states and reads a block of each lane, as often as the longest of out needs, and fills
// out[lane] with the lane's bytes: for a lane whose message and padding are absorbed, and on which no permutation has
// run since, these are the next bytes of its output. Lengths may differ and may be zero; a lane that is full is permuted
// along with the others and not read. So a lane can be squeezed further only if its out was as long as the longest
// and a multiple of Rate.
func Squeeze4(s *State4, out *[4][]byte) {
	rest := *out
	for {
		least, most := len(rest[0]), len(rest[0])
		for _, p := range rest[1:] {
			least, most = min(least, len(p)), max(most, len(p))
		}
		switch {
		case most == 0:
			return
		case least >= Rate:
			squeezeBlock4(s, (*[Rate]byte)(rest[0]), (*[Rate]byte)(rest[1]), (*[Rate]byte)(rest[2]), (*[Rate]byte)(rest[3]))
			for lane := range rest {
				rest[lane] = rest[lane][Rate:]
			}
		default:
			permute4(s)
			for lane, p := range rest {
				n := min(len(p), Rate)
				s.ReadBlock(lane, p[:n])
				rest[lane] = p[n:]
			}
		}
	}
}

// permute4Generic is Permute12x4 by four permutations in Go.
func permute4Generic(s *State4) {
	var one [25]uint64
	for lane := range 4 {
		s.Lane(lane, &one)
		permuteGeneric(&one)
		s.SetLane(lane, &one)
	}
}

// squeezeBlock4Generic permutes s, whichever way is set, and copies the first Rate bytes of each lane.
func squeezeBlock4Generic(s *State4, p0, p1, p2, p3 *[Rate]byte) {
	permute4(s)
	for w := range lanes {
		v := &s[w]
		binary.LittleEndian.PutUint64(p0[8*w:], v[0])
		binary.LittleEndian.PutUint64(p1[8*w:], v[1])
		binary.LittleEndian.PutUint64(p2[8*w:], v[2])
		binary.LittleEndian.PutUint64(p3[8*w:], v[3])
	}
}
