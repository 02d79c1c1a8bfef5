// Package store says what an Aggregator keeps: the Store and Tx interfaces, the rows and the errors.
//
// It holds no protocol decision: what may be stored when is decided in the roles, once, and each backend
// only keeps its rows. Its floor's promise: it imports schema/dap and the standard library, nothing else,
// and does no I/O itself. What each method must do is the contract that aggregator/storetest checks.
//
// Trust: whoever can change a store can lose reports, count some twice or let a batch be collected twice. Whoever can only read it
// learns who has sent what and when, and ciphertexts; with the role's HPKE keys also one share of each measurement, which alone says nothing.
package store

import (
	"context"
	"errors"
	"time"

	"candor/schema/dap"
)

// ErrNotFound means that the named row does not exist.
var ErrNotFound = errors.New("store: not found")

// ErrConflict means that a row exists that must not, or that a row changed since it was read: for example a report ID that
// was seen before, or a job whose lease another worker took. Nothing was written by the call that returned it.
var ErrConflict = errors.New("store: conflict")

// A Store holds one Aggregator's state. Its methods are safe for concurrent use.
//
// Times are kept to the microsecond, rounded down, and come back in UTC; the zero time comes back as the zero time. An empty byte slice may
// come back as nil. View and Update return an error, without running fn, when ctx has ended, and never return while fn runs.
type Store interface {
	// View runs fn on a consistent snapshot. fn must not call a method of Tx that writes: that returns an error.
	View(ctx context.Context, name string, fn func(Tx) error) error
	// Update runs fn in a serializable transaction, and returns once it is durable. fn may run more than once, so it must
	// have no effect outside tx except to set variables that a later run sets again; a non-nil error rolls back
	// and is returned as it is. Several concurrent Updates may share one disk flush; one that wrote nothing needs none. name labels metrics.
	Update(ctx context.Context, name string, fn func(Tx) error) error
	// Settle returns once every Update that began before the call has ended, those of other processes too: whatever ends later has seen what was committed
	// before the call.
	Settle(ctx context.Context) error
	// Close waits for running transactions and releases the store.
	Close() error
}

// A Tx is one transaction of a Store: each method is one intent of the protocol. It is valid only until
// fn returns and is not safe for concurrent use. Byte slices and strings it returns are the caller's own; those it is given are not kept.
// Every method may return an error of the backend besides the errors it names, and the caller must then return it from fn.
//
// A Tx serves both roles; the methods of the other role are simply never called.
type Tx interface {
	TaskTx
	ReportTx
	AggregationJobTx
	BatchTx
	CollectionJobTx
	HelperTx
	RoundTx
	KeyTx
	CareTx
}

// TaskTx keeps what is known of tasks. Tasks themselves come from configuration; a store only pins them.
type TaskTx interface {
	// PinTask remembers the digest of an immutable task configuration at its first call for a task, and returns ErrConflict
	// when a later call brings another digest: a task's parameters never change (DAP, Task Configuration).
	PinTask(task dap.TaskID, digest [32]byte) error
	// Count adds n to the task's persistent counter of that name (a constant of the roles, never derived from input).
	Count(task dap.TaskID, counter string, n uint64) error
	// Counters returns all counters of the task.
	Counters(task dap.TaskID) (map[string]uint64, error)
	// DeleteTask removes every row of the task except its pin, its keys among them: retention, after its batches were collected or given up.
	DeleteTask(task dap.TaskID) error
}

// ReportTx keeps uploaded reports (Leader). A report is unassigned, then assigned to one live aggregation job, then aggregated or rejected;
// a job that is abandoned makes its reports unassigned again. The ID stays known for ever, whatever becomes of the report.
type ReportTx interface {
	// AddReport stores an unassigned report; ErrConflict if the task has seen its ID, with nothing stored.
	AddReport(task dap.TaskID, r Report) error
	// ReportState returns what became of a report ID; ErrNotFound if it was never seen.
	ReportState(task dap.TaskID, id dap.ReportID) (ReportState, error)
	// UnassignedReports returns up to limit unassigned reports whose NotBefore is not after now, in the order of NotBefore, then of
	// arrival (so those without a NotBefore come first, oldest first), without their bodies (JobReports returns those, once a job has claimed the reports).
	UnassignedReports(task dap.TaskID, now time.Time, limit int) ([]Report, error)
	// DeferReports sets the NotBefore of unassigned reports; those that are not unassigned it leaves as they are.
	DeferReports(task dap.TaskID, ids []dap.ReportID, notBefore time.Time) error
	// RejectReports makes unassigned reports rejected and erases their bodies; ErrConflict if one is not unassigned, or is named twice.
	RejectReports(task dap.TaskID, rejected []Rejection) error
	// DropReport erases an unassigned report and makes it rejected with the code (a superseded correction); ErrConflict if it is not unassigned.
	DropReport(task dap.TaskID, id dap.ReportID, code dap.ReportError) error
}

