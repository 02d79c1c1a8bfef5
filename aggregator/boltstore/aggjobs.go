package boltstore

import (
	"errors"
	"fmt"
	"time"

	"candor/aggregator/store"
	"candor/schema/dap"
)

func (t *tx) job(task dap.TaskID, id dap.AggregationJobID) (row jobRow, value []byte, err error) {
	value = get(t.find(task, kindJobs), id[:])
	if value == nil {
		return row, nil, fmt.Errorf("aggregation job %s: %w", id, store.ErrNotFound)
	}
	return row, value, decode(value, &row)
}

// leased returns a live job whose stored Revision is the caller's.
func (t *tx) leased(job store.AggregationJob) (row jobRow, value []byte, err error) {
	row, value, err = t.job(job.Task, job.ID)
	if err == nil && (row.State != store.JobLive || row.Revision != job.Revision) {
		err = fmt.Errorf("aggregation job %s has ended or changed: %w", job.ID, store.ErrConflict)
	}
	return row, value, err
}

func (t *tx) saveJob(task dap.TaskID, id dap.AggregationJobID, old []byte, row *jobRow) error {
	b, err := t.make(task, kindJobs)
	if err != nil {
		return err
	}
	value, err := encode(row, 256)
	if err != nil {
		return err
	}
	return t.put(b, id[:], old, value)
}

func (t *tx) members(task dap.TaskID, id dap.AggregationJobID) (members memberRow, value []byte, err error) {
	value = get(t.find(task, kindMembers), id[:])
	if value == nil {
		return nil, nil, fmt.Errorf("reports of aggregation job %s: %w", id, errMalformed)
	}
	return members, value, decode(value, &members)
}

func (t *tx) saveMembers(task dap.TaskID, id dap.AggregationJobID, old []byte, members memberRow) error {
	b, err := t.make(task, kindMembers)
	if err != nil {
		return err
	}
	value, err := encode(&members, 1+24*len(members))
	if err != nil {
		return err
	}
	return t.put(b, id[:], old, value)
}

func (t *tx) AddAggregationJob(job store.AggregationJob) error {
	if err := t.check(true); err != nil {
		return err
	}
	if get(t.find(job.Task, kindJobs), job.ID[:]) != nil {
		return fmt.Errorf("adding aggregation job %s: %w", job.ID, store.ErrConflict)
	}
	reports, err := t.unassigned(job.Task, job.Reports)
	if err != nil {
		return fmt.Errorf("adding aggregation job %s: %w", job.ID, err)
	}
	members := make(memberRow, len(reports))
	for i := range reports {
		r := &reports[i]
		members[i] = member{r.id, r.n}
		if err := t.withdraw(job.Task, *r); err != nil {
			return err
		}
		c := t.count(job.Task, timeKey(r.row.Time))
		c.Unassigned--
		c.Assigned++
		r.row.State, r.row.Job = store.ReportAssigned, job.ID
		if err := t.saveReport(job.Task, r); err != nil {
			return err
		}
	}
	if job.Batch != nil {
		if err := t.createBatch(job.Task, *job.Batch, job.Created); err != nil {
			return err
		}
		t.count(job.Task, batchKey(*job.Batch)).Assigned += uint64(len(reports))
	}
	if err := t.saveMembers(job.Task, job.ID, nil, members); err != nil {
		return err
	}
	if len(job.Request) > 0 {
		if err := t.addRequest(job.Task, job.ID, job.Request); err != nil {
			return err
		}
	}
	row := jobRow{Batch: job.Batch, Created: job.Created, Revision: 1, State: store.JobLive}
	row.mutable(job)
	s := row.schedule()
	if err := t.enqueue(dueAggregation, job.Task, jobID(job.ID), &s); err != nil {
		return err
	}
	row.Number = s.Number
	return t.saveJob(job.Task, job.ID, nil, &row)
}

