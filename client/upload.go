package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"candor/schema/dap"
)

// Reports are sent in requests of about this many bytes at most, but at least one per request.
const maxUpload = 4 << 20

// Upload sends reports to the Leader and returns those that it did not accept, in the order given. A nil result and a
// nil error mean that all were accepted.
//
// The same reports may be uploaded again at any time, for instance after an error: each counts once. Answers that may
// get better (status 429, 5xx, no answer) are retried within the limits of the Config; if the Leader answers such a
// repetition with report_replayed, the report had arrived the first time, and it counts as accepted. A refusal of the
// whole request is a *dap.Problem.
//
// Of the errors in the result only report_too_early is worth offering the same report again, later.
func (c *Client) Upload(ctx context.Context, reports ...dap.Report) (dap.UploadErrors, error) {
	url, err := Resource(c.task.Config.LeaderEndpoint, "tasks", c.task.ID.String(), "reports")
	if err != nil {
		return nil, fmt.Errorf("uploading to task %s: %w", c.task.ID, err)
	}
	var refused dap.UploadErrors
	for len(reports) > 0 {
		n, body := 0, []byte(nil)
		for n < len(reports) {
			longer, err := dap.Append(body, reports[n])
			if err != nil {
				return refused, fmt.Errorf("uploading report %s: %w", reports[n].Metadata.ReportID, err)
			}
			if n > 0 && len(longer) > maxUpload {
				break
			}
			n, body = n+1, longer
		}
		some, err := c.uploadRequest(ctx, url, reports[:n], body)
		if err != nil {
			return refused, fmt.Errorf("uploading to task %s: %w", c.task.ID, err)
		}
		refused = append(refused, some...)
		reports = reports[n:]
	}
	return refused, nil
}

// uploadRequest sends one request. body is the encoding of reports.
func (c *Client) uploadRequest(ctx context.Context, url string, reports []dap.Report, body []byte) (dap.UploadErrors, error) {
	resp, err := c.caller.Do(ctx, Request{
		Method:      http.MethodPost,
		URL:         url,
		ContentType: dap.MediaTypeUploadReq,
		Body:        body,
		MaxResponse: int64(len(reports)) * 17,
	})
	if err != nil {
		return nil, err
	}
	if len(resp.Body) == 0 {
		return nil, nil
	}
	if err := resp.CheckMessage(dap.MessageUploadErrors); err != nil {
		return nil, err
	}
	statuses, err := dap.Parse[dap.UploadErrors](resp.Body)
	if err != nil {
		return nil, err
	}
	byID := make(map[dap.ReportID]dap.ReportError, len(statuses))
	for _, s := range statuses {
		if _, twice := byID[s.ReportID]; twice {
			return nil, fmt.Errorf("the Leader's answer names report %s twice: %w", s.ReportID, dap.ErrMalformed)
		}
		byID[s.ReportID] = s.Error
	}
	var refused dap.UploadErrors
	for _, r := range reports {
		id := r.Metadata.ReportID
		e, found := byID[id]
		if !found {
			continue
		}
		delete(byID, id)
		if e == dap.ErrorReportReplayed && resp.Repeated {
			c.log.InfoContext(ctx, "report had arrived before", "task_id", c.task.ID, "report_id", id)
			continue
		}
		refused = append(refused, dap.ReportUploadStatus{ReportID: id, Error: e})
	}
	for id := range byID {
		return nil, fmt.Errorf("the Leader's answer names report %s, which was not in the request: %w", id, dap.ErrMalformed)
	}
	return refused, nil
}

// ErrPinnedOutdated is returned by Submit if the Leader calls a pinned HPKE configuration outdated. The Client does
// not ask it for another one; the signed round document has to be compared with what the Leader holds.
var ErrPinnedOutdated = errors.New("the Leader does not know the pinned HPKE configuration")

// Submit prepares a report and uploads it. If the Leader answers outdated_config, it fetches the HPKE configurations
// anew and tries once more, with a new report. Any other refusal of the report is the dap.ReportError itself
// (errors.As); the report is returned with it, and after ErrorReportTooEarly may be given to Upload later.
//
// The arguments are those of Prepare. private is called twice for each report.
func (c *Client) Submit(ctx context.Context, measurement []uint64, public []dap.Extension, private Private) (dap.Report, error) {
	for attempt := 1; ; attempt++ {
		report, err := c.Prepare(ctx, measurement, public, private)
		if err != nil {
			return dap.Report{}, err
		}
		refused, err := c.Upload(ctx, report)
		if err != nil {
			return report, err
		}
		if len(refused) == 0 {
			c.log.InfoContext(ctx, "report uploaded", "task_id", c.task.ID, "report_id", report.Metadata.ReportID)
			return report, nil
		}
		why := refused[0].Error
		if why == dap.ErrorOutdatedConfig && c.pinned {
			return report, fmt.Errorf("submitting to task %s: %w: %w", c.task.ID, ErrPinnedOutdated, why)
		}
		if why != dap.ErrorOutdatedConfig || attempt > 1 {
			return report, fmt.Errorf("submitting report %s to task %s: %w", report.Metadata.ReportID, c.task.ID, why)
		}
		c.log.InfoContext(ctx, "HPKE configuration outdated, fetching it anew", "task_id", c.task.ID)
		c.leader.forget(ctx, report.Leader.ConfigID)
		c.helper.forget(ctx, report.Helper.ConfigID)
	}
}
