package seal_test

import (
	"bytes"
	"crypto/hpke"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"candor/crypto/seal"
)

var (
	info      = []byte("info")
	aad       = []byte("associated data")
	plaintext = []byte("a plaintext that is longer than one block")
)

// suites lists every supported suite.
func suites() (all []seal.Suite) {
	for _, kem := range []uint16{seal.KEMP256, seal.KEMX25519, seal.KEMXWing} {
		for kdf := seal.KDFSHA256; kdf <= seal.KDFSHA512; kdf++ {
			for aead := seal.AEADAES128GCM; aead <= seal.AEADChaCha20Poly1305; aead++ {
				all = append(all, seal.Suite{KEM: kem, KDF: kdf, AEAD: aead})
			}
		}
	}
	return all
}

// TestStandardLibrary seals and opens across to crypto/hpke, in both
// directions, for every suite.
func TestStandardLibrary(t *testing.T) {
	for _, s := range suites() {
		t.Run(s.String(), func(t *testing.T) {
			kem, err := hpke.NewKEM(s.KEM)
			if err != nil {
				t.Fatal(err)
			}
			kdf, err := hpke.NewKDF(s.KDF)
			if err != nil {
				t.Fatal(err)
			}
			aead, err := hpke.NewAEAD(s.AEAD)
			if err != nil {
				t.Fatal(err)
			}

			publicKey, ours, err := seal.GenerateKey(s, nil)
			if err != nil {
				t.Fatal(err)
			}
			theirs, err := kem.NewPrivateKey(ours.Bytes())
			if err != nil {
				t.Fatal(err)
			}
			if got := theirs.PublicKey().Bytes(); !bytes.Equal(got, publicKey) {
				t.Fatalf("public key of the same private key\nhere  %x\nthere %x", publicKey, got)
			}

			enc, ciphertext, err := seal.Seal(s, publicKey, info, aad, plaintext, nil)
			if err != nil {
				t.Fatal(err)
			}
			recipient, err := hpke.NewRecipient(enc, theirs, kdf, aead, info)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := recipient.Open(aad, ciphertext); err != nil || !bytes.Equal(got, plaintext) {
				t.Errorf("sealed here, opened there: %q, error %v", got, err)
			}

			enc, sender, err := hpke.NewSender(theirs.PublicKey(), kdf, aead, info)
			if err != nil {
				t.Fatal(err)
			}
			ciphertext, err = sender.Seal(aad, plaintext)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := ours.Open(enc, info, aad, ciphertext); err != nil || !bytes.Equal(got, plaintext) {
				t.Errorf("sealed there, opened here: %q, error %v", got, err)
			}
		})
	}
}

// TestOpenRefuses changes one thing at a time and expects the one error.
func TestOpenRefuses(t *testing.T) {
	for _, s := range []seal.Suite{seal.XWing, seal.X25519, {KEM: seal.KEMP256, KDF: 1, AEAD: 1}} {
		publicKey, k, err := seal.GenerateKey(s, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, other, err := seal.GenerateKey(s, nil)
		if err != nil {
			t.Fatal(err)
		}
		enc, ciphertext, err := seal.Seal(s, publicKey, info, aad, plaintext, nil)
		if err != nil {
			t.Fatal(err)
		}
		open := func(name string, k *seal.PrivateKey, enc, info, aad, ciphertext []byte) {
			t.Helper()
			if got, err := k.Open(enc, info, aad, ciphertext); err != seal.ErrOpen || got != nil {
				t.Errorf("%v, %s: opened %q, error %v, want ErrOpen", s, name, got, err)
			}
		}
		if got, err := k.Open(enc, info, aad, ciphertext); err != nil || !bytes.Equal(got, plaintext) {
			t.Errorf("%v: opened %q, error %v", s, got, err)
		}
		open("another key", other, enc, info, aad, ciphertext)
		open("another info", k, enc, []byte("inf"), aad, ciphertext)
		open("no associated data", k, enc, info, nil, ciphertext)
		open("info and associated data exchanged", k, enc, aad, info, ciphertext)
		open("no enc", k, nil, info, aad, ciphertext)
		open("short enc", k, enc[1:], info, aad, ciphertext)
		open("long enc", k, append(enc[:len(enc):len(enc)], 0), info, aad, ciphertext)
		open("zero enc", k, make([]byte, len(enc)), info, aad, ciphertext)
		open("no ciphertext", k, enc, info, aad, nil)
		open("short ciphertext", k, enc, info, aad, ciphertext[:len(ciphertext)-1])
		open("long ciphertext", k, enc, info, aad, append(ciphertext[:len(ciphertext):len(ciphertext)], 0))
		for i := range ciphertext {
			changed := bytes.Clone(ciphertext)
			changed[i] ^= 1
			open(fmt.Sprintf("byte %d of the ciphertext", i), k, enc, info, aad, changed)
		}
		for i := 0; i < len(enc); i += max(1, len(enc)/64) {
			changed := bytes.Clone(enc)
			changed[i] ^= 1
			open(fmt.Sprintf("byte %d of enc", i), k, changed, info, aad, ciphertext)
		}
	}
}

func TestSealIsFresh(t *testing.T) {
	publicKey, _, err := seal.GenerateKey(seal.XWing, nil)
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]bool)
	for range 20 {
		enc, ciphertext, err := seal.Seal(seal.XWing, publicKey, info, aad, plaintext, nil)
		if err != nil {
			t.Fatal(err)
		}
		if seen[string(enc)] || seen[string(ciphertext)] {
			t.Fatal("the same encapsulation or ciphertext twice")
		}
		seen[string(enc)], seen[string(ciphertext)] = true, true
	}
}

