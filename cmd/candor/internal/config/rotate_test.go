package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"candor/cmd/candor/internal/config"
	"candor/schema/round"
)

// newServer makes an aggregator's directory with everything that its configuration names, and returns the configuration's path.
func newServer(t *testing.T, role string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), role)
	if _, err := config.InitOperator(t.Context(), config.Operator{Dir: dir, Role: role, Name: "Example", Endpoint: "https://example.org/", Listen: "127.0.0.1:0", Private: "127.0.0.1:0"}); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, role+".yaml")
	if err := config.Pair(dir); err != nil {
		t.Fatal(err)
	}
	if err := config.Pin(path, round.Trust{Secretariat: fingerprint, Leader: fingerprint, Helper: fingerprint}); err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A rotation adds its lines and changes no other.
func TestRotateHPKE(t *testing.T) {
	path := newServer(t, "helper")
	before := read(t, path)
	r, err := config.RotateHPKE(t.Context(), path, "x-wing")
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Replace(before, "  - file: hpke.key\n", "  - file: hpke-2.key\n  - file: hpke.key\n    withdrawn: true\n", 1)
	if got := read(t, path); got != want {
		t.Errorf("the configuration is now\n%s", got)
	}
	a, err := config.LoadAggregator(path)
	if err != nil {
		t.Fatal(err)
	}
	ring, err := a.Keyring(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if configs := ring.Configs(); len(configs) != 1 || configs[0].ID != 2 || !ring.Has(1) {
		t.Errorf("advertised: %v, the old one is kept: %t", configs, ring.Has(1))
	}
	card, err := round.ParseCard([]byte(read(t, r.Card)))
	if err != nil {
		t.Fatal(err)
	}
	if named, err := round.ParseHPKE(card.HPKE); err != nil || named.ID != 2 || card.Operator != "Example" || card.Endpoint != "https://example.org/" {
		t.Errorf("the card is %+v, %v", card, err)
	}
}

// A list that is not written as expected is left alone, and no key is left behind.
func TestRotateHPKERefusesWhatItCannotEdit(t *testing.T) {
	path := newServer(t, "helper")
	text := strings.Replace(read(t, path), "hpke:\n  - file: hpke.key\n", "hpke: [{file: hpke.key}]\n", 1)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := config.RotateHPKE(t.Context(), path, "x-wing"); err == nil || !strings.Contains(err.Error(), "one `- file: NAME` a line; nothing was changed") {
		t.Errorf("error %v", err)
	}
	if read(t, path) != text {
		t.Error("the file was changed")
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(path), "hpke-2.key")); err == nil {
		t.Error("a key was left behind")
	}
}

// Key IDs are never given twice while a key is named, and comments and other keys in the list survive.
func TestRotateHPKEAgain(t *testing.T) {
	path := newServer(t, "leader")
	text := strings.Replace(read(t, path), "  - file: hpke.key\n", "  # from last year\n  - file: hpke.key # X-Wing\n", 1)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for want := 2; want < 5; want++ {
		r, err := config.RotateHPKE(t.Context(), path, "x25519")
		if err != nil {
			t.Fatal(err)
		}
		if int(r.Config.ID) != want || len(r.Withdrawn) != want-1 {
			t.Errorf("id %d with %d withdrawn, want %d with %d", r.Config.ID, len(r.Withdrawn), want, want-1)
		}
	}
	want := "hpke:\n  # from last year\n  - file: hpke-4.key\n  - file: hpke-3.key\n    withdrawn: true\n  - file: hpke-2.key\n    withdrawn: true\n  - file: hpke.key # X-Wing\n    withdrawn: true\n"
	if got := read(t, path); !strings.Contains(got, want) {
		t.Errorf("the list is now\n%s", got)
	}
}
