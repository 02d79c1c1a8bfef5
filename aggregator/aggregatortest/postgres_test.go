package aggregatortest_test

import (
	"errors"
	"fmt"
	"os"
	"testing"

	"candor/aggregator/pgstore"
	"candor/aggregator/store"
	"candor/aggregator/storetest"
	"candor/schema/dap"
)

// TestPostgresModel plays the histories of TestModel on PostgreSQL, each on databases of its own.
func TestPostgresModel(t *testing.T) {
	runs := 100
	switch {
	case testing.Short():
		t.Skip("starts a PostgreSQL server")
	case os.Getenv("CANDOR_TEST_LONG") != "":
		runs = 2000
	}
	databases := storetest.StartPostgres(t).Databases(t)
	seeds := []uint64{*oneSeed}
	if *oneSeed == 0 {
		seeds = seeds[:0]
		for seed := range runs {
			seeds = append(seeds, uint64(seed+1))
		}
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			playModel(t, seed, func(dap.Role) store.Store { return openPostgres(t, databases(t)) })
		})
	}
}

func openPostgres(t testing.TB, url string) store.Store {
	t.Helper()
	s, err := pgstore.Open(t.Context(), url, pgstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestPostgresKilled is TestKilled on PostgreSQL, whose server is stopped and killed as well.
func TestPostgresKilled(t *testing.T) {
	rounds := 2
	switch {
	case testing.Short():
		t.Skip("starts a PostgreSQL server, and kills processes for some seconds")
	case os.Getenv("CANDOR_TEST_LONG") != "":
		rounds = 10
	}
	server := storetest.StartPostgres(t)
	for i := range rounds {
		t.Run(fmt.Sprint("round ", i), func(t *testing.T) {
			end := server.Kill
			disturb := func() {
				if err := errors.Join(end(), server.Start()); err != nil {
					t.Errorf("restarting the server: %v", err)
				}
				end = server.Stop
			}
			if server.Data() == "" {
				disturb = nil // the server is not ours to restart
			}
			killRound(t, uint64(i), 10, [2]string{server.NewDatabase(t), server.NewDatabase(t)}, disturb)
		})
	}
}
