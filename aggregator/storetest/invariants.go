package storetest

import (
	"context"
	"testing"

	"candor/aggregator/store"
)

// CheckInvariants fails the test unless everything in the store fits together, see [store.Check]. It must be called when no Update is between what
// a role does in one transaction, that is at any time. A store that wraps another, as [Faulty] does, is looked through.
func CheckInvariants(t testing.TB, s store.Store) store.Summary {
	t.Helper()
	for {
		w, ok := s.(interface{ Unwrap() store.Store })
		if !ok {
			break
		}
		s = w.Unwrap()
	}
	var sum store.Summary
	var problems []string
	err := s.View(context.Background(), "check", func(tx store.Tx) (err error) {
		sum, problems, err = store.Check(tx)
		return err
	})
	if err != nil {
		t.Errorf("checking the invariants: %v", err)
	}
	for _, p := range problems {
		t.Errorf("invariant broken: %s", p)
	}
	return sum
}
