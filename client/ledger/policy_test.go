package ledger_test

import (
	"errors"
	"strings"
	"testing"

	"candor/client/ledger"
	"candor/schema/round"
	"candor/schema/round/roundtest"
)

func TestShippedPolicy(t *testing.T) {
	p, err := ledger.ParsePolicy(ledger.ShippedPolicy())
	if err != nil {
		t.Fatal(err)
	}
	if p.MinimumGroups < round.LeastGroups || p.Corrections != 1 || len(p.Signers) != 0 {
		t.Errorf("%+v", p)
	}
	text := ledger.ShippedPolicy()
	text[0] = 'X'
	if ledger.ShippedPolicy()[0] == 'X' {
		t.Error("the shipped policy can be written to")
	}
}

func TestParsePolicy(t *testing.T) {
	key := roundtest.NewKey(t).PublicKey().String()
	for _, c := range []struct{ name, from, to, word string }{
		{"as it is", "", "", ""},
		{"signers", "signers: []\nsignatures: 0", "signers: [" + key + "]\nsignatures: 1", ""},
		{"unknown key", "corrections: 1", "corections: 1", "corections"},
		{"key twice", "corrections: 1", "corrections: 1\ncorrections: 9", "corrections"},
		{"format", "candor-policy/1", "candor-policy/2", "candor-policy/2"},
		{"groups", "minimum_groups: 10", "minimum_groups: 1", "one group's figure"},
		{"corrections", "corrections: 1", "corrections: 101", "more than 100"},
		{"negative", "corrections: 1", "corrections: -1", "corrections"},
		{"exponent", `total: "4"`, `total: "4e9"`, "not a fraction"},
		{"long", `total: "4"`, `total: "` + strings.Repeat("9", 40) + `"`, "not a fraction"},
		{"zero denominator", `total: "4"`, `total: "4/0"`, "not a fraction"},
		{"negative fraction", `total: "4"`, `total: "-4"`, "not a fraction"},
		{"span", "span: year", "span: decade", "decade"},
		{"delta", `delta: "1/1000"`, `delta: "1/10"`, "above 1/100"},
		{"unit twice", "unit: account", "unit: item", "there twice"},
		{"bad signer", "signers: []\nsignatures: 0", "signers: [x]\nsignatures: 1", "signer 1"},
		{"signer twice", "signers: []\nsignatures: 0", "signers: [" + key + ", " + key + "]\nsignatures: 1", "there twice"},
		{"more signatures than signers", "signatures: 0", "signatures: 1", "signatures is 1, with 0 signers"},
		{"signers without signatures", "signers: []", "signers: [" + key + "]", "signatures is 0, with 1 signers"},
		{"two documents", "signatures: 0", "signatures: 0\n---\nformat: x", "more than one"},
		{"not YAML", "budgets:", "budgets: [", ""},
	} {
		text := strings.Replace(policy, c.from, c.to, 1)
		if c.from != "" && text == policy {
			t.Fatalf("%s changes nothing", c.name)
		}
		_, err := ledger.ParsePolicy([]byte(text))
		if ok := c.name == "as it is" || c.name == "signers"; ok != (err == nil) || err != nil && !strings.Contains(err.Error(), c.word) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	_, err := ledger.ParsePolicy([]byte(strings.NewReplacer("minimum_groups: 10", "minimum_groups: 0", "span: year", "span: month").Replace(policy)))
	if err == nil || !strings.Contains(err.Error(), "minimum_groups") || !strings.Contains(err.Error(), "month") {
		t.Errorf("not all that is wrong is said: %v", err)
	}
}

// A new policy counts for what was told before; one with signers is replaced only with their signatures.
func TestAdoptPolicy(t *testing.T) {
	cfg, _ := newConfig(t)
	l := create(t, cfg)
	d := document(t)
	charge(t, l, claim(d, 1, 2, 3, 4))
	a, b, stranger := roundtest.NewKey(t), roundtest.NewKey(t), roundtest.NewKey(t)
	strict := strings.NewReplacer(`total: "4", span: population`, `total: "1", span: population`, "corrections: 1", "corrections: 0",
		"signers: []", "signers: ["+a.PublicKey().String()+", "+b.PublicKey().String()+"]", "signatures: 0", "signatures: 2").Replace(policy)
	if err := l.AdoptPolicy([]byte("format: x")); err == nil {
		t.Error("nonsense is adopted")
	}
	if err := l.AdoptPolicy([]byte(strict)); err != nil {
		t.Fatal(err)
	}
	other := document(t, func(d *round.Document) { d.Parts[0].Instrument = "other" })
	refused(t, l, []ledger.Claim{claim(other, 1, 2, 3, 4)}, "it would be 2", "allows 1")

	l = reopen(t, l, cfg)
	refused(t, l, []ledger.Claim{claim(other, 1, 2, 3, 4)}, "it would be 2", "allows 1")
	loose := []byte(policy)
	byA, byB := l.SignPolicy(a, loose), l.SignPolicy(b, loose)
	forged := byB
	forged.Signature = byA.Signature
	for name, approvals := range map[string][]ledger.Approval{
		"none":         nil,
		"one":          {byA},
		"one twice":    {byA, byA},
		"a stranger's": {byA, l.SignPolicy(stranger, loose)},
		"forged":       {byA, forged},
		"of another":   {byA, l.SignPolicy(b, []byte(strict))},
	} {
		before := len(l.Entries())
		if err := l.AdoptPolicy(loose, approvals...); err == nil {
			t.Errorf("adopted with %s", name)
		}
		if len(l.Entries()) != before {
			t.Errorf("%s left an entry", name)
		}
	}
	if err := l.AdoptPolicy(loose, byA, byB); err != nil {
		t.Fatal(err)
	}
	if err := l.AdoptPolicy([]byte(strict)); err != nil { // the loose policy asks for no signatures
		t.Fatal(err)
	}
	if err := l.AdoptPolicy(loose, byA, byB); err != nil {
		t.Fatal(err) // the same change again, which they had approved
	}
	charge(t, l, claim(other, 1, 2, 3, 4))
	if l.Policy().Corrections != 1 {
		t.Errorf("%d corrections", l.Policy().Corrections)
	}
	reopen(t, l, cfg)

	cfg2, _ := newConfig(t) // approvals are for one ledger
	l2 := create(t, cfg2)
	if err := l2.AdoptPolicy([]byte(strict)); err != nil {
		t.Fatal(err)
	}
	if err := l2.AdoptPolicy(loose, byA, byB); err == nil {
		t.Error("another ledger's approvals are accepted")
	}
}

func FuzzParsePolicy(f *testing.F) {
	f.Add([]byte(policy))
	f.Add(ledger.ShippedPolicy())
	f.Add([]byte("a: &a [*a]"))
	f.Add([]byte("budgets: [{total: \"1e999999999\"}]"))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := ledger.ParsePolicy(text)
		if err == nil && (p.Format != ledger.PolicyFormat || p.MinimumGroups < 2) {
			t.Fatalf("%+v", p)
		}
		var r *ledger.Refusal
		if errors.As(err, &r) {
			t.Fatal("a refusal from a parser")
		}
	})
}
