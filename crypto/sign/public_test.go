package sign_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha512"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"candor/crypto/sign"
)

func sha512Half(b []byte) []byte {
	digest := sha512.Sum512(b)
	return digest[:32]
}

func TestPublicKeyText(t *testing.T) {
	p, err := sign.NewPublicKey(unhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"))
	if err != nil {
		t.Fatal(err)
	}
	const text = "candor-key-11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
	if p.String() != text || fmt.Sprint(p) != text {
		t.Errorf("text %s, want %s", p, text)
	}
	if got, err := sign.ParsePublicKey(text); err != nil || got != p {
		t.Errorf("parsed %v, error %v", got, err)
	}
	b, err := json.Marshal(map[string]sign.PublicKey{"key": p})
	if err != nil || string(b) != `{"key":"`+text+`"}` {
		t.Errorf("as JSON %s, error %v", b, err)
	}
	var back map[string]sign.PublicKey
	if err := json.Unmarshal(b, &back); err != nil || back["key"] != p {
		t.Errorf("from JSON %v, error %v", back, err)
	}
	for _, bad := range []string{
		"", text[len("candor-key-"):], text[:len(text)-1], text + "A", text + "=", " " + text, text + "\n",
		strings.ToUpper(text), text[:20] + "\n" + text[20:], text[:len(text)-1] + "p", // trailing bits
		strings.Replace(text, "_", "/", 1),
	} {
		if got, err := sign.ParsePublicKey(bad); err == nil || got != (sign.PublicKey{}) {
			t.Errorf("ParsePublicKey(%q) = %v", bad, got)
		}
	}
}

// TestSmallOrder shows for each refused key of small order why it is refused:
// without knowing a private key one finds a signature, and it is valid for
// other messages too.
func TestSmallOrder(t *testing.T) {
	keys := []string{
		"0100000000000000000000000000000000000000000000000000000000000000",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0000000000000000000000000000000000000000000000000000000000000080",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
	}
	// R and S of a signature with R = S·B.
	forged := append(unhex("5866666666666666666666666666666666666666666666666666666666666666"), 1)
	forged = append(forged, make([]byte, 31)...)
	for _, key := range keys {
		valid := 0
		for i := range uint32(100) {
			if ed25519.Verify(unhex(key), binary.BigEndian.AppendUint32(nil, i), forged) {
				valid++
			}
		}
		if valid < 5 {
			t.Errorf("%s: the forged signature fits only %d of 100 messages: not of small order", key, valid)
		}
		if p, err := sign.NewPublicKey(unhex(key)); err == nil || p != (sign.PublicKey{}) {
			t.Errorf("%s, of small order, is accepted", key)
		}
	}
}

// TestNoPoint has encodings of no point, and second encodings of points.
func TestNoPoint(t *testing.T) {
	for name, key := range map[string]string{
		"y = 2, no point":      "0200000000000000000000000000000000000000000000000000000000000000",
		"y = p":                "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"y = p+3":              "f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"y = p+3, negative":    "f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
		"y = 2^255-1":          "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"y = 1, negative zero": "0100000000000000000000000000000000000000000000000000000000000080",
	} {
		if _, err := sign.NewPublicKey(unhex(key)); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	// y = 3 is a point, so that y = p+3 is refused for its form alone.
	if _, err := sign.NewPublicKey(unhex("0300000000000000000000000000000000000000000000000000000000000000")); err != nil {
		t.Errorf("y = 3: %v", err)
	}
	for _, n := range []int{0, 31, 33} {
		if _, err := sign.NewPublicKey(bytes.Repeat([]byte{9}, n)); err == nil {
			t.Errorf("a key of %d bytes is accepted", n)
		}
	}
	for seed := range 100 {
		p := newKey(t, byte(seed)).PublicKey()
		if _, err := sign.NewPublicKey(p[:]); err != nil {
			t.Errorf("a generated key is refused: %v", err)
		}
	}
}

func TestFingerprint(t *testing.T) {
	p, err := sign.NewPublicKey(unhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"))
	if err != nil {
		t.Fatal(err)
	}
	// Computed apart from this package, from the definition.
	const want = sign.Fingerprint("KGJ63-PCP8H-WPQR8-NRTH8-C5N7R")
	if got := p.Fingerprint(); got != want {
		t.Errorf("fingerprint %s, want %s", got, want)
	}
	for _, written := range []string{
		string(want),
		strings.ToLower(string(want)),
		strings.ReplaceAll(string(want), "-", ""),
		" " + strings.ReplaceAll(string(want), "-", "  "),
		strings.NewReplacer("0", "o", "1", "l").Replace(string(want)),
		strings.NewReplacer("0", "O", "1", "I").Replace(string(want)),
	} {
		if got, err := sign.ParseFingerprint(written); err != nil || got != want {
			t.Errorf("ParseFingerprint(%q) = %s, error %v", written, got, err)
		}
	}
	for _, bad := range []string{"", string(want[1:]), string(want) + "0", "U" + string(want[1:]), string(want[:28]) + "é"} {
		if got, err := sign.ParseFingerprint(bad); err == nil || got != "" {
			t.Errorf("ParseFingerprint(%q) = %s", bad, got)
		}
	}
	var f sign.Fingerprint
	if err := json.Unmarshal([]byte(`"`+strings.ToLower(string(want))+`"`), &f); err != nil || f != want {
		t.Errorf("from JSON %s, error %v", f, err)
	}
	seen := make(map[sign.Fingerprint]bool)
	for seed := range 100 {
		seen[newKey(t, byte(seed)).PublicKey().Fingerprint()] = true
	}
	if len(seen) != 100 {
		t.Errorf("%d fingerprints of 100 keys", len(seen))
	}
}

func FuzzParsePublicKey(f *testing.F) {
	f.Add(newKey(f, 1).PublicKey().String())
	f.Add("candor-key-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	f.Add("candor-key-")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := sign.ParsePublicKey(text)
		if err == nil && p.String() != text {
			t.Fatalf("%q parses as %s", text, p)
		}
	})
}

func FuzzParseFingerprint(f *testing.F) {
	f.Add(string(newKey(f, 1).PublicKey().Fingerprint()))
	f.Add("oooooiiiiilllll0000011111")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := sign.ParseFingerprint(text)
		if err != nil {
			return
		}
		if again, err := sign.ParseFingerprint(string(p)); err != nil || again != p || len(p) != 29 {
			t.Fatalf("%q parses as %s, and that as %s, error %v", text, p, again, err)
		}
	})
}
