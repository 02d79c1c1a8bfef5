package leader

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"time"

	"candor/aggregator"
	"candor/aggregator/store"
	"candor/crypto/prio3"
	"candor/schema/dap"
)

// driveAggregation takes a leased aggregation job one step further: makes its request if it has none, sends it or polls, and commits what comes
// back. Whatever happens, the job is left in the store so that a later call, here or elsewhere, goes on from there; a lost lease ends the step.
//
//	claimed --prepare--> prepared --answer--> finished
//	   |                  |  ^ |
//	   | no report is     |  | no answer, or not ready: waiting
//	   | valid            |  +-+
//	   v                  v an answer that is not one: abandoned
//	finished
func (l *Leader) driveAggregation(ctx context.Context, job store.AggregationJob) {
	start := l.cfg.Now()
	log := l.cfg.Logger.With("task_id", job.Task.String(), "aggregation_job_id", job.ID.String())
	t := l.tasks.Get(job.Task)
	if t == nil {
		l.waitAggregation(ctx, job, aggregator.WaitingTaskUnknown, "the task is not configured: add it to the configuration, or delete its rows from the store", l.patienceUnknown(job.Waiting))
		return
	}
	outcome, err := l.stepAggregation(ctx, t, &job)
	switch {
	case errors.Is(err, store.ErrConflict):
		log.InfoContext(ctx, "aggregation job taken over by another worker")
		return
	case errors.Is(err, errReportChanged):
		l.waitAggregation(ctx, job, aggregator.WaitingKeyMissing, fmt.Sprintf("%v", err), l.cfg.RetryMax)
		log.ErrorContext(ctx, "aggregation job cannot be resumed", "err", err)
		outcome = aggregator.StepWaiting
	case ctx.Err() != nil:
		return // the lease ends by itself
	case err != nil:
		log.ErrorContext(ctx, "aggregation job step failed", "err", err)
		l.waitAggregation(ctx, job, aggregator.WaitingInternal, "the last step failed with an error of our own; the log says which", l.cfg.RetryMin)
		outcome = aggregator.StepFailed
	case outcome == aggregator.StepWaiting: // saveWaiting has said why, once
	default:
		log.InfoContext(ctx, "aggregation job step", "outcome", outcome, "reports", len(job.Reports), "attempts", job.Attempts, "elapsed", l.cfg.Now().Sub(start))
	}
	l.metrics.Stepped(t.ID, aggregator.KindAggregation, outcome)
}

func (l *Leader) stepAggregation(ctx context.Context, t *aggregator.Task, job *store.AggregationJob) (outcome string, err error) {
	states := l.states.take(job.ID)
	if len(job.Request) == 0 {
		if states, err = l.prepare(ctx, t, job); err != nil {
			return "", err
		}
		if states == nil {
			return aggregator.StepFinished, nil // no report was valid
		}
	}
	job.Attempts++
	a, err := l.askHelper(ctx, t, job)
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if err != nil {
		l.states.put(job.ID, states)
		return l.helperFailed(ctx, t, *job, err)
	}
	l.note(t.ID, func(n *taskNotes) { n.blockedUntil = time.Time{} })
	if len(a.Body) == 0 { // DAP, Asynchronous Request Handling
		l.states.put(job.ID, states)
		job.Location = pollLocation(t, a.Location, job.Location)
		job.Attempts = 0
		delay := a.RetryAfter
		if delay == 0 {
			delay = l.cfg.PollInterval
		}
		return aggregator.StepWaiting, l.saveWaiting(ctx, *job, aggregator.WaitingHelperDeferred, "the Helper has accepted the job and works on it", delay)
	}
	if states == nil {
		if states, err = l.resume(ctx, t, *job); err != nil {
			return "", err
		}
	}
	resps, err := dap.Parse[dap.AggregationJobResp](a.Body)
	if err == nil {
		err = matchResponse(job.Reports, resps)
	}
	if err != nil {
		return aggregator.StepAbandoned, l.abandon(ctx, t, *job, a.Location, fmt.Errorf("the Helper's response does not fit the job: %w", err), l.cfg.RetryMin)
	}
	if allTooEarly(resps) {
		// The same reports will make the same bytes again, and the Helper would answer them as it did now, for ever: it must forget this job, of which it has
		// committed nothing, before the reports are offered in another.
		if err := l.deleteAtHelper(ctx, t, *job, a.Location); err != nil && judge(err) == unavailable {
			if ctx.Err() != nil {
				return "", ctx.Err()
			}
			return l.helperFailed(ctx, t, *job, err)
		}
	}
	return aggregator.StepFinished, l.commit(ctx, t, *job, states, resps)
}

