package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"candor/client/ledger"
	"candor/cmd/candor/internal/config"
	"candor/schema/round"
)

func TestMemberDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "m")
	key, err := config.InitMember(dir, "m1", ledger.ShippedPolicy())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := config.InitMember(dir, "m1", ledger.ShippedPolicy()); err == nil {
		t.Error("a key is overwritten")
	}
	if _, err := config.InitMember(dir, "m2", ledger.ShippedPolicy()); err == nil || !strings.Contains(err.Error(), "belongs to member m1") {
		t.Errorf("another member's directory is taken: %v", err)
	}
	m, err := config.LoadMember(dir)
	if err != nil {
		t.Fatal(err)
	}
	if m.ID != "m1" || m.Trust != (round.Trust{}) {
		t.Errorf("the settings are %+v", m)
	}
	pin := key.PublicKey().Fingerprint()
	if err := m.Pin(round.Trust{Secretariat: pin, Helper: pin}); err != nil {
		t.Fatal(err)
	}
	if m, err = config.LoadMember(dir); err != nil || m.Trust != (round.Trust{Secretariat: pin, Helper: pin}) {
		t.Errorf("the pins are %+v, %v", m.Trust, err)
	}
	// The key is lost: another one, and the ledger stays.
	before, err := os.ReadFile(m.Ledger)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(m.Key, m.Key+".old"); err != nil {
		t.Fatal(err)
	}
	second, err := config.InitMember(dir, "m1", ledger.ShippedPolicy())
	if err != nil {
		t.Fatal(err)
	}
	after, err := os.ReadFile(m.Ledger)
	if err != nil || string(before) != string(after) {
		t.Errorf("the ledger changed (%v)", err)
	}
	if second.PublicKey() == key.PublicKey() {
		t.Error("the key is the old one")
	}
	if m, err = config.LoadMember(dir); err != nil || m.Trust.Helper != pin {
		t.Errorf("the pins are gone: %+v, %v", m, err)
	}
	l, err := m.OpenLedger()
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if l.Member() != "m1" {
		t.Errorf("the ledger is that of %s", l.Member())
	}
}

func TestMemberSettingsAreStrict(t *testing.T) {
	dir := t.TempDir()
	for text, want := range map[string]string{
		"id: M1\n":             "is not the id of a member",
		"id: m1\nkeys: x\n":    "unknown field",
		"id: m1\nledger: x\n":  "is required",
		"id: m1\ntrust: [1]\n": "trust",
	} {
		if err := os.WriteFile(filepath.Join(dir, "member.yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := config.LoadMember(dir); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
