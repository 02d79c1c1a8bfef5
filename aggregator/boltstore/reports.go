package boltstore

import (
	"encoding/binary"
	"fmt"
	"time"

	"golang.org/x/crypto/cryptobyte"

	"candor/aggregator/store"
	"candor/schema/dap"
)

// A reportRow is what is kept of a report for ever, by its number. Its body is kept apart, as long as it is needed.
type reportRow struct {
	State     store.ReportState
	Code      dap.ReportError // of a rejected one
	Time      dap.Time
	NotBefore time.Time
	Job       dap.AggregationJobID // of an assigned or aggregated one, or that of which it was rejected; else zero
}

const reportRowSize = 1 + 1 + 1 + 8 + 8 + 16

func (r *reportRow) marshal(b *cryptobyte.Builder) {
	b.AddUint8(uint8(r.State))
	b.AddUint8(uint8(r.Code))
	b.AddUint64(uint64(r.Time))
	addTime(b, r.NotBefore)
	b.AddBytes(r.Job[:])
}

func (r *reportRow) unmarshal(s *reader) bool {
	return s.s.ReadUint8((*uint8)(&r.State)) && r.State >= store.ReportUnassigned && r.State <= store.ReportRejected &&
		s.s.ReadUint8((*uint8)(&r.Code)) && s.dapTime(&r.Time) && s.time(&r.NotBefore) && s.fixed(r.Job[:])
}

// A numbered report is a report's row and what it takes to change it.
type numbered struct {
	id    dap.ReportID
	n     uint64
	row   reportRow
	value []byte // of row, as it is stored
}

// numberOf returns a report's number, or false if the task has never seen it.
func (t *tx) numberOf(task dap.TaskID, id dap.ReportID) (uint64, bool, error) {
	return t.index(task, indexReports).find(id)
}

// report returns a report by its number.
func (t *tx) report(task dap.TaskID, id dap.ReportID, n uint64) (numbered, error) {
	r := numbered{id: id, n: n, value: get(t.find(task, kindReports), keyUint64(n))}
	if r.value == nil {
		return r, fmt.Errorf("report %s: %w", id, errMalformed)
	}
	return r, decode(r.value, &r.row)
}

// unassigned returns reports that all must be unassigned and different.
func (t *tx) unassigned(task dap.TaskID, ids []dap.ReportID) ([]numbered, error) {
	reports := make([]numbered, len(ids))
	seen := make(map[dap.ReportID]bool, len(ids))
	for i, id := range ids {
		n, ok, err := t.numberOf(task, id)
		if err != nil {
			return nil, err
		}
		if !ok || seen[id] {
			return nil, fmt.Errorf("report %s is unknown or named twice: %w", id, store.ErrConflict)
		}
		seen[id] = true
		if reports[i], err = t.report(task, id, n); err != nil {
			return nil, err
		}
		if reports[i].row.State != store.ReportUnassigned {
			return nil, fmt.Errorf("report %s is not unassigned: %w", id, store.ErrConflict)
		}
	}
	return reports, nil
}

func (t *tx) AddReport(task dap.TaskID, r store.Report) error {
	if err := t.check(true); err != nil {
		return err
	}
	ids := t.index(task, indexReports)
	if _, seen, err := ids.find(r.ID); err != nil {
		return err
	} else if seen {
		return fmt.Errorf("adding report %s: %w", r.ID, store.ErrConflict)
	}
	reports, err := t.make(task, kindReports)
	if err != nil {
		return err
	}
	bodies, err := t.make(task, kindBodies)
	if err != nil {
		return err
	}
	n, err := number(reports)
	if err != nil {
		return err
	}
	row := numbered{id: r.ID, n: n, row: reportRow{State: store.ReportUnassigned, Time: r.Time, NotBefore: r.NotBefore}}
	ids.add(r.ID, n)
	if err := t.put(bodies, keyUint64(n), nil, raw(r.Encoded)); err != nil {
		return err
	}
	if err := t.saveReport(task, &row); err != nil {
		return err
	}
	if err := t.offer(task, row); err != nil {
		return err
	}
	t.count(task, timeKey(r.Time)).Unassigned++
	return nil
}

// saveReport writes a report's row after a change.
func (t *tx) saveReport(task dap.TaskID, r *numbered) error {
	b, err := t.make(task, kindReports)
	if err != nil {
		return err
	}
	value, err := encode(&r.row, reportRowSize)
	if err != nil {
		return err
	}
	old := r.value
	r.value = value
	return t.put(b, keyUint64(r.n), old, value)
}

// offer puts an unassigned report into the queue of those; withdraw takes it out.
func (t *tx) offer(task dap.TaskID, r numbered) error {
	b, err := t.make(task, kindUnassigned)
	if err != nil {
		return err
	}
	return t.put(b, offerKey(r), nil, offerValue(r))
}

