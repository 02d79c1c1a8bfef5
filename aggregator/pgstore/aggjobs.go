package pgstore

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"candor/aggregator/store"
	"candor/schema/dap"
)

// due returns the first moment, in microseconds, at which a live job may be leased.
func due(next, lease time.Time) time.Time {
	if lease.IsZero() {
		return next
	}
	if free := afterLease(lease); free.After(next) {
		return free
	}
	return next
}

// afterLease returns the first moment that is after the end of a lease.
func afterLease(lease time.Time) time.Time { return time.UnixMicro(lease.UnixMicro() + 1) }

// scanJob returns the destinations of a job's columns, and a function that completes the job.
func scanJob(j *store.AggregationJob) ([]any, func() error) {
	var batch []byte
	var reports [][]byte
	var attempts, revision int64
	var state int16
	dest := []any{
		fixed(j.Task[:]), fixed(j.ID[:]), &batch, &reports, &j.Request, utc{&j.Created}, &j.Location, &attempts, utc{&j.NextAttempt},
		&j.Waiting.Code, &j.Waiting.Text, utc{&j.Waiting.Since}, utc{&j.LeaseUntil}, &revision, &state,
	}
	return dest, func() error {
		j.Attempts, j.Revision, j.State, j.Request = int(attempts), uint64(revision), store.JobState(state), null(j.Request)
		if batch != nil {
			j.Batch = new(dap.BatchID)
			if err := fixed(j.Batch[:]).ScanBytes(batch); err != nil {
				return err
			}
		}
		for _, r := range reports {
			var id dap.ReportID
			if err := fixed(id[:]).ScanBytes(r); err != nil {
				return err
			}
			j.Reports = append(j.Reports, id)
		}
		return nil
	}
}

// jobs runs a query for jobs.
func (t *tx) jobs(name string, args ...any) ([]store.AggregationJob, error) {
	var jobs []store.AggregationJob
	err := t.rows(name, func(r pgx.Rows) error {
		var j store.AggregationJob
		dest, complete := scanJob(&j)
		if err := r.Scan(dest...); err != nil {
			return err
		}
		err := complete()
		jobs = append(jobs, j)
		return err
	}, args...)
	return jobs, err
}

// leasable is what a lease query returns before the columns of a job: the order in which the jobs were due.
type leasable[J any] struct {
	due   time.Time
	place int64
	job   J
}

func inOrder[J any](list []leasable[J]) []J {
	slices.SortFunc(list, func(a, b leasable[J]) int { return cmp.Or(a.due.Compare(b.due), cmp.Compare(a.place, b.place)) })
	jobs := make([]J, len(list))
	for i := range list {
		jobs[i] = list[i].job
	}
	return jobs
}

func (t *tx) AddAggregationJob(job store.AggregationJob) error {
	if err := t.checkReports(true); err != nil {
		return err
	}
	if exists, err := t.exists("job_exists", job.Task[:], job.ID[:]); err != nil {
		return err
	} else if exists {
		return fmt.Errorf("adding aggregation job %s: %w", job.ID, store.ErrConflict)
	}
	if len(job.Reports) > 0 {
		var times [][]byte
		err := t.rows("reports_assign", func(r pgx.Rows) error {
			var at []byte
			err := r.Scan(&at)
			times = append(times, at)
			return err
		}, job.Task[:], idBytes(job.Reports), job.ID[:], len(job.Reports))
		if err != nil {
			return err
		}
		if len(times) != len(job.Reports) {
			return fmt.Errorf("adding aggregation job %s: a report is unknown, not unassigned or named twice: %w", job.ID, store.ErrConflict)
		}
		for _, at := range times {
			c := t.count(job.Task, at)
			c.Unassigned--
			c.Assigned++
		}
	}
	if job.Batch != nil {
		if _, err := t.exec("batch_add", job.Task[:], job.Batch[:], job.Created, nil); err != nil {
			return err
		}
		t.count(job.Task, job.Batch[:]).Assigned += uint64(len(job.Reports))
	}
	job.Revision, job.State = 1, store.JobLive
	return t.insertJob(job)
}

func (t *tx) insertJob(j store.AggregationJob) error {
	var batch []byte
	if j.Batch != nil {
		batch = j.Batch[:]
	}
	_, err := t.exec("job_add", j.Task[:], j.ID[:], batch, idBytes(j.Reports), null(j.Request), j.Created, j.Location, int64(j.Attempts), j.NextAttempt,
		j.Waiting.Code, j.Waiting.Text, j.Waiting.Since, j.LeaseUntil, int64(j.Revision), int16(j.State), due(j.NextAttempt, j.LeaseUntil))
	return err
}