// AggregationJobTx keeps the Leader's aggregation jobs.
type AggregationJobTx interface {
	// AddAggregationJob stores a new job, live and with Revision 1, and assigns its reports to it; ErrConflict if the ID exists, or a
	// report is not unassigned or is named twice.
	// The reports' bodies are kept until the job ends. A job without a Request only claims its reports, so that no other worker
	// spends its time on them; PrepareAggregationJob follows.
	AddAggregationJob(job AggregationJob) error
	// LeaseAggregationJobs returns up to n live jobs of any task whose NextAttempt is not after now and whose lease is free or
	// has ended before now, leased until now+ttl, first those that could first be leased. Concurrent callers never get the same job.
	LeaseAggregationJobs(now time.Time, ttl time.Duration, n int) ([]AggregationJob, error)
	// AggregationJob returns one job, live or ended; ErrNotFound.
	AggregationJob(task dap.TaskID, id dap.AggregationJobID) (AggregationJob, error)
	// JobReports returns a live job's reports with their bodies, in the job's order. Only ID and Task of job count.
	JobReports(job AggregationJob) ([]Report, error)
	// PrepareAggregationJob gives a live job its Request, once, besides what SaveAggregationJob does. The reports named in outcomes leave
	// the job with their outcome (rejected, or unassigned again), and job.Reports is the list of those that stay, in their order.
	// ErrConflict as for Save, or if the job has a Request.
	PrepareAggregationJob(job AggregationJob, outcomes []Outcome) error
	// SaveAggregationJob replaces the mutable fields of a live job (Location, Attempts, NextAttempt, Waiting, LeaseUntil) and adds one to its Revision;
	// ErrConflict unless it is live and job.Revision is the stored one: the lease was lost. ErrNotFound if there is no such job.
	SaveAggregationJob(job AggregationJob) error
	// FinishAggregationJob ends a live job: each outcome makes its report aggregated, rejected, or unassigned again with
	// a NotBefore; bodies of the former two and the job's Request are erased. There is exactly one outcome for each report of the job, in any order. Of an ended
	// job Waiting and LeaseUntil are zero. ErrConflict as for Save.
	FinishAggregationJob(job AggregationJob, outcomes []Outcome) error
	// AbandonAggregationJob ends a live job and makes all its reports unassigned, not to be offered before notBefore. ErrConflict as for Save.
	AbandonAggregationJob(job AggregationJob, notBefore time.Time) error
	// LiveAggregationJobs lists the live jobs of a task without their Request.
	LiveAggregationJobs(task dap.TaskID) ([]AggregationJob, error)
}

// BatchTx keeps batch buckets and which were collected (both roles; DAP, Batch Buckets).
type BatchTx interface {
	// MarkAggregated remembers report IDs as aggregated into a bucket of the task; it returns those that already were, into any bucket,
	// which it leaves as they are (Helper: replay protection over the whole task. The Leader's report rows serve instead).
	MarkAggregated(task dap.TaskID, bucket BucketID, ids []dap.ReportID) (replayed []dap.ReportID, err error)
	// AggregatedReports returns up to limit IDs of reports that were aggregated into the batch, in ascending order, greater than after
	// unless it is nil (both roles: the Helper's from MarkAggregated, the Leader's from its report rows). It serves the search for
	// a difference between the two Aggregators and may scan the whole task.
	AggregatedReports(task dap.TaskID, batch Batch, after *dap.ReportID, limit int) ([]dap.ReportID, error)
	// MergeBucket adds delta to a bucket, which starts at zero, with merge, see [Adding]; what is stored is always what merge made. Whether the
	// bucket may still be written is the role's decision, within the same transaction; ErrConflict only if it was erased.
	MergeBucket(task dap.TaskID, id BucketID, delta Bucket, merge Merge) error
	// Buckets returns the buckets of a batch that were ever merged into, in order of their IDs, each merged over its shards with merge.
	// An interval whose end does not fit into a dap.Time has no buckets, here and below.
	Buckets(task dap.TaskID, batch Batch, merge Merge) ([]Bucket, error)
	// BatchCollected says whether any bucket of the batch was marked collected, empty buckets included.
	BatchCollected(task dap.TaskID, batch Batch) (bool, error)
	// MarkCollected marks every bucket of the batch, empty ones included, as collected, for ever.
	MarkCollected(task dap.TaskID, batch Batch) error
	// EraseBatch deletes the shares of a collected batch's buckets; that they were collected, the replay IDs and the counts stay.
	// ErrConflict if a bucket of the batch was not marked collected.
	EraseBatch(task dap.TaskID, batch Batch) error
	// Progress counts the Leader's reports that belong to a batch by their state. Unassigned reports belong to no leader-selected batch.
	Progress(task dap.TaskID, batch Batch) (Progress, error)
	// LeaderBatches lists the leader-selected batches that have assigned or aggregated reports and are not reserved, oldest first.
	LeaderBatches(task dap.TaskID) ([]LeaderBatch, error)
	// ReserveBatch ties a leader-selected batch to a collection job, for ever; ErrConflict if it is tied to another.
	ReserveBatch(task dap.TaskID, batch dap.BatchID, job dap.CollectionJobID) error
}

