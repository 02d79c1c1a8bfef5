// Package sealstore seals what is secret in the rows of a store before they reach the disk: it is a [store.Store] over any other one, so that encryption
// at rest exists once and neither the backends nor the roles know of it.
//
// Its floor's promise: it decides nothing about the protocol and does no I/O but through the store beneath.
//
// Sealed are the bodies of reports, the requests and responses of jobs of all kinds (they hold verifier shares and sealed input and aggregate shares), the
// shares of batch buckets, the statement with its salts, and which metrics a member contributes to. In the clear stay what the store beneath searches and
// counts by: IDs, times, digests, counts, states, members' names. So a thief learns who has sent what and when, and no share. HPKE keys, the pair secret and the
// key of noise and salts are in no store at all: they are files of their own, which the same key seals, see [KeyFile].
//
// Each value is sealed with AES-256-GCM under the data key of its task; the associated data names task, row and field, and what else of the row must
// not change without it. A value that is moved to another row, or was written with other counts, does not open. A whole row that is put back as it once was does:
// no check of one row finds that. What finds it is that no figure rests on one row. A bucket's count and checksum, which its share is bound to, are those of the reports
// (store.Check), of the members' submissions, and of the other Aggregator's batch, and all of them are compared before a batch is collected.
//
// Nonces are random, 96 bits: 2^32 values under one key keep the chance of a repetition under 2^-32 (NIST SP 800-38D, 8.3), and a task has a few values
// for each report. [Store.Rekey] gives a task a new key long before that.
//
// A data key is made with the first secret of its task, is kept in the same store, wrapped by a key from outside, and goes with DeleteTask at the end of
// retention. Files and backups may still hold its wrapped form; it is out of reach for good once the wrapping key of that time is destroyed too.
//
// The envelope is the standard library's: crypto/aes, crypto/cipher's GCM with random nonces, crypto/hkdf. Tink-go would add its keyset format, protocol
// buffers and a registry to the program for the same AES-GCM, and its keysets are one blob for all tasks, where we need one small row for each that is deleted
// with its task.
package sealstore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"candor/aggregator/store"
	"candor/schema/dap"
)

var (
	// ErrPlain means that the store holds rows that were never sealed.
	ErrPlain = errors.New("its rows are not sealed")
	// ErrWrongKey means that a wrapping key is needed that was not given.
	ErrWrongKey = errors.New("its keys are wrapped by another key")
	// ErrAltered means that a value is not what was sealed for its row: it was changed, moved or put back.
	ErrAltered = errors.New("it is not what was sealed for this row: the store was altered or is damaged; compare it with a backup (candor store check)")
)

// Config is what a Store needs.
type Config struct {
	Store store.Store // beneath; the Store closes it
	// Keys are the wrapping keys: the first wraps, all unwrap. At least one.
	Keys []*WrappingKey
	// Reload, if not nil, is asked for the wrapping keys anew when one is missing, because another process changed it: the first wraps. It is
	// called outside of transactions, and not concurrently.
	Reload func(ctx context.Context) ([]*WrappingKey, error)
}

// A Store is a [store.Store] whose rows are sealed in another one. It is safe for concurrent use.
type Store struct {
	store  store.Store
	reload func(ctx context.Context) ([]*WrappingKey, error)
	ring   atomic.Pointer[wrappingKeys]

	reloading sync.Mutex // at most one Reload at a time

	mu   sync.RWMutex // guards open
	open map[keyName]*dataKey
}

var _ store.Store = (*Store)(nil)

// storeKey is the key row of the store itself: it says that the store is sealed, and by which key.
var storeKey = keyName{task: dap.TaskID{}, id: 0}

// Sealed says whether a store's rows are sealed.
func Sealed(ctx context.Context, s store.Store) (sealed bool, err error) {
	err = s.View(ctx, "look_for_seal", func(tx store.Tx) error {
		keys, err := tx.Keys(storeKey.task)
		sealed = len(keys) > 0
		return err
	})
	return sealed, err
}

