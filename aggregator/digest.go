package aggregator

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"candor/schema/dap"
)

// Before a batch is collected the Leader asks the Helper what it holds, over two resources that DAP does not have. Both are read-only and
// authenticated as the rest between the two:
//
//	GET {helper}/candor/tasks/{task-id}/batch_digest?batch={selector}
//	GET {helper}/candor/tasks/{task-id}/batch_reports?batch={selector}[&after={report-id}]
//
// where selector is the unpadded base64url of a dap.BatchSelector. The first says how many reports the batch has and their checksum, the second
// lists their IDs, page by page, so that a difference can be named. Nothing is collected or changed by either.
const (
	ResourceBatchDigest  = "batch_digest"
	ResourceBatchReports = "batch_reports"
)

// MediaTypeJSON is the media type of both responses.
const MediaTypeJSON = "application/json"

// BatchReportsPage is how many report IDs a page of batch_reports has at most.
const BatchReportsPage = 10_000

// A BatchDigest answers batch_digest.
type BatchDigest struct {
	ReportCount uint64   `json:"report_count"`
	Checksum    Checksum `json:"checksum"`
}

// A BatchReports answers batch_reports: a page of report IDs in ascending order, the last one exactly if More is false.
type BatchReports struct {
	ReportIDs []dap.ReportID `json:"report_ids"`
	More      bool           `json:"more"`
}

// A Checksum is a batch checksum, in JSON as unpadded base64url.
type Checksum [32]byte

func (c Checksum) MarshalText() ([]byte, error) {
	return base64.RawURLEncoding.AppendEncode(nil, c[:]), nil
}

func (c *Checksum) UnmarshalText(text []byte) error {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(string(text))
	if err != nil || len(raw) != len(c) || bytes.ContainsAny(text, "\r\n") {
		return fmt.Errorf("a checksum is %d bytes in unpadded base64url", len(c))
	}
	*c = Checksum(raw)
	return nil
}

// BatchResource returns path and query of one of the two resources for a batch.
func BatchResource(task dap.TaskID, resource string, selector dap.BatchSelector, after *dap.ReportID) (string, error) {
	b, err := dap.Marshal(selector)
	if err != nil {
		return "", fmt.Errorf("encoding a batch selector: %w", err)
	}
	q := url.Values{"batch": {base64.RawURLEncoding.EncodeToString(b)}}
	if after != nil {
		q.Set("after", after.String())
	}
	return "/candor/tasks/" + task.String() + "/" + resource + "?" + q.Encode(), nil
}

// ParseBatchQuery inverts BatchResource: it reads the query of either resource. The error is a *dap.Problem.
func ParseBatchQuery(q url.Values) (selector dap.BatchSelector, after *dap.ReportID, err error) {
	invalid := dap.NewStatusProblem(400, "the query has one batch selector, and at most one report ID to start after, both in unpadded base64url")
	if len(q["batch"]) != 1 || len(q["after"]) > 1 {
		return selector, nil, invalid
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(q.Get("batch"))
	if err != nil || strings.ContainsAny(q.Get("batch"), "\r\n") { // the decoder skips line ends
		return selector, nil, invalid
	}
	if selector, err = dap.Parse[dap.BatchSelector](b); err != nil {
		return selector, nil, invalid
	}
	if q.Has("after") {
		id, err := dap.ParseReportID(q.Get("after"))
		if err != nil {
			return selector, nil, invalid
		}
		after = &id
	}
	return selector, after, nil
}

// ParseBatchDigest and ParseBatchReports read the responses.

func ParseBatchDigest(b []byte) (d BatchDigest, err error) {
	if err := json.Unmarshal(b, &d); err != nil {
		return d, fmt.Errorf("parsing a batch digest: %w", err)
	}
	return d, nil
}

func ParseBatchReports(b []byte) (r BatchReports, err error) {
	if err := json.Unmarshal(b, &r); err != nil {
		return r, fmt.Errorf("parsing a list of report IDs: %w", err)
	}
	if len(r.ReportIDs) > BatchReportsPage || r.More && len(r.ReportIDs) == 0 {
		return r, fmt.Errorf("parsing a list of report IDs: a page of %d", len(r.ReportIDs))
	}
	return r, nil
}
