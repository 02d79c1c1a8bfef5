package release

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
)

// An aggregator commits to its share of an aggregate, element by element, so that it can later open the
// elements of the published cells and no others. The commitment is a Merkle tree:
//
//	input(i)  = leafLabel ‖ u32(i) ‖ salt(i) ‖ u32(len(element(i))) ‖ element(i)
//	tree      = the Merkle Tree Hash of RFC 9162, "Merkle Trees", with SHA-256 over input(0) … input(n−1):
//	            SHA-256(0x00 ‖ input) for a leaf, SHA-256(0x01 ‖ left ‖ right) for a node
//	root      = SHA-256(rootLabel ‖ u32(n) ‖ tree)
//
// Integers are big-endian. The prefixes 0x00 and 0x01 keep leaves and nodes apart, the index and the number of
// leaves are bound, so an opening is good for one place of one tree. Salts are uniform and secret until opened:
// without them a path would let anyone test guesses of the neighbouring elements.
const (
	leafLabel = "candor/1 share element\x00"
	rootLabel = "candor/1 share root\x00"
)

const (
	// SaltSize is the number of bytes of a leaf's salt.
	SaltSize = 32
	// MaxLeaves and MaxElement bound a tree: leaves, and bytes of one element.
	MaxLeaves  = 1 << 20
	MaxElement = 64

	maxPath = 20 // log2 of MaxLeaves
)

// A Digest is a SHA-256 value: a root, or a step of a path.
type Digest [sha256.Size]byte

// A Leaf is one element of a share, as the field encodes it, with its salt.
type Leaf struct {
	Salt    [SaltSize]byte
	Element []byte
}

// An Opening shows that Element is element Index of a share of Size elements. Path runs from the leaf's sibling
// up to the child of the top.
type Opening struct {
	Index, Size uint32
	Leaf
	Path []Digest
}

// Root returns the commitment to leaves: at least one, at most MaxLeaves, each element of 1 to MaxElement bytes.
func Root(leaves []Leaf) (Digest, error) {
	hashes, err := hashLeaves(leaves)
	if err != nil {
		return Digest{}, err
	}
	return bindSize(uint32(len(leaves)), treeHash(hashes)), nil
}

// Open returns openings of the leaves with the given indices, in their order. The openings share no memory with
// leaves.
func Open(leaves []Leaf, indices []int) ([]Opening, error) {
	hashes, err := hashLeaves(leaves)
	if err != nil {
		return nil, err
	}
	openings := make([]Opening, len(indices))
	for k, i := range indices {
		if i < 0 || i >= len(leaves) {
			return nil, fmt.Errorf("opening element %d of a share of %d", i, len(leaves))
		}
		l := leaves[i]
		l.Element = append([]byte(nil), l.Element...)
		openings[k] = Opening{Index: uint32(i), Size: uint32(len(leaves)), Leaf: l, Path: inclusionPath(i, hashes)}
	}
	return openings, nil
}

// Root computes the commitment that o belongs to. The opening is right if, and only if, that is the root in the
// aggregator's statement. An error means that no tree has such an opening.
func (o Opening) Root() (Digest, error) {
	if o.Size == 0 || o.Size > MaxLeaves || o.Index >= o.Size {
		return Digest{}, fmt.Errorf("opening of element %d of %d: no such place", o.Index, o.Size)
	}
	if err := o.Leaf.check(); err != nil {
		return Digest{}, fmt.Errorf("opening of element %d: %w", o.Index, err)
	}
	// RFC 9162, "Verifying an Inclusion Proof": i and last walk up together; where i is the rightmost node of a
	// level with no sibling, the level is skipped.
	h := hashLeaf(o.Index, o.Leaf)
	i, last := o.Index, o.Size-1
	for _, step := range o.Path {
		if last == 0 {
			return Digest{}, fmt.Errorf("opening of element %d of %d: the path is too long", o.Index, o.Size)
		}
		if i&1 == 1 || i == last {
			h = hashNode(step, h)
			for i&1 == 0 && i != 0 {
				i, last = i>>1, last>>1
			}
		} else {
			h = hashNode(h, step)
		}
		i, last = i>>1, last>>1
	}
	if last != 0 {
		return Digest{}, fmt.Errorf("opening of element %d of %d: the path is too short", o.Index, o.Size)
	}
	return bindSize(o.Size, h), nil
}

func (l Leaf) check() error {
	if len(l.Element) == 0 || len(l.Element) > MaxElement {
		return fmt.Errorf("an element of %d bytes; it has 1 to %d", len(l.Element), MaxElement)
	}
	return nil
}

