package boltstore

import (
	"encoding/binary"

	"candor/aggregator/store"
	"candor/schema/dap"
)

func (t *tx) PutKey(k store.Key) error {
	if err := t.check(true); err != nil {
		return err
	}
	b, err := t.make(k.Task, kindKeys)
	if err != nil {
		return err
	}
	key := keyUint64(k.ID)
	return t.put(b, key, b.Get(key), raw(k.Wrapped))
}

func (t *tx) Keys(task dap.TaskID) ([]store.Key, error) {
	if err := t.check(false); err != nil {
		return nil, err
	}
	var keys []store.Key
	err := t.each(task, kindKeys, func(k, v []byte) error {
		wrapped, err := unraw("key", v)
		keys = append(keys, store.Key{Task: task, ID: binary.BigEndian.Uint64(k), Wrapped: wrapped})
		return err
	})
	return keys, err
}

func (t *tx) AllKeys() ([]store.Key, error) {
	if err := t.check(false); err != nil {
		return nil, err
	}
	var all []store.Key
	err := t.bolt.Bucket(bucketTasks).ForEach(func(task, _ []byte) error {
		keys, err := t.Keys(dap.TaskID(task))
		all = append(all, keys...)
		return err
	})
	return all, err
}

func (t *tx) DeleteKey(task dap.TaskID, id uint64) error {
	if err := t.check(true); err != nil {
		return err
	}
	b, key := t.find(task, kindKeys), keyUint64(id)
	old := get(b, key)
	if old == nil {
		return nil
	}
	return t.drop(b, key, old)
}

func (t *tx) keyRecords(task dap.TaskID, fn func(store.Record) error) error {
	keys, err := t.Keys(task)
	if err != nil {
		return err
	}
	for _, k := range keys {
		if err := fn(k); err != nil {
			return err
		}
	}
	return nil
}
