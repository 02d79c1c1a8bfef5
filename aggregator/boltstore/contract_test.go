package boltstore_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"candor/aggregator/boltstore"
	"candor/aggregator/store"
	"candor/aggregator/storetest"
)

// A place is a file. The tests that use it do not flush it: what a crash of the machine does is not what they are about.
type place string

func newPlace(t testing.TB) storetest.Place { return place(filepath.Join(t.TempDir(), "store.db")) }

func (p place) Open(t testing.TB) store.Store {
	t.Helper()
	s, err := boltstore.Open(string(p), boltstore.Options{UnsafeNoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Crash copies the file while it is open: another process would find it so.
func (p place) Crash(t testing.TB) storetest.Place {
	t.Helper()
	crashed := filepath.Join(t.TempDir(), "crashed.db")
	if err := copySparse(string(p), crashed); err != nil {
		t.Fatal(err)
	}
	return place(crashed)
}

// copySparse copies a file and leaves out blocks of zeros.
func copySparse(from, to string) error {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer dst.Close()
	block, zeros, at := make([]byte, 1<<16), make([]byte, 1<<16), int64(0)
	for {
		n, err := io.ReadFull(src, block)
		if !bytes.Equal(block[:n], zeros[:n]) {
			if _, err := dst.WriteAt(block[:n], at); err != nil {
				return err
			}
		}
		at += int64(n)
		if err != nil {
			return errors.Join(dst.Truncate(at), dst.Close())
		}
	}
}

func TestContract(t *testing.T) { storetest.Run(t, newPlace) }