// mutable takes over the fields of a job that may change while it is live.
func (r *jobRow) mutable(job store.AggregationJob) {
	r.Location, r.Attempts, r.NextAttempt, r.Waiting, r.LeaseUntil = job.Location, job.Attempts, job.NextAttempt, job.Waiting, job.LeaseUntil
}

func (t *tx) addRequest(task dap.TaskID, id dap.AggregationJobID, request []byte) error {
	b, err := t.make(task, kindRequests)
	if err != nil {
		return err
	}
	return t.put(b, id[:], nil, raw(request))
}

// restore returns a job as its rows have it.
func (t *tx) restoreJob(task dap.TaskID, id dap.AggregationJobID, row jobRow, withRequest bool) (store.AggregationJob, error) {
	job := store.AggregationJob{
		ID: id, Task: task, Batch: row.Batch, Created: row.Created, Location: row.Location, Attempts: row.Attempts,
		NextAttempt: row.NextAttempt, Waiting: row.Waiting, LeaseUntil: row.LeaseUntil, Revision: row.Revision, State: row.State,
	}
	members, _, err := t.members(task, id)
	if err != nil {
		return job, err
	}
	if len(members) > 0 {
		job.Reports = make([]dap.ReportID, len(members))
	}
	for i, m := range members {
		job.Reports[i] = m.id
	}
	if v := get(t.find(task, kindRequests), id[:]); withRequest && v != nil {
		job.Request, err = unraw("request", v)
	}
	return job, err
}

func (t *tx) LeaseAggregationJobs(now time.Time, ttl time.Duration, n int) ([]store.AggregationJob, error) {
	if err := t.check(true); err != nil {
		return nil, err
	}
	due, err := t.dueJobs(dueAggregation, now, n)
	if err != nil {
		return nil, err
	}
	var jobs []store.AggregationJob
	for _, d := range due {
		id := dap.AggregationJobID(d.id)
		row, old, err := t.job(d.task, id)
		if err != nil {
			return nil, err
		}
		was := row.schedule()
		row.LeaseUntil = now.Add(ttl)
		row.Revision++
		if err := t.requeue(dueAggregation, d.task, d.id, was, row.schedule()); err != nil {
			return nil, err
		}
		if err := t.saveJob(d.task, id, old, &row); err != nil {
			return nil, err
		}
		row.LeaseUntil = asStored(row.LeaseUntil)
		job, err := t.restoreJob(d.task, id, row, true)
		if err != nil {
			return nil, err
		}
		jobs = append(jobs, job)
	}
	return jobs, nil
}

// asStored returns a time as it will be read again.
func asStored(t time.Time) time.Time { return time.UnixMicro(t.UnixMicro()).UTC() }

func (t *tx) AggregationJob(task dap.TaskID, id dap.AggregationJobID) (store.AggregationJob, error) {
	if err := t.check(false); err != nil {
		return store.AggregationJob{}, err
	}
	row, _, err := t.job(task, id)
	if err != nil {
		return store.AggregationJob{}, err
	}
	return t.restoreJob(task, id, row, true)
}

func (t *tx) JobReports(job store.AggregationJob) ([]store.Report, error) {
	if err := t.check(false); err != nil {
		return nil, err
	}
	members, _, err := t.members(job.Task, job.ID)
	if err != nil {
		return nil, err
	}
	bodies := t.find(job.Task, kindBodies)
	reports := make([]store.Report, len(members))
	for i, m := range members {
		r, err := t.report(job.Task, m.id, m.n)
		if err != nil {
			return nil, err
		}
		body := get(bodies, keyUint64(m.n))
		if body == nil {
			return nil, fmt.Errorf("body of report %s: %w", m.id, store.ErrNotFound)
		}
		reports[i] = store.Report{ID: m.id, Time: r.row.Time, NotBefore: r.row.NotBefore}
		if reports[i].Encoded, err = unraw("report", body); err != nil {
			return nil, err
		}
	}
	return reports, nil
}

