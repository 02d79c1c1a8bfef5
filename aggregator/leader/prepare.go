package leader

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"candor/aggregator"
	"candor/aggregator/store"
	"candor/crypto/prio3"
	"candor/schema/dap"
)

// verifyGrain is how many reports a verifier takes at once: enough to fill its lanes, few enough to share the work out evenly.
const verifyGrain = 32

// A verification is the Leader's part of verifying the reports of a job, index by index as job.Reports.
type verification struct {
	inits  []dap.VerifyInit // what the Helper is asked; aliases the stored reports
	times  []dap.Time
	states []*prio3.LeaderState
	errs   []error // nil: states and inits are set; else a dap.ReportError
	size   int     // bytes that the states hold, about
}

// verify opens, judges and begins to verify reports. It is deterministic but for the time of day: done again after a restart, it comes to the same states.
// The time is judged only if now is not zero: when the Helper has been asked already, our clock has no say any more.
func (l *Leader) verify(ctx context.Context, t *aggregator.Task, keyID uint8, reports []store.Report, now time.Time) (*verification, error) {
	v := &verification{
		inits:  make([]dap.VerifyInit, len(reports)),
		times:  make([]dap.Time, len(reports)),
		states: make([]*prio3.LeaderState, len(reports)),
		errs:   make([]error, len(reports)),
	}
	judge := l.judge()
	var noKey atomic.Bool
	err := l.cfg.CPU.Each(ctx, len(reports), verifyGrain, func(lo, hi int) {
		opened := make([]prio3.Report, 0, hi-lo)
		index := make([]int, 0, hi-lo)
		for i := lo; i < hi; i++ {
			v.times[i] = reports[i].Time
			report, view, err := parseReport(reports[i].Encoded)
			if err != nil {
				v.errs[i] = dap.ErrorInvalidMessage
				continue
			}
			var r prio3.Report
			if now.IsZero() {
				r, err = judge.OpenAgain(t, view)
			} else {
				r, err = judge.Open(t, view, now)
			}
			if err != nil {
				v.errs[i] = err
				continue
			}
			v.inits[i].ReportShare = dap.ReportShare{Metadata: report.Metadata, PublicShare: report.PublicShare, Ciphertext: report.Helper}
			opened, index = append(opened, r), append(index, i)
		}
		if len(opened) == 0 {
			return
		}
		ok := t.WithVerifier(prio3.Leader, keyID, func(w *prio3.Verifier) {
			for k, result := range w.LeaderInit(opened) {
				i := index[k]
				if result.Err != nil {
					v.errs[i] = dap.ErrorVDAFVerifyError
					continue
				}
				v.states[i], v.inits[i].Payload = result.State, result.Outbound
			}
		})
		if !ok {
			noKey.Store(true)
		}
	})
	if err != nil {
		return nil, err
	}
	if noKey.Load() {
		return nil, fmt.Errorf("verifying reports of task %s: it has no verify key %d", t.ID, keyID)
	}
	return v, nil
}

// parseReport parses a stored or uploaded report, which is one whole dap.Report, and returns how the Leader sees it.
func parseReport(encoded []byte) (dap.Report, aggregator.ReportView, error) {
	report, err := dap.Parse[dap.Report](encoded)
	if err != nil {
		return dap.Report{}, aggregator.ReportView{}, err
	}
	metadata, err := dap.SplitMetadata(encoded)
	if err != nil {
		return dap.Report{}, aggregator.ReportView{}, err
	}
	return report, aggregator.ReportView{Metadata: report.Metadata, Encoded: metadata, PublicShare: report.PublicShare, Ciphertext: report.Leader}, nil
}

// tooEarlyGrace is for how long after its own time a report may be called too early before it is given up: longer than clocks differ.
const tooEarlyGrace = time.Hour

// outcome returns what a refusal means for a report: only report_too_early passes with time (DAP, Leader Initialization), and even that
// must not keep a batch waiting for ever because of a clock. asked is when the job was made: the refusal is not older than that, but it may not be
// much younger, since the Helper repeats the answer that it gave at first, for as long as it has the job.
func (l *Leader) outcome(t *aggregator.Task, id dap.ReportID, at dap.Time, code dap.ReportError, asked, now time.Time) store.Outcome {
	if code == dap.ErrorReportTooEarly {
		from := t.Instant(at)
		if opens := t.AggregatesFrom(); opens.After(from) {
			from = opens
		}
		if asked.Before(from.Add(tooEarlyGrace)) {
			again := now.Add(l.cfg.RetryMax)
			if soon := from.Add(l.cfg.RetryMin); soon.After(now) && soon.Before(again) {
				again = soon
			}
			return store.Outcome{ID: id, State: store.ReportUnassigned, NotBefore: again}
		}
	}
	return store.Outcome{ID: id, State: store.ReportRejected, Code: code}
}

