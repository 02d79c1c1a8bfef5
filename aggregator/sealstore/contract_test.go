package sealstore_test

import (
	"path/filepath"
	"testing"

	"candor/aggregator/boltstore"
	"candor/aggregator/sealstore"
	"candor/aggregator/store"
	"candor/aggregator/storetest"
)

var wrapping = sealstore.NewWrappingKey([32]byte{1})

// A place is a store beneath.
type place struct{ path string }

func newPlace(t testing.TB) storetest.Place { return place{filepath.Join(t.TempDir(), "store.db")} }

func (p place) beneath(t testing.TB) store.Store {
	t.Helper()
	s, err := boltstore.Open(p.path, boltstore.Options{UnsafeNoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (p place) Open(t testing.TB) store.Store { return seal(t, p.beneath(t), wrapping) }

func (p place) Crash(t testing.TB) storetest.Place {
	t.Helper()
	crashed := place{filepath.Join(t.TempDir(), "crashed.db")}
	copyFile(t, p.path, crashed.path)
	return crashed
}

// seal opens a sealed store.
func seal(t testing.TB, beneath store.Store, keys ...*sealstore.WrappingKey) *sealstore.Store {
	t.Helper()
	s, err := sealstore.Open(t.Context(), sealstore.Config{Store: beneath, Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestContract: a sealed store is a store.
func TestContract(t *testing.T) { storetest.Run(t, newPlace) }
