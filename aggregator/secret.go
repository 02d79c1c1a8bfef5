package aggregator

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"

	"candor/crypto/prio3"
)

const redacted = "REDACTED"

// A VerifyKey is a VDAF verify key. It prints as REDACTED.
type VerifyKey struct {
	key func() [prio3.VerifyKeySize]byte // a closure, because fmt prints unexported fields but not functions
}

// NewVerifyKey makes a verify key of its 32 bytes.
func NewVerifyKey(b []byte) (VerifyKey, error) {
	if len(b) != prio3.VerifyKeySize {
		return VerifyKey{}, fmt.Errorf("a verify key has %d bytes, not %d", prio3.VerifyKeySize, len(b))
	}
	key := [prio3.VerifyKeySize]byte(b)
	return VerifyKey{func() [prio3.VerifyKeySize]byte { return key }}, nil
}

func (k VerifyKey) bytes() [prio3.VerifyKeySize]byte {
	if k.key == nil {
		panic("aggregator: internal error: use of a zero VerifyKey")
	}
	return k.key()
}

func (VerifyKey) Format(f fmt.State, _ rune)   { fmt.Fprint(f, redacted) }
func (VerifyKey) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// A Token is a shared secret that a caller proves its identity with. It prints as REDACTED. Nobody can present the zero value.
type Token struct {
	token func() string
}

// NewToken makes a token; the empty text makes the zero value.
func NewToken(text string) Token {
	if text == "" {
		return Token{}
	}
	return Token{func() string { return text }}
}

// Empty says whether t is the zero value.
func (t Token) Empty() bool { return t.token == nil }

// Reveal returns the text, for the header of a request.
func (t Token) Reveal() string {
	if t.token == nil {
		return ""
	}
	return t.token()
}

// same compares digests, so that not even the length shows in the time it takes.
func (t Token) same(u Token) bool {
	x, y := sha256.Sum256([]byte(t.Reveal())), sha256.Sum256([]byte(u.Reveal()))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

func (Token) Format(f fmt.State, _ rune)   { fmt.Fprint(f, redacted) }
func (Token) MarshalText() ([]byte, error) { return []byte(redacted), nil }