// prepare makes the request of a claimed job and stores it: from then on its bytes never change. Reports that do not verify on our side leave the job
// and are not mentioned to the Helper. It returns nil when none is left and the job has ended.
func (l *Leader) prepare(ctx context.Context, t *aggregator.Task, job *store.AggregationJob) (*verification, error) {
	var reports []store.Report
	err := l.cfg.Store.View(ctx, "job_reports", func(tx store.Tx) (err error) {
		reports, err = tx.JobReports(*job)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading the reports of a job: %w", err)
	}
	now := l.cfg.Now()
	v, err := l.verify(ctx, t, t.KeyID, reports, now)
	if err != nil {
		return nil, err
	}

	var outcomes []store.Outcome
	rejected := make(map[dap.ReportError]int)
	kept := &verification{}
	prepared := *job
	prepared.Reports = nil
	for i, r := range reports {
		if code, bad := v.errs[i].(dap.ReportError); bad {
			o := l.outcome(t, r.ID, r.Time, code, job.Created, now)
			if outcomes = append(outcomes, o); o.State == store.ReportRejected {
				rejected[code]++
			}
			continue
		}
		prepared.Reports = append(prepared.Reports, r.ID)
		kept.inits, kept.times, kept.states = append(kept.inits, v.inits[i]), append(kept.times, r.Time), append(kept.states, v.states[i])
	}
	kept.errs = make([]error, len(kept.inits))

	if len(kept.inits) > 0 {
		request := dap.AggregationJobInitReq{VerificationKeyID: t.KeyID, VerifyInits: kept.inits}
		if job.Batch != nil {
			request.Extensions = []dap.Extension{dap.NewBatchIDExtension(*job.Batch)}
		}
		if prepared.Request, err = dap.Marshal(request); err != nil {
			return nil, fmt.Errorf("encoding an aggregation job: %w", err)
		}
		kept.size = len(kept.states) * stateSize(t)
		kept.inits = nil // the request has them; they alias the reports
	}
	err = l.cfg.Store.Update(ctx, "prepare_aggregation_job", func(tx store.Tx) error {
		if err := count(tx, t.ID, 0, rejected); err != nil {
			return err
		}
		if len(prepared.Request) == 0 {
			return tx.FinishAggregationJob(*job, outcomes)
		}
		return tx.PrepareAggregationJob(prepared, outcomes)
	})
	if err != nil {
		return nil, fmt.Errorf("storing an aggregation job: %w", err)
	}
	l.metrics.Aggregated(t.ID, 0, rejected)
	prepared.Revision++
	*job = prepared
	if len(job.Request) == 0 {
		return nil, nil
	}
	return kept, nil
}

// resume computes the verification of a prepared job again, from its stored reports and request.
func (l *Leader) resume(ctx context.Context, t *aggregator.Task, job store.AggregationJob) (*verification, error) {
	if len(job.Request) == 0 {
		return nil, fmt.Errorf("resuming aggregation job %s: it has no request", job.ID)
	}
	var reports []store.Report
	err := l.cfg.Store.View(ctx, "job_reports", func(tx store.Tx) (err error) {
		reports, err = tx.JobReports(job)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading the reports of a job: %w", err)
	}
	keyID := job.Request[0] // of the AggregationJobInitReq; the task's choice may have changed since
	v, err := l.verify(ctx, t, keyID, reports, time.Time{})
	if err != nil {
		return nil, err
	}
	for i, err := range v.errs {
		if err != nil {
			return nil, fmt.Errorf("resuming aggregation job %s: report %s: %w (%w)", job.ID, reports[i].ID, errReportChanged, err)
		}
	}
	v.inits, v.size = nil, len(v.states)*stateSize(t)
	return v, nil
}

// stateSize returns about how many bytes the state of a report holds: its output share and some seeds.
func stateSize(t *aggregator.Task) int { return t.VDAF.OutputShareSize() + 256 }

// errReportChanged means that a report does not verify now that verified when its job was made. The Helper may have committed it, so it
// must not be dropped: an operator has to bring back what is missing.
var errReportChanged = errors.New("it verified before and does not now; was an HPKE key or a verify key removed?")
