package store

import (
	"encoding/binary"
	"time"

	"candor/schema/dap"
)

// A Report is an uploaded report (Leader).
type Report struct {
	ID        dap.ReportID
	Time      dap.Time  // bucket of a time-interval task
	NotBefore time.Time // not to be put in a job before; zero: at once
	Encoded   []byte    // the dap.Report exactly as uploaded
}

// A ReportState is what became of a report. Transitions:
//
//	unassigned -> assigned -> aggregated
//	     |  ^________/   \--> rejected
//	     \------------------> rejected
type ReportState uint8

const (
	ReportUnassigned ReportState = 1
	ReportAssigned   ReportState = 2
	ReportAggregated ReportState = 3
	ReportRejected   ReportState = 4
)

// A Rejection says why a report was rejected.
type Rejection struct {
	ID   dap.ReportID
	Code dap.ReportError
}

// An Outcome says what an aggregation job made of one report.
type Outcome struct {
	ID    dap.ReportID
	State ReportState // aggregated, rejected, or unassigned to offer it again
	Code  dap.ReportError
	// NotBefore is used with ReportUnassigned.
	NotBefore time.Time
}

// Waiting says why a job does not move, for people: `candor status`, metrics and problem documents show it.
type Waiting struct {
	Code  string    // a constant of the roles, for scripts; empty: not waiting
	Text  string    // one sentence, no secrets
	Since time.Time // when this code was first set
}

// An AggregationJob is one job of the Leader (DAP, Aggregate Phase). It is live from its creation until it is finished or abandoned.
type AggregationJob struct {
	ID      dap.AggregationJobID // the Leader's own name for it; the Helper's is in Location
	Task    dap.TaskID
	Batch   *dap.BatchID // leader-selected tasks only
	Reports []dap.ReportID
	Request []byte // the AggregationJobInitReq exactly as it is sent, each time; empty until the job is prepared
	Created time.Time

	// Mutable while the job is live.
	Location    string // of the Helper's resource, once known; may carry a step query
	Attempts    int
	NextAttempt time.Time
	Waiting     Waiting
	LeaseUntil  time.Time
	Revision    uint64 // changes with every lease and save
	State       JobState
}

// A JobState is the state of a job of any kind. Aggregation jobs go from live to finished or abandoned; collection jobs from
// live (pending) to finished (ready) or abandoned (failed); Helper jobs from live (deferred) to finished (answered).
type JobState uint8

const (
	JobLive      JobState = 1
	JobFinished  JobState = 2
	JobAbandoned JobState = 3
)

// A CollectionJob is one job of the Leader for the Collector (DAP, Collection Job Initialization).
type CollectionJob struct {
	ID      dap.CollectionJobID
	Task    dap.TaskID
	Request []byte   // the Collector's exact bytes
	Digest  [32]byte // SHA-256 of Request
	Created time.Time

	Batch        *Batch // set once known: from the query, or the leader-selected batch reserved for this job
	ShareRequest []byte // the AggregateShareReq exactly as it is sent to the Helper, once built
	Location     string // of the Helper's resource, once known
	Response     []byte // the CollectionJobResp, when finished
	Problem      []byte // the problem document as JSON, when abandoned
	Attempts     int
	NextAttempt  time.Time
	Waiting      Waiting
	LeaseUntil   time.Time
	Revision     uint64
	State        JobState
}

// A HelperJob is the Helper's side of an aggregation job.
type HelperJob struct {
	ID     dap.AggregationJobID
	Task   dap.TaskID
	Digest [32]byte // SHA-256 of the request
	// Request is kept only while the answer is deferred.
	Request     []byte
	Response    []byte // the AggregationJobResp; empty while deferred
	Created     time.Time
	NextAttempt time.Time
	LeaseUntil  time.Time
	State       JobState
}

// A ShareAnswer is the Helper's answer to an AggregateShareReq.
type ShareAnswer struct {
	ID       dap.AggregateShareID
	Task     dap.TaskID
	Digest   [32]byte // SHA-256 of the request
	Batch    Batch
	Response []byte // the AggregateShare
	Created  time.Time
}

// A BucketID names a batch bucket within a task: 8 bytes for a unit of time, 32 for a leader-selected batch.
type BucketID string

// TimeBucket returns the ID of the bucket {t, 1}; IDs sort as the times do.
func TimeBucket(t dap.Time) BucketID {
	return BucketID(binary.BigEndian.AppendUint64(nil, uint64(t)))
}

// BatchBucket returns the ID of the only bucket of a leader-selected batch.
func BatchBucket(id dap.BatchID) BucketID { return BucketID(id[:]) }

// A Bucket is the content of a batch bucket.
type Bucket struct {
	ID       BucketID
	Share    []byte // the encoded aggregate share
	Count    uint64
	Checksum [32]byte
	MinTime  dap.Time // of the reports in it
	MaxTime  dap.Time
}

// A Batch names the buckets that are collected together: those of an interval, or the one of a leader-selected batch.
type Batch struct {
	Interval dap.Interval
	ID       *dap.BatchID // nil: Interval counts
}

// Progress counts reports of a batch.
type Progress struct {
	Unassigned uint64 `json:"unassigned"`
	Assigned   uint64 `json:"assigned"`
	Aggregated uint64 `json:"aggregated"`
	Rejected   uint64 `json:"rejected"`
}

// A LeaderBatch is a leader-selected batch as the Leader fills it.
type LeaderBatch struct {
	ID       dap.BatchID
	Created  time.Time
	Progress Progress
}
