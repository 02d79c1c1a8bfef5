package member

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"candor/crypto/sign"
)

// ErrUnapproved says that a submission waits for a second person.
var ErrUnapproved = errors.New("the submission waits for approval")

// An approval is a second person's signature on one draft: the file approvals/ROUND/FINGERPRINT.json.
type approval struct {
	Key       sign.PublicKey `json:"key"`
	Draft     string         `json:"draft"` // digest, hex
	Signature []byte         `json:"signature"`
}

const approvalLabel = "submission approval"

// Digest is a digest of everything that a draft would tell, noise included: figures that differ in one cell have another one.
func (d *Draft) Digest() [32]byte {
	h := sha256.New()
	h.Write([]byte("candor/1 member draft\x00"))
	h.Write(d.Round.Hash[:])
	for i := range d.Parts {
		h.Write([]byte(d.Parts[i].vector()))
	}
	return [32]byte(h.Sum(nil))
}

// Code is the digest in a form that two people can compare.
func (d *Draft) Code() sign.Fingerprint {
	digest := d.Digest()
	return sign.FingerprintOf("draft code", digest[:])
}

// Approve signs a draft with a second person's key, which must be one of the policy's signers and not the member's own, and returns how many more approvals it needs.
// The person who holds the key should have looked at what the draft tells.
func (m *Member) Approve(d *Draft, key *sign.PrivateKey) (missing int, err error) {
	policy := m.cfg.Ledger.Policy()
	public := key.PublicKey()
	switch {
	case policy.Approvals == 0:
		return 0, fmt.Errorf("approving: the member's policy asks for no approvals")
	case public == m.cfg.Key.PublicKey():
		return 0, fmt.Errorf("approving: this is the member's own key; a second person approves with one of its own")
	case !slices.Contains(policy.Signers, public.String()):
		return 0, fmt.Errorf("approving: the key %s is not one of the policy's signers", public.Fingerprint())
	}
	digest := d.Digest()
	text, err := json.Marshal(approval{Key: public, Draft: fmt.Sprintf("%x", digest), Signature: key.Sign(approvalLabel, []byte(m.cfg.ID), digest[:])})
	if err == nil {
		err = writeFile(m.path("approvals", d.Round.Document.ID, string(public.Fingerprint())+".json"), append(text, '\n'))
	}
	if err != nil {
		return 0, fmt.Errorf("keeping the approval: %w", err)
	}
	approved, err := m.approvals(d)
	return max(0, policy.Approvals-approved), err
}

// checkApprovals returns ErrUnapproved unless as many signers approved this very draft as the policy asks for.
func (m *Member) checkApprovals(d *Draft) error {
	if m.cfg.Ledger == nil {
		return errors.New("submitting: no ledger is open")
	}
	needed := m.cfg.Ledger.Policy().Approvals
	if needed == 0 {
		return nil
	}
	approved, err := m.approvals(d)
	if err == nil && approved < needed {
		err = fmt.Errorf("%w: the policy asks for %d beside yours, there are %d of draft %s", ErrUnapproved, needed, approved, d.Code())
	}
	return err
}

// approvals counts the signers who approved a draft.
func (m *Member) approvals(d *Draft) (n int, err error) {
	policy := m.cfg.Ledger.Policy()
	dir := m.path("approvals", d.Round.Document.ID)
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("reading approvals: %w", err)
	}
	digest := d.Digest()
	var who []sign.PublicKey
	for _, e := range entries {
		if filepath.Ext(e.Name()) != ".json" || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		text, err := readFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return 0, fmt.Errorf("reading approvals: %w", err)
		}
		a, err := parseApproval(text)
		if err != nil {
			return 0, fmt.Errorf("reading the approval %s: %w", e.Name(), err)
		}
		if a.Draft != fmt.Sprintf("%x", digest) || slices.Contains(who, a.Key) || a.Key == m.cfg.Key.PublicKey() || !slices.Contains(policy.Signers, a.Key.String()) ||
			a.Key.Verify(a.Signature, approvalLabel, []byte(m.cfg.ID), digest[:]) != nil {
			continue // of another draft, or nobody's
		}
		who = append(who, a.Key)
	}
	return len(who), nil
}

func parseApproval(text []byte) (a approval, err error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	return a, dec.Decode(&a)
}
