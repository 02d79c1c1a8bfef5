package sign

import (
	"crypto/sha256"
	"fmt"
	"strings"
)

// A Fingerprint stands for a public key where people compare: read aloud, on
// paper, in a configuration. It is 125 bits in five groups of five letters and
// digits, such as 6X3KD-0M9QT-HZ72A-WV8CN-R4EBJ. Fingerprints are the same if they
// are equal as strings.
type Fingerprint string

// fingerprintAlphabet is Crockford's base 32, without I, L, O and U.
const fingerprintAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

const (
	fingerprintGroups = 5
	fingerprintGroup  = 5 // characters of 5 bits
)

// Fingerprint returns the fingerprint of p: that of a statement, labelled
// "fingerprint", whose only part is the key.
func (p PublicKey) Fingerprint() Fingerprint { return FingerprintOf("fingerprint", p[:]) }

// FingerprintOf returns the first 125 bits of the SHA-256 of a statement, in the
// form in which people compare. Who could choose the parts of two statements
// needs about 2^62 tries for one fingerprint.
func FingerprintOf(label string, parts ...[]byte) Fingerprint {
	digest := sha256.Sum256(statement(label, parts))
	var text strings.Builder
	for i := range fingerprintGroups * fingerprintGroup {
		if i > 0 && i%fingerprintGroup == 0 {
			text.WriteByte('-')
		}
		// Five bits from bit 5i on lie in at most two bytes.
		two := uint(digest[5*i/8])<<8 | uint(digest[5*i/8+1])
		text.WriteByte(fingerprintAlphabet[two>>(11-5*i%8)&31])
	}
	return Fingerprint(text.String())
}

// ParseFingerprint reads a fingerprint as people write it: in either case, with
// or without dashes and spaces, with O for zero and I or L for one.
func ParseFingerprint(text string) (Fingerprint, error) {
	var parsed strings.Builder
	n := 0
	for _, c := range strings.ToUpper(text) {
		switch c {
		case '-', ' ':
			continue
		case 'O':
			c = '0'
		case 'I', 'L':
			c = '1'
		}
		if !strings.ContainsRune(fingerprintAlphabet, c) {
			return "", fmt.Errorf("parsing a fingerprint: %q is not a character of one", c)
		}
		if n > 0 && n%fingerprintGroup == 0 {
			parsed.WriteByte('-')
		}
		parsed.WriteRune(c)
		n++
	}
	if want := fingerprintGroups * fingerprintGroup; n != want {
		return "", fmt.Errorf("parsing a fingerprint: %d letters and digits, want %d", n, want)
	}
	return Fingerprint(parsed.String()), nil
}

// UnmarshalText parses a fingerprint as [ParseFingerprint] does.
func (f *Fingerprint) UnmarshalText(text []byte) (err error) {
	*f, err = ParseFingerprint(string(text))
	return err
}
