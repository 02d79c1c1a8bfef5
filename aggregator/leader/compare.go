package leader

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"candor/aggregator"
	"candor/aggregator/store"
	"candor/schema/dap"
)

// A Difference says which reports of a batch only one of the two Aggregators has committed. Both lists are in ascending order.
type Difference struct {
	LeaderOnly, HelperOnly []dap.ReportID
}

// compare asks the Helper what it holds of the batch that a job would collect. Where the two differ the job waits and says how, instead of being burnt
// by a batchMismatch. A Helper that does not have the resource is not asked again; its own check is then the only one.
func (l *Leader) compare(ctx context.Context, t *aggregator.Task, job store.CollectionJob, batch store.Batch, agg aggregator.Aggregate) (*pause, error) {
	path, err := aggregator.BatchResource(t.ID, aggregator.ResourceBatchDigest, selectorOf(batch), nil)
	if err != nil {
		return nil, err
	}
	a, err := l.peer.do(ctx, t, http.MethodGet, join(t.Config.HelperEndpoint, path), "", nil, "", maxProblem)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		if judge(err) == unavailable {
			return &pause{aggregator.WaitingHelperUnavailable, fmt.Sprintf("the Helper does not answer (%v)", err), l.backoff(1, err)}, nil
		}
		return nil, nil // any refusal: there is no such resource, or the request for the share will be refused too
	}
	digest, err := aggregator.ParseBatchDigest(a.Body)
	if err != nil {
		return nil, nil // something else answers there
	}
	if digest.ReportCount == agg.Count && digest.Checksum == aggregator.Checksum(agg.Checksum) {
		return nil, nil
	}
	// Reports may have come in between, and be on their way through another job: that is no difference.
	now, current, wait, err := l.readyBatch(ctx, t, job)
	switch problem := (*dap.Problem)(nil); {
	case errors.As(err, &problem):
		return &pause{aggregator.WaitingReports, problem.Detail, 0}, nil // the next step will say so
	case err != nil || wait != nil:
		return wait, err
	case !sameBatch(now, batch) || current.Count != agg.Count || current.Checksum != agg.Checksum:
		return &pause{aggregator.WaitingReports, changedMeanwhile, 0}, nil
	}
	text := fmt.Sprintf("the Leader has %d reports of the batch, the Helper %d, and their checksums differ", agg.Count, digest.ReportCount)
	diff, err := l.Difference(ctx, t.ID, batch)
	if err != nil {
		text += fmt.Sprintf("; which reports differ cannot be said (%v)", err)
	} else {
		text += fmt.Sprintf("; %d only the Leader has%s, %d only the Helper has%s", len(diff.LeaderOnly), some(diff.LeaderOnly), len(diff.HelperOnly), some(diff.HelperOnly))
	}
	l.cfg.Logger.ErrorContext(ctx, "the two Aggregators hold different reports of a batch; it is not collected", "task_id", t.ID.String(),
		"leader_reports", agg.Count, "helper_reports", digest.ReportCount, "leader_only", len(diff.LeaderOnly), "helper_only", len(diff.HelperOnly))
	return &pause{aggregator.WaitingBatchMismatch, text, l.cfg.RetryMax}, nil
}

// changedMeanwhile is why a collection job begins again.
const changedMeanwhile = "the batch changed while it was compared with the Helper's"

// some lists a few report IDs for a sentence.
func some(ids []dap.ReportID) string {
	const few = 8
	if len(ids) == 0 {
		return ""
	}
	var names []string
	for _, id := range ids[:min(few, len(ids))] {
		names = append(names, id.String())
	}
	if len(ids) > few {
		names = append(names, "…")
	}
	return " (" + strings.Join(names, ", ") + ")"
}

// Difference compares, report by report, what both Aggregators have committed of a batch. It reads all IDs of the batch from both sides.
func (l *Leader) Difference(ctx context.Context, task dap.TaskID, batch store.Batch) (Difference, error) {
	t := l.tasks.Get(task)
	if t == nil {
		return Difference{}, fmt.Errorf("comparing a batch: task %s is not known", task)
	}
	ours := pages{next: func(after *dap.ReportID) (ids []dap.ReportID, more bool, err error) {
		err = l.cfg.Store.View(ctx, "aggregated_reports", func(tx store.Tx) (err error) {
			ids, err = tx.AggregatedReports(task, batch, after, aggregator.BatchReportsPage)
			return err
		})
		return ids, len(ids) == aggregator.BatchReportsPage, err
	}}
	theirs := pages{next: func(after *dap.ReportID) ([]dap.ReportID, bool, error) {
		path, err := aggregator.BatchResource(task, aggregator.ResourceBatchReports, selectorOf(batch), after)
		if err != nil {
			return nil, false, err
		}
		a, err := l.peer.do(ctx, t, http.MethodGet, join(t.Config.HelperEndpoint, path), "", nil, "", 64*aggregator.BatchReportsPage)
		if err != nil {
			return nil, false, err
		}
		page, err := aggregator.ParseBatchReports(a.Body)
		return page.ReportIDs, page.More, err
	}}
	var d Difference
	a, errA := ours.first()
	b, errB := theirs.first()
	for {
		if err := errors.Join(errA, errB); err != nil {
			return Difference{}, fmt.Errorf("comparing a batch of task %s: %w", task, err)
		}
		switch {
		case a == nil && b == nil:
			return d, nil
		case b == nil || a != nil && bytes.Compare(a[:], b[:]) < 0:
			d.LeaderOnly = append(d.LeaderOnly, *a)
			a, errA = ours.first()
		case a == nil || bytes.Compare(a[:], b[:]) > 0:
			d.HelperOnly = append(d.HelperOnly, *b)
			b, errB = theirs.first()
		default:
			a, errA = ours.first()
			b, errB = theirs.first()
		}
	}
}

// pages walks through a list of ascending IDs that comes page by page.
type pages struct {
	next  func(after *dap.ReportID) (ids []dap.ReportID, more bool, err error)
	ids   []dap.ReportID
	last  *dap.ReportID
	ended bool
}

// first removes and returns the first ID that is left, or nil at the end.
func (p *pages) first() (*dap.ReportID, error) {
	if len(p.ids) == 0 {
		if p.ended {
			return nil, nil
		}
		ids, more, err := p.next(p.last)
		if err != nil {
			return nil, err
		}
		ascending := slices.IsSortedFunc(ids, func(a, b dap.ReportID) int { return bytes.Compare(a[:], b[:]) })
		if !ascending || p.last != nil && len(ids) > 0 && bytes.Compare(p.last[:], ids[0][:]) >= 0 {
			return nil, errors.New("a page of report IDs is not in ascending order")
		}
		p.ids, p.ended = ids, !more
		if len(ids) == 0 {
			p.ended = true
			return nil, nil
		}
	}
	id := p.ids[0]
	p.ids, p.last = p.ids[1:], &id
	return &id, nil
}

func selectorOf(batch store.Batch) dap.BatchSelector {
	if batch.ID != nil {
		return dap.NewLeaderSelectedSelector(*batch.ID)
	}
	return dap.NewTimeIntervalSelector(batch.Interval)
}
