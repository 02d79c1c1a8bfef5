package leader

import (
	"context"
	"errors"
	"fmt"
	"io"

	"candor/aggregator"
	"candor/aggregator/store"
	"candor/schema/dap"
)

// createCollection makes a collection job of a Collector's request, or returns the one that the same bytes made before (DAP, Collection Job
// Initialization). A failed or deleted job counts for nothing here: otherwise a leader-selected task, whose requests are all alike, could
// be collected once only.
func (l *Leader) createCollection(ctx context.Context, t *aggregator.Task, body []byte) (store.CollectionJob, error) {
	req, err := dap.Parse[dap.CollectionJobReq](body)
	if err != nil {
		return store.CollectionJob{}, dap.NewProblem(dap.InvalidMessage, "the collection job request cannot be parsed")
	}
	job := store.CollectionJob{Task: t.ID, Request: body, Digest: aggregator.CreationDigest(ctx, body), State: store.JobLive}
	if id, ok := aggregator.ChosenID(ctx); ok {
		job.ID = id
	} else if _, err := io.ReadFull(l.rand, job.ID[:]); err != nil {
		return job, err
	}
	checkErr := checkCollection(t, req)
	if i, ok := req.Query.Interval(); ok {
		job.Batch = &store.Batch{Interval: i}
	}
	var existing store.CollectionJob
	err = l.cfg.Store.Update(ctx, "create_collection_job", func(tx store.Tx) error {
		existing = store.CollectionJob{}
		// Looked up before anything is judged: what was accepted once is not refused when it is repeated.
		old, err := tx.CollectionJobByDigest(t.ID, job.Digest)
		if err == nil {
			existing = old
			return nil
		}
		if !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if checkErr != nil {
			return checkErr
		}
		if job.Batch != nil {
			collected, err := tx.BatchCollected(t.ID, *job.Batch)
			if err != nil {
				return err
			}
			retired, err := t.Retired(tx)
			if err != nil {
				return err
			}
			if collected || retired {
				return dap.NewProblem(dap.BatchOverlap, "some of the batch was collected before")
			}
		}
		job.Created = l.cfg.Now()
		return tx.AddCollectionJob(job)
	})
	if errors.Is(err, store.ErrConflict) {
		err = aggregator.IDTaken(ctx, err)
	}
	if err != nil {
		return store.CollectionJob{}, err
	}
	if existing.Task == t.ID {
		return existing, nil
	}
	l.cfg.Logger.InfoContext(ctx, "collection job created", "task_id", t.ID.String(), "collection_job_id", job.ID.String())
	l.wakeUp()
	return job, nil
}

// checkCollection judges a request by itself. The errors are those of the draft's section Collection Job Initialization, in its order.
func checkCollection(t *aggregator.Task, req dap.CollectionJobReq) error {
	if req.Query.BatchMode != t.Config.BatchMode {
		return dap.NewProblem(dap.InvalidMessage, fmt.Sprintf("the query is %v, the task is %v", req.Query.BatchMode, t.Config.BatchMode))
	}
	if len(req.AggregationParameter) > 0 {
		return dap.NewProblem(dap.InvalidAggregationParameter, "Prio3 has no aggregation parameter")
	}
	if i, ok := req.Query.Interval(); ok {
		if err := t.QueryInterval(i); err != nil {
			return err
		}
	}
	return aggregator.CheckCollectionExtensions(req.Extensions)
}

// collection returns a collection job that was not deleted.
func (l *Leader) collection(ctx context.Context, t *aggregator.Task, id dap.CollectionJobID) (job store.CollectionJob, err error) {
	err = l.cfg.Store.View(ctx, "collection_job", func(tx store.Tx) (err error) {
		job, err = tx.CollectionJob(t.ID, id)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return job, dap.NewStatusProblem(404, "there is no such collection job, or it was deleted")
	}
	return job, err
}

// deleteCollection forgets a collection job; what was collected stays collected (DAP, Collection Job Deletion).
func (l *Leader) deleteCollection(ctx context.Context, t *aggregator.Task, id dap.CollectionJobID) error {
	return l.cfg.Store.Update(ctx, "delete_collection_job", func(tx store.Tx) error { return tx.DeleteCollectionJob(t.ID, id) })
}
