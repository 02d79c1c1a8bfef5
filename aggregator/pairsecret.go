package aggregator

import (
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"

	"candor/schema/dap"
)

// A PairSecret is what only the two Aggregators share: the verify keys of their round tasks come from it, so that neither the
// secretariat nor any member can know one. It prints as REDACTED.
type PairSecret struct {
	secret func() [32]byte
}

// NewPairSecret makes a pair secret of 32 uniformly random bytes.
func NewPairSecret(secret [32]byte) *PairSecret {
	return &PairSecret{func() [32]byte { return secret }}
}

// VerifyKey derives a task's verify key (DAP, VDAF Verification Key Requirements: HKDF-SHA256 with the salt "verify_key" and the
// task ID as info). The task ID is bound to the whole configuration, so the key is fixed before the first report.
func (p *PairSecret) VerifyKey(id dap.TaskID) (VerifyKey, error) {
	secret := p.secret()
	key, err := hkdf.Key(sha256.New, secret[:], []byte("verify_key"), string(id[:]), 32)
	if err != nil {
		return VerifyKey{}, fmt.Errorf("deriving the verify key of task %s: %w", id, err)
	}
	return NewVerifyKey(key)
}

func (PairSecret) Format(f fmt.State, _ rune)   { fmt.Fprint(f, redacted) }
func (PairSecret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
