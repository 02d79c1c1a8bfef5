package helper

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"candor/aggregator"
	"candor/aggregator/store"
	"candor/schema/dap"
)

// createShare gives the Leader our sealed share of a batch, or returns the answer that the same bytes got before (DAP, Obtaining Aggregate Shares). Nothing
// is marked as collected before all checks have passed; then answer and mark become durable together.
func (h *Helper) createShare(ctx context.Context, t *aggregator.Task, body []byte) (store.ShareAnswer, error) {
	digest := aggregator.CreationDigest(ctx, body)
	if a, err := h.shareByDigest(ctx, t, digest); err == nil || !errors.Is(err, store.ErrNotFound) {
		return a, err
	}
	a, err := h.collect(ctx, t, digest, body)
	if problem := (*dap.Problem)(nil); errors.Is(err, store.ErrConflict) || errors.As(err, &problem) && problem.Type == dap.BatchOverlap {
		// The same request may have come twice at once, and this was the slower one.
		if a, err := h.shareByDigest(ctx, t, digest); err == nil {
			return a, nil
		}
		if problem == nil {
			err = aggregator.IDTaken(ctx, err)
		}
	}
	return a, err
}

// collect is createShare for a request that was not answered before.
func (h *Helper) collect(ctx context.Context, t *aggregator.Task, digest [32]byte, body []byte) (store.ShareAnswer, error) {
	req, err := dap.Parse[dap.AggregateShareReq](body)
	if err != nil {
		return store.ShareAnswer{}, dap.NewProblem(dap.InvalidMessage, "the aggregate share request cannot be parsed")
	}
	collectionJobReq, err := dap.SplitCollectionJobReq(body)
	if err != nil {
		return store.ShareAnswer{}, fmt.Errorf("splitting a request that parsed: %w", err)
	}
	batch, burnt, err := selectBatch(t, req)
	if err != nil {
		return store.ShareAnswer{}, err
	}

	var agg aggregator.Aggregate
	err = h.cfg.Store.View(ctx, "read_batch", func(tx store.Tx) (err error) {
		agg, err = readShare(tx, t, req, batch, burnt)
		return err
	})
	if err != nil {
		return store.ShareAnswer{}, err
	}
	a := store.ShareAnswer{ID: shareID(ctx, t.ID, digest), Task: t.ID, Digest: digest, Batch: batch, Created: h.cfg.Now()}
	err = h.cfg.Store.Update(ctx, "collect_batch", func(tx store.Tx) error {
		now, err := readShare(tx, t, req, batch, burnt) // what was sealed is still what there is
		if err != nil {
			return err
		}
		if now.Count != agg.Count || now.Checksum != agg.Checksum {
			return fmt.Errorf("collecting a batch of task %s: its reports changed and its checksum did not", t.ID)
		}
		// Sealing within the transaction costs it well under a millisecond, once for each batch, and statement and share are of the same state.
		share, err := t.Release(tx, dap.Helper, now, a.Created)
		if err != nil {
			return err
		}
		sealed, err := t.SealShare(dap.Helper, collectionJobReq, share)
		if err != nil {
			return err
		}
		if a.Response, err = dap.Marshal(sealed); err != nil {
			return fmt.Errorf("encoding an aggregate share: %w", err)
		}
		if err := tx.AddShareAnswer(a); err != nil {
			return err
		}
		if err := tx.Count(t.ID, aggregator.CounterCollected, agg.Count); err != nil {
			return err
		}
		return tx.MarkCollected(t.ID, burnt)
	})
	if err != nil {
		return store.ShareAnswer{}, err
	}
	h.cfg.Logger.InfoContext(ctx, "batch collected", "task_id", t.ID.String(), "reports", agg.Count)
	return a, nil
}

func (h *Helper) shareByDigest(ctx context.Context, t *aggregator.Task, digest [32]byte) (a store.ShareAnswer, err error) {
	err = h.cfg.Store.View(ctx, "share_by_digest", func(tx store.Tx) (err error) {
		a, err = tx.ShareAnswerByDigest(t.ID, digest)
		return err
	})
	return a, err
}

func shareID(ctx context.Context, task dap.TaskID, digest [32]byte) dap.AggregateShareID {
	if id, ok := aggregator.ChosenID(ctx); ok {
		return id
	}
	sum := sha256.Sum256(slices.Concat([]byte("candor/1 aggregate share id"), task[:], digest[:]))
	return dap.AggregateShareID(sum[:16])
}

