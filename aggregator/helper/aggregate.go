package helper

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	"candor/aggregator"
	"candor/aggregator/store"
	"candor/crypto/prio3"
	"candor/schema/dap"
)

// verifyGrain is how many reports a verifier takes at once: enough to fill its lanes, few enough to share the work out evenly.
const verifyGrain = 32

// createJob answers an aggregation job of the Leader, or returns the answer that the same bytes got before (DAP, Helper Initialization). A job that is
// deferred comes back without a response.
func (h *Helper) createJob(ctx context.Context, t *aggregator.Task, body []byte) (store.HelperJob, error) {
	digest := aggregator.CreationDigest(ctx, body)
	// A Leader that lost patience and asks again waits for the work that is being done already, and that goes on without it.
	ctx = context.WithoutCancel(ctx)
	job, err, _ := h.flight.Do(string(t.ID[:])+string(digest[:]), func() (any, error) { return h.createJobOnce(ctx, t, body, digest) })
	return job.(store.HelperJob), err
}

func (h *Helper) createJobOnce(ctx context.Context, t *aggregator.Task, body []byte, digest [32]byte) (store.HelperJob, error) {
	// Looked up before anything is judged: what was answered once is not refused when it is repeated.
	if job, err := h.jobByDigest(ctx, t, digest); err == nil || !errors.Is(err, store.ErrNotFound) {
		return job, err
	}
	req, err := dap.Parse[dap.AggregationJobInitReq](body)
	if err != nil {
		return store.HelperJob{}, dap.NewProblem(dap.InvalidMessage, "the aggregation job request cannot be parsed")
	}
	if _, err := checkJob(t, req); err != nil {
		return store.HelperJob{}, err
	}
	job := store.HelperJob{ID: jobID(ctx, t.ID, digest), Task: t.ID, Digest: digest, Created: h.cfg.Now(), State: store.JobLive}
	if h.cfg.Deferred {
		job.Request = body
		err = h.cfg.Store.Update(ctx, "defer_job", func(tx store.Tx) error { return tx.AddHelperJob(job) })
	} else {
		job, err = h.answer(ctx, t, job, req, func(tx store.Tx, answered store.HelperJob) error { return tx.AddHelperJob(answered) })
	}
	if errors.Is(err, store.ErrConflict) { // the same request came twice at once
		if job, err = h.jobByDigest(ctx, t, digest); errors.Is(err, store.ErrNotFound) {
			err = aggregator.IDTaken(ctx, err)
		}
		return job, err
	}
	if err != nil {
		return store.HelperJob{}, fmt.Errorf("storing an aggregation job: %w", err)
	}
	if h.cfg.Deferred {
		h.wakeUp()
	}
	return job, nil
}

func (h *Helper) jobByDigest(ctx context.Context, t *aggregator.Task, digest [32]byte) (job store.HelperJob, err error) {
	err = h.cfg.Store.View(ctx, "job_by_digest", func(tx store.Tx) (err error) {
		job, err = tx.HelperJobByDigest(t.ID, digest)
		return err
	})
	return job, err
}

// jobID derives the ID of a job from its request, so that equal requests that race make one job, unless the peer chose it.
func jobID(ctx context.Context, task dap.TaskID, digest [32]byte) dap.AggregationJobID {
	if id, ok := aggregator.ChosenID(ctx); ok {
		return id
	}
	sum := sha256.Sum256(slices.Concat([]byte("candor/1 aggregation job id"), task[:], digest[:]))
	return dap.AggregationJobID(sum[:16])
}

