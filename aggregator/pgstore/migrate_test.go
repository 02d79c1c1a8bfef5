package pgstore_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"candor/aggregator/pgstore"
	"candor/aggregator/store"
	"candor/aggregator/storetest"
)

// later is a program with more migrations than this one.
func later(t *testing.T, statements ...string) (files fstest.MapFS, version int) {
	t.Helper()
	files = fstest.MapFS{}
	names, err := fs.Glob(pgstore.Migrations(), "*.sql")
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		text, err := fs.ReadFile(pgstore.Migrations(), name)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = &fstest.MapFile{Data: text}
	}
	version = len(names)
	for _, statement := range statements {
		version++
		files[fmt.Sprintf("%05d_later.sql", version)] = &fstest.MapFile{Data: []byte("-- +goose Up\n" + statement + ";\n")}
	}
	return files, version
}

func openAs(t *testing.T, url string, files fs.FS) store.Store {
	t.Helper()
	s, err := pgstore.OpenAs(t.Context(), url, pgstore.Options{}, files)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A rolling restart: processes of a version serve while the first of the next one migrates the tables, and both serve after it, also when one of the older
// version is started once more.
func TestRollingRestart(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a server")
	}
	url := storetest.StartPostgres(t).NewDatabase(t)
	newer, _ := later(t, "ALTER TABLE reports ADD COLUMN origin text NOT NULL DEFAULT ''", "CREATE TABLE origins (name text PRIMARY KEY)")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var wg sync.WaitGroup
	counts := make([]int, 3)
	serve := func(i int, s store.Store) {
		wg.Go(func() {
			for ctx.Err() == nil {
				n := i<<18 + counts[i]
				if err := s.Update(ctx, "upload", func(tx store.Tx) error { return tx.AddReport(task, report(n)) }); err != nil {
					if ctx.Err() == nil {
						t.Errorf("process %d: %v", i, err)
					}
					return
				}
				counts[i]++
				job := store.AggregationJob{ID: [16]byte{byte(i), byte(n >> 8), byte(n), 1}, Task: task, Request: []byte("request")}
				err := s.Update(ctx, "create", func(tx store.Tx) error {
					job.Reports = nil
					reports, err := tx.UnassignedReports(task, time.Now(), 3)
					for _, r := range reports {
						job.Reports = append(job.Reports, r.ID)
					}
					return errors.Join(err, tx.AddAggregationJob(job))
				})
				if err == nil {
					err = s.Update(ctx, "finish", func(tx store.Tx) error { return aggregate(tx, job) })
				}
				if err != nil && ctx.Err() == nil {
					t.Errorf("process %d: %v", i, err)
				}
			}
		})
	}
	old := place(url).Open(t)
	defer old.Close()
	serve(0, old)
	time.Sleep(300 * time.Millisecond)
	first := openAs(t, url, newer)
	defer first.Close()
	serve(1, first)
	time.Sleep(300 * time.Millisecond)
	again := place(url).Open(t)
	defer again.Close()
	serve(2, again)
	time.Sleep(300 * time.Millisecond)
	stop()
	wg.Wait()
	sum := storetest.CheckInvariants(t, again)
	for i, n := range counts {
		if n == 0 {
			t.Errorf("process %d did nothing", i)
		}
	}
	t.Logf("%v reports by each, %d aggregated", counts, sum.Reports.Aggregated)
}

// Tables that a later program has changed too far are refused, with a sentence that says what to do.
func TestTooNew(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a server")
	}
	server := storetest.StartPostgres(t)
	_, version := later(t)
	for _, c := range []struct {
		name, statement, want string
	}{
		{"suits", "CREATE TABLE more (n bigint)", ""},
		{"taken away", fmt.Sprintf("UPDATE compatibility SET oldest = %d", version+1),
			fmt.Sprintf("its schema version is %d, newer than this program's %d, and suits programs from %d on; use the program that brought it there, or a later one", version+1, version, version+1)},
		{"does not say", "DROP TABLE compatibility", fmt.Sprintf("its schema version is %d, newer than this program's %d, and does not say which programs it suits", version+1, version)},
	} {
		t.Run(c.name, func(t *testing.T) {
			url := server.NewDatabase(t)
			files, _ := later(t, c.statement)
			openAs(t, url, files).Close()
			s, err := pgstore.Open(t.Context(), url, pgstore.Options{})
			if err == nil {
				s.Close()
			}
			switch {
			case c.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}
