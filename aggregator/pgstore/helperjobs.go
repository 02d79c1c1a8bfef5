package pgstore

import (
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"candor/aggregator/store"
	"candor/schema/dap"
)

// scanHelper returns the destinations of a job's columns.
func scanHelper(j *store.HelperJob) []any {
	return []any{
		fixed(j.Task[:]), fixed(j.ID[:]), fixed(j.Digest[:]), &j.Request, &j.Response, utc{&j.Created}, utc{&j.NextAttempt}, utc{&j.LeaseUntil},
		stateOf{&j.State},
	}
}

// stateOf scans the state of a job.
type stateOf struct{ s *store.JobState }

// ScanInt64 implements pgtype.Int64Scanner.
func (s stateOf) ScanInt64(v pgtype.Int8) error {
	if !v.Valid || v.Int64 < int64(store.JobLive) || v.Int64 > int64(store.JobAbandoned) {
		return fmt.Errorf("a job of state %d; the store is damaged", v.Int64)
	}
	*s.s = store.JobState(v.Int64)
	return nil
}

// helper runs a query for one job.
func (t *tx) helper(name string, args ...any) (store.HelperJob, error) {
	if err := t.check(false); err != nil {
		return store.HelperJob{}, err
	}
	var j store.HelperJob
	found, err := t.row(name, scanHelper(&j), args...)
	if err != nil {
		return store.HelperJob{}, err
	}
	if !found {
		return store.HelperJob{}, store.ErrNotFound
	}
	return j, nil
}

func (t *tx) AddHelperJob(j store.HelperJob) error {
	if err := t.check(true); err != nil {
		return err
	}
	if j.State != store.JobLive && j.State != store.JobFinished {
		return fmt.Errorf("adding aggregation job %s of state %d", j.ID, j.State)
	}
	if exists, err := t.exists("helper_exists", j.Task[:], j.ID[:], j.Digest[:]); err != nil {
		return err
	} else if exists {
		return fmt.Errorf("adding aggregation job %s, or another for the same request: %w", j.ID, store.ErrConflict)
	}
	request := null(j.Request)
	if j.State != store.JobLive {
		request = nil
	}
	_, err := t.exec("helper_add", j.Task[:], j.ID[:], j.Digest[:], request, null(j.Response), j.Created, j.NextAttempt, j.LeaseUntil, int16(j.State),
		due(j.NextAttempt, j.LeaseUntil))
	return err
}

func (t *tx) HelperJob(task dap.TaskID, id dap.AggregationJobID) (store.HelperJob, error) {
	j, err := t.helper("helper", task[:], id[:])
	if err != nil {
		err = fmt.Errorf("aggregation job %s: %w", id, err)
	}
	return j, err
}

func (t *tx) HelperJobByDigest(task dap.TaskID, digest [32]byte) (store.HelperJob, error) {
	j, err := t.helper("helper_by_digest", task[:], digest[:])
	if err != nil {
		err = fmt.Errorf("aggregation job by digest: %w", err)
	}
	return j, err
}

func (t *tx) SaveHelperJob(j store.HelperJob) error {
	if err := t.check(true); err != nil {
		return err
	}
	stored, err := t.HelperJob(j.Task, j.ID)
	if err != nil {
		return fmt.Errorf("saving: %w", err)
	}
	if stored.State != store.JobLive {
		return fmt.Errorf("saving: aggregation job %s was answered: %w", j.ID, store.ErrConflict)
	}
	if j.State != store.JobLive && j.State != store.JobFinished {
		return fmt.Errorf("saving: aggregation job %s of state %d", j.ID, j.State)
	}
	_, err = t.exec("helper_save", j.Task[:], j.ID[:], null(j.Response), j.NextAttempt, j.LeaseUntil, due(j.NextAttempt, j.LeaseUntil), int16(j.State))
	return err
}

func (t *tx) LeaseHelperJobs(now time.Time, ttl time.Duration, n int) ([]store.HelperJob, error) {
	if err := t.check(true); err != nil {
		return nil, err
	}
	var list []leasable[store.HelperJob]
	until := now.Add(ttl)
	err := t.rows("helpers_lease", func(r pgx.Rows) error {
		var l leasable[store.HelperJob]
		err := r.Scan(append([]any{utc{&l.due}, &l.place}, scanHelper(&l.job)...)...)
		list = append(list, l)
		return err
	}, now, until, max(n, 0), afterLease(until))
	return inOrder(list), err
}

func (t *tx) DeleteHelperJob(task dap.TaskID, id dap.AggregationJobID) error {
	if err := t.check(true); err != nil {
		return err
	}
	_, err := t.exec("helper_delete", task[:], id[:])
	return err
}

func (t *tx) AddShareAnswer(a store.ShareAnswer) error {
	if err := t.check(true); err != nil {
		return err
	}
	if exists, err := t.exists("share_exists", a.Task[:], a.ID[:], a.Digest[:]); err != nil {
		return err
	} else if exists {
		return fmt.Errorf("adding aggregate share %s, or another for the same request: %w", a.ID, store.ErrConflict)
	}
	c := columnsOf(&a.Batch)
	_, err := t.exec("share_add", a.Task[:], a.ID[:], a.Digest[:], c.start, c.duration, c.id, null(a.Response), a.Created)
	return err
}

// shares runs a query for share answers.
func (t *tx) shares(name string, args ...any) ([]store.ShareAnswer, error) {
	if err := t.check(false); err != nil {
		return nil, err
	}
	var answers []store.ShareAnswer
	err := t.rows(name, func(r pgx.Rows) error {
		var a store.ShareAnswer
		var c batchColumns
		err := r.Scan(fixed(a.Task[:]), fixed(a.ID[:]), fixed(a.Digest[:]), &c.start, &c.duration, &c.id, &a.Response, utc{&a.Created})
		if err == nil {
			a.Batch, err = c.batch()
		}
		answers = append(answers, a)
		return err
	}, args...)
	return answers, err
}

func (t *tx) ShareAnswer(task dap.TaskID, id dap.AggregateShareID) (store.ShareAnswer, error) {
	answers, err := t.shares("share", task[:], id[:])
	if err != nil || len(answers) == 0 {
		return store.ShareAnswer{}, notFound(err, "aggregate share %s", id)
	}
	return answers[0], nil
}

func (t *tx) ShareAnswerByDigest(task dap.TaskID, digest [32]byte) (store.ShareAnswer, error) {
	answers, err := t.shares("share_by_digest", task[:], digest[:])
	if err != nil || len(answers) == 0 {
		return store.ShareAnswer{}, notFound(err, "aggregate share by digest")
	}
	return answers[0], nil
}

// notFound returns err, or if there is none, that the thing named was not found.
func notFound(err error, format string, args ...any) error {
	if err == nil {
		err = fmt.Errorf(format+": %w", append(args, store.ErrNotFound)...)
	}
	return err
}

func (t *tx) ShareAnswers(task dap.TaskID) ([]store.ShareAnswer, error) {
	answers, err := t.shares("shares", task[:])
	for i := range answers {
		answers[i].Response = nil
	}
	return answers, err
}

func (t *tx) DeleteShareAnswer(task dap.TaskID, id dap.AggregateShareID) error {
	if err := t.check(true); err != nil {
		return err
	}
	_, err := t.exec("share_delete", task[:], id[:])
	return err
}
