package boltstore

import (
	"fmt"
	"time"

	"golang.org/x/crypto/cryptobyte"

	"candor/aggregator/store"
	"candor/schema/dap"
)

// A shareRow is the Helper's answer to an aggregate share request.
type shareRow struct {
	Number   uint64 // in order of creation
	Digest   [32]byte
	Batch    store.Batch
	Response []byte
	Created  time.Time
}

func (r *shareRow) marshal(b *cryptobyte.Builder) {
	b.AddUint64(r.Number)
	b.AddBytes(r.Digest[:])
	addBatch(b, r.Batch)
	addBytes(b, r.Response)
	addTime(b, r.Created)
}

func (r *shareRow) unmarshal(s *reader) bool {
	return s.uint64(&r.Number) && s.fixed(r.Digest[:]) && s.batch(&r.Batch) && s.bytes(&r.Response) && s.time(&r.Created)
}

func (t *tx) AddShareAnswer(a store.ShareAnswer) error {
	if err := t.check(true); err != nil {
		return err
	}
	b, err := t.make(a.Task, kindShares)
	if err != nil {
		return err
	}
	if b.Get(a.ID[:]) != nil {
		return fmt.Errorf("adding aggregate share %s: %w", a.ID, store.ErrConflict)
	}
	if err := t.file(a.Task, kindShareDigests, a.Digest, jobID(a.ID)); err != nil {
		return fmt.Errorf("adding aggregate share %s: %w", a.ID, err)
	}
	order, err := t.make(a.Task, kindShareOrder)
	if err != nil {
		return err
	}
	n, err := number(order)
	if err != nil {
		return err
	}
	if err := t.put(order, keyUint64(n), nil, raw(a.ID[:])); err != nil {
		return err
	}
	value, err := encode(&shareRow{Number: n, Digest: a.Digest, Batch: a.Batch, Response: a.Response, Created: a.Created}, 128+len(a.Response))
	if err != nil {
		return err
	}
	return t.put(b, a.ID[:], nil, value)
}

func (t *tx) ShareAnswer(task dap.TaskID, id dap.AggregateShareID) (store.ShareAnswer, error) {
	if err := t.check(false); err != nil {
		return store.ShareAnswer{}, err
	}
	value := get(t.find(task, kindShares), id[:])
	if value == nil {
		return store.ShareAnswer{}, fmt.Errorf("aggregate share %s: %w", id, store.ErrNotFound)
	}
	var row shareRow
	if err := decode(value, &row); err != nil {
		return store.ShareAnswer{}, err
	}
	return store.ShareAnswer{ID: id, Task: task, Digest: row.Digest, Batch: row.Batch, Response: row.Response, Created: row.Created}, nil
}

func (t *tx) ShareAnswerByDigest(task dap.TaskID, digest [32]byte) (store.ShareAnswer, error) {
	if err := t.check(false); err != nil {
		return store.ShareAnswer{}, err
	}
	v := get(t.find(task, kindShareDigests), digest[:])
	if v == nil {
		return store.ShareAnswer{}, fmt.Errorf("aggregate share by digest: %w", store.ErrNotFound)
	}
	var id dap.AggregateShareID
	if err := rawFixed("share digest", id[:], v); err != nil {
		return store.ShareAnswer{}, err
	}
	return t.ShareAnswer(task, id)
}

func (t *tx) DeleteShareAnswer(task dap.TaskID, id dap.AggregateShareID) error {
	if err := t.check(true); err != nil {
		return err
	}
	b := t.find(task, kindShares)
	value := get(b, id[:])
	if value == nil {
		return nil
	}
	var row shareRow
	if err := decode(value, &row); err != nil {
		return err
	}
	if err := t.drop(t.find(task, kindShareOrder), keyUint64(row.Number), raw(id[:])); err != nil {
		return err
	}
	if err := t.drop(t.find(task, kindShareDigests), row.Digest[:], raw(id[:])); err != nil {
		return err
	}
	return t.drop(b, id[:], value)
}

func (t *tx) ShareAnswers(task dap.TaskID) ([]store.ShareAnswer, error) {
	return t.shareAnswers(task, false)
}

func (t *tx) shareAnswers(task dap.TaskID, withResponse bool) ([]store.ShareAnswer, error) {
	if err := t.check(false); err != nil {
		return nil, err
	}
	var answers []store.ShareAnswer
	err := t.each(task, kindShareOrder, func(_, v []byte) error {
		var id dap.AggregateShareID
		if err := rawFixed("share order", id[:], v); err != nil {
			return err
		}
		a, err := t.ShareAnswer(task, id)
		if !withResponse {
			a.Response = nil
		}
		answers = append(answers, a)
		return err
	})
	return answers, err
}
