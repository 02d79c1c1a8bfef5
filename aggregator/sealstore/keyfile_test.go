package sealstore_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"reflect"
	"strings"
	"testing"

	"candor/aggregator/sealstore"
)

// sealFile seals a secret and returns the text of its file.
func sealFile(t testing.TB, kind, name string, secret []byte) []byte {
	t.Helper()
	f, err := wrapping.SealFile(kind, name, secret)
	if err != nil {
		t.Fatal(err)
	}
	return f.Encode()
}

// A key file says what it is, opens as that and as nothing else, and holds nothing of the secret.
func TestKeyFile(t *testing.T) {
	want := secret("key file")
	text := sealFile(t, "hpke", "hpke.key", want)
	for _, form := range []string{string(want[:8]), hex.EncodeToString(want)[:12], base64.RawURLEncoding.EncodeToString(want)[:12]} {
		if strings.Contains(string(text), form) {
			t.Errorf("the file holds %q", form)
		}
	}
	if !sealstore.IsKeyFile(text) || sealstore.IsKeyFile([]byte("# a comment\nid: 1\n")) || sealstore.IsKeyFile(nil) {
		t.Error("IsKeyFile does not tell them apart")
	}
	f, err := sealstore.ParseKeyFile(text)
	if err != nil {
		t.Fatal(err)
	}
	if f.Kind != "hpke" || f.Name != "hpke.key" || f.StoreKey != wrapping.ID() {
		t.Errorf("the file says it is %s %s under %s", f.Kind, f.Name, f.StoreKey)
	}
	if got, err := wrapping.OpenFile(f, "hpke", "hpke.key"); err != nil || !bytes.Equal(got, want) {
		t.Errorf("opened: %x, %v", got, err)
	}
	other := sealstore.NewWrappingKey([32]byte{9})
	for what, open := range map[string]func() ([]byte, error){
		"another kind": func() ([]byte, error) { return wrapping.OpenFile(f, "identity", "hpke.key") },
		"another name": func() ([]byte, error) { return wrapping.OpenFile(f, "hpke", "hpke-2.key") },
		"parts moved":  func() ([]byte, error) { return wrapping.OpenFile(f, "hpk", "ehpke.key") },
		"another key":  func() ([]byte, error) { return other.OpenFile(f, "hpke", "hpke.key") },
	} {
		if got, err := open(); !errors.Is(err, sealstore.ErrKeyFileAltered) || got != nil {
			t.Errorf("%s: %x, %v", what, got, err)
		}
	}
	if again := sealFile(t, "hpke", "hpke.key", want); bytes.Equal(again, text) {
		t.Error("sealed twice it is the same: the nonce is not random")
	}
	if _, err := wrapping.SealFile("hpke", "a\nb", want); err == nil {
		t.Error("a name of two lines is taken")
	}
}

// A file that was changed anywhere does not open as what it was.
func TestKeyFileEveryByte(t *testing.T) {
	want := secret("key file")
	text := sealFile(t, "release", "release.key", want)
	start := bytes.Index(text, []byte("sealed_key"))
	for i := start; i < len(text)-1; i++ {
		changed := bytes.Clone(text)
		changed[i] ^= 1
		f, err := sealstore.ParseKeyFile(changed)
		if err != nil {
			continue
		}
		if f.Kind != "release" || f.Name != "release.key" || f.StoreKey != wrapping.ID() {
			continue // whoever reads it sees that it is another file
		}
		if got, err := wrapping.OpenFile(f, f.Kind, f.Name); err == nil {
			t.Errorf("byte %d changed: it opens as %x", i, got)
		}
	}
	for i := start; i < len(text)-2; i++ {
		if f, err := sealstore.ParseKeyFile(text[:i]); err == nil {
			if _, err := wrapping.OpenFile(f, f.Kind, f.Name); err == nil {
				t.Errorf("cut off after %d bytes it opens", i)
			}
		}
	}
}

// What parses says the same when it is written again, and only what was sealed opens.
func FuzzKeyFile(f *testing.F) {
	f.Add(sealFile(f, "hpke", "hpke.key", secret("key file")))
	f.Add(sealFile(f, "token", "peer token.txt", nil))
	f.Add([]byte("sealed_key: hpke\nname: x\nstore_key: 0011223344556677\nciphertext: AAAA\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		file, err := sealstore.ParseKeyFile(text)
		if err != nil {
			if !errors.Is(err, sealstore.ErrNotKeyFile) {
				t.Errorf("error %v", err)
			}
			return
		}
		if !sealstore.IsKeyFile(text) {
			t.Error("it parses and is not told apart")
		}
		again, err := sealstore.ParseKeyFile(file.Encode())
		if err != nil || !reflect.DeepEqual(again, file) {
			t.Errorf("written again it is %+v, %v; was %+v", again, err, file)
		}
		_, _ = wrapping.OpenFile(file, file.Kind, file.Name) // returns
	})
}
