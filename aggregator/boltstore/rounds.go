package boltstore

import (
	"bytes"
	"fmt"
	"time"

	"golang.org/x/crypto/cryptobyte"

	"candor/aggregator/store"
	"candor/schema/dap"
)

// A submissionRow is a member's submission; its key is the member's id.
type submissionRow struct {
	Correction  uint64
	Report      dap.ReportID
	Signer      [32]byte
	Contributes []byte
	Received    time.Time
	Aggregated  bool
}

func (r *submissionRow) marshal(b *cryptobyte.Builder) {
	b.AddUint64(r.Correction)
	b.AddBytes(r.Report[:])
	b.AddBytes(r.Signer[:])
	addBytes(b, r.Contributes)
	addTime(b, r.Received)
	addBool(b, r.Aggregated)
}

func (r *submissionRow) unmarshal(s *reader) bool {
	return s.uint64(&r.Correction) && s.fixed(r.Report[:]) && s.fixed(r.Signer[:]) && s.bytes(&r.Contributes) && s.time(&r.Received) && s.bool(&r.Aggregated)
}

func (t *tx) PutSubmission(s store.Submission) error {
	if err := t.check(true); err != nil {
		return err
	}
	b, err := t.make(s.Task, kindSubmissions)
	if err != nil {
		return err
	}
	row := submissionRow{Correction: s.Correction, Report: s.Report, Signer: s.Signer, Contributes: s.Contributes, Received: s.Received, Aggregated: s.Aggregated}
	value, err := encode(&row, 96+len(s.Contributes))
	if err != nil {
		return err
	}
	return t.put(b, []byte(s.Member), b.Get([]byte(s.Member)), value)
}

func submission(task dap.TaskID, member string, value []byte) (store.Submission, error) {
	var row submissionRow
	if err := decode(value, &row); err != nil {
		return store.Submission{}, err
	}
	s := store.Submission{Task: task, Member: member, Correction: row.Correction, Report: row.Report, Signer: row.Signer, Received: row.Received, Aggregated: row.Aggregated}
	if len(row.Contributes) > 0 {
		s.Contributes = row.Contributes
	}
	return s, nil
}

func (t *tx) Submission(task dap.TaskID, member string) (store.Submission, error) {
	if err := t.check(false); err != nil {
		return store.Submission{}, err
	}
	value := get(t.find(task, kindSubmissions), []byte(member))
	if value == nil {
		return store.Submission{}, fmt.Errorf("submission of member %s: %w", member, store.ErrNotFound)
	}
	return submission(task, member, value)
}

func (t *tx) Submissions(task dap.TaskID) ([]store.Submission, error) {
	if err := t.check(false); err != nil {
		return nil, err
	}
	var list []store.Submission
	err := t.each(task, kindSubmissions, func(k, v []byte) error {
		s, err := submission(task, string(k), v)
		list = append(list, s)
		return err
	})
	return list, err
}

// A statementRow is the statement of a task's batch; its key is empty but for one byte.
type statementRow struct {
	Text, Salts []byte
	Created     time.Time
}

var statementKey = []byte{0}

func (r *statementRow) marshal(b *cryptobyte.Builder) {
	addBytes(b, r.Text)
	addBytes(b, r.Salts)
	addTime(b, r.Created)
}

func (r *statementRow) unmarshal(s *reader) bool {
	return s.bytes(&r.Text) && s.bytes(&r.Salts) && s.time(&r.Created)
}

func (t *tx) PutStatement(s store.Statement) error {
	if err := t.check(true); err != nil {
		return err
	}
	old, err := t.statement(s.Task)
	if err != nil {
		return err
	}
	if old != nil {
		if !bytes.Equal(old.Text, s.Text) {
			return fmt.Errorf("storing the statement of task %s: another was made before: %w", s.Task, store.ErrConflict)
		}
		return nil
	}
	b, err := t.make(s.Task, kindStatement)
	if err != nil {
		return err
	}
	value, err := encode(&statementRow{s.Text, s.Salts, s.Created}, 32+len(s.Text)+len(s.Salts))
	if err != nil {
		return err
	}
	return t.put(b, statementKey, nil, value)
}

func (t *tx) Statement(task dap.TaskID) (store.Statement, error) {
	if err := t.check(false); err != nil {
		return store.Statement{}, err
	}
	row, err := t.statement(task)
	if err != nil {
		return store.Statement{}, err
	}
	if row == nil {
		return store.Statement{}, fmt.Errorf("statement of task %s: %w", task, store.ErrNotFound)
	}
	return store.Statement{Task: task, Text: row.Text, Salts: row.Salts, Created: row.Created}, nil
}

// statement returns the row of a task, or nil.
func (t *tx) statement(task dap.TaskID) (*statementRow, error) {
	value := get(t.find(task, kindStatement), statementKey)
	if value == nil {
		return nil, nil
	}
	row := new(statementRow)
	return row, decode(value, row)
}

func (t *tx) submissionRecords(task dap.TaskID, fn func(store.Record) error) error {
	list, err := t.Submissions(task)
	if err != nil {
		return err
	}
	for _, s := range list {
		if err := fn(s); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) statementRecord(task dap.TaskID, fn func(store.Record) error) error {
	row, err := t.statement(task)
	if row == nil || err != nil {
		return err
	}
	return fn(store.Statement{Task: task, Text: row.Text, Salts: row.Salts, Created: row.Created})
}