// checkJob judges a request as a whole, before anything of it is looked at (DAP, Helper Initialization; Aggregation Job Extensions). It returns the batch of a
// leader-selected task, else nil.
func checkJob(t *aggregator.Task, req dap.AggregationJobInitReq) (*dap.BatchID, error) {
	if unknown := dap.UnknownExtensions(req.Extensions, dap.JobExtensionLeaderSelectedBatchID); len(unknown) > 0 {
		return nil, dap.NewUnsupportedExtension("an aggregation job extension is unknown", unknown)
	}
	if !dap.ExtensionsIncrease(req.Extensions) {
		return nil, dap.NewProblem(dap.InvalidMessage, "the aggregation job extensions are not in strictly increasing order")
	}
	data, there := dap.FindExtension(req.Extensions, dap.JobExtensionLeaderSelectedBatchID)
	var batch *dap.BatchID
	switch leaderSelected := t.Config.BatchMode == dap.LeaderSelected; {
	case leaderSelected && !there:
		return nil, dap.NewProblem(dap.InvalidMessage, "the batch ID of a leader-selected task is missing")
	case !leaderSelected && there:
		return nil, dap.NewProblem(dap.InvalidMessage, "a time-interval task has no batch ID")
	case there:
		id, err := dap.Parse[dap.BatchID](data)
		if err != nil {
			return nil, dap.NewProblem(dap.InvalidMessage, fmt.Sprintf("the batch ID has %d bytes, not 32", len(data)))
		}
		batch = &id
	}
	if len(req.AggregationParameter) > 0 {
		return nil, dap.NewProblem(dap.InvalidAggregationParameter, "Prio3 has no aggregation parameter")
	}
	if _, ok := t.VerifyKeys[req.VerificationKeyID]; !ok {
		return nil, dap.NewProblem(dap.InvalidMessage, fmt.Sprintf("the task has no verify key %d", req.VerificationKeyID))
	}
	if len(req.VerifyInits) == 0 {
		return nil, dap.NewProblem(dap.InvalidMessage, "the aggregation job has no reports")
	}
	seen := make(map[dap.ReportID]struct{}, len(req.VerifyInits))
	for _, v := range req.VerifyInits {
		id := v.ReportShare.Metadata.ReportID
		if _, twice := seen[id]; twice {
			return nil, dap.NewProblem(dap.InvalidMessage, fmt.Sprintf("report %s is in the job twice", id))
		}
		seen[id] = struct{}{}
	}
	return batch, nil
}

// verified is what verification makes of a report.
type verified struct {
	share   aggregator.OutputShare
	message []byte          // to the Leader
	code    dap.ReportError // 0: valid
}

// verify opens, judges and verifies the reports of a job; it touches no state.
func (h *Helper) verify(ctx context.Context, t *aggregator.Task, req dap.AggregationJobInitReq) ([]verified, error) {
	results := make([]verified, len(req.VerifyInits))
	judge, now := h.judge(), h.cfg.Now()
	err := h.cfg.CPU.Each(ctx, len(results), verifyGrain, func(lo, hi int) {
		opened := make([]prio3.Report, 0, hi-lo)
		index := make([]int, 0, hi-lo)
		for i := lo; i < hi; i++ {
			share := req.VerifyInits[i].ReportShare
			results[i].share = aggregator.OutputShare{ID: share.Metadata.ReportID, Time: share.Metadata.Time}
			metadata, err := dap.Marshal(share.Metadata) // the codec is strict: these are the bytes that were received
			if err != nil {
				results[i].code = dap.ErrorInvalidMessage
				continue
			}
			r, err := judge.Open(t, aggregator.ReportView{Metadata: share.Metadata, Encoded: metadata, PublicShare: share.PublicShare, Ciphertext: share.Ciphertext}, now)
			if code, bad := err.(dap.ReportError); bad {
				results[i].code = code
				continue
			}
			r.Inbound = req.VerifyInits[i].Payload
			opened, index = append(opened, r), append(index, i)
		}
		if len(opened) == 0 {
			return
		}
		t.WithVerifier(prio3.Helper, req.VerificationKeyID, func(w *prio3.Verifier) {
			for k, result := range w.HelperInit(opened) {
				v := &results[index[k]]
				if result.Err != nil {
					v.code = dap.ErrorVDAFVerifyError
					continue
				}
				v.share.Share, v.message = result.OutShare, result.Outbound
			}
		})
	})
	return results, err
}

