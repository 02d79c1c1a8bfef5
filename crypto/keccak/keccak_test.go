package keccak_test

import (
	"bytes"
	"crypto/sha3"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"candor/crypto/keccak"
)

// onEveryPath runs f as a subtest for each path this CPU can take.
func onEveryPath(t *testing.T, f func(t *testing.T)) {
	for _, name := range keccak.Paths() {
		t.Run(name, func(t *testing.T) {
			defer keccak.SetPath(name)()
			f(t)
		})
	}
}

// A stream is an endless deterministic source of test data, so that a failure repeats.
type stream struct{ *sha3.SHAKE }

func newStream(t testing.TB) stream {
	s := stream{sha3.NewSHAKE128()}
	s.Write([]byte(t.Name()))
	return s
}

func (s stream) bytes(n int) []byte {
	p := make([]byte, n)
	s.Read(p)
	return p
}

func (s stream) uint64() uint64 { return binary.LittleEndian.Uint64(s.bytes(8)) }

// intN is a number below n, evenly enough for a test.
func (s stream) intN(n int) int { return int(s.uint64() % uint64(n)) }

// pad is the last block of a message: what is left of it, the domain byte, and the final bit.
func pad(rest []byte, d byte) []byte {
	block := make([]byte, keccak.Rate)
	copy(block, rest)
	block[len(rest)] ^= d
	block[keccak.Rate-1] ^= 0x80
	return block
}

// turboSHAKE128 is RFC 9861, "TurboSHAKE", one message at a time.
func turboSHAKE128(message []byte, d byte, n int) []byte {
	var s [25]uint64
	for ; len(message) >= keccak.Rate; message = message[keccak.Rate:] {
		keccak.XORBlock(&s, message[:keccak.Rate])
		keccak.Permute12(&s)
	}
	keccak.XORBlock(&s, pad(message, d))
	out := make([]byte, n)
	for p := out; len(p) > 0; {
		keccak.Permute12(&s)
		k := min(len(p), keccak.Rate)
		keccak.ReadBlock(&s, p[:k])
		p = p[k:]
	}
	return out
}

// turboSHAKE128x4 does the same for four messages that have the same number of blocks.
func turboSHAKE128x4(messages [4][]byte, d byte, n int) [4][]byte {
	var s keccak.State4
	for len(messages[0]) >= keccak.Rate {
		for lane := range messages {
			s.XORBlock(lane, messages[lane][:keccak.Rate])
			messages[lane] = messages[lane][keccak.Rate:]
		}
		keccak.Permute12x4(&s)
	}
	var out [4][]byte
	for lane := range messages {
		s.XORBlock(lane, pad(messages[lane], d))
		out[lane] = make([]byte, n)
	}
	keccak.Squeeze4(&s, &out)
	return out
}

// pattern is ptn(n) of RFC 9861, "Test Vectors": the bytes 00 to FA, repeated.
func pattern(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i % 251)
	}
	return p
}

// TestTurboSHAKE128 checks the vectors of RFC 9861, "Test Vectors". Of an output the last 32 bytes are compared.
func TestTurboSHAKE128(t *testing.T) {
	for _, c := range []struct {
		message []byte
		d       byte
		n       int
		want    string
	}{
		{nil, 0x1f, 32, "1e415f1c5983aff2169217277d17bb538cd945a397ddec541f1ce41af2c1b74c"},
		{nil, 0x1f, 64, "3e8ccae2a4dae56c84a04c2385c03c15e8193bdf58737363321691c05462c8df"},
		{nil, 0x1f, 10032, "a3b9b0385900ce761f22aed548e754da10a5242d62e8c658e3f3a923a7555607"},
		{pattern(1), 0x1f, 32, "55cedd6f60af7bb29a4042ae832ef3f58db7299f893ebb9247247d856958daa9"},
		{pattern(17), 0x1f, 32, "9c97d036a3bac819db70ede0ca554ec6e4c2a1a4ffbfd9ec269ca6a111161233"},
		{pattern(289), 0x1f, 32, "96c77c279e0126f7fc07c9b07f5cdae1e0be60bdbe10620040e75d7223a624d2"},
		{pattern(4913), 0x1f, 32, "d4976eb56bcf118520582b709f73e1d6853e001fdaf80e1b13e0d0599d5fb372"},
		{pattern(83521), 0x1f, 32, "da67c7039e98bf530cf7a37830c6664e14cbab7f540f58403b1b82951318ee5c"},
		{pattern(1419857), 0x1f, 32, "b97a906fbf83ef7c812517abf3b2d0aea0c4f60318ce11cf103925127f59eecd"},
		{[]byte{0xff, 0xff, 0xff}, 0x01, 32, "bf323f940494e88ee1c540fe660be8a0c93f43d15ec006998462fa994eed5dab"},
	} {
		if testing.Short() && len(c.message) > 1<<20 {
			continue
		}
		t.Run(fmt.Sprintf("%d to %d bytes, domain %02x", len(c.message), c.n, c.d), func(t *testing.T) {
			onEveryPath(t, func(t *testing.T) {
				got := turboSHAKE128(c.message, c.d, c.n)
				if got := hex.EncodeToString(got[c.n-32:]); got != c.want {
					t.Errorf("one lane: last 32 bytes are\n%s, want\n%s", got, c.want)
				}
				for lane, got := range turboSHAKE128x4([4][]byte{c.message, c.message, c.message, c.message}, c.d, c.n) {
					if got := hex.EncodeToString(got[c.n-32:]); got != c.want {
						t.Errorf("lane %d of four: last 32 bytes are\n%s, want\n%s", lane, got, c.want)
					}
				}
			})
		})
	}
}

