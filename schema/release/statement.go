package release

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"candor/crypto/sign"
	"candor/schema/dap"
)

// String is d in lower-case hex.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// MarshalText returns the text form.
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText parses the text form: 64 lower-case hex digits.
func (d *Digest) UnmarshalText(text []byte) error {
	return parseHex(d[:], text, "a digest")
}

// parseHex fills dst from lower-case hex of exactly its length.
func parseHex(dst, text []byte, what string) error {
	b, err := hex.DecodeString(string(text))
	if err != nil || len(b) != len(dst) || hex.EncodeToString(b) != string(text) {
		return fmt.Errorf("%s is %d lower-case hex digits", what, 2*len(dst))
	}
	copy(dst, b)
	return nil
}

// The roles that make statements.
const (
	Leader = "leader"
	Helper = "helper"
)

// A Statement is what an aggregator says, once, about a batch that it gave its aggregate share of. Both
// statements on a batch must agree in everything but Role, Software and Root. (Design, "Statements".)
type Statement struct {
	Role     string     `json:"role"`
	Task     dap.TaskID `json:"task"`
	Round    Digest     `json:"round"`    // SHA-256 of the round document
	Reports  uint64     `json:"reports"`  // aggregated
	Checksum Digest     `json:"checksum"` // of the report IDs, as in DAP
	List     Digest     `json:"list"`     // SHA-256 of the sorted list of member, report and correction
	Noise    string     `json:"noise"`    // what the aggregator added: "none", "dlap:1/1"
	Blanked  []uint32   `json:"blanked"`  // elements replaced by random ones, ascending
	Elements uint32     `json:"elements"` // of the share
	Software string     `json:"software"`
	Root     Digest     `json:"root"` // of the share as released: see Root
}

const statementLabel = "candor/1 statement"

// Check reports, all at once, what no statement says.
func (s Statement) Check() error {
	var errs []error
	add := func(format string, a ...any) {
		errs = append(errs, fmt.Errorf("statement of the "+s.Role+": "+format, a...))
	}
	if s.Role != Leader && s.Role != Helper {
		add("the role is %q", s.Role)
	}
	if s.Reports == 0 || s.Reports > 1<<32 {
		add("%d reports", s.Reports)
	}
	if s.Elements == 0 || s.Elements > MaxLeaves {
		add("%d elements; a share has 1 to %d", s.Elements, MaxLeaves)
	}
	if s.Blanked == nil {
		add("blanked is missing; an empty list says that no element was")
	}
	for i, b := range s.Blanked {
		if b >= s.Elements || i > 0 && b <= s.Blanked[i-1] {
			add("blanked elements are numbers below %d in ascending order", s.Elements)
			break
		}
	}
	for _, text := range [...]struct{ name, text string }{{"noise", s.Noise}, {"software", s.Software}} {
		if text.text == "" {
			add("%s is empty", text.name)
		} else if err := checkName(text.text); err != nil {
			add("%s %q %w", text.name, text.text, err)
		}
	}
	return errors.Join(errs...)
}

// Agree reports where two statements on one batch differ that must not: one is of the Leader, one of the Helper.
func Agree(leader, helper Statement) error {
	var errs []error
	if leader.Role != Leader || helper.Role != Helper {
		errs = append(errs, fmt.Errorf("statements of %s and %s are not one of each aggregator", leader.Role, helper.Role))
	}
	for _, c := range [...]struct {
		field string
		same  bool
	}{
		{"task", leader.Task == helper.Task}, {"round", leader.Round == helper.Round}, {"reports", leader.Reports == helper.Reports},
		{"checksum", leader.Checksum == helper.Checksum}, {"list", leader.List == helper.List}, {"noise", leader.Noise == helper.Noise},
		{"blanked", slices.Equal(leader.Blanked, helper.Blanked)}, {"elements", leader.Elements == helper.Elements},
	} {
		if !c.same {
			errs = append(errs, fmt.Errorf("the statements on task %s differ in %s", leader.Task, c.field))
		}
	}
	return errors.Join(errs...)
}

// A SignedStatement is a statement with its aggregator's signature.
type SignedStatement struct {
	Statement
	Signature Signature `json:"signature"`
}

// A Signature is an Ed25519 signature; its JSON is lower-case hex.
type Signature [sign.SignatureSize]byte

// MarshalText returns the signature in lower-case hex.
func (s Signature) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(s[:])), nil }

// UnmarshalText parses what MarshalText wrote.
func (s *Signature) UnmarshalText(text []byte) error {
	return parseHex(s[:], text, "a signature")
}

// SignStatement signs s with an aggregator's identity key.
func SignStatement(key *sign.PrivateKey, s Statement) (SignedStatement, error) {
	text, err := s.text()
	if err != nil {
		return SignedStatement{}, err
	}
	return SignedStatement{s, Signature(key.Sign(statementLabel, text))}, nil
}

// Verify checks the signature. It does not check whose key it is.
func (s SignedStatement) Verify(key sign.PublicKey) error {
	text, err := s.Statement.text()
	if err != nil {
		return err
	}
	if err := key.Verify(s.Signature[:], statementLabel, text); err != nil {
		return fmt.Errorf("statement of the %s on task %s: %w", s.Role, s.Task, err)
	}
	return nil
}

// text is what is signed: the statement's JSON, its keys in the order of the type, without spaces.
func (s Statement) text() ([]byte, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	return json.Marshal(s)
}

// EncodeStatements returns statements as a JSON array with one statement per line.
func EncodeStatements(statements []SignedStatement) ([]byte, error) {
	var errs []error
	seen := map[string]bool{}
	for _, s := range statements {
		errs = append(errs, s.Check())
		id := s.Role + " " + s.Task.String()
		if seen[id] {
			errs = append(errs, fmt.Errorf("statement of the %s on task %s: appears twice", s.Role, s.Task))
		}
		seen[id] = true
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return encodeLines(statements)
}

// ParseStatements parses what EncodeStatements wrote and nothing else. It verifies no signature.
func ParseStatements(b []byte) ([]SignedStatement, error) {
	return parseLines(b, "statements", EncodeStatements)
}
