package dap

import (
	"encoding/json"
	"fmt"
	"strings"
)

// A ProblemType is the type of a problem document: a registered token, such as
// [InvalidMessage], standing for the URN that ends in it, or else any other URI.
type ProblemType string

// The problem types of the DAP namespace. There are no others in it.
const (
	InvalidMessage              ProblemType = "invalidMessage"
	UnrecognizedTask            ProblemType = "unrecognizedTask"
	UnrecognizedAggregationJob  ProblemType = "unrecognizedAggregationJob"
	BatchInvalid                ProblemType = "batchInvalid"
	InvalidBatchSize            ProblemType = "invalidBatchSize"
	InvalidAggregationParameter ProblemType = "invalidAggregationParameter"
	BatchMismatch               ProblemType = "batchMismatch"
	StepMismatch                ProblemType = "stepMismatch"
	BatchOverlap                ProblemType = "batchOverlap"
	UnsupportedExtension        ProblemType = "unsupportedExtension"
	InvalidExtension            ProblemType = "invalidExtension"
)

// AboutBlank is the type of a problem about which the HTTP status says it all.
const AboutBlank ProblemType = "about:blank"

// MediaTypeProblem is the media type of problem documents.
const MediaTypeProblem = "application/problem+json"

const problemURN = "urn:ietf:params:ppm:dap:error:"

// titles are the draft's descriptions, section "Errors", put shorter.
var titles = map[ProblemType]string{
	InvalidMessage:              "The message could not be parsed or is otherwise invalid.",
	UnrecognizedTask:            "The task is not known here.",
	UnrecognizedAggregationJob:  "The aggregation job is not known here.",
	BatchInvalid:                "The query does not name a valid batch.",
	InvalidBatchSize:            "The number of reports in the batch is invalid.",
	InvalidAggregationParameter: "The aggregation parameter is invalid.",
	BatchMismatch:               "The Aggregators disagree on the reports of the batch.",
	StepMismatch:                "The Aggregators disagree on the step of the aggregation job.",
	BatchOverlap:                "The query includes reports that were collected before.",
	UnsupportedExtension:        "The extensions include an unknown one.",
	InvalidExtension:            "The extensions are out of order or badly encoded.",
}

// A Problem is a refused request: an error that the peer is told about, in a
// problem document (RFC 9457). All its fields are for the peer's eyes.
type Problem struct {
	Type                  ProblemType
	Title                 string
	Status                int    // an HTTP status, 4xx or 5xx
	Detail                string // about this occurrence; may be empty
	TaskID                *TaskID
	UnsupportedExtensions []uint16 // of UnsupportedExtension
}

// NewProblem returns a problem of a registered type, with its title and status.
// It panics for other types.
func NewProblem(t ProblemType, detail string) *Problem {
	title, ok := titles[t]
	if !ok {
		panic(fmt.Sprintf("dap: internal error: problem type %q is not registered", t))
	}
	status := 400
	if t == UnrecognizedTask || t == UnrecognizedAggregationJob {
		status = 404
	}
	return &Problem{Type: t, Title: title, Status: status, Detail: detail}
}

// NewStatusProblem returns a problem that is nothing but an HTTP status, for
// what DAP has no type for.
func NewStatusProblem(status int, detail string) *Problem {
	return &Problem{Type: AboutBlank, Status: status, Detail: detail}
}

// NewUnsupportedExtension returns a problem that lists the unknown types.
func NewUnsupportedExtension(detail string, unknown []uint16) *Problem {
	p := NewProblem(UnsupportedExtension, detail)
	p.UnsupportedExtensions = unknown
	return p
}

func (p *Problem) Error() string {
	text := string(p.Type)
	if p.Type == AboutBlank || p.Type == "" {
		text = fmt.Sprintf("status %d", p.Status)
	}
	if p.Detail != "" {
		text += ": " + p.Detail
	}
	return text
}

// problemJSON is the form of the document.
type problemJSON struct {
	Type                  string   `json:"type"`
	Title                 string   `json:"title,omitempty"`
	Status                int      `json:"status,omitempty"`
	Detail                string   `json:"detail,omitempty"`
	TaskID                *TaskID  `json:"taskid,omitempty"`
	UnsupportedExtensions []uint16 `json:"unsupported_extensions,omitempty"`
}

// MarshalJSON returns the problem document. It fails for a type that is neither
// registered nor a URI outside the DAP namespace.
func (p *Problem) MarshalJSON() ([]byte, error) {
	uri := string(p.Type)
	if _, ok := titles[p.Type]; ok {
		uri = problemURN + uri
	} else if uri == "" {
		uri = string(AboutBlank)
	} else if !strings.Contains(uri, ":") || strings.HasPrefix(strings.ToLower(uri), "urn:ietf:params:ppm:dap:") {
		return nil, fmt.Errorf("encoding problem document: type %q is neither registered nor a URI of another namespace", uri)
	}
	return json.Marshal(problemJSON{uri, p.Title, p.Status, p.Detail, p.TaskID, p.UnsupportedExtensions})
}

// ParseProblem reads the problem document of a response. As RFC 9457 wants it,
// members that are unknown or of the wrong type are passed over; a type that is
// missing or relative is about:blank. A name in the DAP namespace that is not registered remains a
// URN. The error is [ErrMalformed], for content that is not a JSON object.
func ParseProblem(content []byte) (*Problem, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(content, &members); err != nil || members == nil {
		return nil, fmt.Errorf("parsing problem document: not a JSON object: %w", ErrMalformed)
	}
	var p Problem
	var uri string
	var id TaskID
	member(members, "type", &uri)
	member(members, "title", &p.Title)
	member(members, "status", &p.Status)
	member(members, "detail", &p.Detail)
	member(members, "unsupported_extensions", &p.UnsupportedExtensions)
	if member(members, "taskid", &id) {
		p.TaskID = &id
	}
	switch token, inURN := strings.CutPrefix(uri, problemURN); {
	case !strings.Contains(uri, ":"):
		p.Type = AboutBlank // none, or a relative reference, which could look like a token
	case inURN && titles[ProblemType(token)] != "":
		p.Type = ProblemType(token)
	default:
		p.Type = ProblemType(uri)
	}
	return &p, nil
}

// member decodes a member into out, and leaves out zero if it cannot.
func member[T any](members map[string]json.RawMessage, name string, out *T) bool {
	raw, ok := members[name]
	if !ok {
		return false
	}
	if err := json.Unmarshal(raw, out); err != nil {
		var zero T
		*out = zero
		return false
	}
	return string(raw) != "null"
}
