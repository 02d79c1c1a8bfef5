package config_test

import (
	"bytes"
	"encoding/base64"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"candor/aggregator/sealstore"
	"candor/cmd/candor/internal/config"
	"candor/schema/round"
)

// load reads the configuration of a server.
func load(t *testing.T, path string) *config.Aggregator {
	t.Helper()
	a, err := config.LoadAggregator(path)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// replace changes a part of a file.
func replace(t *testing.T, path, old, new string) {
	t.Helper()
	text := read(t, path)
	if !strings.Contains(text, old) {
		t.Fatalf("%s has no %q", path, old)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(text, old, new, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
}

// check reads everything that a configuration names, and returns the warnings in one text.
func check(t *testing.T, path string) string {
	t.Helper()
	warnings, err := config.Check(t.Context(), "helper", path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(warnings, "\n")
}

// What init makes is sealed; what comes from others is when SealKeys was called; with another store key it is sealed under that; and copies in the clear can be had.
func TestSealKeys(t *testing.T) {
	path := newServer(t, "helper")
	dir := filepath.Dir(path)
	identity, err := load(t, path).LoadIdentity(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := check(t, path)
	for _, name := range []string{"pair.secret is in the clear", "peer.token is in the clear", "store.key lies beside"} {
		if !strings.Contains(got, name) {
			t.Errorf("warnings\n%s\ndo not say %q", got, name)
		}
	}
	if n := strings.Count(got, "\n"); n != 2 {
		t.Errorf("%d warnings:\n%s", n+1, got)
	}
	pair := read(t, filepath.Join(dir, "pair.secret"))
	steps := func(rewrapOnly bool, sealed, rewrapped, unchanged int) {
		t.Helper()
		s, err := load(t, path).SealKeys(t.Context(), rewrapOnly)
		if err != nil || len(s.Sealed) != sealed || len(s.Rewrapped) != rewrapped || len(s.Unchanged) != unchanged {
			t.Errorf("SealKeys: %+v, %v", s, err)
		}
	}
	steps(true, 0, 0, 3)
	steps(false, 2, 0, 3)
	steps(false, 0, 0, 5)
	if got := check(t, path); strings.Contains(got, "in the clear") {
		t.Errorf("warnings\n%s", got)
	}
	for _, name := range []string{"identity.key", "hpke.key", "release.key", "pair.secret", "peer.token"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if text := read(t, filepath.Join(dir, name)); err != nil || info.Mode() != 0o600 || !sealstore.IsKeyFile([]byte(text)) {
			t.Errorf("%s has mode %v: %s", name, info.Mode(), text)
		}
	}

	// Another store key, outside.
	other := filepath.Join(t.TempDir(), "other.key")
	if err := config.WriteSecret(other, config.GenerateToken()); err != nil {
		t.Fatal(err)
	}
	replace(t, path, "store_key: file:store.key", "store_key: file:"+other+"\nstore_key_before: file:store.key")
	steps(true, 0, 5, 0)
	replace(t, path, "store_key_before: file:store.key\n", "")
	if err := os.Remove(filepath.Join(dir, "store.key")); err != nil {
		t.Fatal(err)
	}
	if got := check(t, path); got != "" {
		t.Errorf("warnings\n%s", got)
	}
	if again, err := load(t, path).LoadIdentity(t.Context()); err != nil || again.PublicKey() != identity.PublicKey() {
		t.Errorf("the identity is another one: %v", err)
	}

	safe := filepath.Join(t.TempDir(), "safe")
	copies, err := load(t, path).UnsealKeys(t.Context(), safe)
	if err != nil || len(copies) != 5 || read(t, filepath.Join(safe, "pair.secret")) != pair {
		t.Errorf("copies %v, %v", copies, err)
	}
	if _, err := load(t, path).UnsealKeys(t.Context(), safe); err == nil || !strings.Contains(err.Error(), "file exists") {
		t.Errorf("a second time: %v", err)
	}
}

// A rotated key is sealed, and so is a key that is made for a server.
func TestNewKeysAreSealed(t *testing.T) {
	path := newServer(t, "leader")
	if _, err := config.RotateHPKE(t.Context(), path, "x25519"); err != nil {
		t.Fatal(err)
	}
	if text := read(t, filepath.Join(filepath.Dir(path), "hpke-2.key")); !sealstore.IsKeyFile([]byte(text)) {
		t.Errorf("the new key is in the clear: %s", text)
	}
	if _, err := load(t, path).Keyring(t.Context()); err != nil {
		t.Error(err)
	}
}

// A running server opens files that were sealed under a store key which its configuration names since.
func TestSealedUnderAKeySince(t *testing.T) {
	path := newServer(t, "helper")
	a := load(t, path)
	if _, err := a.Keyring(t.Context()); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(filepath.Dir(path), "store-2.key")
	if err := config.WriteSecret(other, config.GenerateToken()); err != nil {
		t.Fatal(err)
	}
	replace(t, path, "store_key: file:store.key", "store_key: file:store-2.key\nstore_key_before: file:store.key")
	if _, err := load(t, path).SealKeys(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Keyring(t.Context()); err != nil {
		t.Error(err)
	}
}

// What does not open says why and what to do, and is left as it is.
func TestSealedKeysRefuse(t *testing.T) {
	for name, test := range map[string]struct {
		change func(t *testing.T, dir string)
		want   []string
	}{
		"another store key": {func(t *testing.T, dir string) {
			if err := os.WriteFile(filepath.Join(dir, "store.key"), config.GenerateToken(), 0o600); err != nil {
				t.Fatal(err)
			}
		}, []string{"it is sealed under the store key ", "and store_key gives ", "put the key with that ID back as store_key or store_key_before in "}},
		"no store key": {func(t *testing.T, dir string) {
			replace(t, filepath.Join(dir, "helper.yaml"), "file:store.key", "none")
		},
			[]string{"it is sealed under the store key ", "and store_key is none"}},
		"store key gone": {func(t *testing.T, dir string) { _ = os.Remove(filepath.Join(dir, "store.key")) }, []string{"reading store_key", "no such file"}},
		"another name": {func(t *testing.T, dir string) {
			if err := os.Rename(filepath.Join(dir, "hpke.key"), filepath.Join(dir, "new.key")); err != nil {
				t.Fatal(err)
			}
			replace(t, filepath.Join(dir, "helper.yaml"), "file: hpke.key", "file: new.key")
		}, []string{"new.key: it was sealed under the name hpke.key: give it that name again"}},
		"another kind": {func(t *testing.T, dir string) {
			if err := os.Rename(filepath.Join(dir, "release.key"), filepath.Join(dir, "identity.key")); err != nil {
				t.Fatal(err)
			}
		}, []string{"identity.key: it was sealed as a file of kind release, and one of kind identity is needed here"}},
		"altered": {func(t *testing.T, dir string) {
			text := read(t, filepath.Join(dir, "hpke.key"))
			_, at, _ := strings.Cut(text, "ciphertext: ")
			replace(t, filepath.Join(dir, "hpke.key"), at[:8], "AAAAAAAA")
		}, []string{"hpke.key: it does not open as what it is named: it was altered"}},
		"cut off": {func(t *testing.T, dir string) {
			text := read(t, filepath.Join(dir, "hpke.key"))
			replace(t, filepath.Join(dir, "hpke.key"), text[strings.Index(text, "store_key"):], "")
		}, []string{"hpke.key: it is not a whole sealed key file: it was cut off or edited; put its copy back"}},
	} {
		t.Run(name, func(t *testing.T) {
			path := newServer(t, "helper")
			dir := filepath.Dir(path)
			test.change(t, dir)
			before := directory(t, dir)
			_, err := config.Check(t.Context(), "helper", path)
			_, sealErr := load(t, path).SealKeys(t.Context(), false)
			for _, err := range []error{err, sealErr} {
				for _, want := range test.want {
					if name == "no store key" && err == sealErr {
						want = "store_key is none"
					}
					if name == "another store key" && err == sealErr || name == "store key gone" {
						break // the store key is enough to say so, or no file is at fault
					}
					if err == nil || !strings.Contains(err.Error(), want) {
						t.Errorf("error %v, want %q", err, want)
					}
				}
				if err == nil {
					t.Error("no error")
				}
			}
			after := directory(t, dir)
			for _, file := range []string{"hpke.key", "identity.key", "release.key", "new.key"} {
				if !bytes.Equal(before[file], after[file]) {
					t.Errorf("%s was changed", file)
				}
			}
		})
	}
	// A command without a server's configuration does not open what is sealed.
	path := newServer(t, "helper")
	if _, err := config.LoadIdentity(filepath.Join(filepath.Dir(path), "identity.key")); err == nil || !strings.Contains(err.Error(), "only commands that are given that server's configuration open it") {
		t.Errorf("without a configuration: %v", err)
	}
	// What is no key is not sealed, and does not stop the others.
	if err := os.WriteFile(filepath.Join(filepath.Dir(path), "pair.secret"), []byte("no key\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := load(t, path).SealKeys(t.Context(), false)
	if err == nil || !strings.Contains(err.Error(), "pair.secret does not hold one line of 32 bytes") || strings.Contains(err.Error(), "no key") || len(s.Sealed) != 1 {
		t.Errorf("a file that is no key: %+v, %v", s, err)
	}
}

// directory returns the contents of the files in a directory.
func directory(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		files[e.Name()], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// Where init takes the store key from.
func TestInitStoreKey(t *testing.T) {
	there := filepath.Join(t.TempDir(), "there.key")
	if err := config.WriteSecret(there, config.GenerateToken()); err != nil {
		t.Fatal(err)
	}
	key := read(t, there)
	t.Setenv("CANDOR_STORE_KEY", key)
	for source, want := range map[string]string{
		"":                                 "store_key: file:store.key\n",
		"file:" + there:                    "store_key: file:" + there + "\n",
		"file:" + there + ".new":           "store_key: file:" + there + ".new\n",
		"env:CANDOR_STORE_KEY":             "store_key: env:CANDOR_STORE_KEY\n",
		"exec:cat " + there:                "store_key: exec:cat " + there + "\n",
		"exec:sed -n 's/a: x/ # /;p' none": "",
		"none":                             "store_key: none\n",
		"store.key":                        "",
		"env:CANDOR_NOT_SET":               "",
	} {
		dir := filepath.Join(t.TempDir(), "helper")
		_, err := config.InitOperator(t.Context(), config.Operator{Dir: dir, Role: "helper", Name: "Example", Endpoint: "https://example.org/", StoreKey: source})
		if want == "" {
			if _, statErr := os.Stat(filepath.Join(dir, "identity.key")); err == nil || statErr == nil {
				t.Errorf("%s: error %v, and a key was made: %v", source, err, statErr == nil)
			}
			continue
		}
		if err != nil || !strings.Contains(read(t, filepath.Join(dir, "helper.yaml")), "\n"+want) {
			t.Errorf("%s: %v", source, err)
			continue
		}
		text := read(t, filepath.Join(dir, "identity.key"))
		if sealstore.IsKeyFile([]byte(text)) == (source == "none") {
			t.Errorf("%s: the identity key is %s", source, text)
		}
		secret := slices.Collect(strings.Lines(text))
		if b, err := base64.RawURLEncoding.DecodeString(strings.TrimSpace(secret[len(secret)-1])); source != "none" && err == nil {
			t.Errorf("%s: the last line of the identity key is one: %d bytes", source, len(b))
		}
	}
	if read(t, there) != key {
		t.Error("a store key that was there is another one now")
	}
	trust := round.Trust{Secretariat: fingerprint, Leader: fingerprint, Helper: fingerprint}
	dir := filepath.Join(t.TempDir(), "helper")
	_, err := config.InitOperator(t.Context(), config.Operator{Dir: dir, Role: "helper", Name: "Example", Endpoint: "https://example.org/", Listen: "127.0.0.1:0", Private: "127.0.0.1:0", StoreKey: "none"})
	if err == nil {
		err = config.Pin(filepath.Join(dir, "helper.yaml"), trust)
	}
	if err == nil {
		err = config.Pair(dir)
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := check(t, filepath.Join(dir, "helper.yaml")); !strings.HasPrefix(got, "store_key is none") {
		t.Errorf("warnings %q", got)
	}
}
