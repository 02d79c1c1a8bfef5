package round

import (
	"encoding/base64"
	"encoding/json"
	"fmt"

	"candor/crypto/sign"
)

// An Enrolment is what a member gives the secretariat to be put on the roster: one line of canonical JSON, public, signed with the key
// it names, so that nobody enrols a key that they do not hold.
type Enrolment struct {
	Member
	Signature string `json:"signature"`
}

const enrolLabel = "enrolment"

// Enrol makes the enrolment of a member; m.Key is set to the key's public half.
func Enrol(m Member, key *sign.PrivateKey) Enrolment {
	m.Key = key.PublicKey().String()
	sig := key.Sign(enrolLabel, []byte(m.ID), []byte(m.Name), []byte(m.Group))
	return Enrolment{m, base64.RawURLEncoding.EncodeToString(sig)}
}

// Line returns the enrolment as one line.
func (e Enrolment) Line() (string, error) { return canonicalLine(e) }

// ParseEnrolment reads and verifies an enrolment.
func ParseEnrolment(line []byte) (Member, error) {
	var e Enrolment
	if err := parseCanonical(line, &e); err != nil {
		return Member{}, fmt.Errorf("reading an enrolment: %w", err)
	}
	if err := verifyText(e.Key, e.Signature, enrolLabel, e.ID, e.Name, e.Group); err != nil {
		return Member{}, fmt.Errorf("reading the enrolment of %s: %w", e.ID, err)
	}
	return e.Member, nil
}

// A Card is what an operator gives the secretariat for a round: who answers for which server, where it is, and its keys. It is public, and signed with the
// identity key it names.
type Card struct {
	Role string `json:"role"` // "leader" or "helper"
	Aggregator
	Signature string `json:"signature"`
}

const cardLabel = "operator card"

// NewCard makes an operator's card; a.Key is set to the key's public half.
func NewCard(role string, a Aggregator, key *sign.PrivateKey) Card {
	a.Key = key.PublicKey().String()
	sig := key.Sign(cardLabel, []byte(role), []byte(a.Operator), []byte(a.Endpoint), []byte(a.HPKE))
	return Card{role, a, base64.RawURLEncoding.EncodeToString(sig)}
}

// Line returns the card as one line.
func (c Card) Line() (string, error) { return canonicalLine(c) }

// ParseCard reads and verifies an operator's card.
func ParseCard(line []byte) (Card, error) {
	var c Card
	if err := parseCanonical(line, &c); err != nil {
		return Card{}, fmt.Errorf("reading an operator's card: %w", err)
	}
	if c.Role != ByLeader && c.Role != ByHelper {
		return Card{}, fmt.Errorf("reading an operator's card: its role is %q, neither leader nor helper", c.Role)
	}
	if err := verifyText(c.Key, c.Signature, cardLabel, c.Role, c.Operator, c.Endpoint, c.HPKE); err != nil {
		return Card{}, fmt.Errorf("reading the card of %s: %w", c.Operator, err)
	}
	return c, nil
}

func canonicalLine(v any) (string, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return "", err
	}
	text, err = Canonicalize(text)
	return string(text), err
}

// parseCanonical reads one line of canonical JSON, with or without its line end, all members known.
func parseCanonical(line []byte, v any) error {
	line = trimLine(line)
	again, err := Canonicalize(line)
	if err != nil {
		return err
	}
	if string(again) != string(line) {
		return fmt.Errorf("it is not one line as it was printed; do not edit or reformat it")
	}
	return strictJSON(line, v)
}

func verifyText(key, signature, label string, parts ...string) error {
	public, err := sign.ParsePublicKey(key)
	if err != nil {
		return err
	}
	sig, err := base64.RawURLEncoding.Strict().DecodeString(signature)
	if err != nil {
		return fmt.Errorf("the signature is not base64url")
	}
	raw := make([][]byte, len(parts))
	for i, p := range parts {
		raw[i] = []byte(p)
	}
	if public.Verify(sig, label, raw...) != nil {
		return fmt.Errorf("the signature is not of the key that it names: somebody changed it, or does not hold the key")
	}
	return nil
}
