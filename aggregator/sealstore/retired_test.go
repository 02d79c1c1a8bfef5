package sealstore_test

import (
	"errors"
	"testing"

	"candor/aggregator/sealstore"
	"candor/aggregator/store"
)

// A task that is deleted takes its key with it: rows of it that come back from elsewhere do not open, and the next secret of the task has another key. A backup
// of before opens with the wrapping key of before alone.
func TestRetiredTask(t *testing.T) {
	beneath := newPlace(t).(place).beneath(t)
	defer beneath.Close()
	s := seal(t, beneath, wrapping)
	update(t, s, fill)
	backup, ids := records(t, beneath), keyIDs(t, beneath)
	update(t, s, func(tx store.Tx) error { return tx.DeleteTask(task) })
	if left := keyIDs(t, beneath); len(left) > 0 {
		t.Fatalf("keys %x are left", left)
	}
	// Somebody puts the rows back, without their key.
	update(t, beneath, func(tx store.Tx) error {
		for _, r := range backup {
			if _, isKey := r.(store.Key); !isKey {
				if err := tx.AddRecord(r); err != nil {
					return err
				}
			}
		}
		return nil
	})
	read := func(s store.Store) error {
		return s.View(t.Context(), "test", func(tx store.Tx) error { return tx.Records(func(store.Record) error { return nil }) })
	}
	if err := read(s); !errors.Is(err, sealstore.ErrAltered) {
		t.Errorf("rows of a deleted task: %v", err)
	}
	update(t, s, func(tx store.Tx) error { return tx.DeleteTask(task) })
	update(t, s, fill)
	if is := keyIDs(t, beneath); len(is) != 1 || is[0] == ids[0] {
		t.Errorf("the task that is there again has keys %x, had %x", is, ids)
	}
	restored := newPlace(t).(place).beneath(t)
	defer restored.Close()
	update(t, restored, func(tx store.Tx) error {
		for _, r := range backup {
			if err := tx.AddRecord(r); err != nil {
				return err
			}
		}
		return nil
	})
	if err := read(seal(t, restored, wrapping)); err != nil {
		t.Errorf("the backup with the key of its day: %v", err)
	}
	if _, err := sealstore.Open(t.Context(), sealstore.Config{Store: restored, Keys: []*sealstore.WrappingKey{next}}); !errors.Is(err, sealstore.ErrWrongKey) {
		t.Errorf("the backup with the key after it: %v", err)
	}
}
