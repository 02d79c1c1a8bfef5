// Package sign makes and verifies Ed25519 signatures (RFC 8032) over labelled
// statements: a label that says what kind of statement it is, and parts, each
// behind its length. Hence no signature can be used for a statement of another
// kind, nor with the bytes divided differently among the parts.
//
// It does no I/O. All functions and methods are safe for concurrent use.
package sign

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

const (
	// SignatureSize is the length of a signature in bytes.
	SignatureSize = ed25519.SignatureSize
	// PrivateKeySize is the length of [PrivateKey.Bytes].
	PrivateKeySize = ed25519.SeedSize
)

// ErrInvalid is returned for every signature that is not the key's on just this
// statement.
var ErrInvalid = errors.New("signature is invalid")

// domain begins every statement, so that a key that is also used elsewhere
// signs nothing for us there.
const domain = "candor/1"

// statement returns the bytes that are signed: domain, label and parts, each
// behind its length as 32 bits, big-endian.
func statement(label string, parts [][]byte) []byte {
	if label == "" {
		panic("sign: internal error: a statement without a label")
	}
	size := 4 + len(domain) + 4 + len(label)
	for _, part := range parts {
		size += 4 + len(part)
	}
	b := make([]byte, 0, size)
	b = appendPart(b, []byte(domain))
	b = appendPart(b, []byte(label))
	for _, part := range parts {
		b = appendPart(b, part)
	}
	return b
}

func appendPart(b, part []byte) []byte {
	if uint64(len(part)) > math.MaxUint32 {
		panic("sign: internal error: a part over 4 GiB")
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(part)))
	return append(b, part...)
}

// Verify returns nil if signature is p's on the statement, else [ErrInvalid].
func (p PublicKey) Verify(signature []byte, label string, parts ...[]byte) error {
	if !ed25519.Verify(p[:], statement(label, parts), signature) {
		return ErrInvalid
	}
	return nil
}

// A PrivateKey signs. Printed or marshalled as text, it says REDACTED; Bytes is
// the one way out. The zero value is of no use.
type PrivateKey struct {
	public PublicKey
	// secret returns the key. It is a function because package fmt, which skips
	// the methods of unexported fields, prints all other kinds of field.
	secret func() ed25519.PrivateKey
}

// GenerateKey makes a key. A nil random means crypto/rand; anything else is for
// tests, and makes the key a function of the 32 bytes it yields.
func GenerateKey(random io.Reader) (*PrivateKey, error) {
	if random == nil {
		random = rand.Reader
	}
	seed := make([]byte, PrivateKeySize)
	if _, err := io.ReadFull(random, seed); err != nil {
		return nil, fmt.Errorf("generating a signature key: %w", err)
	}
	return ParsePrivateKey(seed)
}

// ParsePrivateKey is the inverse of [PrivateKey.Bytes].
func ParsePrivateKey(b []byte) (*PrivateKey, error) {
	if len(b) != PrivateKeySize {
		return nil, fmt.Errorf("parsing a signature key: %d bytes, want %d", len(b), PrivateKeySize)
	}
	key := ed25519.NewKeyFromSeed(b)
	return &PrivateKey{PublicKey(key.Public().(ed25519.PublicKey)), func() ed25519.PrivateKey { return key }}, nil
}

// Bytes returns the key itself, for key files only.
func (k *PrivateKey) Bytes() []byte { return k.secret().Seed() }

// PublicKey returns the key that verifies what k signs.
func (k *PrivateKey) PublicKey() PublicKey { return k.public }

// Sign returns k's signature on the statement, the same each time. The label is
// a constant of the program and must not be empty.
func (k *PrivateKey) Sign(label string, parts ...[]byte) []byte {
	return ed25519.Sign(k.secret(), statement(label, parts))
}

// Format prints REDACTED for every verb.
func (PrivateKey) Format(s fmt.State, verb rune) { io.WriteString(s, redacted) }

// MarshalText returns REDACTED, for encoders such as JSON and slog.
func (PrivateKey) MarshalText() ([]byte, error) { return []byte(redacted), nil }

const redacted = "REDACTED"
