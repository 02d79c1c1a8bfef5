package boltstore_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"candor/aggregator/boltstore"
	"candor/aggregator/store"
	"candor/schema/dap"
)

func open(t testing.TB, path string) *boltstore.Store {
	t.Helper()
	s, err := boltstore.Open(path, boltstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestOpenCreatesPrivateFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	open(t, path)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != 0o600 {
		t.Errorf("mode %v, want 0600", got)
	}
}

func TestOpenNamesTheHolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	open(t, path)
	start := time.Now()
	_, err := boltstore.Open(path, boltstore.Options{LockTimeout: 50 * time.Millisecond})
	if err == nil {
		t.Fatal("opened twice")
	}
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("refused after %v, want about 50 ms", took)
	}
	if _, e := os.Stat("/proc/locks"); e == nil {
		if want := fmt.Sprintf("by this process (pid %d)", os.Getpid()); !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not say %q", err, want)
		}
	}
	if !strings.Contains(err.Error(), path) {
		t.Errorf("error %q does not name the file", err)
	}
}

func TestOpenRefusesOtherFiles(t *testing.T) {
	dir := t.TempDir()
	bolt := func(name string, fill func(*bbolt.Tx) error) string {
		path := filepath.Join(dir, name)
		db, err := bbolt.Open(path, 0o600, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(db.Update(fill), db.Close()); err != nil {
			t.Fatal(err)
		}
		return path
	}
	schema := func(version uint32) func(*bbolt.Tx) error {
		return func(tx *bbolt.Tx) error {
			b, err := tx.CreateBucket([]byte("meta"))
			if err != nil {
				return err
			}
			return b.Put([]byte("schema"), binary.BigEndian.AppendUint32(nil, version))
		}
	}
	text := filepath.Join(dir, "text")
	if err := os.WriteFile(text, []byte(strings.Repeat("not a database\n", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ path, want string }{
		{bolt("newer", schema(boltstore.SchemaVersion+1)), fmt.Sprintf("schema version is %d, newer than this program's %d", boltstore.SchemaVersion+1, boltstore.SchemaVersion)},
		{bolt("zero", schema(0)), "schema version is 0, unknown to this program"},
		{bolt("foreign", func(tx *bbolt.Tx) error { _, err := tx.CreateBucket([]byte("cats")); return err }), "not a Candor store"},
		{text, "not a bbolt file"},
		{filepath.Join(dir, "no", "such", "directory"), "no such file or directory"},
	} {
		before, _ := os.ReadFile(c.path)
		s, err := boltstore.Open(c.path, boltstore.Options{})
		if err == nil {
			s.Close()
			t.Errorf("%s: opened", c.path)
			continue
		}
		if !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.path) {
			t.Errorf("error %q, want it to say %q and name the file", err, c.want)
		}
		if after, _ := os.ReadFile(c.path); string(after) != string(before) {
			t.Errorf("%s: refused, but changed", c.path)
		}
	}
}

func TestClosed(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "s.db"))
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Fatal(err)
	}
	for name, run := range map[string]func(context.Context, string, func(store.Tx) error) error{"View": s.View, "Update": s.Update} {
		err := run(t.Context(), "test", func(store.Tx) error { t.Errorf("%s ran after Close", name); return nil })
		if !errors.Is(err, boltstore.ErrClosed) {
			t.Errorf("%s after Close: %v, want ErrClosed", name, err)
		}
	}
}

func TestReopen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	s := open(t, path)
	task, id := dap.TaskID{1}, dap.ReportID{2}
	add := func(tx store.Tx) error { return tx.AddReport(task, store.Report{ID: id, Encoded: []byte("report")}) }
	if err := errors.Join(s.Update(t.Context(), "add", add), s.Close()); err != nil {
		t.Fatal(err)
	}
	s = open(t, path)
	if err := s.Update(t.Context(), "add", add); !errors.Is(err, store.ErrConflict) {
		t.Errorf("adding the same report after reopening: %v, want ErrConflict", err)
	}
}

func TestObserve(t *testing.T) {
	var names []string
	s, err := boltstore.Open(filepath.Join(t.TempDir(), "s.db"), boltstore.Options{Observe: func(name string, elapsed time.Duration, err error) {
		names = append(names, fmt.Sprint(name, " ", elapsed > 0, " ", err))
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	_ = s.View(t.Context(), "look", func(store.Tx) error { return nil })
	_ = s.Update(t.Context(), "change", func(store.Tx) error { return errors.New("no") })
	if got, want := strings.Join(names, ", "), "look true <nil>, change true no"; got != want {
		t.Errorf("observed %q, want %q", got, want)
	}
}