// allTooEarly says whether the Helper refused every report of a job because it came too early.
func allTooEarly(resps dap.AggregationJobResp) bool {
	for _, r := range resps {
		if r.Type != dap.VerifyRejected || r.Error != dap.ErrorReportTooEarly {
			return false
		}
	}
	return true
}

// maxAnswer bounds the response to a job of n reports: Prio3's messages are a few dozen bytes.
func maxAnswer(n int) int64 { return 4096 + int64(n)*1024 }

// askHelper sends the request of a job, or polls the resource it has become.
func (l *Leader) askHelper(ctx context.Context, t *aggregator.Task, job *store.AggregationJob) (answer, error) {
	if job.Location != "" {
		a, err := l.peer.do(ctx, t, http.MethodGet, job.Location, "", nil, dap.MessageAggregationJobResp, maxAnswer(len(job.Reports)))
		var pe *peerError
		if !errors.As(err, &pe) || pe.Problem == nil || pe.Problem.Type != dap.UnrecognizedAggregationJob {
			return a, err
		}
		// The Helper lost the job: the same bytes make the same job again, and what it did commit it answers as replayed.
		job.Location = ""
	}
	return l.peer.do(ctx, t, http.MethodPost, taskURL(t, "aggregation_jobs"), dap.MediaTypeAggregationJobInitReq, job.Request,
		dap.MessageAggregationJobResp, maxAnswer(len(job.Reports)))
}

// pollLocation returns where to poll a deferred job: the newest Location, else the one known, else the URL first used
// (DAP, Asynchronous Request Handling). A GET of the job always has a step (Helper Initialization).
func pollLocation(t *aggregator.Task, newest, known string) string {
	location := newest
	if location == "" {
		location = known
	}
	if location == "" {
		location = taskURL(t, "aggregation_jobs")
	}
	u, err := url.Parse(location)
	if err != nil || u.Query().Has("step") {
		return location
	}
	q := u.Query()
	q.Set("step", "0")
	u.RawQuery = q.Encode()
	return u.String()
}

// matchResponse checks that a response is one to the request (DAP, Leader Initialization): the same reports in the same order, each with a
// type that a job with one step can have.
func matchResponse(ids []dap.ReportID, resps dap.AggregationJobResp) error {
	if len(resps) != len(ids) {
		return fmt.Errorf("it has %d reports, not %d", len(resps), len(ids))
	}
	for i, r := range resps {
		if r.ReportID != ids[i] {
			return fmt.Errorf("its report %d is %s, not %s", i, r.ReportID, ids[i])
		}
		if r.Type != dap.VerifyContinued && r.Type != dap.VerifyRejected {
			return fmt.Errorf("report %s has response type %d at the first step", r.ReportID, r.Type)
		}
	}
	return nil
}