func hashLeaves(leaves []Leaf) ([]Digest, error) {
	if len(leaves) == 0 || len(leaves) > MaxLeaves {
		return nil, fmt.Errorf("committing to a share of %d elements; it has 1 to %d", len(leaves), MaxLeaves)
	}
	hashes := make([]Digest, len(leaves))
	for i, l := range leaves {
		if err := l.check(); err != nil {
			return nil, fmt.Errorf("committing to element %d: %w", i, err)
		}
		hashes[i] = hashLeaf(uint32(i), l)
	}
	return hashes, nil
}

func hashLeaf(index uint32, l Leaf) Digest {
	in := make([]byte, 0, 1+len(leafLabel)+4+SaltSize+4+MaxElement)
	in = append(in, 0)
	in = append(in, leafLabel...)
	in = binary.BigEndian.AppendUint32(in, index)
	in = append(in, l.Salt[:]...)
	in = binary.BigEndian.AppendUint32(in, uint32(len(l.Element)))
	in = append(in, l.Element...)
	return sha256.Sum256(in)
}

func hashNode(left, right Digest) Digest {
	var in [1 + 2*sha256.Size]byte
	in[0] = 1
	copy(in[1:], left[:])
	copy(in[1+sha256.Size:], right[:])
	return sha256.Sum256(in[:])
}

func bindSize(n uint32, tree Digest) Digest {
	in := append([]byte(rootLabel), 0, 0, 0, 0)
	binary.BigEndian.PutUint32(in[len(rootLabel):], n)
	return sha256.Sum256(append(in, tree[:]...))
}

// split is the largest power of two below n, for n of at least 2: the number of leaves on the left.
func split(n int) int { return 1 << (bits.Len(uint(n-1)) - 1) }

// treeHash is the Merkle Tree Hash over leaf hashes.
func treeHash(hashes []Digest) Digest {
	if len(hashes) == 1 {
		return hashes[0]
	}
	k := split(len(hashes))
	return hashNode(treeHash(hashes[:k]), treeHash(hashes[k:]))
}

// inclusionPath is the inclusion proof of leaf i.
func inclusionPath(i int, hashes []Digest) []Digest {
	if len(hashes) == 1 {
		return nil
	}
	k := split(len(hashes))
	if i < k {
		return append(inclusionPath(i, hashes[:k]), treeHash(hashes[k:]))
	}
	return append(inclusionPath(i-k, hashes[k:]), treeHash(hashes[:k]))
}

// MarshalBinary encodes o: index, size, salt, element, number of steps, steps.
func (o Opening) MarshalBinary() ([]byte, error) {
	if err := o.Leaf.check(); err != nil {
		return nil, fmt.Errorf("encoding opening: %w", err)
	}
	if len(o.Path) > maxPath {
		return nil, fmt.Errorf("encoding opening: a path of %d steps; it has at most %d", len(o.Path), maxPath)
	}
	b := binary.BigEndian.AppendUint32(nil, o.Index)
	b = binary.BigEndian.AppendUint32(b, o.Size)
	b = append(b, o.Salt[:]...)
	b = append(b, byte(len(o.Element)))
	b = append(b, o.Element...)
	b = append(b, byte(len(o.Path)))
	for _, step := range o.Path {
		b = append(b, step[:]...)
	}
	return b, nil
}

// errOpening is the error of bytes that are no opening.
var errOpening = errors.New("parsing opening: malformed")

// ParseOpening parses what MarshalBinary wrote. It checks the form only: Root tells whether the opening is right.
// The result does not alias b.
func ParseOpening(b []byte) (Opening, error) {
	var o Opening
	if len(b) < 8+SaltSize+1 {
		return o, errOpening
	}
	o.Index, o.Size = binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])
	copy(o.Salt[:], b[8:])
	b = b[8+SaltSize:]
	n := int(b[0])
	if n == 0 || n > MaxElement || len(b) < 1+n+1 {
		return Opening{}, errOpening
	}
	o.Element = append([]byte(nil), b[1:1+n]...)
	b = b[1+n:]
	steps := int(b[0])
	if steps > maxPath || len(b) != 1+steps*sha256.Size {
		return Opening{}, errOpening
	}
	for b = b[1:]; len(b) > 0; b = b[sha256.Size:] {
		o.Path = append(o.Path, Digest(b[:sha256.Size]))
	}
	return o, nil
}
