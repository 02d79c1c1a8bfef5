package care_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"candor/aggregator"
	"candor/aggregator/aggregatortest"
	"candor/aggregator/boltstore"
	"candor/aggregator/pgstore"
	"candor/aggregator/sealstore"
	"candor/aggregator/store"
	"candor/aggregator/storefile"
	"candor/aggregator/storetest"
	"candor/cmd/candor/internal/care"
	"candor/crypto/prio3"
	"candor/crypto/sign"
	"candor/schema/dap"
)

var keys = map[dap.Role]*sealstore.WrappingKey{dap.Leader: sealstore.NewWrappingKey([32]byte{1}), dap.Helper: sealstore.NewWrappingKey([32]byte{2})}

func nothing(uint64) {}

// openBolt opens the bbolt file at path.
func openBolt(t testing.TB, path string) store.Store {
	t.Helper()
	s, err := boltstore.Open(path, boltstore.Options{UnsafeNoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// sealed opens a sealed store for care.
func sealed(ctx context.Context, beneath store.Store, key *sealstore.WrappingKey) (care.Store, error) {
	s, err := sealstore.Open(ctx, sealstore.Config{Store: beneath, Keys: []*sealstore.WrappingKey{key}})
	return care.Store{Beneath: beneath, Opened: s, Sealed: s}, err
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// A drill: both servers of a round are backed up, their stores destroyed and restored, as a file and as a database, and the batch is collected: the statements
// are byte for byte those that the servers would have made. With another release key, which is in no backup, they are not.
func TestDrill(t *testing.T) {
	c := aggregatortest.NewCoalition(t, 12, 2, nil)
	options := c.Options
	options.Keys, options.Tasks = c.Keys, c.Tasks
	files := map[dap.Role]string{}
	stores := map[dap.Role]care.Store{}
	options.Wrap = func(role dap.Role, _ store.Store) store.Store {
		files[role] = filepath.Join(t.TempDir(), "store.db")
		stores[role] = must(sealed(t.Context(), openBolt(t, files[role]), keys[role]))(t)
		return stores[role].Opened
	}
	c.Deployment = aggregatortest.New(t, options)
	c.SendAll(0, 12)
	c.CloseWindow()
	c.Settle(5)
	backups := map[dap.Role][]byte{}
	for role, s := range stores {
		var b bytes.Buffer
		if err := s.Backup(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
		backups[role] = b.Bytes()
	}
	collect := func() (figures []int64, statements map[dap.Role][]byte) {
		figures, _, err := c.Figures()
		if err != nil {
			t.Fatal(err)
		}
		statements = map[dap.Role][]byte{}
		for role, s := range map[dap.Role]store.Store{dap.Leader: c.LeaderStore, dap.Helper: c.HelperStore} {
			err := s.View(t.Context(), "test", func(tx store.Tx) error {
				statement, err := tx.Statement(c.Task.ID)
				statements[role] = statement.Text
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		return figures, statements
	}
	wantFigures, want := collect()
	for role, s := range stores {
		if err := errors.Join(s.Opened.Close(), os.Remove(files[role])); err != nil {
			t.Fatal(err)
		}
	}
	again := func(fresh func(testing.TB) store.Store) ([]int64, map[dap.Role][]byte) {
		options.Wrap = func(role dap.Role, _ store.Store) store.Store {
			beneath := fresh(t)
			open := func(ctx context.Context) (care.Store, error) { return sealed(ctx, beneath, keys[role]) }
			report, err := care.Restore(t.Context(), beneath, bytes.NewReader(backups[role]), open, nothing)
			if err != nil || len(report.Problems) > 0 || !report.Sealed || report.Tasks != 1 {
				t.Fatalf("restoring the %s: %+v, %v", role, report, err)
			}
			if err := care.Usable(t.Context(), beneath); err != nil {
				t.Fatal(err)
			}
			return must(open(t.Context()))(t).Opened
		}
		c.Deployment = aggregatortest.New(t, options)
		return collect()
	}
	bolt := func(t testing.TB) store.Store { return openBolt(t, filepath.Join(t.TempDir(), "restored.db")) }
	kinds := map[string]func(testing.TB) store.Store{"bbolt": bolt}
	if !testing.Short() {
		server := storetest.StartPostgres(t)
		kinds["PostgreSQL"] = func(t testing.TB) store.Store {
			s := must(pgstore.Open(context.Background(), server.NewDatabase(t), pgstore.Options{}))(t)
			t.Cleanup(func() { _ = s.Close() })
			return s
		}
	}
	for kind, fresh := range kinds {
		figures, statements := again(fresh)
		if !slices.Equal(figures, wantFigures) {
			t.Errorf("%s: figures %v, were %v", kind, figures, wantFigures)
		}
		for role, text := range statements {
			if !bytes.Equal(text, want[role]) {
				t.Errorf("%s: statement of the %s\n%s\nwas\n%s", kind, role, text, want[role])
			}
		}
	}

	rules := [2]*aggregator.Round{}
	for role, identity := range map[int]*sign.PrivateKey{prio3.Leader: c.Coalition.Leader, prio3.Helper: c.Coalition.Helper} {
		rules[role] = must(aggregator.NewRound(c.Document, 0, identity, aggregator.NewReleaseKey([32]byte{99}), "test"))(t)
	}
	options.Keys.Rules[c.Task.ID] = rules
	if _, statements := again(bolt); bytes.Equal(statements[dap.Helper], want[dap.Helper]) {
		t.Error("with another release key the statement is the same")
	}
}

// TestRestoreRefuses: what is not restored leaves a store that is empty, or that says it is not whole.
func TestRestoreRefuses(t *testing.T) {
	ctx := t.Context()
	key, other := keys[dap.Leader], keys[dap.Helper]
	source := must(sealed(ctx, openBolt(t, filepath.Join(t.TempDir(), "source.db")), key))(t)
	err := source.Opened.Update(ctx, "test", func(tx store.Tx) error {
		for n := range 1200 {
			if err := tx.AddReport(dap.TaskID{1}, store.Report{ID: dap.ReportID{byte(n >> 8), byte(n)}, Time: 1, Encoded: []byte("body")}); err != nil {
				return err
			}
		}
		return nil
	})
	var backup bytes.Buffer
	if err := errors.Join(err, source.Backup(ctx, &backup)); err != nil {
		t.Fatal(err)
	}
	restore := func(beneath store.Store, key *sealstore.WrappingKey, in io.Reader) error {
		_, err := care.Restore(ctx, beneath, in, func(ctx context.Context) (care.Store, error) { return sealed(ctx, beneath, key) }, nothing)
		return err
	}
	target := openBolt(t, filepath.Join(t.TempDir(), "target.db"))
	if err := restore(target, other, bytes.NewReader(backup.Bytes())); !errors.Is(err, sealstore.ErrWrongKey) {
		t.Errorf("with another key: %v", err)
	}
	if err := errors.Join(care.Usable(ctx, target), restore(target, key, bytes.NewReader(backup.Bytes()))); err != nil {
		t.Errorf("after it, with the right one: %v", err)
	}
	if err := restore(target, key, bytes.NewReader(backup.Bytes())); !errors.Is(err, care.ErrNotEmpty) {
		t.Errorf("twice: %v", err)
	}
	opened := openBolt(t, filepath.Join(t.TempDir(), "opened.db"))
	must(sealed(ctx, opened, other))(t)
	if err := restore(opened, key, bytes.NewReader(backup.Bytes())); err != nil {
		t.Errorf("into a store that was opened and has nothing: %v", err)
	}
	cut := openBolt(t, filepath.Join(t.TempDir(), "cut.db"))
	if err := restore(cut, key, bytes.NewReader(backup.Bytes()[:backup.Len()*3/4])); !errors.Is(err, storefile.ErrMalformed) {
		t.Errorf("a file that was cut off: %v", err)
	}
	if err := care.Usable(ctx, cut); err == nil {
		t.Error("a store that was restored in part is usable")
	}
	// Without sealing the target must not take what is sealed.
	plain := openBolt(t, filepath.Join(t.TempDir(), "plain.db"))
	_, err = care.Restore(ctx, plain, bytes.NewReader(backup.Bytes()), func(context.Context) (care.Store, error) {
		return care.Store{Beneath: plain, Opened: plain}, nil
	}, nothing)
	if err == nil || care.Usable(ctx, plain) != nil {
		t.Errorf("into a store in the clear: %v", err)
	}
}