// selectBatch judges a request by itself, in the order of the draft's section. burnt is what becomes collected: the interval of the query even if the
// selector is narrower, so that the Leader cannot collect the rest of it later.
func selectBatch(t *aggregator.Task, req dap.AggregateShareReq) (batch, burnt store.Batch, err error) {
	query, selector := req.CollectionJobReq.Query, req.BatchSelector
	if query.BatchMode != t.Config.BatchMode || selector.BatchMode != t.Config.BatchMode {
		return batch, burnt, dap.NewProblem(dap.InvalidMessage, fmt.Sprintf("the query is %v and the batch selector %v, the task is %v", query.BatchMode, selector.BatchMode, t.Config.BatchMode))
	}
	if len(req.CollectionJobReq.AggregationParameter) > 0 {
		return batch, burnt, dap.NewProblem(dap.InvalidMessage, "the aggregation parameter is not the one that the reports were aggregated with")
	}
	if batch, err = batchOf(t, selector); err != nil {
		return batch, burnt, err
	}
	burnt = batch
	if asked, ok := query.Interval(); ok {
		if err := t.QueryInterval(asked); err != nil {
			return batch, burnt, err
		}
		if !asked.ContainsInterval(batch.Interval) {
			return batch, burnt, dap.NewProblem(dap.BatchInvalid, "the batch selector reaches beyond the query")
		}
		burnt = store.Batch{Interval: asked}
	}
	return batch, burnt, aggregator.CheckCollectionExtensions(req.CollectionJobReq.Extensions)
}

// batchOf returns the batch of a selector whose mode is the task's.
func batchOf(t *aggregator.Task, selector dap.BatchSelector) (store.Batch, error) {
	if id, ok := selector.BatchID(); ok {
		return store.Batch{ID: &id}, nil
	}
	i, ok := selector.Interval()
	if !ok {
		return store.Batch{}, dap.NewProblem(dap.BatchInvalid, "the batch selector names no batch")
	}
	return store.Batch{Interval: i}, t.QueryInterval(i)
}

// readShare makes the checks that depend on the store and merges the batch.
func readShare(tx store.Tx, t *aggregator.Task, req dap.AggregateShareReq, batch, burnt store.Batch) (aggregator.Aggregate, error) {
	collected, err := tx.BatchCollected(t.ID, burnt)
	if err != nil {
		return aggregator.Aggregate{}, err
	}
	retired, err := t.Retired(tx)
	if err != nil {
		return aggregator.Aggregate{}, err
	}
	if collected || retired {
		return aggregator.Aggregate{}, dap.NewProblem(dap.BatchOverlap, "some of the batch was collected before")
	}
	agg, err := t.ReadBatch(tx, batch)
	switch {
	case err != nil:
		return agg, err
	case agg.Count == 0 && batch.ID != nil:
		return agg, dap.NewProblem(dap.BatchInvalid, "no aggregation job had that batch ID")
	case agg.Count < t.Config.MinBatchSize:
		return agg, dap.NewProblem(dap.InvalidBatchSize, fmt.Sprintf("the batch has %d reports here, the minimum is %d", agg.Count, t.Config.MinBatchSize))
	case agg.Count != req.ReportCount:
		return agg, dap.NewProblem(dap.BatchMismatch, fmt.Sprintf("the batch has %d reports here, the request says %d", agg.Count, req.ReportCount))
	case agg.Checksum != req.Checksum:
		return agg, dap.NewProblem(dap.BatchMismatch, "the batch has as many reports here as the request says, but other ones")
	}
	return agg, t.CheckGroups(tx)
}

// digest answers batch_digest.
func (h *Helper) digest(ctx context.Context, t *aggregator.Task, batch store.Batch) (d aggregator.BatchDigest, err error) {
	err = h.cfg.Store.View(ctx, "batch_digest", func(tx store.Tx) error {
		agg, err := t.ReadBatch(tx, batch)
		d = aggregator.BatchDigest{ReportCount: agg.Count, Checksum: agg.Checksum}
		return err
	})
	return d, err
}

// reports answers batch_reports.
func (h *Helper) reports(ctx context.Context, t *aggregator.Task, batch store.Batch, after *dap.ReportID) (r aggregator.BatchReports, err error) {
	err = h.cfg.Store.View(ctx, "batch_reports", func(tx store.Tx) (err error) {
		r.ReportIDs, err = tx.AggregatedReports(t.ID, batch, after, aggregator.BatchReportsPage)
		return err
	})
	r.More = len(r.ReportIDs) == aggregator.BatchReportsPage
	return r, err
}
