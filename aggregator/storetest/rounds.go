package storetest

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"

	"candor/aggregator/store"
	"candor/schema/dap"
)

func (t *modelTx) PutSubmission(s store.Submission) error {
	if err := t.writes(); err != nil {
		return err
	}
	s.Contributes = bytes.Clone(s.Contributes)
	t.task(s.Task).submissions[s.Member] = s
	return nil
}

func (t *modelTx) Submission(task dap.TaskID, member string) (store.Submission, error) {
	s, ok := t.task(task).submissions[member]
	if !ok {
		return s, store.ErrNotFound
	}
	s.Contributes = bytes.Clone(s.Contributes)
	return s, nil
}

func (t *modelTx) Submissions(task dap.TaskID) ([]store.Submission, error) {
	var list []store.Submission
	for _, member := range slices.Sorted(maps.Keys(t.task(task).submissions)) {
		s, err := t.Submission(task, member)
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, nil
}

func (t *modelTx) PutStatement(s store.Statement) error {
	if err := t.writes(); err != nil {
		return err
	}
	m := t.task(s.Task)
	if m.statement != nil {
		if !bytes.Equal(m.statement.Text, s.Text) {
			return store.ErrConflict
		}
		return nil
	}
	s.Text, s.Salts = bytes.Clone(s.Text), bytes.Clone(s.Salts)
	m.statement = &s
	return nil
}

func (t *modelTx) Statement(task dap.TaskID) (store.Statement, error) {
	m := t.task(task)
	if m.statement == nil {
		return store.Statement{}, store.ErrNotFound
	}
	s := *m.statement
	s.Text, s.Salts = bytes.Clone(s.Text), bytes.Clone(s.Salts)
	return s, nil
}

// roundRecords are the records of a task that only rounds have.
func (t *modelTx) roundRecords(task dap.TaskID) (out []store.Record, err error) {
	list, err := t.Submissions(task)
	for _, s := range list {
		out = append(out, s)
	}
	if s, err := t.Statement(task); err == nil {
		out = append(out, s)
	}
	return out, err
}

var received = time.Date(2026, 4, 1, 12, 0, 0, 1000, time.UTC)

var roundTests = []contractTest{
	{name: "the latest submission of a member is kept", run: func(f *fixture) {
		first := store.Submission{Task: task1, Member: "m2", Report: dap.ReportID{1}, Signer: [32]byte{7}, Contributes: []byte{5}, Received: received}
		second := store.Submission{Task: task1, Member: "m2", Correction: 1, Report: dap.ReportID{2}, Signer: [32]byte{8}, Received: received.Add(time.Hour), Aggregated: true}
		other := store.Submission{Task: task1, Member: "m10", Report: dap.ReportID{3}, Received: received}
		for _, s := range []store.Submission{first, other, second} {
			f.update(func(tx store.Tx) error { return tx.PutSubmission(s) })
		}
		got := read(f, func(tx store.Tx) (store.Submission, error) { return tx.Submission(task1, "m2") })
		if d := cmp.Diff(second, got); d != "" {
			f.Errorf("submission (-want +got):\n%s", d)
		}
		list := read(f, func(tx store.Tx) ([]store.Submission, error) { return tx.Submissions(task1) })
		if d := cmp.Diff([]store.Submission{other, second}, list); d != "" {
			f.Errorf("submissions, in order of ids (-want +got):\n%s", d)
		}
		f.view(func(tx store.Tx) error {
			if _, err := tx.Submission(task2, "m2"); !errors.Is(err, store.ErrNotFound) {
				f.Errorf("the submission in another task: %v, want ErrNotFound", err)
			}
			if list, err := tx.Submissions(task2); err != nil || len(list) > 0 {
				f.Errorf("the submissions of another task: %v, %v", list, err)
			}
			return nil
		})
	}},
	{name: "a statement is made once", run: func(f *fixture) {
		f.view(func(tx store.Tx) error {
			if _, err := tx.Statement(task1); !errors.Is(err, store.ErrNotFound) {
				f.Errorf("before: %v, want ErrNotFound", err)
			}
			return nil
		})
		s := store.Statement{Task: task1, Text: []byte("statement"), Salts: []byte("salts"), Created: received}
		f.update(func(tx store.Tx) error { return tx.PutStatement(s) })
		again := s
		again.Created = received.Add(time.Hour)
		f.update(func(tx store.Tx) error { return tx.PutStatement(again) })
		other := s
		other.Text = []byte("another")
		f.update(func(tx store.Tx) error {
			if err := tx.PutStatement(other); !errors.Is(err, store.ErrConflict) {
				f.Errorf("another statement: %v, want ErrConflict", err)
			}
			return nil
		})
		if d := cmp.Diff(s, read(f, func(tx store.Tx) (store.Statement, error) { return tx.Statement(task1) })); d != "" {
			f.Errorf("statement (-want +got):\n%s", d)
		}
	}},
}
