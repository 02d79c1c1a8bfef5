package release

import "crypto/sha256"

// PlainTree and PlainPath are the tree without our leaf inputs and size binding: exactly that of RFC 9162.
func PlainTree(inputs [][]byte) Digest { return treeHash(plainHashes(inputs)) }

func PlainPath(i int, inputs [][]byte) []Digest { return inclusionPath(i, plainHashes(inputs)) }

func plainHashes(inputs [][]byte) []Digest {
	hashes := make([]Digest, len(inputs))
	for i, in := range inputs {
		hashes[i] = sha256.Sum256(append([]byte{0}, in...))
	}
	return hashes
}
