package sealstore_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"candor/aggregator/pgstore"
	"candor/aggregator/sealstore"
	"candor/aggregator/store"
	"candor/aggregator/storetest"
	"candor/schema/dap"
)

// A database is a place on a server.
type database string

func (d database) beneath(t testing.TB) store.Store {
	t.Helper()
	s, err := pgstore.Open(context.Background(), string(d), pgstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (d database) Open(t testing.TB) store.Store { return seal(t, d.beneath(t), wrapping) }

// Crash returns the same database: it does not know what happens to a client.
func (d database) Crash(testing.TB) storetest.Place { return d }

// TestContractPostgres: a sealed database is a store.
func TestContractPostgres(t *testing.T) {
	if testing.Short() {
		t.Skip("takes minutes")
	}
	server := storetest.StartPostgres(t)
	storetest.Run(t, func(t testing.TB) storetest.Place { return database(server.NewDatabase(t)) })
}

// TestNoSecretInDatabase searches the files of a database server, its write-ahead log and a dump for every secret. Without sealing each is found in every one of them.
func TestNoSecretInDatabase(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a server")
	}
	for name, sealed := range map[string]bool{"sealed": true, "plain": false} {
		t.Run(name, func(t *testing.T) {
			server := storetest.StartPostgres(t)
			if server.Data() == "" {
				t.Skip("the server is somebody else's: its files cannot be read")
			}
			d := database(server.NewDatabase(t))
			s := d.beneath(t)
			if sealed {
				s = seal(t, s, wrapping)
			}
			update(t, s, fill)
			places := map[string][]byte{"dump": dump(t, string(d))}
			if err := errors.Join(s.Close(), checkpoint(string(d))); err != nil {
				t.Fatal(err)
			}
			err := filepath.WalkDir(server.Data(), func(path string, e fs.DirEntry, err error) error {
				if err != nil || !e.Type().IsRegular() {
					return err
				}
				text, err := os.ReadFile(path)
				if errors.Is(err, fs.ErrNotExist) {
					return nil // it was temporary
				}
				kind := "files"
				if strings.Contains(path, "/pg_wal/") {
					kind = "write-ahead log"
				}
				places[kind] = append(places[kind], text...)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			for place, text := range places {
				for _, want := range secrets {
					part := secret(want)[:16]
					if found := bytes.Contains(text, part) || bytes.Contains(text, []byte(hex.EncodeToString(part))); found == sealed {
						t.Errorf("%s: in the %s: %v", want, place, found)
					}
				}
			}
		})
	}
}

// checkpoint makes the server write its tables to their files.
func checkpoint(url string) error {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, "CHECKPOINT")
	return errors.Join(err, conn.Close(ctx))
}

// dump returns what pg_dump writes: byte strings are in hexadecimal there.
func dump(t *testing.T, url string) []byte {
	t.Helper()
	program, err := exec.LookPath("pg_dump")
	if err != nil {
		found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/pg_dump") // the pattern is well-formed
		if len(found) == 0 {
			t.Fatal("there is no pg_dump beside the server")
		}
		program = found[len(found)-1]
	}
	text, err := exec.Command(program, "--inserts", url).Output()
	if err != nil {
		t.Fatalf("pg_dump: %v", err)
	}
	return text
}

// An Update that began before a rekeying and ends late seals under a key of before: that key must not be destroyed until its rows are sealed again.
func TestRekeyWaitsForUpdates(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a server")
	}
	d := database(storetest.StartPostgres(t).NewDatabase(t))
	beneath := d.beneath(t)
	defer beneath.Close()
	server := seal(t, beneath, wrapping)
	// Rows of another kind than that of the Update, so that the database has no reason of its own to undo that.
	update(t, server, func(tx store.Tx) error {
		return tx.PutStatement(store.Statement{Task: task, Text: secret("statement"), Created: now})
	})
	sealed, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	updated, rekeyed := make(chan error, 1), make(chan error, 1)
	go func() {
		updated <- server.Update(t.Context(), "upload", func(tx store.Tx) error {
			err := tx.AddReport(task, store.Report{ID: reportID(3), Time: 7, Encoded: secret("report 3")})
			once.Do(func() { close(sealed) })
			<-release
			return err
		})
	}()
	<-sealed
	go func() {
		_, err := seal(t, beneath, wrapping).Rekey(t.Context(), func(uint64) {})
		rekeyed <- err
	}()
	select {
	case err := <-rekeyed:
		t.Errorf("the rekeying ended during an Update: %v", err)
		rekeyed <- err
	case <-time.After(500 * time.Millisecond):
	}
	close(release)
	if err := errors.Join(<-updated, <-rekeyed); err != nil {
		t.Fatal(err)
	}
	found := false
	for _, r := range records(t, seal(t, beneath, wrapping)) {
		r, ok := r.(store.ReportRecord)
		found = found || ok && r.ID == reportID(3) && bytes.Equal(r.Encoded, secret("report 3"))
	}
	if !found {
		t.Error("the report is lost")
	}
}

// A row under a key that is not there is found as such, though the database cannot be asked for the key while it hands out rows.
func TestMissingKeyInDatabase(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a server")
	}
	beneath := database(storetest.StartPostgres(t).NewDatabase(t)).beneath(t)
	defer beneath.Close()
	update(t, seal(t, beneath, wrapping), fill)
	update(t, beneath, func(tx store.Tx) error { return tx.DeleteKey(task, keyIDs(t, beneath)[0]) })
	s := seal(t, beneath, wrapping)
	for what, read := range map[string]func(store.Tx) error{
		"all rows": func(tx store.Tx) error { return tx.Records(func(store.Record) error { return nil }) },
		"buckets": func(tx store.Tx) error {
			_, err := tx.Buckets(task, store.Batch{Interval: dap.Interval{Start: 7, Duration: 1}}, storetest.Sum)
			return err
		},
	} {
		if err := s.View(t.Context(), "test", read); !errors.Is(err, sealstore.ErrAltered) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
