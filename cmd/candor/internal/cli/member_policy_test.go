package cli

import (
	"os"
	"strings"
	"testing"

	"candor/client/ledger"
)

// The page for counsel and the help of `candor member policy` say what the shipped policy allows.
func TestShippedTotalsAreExplained(t *testing.T) {
	policy, err := ledger.ParsePolicy(ledger.ShippedPolicy())
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../../../docs/for-counsel.md")
	if err != nil {
		t.Fatal(err)
	}
	help := newMemberPolicyCmd().Long
	for _, b := range policy.Budgets {
		total := b.Total
		row := ""
		for line := range strings.Lines(string(page)) {
			if strings.HasPrefix(line, "| ") && strings.Contains(line, b.Unit) && strings.Contains(line, " | ε = ") {
				row = line
			}
		}
		if !strings.Contains(row, "| ε = "+b.PerRound+" | "+total+" |") {
			t.Errorf("docs/for-counsel.md says of one %s: %q; the policy allows %s per round and %s in all", b.Unit, row, b.PerRound, total)
		}
		if !strings.Contains(help, total) {
			t.Errorf("the help does not say that %s are allowed for one %s", total, b.Unit)
		}
	}
}
