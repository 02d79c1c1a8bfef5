package round

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"candor/crypto/sign"
)

// AmendmentFormat names the form of an amendment.
const AmendmentFormat = "candor-amendment/1"

// The kinds of amendment.
const (
	Extend = "extend" // the window closes later
	Cancel = "cancel" // nothing is collected; both aggregators erase what they hold
	// ReplaceKey: a member's key was lost or stolen. Its report under the old key is dropped, and it submits again under the new one.
	ReplaceKey = "replace-key"
)

// An Amendment changes what happens to a round that was signed, and not what its figures mean: the document, its hash and the tasks stay as they are. It needs the
// signatures of all three who signed the round.
type Amendment struct {
	Format string    `json:"format"`
	Round  string    `json:"round"`  // id
	Hash   string    `json:"hash"`   // of the round document, hex
	Kind   string    `json:"kind"`   // Extend, Cancel or ReplaceKey
	Closes time.Time `json:"closes"` // Extend: when the window closes now; else zero
	Member string    `json:"member"` // ReplaceKey: whose key; else empty
	Key    string    `json:"key"`    // ReplaceKey: the new public key; else empty
	Reason string    `json:"reason"` // for people: members are shown it
}

// A SignedAmendment is an amendment with the signatures it has so far: Ed25519 over the label "round amendment", who signs, and its canonical bytes.
type SignedAmendment struct {
	Amendment
	signatures map[string][]byte
}

const amendmentLabel = "round amendment"

// NewExtension returns the amendment by which a round's window closes later.
func NewExtension(d *Document, closes time.Time, reason string) (*SignedAmendment, error) {
	return newAmendment(d, Amendment{Kind: Extend, Closes: closes.UTC(), Reason: reason})
}

// NewCancellation returns the amendment that cancels a round.
func NewCancellation(d *Document, reason string) (*SignedAmendment, error) {
	return newAmendment(d, Amendment{Kind: Cancel, Reason: reason})
}

// NewKeyReplacement returns the amendment that gives a member a new key.
func NewKeyReplacement(d *Document, member string, key sign.PublicKey, reason string) (*SignedAmendment, error) {
	return newAmendment(d, Amendment{Kind: ReplaceKey, Member: member, Key: key.String(), Reason: reason})
}

func newAmendment(d *Document, a Amendment) (*SignedAmendment, error) {
	hash, err := d.Hash()
	if err != nil {
		return nil, err
	}
	a.Format, a.Round, a.Hash = AmendmentFormat, d.ID, fmt.Sprintf("%x", hash)
	return &SignedAmendment{a, map[string][]byte{}}, a.Check(d)
}

// Check returns everything that is wrong with an amendment of a document.
func (a *Amendment) Check(d *Document) error {
	hash, err := d.Hash()
	if err != nil {
		return err
	}
	var problems []error
	if a.Format != AmendmentFormat {
		problems = append(problems, fmt.Errorf("its format is %q, this program reads %q", a.Format, AmendmentFormat))
	}
	if a.Round != d.ID || a.Hash != fmt.Sprintf("%x", hash) {
		problems = append(problems, fmt.Errorf("it is of round %s with hash %.16s…, not of %s with %.16x…", a.Round, a.Hash, d.ID, hash))
	}
	if a.Reason == "" {
		problems = append(problems, errors.New("it gives no reason: members are shown one"))
	}
	switch a.Kind {
	case Extend:
		if !a.Closes.After(d.Window.Closes) || a.Closes.Nanosecond() != 0 {
			problems = append(problems, fmt.Errorf("the window would close at %s, not later than %s, in whole seconds", a.Closes.Format(time.RFC3339), d.Window.Closes.Format(time.RFC3339)))
		}
	case Cancel:
	case ReplaceKey:
		i := slices.IndexFunc(d.Roster, func(m Member) bool { return m.ID == a.Member })
		if _, err := sign.ParsePublicKey(a.Key); i < 0 || err != nil || d.Roster[i].Key == a.Key {
			problems = append(problems, fmt.Errorf("it gives no new key to a member of the roster (member %q)", a.Member))
		}
		if slices.ContainsFunc(d.Roster, func(m Member) bool { return m.Key == a.Key }) {
			problems = append(problems, errors.New("the new key is on the roster already"))
		}
	default:
		problems = append(problems, fmt.Errorf("it is of kind %q, which this program does not know", a.Kind))
	}
	if a.Kind != Extend && !a.Closes.IsZero() || a.Kind != ReplaceKey && a.Member+a.Key != "" {
		problems = append(problems, fmt.Errorf("it says more than its kind %q needs", a.Kind))
	}
	if len(problems) > 0 {
		return fmt.Errorf("amendment of round %s: %w", d.ID, errors.Join(problems...))
	}
	return nil
}