// commit ends a job with the Helper's answers: what verifies goes into its bucket, the rest is rejected (DAP, Batch Buckets). It is one transaction.
func (l *Leader) commit(ctx context.Context, t *aggregator.Task, job store.AggregationJob, v *verification, resps dap.AggregationJobResp) error {
	shares := make([]aggregator.OutputShare, len(resps))
	codes := make([]dap.ReportError, len(resps))
	err := l.cfg.CPU.Each(ctx, len(resps), verifyGrain, func(lo, hi int) {
		t.WithVerifier(prio3.Leader, job.Request[0], func(w *prio3.Verifier) {
			for i := lo; i < hi; i++ {
				shares[i] = aggregator.OutputShare{ID: resps[i].ReportID, Time: v.times[i]}
				if resps[i].Type == dap.VerifyRejected {
					codes[i] = resps[i].Error
					continue
				}
				share, err := w.LeaderContinued(v.states[i], resps[i].Payload)
				if err != nil {
					codes[i] = dap.ErrorVDAFVerifyError
					continue
				}
				shares[i].Share = share
			}
		})
	})
	if err != nil {
		return err
	}
	now := l.cfg.Now()
	outcomes := make([]store.Outcome, len(resps))
	aggregated, rejected := 0, make(map[dap.ReportError]int)
	counted := make(map[dap.ReportID]bool)
	for i, s := range shares {
		if codes[i] == 0 {
			outcomes[i] = store.Outcome{ID: s.ID, State: store.ReportAggregated}
			counted[s.ID] = true
			aggregated++
			continue
		}
		outcomes[i] = l.outcome(t, s.ID, s.Time, codes[i], job.Created, now)
		if outcomes[i].State == store.ReportRejected {
			rejected[codes[i]]++
		}
	}
	deltas, err := t.Sum(shares, job.Batch, nil)
	if err != nil {
		return err
	}
	var refused []store.BucketID
	err = l.cfg.Store.Update(ctx, "finish_aggregation_job", func(tx store.Tx) error {
		refused = nil
		for _, d := range deltas {
			collected, err := tx.BatchCollected(t.ID, t.BucketBatch(d.MinTime, job.Batch))
			if err != nil {
				return err
			}
			if collected {
				refused = append(refused, d.ID)
				continue
			}
			if err := tx.MergeBucket(t.ID, d.ID, d, store.Adding(t.VDAF.AddShare)); err != nil {
				return err
			}
		}
		if len(refused) > 0 {
			return errCollectedMeanwhile
		}
		if err := count(tx, t.ID, aggregated, rejected); err != nil {
			return err
		}
		if t.Round != nil {
			if err := t.MarkCounted(tx, counted); err != nil {
				return err
			}
		}
		return tx.FinishAggregationJob(job, outcomes)
	})
	if errors.Is(err, errCollectedMeanwhile) {
		// Cannot happen while the store keeps its promises: no bucket is collected while one of its reports is assigned. The Helper has committed.
		l.cfg.Logger.ErrorContext(ctx, "batch was collected while one of its aggregation jobs was live: the two Aggregators now differ",
			"task_id", t.ID.String(), "aggregation_job_id", job.ID.String(), "reports", len(job.Reports))
	}
	if err != nil {
		return fmt.Errorf("committing an aggregation job: %w", err)
	}
	l.metrics.Aggregated(t.ID, aggregated, rejected)
	return nil
}

var errCollectedMeanwhile = errors.New("a bucket of the job was collected")

// refusalsBeforeAbandoning is how often the Helper must refuse the same bytes for good before the job is given up and its reports are offered in another one.
const refusalsBeforeAbandoning = 5

// helperFailed keeps a job for later, or gives it up if the Helper will never take it.
func (l *Leader) helperFailed(ctx context.Context, t *aggregator.Task, job store.AggregationJob, err error) (outcome string, _ error) {
	now := l.cfg.Now()
	delay := l.backoff(job.Attempts, err)
	switch judge(err) {
	case tooLarge:
		if size := len(job.Reports); size > 1 {
			l.note(t.ID, func(n *taskNotes) { n.jobReports = size / 2 })
			return aggregator.StepAbandoned, l.abandon(ctx, t, job, "", err, 0)
		}
		return aggregator.StepWaiting, l.saveWaiting(ctx, job, aggregator.WaitingHelperRefused,
			fmt.Sprintf("the Helper says that a job of one report is too large (%v); its limit must be raised", err), l.cfg.RetryMax)
	case permanent:
		if job.Attempts >= refusalsBeforeAbandoning {
			return aggregator.StepAbandoned, l.abandon(ctx, t, job, "", err, l.cfg.RetryMax)
		}
		return aggregator.StepWaiting, l.saveWaiting(ctx, job, aggregator.WaitingHelperRefused, fmt.Sprintf("the Helper refuses the job (%v)", err), delay)
	case refused:
		l.note(t.ID, func(n *taskNotes) { n.blockedUntil = now.Add(delay) })
		return aggregator.StepWaiting, l.saveWaiting(ctx, job, aggregator.WaitingHelperRefused,
			fmt.Sprintf("the Helper refuses us (%v); compare endpoint, token and task on both sides", err), delay)
	}
	l.note(t.ID, func(n *taskNotes) { n.blockedUntil = now.Add(delay) })
	return aggregator.StepWaiting, l.saveWaiting(ctx, job, aggregator.WaitingHelperUnavailable, fmt.Sprintf("the Helper does not answer (%v)", err), delay)
}

