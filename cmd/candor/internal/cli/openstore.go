package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"candor/aggregator"
	"candor/aggregator/boltstore"
	"candor/aggregator/pgstore"
	"candor/aggregator/sealstore"
	"candor/aggregator/store"
	"candor/cmd/candor/internal/care"
	"candor/cmd/candor/internal/config"
)

// waitForDatabase is how long a server that starts waits for its database to start as well.
const waitForDatabase = 15 * time.Second

// openStore opens the store that the configuration at path names, for a server, and what is sealed in it. A bbolt file belongs to this process alone, which takes
// over the jobs of the one before at once; in a database other processes may be at work, and the jobs of one that died wait for their leases to end.
func openStore(ctx context.Context, path string, cfg *config.Aggregator, m *aggregator.StoreMetrics) (s care.Store, err error) {
	beneath, err := openBeneath(ctx, cfg.Store, m)
	if err != nil {
		return s, err
	}
	if bolt, ok := beneath.(*boltstore.Store); ok {
		if err := bolt.FreeLeases(ctx); err != nil {
			return s, errors.Join(err, bolt.Close())
		}
	}
	if s, err = openCare(ctx, beneath, path, cfg); err != nil {
		return s, errors.Join(err, beneath.Close())
	}
	return s, nil
}

// openBeneath opens a store as it is on the disk. One that was not restored to its end is refused.
func openBeneath(ctx context.Context, name string, m *aggregator.StoreMetrics) (store.Store, error) {
	s, err := openAny(ctx, name, m)
	if err != nil {
		return nil, err
	}
	if err := care.Usable(ctx, s); err != nil {
		return nil, errors.Join(fmt.Errorf("opening store %s: %w", config.HidePassword(name), err), s.Close())
	}
	return s, nil
}

// openAny opens a store in whatever state it is. m may be nil.
func openAny(ctx context.Context, name string, m *aggregator.StoreMetrics) (store.Store, error) {
	if config.IsPostgres(name) {
		s, err := pgstore.Open(ctx, name, pgstore.Options{Wait: waitForDatabase, Observe: m.Observe, Retried: m.Retried})
		if err != nil {
			return nil, withHint(err, "docs/operations.md says what the database needs; `psql` with the same URL shows whether it can be reached")
		}
		return s, nil
	}
	return boltstore.Open(name, boltstore.Options{Observe: m.Observe})
}

// unseal returns the store whose secrets the key of the configuration at path opens, or beneath itself if it is in the clear.
func unseal(ctx context.Context, beneath store.Store, path string, cfg *config.Aggregator) (store.Store, error) {
	keys, err := cfg.StoreKeys(ctx)
	if err != nil {
		return nil, err
	}
	if len(keys) == 0 {
		sealed, err := sealstore.Sealed(ctx, beneath)
		if err != nil {
			return nil, err
		}
		if sealed {
			return nil, withHint(errors.New("opening the store: it is sealed, and store_key is none"), "write store_key: file:store.key, or where its key is, into %s", path)
		}
		return beneath, nil
	}
	s, err := sealstore.Open(ctx, sealstore.Config{Store: beneath, Keys: keys, Reload: func(ctx context.Context) ([]*sealstore.WrappingKey, error) {
		now, err := config.LoadAggregator(path)
		if err != nil {
			return nil, err
		}
		return now.StoreKeys(ctx)
	}})
	switch {
	case err == nil:
		return s, nil
	case errors.Is(err, sealstore.ErrPlain):
		err = withHint(fmt.Errorf("opening the store: %w, and store_key is set", err),
			"stop the server; candor store backup --config %[1]s -o plain.backup; move the store away; candor store restore --config %[1]s plain.backup --yes; then destroy both", path)
	case errors.Is(err, sealstore.ErrWrongKey):
		err = withHint(fmt.Errorf("opening the store: %w", err), "put the key with that ID back as store_key or as store_key_before in %s; `candor keys generate store` printed the IDs", path)
	default:
		err = fmt.Errorf("opening the store: %w", err)
	}
	return nil, err
}
