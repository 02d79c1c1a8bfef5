package pgstore

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"candor/aggregator/store"
	"candor/schema/dap"
)

func (t *tx) PutSubmission(s store.Submission) error {
	if err := t.check(true); err != nil {
		return err
	}
	_, err := t.exec("submission_put", s.Task[:], s.Member, binary.BigEndian.AppendUint64(nil, s.Correction), s.Report[:], s.Signer[:], null(s.Contributes), s.Received, s.Aggregated)
	return err
}

// submissions runs a query for submissions.
func (t *tx) submissions(name string, task dap.TaskID, args ...any) ([]store.Submission, error) {
	if err := t.check(false); err != nil {
		return nil, err
	}
	var list []store.Submission
	err := t.rows(name, func(r pgx.Rows) error {
		s, correction := store.Submission{Task: task}, [8]byte{}
		err := r.Scan(&s.Member, fixed(correction[:]), fixed(s.Report[:]), fixed(s.Signer[:]), &s.Contributes, utc{&s.Received}, &s.Aggregated)
		s.Correction = binary.BigEndian.Uint64(correction[:])
		list = append(list, s)
		return err
	}, append([]any{task[:]}, args...)...)
	return list, err
}

func (t *tx) Submission(task dap.TaskID, member string) (store.Submission, error) {
	list, err := t.submissions("submission", task, member)
	if err != nil || len(list) == 0 {
		return store.Submission{}, notFound(err, "submission of member %s", member)
	}
	return list[0], nil
}

func (t *tx) Submissions(task dap.TaskID) ([]store.Submission, error) {
	list, err := t.submissions("submissions", task)
	// Here, because the database's order of texts depends on its locale.
	slices.SortFunc(list, func(a, b store.Submission) int { return strings.Compare(a.Member, b.Member) })
	return list, err
}

func (t *tx) PutStatement(s store.Statement) error {
	if err := t.check(true); err != nil {
		return err
	}
	old, found, err := t.statement(s.Task)
	switch {
	case err != nil:
		return err
	case !found:
		_, err = t.exec("statement_add", s.Task[:], null(s.Text), null(s.Salts), s.Created)
		return err
	case !bytes.Equal(old.Text, s.Text):
		return fmt.Errorf("storing the statement of task %s: another was made before: %w", s.Task, store.ErrConflict)
	}
	return nil
}

func (t *tx) Statement(task dap.TaskID) (store.Statement, error) {
	if err := t.check(false); err != nil {
		return store.Statement{}, err
	}
	s, found, err := t.statement(task)
	if err != nil || !found {
		return store.Statement{}, notFound(err, "statement of task %s", task)
	}
	return s, nil
}

func (t *tx) statement(task dap.TaskID) (store.Statement, bool, error) {
	s := store.Statement{Task: task}
	found, err := t.row("statement", []any{&s.Text, &s.Salts, utc{&s.Created}}, task[:])
	return s, found, err
}
