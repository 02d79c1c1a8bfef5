package prio3

import (
	"bytes"
	"encoding/binary"
	"testing"

	"candor/crypto/field"
	"candor/crypto/xof"
)

// picky is a field of which about half of all candidates are not elements.
type picky struct{ field.F64 }

func (picky) Valid(x []byte) bool {
	for ; len(x) > 0; x = x[8:] {
		if x[0]&1 == 1 {
			return false
		}
	}
	return true
}

// TestVectorsReject: where streams yield candidates that are not elements, each is run again on its own, whatever its neighbours do.
func TestVectorsReject(t *testing.T) {
	for _, path := range Paths() {
		defer SetPath(path)()
		v := &VDAF{id: 1}
		tags, err := v.newTags([]byte("context"))
		if err != nil {
			t.Fatal(err)
		}
		for n := 1; n <= 2*xof.Width+1; n++ {
			x, in := &expander{field: picky{}, tags: tags}, make([]stream, n)
			want := make([][]byte, n)
			for i := range n {
				seed := bytes.Repeat([]byte{byte(i)}, xof.SeedSize)
				in[i] = stream{seed: seed, head: []byte{1}, tail: []byte{2}, out: make([]byte, 8*50)}
				var s xof.Stream
				s.Write(tags[usageMeasShare])
				s.Write(seed)
				s.Write([]byte{1, 2})
				want[i] = make([]byte, 8*50)
				xof.Expand(picky{}, &s, want[i])
			}
			x.vectors(usageMeasShare, in)
			for i := range n {
				if !bytes.Equal(in[i].out, want[i]) {
					t.Errorf("%s: stream %d of %d: got %x, want %x", path, i, n, in[i].out, want[i])
				}
			}
		}
	}
}

// TestRejection is a report in whose proof share one candidate is not an element of Field64: one in 13 million seeds is like this one.
func TestRejection(t *testing.T) {
	v, err := New(Config{Algorithm: Sum, MaxMeasurement: 1<<64 - 1<<32})
	if err != nil {
		t.Fatal(err)
	}
	ctx := []byte("some application")
	rand := make([]byte, v.RandSize())
	binary.BigEndian.PutUint64(rand[24:], 24577797)
	tags, err := v.newTags(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var s xof.Stream
	s.Write(tags[usageProofShare])
	s.Write(rand[:xof.SeedSize])
	s.Write([]byte{1, 1})
	candidates := make([]byte, v.proofSize())
	if s.Read(candidates); v.flp.Field().Valid(candidates) {
		t.Fatal("the seed rejects nothing: the test tests nothing")
	}
	public, input, err := v.Shard(ctx, [16]byte{}, rand, []uint64{1 << 63})
	if err != nil {
		t.Fatal(err)
	}
	began := v.NewVerifier(Leader, [32]byte{}, ctx).LeaderInit([]Report{{PublicShare: public, InputShare: input[0]}})[0]
	if began.Err != nil {
		t.Fatal(began.Err)
	}
	report := Report{PublicShare: public, InputShare: input[1], Inbound: began.Outbound}
	for n := 1; n <= 5; n++ {
		reports := make([]Report, n)
		for i := range reports {
			reports[i] = report
		}
		for _, r := range v.NewVerifier(Helper, [32]byte{}, ctx).HelperInit(reports) {
			if r.Err != nil {
				t.Errorf("%d at once: %v", n, r.Err)
			}
		}
	}
}