func (a *Amendment) text() []byte {
	text, err := json.Marshal(a)
	if err == nil {
		text, err = Canonicalize(text)
	}
	if err != nil {
		panic("round: internal error: " + err.Error()) // strings and a time
	}
	return text
}

// Sign adds a signature. s is the round that is amended.
func (a *SignedAmendment) Sign(s *Signed, by string, key *sign.PrivateKey) error {
	if key.PublicKey().String() != s.key(by) {
		return fmt.Errorf("signing an amendment of round %s: this is not the key that the document names for the %s", s.Document.ID, by)
	}
	a.signatures[by] = key.Sign(amendmentLabel, []byte(by), a.text())
	return nil
}

// SignedBy says who signed, in a fixed order.
func (a *SignedAmendment) SignedBy() (who []string) {
	for _, by := range signers {
		if a.signatures[by] != nil {
			who = append(who, by)
		}
	}
	return who
}

// Verify checks that the amendment is one of the round and bears the signatures of the parties in by, or of all three if there are none. The round was verified before.
func (a *SignedAmendment) Verify(s *Signed, by ...string) error {
	if err := a.Check(s.Document); err != nil {
		return err
	}
	if len(by) == 0 {
		by = signers
	}
	var problems []error
	for _, who := range by {
		key, err := sign.ParsePublicKey(s.key(who))
		if err != nil || a.signatures[who] == nil || key.Verify(a.signatures[who], amendmentLabel, []byte(who), a.text()) != nil {
			problems = append(problems, fmt.Errorf("it does not bear the signature of the %s", who))
		}
	}
	if len(problems) > 0 {
		return fmt.Errorf("an amendment of round %s is refused: %w", s.Document.ID, errors.Join(problems...))
	}
	return nil
}

type amendmentFile struct {
	Amendment  Amendment         `json:"amendment"`
	Signatures map[string]string `json:"signatures"`
}

// Encode returns the file form: one line of canonical JSON.
func (a *SignedAmendment) Encode() []byte {
	f := amendmentFile{a.Amendment, map[string]string{}}
	for by, sig := range a.signatures {
		f.Signatures[by] = base64.RawURLEncoding.EncodeToString(sig)
	}
	line, err := canonicalLine(f)
	if err != nil {
		panic("round: internal error: " + err.Error())
	}
	return append([]byte(line), '\n')
}

// ParseAmendment reads the file form. It checks no signature: see Verify.
func ParseAmendment(text []byte) (*SignedAmendment, error) {
	var f amendmentFile
	if err := parseCanonical(text, &f); err != nil {
		return nil, fmt.Errorf("reading an amendment: %w", err)
	}
	a := &SignedAmendment{f.Amendment, map[string][]byte{}}
	if f.Signatures == nil || f.Amendment.Format != AmendmentFormat {
		return nil, errors.New("reading an amendment: it is none")
	}
	for by, sig := range f.Signatures {
		var err error
		if a.signatures[by], err = base64.RawURLEncoding.Strict().DecodeString(sig); err != nil {
			return nil, fmt.Errorf("reading an amendment: the signature of the %s is not base64url", by)
		}
	}
	if !bytes.Equal(trimLine(text), trimLine(a.Encode())) {
		return nil, errors.New("reading an amendment: it is not in its one form")
	}
	return a, nil
}

// Describe says in plain words what an amendment does, for whoever is about to sign it.
func (a *SignedAmendment) Describe() string {
	what := "is cancelled: nothing of it is ever collected, and both aggregators erase what they hold."
	switch a.Kind {
	case Extend:
		what = "closes later, at " + a.Closes.Format(time.RFC3339) + "."
	case ReplaceKey:
		what = "has a new key of member " + a.Member + ", " + fingerprint(a.Key) + "; its report under the old key is dropped."
	}
	return fmt.Sprintf("Round %s %s\n  Reason: %s\n  Signed by: %v.\n", a.Round, what, a.Reason, a.SignedBy())
}
