package seal

import (
	"crypto/rand"
	"encoding"
	"fmt"
	"io"

	"github.com/cloudflare/circl/hpke"
	"github.com/cloudflare/circl/kem"
)

// A PrivateKey opens what was sealed to its public key under its suite. Printed
// or marshalled as text, it says REDACTED; Bytes is the one way out.
type PrivateKey struct {
	suite Suite
	// secret returns the key. It is a function because package fmt, which skips
	// the methods of unexported fields, prints all other kinds of field.
	secret func() kem.PrivateKey
}

// GenerateKey makes a key pair for s. A nil random means crypto/rand; anything
// else is for tests, and makes the result a function of what it yields.
func GenerateKey(s Suite, random io.Reader) (publicKey []byte, privateKey *PrivateKey, err error) {
	if _, err := s.circl(); err != nil {
		return nil, nil, fmt.Errorf("generating a key: %w", err)
	}
	if random == nil {
		random = rand.Reader
	}
	scheme := hpke.KEM(s.KEM).Scheme()
	seed := make([]byte, scheme.SeedSize())
	if _, err := io.ReadFull(random, seed); err != nil {
		return nil, nil, fmt.Errorf("generating a key: %w", err)
	}
	_, sk := scheme.DeriveKeyPair(seed)
	privateKey = newPrivateKey(s, sk)
	return privateKey.PublicKey(), privateKey, nil
}

// ParsePrivateKey is the inverse of [PrivateKey.Bytes].
func ParsePrivateKey(s Suite, b []byte) (*PrivateKey, error) {
	if _, err := s.circl(); err != nil {
		return nil, fmt.Errorf("parsing a private key: %w", err)
	}
	sk, err := hpke.KEM(s.KEM).Scheme().UnmarshalBinaryPrivateKey(b)
	if err != nil {
		return nil, fmt.Errorf("parsing a private key of %d bytes for %v: %v", len(b), s, err)
	}
	return newPrivateKey(s, sk), nil
}

func newPrivateKey(s Suite, sk kem.PrivateKey) *PrivateKey {
	// circl's X25519 key computes its public key on first use, which may be a
	// decapsulation, and keeps it without a lock: hence it is used here once.
	sk.Public()
	return &PrivateKey{s, func() kem.PrivateKey { return sk }}
}

// Suite returns the suite that k is for.
func (k *PrivateKey) Suite() Suite { return k.suite }

// PublicKey returns the key to seal to.
func (k *PrivateKey) PublicKey() []byte { return encoded(k.secret().Public()) }

// Bytes returns the key itself, for key files only.
func (k *PrivateKey) Bytes() []byte { return encoded(k.secret()) }

// encoded returns the bytes of a key, which is never anything but a good one.
func encoded(key encoding.BinaryMarshaler) []byte {
	b, err := key.MarshalBinary()
	if err != nil {
		panic("seal: internal error: encoding a key: " + err.Error())
	}
	return b
}

// Open returns the plaintext that [Seal] was given together with info and aad.
// The error is [ErrOpen] alone.
func (k *PrivateKey) Open(enc, info, aad, ciphertext []byte) ([]byte, error) {
	suite, err := k.suite.circl()
	if err != nil {
		return nil, ErrOpen
	}
	// The library expects the right length of what it decapsulates.
	if len(enc) != hpke.KEM(k.suite.KEM).Scheme().CiphertextSize() {
		return nil, ErrOpen
	}
	receiver, err := suite.NewReceiver(k.secret(), info)
	if err != nil {
		return nil, ErrOpen
	}
	opener, err := receiver.Setup(enc)
	if err != nil {
		return nil, ErrOpen
	}
	plaintext, err := opener.Open(ciphertext, aad)
	if err != nil {
		return nil, ErrOpen
	}
	return plaintext, nil
}

// Format prints REDACTED for every verb.
func (PrivateKey) Format(s fmt.State, verb rune) { io.WriteString(s, redacted) }

// MarshalText returns REDACTED, for encoders such as JSON and slog.
func (PrivateKey) MarshalText() ([]byte, error) { return []byte(redacted), nil }

const redacted = "REDACTED"
