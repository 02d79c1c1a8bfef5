//go:build amd64 && !purego

package keccak

import "golang.org/x/sys/cpu"

//go:noescape
func permuteAVX512(s *[25]uint64)

//go:noescape
func permute4AVX512(s *State4)

//go:noescape
func permute8AVX512(s *State8)

// permute4AVX2 permutes four neighbouring lanes; stride is the number of bytes from a word of a state to its next.
//
//go:noescape
func permute4AVX2(words *uint64, stride uintptr)

// readBlocksAVX2 copies the first Rate bytes of four neighbouring lanes to p0, p1, p2 and p3; stride is as above.
//
//go:noescape
func readBlocksAVX2(words *uint64, stride uintptr, p0, p1, p2, p3 *byte)

// xorBlocksAVX2 XORs Rate bytes of each of p0, p1, p2 and p3 into four neighbouring lanes.
//
//go:noescape
func xorBlocksAVX2(words *uint64, stride uintptr, p0, p1, p2, p3 *byte)

func fastest() path {
	switch {
	case cpu.X86.HasAVX2 && cpu.X86.HasAVX512F && cpu.X86.HasAVX512VL:
		return pathAVX512
	case cpu.X86.HasAVX2:
		return pathAVX2
	}
	return pathGo
}

func permute(s *[25]uint64) {
	if current == pathAVX512 {
		permuteAVX512(s)
	} else {
		permuteGeneric(s)
	}
}

func permute4(s *State4) {
	switch current {
	case pathAVX512:
		permute4AVX512(s)
	case pathAVX2:
		permute4AVX2(&s[0], 8*4)
	default:
		permuteLanes(s[:], 4)
	}
}

func permute8(s *State8) {
	switch current {
	case pathAVX512:
		permute8AVX512(s)
	case pathAVX2:
		permute4AVX2(&s[0], 8*8)
		permute4AVX2(&s[4], 8*8)
	default:
		permuteLanes(s[:], 8)
	}
}

func readBlocks(words []uint64, out [][]byte, at int) {
	if current == pathGo {
		readBlocksGeneric(words, out, at)
		return
	}
	for lane := 0; lane < len(out); lane += 4 {
		p0, p1, p2, p3 := blockAt(out[lane], at), blockAt(out[lane+1], at), blockAt(out[lane+2], at), blockAt(out[lane+3], at)
		readBlocksAVX2(&words[lane], uintptr(8*len(out)), &p0[0], &p1[0], &p2[0], &p3[0])
	}
}

func xorBlocks(words []uint64, in [][]byte, at int) {
	if current == pathGo {
		xorBlocksGeneric(words, in, at)
		return
	}
	for lane := 0; lane < len(in); lane += 4 {
		p0, p1, p2, p3 := blockAt(in[lane], at), blockAt(in[lane+1], at), blockAt(in[lane+2], at), blockAt(in[lane+3], at)
		xorBlocksAVX2(&words[lane], uintptr(8*len(in)), &p0[0], &p1[0], &p2[0], &p3[0])
	}
}

// blockAt is the block of p that starts at at; the conversion checks that it is whole.
func blockAt(p []byte, at int) *[Rate]byte { return (*[Rate]byte)(p[at:]) }