func (t *tx) LeaseAggregationJobs(now time.Time, ttl time.Duration, n int) ([]store.AggregationJob, error) {
	if err := t.check(true); err != nil {
		return nil, err
	}
	var list []leasable[store.AggregationJob]
	until := now.Add(ttl)
	err := t.rows("jobs_lease", func(r pgx.Rows) error {
		var l leasable[store.AggregationJob]
		dest, complete := scanJob(&l.job)
		if err := r.Scan(append([]any{utc{&l.due}, &l.place}, dest...)...); err != nil {
			return err
		}
		err := complete()
		list = append(list, l)
		return err
	}, now, until, max(n, 0), afterLease(until))
	return inOrder(list), err
}

func (t *tx) AggregationJob(task dap.TaskID, id dap.AggregationJobID) (store.AggregationJob, error) {
	if err := t.check(false); err != nil {
		return store.AggregationJob{}, err
	}
	jobs, err := t.jobs("job", task[:], id[:])
	if err != nil {
		return store.AggregationJob{}, err
	}
	if len(jobs) == 0 {
		return store.AggregationJob{}, fmt.Errorf("aggregation job %s: %w", id, store.ErrNotFound)
	}
	return jobs[0], nil
}

func (t *tx) JobReports(job store.AggregationJob) ([]store.Report, error) {
	if err := t.checkReports(false); err != nil {
		return nil, err
	}
	var reports []store.Report
	err := t.rows("job_reports", func(rows pgx.Rows) error {
		r, at := store.Report{}, [8]byte{}
		if err := rows.Scan(fixed(r.ID[:]), fixed(at[:]), utc{&r.NotBefore}, &r.Encoded); err != nil {
			return err
		}
		r.Time = toTime(at[:])
		reports = append(reports, r)
		return nil
	}, job.Task[:], job.ID[:])
	if err != nil {
		return nil, err
	}
	for _, r := range reports {
		if r.Encoded == nil {
			return nil, fmt.Errorf("body of report %s: %w", r.ID, store.ErrNotFound)
		}
	}
	if len(reports) == 0 {
		_, err = t.AggregationJob(job.Task, job.ID)
	}
	return reports, err
}

// leased returns the stored job if it is live and its Revision is the caller's.
func (t *tx) leased(job store.AggregationJob) (store.AggregationJob, error) {
	if err := t.check(true); err != nil {
		return job, err
	}
	stored, err := t.AggregationJob(job.Task, job.ID)
	if err == nil && (stored.State != store.JobLive || stored.Revision != job.Revision) {
		err = fmt.Errorf("aggregation job %s has ended or changed: %w", job.ID, store.ErrConflict)
	}
	return stored, err
}

func (t *tx) PrepareAggregationJob(job store.AggregationJob, outcomes []store.Outcome) error {
	stored, err := t.leased(job)
	if err != nil {
		return fmt.Errorf("preparing: %w", err)
	}
	if stored.Request != nil {
		return fmt.Errorf("preparing: aggregation job %s has a request: %w", job.ID, store.ErrConflict)
	}
	if len(job.Request) == 0 {
		return fmt.Errorf("preparing aggregation job %s: it needs a request", job.ID)
	}
	leaves, err := checkOutcomes(stored, outcomes)
	if err != nil {
		return fmt.Errorf("preparing: %w", err)
	}
	stay := slices.DeleteFunc(slices.Clone(stored.Reports), func(id dap.ReportID) bool { return leaves[id] })
	if !slices.Equal(stay, job.Reports) {
		return fmt.Errorf("preparing aggregation job %s: its list is not that of the %d reports that stay", job.ID, len(stay))
	}
	for _, o := range outcomes {
		if o.State == store.ReportAggregated {
			return fmt.Errorf("preparing aggregation job %s: report %s cannot be aggregated yet", job.ID, o.ID)
		}
	}
	if err := t.outcomes(stored, outcomes); err != nil {
		return err
	}
	if _, err := t.exec("job_prepare", job.Task[:], job.ID[:], idBytes(stay), job.Request); err != nil {
		return err
	}
	return t.saveJob(job)
}

func (t *tx) SaveAggregationJob(job store.AggregationJob) error {
	if err := t.check(true); err != nil {
		return err
	}
	return t.saveJob(job)
}

func (t *tx) saveJob(j store.AggregationJob) error {
	n, err := t.exec("job_save", j.Task[:], j.ID[:], int64(j.Revision), j.Location, int64(j.Attempts), j.NextAttempt, j.Waiting.Code, j.Waiting.Text,
		j.Waiting.Since, j.LeaseUntil, due(j.NextAttempt, j.LeaseUntil))
	if err != nil || n == 1 {
		return err
	}
	if exists, err := t.exists("job_exists", j.Task[:], j.ID[:]); err != nil {
		return err
	} else if exists {
		return fmt.Errorf("saving: aggregation job %s has ended or changed: %w", j.ID, store.ErrConflict)
	}
	return fmt.Errorf("saving: aggregation job %s: %w", j.ID, store.ErrNotFound)
}

