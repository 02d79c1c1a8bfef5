package pgstore_test

import (
	"testing"

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

// places returns a function that gives empty databases to tests.
func places(t *testing.T) func(testing.TB) storetest.Place {
	t.Helper()
	databases := storetest.StartPostgres(t).Databases(t)
	return func(test testing.TB) storetest.Place { return place(databases(test)) }
}

func TestContract(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute; TestSmoke does not")
	}
	storetest.Run(t, places(t))
}