// answer verifies the reports of a job, commits them and stores the response, with save, in one transaction: after a crash either all of it happened or nothing.
func (h *Helper) answer(ctx context.Context, t *aggregator.Task, job store.HelperJob, req dap.AggregationJobInitReq, save func(store.Tx, store.HelperJob) error) (store.HelperJob, error) {
	batch, err := checkJob(t, req)
	if err != nil {
		return job, err
	}
	results, err := h.verify(ctx, t, req)
	if err != nil {
		return job, err
	}
	shares := make([]aggregator.OutputShare, len(results))
	for i, r := range results {
		shares[i] = r.share
	}
	deltas, err := t.Sum(shares, batch, nil)
	if err != nil {
		return job, err
	}
	extensions := make(map[dap.ReportID][]dap.Extension, len(results))
	for _, v := range req.VerifyInits {
		extensions[v.ReportShare.Metadata.ReportID] = v.ReportShare.Metadata.Extensions
	}
	byBucket := make(map[store.BucketID][]dap.ReportID, len(deltas))
	for _, s := range shares {
		if s.Share != nil {
			id := t.Bucket(s.Time, batch)
			byBucket[id] = append(byBucket[id], s.ID)
		}
	}

	var answered store.HelperJob
	var aggregated int
	var rejected map[dap.ReportError]int
	err = h.cfg.Store.Update(ctx, "commit_job", func(tx store.Tx) error {
		late := make(map[dap.ReportID]dap.ReportError) // refused by the state of the store
		retired, err := t.Retired(tx)
		if err != nil {
			return err
		}
		for _, d := range deltas {
			ids := byBucket[d.ID]
			if retired {
				for _, id := range ids {
					late[id] = dap.ErrorReportDropped
				}
				continue
			}
			collected, err := tx.BatchCollected(t.ID, t.BucketBatch(d.MinTime, batch))
			if err != nil {
				return err
			}
			if collected {
				for _, id := range ids {
					late[id] = dap.ErrorBatchCollected
				}
				continue
			}
			if ids, err = claim(tx, t, ids, extensions, late, h.cfg.Now()); err != nil {
				return err
			}
			replayed, err := tx.MarkAggregated(t.ID, d.ID, ids)
			if err != nil {
				return err
			}
			for _, id := range replayed {
				late[id] = dap.ErrorReportReplayed
			}
		}
		merge := deltas
		if len(late) > 0 {
			var err error
			if merge, err = t.Sum(shares, batch, func(s aggregator.OutputShare) bool { return late[s.ID] != 0 }); err != nil {
				return err
			}
		}
		for _, d := range merge {
			if err := tx.MergeBucket(t.ID, d.ID, d, store.Adding(t.VDAF.AddShare)); err != nil {
				return err
			}
		}
		response, err := respond(results, late)
		if err != nil {
			return err
		}
		aggregated, rejected = tally(results, late)
		if err := count(tx, t.ID, aggregated, rejected); err != nil {
			return err
		}
		answered = job
		answered.State, answered.Request, answered.Response = store.JobFinished, nil, response
		return save(tx, answered)
	})
	if err != nil {
		return job, err
	}
	h.metrics.Aggregated(t.ID, aggregated, rejected)
	return answered, nil
}

// claim takes the places of a round's members for their reports, and returns those that have one; the others are late. In tasks of no round all have.
func claim(tx store.Tx, t *aggregator.Task, ids []dap.ReportID, extensions map[dap.ReportID][]dap.Extension, late map[dap.ReportID]dap.ReportError, now time.Time) ([]dap.ReportID, error) {
	if t.Round == nil {
		return ids, nil
	}
	placed := make([]dap.ReportID, 0, len(ids))
	for _, id := range ids {
		ok, err := t.Claim(tx, id, extensions[id], now)
		if err != nil {
			return nil, err
		}
		if ok {
			placed = append(placed, id)
		} else {
			late[id] = dap.ErrorReportReplayed
		}
	}
	return placed, nil
}

// respond makes the response: one element for each report of the request, in its order.
func respond(results []verified, late map[dap.ReportID]dap.ReportError) ([]byte, error) {
	resp := make(dap.AggregationJobResp, len(results))
	for i, r := range results {
		resp[i].ReportID = r.share.ID
		code := r.code
		if code == 0 {
			code = late[r.share.ID]
		}
		if code != 0 {
			resp[i].Type, resp[i].Error = dap.VerifyRejected, code
			continue
		}
		resp[i].Type, resp[i].Payload = dap.VerifyContinued, r.message
	}
	b, err := dap.Marshal(resp)
	if err != nil {
		return nil, fmt.Errorf("encoding an aggregation job response: %w", err)
	}
	return b, nil
}

func tally(results []verified, late map[dap.ReportID]dap.ReportError) (aggregated int, rejected map[dap.ReportError]int) {
	rejected = make(map[dap.ReportError]int)
	for _, r := range results {
		code := r.code
		if code == 0 {
			code = late[r.share.ID]
		}
		if code == 0 {
			aggregated++
		} else {
			rejected[code]++
		}
	}
	return aggregated, rejected
}

// count adds the outcomes of reports to the task's counters.
func count(tx store.Tx, task dap.TaskID, aggregated int, rejected map[dap.ReportError]int) error {
	if aggregated > 0 {
		if err := tx.Count(task, aggregator.CounterAggregated, uint64(aggregated)); err != nil {
			return err
		}
	}
	for code, n := range rejected {
		if err := tx.Count(task, aggregator.CounterRejected+aggregator.ErrorLabel(code), uint64(n)); err != nil {
			return err
		}
	}
	return nil
}
