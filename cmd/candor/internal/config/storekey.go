package config

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"candor/aggregator/sealstore"
)

// NoStoreKey as store_key leaves the rows of a store in the clear.
const NoStoreKey = "none"

// storeKeyTimeout bounds how long the command of a store key may take.
const storeKeyTimeout = 30 * time.Second

// checkStoreKey says what is wrong with the form of a source of a store key, or nothing.
func checkStoreKey(source string) string {
	kind, rest, _ := strings.Cut(source, ":")
	switch {
	case source == "":
		return "is required: make a key with `candor keys generate store store.key` and write file:store.key here, or none to keep the store in the clear"
	case source == NoStoreKey:
		return ""
	case kind != "file" && kind != "env" && kind != "exec":
		return "is neither file:PATH, env:NAME, exec:COMMAND nor none"
	case strings.TrimSpace(rest) == "":
		return "names nothing behind " + kind + ":"
	}
	return ""
}

// resolveStoreKey makes the path of a file: source start at the directory of the configuration.
func resolveStoreKey(config, source string) string {
	if path, ok := strings.CutPrefix(source, "file:"); ok {
		return "file:" + resolve(config, path)
	}
	return source
}

// StoreKeys reads the wrapping keys of the store: first the present one, then the one before, if there is one. None means that the store is in the clear.
func (a *Aggregator) StoreKeys(ctx context.Context) ([]*sealstore.WrappingKey, error) {
	if a.StoreKey == NoStoreKey {
		return nil, nil
	}
	var keys []*sealstore.WrappingKey
	for _, s := range []struct{ name, source string }{{"store_key", a.StoreKey}, {"store_key_before", a.StoreKeyBefore}} {
		if s.source == "" {
			continue
		}
		secret, err := loadStoreKey(ctx, s.source)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", s.name, err)
		}
		keys = append(keys, sealstore.NewWrappingKey(secret))
	}
	return keys, nil
}

// storeKeyFile returns the path of the store key, if it is a file.
func (a *Aggregator) storeKeyFile() (path string, ok bool) {
	return strings.CutPrefix(a.StoreKey, "file:")
}

// LoadStoreKey reads the wrapping key of a file, as `candor keys generate store` makes it.
func LoadStoreKey(path string) (*sealstore.WrappingKey, error) {
	secret, err := loadStoreKey(context.Background(), "file:"+path)
	if err != nil {
		return nil, fmt.Errorf("reading the store key: %w", err)
	}
	return sealstore.NewWrappingKey(secret), nil
}

// loadStoreKey reads the 32 bytes of a store key. Errors never quote what was read.
func loadStoreKey(ctx context.Context, source string) (secret [32]byte, err error) {
	kind, rest, _ := strings.Cut(source, ":")
	var text []byte
	switch kind {
	case "file":
		text, err := readFile(rest)
		if err != nil {
			return secret, err
		}
		return parse32(rest, text)
	case "env":
		value, ok := os.LookupEnv(rest)
		if !ok {
			return secret, fmt.Errorf("the environment variable %s is not set", rest)
		}
		text = []byte(value)
	case "exec":
		if text, err = runStoreKey(ctx, strings.Fields(rest)); err != nil {
			return secret, err
		}
	default:
		return secret, fmt.Errorf("%q is no source of a key", kind)
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(b) != len(secret) {
		return secret, fmt.Errorf("%s does not give one line of 32 bytes in base64url", source)
	}
	return [32]byte(b), nil
}

// runStoreKey runs a command, without a shell, and returns what it writes to its standard output.
func runStoreKey(ctx context.Context, command []string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, storeKeyTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.WaitDelay = time.Second // a child of it may hold the pipe
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if ctx.Err() != nil {
		return nil, fmt.Errorf("running %s: it took longer than %s", command[0], storeKeyTimeout)
	}
	if err != nil {
		said := strings.TrimSpace(stderr.String())
		if n := len(said); n > 500 {
			said = said[n-500:]
		}
		if said != "" {
			return nil, fmt.Errorf("running %s: %w: %s", command[0], err, said)
		}
		return nil, fmt.Errorf("running %s: %w", command[0], err)
	}
	return out, nil
}
