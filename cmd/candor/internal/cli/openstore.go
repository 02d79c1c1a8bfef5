package cli

import (
	"context"
	"fmt"

	"candor/aggregator/boltstore"
	"candor/aggregator/store"
	"candor/cmd/candor/internal/config"
)

// openStore opens the store that a configuration names.
func openStore(_ context.Context, name string) (store.Store, error) {
	if config.IsPostgres(name) {
		return nil, fmt.Errorf("opening store %s: this build keeps its store in a bbolt file only", name)
	}
	return boltstore.Open(name, boltstore.Options{})
}
