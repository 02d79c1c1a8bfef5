package sealstore

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"

	"candor/aggregator/store"
	"candor/schema/dap"
)

// A WrappingKey wraps the data keys of a store, and seals the key files of its server. It is kept outside of all these and their backups. It prints as its ID, which
// gives nothing away.
type WrappingKey struct {
	id    [wrappingIDSize]byte
	aead  func() cipher.AEAD // a closure, because fmt prints unexported fields but not functions
	files func() cipher.AEAD // for key files
}

const wrappingIDSize = 8

// NewWrappingKey makes a wrapping key of 32 uniformly random bytes.
func NewWrappingKey(secret [32]byte) *WrappingKey {
	k := &WrappingKey{}
	copy(k.id[:], derive(secret, "candor/1 store key id", wrappingIDSize))
	aead := newAEAD(derive(secret, "candor/1 store key", 32))
	k.aead = func() cipher.AEAD { return aead }
	files := newAEAD(derive(secret, "candor/1 key of key files", 32))
	k.files = func() cipher.AEAD { return files }
	return k
}

// ID names the key for people and in wrapped keys: 16 hexadecimal digits.
func (k *WrappingKey) ID() string { return hex.EncodeToString(k.id[:]) }

func (k WrappingKey) Format(f fmt.State, _ rune)   { fmt.Fprint(f, k.ID()) }
func (k WrappingKey) MarshalText() ([]byte, error) { return []byte(k.ID()), nil }

func derive(secret [32]byte, info string, size int) []byte {
	out, err := hkdf.Key(sha256.New, secret[:], nil, info, size)
	if err != nil {
		panic("sealstore: internal error: " + err.Error()) // lengths are constant
	}
	return out
}

// newAEAD returns AES-256-GCM with random nonces, which it puts before what it seals.
func newAEAD(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err == nil {
		var aead cipher.AEAD
		if aead, err = cipher.NewGCMWithRandomNonce(block); err == nil {
			return aead
		}
	}
	panic("sealstore: internal error: " + err.Error()) // lengths are constant
}

// wrappedVersion is the first byte of a wrapped key; the ID of its wrapping key follows, then the ciphertext.
const wrappedVersion = 1

// wrap seals a data key for its row.
func (k *WrappingKey) wrap(name keyName, key []byte) ([]byte, error) {
	out := append([]byte{wrappedVersion}, k.id[:]...)
	return k.aead().Seal(out, nil, key, name.associated()), nil
}

// A keyName names a data key.
type keyName struct {
	task dap.TaskID
	id   uint64
}

func (n keyName) associated() []byte {
	return binary.BigEndian.AppendUint64(slices.Concat([]byte("candor/1 data key"), n.task[:]), n.id)
}

// wrappingKeys are those that a Store has.
type wrappingKeys struct {
	first *WrappingKey
	all   map[[wrappingIDSize]byte]*WrappingKey
}

func newWrappingKeys(keys []*WrappingKey) *wrappingKeys {
	r := &wrappingKeys{first: keys[0], all: make(map[[wrappingIDSize]byte]*WrappingKey)}
	for _, k := range keys {
		r.all[k.id] = k
	}
	return r
}

// wrappedBy returns the ID of the wrapping key of a row.
func wrappedBy(k store.Key) (id [wrappingIDSize]byte, sealed []byte, err error) {
	if len(k.Wrapped) < 1+wrappingIDSize || k.Wrapped[0] != wrappedVersion {
		return id, nil, fmt.Errorf("data key of task %s: %w", k.Task, ErrAltered)
	}
	return [wrappingIDSize]byte(k.Wrapped[1:]), k.Wrapped[1+wrappingIDSize:], nil
}

// named returns the wrapping key of an ID.
func (r *wrappingKeys) named(id [wrappingIDSize]byte) (*WrappingKey, error) {
	if by := r.all[id]; by != nil {
		return by, nil
	}
	return nil, fmt.Errorf("%w: %x, and given is %s", ErrWrongKey, id, r.first.ID())
}

// unwrap opens the data key of a row.
func (r *wrappingKeys) unwrap(k store.Key) ([]byte, error) {
	id, sealed, err := wrappedBy(k)
	if err != nil {
		return nil, err
	}
	by, err := r.named(id)
	if err != nil {
		return nil, err
	}
	key, err := by.aead().Open(nil, nil, sealed, keyName{k.Task, k.ID}.associated())
	if err != nil {
		return nil, fmt.Errorf("data key of task %s: %w", k.Task, ErrAltered)
	}
	return key, nil
}
