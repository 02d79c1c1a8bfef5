package aggregator

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"candor/aggregator/store"
	"candor/schema/dap"
)

// Tasks are the tasks that a role runs. The zero value is empty; it is safe for concurrent use.
type Tasks struct {
	mu   sync.RWMutex // guards byID and list, which change together
	byID map[dap.TaskID]*Task
	list []*Task // in the order they were added; replaced, never changed
}

// Add checks a task, pins it in the store, and adds it. A task that is already there under the same ID must be the same; then its tokens are
// those of the new one. Leader and Helper pin it differently, so that neither works on the other's store by mistake: their rows would mix.
func (ts *Tasks) Add(ctx context.Context, st store.Store, role dap.Role, t *Task) error {
	if err := t.Check(); err != nil {
		return err
	}
	digest := t.Digest()
	pin := sha256.Sum256(append(digest[:], byte(role)))
	err := st.Update(ctx, "pin_task", func(tx store.Tx) error { return tx.PinTask(t.ID, pin) })
	if errors.Is(err, store.ErrConflict) {
		return fmt.Errorf("task %s was run on this store before with other parameters, which never change during the life of a task (give the new task a new ID), or by the other role (give each its own store)", t.ID)
	}
	if err != nil {
		return fmt.Errorf("adding task %s: %w", t.ID, err)
	}
	if t.Cancelled {
		if _, err := t.Cancel(ctx, st); err != nil {
			return err
		}
	}
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if ts.byID == nil {
		ts.byID = make(map[dap.TaskID]*Task)
	}
	list := slices.Clone(ts.list)
	if i := slices.IndexFunc(list, func(u *Task) bool { return u.ID == t.ID }); i >= 0 {
		list[i] = t
	} else {
		list = append(list, t)
	}
	ts.list, ts.byID[t.ID] = list, t
	return nil
}

// PatienceUnknown returns how long to leave a job alone that a process has leased and whose task it does not know, since when the job has been waiting for that:
// little at first, because of several processes on one store another may have taken the task up already.
func PatienceUnknown(waited time.Duration) time.Duration {
	return min(max(waited, time.Second), 5*time.Minute)
}

// Get returns the task of that ID, or nil.
func (ts *Tasks) Get(id dap.TaskID) *Task {
	ts.mu.RLock()
	defer ts.mu.RUnlock()
	return ts.byID[id]
}

// All returns the tasks in the order they were added. The caller must not change the slice.
func (ts *Tasks) All() []*Task {
	ts.mu.RLock()
	defer ts.mu.RUnlock()
	return ts.list
}
