package pgstore_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"candor/aggregator/pgstore"
	"candor/aggregator/store"
	"candor/aggregator/storetest"
)

// A place is a database.
type place string

func (p place) Open(t testing.TB) store.Store {
	t.Helper()
	s, err := pgstore.Open(t.Context(), string(p), pgstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Crash returns the same database: it does not know what happens to a client.
func (p place) Crash(testing.TB) storetest.Place { return p }

// places returns a function that gives empty databases to tests. Those that a test leaves are emptied for another: much faster than a new one.
func places(t *testing.T) func(testing.TB) storetest.Place {
	t.Helper()
	server := storetest.StartPostgres(t)
	var mu sync.Mutex
	var free []place
	return func(test testing.TB) storetest.Place {
		mu.Lock()
		defer mu.Unlock()
		var p place
		if n := len(free); n > 0 {
			p, free = free[n-1], free[:n-1]
		} else {
			p = place(server.NewDatabase(t))
		}
		test.Cleanup(func() {
			if err := p.empty(); err != nil {
				test.Errorf("emptying the database: %v", err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			free = append(free, p)
		})
		return p
	}
}

func (p place) empty() error {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, string(p))
	if err != nil {
		return err
	}
	// The tables are small: TRUNCATE would make new files for each.
	_, err = conn.Exec(ctx, `DO $$ DECLARE name text; BEGIN
		FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename NOT IN ('goose_db_version', 'compatibility') LOOP
			EXECUTE 'DELETE FROM ' || quote_ident(name);
		END LOOP;
	END $$`)
	return errors.Join(err, conn.Close(ctx))
}

func TestContract(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute; TestSmoke does not")
	}
	storetest.Run(t, places(t))
}
