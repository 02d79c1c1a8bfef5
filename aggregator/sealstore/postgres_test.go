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
	"testing"

	"github.com/jackc/pgx/v5"

	"candor/aggregator/pgstore"
	"candor/aggregator/store"
	"candor/aggregator/storetest"
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
