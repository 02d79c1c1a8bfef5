package config_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"candor/cmd/candor/internal/config"
)

// The same key comes from a file, the environment and a command; what does not give one says why, and never what it gave.
func TestStoreKeySources(t *testing.T) {
	dir := t.TempDir()
	key := config.GenerateToken()
	path := filepath.Join(dir, "store.key")
	bad := filepath.Join(dir, "bad.key")
	if err := os.WriteFile(bad, []byte("c2VjcmV0LXRoYXQtaXMtdG9vLXNob3J0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := config.WriteSecret(path, key); err != nil {
		t.Fatal(err)
	}
	want, err := config.LoadStoreKey(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("CANDOR_STORE_KEY", strings.TrimSpace(string(key)))
	t.Setenv("CANDOR_BAD_KEY", "c2VjcmV0")
	for source, problem := range map[string]string{
		"file:" + path:             "",
		"env:CANDOR_STORE_KEY":     "",
		"exec:cat " + path:         "",
		"file:" + path + ".gone":   "no such file",
		"file:" + bad:              "does not hold one line of 32 bytes",
		"env:CANDOR_NOT_SET":       "the environment variable CANDOR_NOT_SET is not set",
		"env:CANDOR_BAD_KEY":       "does not give one line of 32 bytes",
		"exec:cat " + bad:          "does not give one line of 32 bytes",
		"exec:cat " + path + "x":   "running cat: exit status 1: cat: ",
		"exec:/no/such/command":    "running /no/such/command: ",
		"exec:echo two words here": "does not give one line of 32 bytes",
	} {
		a := config.Aggregator{StoreKey: source}
		keys, err := a.StoreKeys(context.Background())
		if problem == "" {
			if err != nil || len(keys) != 1 || keys[0].ID() != want.ID() {
				t.Errorf("%s: keys %v, %v; want %v", source, keys, err, want)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), problem) || strings.Contains(err.Error(), "c2VjcmV0") || strings.Contains(err.Error(), "two words here:") {
			t.Errorf("%s: error %v, want one that says %q and no secret", source, err, problem)
		}
	}
	both := config.Aggregator{StoreKey: "file:" + path, StoreKeyBefore: "env:CANDOR_STORE_KEY"}
	if keys, err := both.StoreKeys(t.Context()); err != nil || len(keys) != 2 {
		t.Errorf("with the one before: %v, %v", keys, err)
	}
	if keys, err := (&config.Aggregator{StoreKey: config.NoStoreKey}).StoreKeys(t.Context()); err != nil || len(keys) != 0 {
		t.Errorf("none: %v, %v", keys, err)
	}
}

// What the file of a configuration may say.
func TestStoreKeyForms(t *testing.T) {
	text := strings.ReplaceAll(config.Example("leader"), "00000-00000-00000-00000-00000", fingerprint)
	for line, problem := range map[string]string{
		"store_key: file:store.key":                              "",
		"store_key: none":                                        "",
		"store_key: exec:kms decrypt blob":                       "",
		"store_key: file:store-2.key\nstore_key_before: env:OLD": "",
		"":                     "store_key: is required",
		"store_key: store.key": "store_key: is neither file:PATH",
		"store_key: 'file:'":   "store_key: names nothing behind file:",
		"store_key: env:A\nstore_key_before: none":   "store_key_before: cannot be none",
		"store_key: env:A\nstore_key_before: secret": "store_key_before: is neither file:PATH",
	} {
		a, err := config.ParseAggregator("dir/leader.yaml", []byte(strings.Replace(text, "store_key: file:store.key", line, 1)))
		if problem == "" && (err != nil || strings.HasPrefix(a.StoreKey, "file:") && !strings.HasPrefix(a.StoreKey, "file:dir/")) {
			t.Errorf("%q: %v, %v", line, a, err)
		}
		if problem != "" && (err == nil || !strings.Contains(err.Error(), problem)) {
			t.Errorf("%q: error %v, want %q", line, err, problem)
		}
	}
}
