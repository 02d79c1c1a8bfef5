package config_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"candor/aggregator/sealstore"
	"candor/cmd/candor/internal/config"
)

// Key files are read or refused, and no error quotes one: what is not quite a key may still be most of a secret.
func FuzzKeyFiles(f *testing.F) {
	for _, suite := range []string{"x25519", "x-wing", "p-256"} {
		text, _, err := config.GenerateHPKE(suite, 7)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
		f.Add(bytes.Replace(text, []byte("private_key: "), []byte("private_key: A"), 1))
	}
	f.Add([]byte("suite: GRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRk\n")) // a key in the wrong line
	identity, err := config.GenerateIdentity()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(identity)
	f.Add(config.GenerateToken())
	sealed, err := sealstore.NewWrappingKey([32]byte{1}).SealFile("token", "key", config.GenerateToken())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sealed.Encode())
	path := filepath.Join(f.TempDir(), "key")
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		hpke, private, hpkeErr := config.LoadHPKE(path)
		if hpkeErr == nil && !bytes.Equal(hpke.PublicKey, private.PublicKey()) {
			t.Error("the configuration is not that of the key")
		}
		identity, identityErr := config.LoadIdentity(path)
		if identityErr == nil {
			if err := os.WriteFile(path, config.EncodeIdentity(identity), 0o600); err != nil {
				t.Fatal(err)
			}
			if again, err := config.LoadIdentity(path); err != nil || again.PublicKey() != identity.PublicKey() {
				t.Errorf("an identity key that was written again is another one: %v", err)
			}
		}
		public, _ := sealstore.ParseKeyFile(text) // no key file has no ID
		_, tokenErr := config.LoadToken(path)
		_, pairErr := (&config.Aggregator{PairSecret: path}).LoadPairSecret(t.Context())
		for _, err := range []error{hpkeErr, identityErr, tokenErr, pairErr} {
			for word := range strings.FieldsSeq(string(text)) {
				if len(word) >= 16 && word != public.StoreKey && err != nil && strings.Contains(err.Error(), word) && !strings.Contains(path, word) {
					t.Errorf("an error quotes the file: %v", err)
				}
			}
		}
	})
}

// The files that people write are read or refused by form alone.
func FuzzParseFiles(f *testing.F) {
	for _, kind := range []string{"member", "round", "task"} {
		f.Add(kind, []byte(config.Example(kind)))
	}
	f.Fuzz(func(_ *testing.T, kind string, text []byte) {
		switch kind {
		case "member", "round", "task":
			_ = config.ParseText(kind, "x.yaml", text) // returns
		}
	})
}
