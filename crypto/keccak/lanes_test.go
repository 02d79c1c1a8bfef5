package keccak_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"candor/crypto/keccak"
)

// lanes is a State4 or a State8 with what can be done to it.
type lanes struct {
	width int
	interleaved
	permute func()
	absorb  func(in [][]byte)
	squeeze func(out [][]byte)
}

type interleaved interface {
	SetLane(lane int, from *[25]uint64)
	Lane(lane int, to *[25]uint64)
	XORBlock(lane int, p []byte)
	ReadBlock(lane int, p []byte)
}

func everyWidth() []lanes {
	s4, s8 := new(keccak.State4), new(keccak.State8)
	return []lanes{
		{
			4, s4,
			func() { keccak.Permute12x4(s4) },
			func(in [][]byte) { keccak.Absorb4(s4, (*[4][]byte)(in)) },
			func(out [][]byte) { keccak.Squeeze4(s4, (*[4][]byte)(out)) },
		},
		{
			8, s8,
			func() { keccak.Permute12x8(s8) },
			func(in [][]byte) { keccak.Absorb8(s8, (*[8][]byte)(in)) },
			func(out [][]byte) { keccak.Squeeze8(s8, (*[8][]byte)(out)) },
		},
	}
}

func (s stream) state() (a [25]uint64) {
	for w := range a {
		a[w] = s.uint64()
	}
	return a
}

// fill sets every lane to a random state and returns them.
func (s lanes) fill(r stream) [][25]uint64 {
	single := make([][25]uint64, s.width)
	for lane := range single {
		single[lane] = r.state()
		s.SetLane(lane, &single[lane])
	}
	return single
}

// compare reports the first word in which a lane differs from want.
func (s lanes) compare(t *testing.T, what string, want [][25]uint64) {
	t.Helper()
	for lane := range want {
		var got [25]uint64
		s.Lane(lane, &got)
		for w := range got {
			if got[w] != want[lane][w] {
				t.Fatalf("%s: word %d of lane %d of %d is %016x, want %016x", what, w, lane, s.width, got[w], want[lane][w])
			}
		}
	}
}

// TestLayout checks the documented places of words.
func TestLayout(t *testing.T) {
	a := newStream(t).state()
	for lane := range 8 {
		var s4 keccak.State4
		var s8 keccak.State8
		s8.SetLane(lane, &a)
		if lane < 4 {
			s4.SetLane(lane, &a)
		}
		for w := range a {
			if lane < 4 && s4[4*w+lane] != a[w] {
				t.Errorf("State4: word %d of lane %d is not at %d", w, lane, 4*w+lane)
			}
			if s8[8*w+lane] != a[w] {
				t.Errorf("State8: word %d of lane %d is not at %d", w, lane, 8*w+lane)
			}
		}
	}
}

// TestPermuteLanes compares every lane on every path with the permutation of one state in Go.
func TestPermuteLanes(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		r := newStream(t)
		for _, s := range everyWidth() {
			for i := range 300 {
				want := s.fill(r)
				s.permute()
				restore := keccak.SetPath("go")
				for lane := range want {
					keccak.Permute12(&want[lane])
				}
				restore()
				s.compare(t, fmt.Sprintf("state %d", i), want)
			}
		}
	})
}

// TestBlocks checks moving blocks of every length in and out of states against the bytes of the state written out.
func TestBlocks(t *testing.T) {
	r := newStream(t)
	for n := range keccak.Rate + 1 {
		before, p := r.bytes(200), r.bytes(n)
		after := bytes.Clone(before)
		for i := range p {
			after[i] ^= p[i]
		}
		var a, b [25]uint64
		for w := range a {
			a[w] = binary.LittleEndian.Uint64(before[8*w:])
			b[w] = binary.LittleEndian.Uint64(after[8*w:])
		}
		for _, s := range everyWidth() {
			want := s.fill(r)
			lane := n % s.width
			want[lane] = b
			s.SetLane(lane, &a)
			s.XORBlock(lane, p)
			s.compare(t, fmt.Sprintf("XORBlock of %d bytes", n), want)
			got := make([]byte, n)
			if s.ReadBlock(lane, got); !bytes.Equal(got, after[:n]) {
				t.Fatalf("ReadBlock of %d bytes from lane %d of %d: %x, want %x", n, lane, s.width, got, after[:n])
			}
		}
		if keccak.XORBlock(&a, p); a != b {
			t.Fatalf("XORBlock of %d bytes: state is %x, want %x", n, a, b)
		}
		got := make([]byte, n)
		if keccak.ReadBlock(&a, got); !bytes.Equal(got, after[:n]) {
			t.Fatalf("ReadBlock of %d bytes: %x, want %x", n, got, after[:n])
		}
	}
}

