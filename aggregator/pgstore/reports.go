package pgstore

import (
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"candor/aggregator/store"
	"candor/schema/dap"
)

func (t *tx) AddReport(task dap.TaskID, r store.Report) error {
	if err := t.check(true); err != nil {
		return err
	}
	key := reportKey{task, r.ID}
	switch {
	case t.added[key]:
		return fmt.Errorf("adding report %s: %w", r.ID, store.ErrConflict)
	case t.known[key]:
		if t.assumed == nil {
			t.assumed = make(map[dap.TaskID][]dap.ReportID)
		}
		t.assumed[task] = append(t.assumed[task], r.ID)
		return fmt.Errorf("adding report %s: %w", r.ID, store.ErrConflict)
	}
	if t.added == nil {
		t.added, t.uploads = make(map[reportKey]bool), make(map[dap.TaskID]*uploads)
	}
	t.added[key] = true
	u := t.uploads[task]
	if u == nil {
		u = new(uploads)
		t.uploads[task] = u
	}
	u.ids = append(u.ids, r.ID[:])
	u.times = append(u.times, timeBytes(r.Time))
	u.notBefore = append(u.notBefore, r.NotBefore)
	u.bodies = append(u.bodies, append([]byte{}, r.Encoded...))
	t.count(task, timeBytes(r.Time)).Unassigned++
	return nil
}

// flushUploads adds the reports that were put off. If the store has one of them, or lacks one that was taken to be known, the function must run again.
func (t *tx) flushUploads() error {
	for task, ids := range t.assumed {
		unique := make(map[dap.ReportID]bool, len(ids))
		for _, id := range ids {
			unique[id] = true
		}
		n := 0
		if _, err := t.row("reports_known", []any{&n}, task[:], idBytes(ids)); err != nil {
			return err
		}
		if n != len(unique) {
			clear(t.known)
			return t.again()
		}
		delete(t.assumed, task)
	}
	for task, u := range t.uploads {
		added, err := t.ids("reports_add", task[:], u.ids, u.times, u.notBefore, u.bodies)
		if err != nil {
			return err
		}
		delete(t.uploads, task)
		if len(added) == len(u.ids) {
			continue
		}
		isNew := make(map[string]bool, len(added))
		for _, id := range added {
			isNew[string(id)] = true
		}
		for _, id := range u.ids {
			if !isNew[string(id)] {
				t.known[reportKey{task, dap.ReportID(id)}] = true
			}
		}
		return t.again()
	}
	return nil
}

// again ends this run.
func (t *tx) again() error {
	t.replay = true
	if t.failed == nil {
		t.failed = errReplay
	}
	return errReplay
}

func (t *tx) ReportState(task dap.TaskID, id dap.ReportID) (store.ReportState, error) {
	if err := t.checkReports(false); err != nil {
		return 0, err
	}
	var state int16
	found, err := t.row("report_state", []any{&state}, task[:], id[:])
	if err == nil && !found {
		err = fmt.Errorf("report %s: %w", id, store.ErrNotFound)
	}
	return store.ReportState(state), err
}

func (t *tx) UnassignedReports(task dap.TaskID, now time.Time, limit int) ([]store.Report, error) {
	if err := t.checkReports(false); err != nil {
		return nil, err
	}
	var reports []store.Report
	name := "reports_unassigned"
	if t.writable {
		name = "reports_claim" // several processes that claim reports at the same moment get different ones
	}
	err := t.rows(name, func(rows pgx.Rows) error {
		r, at := store.Report{}, [8]byte{}
		err := rows.Scan(fixed(r.ID[:]), fixed(at[:]), utc{&r.NotBefore})
		r.Time = toTime(at[:])
		reports = append(reports, r)
		return err
	}, task[:], now, max(limit, 0))
	return reports, err
}

func (t *tx) DeferReports(task dap.TaskID, ids []dap.ReportID, notBefore time.Time) error {
	if err := t.checkReports(true); err != nil {
		return err
	}
	_, err := t.exec("reports_defer", task[:], idBytes(ids), notBefore)
	return err
}

func (t *tx) RejectReports(task dap.TaskID, rejected []store.Rejection) error {
	if err := t.checkReports(true); err != nil || len(rejected) == 0 {
		return err
	}
	ids, codes := make([]dap.ReportID, len(rejected)), make([]int16, len(rejected))
	for i, r := range rejected {
		ids[i], codes[i] = r.ID, int16(r.Code)
	}
	var numbers []int64
	err := t.rows("reports_reject", func(r pgx.Rows) error {
		var n int64
		var at []byte
		err := r.Scan(&n, &at)
		numbers = append(numbers, n)
		c := t.count(task, at)
		c.Unassigned--
		c.Rejected++
		return err
	}, task[:], idBytes(ids), codes, len(ids))
	if err != nil {
		return err
	}
	if len(numbers) != len(ids) {
		return fmt.Errorf("rejecting reports of which one is unknown, not unassigned or named twice: %w", store.ErrConflict)
	}
	_, err = t.exec("bodies_erase", numbers)
	return err
}

func (t *tx) DropReport(task dap.TaskID, id dap.ReportID, code dap.ReportError) error {
	return t.RejectReports(task, []store.Rejection{{ID: id, Code: code}})
}
