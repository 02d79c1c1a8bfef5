// Package pgstore keeps one Aggregator's state in a PostgreSQL database, so that any number of processes of a Leader or a Helper can share it: they
// need no other coordination.
//
// Its floor's promise: it implements [store.Store] and decides nothing about the protocol. Each statement is a file in queries, named for what it
// does; the tables are in migrations, which Open applies.
//
// What is relied on: every Update is a SERIALIZABLE transaction that is run again, a bounded number of times with growing pauses, when the database finds that it
// does not fit with another one (SQLSTATE 40001, 40P01, or 23505: another added the row first), or that the connection is gone before anything was committed. When the
// answer to a COMMIT is lost, the caller gets an error, and finds on its next attempt what became of it. Nothing weaker is enough: a role checks one row (the batch
// was not collected) and writes another (the bucket), and so do others at the same moment; with REPEATABLE READ the suite's races see a batch collected twice, and reports
// that join it afterwards. Every View is a REPEATABLE READ transaction that only reads; it is never run twice.
//
// No row is hot: those that many transactions change are split into shards, of which a process gives each of its transactions another; jobs and reports are claimed
// with SKIP LOCKED.
//
// PostgreSQL 14 or later. What is used beyond what databases of the same protocol have in common is pinned by TestFeatures and listed for operators in docs/operations.md.
//
// Trust: whoever can change the database can do whatever [store] says. Connections to another machine need sslmode=verify-full in the URL.
package pgstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"candor/aggregator/store"
	"candor/schema/dap"
)

// Options of Open. The zero value is right for production.
type Options struct {
	// Observe, if not nil, is called after each View and Update with its name, how long it took and how it ended. It must be safe for concurrent
	// use and fast.
	Observe func(name string, elapsed time.Duration, err error)
	// Wait is how long Open tries to reach a server that is starting or not there yet. Zero: once.
	Wait time.Duration
	// Retried, if not nil, is called each time an Update is tried again, with its name and the database's SQLSTATE ("" without connection).
	Retried func(name, sqlState string)
}

// A Store is a [store.Store] in a PostgreSQL database. It is safe for concurrent use.
type Store struct {
	pool   *pgxpool.Pool
	shards *shardPool
	opts   Options
}

var _ store.Store = (*Store)(nil)

// Open connects to the database at url (postgres://user@host/database, as libpq takes it, with its environment and password file; pool_max_conns
// bounds the number of connections), creates the tables if there are none, and brings them up to date. It refuses tables that a later program
// has changed too far. It frees no lease: those it finds may be of other processes, and end by themselves.
func Open(ctx context.Context, url string, opts Options) (*Store, error) {
	return open(ctx, url, opts, migrations())
}

func open(ctx context.Context, url string, opts Options, migrations fs.FS) (*Store, error) {
	config, err := parseURL(url)
	if err != nil {
		return nil, fmt.Errorf("opening PostgreSQL store: %w", err)
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("opening PostgreSQL store: %w", err)
	}
	var process int64
	err = reach(ctx, opts.Wait, func() error {
		if err := migrate(ctx, pool, migrations); err != nil {
			return err
		}
		return pool.QueryRow(ctx, queries["process_next"]).Scan(&process)
	})
	if err != nil {
		pool.Close()
		return nil, fmt.Errorf("opening PostgreSQL store %s on %s: %w", config.ConnConfig.Database, config.ConnConfig.Host, err)
	}
	return &Store{pool: pool, shards: newShardPool(process), opts: opts}, nil
}

// Close implements [store.Store].
func (s *Store) Close() error {
	s.pool.Close()
	return nil
}

// View implements [store.Store].
func (s *Store) View(ctx context.Context, name string, fn func(store.Tx) error) (err error) {
	defer s.observe(name, &err)()
	if err := ctx.Err(); err != nil {
		return err
	}
	pg, err := s.begin(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return err
	}
	t := &tx{ctx: ctx, pg: pg}
	defer t.end()
	return fn(t)
}

// Settle implements [store.Store]: the database gives a deferrable transaction its snapshot when the transactions that write and began before it have ended.
func (s *Store) Settle(ctx context.Context) (err error) {
	defer s.observe("settle", &err)()
	pg, err := s.begin(ctx, pgx.TxOptions{IsoLevel: pgx.Serializable, AccessMode: pgx.ReadOnly, DeferrableMode: pgx.Deferrable})
	if err != nil {
		return err
	}
	t := &tx{ctx: ctx, pg: pg}
	defer t.end()
	if _, err := t.exec("settle"); err != nil {
		return fmt.Errorf("waiting for transactions to end: %w", err)
	}
	return nil
}

