//go:build !amd64 || purego

package keccak

func fastest() path { return pathGo }

func permute(s *[25]uint64) { permuteGeneric(s) }

func permute4(s *State4) { permuteLanes(s[:], 4) }

func permute8(s *State8) { permuteLanes(s[:], 8) }

func readBlocks(words []uint64, out [][]byte, at int) { readBlocksGeneric(words, out, at) }

func xorBlocks(words []uint64, in [][]byte, at int) { xorBlocksGeneric(words, in, at) }
