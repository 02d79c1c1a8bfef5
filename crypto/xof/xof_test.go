package xof_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"testing"

	"candor/crypto/field"
	"candor/crypto/keccak"
	"candor/crypto/xof"
)

func randomBytes(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// TestKnown is TurboSHAKE128 with domain byte 1 as RFC 9861 gives it.
func TestKnown(t *testing.T) {
	var s xof.Stream
	s.Write([]byte{0xff, 0xff, 0xff})
	out := make([]byte, 32)
	s.Read(out)
	want := "bf323f940494e88ee1c540fe660be8a0c93f43d15ec006998462fa994eed5dab"
	if hex.EncodeToString(out) != want {
		t.Errorf("got %x, want %s", out, want)
	}
}

// TestStream: how input and output are cut into pieces makes no difference, at and around block boundaries.
func TestStream(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, n := range []int{0, 1, 31, 166, 167, 168, 169, 335, 336, 337, 1000} {
		in := randomBytes(r, n)
		var whole xof.Stream
		whole.Write(in)
		want := make([]byte, 1000)
		whole.Read(want)
		for range 20 {
			var s xof.Stream
			for rest := in; len(rest) > 0; {
				m := 1 + r.IntN(len(rest))
				s.Write(rest[:m])
				rest = rest[m:]
			}
			got := make([]byte, 1000)
			for rest := got; len(rest) > 0; {
				m := min(len(rest), r.IntN(400))
				s.Read(rest[:m])
				rest = rest[m:]
			}
			if !bytes.Equal(got, want) {
				t.Fatalf("input of %d bytes in pieces gives another output", n)
			}
		}
		whole.Reset()
		whole.Write(in)
		again := make([]byte, 1000)
		if whole.Read(again); !bytes.Equal(again, want) {
			t.Errorf("a reset stream gives another output")
		}
	}
}

func TestWriteAfterRead(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("write after read does not panic")
		}
	}()
	var s xof.Stream
	s.Read(make([]byte, 1))
	s.Write([]byte{1})
}

// TestInput checks what is hashed: little-endian length, tag, seed length, seed, binder.
func TestInput(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	for _, n := range []struct{ dst, seed, binder int }{{0, 0, 0}, {46, 32, 17}, {300, 255, 5000}, {65535, 1, 0}} {
		dst, seed, binder := randomBytes(r, n.dst), randomBytes(r, n.seed), randomBytes(r, n.binder)
		s, err := xof.New(dst, seed, binder)
		if err != nil {
			t.Fatal(err)
		}
		var plain xof.Stream
		plain.Write([]byte{byte(n.dst), byte(n.dst >> 8)})
		plain.Write(dst)
		plain.Write([]byte{byte(n.seed)})
		plain.Write(seed)
		plain.Write(binder)
		got, want := make([]byte, 40), make([]byte, 40)
		s.Read(got)
		plain.Read(want)
		if !bytes.Equal(got, want) {
			t.Errorf("%+v: got %x, want %x", n, got, want)
		}
	}
	if _, err := xof.New(make([]byte, 65536), nil, nil); !errors.Is(err, xof.ErrTooLong) {
		t.Errorf("long tag: %v", err)
	}
	if _, err := xof.New(nil, make([]byte, 256), nil); !errors.Is(err, xof.ErrTooLong) {
		t.Errorf("long seed: %v", err)
	}
}

// TestLanes compares every number of lanes, on every path, with single streams.
func TestLanes(t *testing.T) {
	for _, path := range keccak.Paths() {
		t.Run(path, func(t *testing.T) {
			defer keccak.SetPath(path)()
			r := rand.New(rand.NewPCG(3, 3))
			var x xof.Lanes
			for trial := range 300 {
				n := 1 + trial%xof.Width
				prefix := randomBytes(r, r.IntN(400))
				lengths := []int{r.IntN(40), r.IntN(200), r.IntN(1000)}
				outLen := r.IntN(800)
				x.Reset(n)
				x.Write(prefix)
				single := make([]xof.Stream, n)
				for i := range single {
					single[i].Write(prefix)
				}
				for _, size := range lengths {
					var in [xof.Width][]byte
					for i := range n {
						in[i] = randomBytes(r, size)
						single[i].Write(in[i])
					}
					x.WriteEach(&in)
				}
				var out, kept [xof.Width][]byte
				for i := range n {
					out[i] = make([]byte, outLen)
					kept[i] = out[i]
				}
				x.Read(&out)
				for i := range n {
					want := make([]byte, outLen)
					if single[i].Read(want); !bytes.Equal(kept[i], want) {
						t.Fatalf("lane %d of %d, prefix %d, inputs %d, output %d: got %x, want %x", i, n, len(prefix), lengths, outLen, kept[i], want)
					}
				}
			}
		})
	}
}

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

// TestExpandRejects: candidates that are not elements are left out, so that more of the stream is read.
func TestExpandRejects(t *testing.T) {
	new := func() *xof.Stream {
		s, err := xof.New([]byte("tag"), make([]byte, 32), nil)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	got := make([]byte, 8*100)
	xof.Expand(picky{}, new(), got)
	all := make([]byte, 8*1000)
	new().Read(all)
	var want []byte
	for ; len(want) < len(got); all = all[8:] {
		if all[0]&1 == 0 {
			want = append(want, all[:8]...)
		}
	}
	if !bytes.Equal(got, want) {
		t.Errorf("got %x, want %x", got, want)
	}
	if bytes.Equal(got, all[:len(got)]) {
		t.Error("the stream has nothing to reject: the test tests nothing")
	}
}