func (t *tx) PrepareAggregationJob(job store.AggregationJob, outcomes []store.Outcome) error {
	if err := t.check(true); err != nil {
		return err
	}
	row, old, err := t.leased(job)
	if err != nil {
		return fmt.Errorf("preparing: %w", err)
	}
	if get(t.find(job.Task, kindRequests), job.ID[:]) != nil {
		return fmt.Errorf("preparing: aggregation job %s has a request: %w", job.ID, store.ErrConflict)
	}
	if len(job.Request) == 0 {
		return fmt.Errorf("preparing aggregation job %s: it needs a request", job.ID)
	}
	members, oldMembers, err := t.members(job.Task, job.ID)
	if err != nil {
		return err
	}
	left, err := byID(job.ID, members, outcomes, false)
	if err != nil {
		return fmt.Errorf("preparing: %w", err)
	}
	stay := make(memberRow, 0, len(job.Reports))
	for _, m := range members {
		if _, leaves := left[m.id]; !leaves {
			stay = append(stay, m)
		}
	}
	if len(stay) != len(job.Reports) {
		return fmt.Errorf("preparing aggregation job %s: %d reports stay, but its list has %d", job.ID, len(stay), len(job.Reports))
	}
	for i, m := range stay {
		if m.id != job.Reports[i] {
			return fmt.Errorf("preparing aggregation job %s: report %s is not where it was", job.ID, job.Reports[i])
		}
	}
	for _, o := range outcomes {
		if o.State == store.ReportAggregated {
			return fmt.Errorf("preparing aggregation job %s: report %s cannot be aggregated yet", job.ID, o.ID)
		}
		if err := t.outcome(job.Task, row.Batch, left[o.ID], o); err != nil {
			return err
		}
	}
	if err := t.saveMembers(job.Task, job.ID, oldMembers, stay); err != nil {
		return err
	}
	if err := t.addRequest(job.Task, job.ID, job.Request); err != nil {
		return err
	}
	return t.updateJob(job, row, old)
}

func (t *tx) SaveAggregationJob(job store.AggregationJob) error {
	if err := t.check(true); err != nil {
		return err
	}
	row, old, err := t.leased(job)
	if err != nil {
		return fmt.Errorf("saving: %w", err)
	}
	return t.updateJob(job, row, old)
}

func (t *tx) updateJob(job store.AggregationJob, row jobRow, old []byte) error {
	was := row.schedule()
	row.mutable(job)
	row.Revision++
	if err := t.requeue(dueAggregation, job.Task, jobID(job.ID), was, row.schedule()); err != nil {
		return err
	}
	return t.saveJob(job.Task, job.ID, old, &row)
}

func (t *tx) FinishAggregationJob(job store.AggregationJob, outcomes []store.Outcome) error {
	if err := t.check(true); err != nil {
		return err
	}
	row, old, err := t.leased(job)
	if err != nil {
		return fmt.Errorf("finishing: %w", err)
	}
	members, _, err := t.members(job.Task, job.ID)
	if err != nil {
		return err
	}
	all, err := byID(job.ID, members, outcomes, true)
	if err != nil {
		return fmt.Errorf("finishing: %w", err)
	}
	for _, o := range outcomes {
		if err := t.outcome(job.Task, row.Batch, all[o.ID], o); err != nil {
			return err
		}
	}
	return t.endJob(job, row, old, store.JobFinished)
}

func (t *tx) AbandonAggregationJob(job store.AggregationJob, notBefore time.Time) error {
	if err := t.check(true); err != nil {
		return err
	}
	row, old, err := t.leased(job)
	if err != nil {
		return fmt.Errorf("abandoning: %w", err)
	}
	members, _, err := t.members(job.Task, job.ID)
	if err != nil {
		return err
	}
	for _, m := range members {
		o := store.Outcome{ID: m.id, State: store.ReportUnassigned, NotBefore: notBefore}
		if err := t.outcome(job.Task, row.Batch, m.n, o); err != nil {
			return err
		}
	}
	return t.endJob(job, row, old, store.JobAbandoned)
}

