package storetest

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"candor/aggregator/store"
	"candor/schema/dap"
)

func (t *modelTx) AddAggregationJob(job store.AggregationJob) error {
	if err := t.writes(); err != nil {
		return err
	}
	m := t.task(job.Task)
	if _, ok := m.jobs[job.ID]; ok || !m.allUnassigned(job.Reports) {
		return store.ErrConflict
	}
	job = cloneJob(job)
	for _, id := range job.Reports {
		r := m.reports[id]
		r.state, r.job = store.ReportAssigned, job.ID
		m.reports[id] = r
	}
	if job.Batch != nil {
		if _, ok := m.batches[*job.Batch]; !ok {
			m.batches[*job.Batch] = modelBatch{n: t.next(), created: job.Created, open: true}
		}
	}
	job.State, job.Revision = store.JobLive, 1
	m.jobs[job.ID] = numberedRow[store.AggregationJob]{t.next(), job}
	return nil
}

func (t *modelTx) LeaseAggregationJobs(now time.Time, ttl time.Duration, n int) ([]store.AggregationJob, error) {
	if err := t.writes(); err != nil {
		return nil, err
	}
	type entry struct {
		since time.Time
		numberedRow[store.AggregationJob]
	}
	var ready []entry
	for _, m := range t.tasks {
		for _, j := range m.jobs {
			if since, ok := due(j.row.NextAttempt, j.row.LeaseUntil, now); ok && j.row.State == store.JobLive {
				ready = append(ready, entry{since, j})
			}
		}
	}
	slices.SortFunc(ready, func(a, b entry) int { return cmp.Or(a.since.Compare(b.since), cmp.Compare(a.n, b.n)) })
	var out []store.AggregationJob
	for _, e := range ready[:min(len(ready), n)] {
		e.row.LeaseUntil = micro(now.Add(ttl))
		e.row.Revision++
		t.task(e.row.Task).jobs[e.row.ID] = e.numberedRow
		out = append(out, cloneJob(e.row))
	}
	return out, nil
}

func (t *modelTx) AggregationJob(task dap.TaskID, id dap.AggregationJobID) (store.AggregationJob, error) {
	j, ok := t.task(task).jobs[id]
	if !ok {
		return store.AggregationJob{}, store.ErrNotFound
	}
	return cloneJob(j.row), nil
}

func (t *modelTx) JobReports(job store.AggregationJob) ([]store.Report, error) {
	m := t.task(job.Task)
	var out []store.Report
	j, ok := m.jobs[job.ID]
	if !ok {
		return nil, store.ErrNotFound
	}
	for _, id := range j.row.Reports {
		r := m.reports[id].r
		r.Encoded = clone(r.Encoded)
		out = append(out, r)
	}
	return out, nil
}

// leased returns a live job at the caller's revision.
func (t *modelTx) leased(job store.AggregationJob) (numberedRow[store.AggregationJob], error) {
	if err := t.writes(); err != nil {
		return numberedRow[store.AggregationJob]{}, err
	}
	j, ok := t.task(job.Task).jobs[job.ID]
	if !ok {
		return j, store.ErrNotFound
	}
	if j.row.State != store.JobLive || j.row.Revision != job.Revision {
		return j, store.ErrConflict
	}
	j.row.Revision++
	return j, nil
}

func (t *modelTx) PrepareAggregationJob(job store.AggregationJob, outcomes []store.Outcome) error {
	j, err := t.leased(job)
	if err != nil {
		return err
	}
	if len(j.row.Request) > 0 {
		return store.ErrConflict
	}
	leave := make(map[dap.ReportID]bool)
	for _, o := range outcomes {
		if leave[o.ID] || !slices.Contains(j.row.Reports, o.ID) || o.State == store.ReportAggregated {
			return errors.New("bad outcome")
		}
		leave[o.ID] = true
	}
	stay := slices.DeleteFunc(slices.Clone(j.row.Reports), func(id dap.ReportID) bool { return leave[id] })
	if !slices.Equal(stay, job.Reports) || len(job.Request) == 0 {
		return errors.New("bad list or request")
	}
	m := t.task(job.Task)
	for _, o := range outcomes {
		m.outcome(o)
	}
	j.row.Reports, j.row.Request = stay, clone(job.Request)
	t.saveJob(j, job)
	return nil
}

func (t *modelTx) saveJob(j numberedRow[store.AggregationJob], job store.AggregationJob) {
	j.row.Location, j.row.Attempts, j.row.NextAttempt, j.row.Waiting, j.row.LeaseUntil = job.Location, job.Attempts, job.NextAttempt, job.Waiting, job.LeaseUntil
	j.row = cloneJob(j.row)
	t.task(job.Task).jobs[job.ID] = j
}

func (t *modelTx) SaveAggregationJob(job store.AggregationJob) error {
	j, err := t.leased(job)
	if err != nil {
		return err
	}
	t.saveJob(j, job)
	return nil
}

func (t *modelTx) FinishAggregationJob(job store.AggregationJob, outcomes []store.Outcome) error {
	j, err := t.leased(job)
	if err != nil {
		return err
	}
	seen := make(map[dap.ReportID]bool)
	for _, o := range outcomes {
		if seen[o.ID] || !slices.Contains(j.row.Reports, o.ID) || o.State < store.ReportUnassigned || o.State > store.ReportRejected || o.State == store.ReportAssigned {
			return errors.New("bad outcome")
		}
		seen[o.ID] = true
	}
	if len(seen) != len(j.row.Reports) {
		return errors.New("missing outcomes")
	}
	for _, o := range outcomes {
		t.task(job.Task).outcome(o)
	}
	t.endJob(j, store.JobFinished)
	return nil
}

func (t *modelTx) endJob(j numberedRow[store.AggregationJob], state store.JobState) {
	j.row.State, j.row.Request, j.row.LeaseUntil, j.row.Waiting = state, nil, time.Time{}, store.Waiting{}
	t.task(j.row.Task).jobs[j.row.ID] = j
}

func (t *modelTx) AbandonAggregationJob(job store.AggregationJob, notBefore time.Time) error {
	j, err := t.leased(job)
	if err != nil {
		return err
	}
	for _, id := range j.row.Reports {
		t.task(job.Task).outcome(store.Outcome{ID: id, State: store.ReportUnassigned, NotBefore: notBefore})
	}
	t.endJob(j, store.JobAbandoned)
	return nil
}

func (t *modelTx) LiveAggregationJobs(task dap.TaskID) ([]store.AggregationJob, error) {
	var out []store.AggregationJob
	for _, j := range sortedBy(t.task(task).jobs, func(a, b numberedRow[store.AggregationJob]) int { return cmp.Compare(a.n, b.n) }) {
		if j.row.State == store.JobLive {
			j.row.Request = nil
			out = append(out, cloneJob(j.row))
		}
	}
	return out, nil
}