func (t *tx) FinishAggregationJob(job store.AggregationJob, outcomes []store.Outcome) error {
	stored, err := t.leased(job)
	if err != nil {
		return fmt.Errorf("finishing: %w", err)
	}
	if _, err := checkOutcomes(stored, outcomes); err != nil {
		return fmt.Errorf("finishing: %w", err)
	}
	if len(outcomes) != len(stored.Reports) {
		return fmt.Errorf("finishing aggregation job %s: outcomes for %d of its %d reports", job.ID, len(outcomes), len(stored.Reports))
	}
	if err := t.outcomes(stored, outcomes); err != nil {
		return err
	}
	_, err = t.exec("job_end", job.Task[:], job.ID[:], int16(store.JobFinished), time.Time{})
	return err
}

func (t *tx) AbandonAggregationJob(job store.AggregationJob, notBefore time.Time) error {
	stored, err := t.leased(job)
	if err != nil {
		return fmt.Errorf("abandoning: %w", err)
	}
	outcomes := make([]store.Outcome, len(stored.Reports))
	for i, id := range stored.Reports {
		outcomes[i] = store.Outcome{ID: id, State: store.ReportUnassigned, NotBefore: notBefore}
	}
	if err := t.outcomes(stored, outcomes); err != nil {
		return err
	}
	_, err = t.exec("job_end", job.Task[:], job.ID[:], int16(store.JobAbandoned), time.Time{})
	return err
}

// checkOutcomes returns the reports that have an outcome: each one of the job's, named once.
func checkOutcomes(job store.AggregationJob, outcomes []store.Outcome) (map[dap.ReportID]bool, error) {
	has := make(map[dap.ReportID]bool, len(job.Reports))
	for _, id := range job.Reports {
		has[id] = true
	}
	named := make(map[dap.ReportID]bool, len(outcomes))
	for _, o := range outcomes {
		if !has[o.ID] || named[o.ID] {
			return nil, fmt.Errorf("aggregation job %s: an outcome for report %s, which is not in the job or has one already", job.ID, o.ID)
		}
		if o.State != store.ReportAggregated && o.State != store.ReportRejected && o.State != store.ReportUnassigned {
			return nil, fmt.Errorf("aggregation job %s: an outcome of state %d for report %s", job.ID, o.State, o.ID)
		}
		named[o.ID] = true
	}
	return named, nil
}

// outcomes ends the assignment of a job's reports.
func (t *tx) outcomes(job store.AggregationJob, outcomes []store.Outcome) error {
	if len(outcomes) == 0 {
		return nil
	}
	var ids [][]byte
	var states, codes []int16
	var notBefore []time.Time
	for _, o := range outcomes {
		ids = append(ids, o.ID[:])
		states, codes, notBefore = append(states, int16(o.State)), append(codes, int16(o.Code)), append(notBefore, o.NotBefore)
	}
	var erase []int64
	changed := 0
	err := t.rows("reports_outcome", func(r pgx.Rows) error {
		var n int64
		var at []byte
		var state int16
		if err := r.Scan(&n, &at, &state); err != nil {
			return err
		}
		changed++
		counts := []*store.Progress{t.count(job.Task, at)}
		if job.Batch != nil {
			counts = append(counts, t.count(job.Task, job.Batch[:]))
		}
		for i, c := range counts {
			c.Assigned--
			switch store.ReportState(state) {
			case store.ReportAggregated:
				c.Aggregated++
			case store.ReportRejected:
				c.Rejected++
			case store.ReportUnassigned:
				if i == 0 { // it leaves the batch
					c.Unassigned++
				}
			}
		}
		if store.ReportState(state) != store.ReportUnassigned {
			erase = append(erase, n)
		}
		return nil
	}, job.Task[:], ids, states, codes, notBefore)
	if err != nil {
		return err
	}
	if changed != len(outcomes) {
		return t.fail("reports_outcome", fmt.Errorf("%d of %d reports of aggregation job %s are assigned; the store is damaged", changed, len(outcomes), job.ID))
	}
	_, err = t.exec("bodies_erase", erase)
	return err
}

func (t *tx) LiveAggregationJobs(task dap.TaskID) ([]store.AggregationJob, error) {
	if err := t.check(false); err != nil {
		return nil, err
	}
	return t.jobs("jobs_live", task[:])
}

func (t *tx) ReserveBatch(task dap.TaskID, id dap.BatchID, job dap.CollectionJobID) error {
	if err := t.check(true); err != nil {
		return err
	}
	var reserved []byte
	found, err := t.row("batch_reserved", []any{&reserved}, task[:], id[:])
	switch {
	case err != nil:
		return err
	case !found:
		_, err = t.exec("batch_add", task[:], id[:], time.Time{}, job[:])
	case reserved == nil:
		_, err = t.exec("batch_reserve", task[:], id[:], job[:])
	case string(reserved) != string(job[:]):
		err = fmt.Errorf("reserving batch %s, which has a collection job: %w", id, store.ErrConflict)
	}
	return err
}
