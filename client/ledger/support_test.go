package ledger_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"candor/client/ledger"
	"candor/schema/round"
	"candor/schema/round/roundtest"
)

// A clock is the tests' time.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

// within is a moment in the window of the tests' rounds.
var within = roundtest.Opens.Add(10 * time.Minute)

// policy is a small one: ε of 4 for each unit, one correction.
const policy = `
format: candor-policy/1
minimum_groups: 10
corrections: 1
budgets:
  - {unit: item, per_round: "1", total: "4", span: population, delta: "0"}
  - {unit: account, per_round: "1", total: "4", span: year, delta: "1/1000"}
  - {unit: answer, per_round: "2", total: "4", span: year, delta: "0"}
signers: []
signatures: 0
`

func newConfig(t *testing.T) (ledger.Config, *clock) {
	c := &clock{within}
	return ledger.Config{Path: filepath.Join(t.TempDir(), "ledger"), Now: c.now}, c
}

func create(t *testing.T, cfg ledger.Config) *ledger.Ledger {
	t.Helper()
	l, err := ledger.Create(cfg, "m1", []byte(policy))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func reopen(t *testing.T, l *ledger.Ledger, cfg ledger.Config) *ledger.Ledger {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l, err := ledger.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// document is a round that passes its own check, with one counts part of four cells.
func document(t testing.TB, change ...func(*round.Document)) *round.Document {
	t.Helper()
	d := roundtest.New(t, 12, 4).Document
	for _, c := range change {
		c(d)
	}
	return d
}

func claim(d *round.Document, values ...uint64) ledger.Claim {
	return ledger.Claim{Document: d, Part: &d.Parts[0], Values: values}
}

func charge(t *testing.T, l *ledger.Ledger, claims ...ledger.Claim) []ledger.Grant {
	t.Helper()
	g, err := l.Charge(claims...)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// refused checks that claims are refused for a reason with all the given words, and that nothing was charged.
func refused(t *testing.T, l *ledger.Ledger, claims []ledger.Claim, words ...string) {
	t.Helper()
	before := len(l.Entries())
	_, err := l.Charge(claims...)
	var r *ledger.Refusal
	if !errors.As(err, &r) {
		t.Errorf("error %v, want a refusal with %q", err, words)
		return
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%q is not in the refusal:\n%v", w, err)
		}
	}
	if len(l.Entries()) != before {
		t.Error("a refusal left entries")
	}
}

func send(t *testing.T, l *ledger.Ledger, g ...ledger.Grant) []uint64 {
	t.Helper()
	c, err := l.Send(g...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// spent is the Σε of the only account there is.
func spent(t *testing.T, l *ledger.Ledger) string {
	t.Helper()
	b := l.Balances()
	switch len(b) {
	case 0:
		return "0"
	case 1:
		reserved := "0"
		if b[0].Reserved.Epsilon != nil {
			reserved = b[0].Reserved.Epsilon.RatString()
		}
		return b[0].Spent.Epsilon.RatString() + "+" + reserved
	}
	return fmt.Sprint(len(b), " accounts")
}

func equal(t *testing.T, what string, got, want []uint64) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}
