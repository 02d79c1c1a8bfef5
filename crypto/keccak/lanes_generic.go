package keccak

import "encoding/binary"

// permuteLanes permutes the lanes of words one by one in Go.
func permuteLanes(words []uint64, width int) {
	var one [25]uint64
	for lane := range width {
		getLane(words, width, lane, &one)
		permuteGeneric(&one)
		setLane(words, width, lane, &one)
	}
}

// readBlocksGeneric copies the first Rate bytes of each lane to out[lane][at:].
func readBlocksGeneric(words []uint64, out [][]byte, at int) {
	for lane, p := range out {
		p := (*[Rate]byte)(p[at:])
		for i := range blockWords {
			binary.LittleEndian.PutUint64(p[8*i:], words[i*len(out)+lane])
		}
	}
}

// xorBlocksGeneric XORs Rate bytes of in[lane], from at on, into each lane.
func xorBlocksGeneric(words []uint64, in [][]byte, at int) {
	for lane, p := range in {
		p := (*[Rate]byte)(p[at:])
		for i := range blockWords {
			words[i*len(in)+lane] ^= binary.LittleEndian.Uint64(p[8*i:])
		}
	}
}
