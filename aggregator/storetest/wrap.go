package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"

	"candor/aggregator/store"
)

// ErrFault is what a [Faulty] store fails with.
var ErrFault = errors.New("storetest: injected fault")

// A Faulty store fails at times as a store on a bad disk, or behind a bad network, does: an Update is rolled back and reports a fault, or is
// committed and reports a fault; a View reports a fault. Whether it does follows from the seed and the order of calls.
type Faulty struct {
	store.Store

	mu   sync.Mutex // guards what follows
	rand *rand.Rand
	rate float64
	hits int
}

// NewFaulty wraps a store that fails in about rate of all calls, 0 <= rate <= 1.
func NewFaulty(s store.Store, seed uint64, rate float64) *Faulty {
	return &Faulty{Store: s, rand: rand.New(rand.NewPCG(seed, 0)), rate: rate}
}

// SetRate changes the rate; zero ends all faults.
func (f *Faulty) SetRate(rate float64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rate = rate
}

// Faults returns how many calls have failed.
func (f *Faulty) Faults() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.hits
}

// Unwrap returns the store that never fails.
func (f *Faulty) Unwrap() store.Store { return f.Store }

// fault says whether a call fails, and if so whether it fails only after its commit.
func (f *Faulty) fault() (fails, late bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fails, late = f.rand.Float64() < f.rate, f.rand.Uint64()&1 == 1
	if fails {
		f.hits++
	}
	return fails, late
}

// View implements [store.Store].
func (f *Faulty) View(ctx context.Context, name string, fn func(store.Tx) error) error {
	if fails, _ := f.fault(); fails {
		return fmt.Errorf("%s: %w", name, ErrFault)
	}
	return f.Store.View(ctx, name, fn)
}

// Update implements [store.Store].
func (f *Faulty) Update(ctx context.Context, name string, fn func(store.Tx) error) error {
	fails, late := f.fault()
	switch {
	case !fails:
		return f.Store.Update(ctx, name, fn)
	case late:
		if err := f.Store.Update(ctx, name, fn); err != nil {
			return err
		}
		return fmt.Errorf("%s, after the commit: %w", name, ErrFault)
	}
	return f.Store.Update(ctx, name, func(tx store.Tx) error {
		if err := fn(tx); err != nil {
			return err
		}
		return fmt.Errorf("%s, before the commit: %w", name, ErrFault)
	})
}

// Replayed wraps a store so that the function of each Update runs twice: the effects of its first run are rolled back.
func Replayed(s store.Store) store.Store { return replayed{s} }

type replayed struct{ store.Store }

func (r replayed) Unwrap() store.Store { return r.Store }

func (r replayed) Update(ctx context.Context, name string, fn func(store.Tx) error) error {
	again := errors.New("again")
	err := r.Store.Update(ctx, name, func(tx store.Tx) error {
		_ = fn(tx) // what it returns now does not count
		return again
	})
	if !errors.Is(err, again) {
		return err
	}
	return r.Store.Update(ctx, name, fn)
}