// TestXofVector checks the vector published with the VDAF draft. Its stream holds no element that is too large, so the
// expanded vector is the output itself.
func TestXofVector(t *testing.T) {
	name := filepath.Join("..", "..", "..", "shared", "vectors", "vdaf", "XofTurboShake128.json")
	text, err := os.ReadFile(name)
	if os.IsNotExist(err) {
		t.Skipf("%s does not exist", name)
	} else if err != nil {
		t.Fatal(err)
	}
	type hexBytes = string
	var v struct {
		Seed     hexBytes `json:"seed"`
		DST      hexBytes `json:"dst"`
		Binder   hexBytes `json:"binder"`
		Expanded hexBytes `json:"expanded_vec_field128"`
	}
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatalf("reading %s: %v", name, err)
	}
	dst, seed, binder := unhex(t, v.DST), unhex(t, v.Seed), unhex(t, v.Binder)
	message := binary.LittleEndian.AppendUint16(nil, uint16(len(dst)))
	message = append(message, dst...)
	message = append(message, byte(len(seed)))
	message = append(message, seed...)
	message = append(message, binder...)
	onEveryPath(t, func(t *testing.T) {
		if got := hex.EncodeToString(turboSHAKE128(message, 1, len(v.Expanded)/2)); got != v.Expanded {
			t.Errorf("stream is\n%s, want\n%s", got, v.Expanded)
		}
	})
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	p, err := hex.DecodeString(text)
	if err != nil || len(p) == 0 {
		t.Fatalf("vector field %q: %v", text, err)
	}
	return p
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
		var s [25]uint64
		for w := range s {
			s[w] = binary.LittleEndian.Uint64(before[8*w:])
		}
		lane := n % 4
		var s4 keccak.State4
		var others [4][25]uint64
		for l := range others {
			for w := range s {
				others[l][w] = r.uint64()
			}
			s4.SetLane(l, &others[l])
		}
		s4.SetLane(lane, &s)
		keccak.XORBlock(&s, p)
		s4.XORBlock(lane, p)
		others[lane] = s
		for l := range others {
			var got [25]uint64
			s4.Lane(l, &got)
			if got != others[l] {
				t.Fatalf("%d bytes into lane %d: lane %d is %x, want %x", n, lane, l, got, others[l])
			}
		}
		got := make([]byte, 0, 200)
		for _, w := range s {
			got = binary.LittleEndian.AppendUint64(got, w)
		}
		if !bytes.Equal(got, after) {
			t.Fatalf("%d bytes: state is %x, want %x", n, got, after)
		}
		one, four := make([]byte, n), make([]byte, n)
		keccak.ReadBlock(&s, one)
		s4.ReadBlock(lane, four)
		if !bytes.Equal(one, after[:n]) || !bytes.Equal(four, after[:n]) {
			t.Fatalf("reading %d bytes: %x and %x, want %x", n, one, four, after[:n])
		}
	}
}

// TestBlockTooLong checks that a block cannot reach the capacity.
func TestBlockTooLong(t *testing.T) {
	long := make([]byte, keccak.Rate+1)
	for name, f := range map[string]func(){
		"XORBlock":         func() { keccak.XORBlock(new([25]uint64), long) },
		"ReadBlock":        func() { keccak.ReadBlock(new([25]uint64), long) },
		"State4.XORBlock":  func() { new(keccak.State4).XORBlock(1, long) },
		"State4.ReadBlock": func() { new(keccak.State4).ReadBlock(1, long) },
	} {
		func() {
			defer func() {
				if v := recover(); v == nil || !strings.Contains(fmt.Sprint(v), "longer than the rate") {
					t.Errorf("%s of %d bytes: recovered %v", name, len(long), v)
				}
			}()
			f()
		}()
	}
}

// TestSqueeze4 checks outputs of unequal lengths, and that bytes beyond them stay as they were.
func TestSqueeze4(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		r := newStream(t)
		for range 50 {
			var s keccak.State4
			var single [4][25]uint64
			var out, whole [4][]byte
			for lane := range single {
				for w := range single[lane] {
					single[lane][w] = r.uint64()
				}
				s.SetLane(lane, &single[lane])
				n := []int{0, r.intN(2 * keccak.Rate), keccak.Rate * r.intN(4), r.intN(1000)}[r.intN(4)]
				whole[lane] = bytes.Repeat([]byte{0xa5}, n+32)
				out[lane] = whole[lane][:n:n]
			}
			keccak.Squeeze4(&s, &out)
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
					t.Fatalf("lane %d, %d bytes: %x, want %x", lane, n, whole[lane], want)
				}
			}
		}
	})
}

// TestPath checks that the fastest path is chosen, that SetPath can be undone, and that it refuses other names.
func TestPath(t *testing.T) {
	paths := keccak.Paths()
	if paths[0] != "go" || keccak.Path() != paths[len(paths)-1] {
		t.Fatalf("runs on %s of %v", keccak.Path(), paths)
	}
	restore := keccak.SetPath("go")
	if keccak.Path() != "go" {
		t.Errorf("after SetPath(go): runs on %s", keccak.Path())
	}
	restore()
	if keccak.Path() != paths[len(paths)-1] {
		t.Errorf("restored: runs on %s", keccak.Path())
	}
	defer func() {
		if recover() == nil {
			t.Error("SetPath(abacus) did not panic")
		}
	}()
	keccak.SetPath("abacus")
}
