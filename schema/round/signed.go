package round

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"candor/crypto/sign"
)

// The three who must sign a round before anybody acts on it. The secretariat signs what it proposes; each operator approves.
const (
	BySecretariat = "secretariat"
	ByLeader      = "leader"
	ByHelper      = "helper"
)

// signers in the order in which a file lists them.
var signers = []string{BySecretariat, ByLeader, ByHelper}

// A Signed is a round document with the signatures it has so far. Each is an Ed25519 signature over the label "round", who signs, and
// the document's canonical bytes.
type Signed struct {
	Document   *Document
	Text       []byte // the document's canonical bytes
	signatures map[string][]byte
}

const signLabel = "round"

// NewSigned returns a document without signatures.
func NewSigned(d *Document) (*Signed, error) {
	text, err := d.Encode()
	if err != nil {
		return nil, err
	}
	return &Signed{Document: d, Text: text, signatures: map[string][]byte{}}, nil
}

// Hash returns the SHA-256 of the document's canonical bytes, without making them again.
func (s *Signed) Hash() [32]byte { return sha256.Sum256(s.Text) }

// Tasks derives the tasks of the round, as Document.Tasks does.
func (s *Signed) Tasks() ([]*Task, error) { return s.Document.tasks(s.Hash()) }

// key returns the text form of the key with which by must sign, according to the document itself.
func (s *Signed) key(by string) string {
	switch by {
	case BySecretariat:
		return s.Document.Secretariat
	case ByLeader:
		return s.Document.Leader.Key
	case ByHelper:
		return s.Document.Helper.Key
	}
	return ""
}

// Sign adds or replaces a signature.
func (s *Signed) Sign(by string, key *sign.PrivateKey) error {
	if key.PublicKey().String() != s.key(by) {
		return fmt.Errorf("signing round %s: this is not the key that the document names for the %s", s.Document.ID, by)
	}
	s.signatures[by] = key.Sign(signLabel, []byte(by), s.Text)
	return nil
}

// SignedBy says who signed, in a fixed order, whether or not the signatures are right.
func (s *Signed) SignedBy() (who []string) {
	for _, by := range signers {
		if s.signatures[by] != nil {
			who = append(who, by)
		}
	}
	return who
}

// Trust is what a party has pinned: fingerprints of keys, compared with their owners out of band.
type Trust struct {
	Secretariat sign.Fingerprint `yaml:"secretariat"`
	Leader      sign.Fingerprint `yaml:"leader"`
	Helper      sign.Fingerprint `yaml:"helper"`
}

// Verify checks that the document names the pinned keys and that the parties in by, or all three if there are none, have signed it. Everything that is wrong is in the error.
func (s *Signed) Verify(trust Trust, by ...string) error {
	if len(by) == 0 {
		by = signers
	}
	var problems []error
	for _, pin := range []struct {
		by     string
		pinned sign.Fingerprint
	}{{BySecretariat, trust.Secretariat}, {ByLeader, trust.Leader}, {ByHelper, trust.Helper}} {
		key, err := sign.ParsePublicKey(s.key(pin.by))
		if err != nil {
			problems = append(problems, fmt.Errorf("the key of the %s: %w", pin.by, err))
		} else if key.Fingerprint() != pin.pinned {
			problems = append(problems, fmt.Errorf("the key of the %s has fingerprint %s, but %s is pinned", pin.by, key.Fingerprint(), pin.pinned))
		}
	}
	for _, who := range by {
		key, err := sign.ParsePublicKey(s.key(who))
		switch {
		case err != nil: // said above
		case s.signatures[who] == nil:
			problems = append(problems, fmt.Errorf("the %s has not signed it", who))
		case key.Verify(s.signatures[who], signLabel, []byte(who), s.Text) != nil:
			problems = append(problems, fmt.Errorf("the signature of the %s is not one of this document", who))
		}
	}
	if len(problems) > 0 {
		return fmt.Errorf("round %s is refused: %w", s.Document.ID, errors.Join(problems...))
	}
	return nil
}

type signedFile struct {
	Document   json.RawMessage   `json:"document"`
	Signatures map[string]string `json:"signatures"`
}

// Encode returns the file form: canonical JSON with the document inside, and each signature in base64url.
func (s *Signed) Encode() []byte {
	f := signedFile{Document: s.Text, Signatures: map[string]string{}}
	for by, sig := range s.signatures {
		f.Signatures[by] = base64.RawURLEncoding.EncodeToString(sig)
	}
	text, err := json.Marshal(f)
	if err == nil {
		text, err = Canonicalize(text)
	}
	if err != nil {
		panic("round: internal error: " + err.Error()) // canonical text inside maps of strings
	}
	return append(text, '\n')
}

// ParseSigned reads the file form. It checks no signature: see Verify.
func ParseSigned(text []byte) (*Signed, error) {
	text = bytes.TrimSuffix(text, []byte("\n"))
	if again, err := Canonicalize(text); err != nil || !bytes.Equal(text, again) {
		return nil, errors.New("reading a signed round: it is not canonical JSON (RFC 8785); do not edit or reformat the file")
	}
	var f signedFile
	if err := strictJSON(text, &f); err != nil {
		return nil, fmt.Errorf("reading a signed round: %w", err)
	}
	if f.Signatures == nil {
		return nil, errors.New("reading a signed round: it has no list of signatures")
	}
	d, err := ParseDocument(f.Document)
	if err != nil {
		return nil, err
	}
	s := &Signed{Document: d, Text: f.Document, signatures: map[string][]byte{}}
	for by, sig := range f.Signatures {
		if s.key(by) == "" {
			return nil, fmt.Errorf("reading a signed round: nobody signs as %q", by)
		}
		if s.signatures[by], err = base64.RawURLEncoding.Strict().DecodeString(sig); err != nil {
			return nil, fmt.Errorf("reading a signed round: the signature of the %s is not base64url", by)
		}
	}
	return s, nil
}
