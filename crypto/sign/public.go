package sign

import (
	"encoding/base64"
	"fmt"
	"math/big"
	"slices"
	"strings"
)

// A PublicKey verifies signatures. It is a value: two keys are the same if they
// are equal. Its text is candor-key- and 43 characters of base64url.
type PublicKey [32]byte

const publicKeyPrefix = "candor-key-"

// ParsePublicKey parses the text form of a public key. There is one text for
// each key; what [NewPublicKey] refuses is refused here too.
func ParsePublicKey(text string) (PublicKey, error) {
	encoded, ok := strings.CutPrefix(text, publicKeyPrefix)
	if !ok {
		return PublicKey{}, fmt.Errorf("parsing a public key: it begins with %s", publicKeyPrefix)
	}
	// The decoder skips line ends, hence the check of the text's length.
	b, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if err != nil || len(encoded) != base64.RawURLEncoding.EncodedLen(len(PublicKey{})) {
		return PublicKey{}, fmt.Errorf("parsing a public key: after %s come %d characters of unpadded base64url",
			publicKeyPrefix, base64.RawURLEncoding.EncodedLen(len(PublicKey{})))
	}
	return NewPublicKey(b)
}

// NewPublicKey returns the key that b encodes. It refuses encodings of nothing,
// and the keys of small order, for which one signature fits many statements.
func NewPublicKey(b []byte) (PublicKey, error) {
	if len(b) != len(PublicKey{}) {
		return PublicKey{}, fmt.Errorf("public key of %d bytes, want %d", len(b), len(PublicKey{}))
	}
	p := PublicKey(b)
	if !p.sound() {
		return PublicKey{}, fmt.Errorf("public key %s is not one that somebody could have generated", p)
	}
	return p, nil
}

func (p PublicKey) String() string {
	return publicKeyPrefix + base64.RawURLEncoding.EncodeToString(p[:])
}

// MarshalText returns the text form.
func (p PublicKey) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText parses the text form.
func (p *PublicKey) UnmarshalText(text []byte) (err error) {
	*p, err = ParsePublicKey(string(text))
	return err
}

// sound reports whether p is the canonical encoding of a point of the curve
// -x²+y² = 1+dx²y² whose order is not small. Public keys are no secrets, so
// that the arithmetic need not be constant-time.
func (p PublicKey) sound() bool {
	b := p
	b[31] &= 0x7f // the sign of x
	slices.Reverse(b[:])
	y := new(big.Int).SetBytes(b[:])
	if y.Cmp(fieldPrime) >= 0 {
		return false
	}
	for _, small := range smallOrder {
		if y.Cmp(small) == 0 {
			return false
		}
	}
	// x² = (y²-1)/(dy²+1), and a quotient is a square if the product is. It is
	// not zero: y = ±1 is of small order, and -1/d is not a square.
	yy := new(big.Int).Mul(y, y)
	u := new(big.Int).Sub(yy, big.NewInt(1))
	v := new(big.Int).Mul(curveD, yy)
	v.Add(v, big.NewInt(1))
	return big.Jacobi(u.Mul(u, v).Mod(u, fieldPrime), fieldPrime) == 1
}

// The curve of RFC 8032, section "Ed25519ph, Ed25519ctx, and Ed25519".
var (
	fieldPrime = number("7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffed")
	curveD     = number("52036cee2b6ffe738cc740797779e89800700a4d4141d8ab75eb4dca135978a3")
	// smallOrder has y for the eight points whose order divides 8.
	smallOrder = []*big.Int{
		number("0"),
		number("1"),
		number("7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffec"),
		number("05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826"),
		number("7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7"),
	}
)

func number(hex string) *big.Int {
	n, ok := new(big.Int).SetString(hex, 16)
	if !ok {
		panic("sign: internal error: " + hex + " is not a number")
	}
	return n
}
