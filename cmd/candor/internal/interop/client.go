package interop

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"candor/client"
)

// attempts is how often a request is made before a call fails: a runner waits for it, and does not wait long.
const attempts = 3

// NewClient returns a Client under test: it uploads one measurement for each call.
func NewClient(log *slog.Logger) http.Handler {
	return &api{log: log, calls: map[string]call{
		"ready":  ready,
		"upload": with(func(ctx context.Context, r uploadRequest) (any, error) { return upload(ctx, r, log) }),
	}}
}

type uploadRequest struct {
	taskObject
	Measurement json.RawMessage `json:"measurement"`
	Time        *uint64         `json:"time"` // of the report, in seconds since 1970; without one: now
}

func upload(ctx context.Context, r uploadRequest, log *slog.Logger) (any, error) {
	task, err := r.task()
	if err != nil {
		return nil, err
	}
	if len(r.Measurement) == 0 {
		return nil, errors.New("measurement is missing")
	}
	measurement, err := parseMeasurement(task.Config.VDAF, r.Measurement)
	if err != nil {
		return nil, err
	}
	cfg := client.Config{Task: task, HTTP: newClient(Draft18), PlainHTTP: true, Logger: log, Attempts: attempts}
	if r.Time != nil {
		const end = 253402300799 // of the year 9999
		if *r.Time > end {
			return nil, fmt.Errorf("time %d is not in seconds", *r.Time)
		}
		cfg.Now = func() time.Time { return time.Unix(int64(*r.Time), 0) }
	}
	c, err := client.New(cfg)
	if err != nil {
		return nil, err
	}
	if _, err := c.Submit(ctx, measurement, nil, nil); err != nil {
		return nil, err
	}
	return success, nil
}