// CollectionJobTx keeps the Leader's collection jobs.
type CollectionJobTx interface {
	// AddCollectionJob stores a job, pending and with Revision 1; ErrConflict if the ID exists.
	AddCollectionJob(job CollectionJob) error
	// CollectionJob returns one job that was not deleted; ErrNotFound.
	CollectionJob(task dap.TaskID, id dap.CollectionJobID) (CollectionJob, error)
	// CollectionJobByDigest returns the newest job with that request digest that is pending or ready, not failed and not deleted; ErrNotFound.
	CollectionJobByDigest(task dap.TaskID, digest [32]byte) (CollectionJob, error)
	// LeaseCollectionJobs is to pending collection jobs what LeaseAggregationJobs is to aggregation jobs.
	LeaseCollectionJobs(now time.Time, ttl time.Duration, n int) ([]CollectionJob, error)
	// SaveCollectionJob replaces the mutable fields of a job (all but ID, Task, Request and Digest) and adds one to its Revision;
	// ErrConflict unless job.Revision is the stored one; ErrNotFound after deletion.
	SaveCollectionJob(job CollectionJob) error
	// DeleteCollectionJob removes a job; it is no error if there is none. What was collected stays collected.
	DeleteCollectionJob(task dap.TaskID, id dap.CollectionJobID) error
	// CollectionJobs lists the jobs of a task that were not deleted, oldest first.
	CollectionJobs(task dap.TaskID) ([]CollectionJob, error)
}

// HelperTx keeps the Helper's answers, so that a repeated request gets the same one (DAP, Resource Creation).
type HelperTx interface {
	// AddHelperJob stores the answer to an aggregation job, or a live one that is to be answered, with its Request; ErrConflict if the ID or
	// the digest exists in the task.
	AddHelperJob(job HelperJob) error
	// HelperJob and HelperJobByDigest return a job that was not deleted; ErrNotFound.
	HelperJob(task dap.TaskID, id dap.AggregationJobID) (HelperJob, error)
	HelperJobByDigest(task dap.TaskID, digest [32]byte) (HelperJob, error)
	// SaveHelperJob replaces Response, State, NextAttempt and LeaseUntil of a live job, and erases its Request once it is finished;
	// ErrConflict if it was answered already, ErrNotFound after deletion.
	SaveHelperJob(job HelperJob) error
	// LeaseHelperJobs is to deferred Helper jobs what LeaseAggregationJobs is to aggregation jobs.
	LeaseHelperJobs(now time.Time, ttl time.Duration, n int) ([]HelperJob, error)
	// DeleteHelperJob removes a job; it is no error if there is none.
	DeleteHelperJob(task dap.TaskID, id dap.AggregationJobID) error
	// AddShareAnswer stores the answer to an aggregate share request; ErrConflict if the ID or the digest exists in the task.
	AddShareAnswer(a ShareAnswer) error
	// ShareAnswer and ShareAnswerByDigest return an answer that was not deleted; ErrNotFound.
	ShareAnswer(task dap.TaskID, id dap.AggregateShareID) (ShareAnswer, error)
	ShareAnswerByDigest(task dap.TaskID, digest [32]byte) (ShareAnswer, error)
	// ShareAnswers lists the answers of a task that were not deleted, oldest first, without their Response.
	ShareAnswers(task dap.TaskID) ([]ShareAnswer, error)
	// DeleteShareAnswer removes an answer; it is no error if there is none.
	DeleteShareAnswer(task dap.TaskID, id dap.AggregateShareID) error
}