// patienceUnknown returns how long a job waits whose task this process does not know.
func (l *Leader) patienceUnknown(w store.Waiting) time.Duration {
	if w.Code != aggregator.WaitingTaskUnknown {
		return aggregator.PatienceUnknown(0)
	}
	return aggregator.PatienceUnknown(l.cfg.Now().Sub(w.Since))
}

// backoff returns how long to wait after the nth failure in a row: as long as the peer said, else longer each time, and not in step with others.
func (l *Leader) backoff(attempts int, err error) time.Duration {
	delay := l.cfg.RetryMin << min(max(attempts-1, 0), 16)
	if delay <= 0 || delay > l.cfg.RetryMax {
		delay = l.cfg.RetryMax
	}
	delay -= time.Duration(rand.Int64N(int64(delay)/4 + 1))
	var pe *peerError
	if errors.As(err, &pe) {
		delay = max(delay, pe.RetryAfter)
	}
	return delay
}

// saveWaiting ends a step: the job is tried again after delay, by whoever comes first.
func (l *Leader) saveWaiting(ctx context.Context, job store.AggregationJob, code, text string, delay time.Duration) error {
	now, before := l.cfg.Now(), job.Waiting.Code
	job.Waiting = aggregator.Waits(job.Waiting, code, text, now)
	job.NextAttempt, job.LeaseUntil = now.Add(delay), time.Time{}
	err := l.cfg.Store.Update(ctx, "save_aggregation_job", func(tx store.Tx) error { return tx.SaveAggregationJob(job) })
	if err != nil {
		return fmt.Errorf("saving an aggregation job: %w", err)
	}
	if code != before { // a line for each reason, not for each attempt
		l.cfg.Logger.InfoContext(ctx, "aggregation job waits", "task_id", job.Task.String(), "aggregation_job_id", job.ID.String(), "reason", code, "waiting_for", text,
			"reports", len(job.Reports))
	}
	return nil
}

// waitAggregation is saveWaiting for callers that can do nothing about an error.
func (l *Leader) waitAggregation(ctx context.Context, job store.AggregationJob, code, text string, delay time.Duration) {
	if err := l.saveWaiting(ctx, job, code, text, delay); err != nil && ctx.Err() == nil && !errors.Is(err, store.ErrConflict) {
		l.cfg.Logger.ErrorContext(ctx, "saving an aggregation job failed", "task_id", job.Task.String(), "aggregation_job_id", job.ID.String(), "err", err)
	}
}

// abandon gives a job up (DAP, Aggregation Job Abandonment and Deletion): its reports are offered again later, and the Helper may forget it. What the Helper
// committed of it stays committed there; if it did, the batch is found to differ before it is collected, and an operator is told which reports.
func (l *Leader) abandon(ctx context.Context, t *aggregator.Task, job store.AggregationJob, location string, cause error, delay time.Duration) error {
	err := l.cfg.Store.Update(ctx, "abandon_aggregation_job", func(tx store.Tx) error {
		if err := tx.Count(t.ID, aggregator.CounterAbandoned, 1); err != nil {
			return err
		}
		return tx.AbandonAggregationJob(job, l.cfg.Now().Add(delay))
	})
	if err != nil {
		return fmt.Errorf("abandoning an aggregation job: %w", err)
	}
	l.cfg.Logger.WarnContext(ctx, "aggregation job abandoned", "task_id", t.ID.String(), "aggregation_job_id", job.ID.String(), "reports", len(job.Reports), "err", cause)
	if err := l.deleteAtHelper(ctx, t, job, location); err != nil {
		l.cfg.Logger.InfoContext(ctx, "deleting a job at the Helper did not work", "task_id", t.ID.String(), "aggregation_job_id", job.ID.String(), "err", err)
	}
	return nil
}

// deleteAtHelper asks the Helper to forget a job; location is the newest that it named, or empty.
func (l *Leader) deleteAtHelper(ctx context.Context, t *aggregator.Task, job store.AggregationJob, location string) error {
	if location == "" {
		location = job.Location
	}
	if location == "" {
		return nil // the Helper made no resource, as far as we know
	}
	if u, err := url.Parse(location); err == nil {
		u.RawQuery = "" // the step names a representation, not the job
		location = u.String()
	}
	_, err := l.peer.do(ctx, t, http.MethodDelete, location, "", nil, "", maxProblem)
	return err
}
