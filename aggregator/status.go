package aggregator

import (
	"time"

	"candor/aggregator/store"
	"candor/schema/dap"
)

// The codes of [store.Waiting]: why a job does not move. They are for scripts and metrics; the sentence beside them is for people.
const (
	WaitingHelperUnavailable = "helper_unavailable" // no answer, or an error of the Helper's own
	WaitingHelperRefused     = "helper_refused"     // an answer that only an operator can change: credentials, unknown task
	WaitingHelperDeferred    = "helper_deferred"    // the Helper works on it
	WaitingWindowOpen        = "window_open"        // a round's reports are aggregated when its window has closed
	WaitingReports           = "reports_pending"    // reports of the batch are still to be aggregated
	WaitingBatchTooSmall     = "batch_too_small"    // fewer reports than the minimum batch size
	WaitingBatchMismatch     = "batch_mismatch"     // the Aggregators hold different reports of the batch
	WaitingOverlap           = "overlapping_job"    // another collection job of the same reports runs
	WaitingKeyMissing        = "key_missing"        // a key that reports need is no longer there
	WaitingInternal          = "internal_error"     // our own fault
	WaitingTaskUnknown       = "task_unknown"       // the store has a job of a task that is not configured
)

// WaitingCodes lists all codes, for metrics.
var WaitingCodes = []string{WaitingHelperUnavailable, WaitingHelperRefused, WaitingHelperDeferred, WaitingWindowOpen, WaitingReports,
	WaitingBatchTooSmall, WaitingBatchMismatch, WaitingOverlap, WaitingKeyMissing, WaitingInternal, WaitingTaskUnknown}

// Waits returns the Waiting with a new reason; while the code stays, so does the time since when.
func Waits(old store.Waiting, code, text string, now time.Time) store.Waiting {
	if old.Code == code {
		return store.Waiting{Code: code, Text: text, Since: old.Since}
	}
	return store.Waiting{Code: code, Text: text, Since: now}
}

// Status is what an operator can know of a role: `candor status` prints it. It holds no secret and no share.
type Status struct {
	Role  string       `json:"role"` // leader or helper
	Now   time.Time    `json:"now"`
	Tasks []TaskStatus `json:"tasks"`
}

// TaskStatus is the status of one task.
type TaskStatus struct {
	ID        dap.TaskID `json:"task_id"`
	Info      string     `json:"task_info"`
	BatchMode string     `json:"batch_mode"`
	Closes    *time.Time `json:"closes,omitempty"` // the end of the task interval
	// Counters are the task's persistent counters, by the names below.
	Counters map[string]uint64 `json:"counters"`
	// Queue is the number of reports stored and neither aggregated nor rejected (Leader).
	Queue           uint64                `json:"queue_reports"`
	AggregationJobs []AggregationStatus   `json:"aggregation_jobs,omitempty"` // live ones (Leader)
	CollectionJobs  []CollectionJobStatus `json:"collection_jobs,omitempty"`  // all that were not deleted (Leader)
}

// AggregationStatus is the status of a live aggregation job.
type AggregationStatus struct {
	ID          dap.AggregationJobID `json:"aggregation_job_id"`
	Reports     int                  `json:"reports"`
	Created     time.Time            `json:"created"`
	Attempts    int                  `json:"attempts"`
	NextAttempt time.Time            `json:"next_attempt,omitzero"`
	Waiting     *WaitingStatus       `json:"waiting,omitempty"`
}

// CollectionJobStatus is the status of a collection job.
type CollectionJobStatus struct {
	ID          dap.CollectionJobID `json:"collection_job_id"`
	State       string              `json:"state"` // pending, ready or failed
	Created     time.Time           `json:"created"`
	Attempts    int                 `json:"attempts"`
	NextAttempt time.Time           `json:"next_attempt,omitzero"`
	Waiting     *WaitingStatus      `json:"waiting,omitempty"`
}

// WaitingStatus is a [store.Waiting] in JSON.
type WaitingStatus struct {
	Code  string    `json:"code"`
	Text  string    `json:"text"`
	Since time.Time `json:"since"`
}

// NewWaitingStatus returns the status of w, or nil if the job does not wait.
func NewWaitingStatus(w store.Waiting) *WaitingStatus {
	if w.Code == "" {
		return nil
	}
	return &WaitingStatus{w.Code, w.Text, w.Since}
}

// The names of persistent counters of reports. Refusals add the name of the report error.
const (
	CounterUploaded      = "uploaded"       // stored by the Leader
	CounterUploadRefused = "upload_"        // + report error
	CounterAggregated    = "aggregated"     // committed
	CounterRejected      = "rejected_"      // + report error: in aggregation, for ever
	CounterCollected     = "collected"      // in batches that were collected
	CounterAbandoned     = "jobs_abandoned" // aggregation jobs
)

// NewTaskStatus returns what both roles say of a task.
func NewTaskStatus(t *Task, counters map[string]uint64) TaskStatus {
	s := TaskStatus{ID: t.ID, Info: string(t.Config.TaskInfo), BatchMode: t.Config.BatchMode.String(), Counters: counters}
	if at, ok := t.Closes(); ok {
		s.Closes = &at
	}
	return s
}
