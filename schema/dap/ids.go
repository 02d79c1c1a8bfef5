package dap

import (
	"encoding/base64"
	"fmt"
)

// Identifiers are arrays with value semantics. Their text form, in URLs and
// logs, is base64url without padding; it is parsed strictly, so that each
// identifier has one text.
type (
	// A TaskID names a task, for all parties and for ever.
	//
	//	opaque TaskID[32];
	TaskID [32]byte

	// A ReportID names a report within its task, and is the nonce of its VDAF
	// shares: 16 random bytes, new for every report.
	//
	//	opaque ReportID[16];
	ReportID [16]byte

	// A BatchID names a batch of a leader-selected task: 32 random bytes of the
	// Leader's.
	//
	//	opaque BatchID[32];
	BatchID [32]byte

	// An AggregationJobID names an aggregation job at the Helper. The draft
	// leaves its form to the server, and so for the next two; others see it
	// only as part of a Location.
	AggregationJobID [16]byte

	// A CollectionJobID names a collection job at the Leader.
	CollectionJobID [16]byte

	// An AggregateShareID names an aggregate share at the Helper.
	AggregateShareID [16]byte
)

// ParseTaskID parses the text form of a task ID.
func ParseTaskID(text string) (TaskID, error) { return parseID[TaskID]("task ID", text) }

// ParseReportID parses the text form of a report ID.
func ParseReportID(text string) (ReportID, error) { return parseID[ReportID]("report ID", text) }

// ParseBatchID parses the text form of a batch ID.
func ParseBatchID(text string) (BatchID, error) { return parseID[BatchID]("batch ID", text) }

// ParseAggregationJobID parses the text form of an aggregation job ID.
func ParseAggregationJobID(text string) (AggregationJobID, error) {
	return parseID[AggregationJobID]("aggregation job ID", text)
}

// ParseCollectionJobID parses the text form of a collection job ID.
func ParseCollectionJobID(text string) (CollectionJobID, error) {
	return parseID[CollectionJobID]("collection job ID", text)
}

// ParseAggregateShareID parses the text form of an aggregate share ID.
func ParseAggregateShareID(text string) (AggregateShareID, error) {
	return parseID[AggregateShareID]("aggregate share ID", text)
}

// parseID decodes text, of which there is exactly one for every identifier.
func parseID[ID ~[16]byte | ~[32]byte](kind, text string) (ID, error) {
	var id, zero ID
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	// The decoder skips line ends, hence the check of the text's length.
	if err != nil || len(raw) != len(id) || len(text) != base64.RawURLEncoding.EncodedLen(len(id)) {
		return zero, fmt.Errorf("parsing %s: want %d characters of unpadded base64url: %w",
			kind, base64.RawURLEncoding.EncodedLen(len(id)), ErrMalformed)
	}
	for i := range raw {
		id[i] = raw[i]
	}
	return id, nil
}

func (id TaskID) String() string           { return base64.RawURLEncoding.EncodeToString(id[:]) }
func (id ReportID) String() string         { return base64.RawURLEncoding.EncodeToString(id[:]) }
func (id BatchID) String() string          { return base64.RawURLEncoding.EncodeToString(id[:]) }
func (id AggregationJobID) String() string { return base64.RawURLEncoding.EncodeToString(id[:]) }
func (id CollectionJobID) String() string  { return base64.RawURLEncoding.EncodeToString(id[:]) }
func (id AggregateShareID) String() string { return base64.RawURLEncoding.EncodeToString(id[:]) }

// The text methods give identifiers the same form in JSON, YAML and logs.

func (id TaskID) MarshalText() ([]byte, error)           { return []byte(id.String()), nil }
func (id ReportID) MarshalText() ([]byte, error)         { return []byte(id.String()), nil }
func (id BatchID) MarshalText() ([]byte, error)          { return []byte(id.String()), nil }
func (id AggregationJobID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }
func (id CollectionJobID) MarshalText() ([]byte, error)  { return []byte(id.String()), nil }
func (id AggregateShareID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

func (id *TaskID) UnmarshalText(text []byte) (err error) {
	*id, err = ParseTaskID(string(text))
	return err
}

func (id *ReportID) UnmarshalText(text []byte) (err error) {
	*id, err = ParseReportID(string(text))
	return err
}

func (id *BatchID) UnmarshalText(text []byte) (err error) {
	*id, err = ParseBatchID(string(text))
	return err
}

func (id *AggregationJobID) UnmarshalText(text []byte) (err error) {
	*id, err = ParseAggregationJobID(string(text))
	return err
}

func (id *CollectionJobID) UnmarshalText(text []byte) (err error) {
	*id, err = ParseCollectionJobID(string(text))
	return err
}

func (id *AggregateShareID) UnmarshalText(text []byte) (err error) {
	*id, err = ParseAggregateShareID(string(text))
	return err
}