// Open opens a sealed store, or makes an empty one sealed. On an error the store beneath is left open. Errors: ErrPlain, ErrWrongKey.
func Open(ctx context.Context, c Config) (*Store, error) {
	if len(c.Keys) == 0 {
		return nil, errors.New("sealstore: internal error: no wrapping key")
	}
	s := &Store{store: c.Store, reload: c.Reload, open: make(map[keyName]*dataKey)}
	s.ring.Store(newWrappingKeys(c.Keys))
	sealed, err := Sealed(ctx, c.Store)
	if err != nil {
		return nil, err
	}
	if !sealed {
		if err := s.start(ctx); err != nil {
			return nil, err
		}
	}
	return s, s.verify(ctx)
}

// errRow ends a look for rows.
var errRow = errors.New("sealstore: there is a row")

// start marks an empty store as sealed.
func (s *Store) start(ctx context.Context) error {
	return s.store.Update(ctx, "start_seal", func(tx store.Tx) error {
		err := tx.Records(func(r store.Record) error {
			if _, ok := r.(store.Key); ok {
				return nil // another process was faster, or the store is being filled
			}
			return errRow
		})
		if errors.Is(err, errRow) {
			return ErrPlain
		}
		if err != nil {
			return err
		}
		wrapped, err := s.ring.Load().first.wrap(storeKey, []byte(storeLabel))
		if err != nil {
			return err
		}
		return tx.PutKey(store.Key{Task: storeKey.task, ID: storeKey.id, Wrapped: wrapped})
	})
}

const storeLabel = "candor/1 sealed store"

// verify finds out whether the wrapping keys are those of the store.
func (s *Store) verify(ctx context.Context) error {
	return s.View(ctx, "verify_seal", func(tx store.Tx) error {
		keys, err := tx.Keys(storeKey.task)
		if err != nil {
			return err
		}
		for _, k := range keys {
			label, err := s.ring.Load().unwrap(k)
			if err != nil {
				return err
			}
			if string(label) != storeLabel {
				return fmt.Errorf("the key of the store: %w", ErrAltered)
			}
		}
		return nil
	})
}

// Close implements [store.Store].
func (s *Store) Close() error { return s.store.Close() }

// View implements [store.Store].
func (s *Store) View(ctx context.Context, name string, fn func(store.Tx) error) error {
	return s.run(ctx, name, s.store.View, fn)
}

// Update implements [store.Store].
func (s *Store) Update(ctx context.Context, name string, fn func(store.Tx) error) error {
	return s.run(ctx, name, s.store.Update, fn)
}

// Settle implements [store.Store].
func (s *Store) Settle(ctx context.Context) error { return s.store.Settle(ctx) }

// run runs fn, and once more with other wrapping keys if one was missing.
func (s *Store) run(ctx context.Context, name string, transaction func(context.Context, string, func(store.Tx) error) error, fn func(store.Tx) error) error {
	ring := s.ring.Load()
	attempt := func() error {
		return transaction(ctx, name, func(beneath store.Tx) error {
			t := &tx{Tx: beneath, s: s}
			err := fn(t)
			if t.failed != nil && !errors.Is(err, t.failed) {
				return t.failed // whatever fn made of it
			}
			return err
		})
	}
	err := attempt()
	if !errors.Is(err, ErrWrongKey) || s.reload == nil {
		return err
	}
	if e := s.reloadKeys(ctx, ring); e != nil {
		return errors.Join(err, e)
	}
	return attempt()
}

// reloadKeys takes up the wrapping keys that there are now, unless somebody has since ring was read.
func (s *Store) reloadKeys(ctx context.Context, ring *wrappingKeys) error {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	if s.ring.Load() != ring {
		return nil
	}
	keys, err := s.reload(ctx)
	if err != nil {
		return err
	}
	if len(keys) > 0 {
		s.ring.Store(newWrappingKeys(keys))
	}
	return nil
}
