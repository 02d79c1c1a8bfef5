// Package boltstore keeps one Aggregator's state in a single bbolt file: nothing to start, nothing to administer.
//
// Its floor's promise: it implements [store.Store] and decides nothing about the protocol. A file belongs to one process at a time.
// Concurrent Updates share one disk flush, yet each runs by itself: one that fails takes nothing of the others back.
//
// Rows live in one bucket per task and row type, under big-endian keys, so that what is read together lies together: reports are
// numbered in order of arrival, and everything that changes about them is kept by number; only the index of report IDs, which are
// random, is not. Deleting a task releases whole buckets. Each value starts with a version byte.
//
// Trust: the file's owner can do whatever [store] says of one who can change a store. The file is created with mode 0600.
package boltstore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"candor/aggregator/store"
)

// SchemaVersion is the version of the file's layout that this package writes, and the only one it opens.
const SchemaVersion = 1

// ErrClosed is returned by the methods of a store that was closed.
var ErrClosed = errors.New("boltstore: store is closed")

// Options of Open. The zero value is right for production.
type Options struct {
	// LockTimeout is how long Open waits for another process to let go of the file. Zero means two seconds.
	LockTimeout time.Duration
	// MappedBytes bounds how much of the file may stay mapped into this process's memory, roughly; the system's page cache still
	// holds the rest. Zero means 96 MiB. It has an effect on Linux only.
	MappedBytes int
	// Observe, if not nil, is called after each View and Update with its name, how long it took and how it ended. It must be
	// safe for concurrent use and fast.
	Observe func(name string, elapsed time.Duration, err error)
	// UnsafeNoSync never flushes the file to disk: a crash of the machine may lose or destroy everything. For tests only.
	UnsafeNoSync bool
}

// A Store is a [store.Store] in a file. It is safe for concurrent use.
type Store struct {
	path string
	opts Options
	db   *bbolt.DB

	filters filters

	// mu guards the turn: at most one goroutine has it, and only that one touches the open group.
	mu     sync.Mutex
	taken  bool // someone has the turn
	queue  []chan struct{}
	closed bool

	// Only for who has the turn.
	group   *group
	commits int
}

var _ store.Store = (*Store)(nil)

var (
	bucketMeta  = []byte("meta")  // "schema" -> version
	bucketPins  = []byte("pins")  // task -> digest
	bucketTasks = []byte("tasks") // task -> one bucket for each kind
	bucketDue   = []byte("due")   // kind, due time, number -> task, job: live jobs of all tasks

	keySchema = []byte("schema")
)

// Open opens the store in the file at path, or creates it. The error says who holds the file, where that can be found out, and
// what is wrong with a file that is not a store or one of another schema version.
func Open(path string, opts Options) (*Store, error) {
	if opts.LockTimeout == 0 {
		opts.LockTimeout = 2 * time.Second
	}
	if opts.MappedBytes == 0 {
		opts.MappedBytes = 96 << 20
	}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout: opts.LockTimeout,
		// A list of free pages in the file would be written again with every commit; instead it is found at the next opening.
		NoFreelistSync: true,
		FreelistType:   bbolt.FreelistMapType,
		// Address space, not memory: growing a smaller mapping would wait for every reader.
		InitialMmapSize: initialMapping,
		NoSync:          opts.UnsafeNoSync,
		NoStatistics:    true,
	})
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return nil, fmt.Errorf("opening store %s: locked %s; a store belongs to one process at a time", path, holder(path))
	case errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrVersionMismatch), errors.Is(err, berrors.ErrChecksum):
		return nil, fmt.Errorf("opening store %s: not a bbolt file, or a damaged one (%v); restore it from a backup", path, err)
	case err != nil:
		return nil, fmt.Errorf("opening store %s: %w", path, err)
	}
	if err := checkSchema(db); err != nil {
		_ = db.Close() // the first error says more
		return nil, fmt.Errorf("opening store %s: %w", path, err)
	}
	return &Store{path: path, opts: opts, db: db}, nil
}

// checkSchema refuses files that this package did not write, and gives an empty one its buckets.
func checkSchema(db *bbolt.DB) error {
	fresh := false
	err := db.View(func(tx *bbolt.Tx) error {
		meta := tx.Bucket(bucketMeta)
		if meta == nil {
			if k, _ := tx.Cursor().First(); k != nil {
				return errors.New("a bbolt file, but not a Candor store")
			}
			fresh = true
			return nil
		}
		v := meta.Get(keySchema)
		if len(v) != 4 {
			return errors.New("a bbolt file, but not a Candor store")
		}
		switch got := binary.BigEndian.Uint32(v); {
		case got > SchemaVersion:
			return fmt.Errorf("its schema version is %d, newer than this program's %d; use the program that wrote it, or a later one", got, SchemaVersion)
		case got != SchemaVersion:
			return fmt.Errorf("its schema version is %d, unknown to this program, which writes %d", got, SchemaVersion)
		}
		return nil
	})
	if err != nil || !fresh {
		return err
	}
	return db.Update(func(tx *bbolt.Tx) error {
		for _, name := range [][]byte{bucketMeta, bucketPins, bucketTasks, bucketDue} {
			if _, err := tx.CreateBucket(name); err != nil {
				return fmt.Errorf("creating bucket %s: %w", name, err)
			}
		}
		return tx.Bucket(bucketMeta).Put(keySchema, binary.BigEndian.AppendUint32(nil, SchemaVersion))
	})
}

// View implements [store.Store].
func (s *Store) View(ctx context.Context, name string, fn func(store.Tx) error) (err error) {
	defer s.observe(name, &err)()
	if err := ctx.Err(); err != nil {
		return err
	}
	err = s.db.View(func(b *bbolt.Tx) error {
		tx := &tx{rows: s.newRows(b)}
		defer tx.end()
		return fn(tx)
	})
	if errors.Is(err, berrors.ErrDatabaseNotOpen) {
		return ErrClosed
	}
	return err
}

// Close implements [store.Store]. Updates that wait already are still done; a second Close does nothing.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.mu.Unlock()
	s.wait(context.Background())
	s.pass() // commits what is left; nobody can queue behind
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("closing store %s: %w", s.path, err)
	}
	return nil
}

func (s *Store) observe(name string, err *error) func() {
	if s.opts.Observe == nil {
		return func() {}
	}
	start := time.Now()
	return func() { s.opts.Observe(name, time.Since(start), *err) }
}
