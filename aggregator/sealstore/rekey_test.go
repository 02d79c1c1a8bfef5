package sealstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"candor/aggregator/sealstore"
	"candor/aggregator/store"
	"candor/aggregator/storetest"
	"candor/schema/dap"
)

var next = sealstore.NewWrappingKey([32]byte{9})

// records returns the rows of a store.
func records(t testing.TB, s store.Store) (all []store.Record) {
	t.Helper()
	err := s.View(t.Context(), "test", func(tx store.Tx) error {
		all = nil
		return tx.Records(func(r store.Record) error {
			all = append(all, r)
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// keyIDs returns the IDs of the keys of the task.
func keyIDs(t testing.TB, s store.Store) (ids []uint64) {
	t.Helper()
	for _, r := range records(t, s) {
		if k, ok := r.(store.Key); ok && k.Task == task {
			ids = append(ids, k.ID)
		}
	}
	return ids
}

// After a rekeying the new wrapping key opens everything and the old one nothing, and no data key of before is left.
func TestRekey(t *testing.T) {
	beneath := newPlace(t).(place).beneath(t)
	defer beneath.Close()
	s := seal(t, beneath, wrapping)
	update(t, s, fill)
	want, old := records(t, s), keyIDs(t, beneath)
	before := records(t, beneath)

	both := seal(t, beneath, next, wrapping)
	r, err := both.Rekey(t.Context(), func(uint64) {})
	if err != nil {
		t.Fatal(err)
	}
	if r.Wrapped != 2 || r.Made != 1 || r.Destroyed != 1 || r.Resealed < 9 || r.Resumed {
		t.Errorf("what Rekey says: %+v", r)
	}
	if is := keyIDs(t, beneath); len(is) != 1 || is[0] == old[0] {
		t.Errorf("keys %x, were %x", is, old)
	}
	if d := cmp.Diff(want, records(t, seal(t, beneath, next))); d != "" {
		t.Errorf("rows (-want +got):\n%s", d)
	}
	if _, err := sealstore.Open(t.Context(), sealstore.Config{Store: beneath, Keys: []*sealstore.WrappingKey{wrapping}}); !errors.Is(err, sealstore.ErrWrongKey) {
		t.Errorf("with the old wrapping key: %v", err)
	}
	// What the file held before is worth nothing to who has the store and its key now.
	other := newPlace(t).(place).beneath(t)
	defer other.Close()
	update(t, other, func(tx store.Tx) error {
		for _, r := range append(before, records(t, beneath)...) {
			if k, isKey := r.(store.Key); isKey {
				if k.ID == old[0] {
					continue // destroyed
				}
				if err := tx.PutKey(k); err != nil {
					return err
				}
			}
		}
		for _, r := range before {
			if _, isKey := r.(store.Key); !isKey {
				if err := tx.AddRecord(r); err != nil {
					return err
				}
			}
		}
		return nil
	})
	err = seal(t, other, next).View(t.Context(), "test", func(tx store.Tx) error {
		return tx.Records(func(store.Record) error { return nil })
	})
	if !errors.Is(err, sealstore.ErrAltered) {
		t.Errorf("rows of before under the keys of now: %v", err)
	}
}

// Rewrap changes the wrapping key alone.
func TestRewrap(t *testing.T) {
	beneath := newPlace(t).(place).beneath(t)
	defer beneath.Close()
	s := seal(t, beneath, wrapping)
	update(t, s, fill)
	want, ids := records(t, s), keyIDs(t, beneath)
	r, err := seal(t, beneath, next, wrapping).Rewrap(t.Context())
	if err != nil || r.Wrapped != 2 || r.Made != 0 || r.Resealed != 0 {
		t.Errorf("Rewrap: %+v, %v", r, err)
	}
	if d := cmp.Diff(want, records(t, seal(t, beneath, next))); d != "" {
		t.Errorf("rows (-want +got):\n%s", d)
	}
	if d := cmp.Diff(ids, keyIDs(t, beneath)); d != "" {
		t.Errorf("data keys (-want +got):\n%s", d)
	}
	// Without the key that they are wrapped by nothing is changed.
	if _, err := seal(t, beneath, next).Rewrap(t.Context()); err != nil {
		t.Errorf("again: %v", err)
	}
}

// Writers go on while a store is rekeyed, and it is interrupted and resumed: nothing is lost, and at the end every row is under a new key.
func TestRekeyWhileInUse(t *testing.T) {
	beneath := newPlace(t).(place).beneath(t)
	defer beneath.Close()
	var mu sync.Mutex
	keys := []*sealstore.WrappingKey{wrapping}
	// Two processes: each has its own keys in memory, and reads the present ones when one is missing.
	open := func() *sealstore.Store {
		s, err := sealstore.Open(t.Context(), sealstore.Config{Store: beneath, Keys: []*sealstore.WrappingKey{wrapping}, Reload: func(context.Context) ([]*sealstore.WrappingKey, error) {
			mu.Lock()
			defer mu.Unlock()
			return keys, nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	server, tool := open(), open()
	const before = 1000
	add := func(n int) error {
		return server.Update(t.Context(), "upload", func(tx store.Tx) error {
			id := dap.ReportID{byte(n >> 8), byte(n)}
			body := fmt.Appendf(nil, "report %d", n)
			// A task that is new while the store is rekeyed gets its first key from the server.
			return errors.Join(tx.AddReport(dap.TaskID{byte(2 + n%7)}, store.Report{ID: id, Time: 1, Encoded: body}),
				tx.MergeBucket(task, store.TimeBucket(1), store.Bucket{Share: []byte{1, 0, 0, 0}, Count: 1, Checksum: dap.Checksum(id)}, storetest.Sum))
		})
	}
	n := 0
	for ; n < before; n++ {
		if err := add(n*7 + 1); err != nil {
			t.Fatal(err)
		}
	}
	mu.Lock()
	keys = []*sealstore.WrappingKey{next, wrapping}
	mu.Unlock()
	stop, done := make(chan struct{}), make(chan error, 1)
	go func() {
		for ; ; n++ {
			select {
			case <-stop:
				done <- nil
				return
			default:
			}
			if err := add(n); err != nil && !errors.Is(err, store.ErrConflict) {
				done <- err
				return
			}
		}
	}()
	ctx, interrupt := context.WithCancel(t.Context())
	_, err := tool.Rekey(ctx, func(rows uint64) {
		if rows > before/2 {
			interrupt()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("an interrupted rekeying: %v", err)
	}
	r, err := open().Rekey(t.Context(), func(uint64) {})
	if err != nil || !r.Resumed {
		t.Fatalf("the one after: %+v, %v", r, err)
	}
	close(stop)
	if err := <-done; err != nil {
		t.Fatalf("a writer meanwhile: %v", err)
	}
	for _, k := range records(t, beneath) {
		if k, ok := k.(store.Key); ok && k.Task == task && k.ID>>32 != 2 {
			t.Errorf("a key of generation %d is left", k.ID>>32)
		}
	}
	reports, count := 0, uint64(0)
	for _, r := range records(t, seal(t, beneath, next)) {
		switch r := r.(type) {
		case store.ReportRecord:
			reports++
			if !bytes.HasPrefix(r.Encoded, []byte("report ")) {
				t.Errorf("report %s is %q", r.ID, r.Encoded)
			}
		case store.BucketRecord:
			count += r.Count
		}
	}
	if reports < before || count != uint64(reports) {
		t.Errorf("%d reports, %d counted", reports, count)
	}
}

// A process that still has only the wrapping key of before makes the first key of a new task under that of now: what is under the one before cannot be read once it is destroyed.
func TestNewTaskAfterRewrap(t *testing.T) {
	beneath := newPlace(t).(place).beneath(t)
	defer beneath.Close()
	reloads := 0
	server, err := sealstore.Open(t.Context(), sealstore.Config{Store: beneath, Keys: []*sealstore.WrappingKey{wrapping}, Reload: func(context.Context) ([]*sealstore.WrappingKey, error) {
		reloads++
		return []*sealstore.WrappingKey{next, wrapping}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	update(t, server, fill)
	if _, err := seal(t, beneath, next, wrapping).Rewrap(t.Context()); err != nil {
		t.Fatal(err)
	}
	report := store.Report{ID: reportID(3), Time: 7, Encoded: secret("report 3")}
	update(t, server, func(tx store.Tx) error { return tx.AddReport(dap.TaskID{2}, report) })
	if reloads != 1 {
		t.Errorf("the wrapping keys were read anew %d times, want once", reloads)
	}
	found := false
	for _, r := range records(t, seal(t, beneath, next)) {
		r, ok := r.(store.ReportRecord)
		found = found || ok && r.ID == report.ID && bytes.Equal(r.Encoded, report.Encoded)
	}
	if !found {
		t.Error("the report of the new task is lost")
	}
}