func TestUnsupported(t *testing.T) {
	good, k, err := seal.GenerateKey(seal.X25519, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []seal.Suite{
		{},
		{KEM: 0x0021, KDF: 1, AEAD: 1}, // X448: known to the library, not to us
		{KEM: 0x0030, KDF: 1, AEAD: 1}, // X25519 with the draft of Kyber
		{KEM: 0x0020, KDF: 0, AEAD: 1},
		{KEM: 0x0020, KDF: 4, AEAD: 1},
		{KEM: 0x0020, KDF: 1, AEAD: 0},
		{KEM: 0x0020, KDF: 1, AEAD: 4},
		{KEM: 0x0020, KDF: 1, AEAD: 0xffff}, // export only
	} {
		if seal.Supported(s) {
			t.Errorf("%v is supported", s)
		}
		if err := seal.CheckPublicKey(s, good); err == nil {
			t.Errorf("%v: CheckPublicKey accepts a key", s)
		}
		if _, _, err := seal.Seal(s, good, nil, nil, nil, nil); err == nil {
			t.Errorf("%v: Seal works", s)
		}
		if _, _, err := seal.GenerateKey(s, nil); err == nil {
			t.Errorf("%v: GenerateKey works", s)
		}
		if _, err := seal.ParsePrivateKey(s, k.Bytes()); err == nil {
			t.Errorf("%v: ParsePrivateKey works", s)
		}
	}
}

func TestPublicKeys(t *testing.T) {
	p256 := seal.Suite{KEM: seal.KEMP256, KDF: 1, AEAD: 1}
	for _, s := range []seal.Suite{seal.XWing, seal.X25519, p256} {
		good, _, err := seal.GenerateKey(s, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := seal.CheckPublicKey(s, good); err != nil {
			t.Errorf("%v: a good key is refused: %v", s, err)
		}
		for name, bad := range map[string][]byte{
			"empty": nil,
			"short": good[:len(good)-1],
			"long":  append(good[:len(good):len(good)], 0),
		} {
			if err := seal.CheckPublicKey(s, bad); err == nil {
				t.Errorf("%v: the %s key is accepted", s, name)
			}
			if _, _, err := seal.Seal(s, bad, nil, nil, nil, nil); err == nil {
				t.Errorf("%v: Seal accepts the %s key", s, name)
			}
		}
	}
	// Not a point of the curve, and not a polynomial modulo q.
	if err := seal.CheckPublicKey(p256, append([]byte{4}, make([]byte, 64)...)); err == nil {
		t.Error("P-256: a key off the curve is accepted")
	}
	if err := seal.CheckPublicKey(seal.XWing, bytes.Repeat([]byte{0xff}, 1216)); err == nil {
		t.Error("X-Wing: a key with coefficients over q is accepted")
	}
	// A point of low order has no secret: it passes as a key, but nothing is sealed to it.
	if _, _, err := seal.Seal(seal.X25519, make([]byte, 32), nil, nil, nil, nil); err == nil {
		t.Error("X25519: sealed to the point zero")
	}
}

func TestRandomSource(t *testing.T) {
	failing := errors.New("no entropy")
	if _, _, err := seal.GenerateKey(seal.XWing, errorReader{failing}); !errors.Is(err, failing) {
		t.Errorf("GenerateKey without entropy: error %v", err)
	}
	publicKey, _, err := seal.GenerateKey(seal.XWing, bytes.NewReader(make([]byte, 32)))
	if err != nil {
		t.Fatal(err)
	}
	again, _, err := seal.GenerateKey(seal.XWing, bytes.NewReader(make([]byte, 32)))
	if err != nil || !bytes.Equal(publicKey, again) {
		t.Error("the same seed makes two keys")
	}
	if _, _, err := seal.Seal(seal.XWing, publicKey, nil, nil, nil, errorReader{failing}); !errors.Is(err, failing) {
		t.Errorf("Seal without entropy: error %v", err)
	}
}

type errorReader struct{ err error }

func (r errorReader) Read([]byte) (int, error) { return 0, r.err }

// TestConcurrentOpen is for the race detector.
func TestConcurrentOpen(t *testing.T) {
	for _, s := range []seal.Suite{seal.XWing, seal.X25519, {KEM: seal.KEMP256, KDF: 1, AEAD: 1}} {
		publicKey, k, err := seal.GenerateKey(s, nil)
		if err != nil {
			t.Fatal(err)
		}
		enc, ciphertext, err := seal.Seal(s, publicKey, info, aad, plaintext, nil)
		if err != nil {
			t.Fatal(err)
		}
		k, err = seal.ParsePrivateKey(s, k.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				if got, err := k.Open(enc, info, aad, ciphertext); err != nil || !bytes.Equal(got, plaintext) {
					t.Errorf("%v: opened %q, error %v", s, got, err)
				}
			})
		}
		wg.Wait()
	}
}

