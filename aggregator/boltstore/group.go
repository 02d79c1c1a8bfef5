package boltstore

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"candor/aggregator/store"
)

// A group is one transaction of bbolt that Updates share which came while another was being committed. Each runs its function in its own
// goroutine when it has the turn, passes the turn on, and waits; the last one commits. So an Update that is alone waits for
// nobody, and a burst costs one flush. There is no timer.
type group struct {
	bolt    *bbolt.Tx
	rows    *rows
	members int  // functions that succeeded
	dirty   bool // one of them wrote
	bytes   int  // they wrote, roughly

	// Set before done is closed.
	err  error
	done chan struct{}
}

// A group that reached one of these is committed though others wait, to bound latency and memory.
const (
	maxGroupMembers = 512
	maxGroupBytes   = 16 << 20
)

// Update implements [store.Store].
func (s *Store) Update(ctx context.Context, name string, fn func(store.Tx) error) (err error) {
	defer s.observe(name, &err)()
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return ErrClosed
	}
	s.mu.Unlock()
	if err := s.wait(ctx); err != nil {
		return err
	}
	g, err := s.turn(fn)
	if g == nil {
		return err
	}
	// Even an error waits: it may rest on what others of the group wrote.
	<-g.done
	if g.err != nil {
		return g.err
	}
	return err
}

// Settle implements [store.Store]: Updates have the turn in the order in which they began.
func (s *Store) Settle(ctx context.Context) error {
	return s.Update(ctx, "settle", func(store.Tx) error { return nil })
}

// wait returns when the caller has the turn, or with an error if ctx ends before.
func (s *Store) wait(ctx context.Context) error {
	s.mu.Lock()
	if !s.taken {
		s.taken = true
		s.mu.Unlock()
		return nil
	}
	turn := make(chan struct{})
	s.queue = append(s.queue, turn)
	s.mu.Unlock()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	i := slices.Index(s.queue, turn)
	if i >= 0 {
		s.queue = slices.Delete(s.queue, i, i+1)
	}
	s.mu.Unlock()
	if i < 0 {
		s.pass() // it was given the turn at the same moment
	}
	return ctx.Err()
}

// pass gives the turn to the next in the queue; if there is none, or the open group is full, it commits first.
func (s *Store) pass() {
	if s.group != nil {
		s.mu.Lock()
		waiting := len(s.queue) > 0
		if waiting && s.group.members < maxGroupMembers && s.group.bytes < maxGroupBytes {
			s.next()
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()
		s.commit()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next()
}

// next gives the turn away. The caller holds mu and has the turn.
func (s *Store) next() {
	if len(s.queue) == 0 {
		s.taken = false
		return
	}
	turn := s.queue[0]
	s.queue = s.queue[1:]
	close(turn)
}

// turn runs fn in the open group, or in a new one, and passes the turn on, even if fn panics. A nil group means that there is nothing to wait for.
func (s *Store) turn(fn func(store.Tx) error) (g *group, err error) {
	defer s.pass()
	again := false
	for {
		if s.group == nil {
			b, err := s.db.Begin(true)
			if errors.Is(err, berrors.ErrDatabaseNotOpen) {
				return nil, ErrClosed
			} else if err != nil {
				return nil, fmt.Errorf("beginning a transaction: %w", err)
			}
			s.group = &group{bolt: b, rows: s.newRows(b), done: make(chan struct{})}
		}
		g, again, err = s.run(fn)
		if !again {
			return g, err
		}
		s.commit()
	}
}

// run runs fn once. again means that fn wants to be the first of its group and must run once more after a commit.
func (s *Store) run(fn func(store.Tx) error) (g *group, again bool, err error) {
	g = s.group
	tx := &tx{rows: g.rows, writable: true, first: g.members == 0}
	returned := false
	defer func() {
		tx.end()
		switch {
		case returned && err == nil && !tx.wantsFirst:
			g.members++
			g.dirty = g.dirty || tx.dirty
			g.bytes += tx.bytes
		case tx.first:
			// There is nobody else in the group.
			s.group = nil
			s.filters.forget(tx.newRuns...)
			if e := g.bolt.Rollback(); e != nil && returned {
				err = errors.Join(err, fmt.Errorf("rolling back: %w", e))
			}
			g = nil
		default:
			tx.rollback()
		}
	}()
	err = fn(tx)
	if err == nil {
		err = tx.flush()
	}
	returned = true
	return g, tx.wantsFirst, err
}

// commit ends the open group and tells its members.
func (s *Store) commit() {
	g := s.group
	s.group = nil
	if !g.dirty {
		if err := g.bolt.Rollback(); err != nil {
			g.err = fmt.Errorf("ending a transaction: %w", err)
		}
	} else if err := g.bolt.Commit(); err != nil {
		g.err = fmt.Errorf("committing to %s: %w", s.path, err)
	}
	close(g.done)
	s.trim()
}
