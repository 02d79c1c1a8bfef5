package member_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"candor/client/member"
	"candor/crypto/sign"
	"candor/schema/round"
	"candor/schema/round/roundtest"
)

// amended signs an amendment as all three parties, or as the secretariat alone.
func (w *world) amended(a *round.SignedAmendment, err error, all bool) *round.SignedAmendment {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
	keys := map[string]*sign.PrivateKey{round.BySecretariat: w.secretariat}
	if all {
		keys[round.ByLeader], keys[round.ByHelper] = w.leaderKey, w.helperKey
	}
	for who, key := range keys {
		if err := a.Sign(w.signed, who, key); err != nil {
			w.t.Fatal(err)
		}
	}
	return a
}

func TestAmendments(t *testing.T) {
	w := newWorld(t, 10, small)
	m, r := w.open(w.members[0])
	d := w.signed.Document
	later := d.Window.Closes.Add(time.Hour)
	extended, err := round.NewExtension(d, later, "a test")
	longer := w.amended(extended, err, true)
	if r.Closes != d.Window.Closes {
		t.Errorf("without an amendment the window closes at %s", r.Closes)
	}
	if r, err := m.Open(w.signed.Encode(), catalogue, longer); err != nil || !r.Closes.Equal(later) {
		t.Errorf("extended, the window closes at %v, %v; want %s", r, err, later)
	}
	alone, err := round.NewExtension(d, later, "a test")
	if _, err := m.Open(w.signed.Encode(), catalogue, w.amended(alone, err, false)); err == nil || !strings.Contains(err.Error(), "signature of the leader") {
		t.Errorf("an amendment that only the secretariat signed: %v", err)
	}
	cancelled, err := round.NewCancellation(d, "a wrong member")
	if _, err := m.Open(w.signed.Encode(), catalogue, w.amended(cancelled, err, true)); !errors.Is(err, member.ErrClosed) || !strings.Contains(err.Error(), "a wrong member") {
		t.Errorf("a cancelled round: %v", err)
	}
	replaced, err := round.NewKeyReplacement(d, "m1", roundtest.NewKey(t).PublicKey(), "stolen laptop")
	if _, err := m.Open(w.signed.Encode(), catalogue, w.amended(replaced, err, true)); !errors.Is(err, member.ErrNotMe) {
		t.Errorf("an amendment gives this member another key: %v", err)
	}
	other, err := round.NewKeyReplacement(d, "m2", roundtest.NewKey(t).PublicKey(), "stolen laptop")
	if _, err := m.Open(w.signed.Encode(), catalogue, w.amended(other, err, true)); err != nil {
		t.Errorf("an amendment gives another member a new key: %v", err)
	}
}
