package sealstore

import (
	"context"
	"errors"
	"fmt"

	"candor/aggregator/store"
	"candor/schema/dap"
)

// A Rekeying says what Rekey did.
type Rekeying struct {
	Wrapped   int    `json:"wrapped"`   // keys that are wrapped by the first wrapping key now and were not before
	Made      int    `json:"made"`      // new data keys
	Destroyed int    `json:"destroyed"` // data keys
	Resealed  uint64 `json:"resealed"`  // rows
	Resumed   bool   `json:"resumed"`   // it went on with one that had not ended
}

// How many rows Rekey reads ahead, and how many it seals again in one transaction.
const (
	rekeyRead  = 50_000
	rekeyWrite = 100
)

// Rewrap wraps the data keys of the store by the first of the wrapping keys. When it returns, the others are not needed any more.
func (s *Store) Rewrap(ctx context.Context) (r Rekeying, err error) {
	err = s.rewrap(ctx, &r, false)
	return r, err
}

// Rekey does what Rewrap does, gives each task a new data key, seals all its rows again under that, in small transactions between those of the roles,
// and destroys the old data keys. One that was interrupted is resumed by the next. progress is told how many rows were sealed again.
func (s *Store) Rekey(ctx context.Context, progress func(rows uint64)) (r Rekeying, err error) {
	if err := s.rewrap(ctx, &r, true); err != nil {
		return r, err
	}
	// An Update that began before the new keys were made seals under the old ones: its rows must be there when they are listed.
	if err := s.Settle(ctx); err != nil {
		return r, err
	}
	// The last pass finds nothing.
	for {
		n, err := s.reseal(ctx, &r, progress)
		if err != nil {
			return r, err
		}
		if n == 0 {
			break
		}
	}
	err = s.Update(ctx, "rekey_end", func(tx store.Tx) error {
		r.Destroyed = 0
		keys, err := tx.AllKeys()
		for i, k := range keys {
			if err == nil && i+1 < len(keys) && keys[i+1].Task == k.Task {
				r.Destroyed++
				err = tx.DeleteKey(k.Task, k.ID)
			}
		}
		return err
	})
	if err == nil {
		s.forgetAll()
	}
	return r, err
}

// rewrap changes all keys in one transaction: they are few. fresh makes new data keys too, unless a rekeying is under way.
func (s *Store) rewrap(ctx context.Context, r *Rekeying, fresh bool) error {
	if s.reload != nil {
		if err := s.reloadKeys(ctx, s.ring.Load()); err != nil {
			return err
		}
	}
	return s.Update(ctx, "rekey_begin", func(beneath store.Tx) error {
		t := beneath.(*tx)
		*r = Rekeying{}
		keys, err := t.Tx.AllKeys()
		if err != nil {
			return err
		}
		newest := make(map[dap.TaskID]uint64)
		for _, k := range keys {
			if newest[k.Task] != 0 {
				r.Resumed = true
			}
			newest[k.Task] = k.ID
			if !sealedBy(k) {
				continue
			}
			if err := t.wrapAgain(k, r); err != nil {
				return err
			}
		}
		if !fresh || r.Resumed {
			return nil
		}
		for task, id := range newest {
			if task == storeKey.task || id>>32 == 0 {
				continue
			}
			r.Made++
			if _, err := t.newKey(task, uint32(id>>32)+1); err != nil {
				return err
			}
		}
		return nil
	})
}

// sealedBy says whether a key row is one of this package: the command line keeps a mark among them while it restores a store.
func sealedBy(k store.Key) bool {
	_, _, err := wrappedBy(k)
	return err == nil
}

// wrapAgain wraps a key by the first wrapping key.
func (t *tx) wrapAgain(k store.Key, r *Rekeying) error {
	ring := t.s.ring.Load()
	if id, _, err := wrappedBy(k); err != nil || id == ring.first.id {
		return err
	}
	secret, err := ring.unwrap(k)
	if err != nil {
		return err
	}
	if k.Wrapped, err = ring.first.wrap(keyName{k.Task, k.ID}, secret); err != nil {
		return err
	}
	r.Wrapped++
	return t.Tx.PutKey(k)
}

var errFull = errors.New("sealstore: enough rows were read")

// reseal makes a pass over the store and returns how many rows it found under an old key.
func (s *Store) reseal(ctx context.Context, r *Rekeying, progress func(rows uint64)) (found int, err error) {
	for {
		var rows []store.Record
		err := s.store.View(ctx, "rekey_read", func(beneath store.Tx) error {
			rows = nil
			keys, err := beneath.AllKeys()
			if err != nil {
				return err
			}
			newest := make(map[dap.TaskID]uint64)
			for _, k := range keys {
				newest[k.Task] = k.ID
			}
			err = beneath.Records(func(r store.Record) error {
				if bare, old := underOldKey(r, newest); old {
					rows = append(rows, bare)
				}
				if len(rows) == rekeyRead {
					return errFull
				}
				return ctx.Err()
			})
			if errors.Is(err, errFull) {
				return nil
			}
			return err
		})
		if err != nil {
			return found, err
		}
		if len(rows) == 0 {
			return found, nil
		}
		found += len(rows)
		if err := s.resealRows(ctx, rows, r, progress); err != nil {
			return found, err
		}
		if len(rows) < rekeyRead {
			return found, nil
		}
	}
}

func (s *Store) resealRows(ctx context.Context, rows []store.Record, r *Rekeying, progress func(rows uint64)) error {
	for len(rows) > 0 {
		n := min(len(rows), rekeyWrite)
		err := s.Update(ctx, "rekey_write", func(tx store.Tx) error {
			for _, row := range rows[:n] {
				err := tx.ReplaceSecrets(row, func(is store.Record) (store.Record, error) { return is, nil })
				if err != nil && !errors.Is(err, store.ErrNotFound) {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("sealing rows again: %w", err)
		}
		rows = rows[n:]
		r.Resealed += uint64(n)
		progress(r.Resealed)
	}
	return nil
}

// underOldKey says whether a row has a value under a key that is not the newest of its task, and returns what names the row.
func underOldKey(record store.Record, newest map[dap.TaskID]uint64) (bare store.Record, old bool) {
	if _, ok := record.(store.Key); ok {
		return nil, false
	}
	look := func(p place, value []byte) ([]byte, error) {
		if id, ok := valueKey(value); ok && id != newest[p.task] {
			old = true
		}
		return nil, nil
	}
	bare, _ = by(look).record(record) // look never fails, and every other type is known
	if j, ok := bare.(store.AggregationJob); ok {
		j.Reports = nil // thousands
		bare = j
	}
	return bare, old
}

// forgetAll drops the keys of all tasks from memory.
func (s *Store) forgetAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.open)
}
