package keccak_test

import (
	"crypto/sha3"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
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

// turboSHAKE128Lanes does the same for messages with the same number of blocks, one per lane.
func turboSHAKE128Lanes(s lanes, messages [][]byte, d byte, n int) [][]byte {
	whole := len(messages[0]) / keccak.Rate * keccak.Rate
	in, out := make([][]byte, len(messages)), make([][]byte, len(messages))
	for lane := range messages {
		in[lane] = messages[lane][:whole]
		out[lane] = make([]byte, n)
	}
	s.absorb(in)
	for lane := range messages {
		s.XORBlock(lane, pad(messages[lane][whole:], d))
	}
	s.squeeze(out)
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
				for _, s := range everyWidth() {
					var messages [][]byte
					for range s.width {
						messages = append(messages, c.message)
					}
					for lane, got := range turboSHAKE128Lanes(s, messages, c.d, c.n) {
						if got := hex.EncodeToString(got[c.n-32:]); got != c.want {
							t.Errorf("lane %d of %d: last 32 bytes are\n%s, want\n%s", lane, s.width, got, c.want)
						}
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
