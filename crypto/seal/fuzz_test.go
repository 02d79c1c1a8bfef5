package seal_test

import (
	"bytes"
	"testing"

	"candor/crypto/seal"
)

// FuzzParsePrivateKey looks for bytes that parse but come back different, or
// make a key that does not work.
func FuzzParsePrivateKey(f *testing.F) {
	for _, s := range suites() {
		_, k, err := seal.GenerateKey(s, bytes.NewReader(bytes.Repeat([]byte{1}, 64)))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(s.KEM, s.KDF, s.AEAD, k.Bytes())
	}
	f.Add(seal.KEMP256, seal.KDFSHA256, seal.AEADAES128GCM, make([]byte, 32))
	f.Fuzz(func(t *testing.T, kem, kdf, aead uint16, b []byte) {
		s := seal.Suite{KEM: kem, KDF: kdf, AEAD: aead}
		k, err := seal.ParsePrivateKey(s, b)
		if err != nil {
			return
		}
		if !bytes.Equal(k.Bytes(), b) {
			t.Fatalf("%v: parsed %d bytes and got others back", s, len(b))
		}
		enc, ciphertext, err := seal.Seal(s, k.PublicKey(), nil, nil, b, nil)
		if err != nil {
			t.Fatalf("%v: sealing to a parsed key: %v", s, err)
		}
		if got, err := k.Open(enc, nil, nil, ciphertext); err != nil || !bytes.Equal(got, b) {
			t.Fatalf("%v: opening with a parsed key: %v", s, err)
		}
	})
}

// FuzzPublicKey looks for keys over which Seal panics, or on which it and
// CheckPublicKey disagree.
func FuzzPublicKey(f *testing.F) {
	for _, s := range suites() {
		publicKey, _, err := seal.GenerateKey(s, bytes.NewReader(bytes.Repeat([]byte{1}, 64)))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(s.KEM, s.KDF, s.AEAD, publicKey)
	}
	f.Add(seal.KEMX25519, seal.KDFSHA256, seal.AEADAES128GCM, make([]byte, 32))
	f.Fuzz(func(t *testing.T, kem, kdf, aead uint16, publicKey []byte) {
		s := seal.Suite{KEM: kem, KDF: kdf, AEAD: aead}
		_, _, err := seal.Seal(s, publicKey, nil, nil, nil, nil)
		if err == nil {
			if err := seal.CheckPublicKey(s, publicKey); err != nil {
				t.Fatalf("sealed to a key that is refused: %v", err)
			}
		}
	})
}

// FuzzOpen looks for messages over which Open panics, or which open though
// nobody sealed them.
func FuzzOpen(f *testing.F) {
	var keys []*seal.PrivateKey
	for i, s := range suites() {
		publicKey, k, err := seal.GenerateKey(s, bytes.NewReader(bytes.Repeat([]byte{2}, 64)))
		if err != nil {
			f.Fatal(err)
		}
		enc, ciphertext, err := seal.Seal(s, publicKey, info, aad, plaintext, bytes.NewReader(bytes.Repeat([]byte{3}, 64)))
		if err != nil {
			f.Fatal(err)
		}
		keys = append(keys, k)
		f.Add(uint8(i), enc, []byte("another info"), ciphertext)
	}
	f.Fuzz(func(t *testing.T, key uint8, enc, info, ciphertext []byte) {
		k := keys[int(key)%len(keys)]
		// No seed has this associated data, so that nothing can open.
		if got, err := k.Open(enc, info, []byte("nobody's"), ciphertext); err != seal.ErrOpen || got != nil {
			t.Fatalf("%v: opened %x, error %v", k.Suite(), got, err)
		}
	})
}
