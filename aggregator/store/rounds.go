package store

import (
	"time"

	"candor/schema/dap"
)

// RoundTx keeps what only tasks of rounds have: which report of each member counts, and what the Aggregator stated of the batch.
type RoundTx interface {
	// PutSubmission stores the submission of a member to a task, in place of the one before.
	PutSubmission(s Submission) error
	// Submission returns the submission of a member; ErrNotFound.
	Submission(task dap.TaskID, member string) (Submission, error)
	// Submissions lists the submissions to a task in order of the members' ids.
	Submissions(task dap.TaskID) ([]Submission, error)
	// PutStatement stores what the Aggregator stated of a task's batch; ErrConflict if other bytes were stored before: a statement is made once.
	PutStatement(s Statement) error
	// Statement returns the statement of a task; ErrNotFound.
	Statement(task dap.TaskID) (Statement, error)
}

// A Submission is the report of a member that counts in a task: at the Leader the latest correction received in the window, at the Helper the
// one that was aggregated. It holds no share.
type Submission struct {
	Task        dap.TaskID
	Member      string // roster id
	Correction  uint64
	Report      dap.ReportID
	Signer      [32]byte  // the public key of the member that the report is signed with
	Contributes []byte    // the contributes bits of the report; nil for answers
	Received    time.Time // by this Aggregator
	Aggregated  bool      // its share is in the batch
}

// A Statement is the encoding of what an Aggregator stated of a batch, with the salts of its commitment sealed for the Collector.
type Statement struct {
	Task    dap.TaskID
	Text    []byte // the signed statement
	Salts   []byte // sealed to the Collector
	Created time.Time
}

func (Submission) record() {}
func (Statement) record()  {}
