// Package seal is hybrid public-key encryption, HPKE (RFC 9180), as one call to
// seal and one to open: base mode, one message for each encapsulation, and an
// associated data that is always given.
//
// It speaks of suites, keys and bytes, and knows nothing of who seals what for
// whom. It does no I/O. All functions and methods are safe for concurrent use.
package seal

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"

	"github.com/cloudflare/circl/hpke"
)

// A Suite is a triple of algorithms by their registered numbers.
type Suite struct {
	KEM, KDF, AEAD uint16
}

// Registered numbers, all combinations of which are supported.
const (
	KEMP256   uint16 = 0x0010 // DHKEM(P-256, HKDF-SHA256)
	KEMX25519 uint16 = 0x0020 // DHKEM(X25519, HKDF-SHA256)
	KEMXWing  uint16 = 0x647a // X-Wing: X25519 and ML-KEM-768

	KDFSHA256 uint16 = 0x0001
	KDFSHA384 uint16 = 0x0002
	KDFSHA512 uint16 = 0x0003

	AEADAES128GCM        uint16 = 0x0001
	AEADAES256GCM        uint16 = 0x0002
	AEADChaCha20Poly1305 uint16 = 0x0003
)

var (
	// XWing keeps what is sealed today from those who record it and wait for a
	// quantum computer.
	XWing = Suite{KEMXWing, KDFSHA256, AEADAES128GCM}
	// X25519 is the suite that everybody supports.
	X25519 = Suite{KEMX25519, KDFSHA256, AEADAES128GCM}
)

// ErrOpen is returned for every message that does not open, whatever is wrong
// with it: to tell the reasons apart would help only a forger.
var ErrOpen = errors.New("sealed message does not open")

// Supported reports whether s can be used.
func Supported(s Suite) bool {
	switch s.KEM {
	case KEMP256, KEMX25519, KEMXWing:
		return s.KDF >= KDFSHA256 && s.KDF <= KDFSHA512 &&
			s.AEAD >= AEADAES128GCM && s.AEAD <= AEADChaCha20Poly1305
	}
	return false
}

func (s Suite) String() string {
	return fmt.Sprintf("HPKE suite %#04x/%#04x/%#04x", s.KEM, s.KDF, s.AEAD)
}

// circl returns s as the library knows it, which panics for suites it does not
// know.
func (s Suite) circl() (hpke.Suite, error) {
	if !Supported(s) {
		return hpke.Suite{}, fmt.Errorf("%v is not supported", s)
	}
	return hpke.NewSuite(hpke.KEM(s.KEM), hpke.KDF(s.KDF), hpke.AEAD(s.AEAD)), nil
}

// CheckPublicKey returns nil if publicKey can be sealed to under s.
func CheckPublicKey(s Suite, publicKey []byte) error {
	if _, err := s.circl(); err != nil {
		return err
	}
	if _, err := hpke.KEM(s.KEM).Scheme().UnmarshalBinaryPublicKey(publicKey); err != nil {
		return fmt.Errorf("public key of %d bytes for %v: %v", len(publicKey), s, err)
	}
	return nil
}

// Seal encrypts plaintext to the holder of publicKey's private key, bound to
// info and aad, neither of which is part of the result. enc is what the
// recipient needs beside the ciphertext; it is new for every message. A nil
// random means crypto/rand; anything else is for tests.
func Seal(s Suite, publicKey, info, aad, plaintext []byte, random io.Reader) (enc, ciphertext []byte, err error) {
	suite, err := s.circl()
	if err != nil {
		return nil, nil, fmt.Errorf("sealing: %w", err)
	}
	pk, err := hpke.KEM(s.KEM).Scheme().UnmarshalBinaryPublicKey(publicKey)
	if err != nil {
		return nil, nil, fmt.Errorf("sealing to a public key of %d bytes for %v: %v", len(publicKey), s, err)
	}
	if random == nil {
		random = rand.Reader
	}
	sender, err := suite.NewSender(pk, info)
	if err != nil {
		return nil, nil, fmt.Errorf("sealing: %v", err)
	}
	enc, sealer, err := sender.Setup(random)
	if err != nil {
		return nil, nil, fmt.Errorf("sealing: %w", err)
	}
	ciphertext, err = sealer.Seal(plaintext, aad)
	if err != nil {
		return nil, nil, fmt.Errorf("sealing: %v", err)
	}
	return enc, ciphertext, nil
}
