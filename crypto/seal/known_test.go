package seal_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"candor/crypto/seal"
)

type hexBytes []byte

func (h *hexBytes) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

// TestKnownAnswers seals and opens the first message of published vectors.
func TestKnownAnswers(t *testing.T) {
	file, err := os.ReadFile("testdata/known.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct {
		Source         string
		KEM, KDF, AEAD uint16
		PrivateKey     hexBytes `json:"private_key"`
		PublicKey      hexBytes `json:"public_key"`
		Ephemeral      hexBytes // what the encapsulation draws
		Info           hexBytes
		AAD            hexBytes
		Plaintext      hexBytes
		Enc            hexBytes
		Ciphertext     hexBytes
	}
	if err := json.Unmarshal(file, &vectors); err != nil {
		t.Fatal(err)
	}
	if len(vectors) < 8 {
		t.Fatalf("%d vectors, want 8", len(vectors))
	}
	for _, v := range vectors {
		suite := seal.Suite{KEM: v.KEM, KDF: v.KDF, AEAD: v.AEAD}
		t.Run(fmt.Sprint(v.Source, " ", suite), func(t *testing.T) {
			enc, ciphertext, err := seal.Seal(suite, v.PublicKey, v.Info, v.AAD, v.Plaintext, bytes.NewReader(v.Ephemeral))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(enc, v.Enc) {
				t.Errorf("enc\n got %x\nwant %x", enc, v.Enc)
			}
			if !bytes.Equal(ciphertext, v.Ciphertext) {
				t.Errorf("ciphertext\n got %x\nwant %x", ciphertext, v.Ciphertext)
			}
			k, err := seal.ParsePrivateKey(suite, v.PrivateKey)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(k.PublicKey(), v.PublicKey) {
				t.Errorf("public key\n got %x\nwant %x", k.PublicKey(), v.PublicKey)
			}
			plaintext, err := k.Open(v.Enc, v.Info, v.AAD, v.Ciphertext)
			if err != nil || !bytes.Equal(plaintext, v.Plaintext) {
				t.Errorf("opened %x, error %v, want %x", plaintext, err, v.Plaintext)
			}
		})
	}
}