// TestAbsorb compares with absorbing lane by lane, from slices that start at odd addresses.
func TestAbsorb(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		r := newStream(t)
		for blocks := range 5 {
			for _, s := range everyWidth() {
				want := s.fill(r)
				in := make([][]byte, s.width)
				for lane := range in {
					in[lane] = r.bytes(blocks*keccak.Rate + lane)[lane:]
					for p := in[lane]; len(p) > 0; p = p[keccak.Rate:] {
						keccak.XORBlock(&want[lane], p[:keccak.Rate])
						keccak.Permute12(&want[lane])
					}
				}
				s.absorb(in)
				s.compare(t, fmt.Sprintf("%d blocks", blocks), want)
			}
		}
	})
}

// TestSqueeze checks outputs of unequal lengths, and that bytes beyond them stay as they were.
func TestSqueeze(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		r := newStream(t)
		for _, s := range everyWidth() {
			for range 50 {
				single := s.fill(r)
				out, whole := make([][]byte, s.width), make([][]byte, s.width)
				least := r.intN(3) * keccak.Rate
				for lane := range out {
					n := least + []int{0, r.intN(2 * keccak.Rate), keccak.Rate * r.intN(4), r.intN(1000)}[r.intN(4)]
					whole[lane] = bytes.Repeat([]byte{0xa5}, n+32)
					out[lane] = whole[lane][:n]
				}
				s.squeeze(out)
				for lane := range single {
					n := len(whole[lane]) - 32
					want := make([]byte, 0, n+keccak.Rate)
					for len(want) < n {
						keccak.Permute12(&single[lane])
						var block [keccak.Rate]byte
						keccak.ReadBlock(&single[lane], block[:])
						want = append(want, block[:]...)
					}
					want = append(want[:n], bytes.Repeat([]byte{0xa5}, 32)...)
					if !bytes.Equal(whole[lane], want) {
						t.Fatalf("lane %d of %d, %d bytes: %x, want %x", lane, s.width, n, whole[lane], want)
					}
				}
			}
		}
	})
}

// TestSqueezeOn checks that squeezing whole blocks in two calls is squeezing them in one.
func TestSqueezeOn(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		for _, s := range everyWidth() {
			single := s.fill(newStream(t))
			once, twice := make([][]byte, s.width), make([][]byte, s.width)
			for lane := range once {
				once[lane], twice[lane] = make([]byte, 5*keccak.Rate), make([]byte, 5*keccak.Rate)
			}
			s.squeeze(once)
			first, second := make([][]byte, s.width), make([][]byte, s.width)
			for lane := range single {
				s.SetLane(lane, &single[lane])
				first[lane], second[lane] = twice[lane][:2*keccak.Rate], twice[lane][2*keccak.Rate:]
			}
			s.squeeze(first)
			s.squeeze(second)
			for lane := range once {
				if !bytes.Equal(once[lane], twice[lane]) {
					t.Errorf("lane %d of %d: %x, want %x", lane, s.width, twice[lane], once[lane])
				}
			}
		}
	})
}

// TestMisuse checks that no block reaches the capacity, no lane another state, and no vector code a short slice.
func TestMisuse(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		long := make([]byte, keccak.Rate+1)
		panics := func(name, text string, f func()) {
			t.Helper()
			defer func() {
				if v := recover(); v == nil || !strings.Contains(fmt.Sprint(v), text) {
					t.Errorf("%s: recovered %v, want %q", name, v, text)
				}
			}()
			f()
		}
		panics("XORBlock", "longer than the rate", func() { keccak.XORBlock(new([25]uint64), long) })
		panics("ReadBlock", "longer than the rate", func() { keccak.ReadBlock(new([25]uint64), long) })
		for _, s := range everyWidth() {
			panics("XORBlock", "longer than the rate", func() { s.XORBlock(1, long) })
			panics("ReadBlock", "longer than the rate", func() { s.ReadBlock(1, long) })
			for _, lane := range []int{-1, s.width} {
				panics("SetLane", "no such lane", func() { s.SetLane(lane, new([25]uint64)) })
				panics("Lane", "no such lane", func() { s.Lane(lane, new([25]uint64)) })
				panics("XORBlock", "no such lane", func() { s.XORBlock(lane, nil) })
				panics("ReadBlock", "no such lane", func() { s.ReadBlock(lane, nil) })
			}
			in := make([][]byte, s.width)
			in[s.width-1] = long[:keccak.Rate]
			panics("absorbing unequal lengths", "whole blocks", func() { s.absorb(in) })
			for lane := range in {
				in[lane] = long
			}
			panics("absorbing part of a block", "whole blocks", func() { s.absorb(in) })
		}
	})
}