func (t *tx) withdraw(task dap.TaskID, r numbered) error {
	b, err := t.make(task, kindUnassigned)
	if err != nil {
		return err
	}
	return t.drop(b, offerKey(r), offerValue(r))
}

func offerKey(r numbered) []byte {
	return binary.BigEndian.AppendUint64(appendTime(make([]byte, 0, 16), r.row.NotBefore), r.n)
}

func offerValue(r numbered) []byte {
	v := append(append(make([]byte, 0, 25), rowVersion), r.id[:]...)
	return binary.BigEndian.AppendUint64(v, uint64(r.row.Time))
}

// offered returns the report that an entry of the queue stands for.
func offered(key, value []byte) (store.Report, error) {
	var r store.Report
	v, err := peekRaw("unassigned report", value)
	if err != nil {
		return r, err
	}
	if len(key) != 16 || len(v) != len(r.ID)+8 {
		return r, fmt.Errorf("decoding unassigned report: %w", errMalformed)
	}
	copy(r.ID[:], v)
	r.Time = dap.Time(binary.BigEndian.Uint64(v[len(r.ID):]))
	r.NotBefore = keyTime(key)
	return r, nil
}

func keyTime(key []byte) time.Time {
	return time.UnixMicro(int64(binary.BigEndian.Uint64(key) ^ 1<<63)).UTC()
}

func (t *tx) ReportState(task dap.TaskID, id dap.ReportID) (store.ReportState, error) {
	if err := t.check(false); err != nil {
		return 0, err
	}
	n, ok, err := t.numberOf(task, id)
	if err != nil {
		return 0, err
	}
	if !ok {
		return 0, fmt.Errorf("report %s: %w", id, store.ErrNotFound)
	}
	r, err := t.report(task, id, n)
	return r.row.State, err
}

func (t *tx) UnassignedReports(task dap.TaskID, now time.Time, limit int) ([]store.Report, error) {
	if err := t.check(false); err != nil {
		return nil, err
	}
	b := t.find(task, kindUnassigned)
	if b == nil || limit <= 0 {
		return nil, nil
	}
	var reports []store.Report
	c := b.Cursor()
	for k, v := c.First(); k != nil && len(reports) < limit; k, v = c.Next() {
		r, err := offered(k, v)
		if err != nil {
			return nil, err
		}
		if r.NotBefore.UnixMicro() > now.UnixMicro() {
			break
		}
		reports = append(reports, r)
	}
	return reports, nil
}

func (t *tx) DeferReports(task dap.TaskID, ids []dap.ReportID, notBefore time.Time) error {
	if err := t.check(true); err != nil {
		return err
	}
	for _, id := range ids {
		n, ok, err := t.numberOf(task, id)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		r, err := t.report(task, id, n)
		if err != nil {
			return err
		}
		if r.row.State != store.ReportUnassigned {
			continue
		}
		if err := t.withdraw(task, r); err != nil {
			return err
		}
		r.row.NotBefore = notBefore
		if err := t.saveReport(task, &r); err != nil {
			return err
		}
		if err := t.offer(task, r); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) RejectReports(task dap.TaskID, rejected []store.Rejection) error {
	if err := t.check(true); err != nil {
		return err
	}
	ids := make([]dap.ReportID, len(rejected))
	for i, r := range rejected {
		ids[i] = r.ID
	}
	reports, err := t.unassigned(task, ids)
	if err != nil {
		return fmt.Errorf("rejecting reports: %w", err)
	}
	for i := range reports {
		r := &reports[i]
		if err := t.withdraw(task, *r); err != nil {
			return err
		}
		t.count(task, timeKey(r.row.Time)).Unassigned--
		if err := t.reject(task, r, rejected[i].Code); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) DropReport(task dap.TaskID, id dap.ReportID, code dap.ReportError) error {
	return t.RejectReports(task, []store.Rejection{{ID: id, Code: code}})
}

// reject ends a report that is out of the queue and no longer counted.
func (t *tx) reject(task dap.TaskID, r *numbered, code dap.ReportError) error {
	t.count(task, timeKey(r.row.Time)).Rejected++
	r.row.State, r.row.Code = store.ReportRejected, code
	if err := t.saveReport(task, r); err != nil {
		return err
	}
	return t.eraseBody(task, *r)
}

func (t *tx) eraseBody(task dap.TaskID, r numbered) error {
	b := t.find(task, kindBodies)
	v := get(b, keyUint64(r.n))
	if v == nil {
		return fmt.Errorf("erasing the body of report %s: %w", r.id, errMalformed)
	}
	return t.drop(b, keyUint64(r.n), v)
}
