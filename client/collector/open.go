package collector

import (
	"errors"
	"fmt"

	"candor/schema/dap"
)

// ErrInconsistent says that the Leader's answer contradicts the task or the query. Nothing of it should be believed.
var ErrInconsistent = errors.New("the collection result contradicts the task or the query")

// open checks a job's response and opens it.
func (c *Collector) open(job *Job) (Result, error) {
	req, err := dap.Parse[dap.CollectionJobReq](job.Request)
	if err != nil {
		return Result{}, err
	}
	resp, err := dap.Parse[dap.CollectionJobResp](job.Response)
	if err != nil {
		return Result{}, err
	}
	if err := c.check(req, resp); err != nil {
		return Result{}, err
	}
	result := Result{ReportCount: resp.ReportCount, Interval: resp.Interval}
	aad := dap.AggregateShareAAD(c.task.ID, c.task.Encoded, job.Request)
	for i, from := range []struct {
		role       dap.Role
		ciphertext dap.HpkeCiphertext
	}{{dap.Leader, resp.Leader}, {dap.Helper, resp.Helper}} {
		if from.ciphertext.ConfigID != c.config.ID {
			return Result{}, fmt.Errorf("the %v's aggregate share is sealed for HPKE configuration %d, the collector's is %d",
				from.role, from.ciphertext.ConfigID, c.config.ID)
		}
		share, err := c.key.Open(from.ciphertext.Enc, dap.AggregateShareInfo(from.role), aad, from.ciphertext.Payload)
		if err != nil {
			return Result{}, fmt.Errorf("the %v's aggregate share: %w (it was sealed for another key, task configuration, request or role)", from.role, err)
		}
		result.Shares[i] = share
	}
	result.Aggregate, err = c.task.VDAF.Unshard(result.Shares[:], resp.ReportCount)
	if err != nil {
		return Result{}, fmt.Errorf("adding the aggregate shares: %w", err)
	}
	return result, nil
}

// check compares what the Leader says about the batch with what was agreed and asked.
func (c *Collector) check(req dap.CollectionJobReq, resp dap.CollectionJobResp) error {
	if resp.ReportCount < c.task.Config.MinBatchSize {
		return fmt.Errorf("%w: %d reports, the task's minimum is %d", ErrInconsistent, resp.ReportCount, c.task.Config.MinBatchSize)
	}
	if _, ok := resp.Interval.End(); !ok || resp.Interval.Duration == 0 {
		return fmt.Errorf("%w: the interval of the reports is empty, or its end is no time", ErrInconsistent)
	}
	if query, ok := req.Query.Interval(); ok && !query.ContainsInterval(resp.Interval) {
		return fmt.Errorf("%w: reports of the times %s, asked for %s", ErrInconsistent, span(resp.Interval), span(query))
	}
	if task := c.task.Interval; task != nil && !task.ContainsInterval(resp.Interval) {
		return fmt.Errorf("%w: reports of the times %s, the task takes %s", ErrInconsistent, span(resp.Interval), span(*task))
	}
	return nil
}

func span(i dap.Interval) string {
	end, _ := i.End()
	return fmt.Sprintf("[%d, %d)", i.Start, end)
}