// TestRedacted prints keys in every way and looks for their bytes.
func TestRedacted(t *testing.T) {
	for _, s := range []seal.Suite{seal.XWing, seal.X25519, {KEM: seal.KEMP256, KDF: 1, AEAD: 1}} {
		_, k, err := seal.GenerateKey(s, nil)
		if err != nil {
			t.Fatal(err)
		}
		type nested struct {
			Exported   *seal.PrivateKey
			ByValue    seal.PrivateKey
			unexported *seal.PrivateKey
			byValue    seal.PrivateKey
			list       []*seal.PrivateKey
			table      map[string]seal.PrivateKey
			any        any
		}
		n := nested{k, *k, k, *k, []*seal.PrivateKey{k}, map[string]seal.PrivateKey{"k": *k}, *k}

		printed := make(map[string]bool) // most forms are the same
		var out strings.Builder
		for _, value := range []any{k, *k, &n, n, []seal.PrivateKey{*k}, map[string]*seal.PrivateKey{"k": k}} {
			for _, verb := range "vsdqxXtbcoOUeEfFgGpTw" {
				for _, flags := range []string{"", "+", "#", "-", " ", "0", "+#", "20.10"} {
					printed[fmt.Sprintf("%"+flags+string(verb)+"\n", value)] = true
				}
			}
			fmt.Fprintln(&out, value)
			if b, err := json.Marshal(value); err == nil {
				out.Write(b)
			}
			slog.New(slog.NewTextHandler(&out, nil)).Info("key", "value", value)
			slog.New(slog.NewJSONHandler(&out, nil)).Info("key", "value", value)
		}
		for text := range printed {
			out.WriteString(text)
		}
		leaks(t, s.String(), out.String(), k.Bytes())
		if !strings.Contains(fmt.Sprint(k, *k), "REDACTED REDACTED") {
			t.Errorf("%v: a key prints as %v and %v", s, k, *k)
		}
		if b, err := json.Marshal([]any{k, *k}); err != nil || string(b) != `["REDACTED","REDACTED"]` {
			t.Errorf("%v: a key as JSON is %s, error %v", s, b, err)
		}
	}
}

// leaks fails if out has a run of 4 bytes of secret, in any usual notation.
func leaks(t *testing.T, name, out string, secret []byte) {
	t.Helper()
	lower := strings.ToLower(out)
	for i := 0; i+4 <= len(secret); i++ {
		part := secret[i : i+4]
		goSyntax := fmt.Sprintf("%#v", part)
		if strings.Contains(out, string(part)) {
			t.Fatalf("%s: bytes %d to %d of the key are printed", name, i, i+4)
		}
		for _, notation := range []string{
			fmt.Sprintf("%x", part),
			fmt.Sprintf("% x", part),
			strings.Trim(fmt.Sprint(part), "[]"),
			goSyntax[len("[]byte{") : len(goSyntax)-1],
			fmt.Sprintf("%o", part)[1:10],
		} {
			if strings.Contains(lower, strings.ToLower(notation)) {
				t.Fatalf("%s: bytes %d to %d of the key are printed, as %q", name, i, i+4, notation)
			}
		}
	}
}
