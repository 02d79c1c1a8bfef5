// Package helper is the Helper of DAP: it verifies and aggregates the reports that the Leader offers, and gives the Leader its sealed share of a
// batch, once (DAP, Helper Initialization; Obtaining Aggregate Shares).
//
// Floor 6: what both roles share is in package aggregator, what is kept is behind aggregator/store.
//
// The Helper asks nobody. The identity of a request is its bytes: a repeated one gets the answer it got before, out of the store, however much has
// happened since; what it commits, what it remembers against replays and what it answers become durable together.
package helper

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/singleflight"

	"candor/aggregator"
	"candor/aggregator/httpapi"
	"candor/aggregator/store"
	"candor/schema/dap"
)

// Config is what a Helper needs. Store and Keys are required; every other field has a usable zero value.
type Config struct {
	Store store.Store
	Keys  *aggregator.Keyring

	Now     func() time.Time      // nil: time.Now
	Logger  *slog.Logger          // nil: nothing is logged
	Metrics prometheus.Registerer // nil: nothing is registered
	CPU     *aggregator.CPU       // nil: as many goroutines as processors

	// MinBatchFloor refuses tasks whose minimum batch size is smaller; 0: none is too small.
	MinBatchFloor uint64
	Skew          time.Duration // by which a report's time may be ahead of ours; 0: 3 minutes; negative: none
	CacheLifetime time.Duration // of the HPKE configuration list at Clients; 0: 24 hours

	// Deferred makes the Helper answer aggregation jobs later (DAP, Asynchronous Request Handling): creation only stores the request, Run works on it,
	// the Leader polls. For Helpers whose requests would else last longer than proxies allow.
	Deferred     bool
	RetryAfter   time.Duration // told to a Leader that polls; 0: 1 second; rounded up to seconds
	Concurrency  int           // deferred jobs that are worked on at once; 0: 2
	LeaseTTL     time.Duration // after which another worker takes a deferred job over; 0: 10 minutes
	PollInterval time.Duration // between looks for deferred jobs of other processes; 0: 1 second

	// Retention is how long after its collection a batch's share is kept, and after the end of its interval a task of which all was collected;
	// 0: 30 days. Age alone erases nothing.
	Retention time.Duration

	MaxJob int64          // bytes of one aggregation job request; 0: 64 MiB
	API    httpapi.Config // prefix and limits of the HTTP server; routes and authentication are the Helper's own
}

func (c *Config) setDefaults() error {
	if c.Store == nil || c.Keys == nil {
		return fmt.Errorf("making a Helper: it needs a store and HPKE keys")
	}
	defaultTo(&c.Now, time.Now, c.Now == nil)
	defaultTo(&c.Logger, slog.New(slog.DiscardHandler), c.Logger == nil)
	defaultTo(&c.CPU, aggregator.NewCPU(0), c.CPU == nil)
	defaultTo(&c.Skew, 3*time.Minute, c.Skew == 0)
	c.Skew = max(c.Skew, 0)
	defaultTo(&c.CacheLifetime, 24*time.Hour, c.CacheLifetime == 0)
	defaultTo(&c.RetryAfter, time.Second, c.RetryAfter == 0)
	defaultTo(&c.Concurrency, 2, c.Concurrency == 0)
	defaultTo(&c.LeaseTTL, 10*time.Minute, c.LeaseTTL == 0)
	defaultTo(&c.PollInterval, time.Second, c.PollInterval == 0)
	defaultTo(&c.Retention, 30*24*time.Hour, c.Retention == 0)
	defaultTo(&c.MaxJob, 64<<20, c.MaxJob == 0)
	return nil
}

func defaultTo[T any](field *T, value T, unset bool) {
	if unset {
		*field = value
	}
}

// A Helper is one process's Helper. Several may run on one store. Its methods are safe for concurrent use.
type Helper struct {
	cfg     Config
	tasks   aggregator.Tasks
	keys    atomic.Pointer[aggregator.Keyring]
	metrics *aggregator.Metrics
	api     *httpapi.API
	wake    chan struct{} // has room for one: there may be a deferred job
	flight  singleflight.Group
}

// New makes a Helper. It does nothing until Handler is served; Run is needed besides for deferred jobs and retention.
func New(cfg Config) (*Helper, error) {
	if err := cfg.setDefaults(); err != nil {
		return nil, err
	}
	h := &Helper{cfg: cfg, metrics: aggregator.NewMetrics(cfg.Metrics), wake: make(chan struct{}, 1)}
	h.keys.Store(cfg.Keys)
	var err error
	if h.api, err = h.newAPI(); err != nil {
		return nil, fmt.Errorf("making a Helper: %w", err)
	}
	return h, nil
}

// SetKeys replaces the HPKE keys: rotation. Keys that were advertised before must stay in the ring as withdrawn ones for a while.
func (h *Helper) SetKeys(ring *aggregator.Keyring) { h.keys.Store(ring) }

// AddTask adds a task, now or while the Helper runs. A task whose parameters differ from those under which it ran before is refused.
func (h *Helper) AddTask(ctx context.Context, t *aggregator.Task) error {
	if err := t.CheckFloor(h.cfg.MinBatchFloor); err != nil {
		return err
	}
	return h.tasks.Add(ctx, h.cfg.Store, dap.Helper, t)
}

func (h *Helper) judge() *aggregator.Judge {
	return &aggregator.Judge{Role: dap.Helper, Keys: h.keys.Load(), Skew: h.cfg.Skew}
}
