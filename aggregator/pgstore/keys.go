package pgstore

import (
	"encoding/binary"

	"github.com/jackc/pgx/v5"

	"candor/aggregator/store"
	"candor/schema/dap"
)

func (t *tx) PutKey(k store.Key) error {
	if err := t.check(true); err != nil {
		return err
	}
	_, err := t.exec("key_put", k.Task[:], keyID(k.ID), append([]byte{}, k.Wrapped...))
	return err
}

func (t *tx) Keys(task dap.TaskID) ([]store.Key, error) {
	return t.keys("keys", func(k *store.Key) []any {
		k.Task = task
		return nil
	}, task[:])
}

func (t *tx) AllKeys() ([]store.Key, error) {
	return t.keys("keys_all", func(k *store.Key) []any { return []any{fixed(k.Task[:])} })
}

// keys runs a query for keys; task fills in the task of one, or returns where its column goes.
func (t *tx) keys(name string, task func(*store.Key) []any, args ...any) (keys []store.Key, err error) {
	if err := t.check(false); err != nil {
		return nil, err
	}
	err = t.rows(name, func(r pgx.Rows) error {
		var k store.Key
		var id [8]byte
		err := r.Scan(append([]any{fixed(id[:]), &k.Wrapped}, task(&k)...)...)
		k.ID, k.Wrapped = binary.BigEndian.Uint64(id[:]), null(k.Wrapped)
		keys = append(keys, k)
		return err
	}, args...)
	return keys, err
}

func (t *tx) DeleteKey(task dap.TaskID, id uint64) error {
	if err := t.check(true); err != nil {
		return err
	}
	_, err := t.exec("key_delete", task[:], keyID(id))
	return err
}

func (t *tx) keyRecords(task dap.TaskID, fn func(store.Record) error) error {
	list, err := t.Keys(task)
	return each(list, err, fn)
}

func keyID(id uint64) []byte { return binary.BigEndian.AppendUint64(nil, id) }
