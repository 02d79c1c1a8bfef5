package storetest

import (
	"cmp"
	"time"

	"candor/aggregator/store"
	"candor/schema/dap"
)

func (t *modelTx) AddReport(task dap.TaskID, r store.Report) error {
	if err := t.writes(); err != nil {
		return err
	}
	m := t.task(task)
	if _, ok := m.reports[r.ID]; ok {
		return store.ErrConflict
	}
	r.Encoded, r.NotBefore = clone(r.Encoded), micro(r.NotBefore)
	m.reports[r.ID] = modelReport{n: t.next(), r: r, state: store.ReportUnassigned}
	return nil
}

func (t *modelTx) ReportState(task dap.TaskID, id dap.ReportID) (store.ReportState, error) {
	r, ok := t.task(task).reports[id]
	if !ok {
		return 0, store.ErrNotFound
	}
	return r.state, nil
}

func (t *modelTx) UnassignedReports(task dap.TaskID, now time.Time, limit int) ([]store.Report, error) {
	var out []store.Report
	for _, r := range sortedBy(t.task(task).reports, func(a, b modelReport) int {
		return cmp.Or(a.r.NotBefore.Compare(b.r.NotBefore), cmp.Compare(a.n, b.n))
	}) {
		if r.state == store.ReportUnassigned && !r.r.NotBefore.After(micro(now)) && len(out) < limit {
			r.r.Encoded = nil
			out = append(out, r.r)
		}
	}
	return out, nil
}

func (t *modelTx) DeferReports(task dap.TaskID, ids []dap.ReportID, notBefore time.Time) error {
	if err := t.writes(); err != nil {
		return err
	}
	m := t.task(task)
	for _, id := range ids {
		if r := m.reports[id]; r.state == store.ReportUnassigned {
			r.r.NotBefore = micro(notBefore)
			m.reports[id] = r
		}
	}
	return nil
}

func (m *modelTask) allUnassigned(ids []dap.ReportID) bool {
	seen := make(map[dap.ReportID]bool)
	for _, id := range ids {
		if seen[id] || m.reports[id].state != store.ReportUnassigned {
			return false
		}
		seen[id] = true
	}
	return true
}

func (t *modelTx) RejectReports(task dap.TaskID, rejected []store.Rejection) error {
	if err := t.writes(); err != nil {
		return err
	}
	m := t.task(task)
	var ids []dap.ReportID
	for _, r := range rejected {
		ids = append(ids, r.ID)
	}
	if !m.allUnassigned(ids) {
		return store.ErrConflict
	}
	for _, r := range rejected {
		m.outcome(store.Outcome{ID: r.ID, State: store.ReportRejected, Code: r.Code})
	}
	return nil
}

func (t *modelTx) DropReport(task dap.TaskID, id dap.ReportID, code dap.ReportError) error {
	return t.RejectReports(task, []store.Rejection{{ID: id, Code: code}})
}

func (m *modelTask) outcome(o store.Outcome) {
	r := m.reports[o.ID]
	r.state = o.State
	switch o.State {
	case store.ReportUnassigned:
		r.r.NotBefore, r.job = micro(o.NotBefore), dap.AggregationJobID{}
	case store.ReportRejected:
		r.code, r.r.Encoded = o.Code, nil
	case store.ReportAggregated:
		r.r.Encoded = nil
	}
	m.reports[o.ID] = r
}
