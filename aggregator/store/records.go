package store

import (
	"time"

	"candor/schema/dap"
)

// CareTx serves the care of a store: check, statistics, export and import. The roles never call it.
type CareTx interface {
	// Records calls fn with every row of the store, task by task, and stops at its first error. Within a task its keys come first, then the types below in
	// their order, with aggregation jobs after reports, then collection jobs, Helper jobs, share answers, submissions and the statement. Reports come in order of arrival,
	// leader-selected batches, aggregation jobs, collection jobs and share answers in order of their creation, all else in order of its ID,
	// name or time.
	// What follows from other rows (indexes, queues, counts of reports by time) has no record.
	Records(fn func(Record) error) error
	// AddRecord puts a record that Records produced into a store that holds only records before it.
	AddRecord(r Record) error
	// ReplaceSecrets calls replace with the row of the type and the identity of of, as it is now, and stores those fields of what replace returns that may hold a
	// secret: bodies, requests, responses, shares, the statement, and what a member contributes to. All else of the row stays, revisions too. It does not call
	// replace for a report or an aggregation job whose body or request was erased. ErrNotFound; an error of replace is returned as it is.
	ReplaceSecrets(of Record, replace func(Record) (Record, error)) error
}

// A Record is one row of a store, whatever the backend: one of the types below, or a Key, AggregationJob, CollectionJob, HelperJob, ShareAnswer,
// Submission or Statement.
type Record interface{ record() }

// A PinRecord is a task's pinned digest.
type PinRecord struct {
	Task   dap.TaskID
	Digest [32]byte
}

// A CounterRecord is one of a task's persistent counters.
type CounterRecord struct {
	Task dap.TaskID
	Name string
	N    uint64
}

// A BatchRecord is a leader-selected batch of the Leader.
type BatchRecord struct {
	Task     dap.TaskID
	ID       dap.BatchID
	Created  time.Time
	Progress Progress
	Reserved *dap.CollectionJobID
}

// A ReportRecord is a report of the Leader and what became of it.
type ReportRecord struct {
	Task dap.TaskID
	Report
	State ReportState
	Code  dap.ReportError // of a rejected report
	// Job is the job that has or had the report: zero for an unassigned report, and for one that was rejected before any job had it.
	Job dap.AggregationJobID
}

// A MarkRecord is a report that the Helper aggregated.
type MarkRecord struct {
	Task   dap.TaskID
	Report dap.ReportID
	Bucket BucketID
}

// A BucketRecord is a shard of a batch bucket: a bucket is the sum of its shards.
type BucketRecord struct {
	Task  dap.TaskID
	Shard uint16 // a bucket that is not split has number 0
	Bucket
	Erased bool // then all of the bucket's shards are
}

// A CollectedRecord is a batch, or several adjoining ones, that was collected.
type CollectedRecord struct {
	Task  dap.TaskID
	Batch Batch
}

func (PinRecord) record()       {}
func (CounterRecord) record()   {}
func (BatchRecord) record()     {}
func (ReportRecord) record()    {}
func (AggregationJob) record()  {}
func (MarkRecord) record()      {}
func (BucketRecord) record()    {}
func (CollectedRecord) record() {}
func (CollectionJob) record()   {}
func (HelperJob) record()       {}
func (ShareAnswer) record()     {}
