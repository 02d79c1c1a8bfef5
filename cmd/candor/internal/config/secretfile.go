package config

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"

	"candor/aggregator/sealstore"
)

// The kinds of secret file: what `candor keys generate` makes, and what a sealed file says it is.
const (
	kindIdentity = "identity"
	kindHPKE     = "hpke"
	kindPair     = "pair"
	kindRelease  = "release"
	kindToken    = "token" // also the verify key of a plain DAP task
)

// An opener reads the secret files of one server: those in the clear as they are, sealed ones with the keys of its store. These are fetched when the first sealed file is
// met, and anew when one needs another key, because they may have been changed since. A nil opener has no keys. It is safe for concurrent use.
type opener struct {
	config string // path of the server's configuration

	mu   sync.Mutex // guards keys, and lets one fetch at a time
	keys []*sealstore.WrappingKey
}

// read returns the content of a secret file of a kind. Errors never quote it.
func (o *opener) read(ctx context.Context, kind, path string) ([]byte, error) {
	text, err := readFile(path)
	if err != nil || !sealstore.IsKeyFile(text) {
		return text, err
	}
	f, err := sealstore.ParseKeyFile(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	key, err := o.key(ctx, f.StoreKey)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	secret, err := key.OpenFile(f, kind, filepath.Base(path))
	switch {
	case err == nil:
		return secret, nil
	case f.Kind != kind:
		return nil, fmt.Errorf("%s: it was sealed as a file of kind %s, and one of kind %s is needed here", path, f.Kind, kind)
	case f.Name != filepath.Base(path):
		return nil, fmt.Errorf("%s: it was sealed under the name %s: give it that name again", path, f.Name)
	}
	return nil, fmt.Errorf("%s: %w", path, err)
}

// key returns the store key of an ID.
func (o *opener) key(ctx context.Context, id string) (*sealstore.WrappingKey, error) {
	if o == nil {
		return nil, fmt.Errorf("it is sealed under the store key %s of a server: only commands that are given that server's configuration open it", id)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if k := find(o.keys, id); k != nil {
		return k, nil
	}
	a, err := LoadAggregator(o.config)
	if err != nil {
		return nil, err
	}
	keys, err := a.StoreKeys(ctx)
	if err != nil {
		return nil, err
	}
	o.keys = keys
	if k := find(keys, id); k != nil {
		return k, nil
	}
	given := "is none"
	if len(keys) > 0 {
		ids := make([]string, len(keys))
		for i, k := range keys {
			ids[i] = k.ID()
		}
		given = "gives " + strings.Join(ids, " and ")
	}
	return nil, fmt.Errorf("it is sealed under the store key %s, and store_key %s: put the key with that ID back as store_key or store_key_before in %s", id, given, o.config)
}

func find(keys []*sealstore.WrappingKey, id string) *sealstore.WrappingKey {
	for _, k := range keys {
		if k.ID() == id {
			return k
		}
	}
	return nil
}

// WriteSecret writes a new secret file of a kind that only its owner can read, sealed if the server has a store key. It never overwrites.
func (a *Aggregator) WriteSecret(ctx context.Context, kind, path string, text []byte) error {
	keys, err := a.StoreKeys(ctx)
	if err != nil {
		return err
	}
	if len(keys) > 0 {
		f, err := keys[0].SealFile(kind, filepath.Base(path), text)
		if err != nil {
			return err
		}
		text = f.Encode()
	}
	return WriteSecret(path, text)
}
