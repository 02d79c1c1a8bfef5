package aggregator

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"math/big"
	"slices"

	"candor/aggregator/store"
	"candor/crypto/dp"
	"candor/crypto/field"
	"candor/crypto/xof"
	"candor/schema/dap"
	"candor/schema/release"
	"candor/schema/round"
)

// A ReleaseKey is the key of the stream that an Aggregator's noise, blanks and salts come from. It is kept outside the store and its backups: whoever has it and
// the store knows what was hidden. It prints as REDACTED.
type ReleaseKey struct {
	key func() [32]byte
}

// NewReleaseKey makes a release key of 32 uniformly random bytes.
func NewReleaseKey(key [32]byte) *ReleaseKey { return &ReleaseKey{func() [32]byte { return key }} }

func (ReleaseKey) Format(f fmt.State, _ rune)   { fmt.Fprint(f, redacted) }
func (ReleaseKey) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// listDigest is the SHA-256 of the sorted list of member, report and correction.
func listDigest(counted []store.Submission) release.Digest {
	h := sha256.New()
	h.Write([]byte("candor/1 report list"))
	for _, s := range counted { // sorted by member
		h.Write([]byte{byte(len(s.Member))})
		h.Write([]byte(s.Member))
		h.Write(s.Report[:])
		h.Write(binary.BigEndian.AppendUint64(nil, s.Correction))
	}
	return release.Digest(h.Sum(nil))
}

// streams are the random bytes of one release: another set of reports has others, the same set the same.
type streams struct{ seed [32]byte }

func (k *ReleaseKey) streams(role dap.Role, task dap.TaskID, list release.Digest) streams {
	key := k.key()
	mac := hmac.New(sha256.New, key[:])
	mac.Write([]byte("candor/1 release stream"))
	mac.Write([]byte{byte(role)})
	mac.Write(task[:])
	mac.Write(list[:])
	return streams{[32]byte(mac.Sum(nil))}
}

func (s streams) of(purpose string) *xof.Stream {
	stream, err := xof.New([]byte("candor/1 "+purpose), s.seed[:], nil)
	if err != nil {
		panic("aggregator: internal error: " + err.Error()) // lengths are constant
	}
	return stream
}

// A streamReader is a stream as an io.Reader.
type streamReader struct{ *xof.Stream }

func (r streamReader) Read(p []byte) (int, error) { r.Stream.Read(p); return len(p), nil }

var _ io.Reader = streamReader{}

// elementSize is that of Field128, which both VDAFs of rounds work in.
const elementSize = 16

// addNoise adds this Aggregator's noise to the cells of an answers part: exact discrete Laplace noise. It returns how the statement calls it.
func (r *Round) addNoise(t *Task, s streams, share []byte) (string, error) {
	p := r.Part.Privacy
	if p.Place != "aggregators" || p.Mechanism == "none" {
		return "none", nil
	}
	epsilon, ok := new(big.Rat).SetString(p.Epsilon)
	if p.Mechanism != "discrete-laplace" || !ok || epsilon.Sign() <= 0 {
		return "", fmt.Errorf("adding noise to task %s: mechanism %q with ε = %q is not one that aggregators run", t.ID, p.Mechanism, p.Epsilon)
	}
	scale := new(big.Rat).Quo(new(big.Rat).SetInt64(int64(p.Delta1)), epsilon)
	drawn, err := dp.DiscreteLaplace{Scale: scale}.Sample(streamReader{s.of("noise")}, len(r.Part.Cells))
	if err != nil {
		return "", fmt.Errorf("adding noise to task %s: %w", t.ID, err)
	}
	noise := make([]byte, len(share))
	for i, x := range drawn {
		if !r.Part.Cells[i].IsState() { // states carry no noise (design, "Answers")
			copy(noise[elementSize*i:], encodeSigned(x))
		}
	}
	return "dlap:" + scale.RatString(), t.VDAF.AddShare(share, noise)
}

// modulus128 is that of Field128.
var modulus128 = new(big.Int).Add(new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 128), new(big.Int).Lsh(big.NewInt(28), 64)), big.NewInt(1))

// encodeSigned encodes a small integer as an element of Field128, little-endian.
func encodeSigned(x int64) []byte {
	b := new(big.Int).Mod(big.NewInt(x), modulus128).FillBytes(make([]byte, elementSize))
	slices.Reverse(b)
	return b
}

// blank replaces the elements of every metric to which fewer distinct groups contribute than the round asks of a cell, by uniform ones, so that nobody ever opens
// them. It returns which elements those are. Answers have no such cells: their states say who measures.
func (r *Round) blank(s streams, counted []store.Submission, share []byte) []uint32 {
	blanked := []uint32{}
	if r.Part.Kind != round.KindCounts {
		return blanked
	}
	groups := make([]map[string]bool, len(r.metrics))
	for i := range groups {
		groups[i] = make(map[string]bool)
	}
	for _, c := range counted {
		flags, err := round.Contribution{Contributes: c.Contributes}.Flags(len(r.metrics))
		if err != nil {
			continue // was judged when it came: such a report contributes to nothing
		}
		for i, f := range flags {
			if f {
				groups[i][r.members[c.Member].group] = true
			}
		}
	}
	uniform := make([]byte, len(share))
	xof.Expand(field.F128{}, s.of("blank"), uniform)
	for i, cell := range r.Part.Cells {
		if uint64(len(groups[slices.Index(r.metrics, cell.Metric)])) < r.Document.Minimum.CellGroups {
			copy(share[elementSize*i:elementSize*(i+1)], uniform[elementSize*i:])
			blanked = append(blanked, uint32(i))
		}
	}
	return blanked
}

// leaves salts the elements of a share for the commitment to them.
func (r *Round) leaves(s streams, share []byte) []release.Leaf {
	salts := s.of("salt")
	leaves := make([]release.Leaf, len(share)/elementSize)
	for i := range leaves {
		salts.Read(leaves[i].Salt[:])
		leaves[i].Element = share[elementSize*i : elementSize*(i+1)]
	}
	return leaves
}
