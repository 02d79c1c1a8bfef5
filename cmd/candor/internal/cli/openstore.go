package cli

import (
	"context"
	"errors"

	"candor/aggregator/boltstore"
	"candor/aggregator/pgstore"
	"candor/aggregator/store"
	"candor/cmd/candor/internal/config"
)

// openStore opens the store that a configuration names, for a server. A bbolt file belongs to this process alone, which takes over the jobs of the one before
// at once; in a database other processes may be at work, and the jobs of one that died wait for their leases to end.
func openStore(ctx context.Context, name string) (store.Store, error) {
	if config.IsPostgres(name) {
		s, err := pgstore.Open(ctx, name, pgstore.Options{})
		if err != nil {
			return nil, withHint(err, "docs/operations.md says what the database needs; `psql` with the same URL shows whether it can be reached")
		}
		return s, nil
	}
	s, err := boltstore.Open(name, boltstore.Options{})
	if err != nil {
		return nil, err
	}
	if err := s.FreeLeases(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}
