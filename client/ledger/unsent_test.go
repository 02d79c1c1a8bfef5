package ledger_test

import (
	"testing"
)

// A draft that was charged and never sent can be replaced without cost; what was sent cannot.
func TestVoidUnsent(t *testing.T) {
	cfg, _ := newConfig(t)
	l := create(t, cfg)
	d := document(t)
	for i := range uint64(5) { // more drafts than the policy allows corrections
		c := claim(d, i, 0, 0, 0)
		if err := l.VoidUnsent("changed", c); err != nil {
			t.Fatal(err)
		}
		charge(t, l, c)
	}
	if got := spent(t, l); got != "1+1" {
		t.Errorf("after five drafts, spent+reserved is %s, want 1+1", got)
	}
	same := claim(d, 4, 0, 0, 0)
	if err := l.VoidUnsent("changed", same); err != nil {
		t.Fatal(err)
	}
	g := charge(t, l, same)
	if !g[0].Reused {
		t.Error("the draft itself was voided")
	}
	send(t, l, g...)
	other := claim(d, 9, 0, 0, 0)
	if err := l.VoidUnsent("changed", other); err != nil {
		t.Fatal(err)
	}
	charge(t, l, other)
	if got := spent(t, l); got != "2+0" {
		t.Errorf("after one version sent and one draft, spent+reserved is %s, want 2+0", got)
	}
	if err := l.VoidUnsent("changed", claim(d, 10, 0, 0, 0)); err != nil {
		t.Fatal(err)
	}
	l = reopen(t, l, cfg)
	if got := spent(t, l); got != "1+1" {
		t.Errorf("after the draft was voided and the ledger reopened, spent+reserved is %s, want 1+1", got)
	}
}