// How often and how long an Update is tried again.
const (
	maxAttempts = 60
	maxReplays  = 20
	maxBegin    = 4 * time.Second // less than a health check waits
	maxAttempt  = 10 * time.Minute
	maxBackoff  = 200 * time.Millisecond
)

// sleep waits for longer after each attempt, or until ctx ends: then it returns false. It has full jitter: those that conflicted must not meet again.
func sleep(ctx context.Context, attempt int) bool {
	select {
	case <-time.After(time.Duration(rand.Int64N(int64(min(time.Millisecond<<min(attempt, 10), maxBackoff))))):
		return true
	case <-ctx.Done():
		return false
	}
}

// Update implements [store.Store].
func (s *Store) Update(ctx context.Context, name string, fn func(store.Tx) error) (err error) {
	defer s.observe(name, &err)()
	if err := ctx.Err(); err != nil {
		return err
	}
	known := make(map[reportKey]bool)
	replays := 0
	for attempt := 1; ; attempt++ {
		err := s.attempt(ctx, known, fn)
		var again *retryError
		switch {
		case errors.Is(err, errReplay):
			// One more run with what was learnt about the reports; that is no failure.
			if replays++; replays > maxReplays {
				return fmt.Errorf("%s: the reports changed during each of %d attempts", name, replays)
			}
			attempt--
			continue
		case !errors.As(err, &again):
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case attempt == maxAttempts:
			return fmt.Errorf("%s: giving up after %d attempts: %w", name, attempt, again.err)
		}
		if s.opts.Retried != nil {
			s.opts.Retried(name, sqlState(again.err))
		}
		if !sleep(ctx, attempt) {
			return ctx.Err()
		}
	}
}

// A retryError says that a transaction had no effect and may succeed when it is run again.
type retryError struct{ err error }

func (e *retryError) Error() string { return e.err.Error() }
func (e *retryError) Unwrap() error { return e.err }

// attempt runs fn once.
func (s *Store) attempt(ctx context.Context, known map[reportKey]bool, fn func(store.Tx) error) error {
	pg, err := s.begin(ctx, pgx.TxOptions{IsoLevel: pgx.Serializable})
	if err != nil {
		return err
	}
	shard, done := s.shards.take()
	defer done()
	// A server that has vanished without a word must not be waited for without end.
	timed, cancel := context.WithTimeout(ctx, maxAttempt)
	defer cancel()
	t := &tx{ctx: timed, pg: pg, writable: true, shard: shard, known: known}
	defer t.end()
	// An error of fn, too, may rest on what it was told of reports before they were added.
	if err = fn(t); err == nil {
		err = t.flush()
	} else if t.failed == nil {
		_ = t.flushUploads() // it sets failed
	}
	switch {
	case t.replay:
		return errReplay
	case t.failed != nil:
		// The transaction is lost, whatever fn made of the error.
		return retry(ctx, t.failed)
	case err != nil:
		return err
	}
	// A commit that is under way is not stopped: nobody could say how it ended.
	ending, stop := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer stop()
	if err := pg.Commit(ending); err != nil {
		err = fmt.Errorf("committing: %w", err)
		if code := sqlState(err); strings.HasPrefix(code, "40") || strings.HasPrefix(code, "23") {
			return retry(ctx, err)
		}
		return err // the connection or the server broke: it may have been committed
	}
	return nil
}

// retry says whether err, after which nothing was committed, is worth another attempt.
func retry(ctx context.Context, err error) error {
	if e := ctx.Err(); e != nil {
		return e
	}
	var refused *pgconn.PgError
	if !errors.As(err, &refused) {
		if pgconn.SafeToRetry(err) || pgconn.Timeout(err) || isNetwork(err) {
			return &retryError{err}
		}
		return err
	}
	switch refused.Code {
	case "40001", "40P01", // serialization failure, deadlock
		"23505",                   // another transaction added the same row: the next attempt will see it
		"57P01", "57P02", "57P03", // the server shuts down, crashed, starts up
		"55P03", "53300": // lock not available, too many connections
		return &retryError{err}
	}
	return err
}

func sqlState(err error) string {
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		return refused.Code
	}
	return ""
}

func (s *Store) observe(name string, err *error) func() {
	if s.opts.Observe == nil {
		return func() {}
	}
	start := time.Now()
	return func() { s.opts.Observe(name, time.Since(start), *err) }
}

type reportKey struct {
	task dap.TaskID
	id   dap.ReportID
}