// byID returns the numbers of the reports that have an outcome. Each must be one of the job's, and be named once;
// with all, each of the job's must be named.
func byID(job dap.AggregationJobID, members memberRow, outcomes []store.Outcome, all bool) (map[dap.ReportID]uint64, error) {
	numbers := make(map[dap.ReportID]uint64, len(members))
	for _, m := range members {
		numbers[m.id] = m.n
	}
	named := make(map[dap.ReportID]uint64, len(outcomes))
	for _, o := range outcomes {
		n, ok := numbers[o.ID]
		if _, twice := named[o.ID]; !ok || twice {
			return nil, fmt.Errorf("aggregation job %s: an outcome for report %s, which is not in the job or has one already", job, o.ID)
		}
		if o.State != store.ReportAggregated && o.State != store.ReportRejected && o.State != store.ReportUnassigned {
			return nil, fmt.Errorf("aggregation job %s: an outcome of state %d for report %s", job, o.State, o.ID)
		}
		named[o.ID] = n
	}
	if all && len(named) != len(members) {
		return nil, fmt.Errorf("aggregation job %s: outcomes for %d of its %d reports", job, len(named), len(members))
	}
	return named, nil
}

// outcome ends the assignment of a report.
func (t *tx) outcome(task dap.TaskID, batch *dap.BatchID, n uint64, o store.Outcome) error {
	r, err := t.report(task, o.ID, n)
	if err != nil {
		return err
	}
	if r.row.State != store.ReportAssigned {
		return fmt.Errorf("assigned report %s: %w", o.ID, errMalformed)
	}
	t.count(task, timeKey(r.row.Time)).Assigned--
	var ofBatch *progress
	if batch != nil {
		ofBatch = t.count(task, batchKey(*batch))
		ofBatch.Assigned--
	}
	switch o.State {
	case store.ReportAggregated:
		t.count(task, timeKey(r.row.Time)).Aggregated++
		if ofBatch != nil {
			ofBatch.Aggregated++
		}
		r.row.State = store.ReportAggregated
		if err := t.saveReport(task, &r); err != nil {
			return err
		}
		return t.eraseBody(task, r)
	case store.ReportRejected:
		if ofBatch != nil {
			ofBatch.Rejected++
		}
		return t.reject(task, &r, o.Code)
	case store.ReportUnassigned:
		t.count(task, timeKey(r.row.Time)).Unassigned++
		r.row.State, r.row.NotBefore, r.row.Job = store.ReportUnassigned, o.NotBefore, dap.AggregationJobID{}
		if err := t.saveReport(task, &r); err != nil {
			return err
		}
		return t.offer(task, r)
	}
	return errors.New("boltstore: internal error: unchecked outcome")
}

// endJob makes a job finished or abandoned and erases its request.
func (t *tx) endJob(job store.AggregationJob, row jobRow, old []byte, state store.JobState) error {
	if err := t.dequeue(dueAggregation, job.Task, jobID(job.ID), row.schedule()); err != nil {
		return err
	}
	requests := t.find(job.Task, kindRequests)
	if v := get(requests, job.ID[:]); v != nil {
		if err := t.drop(requests, job.ID[:], v); err != nil {
			return err
		}
	}
	row.State, row.LeaseUntil, row.Waiting = state, time.Time{}, store.Waiting{}
	row.Revision++
	return t.saveJob(job.Task, job.ID, old, &row)
}

func (t *tx) LiveAggregationJobs(task dap.TaskID) ([]store.AggregationJob, error) {
	if err := t.check(false); err != nil {
		return nil, err
	}
	ids, err := t.liveJobs(dueAggregation, task)
	if err != nil {
		return nil, err
	}
	var jobs []store.AggregationJob
	for _, id := range ids {
		row, _, err := t.job(task, dap.AggregationJobID(id))
		if err != nil {
			return nil, err
		}
		job, err := t.restoreJob(task, dap.AggregationJobID(id), row, false)
		if err != nil {
			return nil, err
		}
		jobs = append(jobs, job)
	}
	return jobs, nil
}
