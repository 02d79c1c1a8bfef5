package pgstore

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"candor/aggregator/store"
	"candor/schema/dap"
)

//go:embed queries/*.sql
var queryFiles embed.FS

// queries are the statements by name, without the comment that is each file's first line.
var queries = func() map[string]string {
	files, err := queryFiles.ReadDir("queries")
	if err != nil {
		panic(fmt.Sprintf("pgstore: internal error: %v", err))
	}
	all := make(map[string]string, len(files))
	for _, f := range files {
		b, err := queryFiles.ReadFile("queries/" + f.Name())
		if err != nil {
			panic(fmt.Sprintf("pgstore: internal error: %v", err))
		}
		_, statement, _ := strings.Cut(string(b), "\n")
		all[strings.TrimSuffix(f.Name(), ".sql")] = statement
	}
	return all
}()

var (
	errReadOnly = errors.New("pgstore: a View cannot write")
	errReplay   = errors.New("pgstore: to be run again")
)

// A tx implements [store.Tx].
type tx struct {
	ctx      context.Context // of the Update or View: the methods of store.Tx take none
	pg       pgx.Tx
	writable bool
	ended    bool
	failed   error // the first error of the database: after it the transaction does nothing more
	shard    int

	// Reports are added all at once, as if none were known. If some are, the function is run again with that knowledge.
	known   map[reportKey]bool // from runs before: these the store has
	added   map[reportKey]bool // by this run
	assumed map[dap.TaskID][]dap.ReportID
	uploads map[dap.TaskID]*uploads
	replay  bool

	counts map[countKey]*store.Progress // not yet written
}

// An uploads is a set of reports to be added, as arrays.
type uploads struct {
	ids, times, bodies [][]byte
	notBefore          []time.Time
}

var _ store.Tx = (*tx)(nil)

// end rolls back unless there was a commit.
func (t *tx) end() {
	t.ended = true
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.ctx), 10*time.Second)
	defer cancel()
	_ = t.pg.Rollback(ctx) // an error means that the connection is gone, and the transaction with it
}

// check is called first by every method, and finds misuse.
func (t *tx) check(write bool) error {
	if t.ended {
		panic("pgstore: internal error: a Tx was used after its function returned")
	}
	if write && !t.writable {
		return errReadOnly
	}
	return t.failed
}

// checkReports is check for methods that look at reports: it adds those that were put off.
func (t *tx) checkReports(write bool) error {
	if err := t.check(write); err != nil {
		return err
	}
	return t.flushUploads()
}

// flush writes everything that was put off.
func (t *tx) flush() error {
	if t.failed != nil {
		return t.failed
	}
	if err := t.flushUploads(); err != nil {
		return err
	}
	return t.flushCounts()
}

// fail remembers an error of the database and says where it happened.
func (t *tx) fail(name string, err error) error {
	err = fmt.Errorf("query %s: %w", name, err)
	if t.failed == nil {
		t.failed = err
	}
	return err
}

// exec runs a statement and returns the number of rows it changed.
func (t *tx) exec(name string, args ...any) (int, error) {
	tag, err := t.pg.Exec(t.ctx, queries[name], args...)
	if err != nil {
		return 0, t.fail(name, err)
	}
	return int(tag.RowsAffected()), nil
}

// rows runs a query and calls scan for each row. scan's error must be one of rows.Scan.
func (t *tx) rows(name string, scan func(pgx.Rows) error, args ...any) error {
	rows, err := t.pg.Query(t.ctx, queries[name], args...)
	if err != nil {
		return t.fail(name, err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return t.fail(name, err)
		}
	}
	if err := rows.Err(); err != nil {
		return t.fail(name, err)
	}
	return nil
}

// row runs a query of at most one row; false means none.
func (t *tx) row(name string, dest []any, args ...any) (found bool, err error) {
	err = t.rows(name, func(r pgx.Rows) error {
		found = true
		return r.Scan(dest...)
	}, args...)
	return found, err
}

// exists runs a query that returns one boolean.
func (t *tx) exists(name string, args ...any) (yes bool, err error) {
	_, err = t.row(name, []any{&yes}, args...)
	return yes, err
}

// ids runs a query of one column of byte strings.
func (t *tx) ids(name string, args ...any) (ids [][]byte, err error) {
	err = t.rows(name, func(r pgx.Rows) error {
		var id []byte
		ids = append(ids, nil)
		err := r.Scan(&id)
		ids[len(ids)-1] = id
		return err
	}, args...)
	return ids, err
}

// cursor runs a query that may have millions of rows; its statement declares the cursor "rows".
func (t *tx) cursor(name string, scan func(pgx.Rows) error, args ...any) error {
	// A cursor's declaration takes no parameters, so they are written into the text.
	if _, err := t.pg.Exec(t.ctx, queries[name], append([]any{pgx.QueryExecModeSimpleProtocol}, args...)...); err != nil {
		return t.fail(name, err)
	}
	for {
		// Not prepared: what the cursor named rows returns differs from one to the next.
		rows, err := t.pg.Query(t.ctx, "FETCH 1000 FROM rows", pgx.QueryExecModeDescribeExec)
		if err != nil {
			return t.fail(name, err)
		}
		n := 0
		var failed error
		for rows.Next() && failed == nil {
			n++
			failed = scan(rows)
		}
		rows.Close()
		if failed != nil {
			return failed
		}
		if err := rows.Err(); err != nil {
			return t.fail(name, err)
		}
		if n == 0 {
			break
		}
	}
	if _, err := t.pg.Exec(t.ctx, "CLOSE rows"); err != nil {
		return t.fail(name, err)
	}
	return nil
}

// fixed scans a byte string of one length.
type fixed []byte

// ScanBytes implements pgtype.BytesScanner.
func (f fixed) ScanBytes(b []byte) error {
	if len(b) != len(f) {
		return fmt.Errorf("a byte string of %d bytes, want %d; the store is damaged", len(b), len(f))
	}
	copy(f, b)
	return nil
}

// utc scans an instant.
type utc struct{ t *time.Time }

// ScanTimestamptz implements pgtype.TimestamptzScanner.
func (u utc) ScanTimestamptz(v pgtype.Timestamptz) error {
	if !v.Valid {
		return errors.New("a missing time; the store is damaged")
	}
	*u.t = v.Time.UTC()
	return nil
}

// timeBytes is how a time of the protocol is stored.
func timeBytes(t dap.Time) []byte { return []byte(store.TimeBucket(t)) }

// idBytes turns IDs into an array.
func idBytes(ids []dap.ReportID) [][]byte {
	out := make([][]byte, len(ids))
	for i := range ids {
		out[i] = ids[i][:]
	}
	return out
}

// null is b, or nothing if it is empty.
func null(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return b
}

// bound returns the buckets of an interval as a half-open range; false if it has none.
func bound(i dap.Interval) (start, end []byte, ok bool) {
	last, ok := i.End()
	if !ok || i.Duration == 0 {
		return nil, nil, false
	}
	return timeBytes(i.Start), timeBytes(last), true
}
