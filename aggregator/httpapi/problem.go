package httpapi

import (
	"context"
	"errors"
	"net/http"
	"time"

	"candor/schema/dap"
)

// RetryAfter returns err with a time after which the caller should ask again.
// The error's own kind decides the status.
//
//	return httpapi.Response{}, httpapi.RetryAfter(dap.NewStatusProblem(503, "…"), time.Minute)
func RetryAfter(err error, after time.Duration) error { return &retryError{err, after} }

type retryError struct {
	error
	after time.Duration
}

func (e *retryError) Unwrap() error { return e.error }

// A refusal is a problem that this package raises; reason is a metric label.
type refusal struct {
	problem *dap.Problem
	reason  string
}

func (r refusal) Error() string { return r.problem.Error() }
func (r refusal) Unwrap() error { return r.problem }

func newStatus(status int, detail string) *dap.Problem { return dap.NewStatusProblem(status, detail) }

func newRefusal(reason string, status int, detail string) error {
	return refusal{newStatus(status, detail), reason}
}

// refuse answers with the problem document of err.
func (a *API) refuse(x *exchange, err error) {
	x.err = err
	problem := problemOf(err)
	if _, err := problem.MarshalJSON(); err != nil {
		x.err = errors.Join(x.err, err)
		problem = *newStatus(http.StatusInternalServerError, "")
	}
	if r, ok := errors.AsType[refusal](err); ok {
		a.metrics.refused.WithLabelValues(r.reason).Inc()
	}
	if problem.Title == "" {
		problem.Title = http.StatusText(problem.Status)
	}
	if problem.TaskID == nil && problem.Status != http.StatusUnauthorized {
		problem.TaskID = x.taskID
	}
	if retry, ok := errors.AsType[*retryError](err); ok && retry.after > 0 {
		x.header.Set("Retry-After", seconds(retry.after))
	}
	content, err := problem.MarshalJSON()
	if err != nil {
		panic("httpapi: internal error: " + err.Error())
	}
	x.header.Set("Content-Type", dap.MediaTypeProblem)
	a.write(x, problem.Status, content)
}

// problemOf returns a copy of what the caller is told about err.
func problemOf(err error) dap.Problem {
	if p, ok := errors.AsType[*dap.Problem](err); ok && p.Status >= 400 && p.Status <= 599 {
		return *p
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return *newStatus(http.StatusServiceUnavailable, "The request took too long.")
	}
	return *newStatus(http.StatusInternalServerError, "")
}
