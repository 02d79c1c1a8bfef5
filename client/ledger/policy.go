package ledger

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"math/big"
	"regexp"
	"slices"

	"github.com/goccy/go-yaml"

	"candor/crypto/sign"
)

// PolicyFormat names the form of a policy; a reader refuses every other.
const PolicyFormat = "candor-policy/1"

//go:embed policy.yaml
var shipped []byte

// ShippedPolicy returns the text of the policy that comes with the program: enough for all instruments of the
// standard catalogue, all year, each round corrected once.
func ShippedPolicy() []byte { return bytes.Clone(shipped) }

// A Policy is what the member allows itself to tell. It is the member's own file: no server can change it.
type Policy struct {
	Format        string   `yaml:"format"`
	MinimumGroups uint64   `yaml:"minimum_groups"` // rounds that could release sums of fewer groups are refused
	Corrections   uint64   `yaml:"corrections"`    // changed versions of a vector, after the first, per round and part
	Budgets       []Budget `yaml:"budgets"`        // one for each unit that may be told about at all
	Signers       []string `yaml:"signers"`        // public keys
	Signatures    int      `yaml:"signatures"`     // of signers, needed to replace this policy
	Approvals     int      `yaml:"approvals"`      // of signers, needed for each submission beside whoever submits; 0: nobody's
}

// A Budget bounds what is told about one unit, such as one item or one account.
type Budget struct {
	Unit     string `yaml:"unit"`
	PerRound string `yaml:"per_round"` // ε of one instrument in one round, all its parts together, corrections not counted
	Total    string `yaml:"total"`     // Σε of one population, corrections and reserved corrections counted
	Span     string `yaml:"span"`      // over which Total runs: "population" (for ever) or "year" (of the rounds' periods)
	Delta    string `yaml:"delta"`     // Σδ over the same span; "0" allows pure differential privacy only

	perRound, total, delta *big.Rat
}

// The spans of a Budget.
const (
	SpanPopulation = "population"
	SpanYear       = "year"
)

// rationalText bounds the length of what becomes a big.Rat, and keeps out exponents.
var rationalText = regexp.MustCompile(`^[0-9]{1,18}(/[1-9][0-9]{0,17})?$`)

// ParsePolicy reads a policy. All that is wrong with it is in the error.
func ParsePolicy(text []byte) (Policy, error) {
	var p Policy
	dec := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict(), yaml.DisallowUnknownField())
	if err := dec.Decode(&p); err != nil {
		return Policy{}, fmt.Errorf("reading the policy:\n%s", yaml.FormatError(err, false, true))
	}
	var problems []error
	problem := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	var second any
	if err := dec.Decode(&second); !errors.Is(err, io.EOF) {
		problem("there is more than one document")
	}
	if p.Format != PolicyFormat {
		problem("format is %q, this program reads %q", p.Format, PolicyFormat)
	}
	if p.MinimumGroups < 2 {
		problem("minimum_groups is %d: a sum of fewer than 2 groups is one group's figure", p.MinimumGroups)
	}
	if p.Corrections > 100 {
		problem("corrections is %d, more than 100", p.Corrections)
	}
	units := map[string]bool{}
	for i := range p.Budgets {
		b := &p.Budgets[i]
		if b.Unit == "" || units[b.Unit] {
			problem("the unit %q of a budget is empty or there twice", b.Unit)
		}
		units[b.Unit] = true
		if b.Span != SpanPopulation && b.Span != SpanYear {
			problem("the budget of unit %q: span is %q, must be %q or %q", b.Unit, b.Span, SpanPopulation, SpanYear)
		}
		for _, f := range []struct {
			name, text string
			out        **big.Rat
		}{{"per_round", b.PerRound, &b.perRound}, {"total", b.Total, &b.total}, {"delta", b.Delta, &b.delta}} {
			r, ok := new(big.Rat), rationalText.MatchString(f.text)
			if ok {
				_, ok = r.SetString(f.text)
			}
			if !ok {
				problem("the budget of unit %q: %s is %q, not a fraction such as 1/2", b.Unit, f.name, f.text)
			}
			*f.out = r
		}
		if b.delta.Cmp(big.NewRat(1, 100)) > 0 {
			problem("the budget of unit %q: delta is above 1/100", b.Unit)
		}
	}
	for i, s := range p.Signers {
		if _, err := sign.ParsePublicKey(s); err != nil || slices.Contains(p.Signers[:i], s) {
			problem("signer %d is not a public key, or there twice", i+1)
		}
	}
	if p.Signatures < 0 || p.Signatures > len(p.Signers) || len(p.Signers) > 0 && p.Signatures == 0 {
		problem("signatures is %d, with %d signers", p.Signatures, len(p.Signers))
	}
	if p.Approvals < 0 || p.Approvals > len(p.Signers) {
		problem("approvals is %d, with %d signers", p.Approvals, len(p.Signers))
	}
	if len(problems) > 0 {
		return Policy{}, fmt.Errorf("reading the policy: %w", errors.Join(problems...))
	}
	return p, nil
}

// budget returns the budget of a unit, nil if the policy has none.
func (p *Policy) budget(unit string) *Budget {
	for i := range p.Budgets {
		if p.Budgets[i].Unit == unit {
			return &p.Budgets[i]
		}
	}
	return nil
}
