package sealstore

import (
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"fmt"

	"candor/aggregator/store"
	"candor/schema/dap"
)

// valueVersion is the first byte of a sealed value. Then come the ID of its data key (8 bytes), a nonce (12), the ciphertext and a tag (16).
const valueVersion = 1

const headerSize = 1 + 8

// A dataKey seals values of one task.
type dataKey struct {
	id   uint64
	aead cipher.AEAD
}

const dataKeySize = 32

// A field is a kind of secret; its number is in the associated data and never given to another.
type field uint8

const (
	fieldReport             field = 1
	fieldAggregationRequest field = 2
	fieldBucket             field = 3
	fieldCollectionRequest  field = 4
	fieldShareRequest       field = 5
	fieldCollectionResponse field = 6
	fieldHelperRequest      field = 7
	fieldHelperResponse     field = 8
	fieldShareAnswer        field = 9
	fieldStatement          field = 10
	fieldSalts              field = 11
	fieldContributes        field = 12
)

var fieldNames = map[field]string{
	fieldReport: "body of a report", fieldAggregationRequest: "request of an aggregation job", fieldBucket: "share of a bucket",
	fieldCollectionRequest: "request of a collection job", fieldShareRequest: "share request of a collection job", fieldCollectionResponse: "response of a collection job",
	fieldHelperRequest: "request of a Helper's job", fieldHelperResponse: "response of a Helper's job", fieldShareAnswer: "aggregate share",
	fieldStatement: "statement", fieldSalts: "salts of a statement", fieldContributes: "submission of a member",
}

// A place is where a secret stands: the associated data, of which each part is written behind its length.
type place struct {
	field field
	task  dap.TaskID
	id    []byte // encoding of what identifies the row
}

func at(f field, task dap.TaskID, id ...[]byte) place {
	p := place{field: f, task: task}
	for _, part := range id {
		p.id = binary.BigEndian.AppendUint32(p.id, uint32(len(part)))
		p.id = append(p.id, part...)
	}
	return p
}

func (p place) associated(id uint64) []byte {
	out := make([]byte, 0, 64+len(p.task)+len(p.id))
	out = append(out, "candor/1 sealed value"...)
	out = binary.BigEndian.AppendUint64(out, id)
	out = append(append(out, byte(p.field)), p.task[:]...)
	return append(out, p.id...)
}

// seal seals a secret for its place.
func (k *dataKey) seal(p place, secret []byte) []byte {
	out := make([]byte, 0, headerSize+k.aead.Overhead()+len(secret))
	out = binary.BigEndian.AppendUint64(append(out, valueVersion), k.id)
	return k.aead.Seal(out, nil, secret, p.associated(k.id))
}

// valueKey returns the ID of the data key of a sealed value.
func valueKey(value []byte) (id uint64, ok bool) {
	if len(value) < headerSize || value[0] != valueVersion {
		return 0, false
	}
	return binary.BigEndian.Uint64(value[1:]), true
}

// seal seals a secret for its place; an empty one stays empty.
func (t *tx) seal(p place, secret []byte) ([]byte, error) {
	if len(secret) == 0 {
		return nil, nil
	}
	return t.sealAlways(p, secret)
}

// sealAlways seals a secret that may be empty.
func (t *tx) sealAlways(p place, secret []byte) ([]byte, error) {
	k, err := t.currentKey(p.task)
	if err != nil {
		return nil, t.fail(err)
	}
	return k.seal(p, secret), nil
}

// open returns the secret at a place, or nothing if the value is empty.
func (t *tx) open(p place, value []byte) ([]byte, error) {
	if len(value) == 0 {
		return nil, nil
	}
	return t.openAlways(p, value)
}

// openAlways opens a value that cannot be empty.
func (t *tx) openAlways(p place, value []byte) ([]byte, error) {
	id, ok := valueKey(value)
	if !ok {
		return nil, t.fail(p.altered())
	}
	k, err := t.key(keyName{p.task, id})
	if err != nil {
		return nil, t.fail(err)
	}
	if k == nil {
		return nil, t.fail(p.altered())
	}
	secret, err := k.aead.Open(nil, nil, value[headerSize:], p.associated(id))
	if err != nil {
		return nil, t.fail(p.altered())
	}
	return secret, nil
}

func (p place) altered() error {
	return fmt.Errorf("reading the %s, task %s: %w", fieldNames[p.field], p.task, ErrAltered)
}

