package aggregator

import (
	"bytes"
	"fmt"

	"candor/crypto/seal"
	"candor/schema/dap"
)

// A Key is an HPKE key of an Aggregator.
type Key struct {
	Config  dap.HpkeConfig
	Private *seal.PrivateKey
	// Withdrawn keys are advertised no longer but still open reports. Keep them so for at least twice the cache lifetime of the
	// configuration list (DAP, HPKE Configuration Request), and do not give their IDs to other keys meanwhile.
	Withdrawn bool
}

// A Keyring holds the HPKE keys of an Aggregator. It is immutable: rotation replaces the whole ring. Safe for concurrent use.
type Keyring struct {
	keys    [256]*Key
	serving dap.HpkeConfigList
	encoded []byte
}

// NewKeyring makes a keyring; keys are advertised in the order given, which is the order of preference. At least one must be.
func NewKeyring(keys ...Key) (*Keyring, error) {
	r := new(Keyring)
	for _, k := range keys {
		suite := collectorSuite(k.Config)
		if k.Private == nil {
			return nil, fmt.Errorf("HPKE configuration %d has no private key", k.Config.ID)
		}
		if !seal.Supported(suite) {
			return nil, fmt.Errorf("HPKE configuration %d: suite %#04x/%#04x/%#04x is not supported", k.Config.ID, suite.KEM, suite.KDF, suite.AEAD)
		}
		if err := seal.CheckPublicKey(suite, k.Config.PublicKey); err != nil {
			return nil, fmt.Errorf("HPKE configuration %d: %w", k.Config.ID, err)
		}
		if !bytes.Equal(k.Private.PublicKey(), k.Config.PublicKey) {
			return nil, fmt.Errorf("HPKE configuration %d: its public key does not belong to the private key", k.Config.ID)
		}
		if r.keys[k.Config.ID] != nil {
			return nil, fmt.Errorf("HPKE configuration %d is there twice: give each key an ID of its own", k.Config.ID)
		}
		r.keys[k.Config.ID] = &k
		if !k.Withdrawn {
			r.serving = append(r.serving, k.Config)
		}
	}
	if len(r.serving) == 0 {
		return nil, fmt.Errorf("of %d HPKE keys none is to be advertised: Clients would find no configuration", len(keys))
	}
	var err error
	if r.encoded, err = dap.Marshal(r.serving); err != nil {
		return nil, fmt.Errorf("encoding the HPKE configuration list: %w", err)
	}
	return r, nil
}

// Encoded returns the advertised HpkeConfigList. The caller must not change it.
func (r *Keyring) Encoded() []byte { return r.encoded }

// Configs returns the advertised configurations. The caller must not change them.
func (r *Keyring) Configs() dap.HpkeConfigList { return r.serving }

// Has says whether there is a key of that ID, withdrawn or not.
func (r *Keyring) Has(id dap.HpkeConfigID) bool { return r.keys[id] != nil }

// open decrypts an input share. The suite comes from our configuration, never from the message.
func (r *Keyring) open(ct dap.HpkeCiphertext, info, aad []byte) ([]byte, error) {
	k := r.keys[ct.ConfigID]
	if k == nil {
		return nil, dap.ErrorHpkeDecryptError
	}
	plaintext, err := k.Private.Open(ct.Enc, info, aad, ct.Payload)
	if err != nil {
		return nil, dap.ErrorHpkeDecryptError
	}
	return plaintext, nil
}
