package round_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"candor/crypto/sign"
	"candor/schema/round"
	"candor/schema/round/roundtest"
)

func signAmendment(t *testing.T, c *roundtest.Coalition, s *round.Signed, a *round.SignedAmendment) {
	t.Helper()
	for by, key := range map[string]*sign.PrivateKey{round.BySecretariat: c.Secretariat, round.ByLeader: c.Leader, round.ByHelper: c.Helper} {
		if err := a.Sign(s, by, key); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAmendments(t *testing.T) {
	c := roundtest.New(t, 10, 1)
	s := c.Sign(t)
	later := c.Document.Window.Closes.Add(24 * time.Hour)
	a, err := round.NewExtension(c.Document, later, "three members asked for a day")
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Verify(s, round.BySecretariat); err == nil {
		t.Error("an amendment that nobody signed passes")
	}
	signAmendment(t, c, s, a)
	back, err := round.ParseAmendment(a.Encode())
	if err != nil {
		t.Fatal(err)
	}
	if err := back.Verify(s); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*round.SignedAmendment){
		"another time":   func(a *round.SignedAmendment) { a.Closes = later.Add(time.Hour) },
		"another kind":   func(a *round.SignedAmendment) { a.Kind, a.Closes = round.Cancel, time.Time{} },
		"another reason": func(a *round.SignedAmendment) { a.Reason = "x" },
	} {
		other, err := round.ParseAmendment(a.Encode())
		if err != nil {
			t.Fatal(err)
		}
		change(other)
		if other.Verify(s) == nil {
			t.Errorf("an amendment with %s passes", name)
		}
	}
	other := roundtest.New(t, 10, 1)
	if err := a.Verify(other.Sign(t)); err == nil || !strings.Contains(err.Error(), "hash") {
		t.Errorf("the amendment of another round: %v", err)
	}
	if _, err := round.NewExtension(c.Document, c.Document.Window.Closes, "x"); err == nil {
		t.Error("an extension to the same time was made")
	}
	if _, err := round.NewCancellation(c.Document, ""); err == nil {
		t.Error("a cancellation without a reason was made")
	}
}

func FuzzParseAmendment(f *testing.F) {
	a, err := round.NewCancellation(roundtest.New(f, 10, 1).Document, "a mistake in the roster")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(a.Encode())
	f.Fuzz(func(t *testing.T, text []byte) {
		a, err := round.ParseAmendment(text)
		if err == nil && !bytes.Equal(bytes.TrimRight(text, "\r\n"), bytes.TrimRight(a.Encode(), "\n")) {
			t.Fatalf("%q re-encodes to %q", text, a.Encode())
		}
	})
}
