package collector

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"candor/client"
	"candor/schema/dap"
)

// ErrPending says that a job is not ready yet.
var ErrPending = errors.New("the collection job is not ready")

// A Job is a collection job at the Leader. Saved with Encode after Start and after each Poll, it can be taken up again
// by another process. It holds no secret: its shares, once there, are sealed for the Collector.
type Job struct {
	Task      dap.TaskID `json:"task"`
	Request   []byte     `json:"request"`            // the encoded CollectionJobReq, bound into both aggregate shares
	Location  string     `json:"location"`           // where the job is polled and deleted
	NotBefore time.Time  `json:"not_before"`         // the next poll
	Response  []byte     `json:"response,omitempty"` // the encoded CollectionJobResp, once it is there
}

// Encode returns the job's text form, which ParseJob reads.
func (j *Job) Encode() ([]byte, error) { return json.MarshalIndent(j, "", "  ") }

// ParseJob reads what Encode wrote.
func ParseJob(text []byte) (*Job, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	var j Job
	if err := dec.Decode(&j); err != nil {
		return nil, fmt.Errorf("reading a collection job: %w", err)
	}
	if dec.More() {
		return nil, errors.New("reading a collection job: there is text behind it")
	}
	if _, err := dap.Parse[dap.CollectionJobReq](j.Request); err != nil {
		return nil, fmt.Errorf("reading a collection job: %w", err)
	}
	if _, err := url.Parse(j.Location); err != nil {
		return nil, fmt.Errorf("reading a collection job: the location is not a URL")
	}
	return &j, nil
}

// Start creates a collection job for a batch. The same query and extensions lead to the same job, as long as it
// exists at the Leader, so that an uncertain Start can be repeated.
func (c *Collector) Start(ctx context.Context, query dap.Query, extensions ...dap.Extension) (*Job, error) {
	refuse := func(err error) (*Job, error) {
		return nil, fmt.Errorf("starting a collection of task %s: %w", c.task.ID, err)
	}
	if query.BatchMode != c.task.Config.BatchMode {
		return refuse(fmt.Errorf("the query is %v, the task %v", query.BatchMode, c.task.Config.BatchMode))
	}
	if i, ok := query.Interval(); ok {
		if _, fits := i.End(); !fits || i.Duration == 0 {
			return refuse(errors.New("the query's interval is empty, or its end is no time"))
		}
	}
	if !dap.ExtensionsIncrease(extensions) {
		return refuse(errors.New("the extensions are not in strictly increasing order of type"))
	}
	request, err := dap.Marshal(dap.CollectionJobReq{Query: query, Extensions: extensions})
	if err != nil {
		return refuse(err)
	}
	resp, err := c.caller.Do(ctx, client.Request{
		Method:      http.MethodPost,
		URL:         c.jobs,
		ContentType: dap.MediaTypeCollectionJobReq,
		Body:        request,
		MaxResponse: c.maxResponse(),
	})
	if err != nil {
		return refuse(err)
	}
	job := &Job{Task: c.task.ID, Request: request, Location: c.jobs}
	if err := c.take(job, resp); err != nil {
		return refuse(err)
	}
	c.log.InfoContext(ctx, "collection job created", "task_id", c.task.ID, "location", job.Location, "ready", len(job.Response) > 0)
	return job, nil
}

// Poll asks once whether a job is ready, and returns its result, or ErrPending. It changes job, which can be saved
// whatever the error is. A job whose response is there is opened without asking anybody.
//
// A *dap.Problem says that the job has failed and will not become ready.
func (c *Collector) Poll(ctx context.Context, job *Job) (Result, error) {
	if job.Task != c.task.ID {
		return Result{}, fmt.Errorf("polling a collection job: it is of task %s, this is the collector of %s", job.Task, c.task.ID)
	}
	if len(job.Response) == 0 {
		resp, err := c.request(ctx, http.MethodGet, job)
		if err != nil {
			return Result{}, fmt.Errorf("polling a collection of task %s: %w", c.task.ID, err)
		}
		if err := c.take(job, resp); err != nil {
			return Result{}, fmt.Errorf("polling a collection of task %s: %w", c.task.ID, err)
		}
		if len(job.Response) == 0 {
			return Result{}, ErrPending
		}
	}
	result, err := c.open(job)
	if err != nil {
		return Result{}, fmt.Errorf("opening the collection of task %s: %w", c.task.ID, err)
	}
	return result, nil
}

// Delete tells the Leader that a job's result is not needed any more. A job that is gone already is no error. The
// batch stays collected.
func (c *Collector) Delete(ctx context.Context, job *Job) error {
	_, err := c.request(ctx, http.MethodDelete, job)
	var problem *dap.Problem
	if errors.As(err, &problem) && problem.Status == http.StatusNotFound {
		return nil
	}
	if err != nil {
		return fmt.Errorf("deleting a collection job of task %s: %w", c.task.ID, err)
	}
	c.log.InfoContext(ctx, "collection job deleted", "task_id", c.task.ID, "location", job.Location)
	return nil
}

// request makes a request to the job's location, which a saved job may have from anywhere: the Leader's token goes to
// the Leader alone.
func (c *Collector) request(ctx context.Context, method string, job *Job) (*client.Response, error) {
	base, err := url.Parse(c.jobs)
	if err != nil {
		return nil, err
	}
	location, err := client.ResolveLocation(base, job.Location)
	if err != nil {
		return nil, err
	}
	return c.caller.Do(ctx, client.Request{Method: method, URL: location.String(), MaxResponse: c.maxResponse()})
}

// take notes in job what an answer of the Leader says: where the job is, and that it is ready or when to ask again. An
// answer without Location leaves the job where it was, at first at the URL of the creation (DAP, Asynchronous Request
// Handling).
func (c *Collector) take(job *Job, resp *client.Response) error {
	if l := resp.Header.Get("Location"); l != "" {
		location, err := client.ResolveLocation(resp.URL, l)
		if err != nil {
			return err
		}
		job.Location = location.String()
	}
	if len(resp.Body) == 0 {
		now := c.now()
		wait, ok := client.RetryAfter(resp.Header, now)
		if !ok {
			wait = c.poll
		}
		job.NotBefore = now.Add(min(max(wait, 100*time.Millisecond), c.limit))
		return nil
	}
	if err := resp.CheckMessage(dap.MessageCollectionJobResp); err != nil {
		return err
	}
	if _, err := dap.Parse[dap.CollectionJobResp](resp.Body); err != nil {
		return err
	}
	job.Response, job.NotBefore = resp.Body, time.Time{}
	return nil
}

// maxResponse bounds the length of a CollectionJobResp: two shares with their encapsulated keys and tags.
func (c *Collector) maxResponse() int64 {
	return 24 + 2*(7+1<<16+64+int64(c.task.VDAF.OutputShareSize()))
}