// fail remembers that a secret could not be read or written: the transaction must not go on as if it were not there.
func (t *tx) fail(err error) error {
	if t.failed == nil {
		t.failed = err
	}
	return err
}

// currentKey returns the key that a task's secrets are sealed with, and makes the first one. It asks the store once in a transaction, and not a
// memory of its own: a key that another process has put in its place, or deleted with the task, must not be used again.
func (t *tx) currentKey(task dap.TaskID) (*dataKey, error) {
	if k := t.current[task]; k != nil {
		return k, nil
	}
	rows, err := t.Tx.Keys(task)
	if err != nil {
		return nil, err
	}
	var k *dataKey
	if n := len(rows); n > 0 {
		k, err = t.s.unwrapped(rows[n-1])
	} else {
		k, err = t.newKey(task, 1)
	}
	if err != nil {
		return nil, err
	}
	if t.current == nil {
		t.current = make(map[dap.TaskID]*dataKey)
	}
	t.current[task] = k
	return k, nil
}

// newKey makes a data key of a generation. Its ID is that, and random bits: what is sealed by a key of a task that was deleted does not look as if it were by a new one.
func (t *tx) newKey(task dap.TaskID, generation uint32) (*dataKey, error) {
	var b [dataKeySize + 4]byte
	rand.Read(b[:])
	name := keyName{task, uint64(generation)<<32 | uint64(binary.BigEndian.Uint32(b[dataKeySize:]))}
	by, err := t.wrappingKey()
	if err != nil {
		return nil, err
	}
	wrapped, err := by.wrap(name, b[:dataKeySize])
	if err != nil {
		return nil, err
	}
	return &dataKey{name.id, newAEAD(b[:dataKeySize])}, t.Tx.PutKey(store.Key{Task: task, ID: name.id, Wrapped: wrapped})
}

// wrappingKey returns the key that wraps that of the store itself. The first one of this process may be another: one that Rewrap has not come to yet, or one that
// another process has replaced, so that what it wraps is lost when it is destroyed.
func (t *tx) wrappingKey() (*WrappingKey, error) {
	ring := t.s.ring.Load()
	rows, err := t.Tx.Keys(storeKey.task)
	if err != nil || len(rows) == 0 {
		return ring.first, err
	}
	id, _, err := wrappedBy(rows[0])
	if err != nil {
		return nil, err
	}
	return ring.named(id)
}

// key returns a key by its name, or nil if there is none.
func (t *tx) key(name keyName) (*dataKey, error) {
	if k := t.current[name.task]; k != nil && k.id == name.id {
		return k, nil
	}
	if t.prepared != nil {
		return t.prepared[name], nil
	}
	t.s.mu.RLock()
	k := t.s.open[name]
	t.s.mu.RUnlock()
	if k != nil {
		return k, nil
	}
	rows, err := t.Tx.Keys(name.task)
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		if r.ID == name.id {
			return t.s.unwrapped(r)
		}
	}
	return nil, nil
}

// prepare opens all keys that there are before a method of the store beneath hands out rows one by one: it is unable to look for a key meanwhile. done ends that.
func (t *tx) prepare(rows []store.Key, err error) (done func(), _ error) {
	keys := make(map[keyName]*dataKey, len(rows))
	for _, r := range rows {
		if err == nil && r.Task != storeKey.task && sealedBy(r) {
			keys[keyName{r.Task, r.ID}], err = t.s.unwrapped(r)
		}
	}
	if err != nil {
		return nil, t.fail(err)
	}
	t.prepared = keys
	return func() { t.prepared = nil }, nil
}

// unwrapped returns the key of a row. What a name means never changes, so it is remembered.
func (s *Store) unwrapped(row store.Key) (*dataKey, error) {
	name := keyName{row.Task, row.ID}
	s.mu.RLock()
	k := s.open[name]
	s.mu.RUnlock()
	if k != nil {
		return k, nil
	}
	b, err := s.ring.Load().unwrap(row)
	if err != nil {
		return nil, err
	}
	if len(b) != dataKeySize {
		return nil, fmt.Errorf("data key of task %s: %w", row.Task, ErrAltered)
	}
	k = &dataKey{row.ID, newAEAD(b)}
	s.mu.Lock()
	s.open[name] = k
	s.mu.Unlock()
	return k, nil
}
