package cli

import (
	"context"
	"errors"
	"fmt"

	"candor/aggregator/boltstore"
	"candor/aggregator/store"
	"candor/cmd/candor/internal/config"
)

// openStore opens the store that a configuration names, for a server.
func openStore(ctx context.Context, name string) (store.Store, error) {
	if config.IsPostgres(name) {
		return nil, fmt.Errorf("opening store %s: this build keeps its store in a bbolt file only", name)
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
