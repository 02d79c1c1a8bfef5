// Package collector is the DAP Collector: it asks the Leader for the aggregate of a batch, waits until it is there,
// and opens both aggregate shares (DAP, Collecting Results).
//
// Floor 5: it speaks HTTP through client.Caller and keeps no state; a [Job] carries what has to survive a restart. A
// batch can be collected once, ever: who asks for one spends it.
package collector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net/http"
	"time"

	"candor/client"
	"candor/crypto/seal"
	"candor/schema/dap"
	"candor/schema/round"
)

// A Config says for which task, and with which key, a Collector works.
type Config struct {
	Task *round.Task
	HPKE dap.HpkeConfig   // the Collector's configuration, as the Aggregators hold it
	Key  *seal.PrivateKey // of HPKE

	Token     string // bearer token for the Leader; empty: none
	PlainHTTP bool   // allow http:// URLs to other machines: test profiles only

	HTTP   *http.Client     // nil: Go's default. No redirect is followed, and every request has a deadline
	Now    func() time.Time // nil: time.Now
	Logger *slog.Logger     // nil: discard

	Attempts     int           // per request, before an error of the network or the server counts; 0: 6
	PollInterval time.Duration // between polls of a Leader that does not say; 0: 5 seconds
	MaxWait      time.Duration // longest pause between two requests, whatever the Leader asks for; 0: 5 minutes
}

// A Result is the aggregate of one batch.
type Result struct {
	ReportCount uint64
	Interval    dap.Interval // the smallest that contains the times of all reports, as the Leader says
	Aggregate   []*big.Int   // one value for each of the VDAF's outputs

	// Shares are the encoded aggregate shares of Leader and Helper that Aggregate is the sum of. One tells nothing.
	Shares [2][]byte
}

// A Collector collects the batches of one task. It is safe for concurrent use.
type Collector struct {
	task   *round.Task
	config dap.HpkeConfig
	key    *seal.PrivateKey
	caller *client.Caller
	jobs   string // URL of the collection jobs resource
	now    func() time.Time
	log    *slog.Logger
	poll   time.Duration
	limit  time.Duration
}

// New checks the configuration and returns a Collector. It makes no request.
func New(cfg Config) (*Collector, error) {
	if cfg.Task == nil {
		return nil, errors.New("making a collector: no task")
	}
	refuse := func(err error) (*Collector, error) {
		return nil, fmt.Errorf("making a collector for task %s: %w", cfg.Task.ID, err)
	}
	suite := seal.Suite{KEM: cfg.HPKE.KEM, KDF: cfg.HPKE.KDF, AEAD: cfg.HPKE.AEAD}
	if cfg.Key == nil || cfg.Key.Suite() != suite || string(cfg.Key.PublicKey()) != string(cfg.HPKE.PublicKey) {
		return refuse(errors.New("the private key does not belong to the HPKE configuration"))
	}
	jobs, err := client.Resource(cfg.Task.Config.LeaderEndpoint, "tasks", cfg.Task.ID.String(), "collection_jobs")
	if err != nil {
		return refuse(err)
	}
	c := &Collector{
		task:   cfg.Task,
		config: cfg.HPKE,
		key:    cfg.Key,
		jobs:   jobs,
		now:    cfg.Now,
		log:    cfg.Logger,
		poll:   cfg.PollInterval,
		limit:  cfg.MaxWait,
	}
	if c.now == nil {
		c.now = time.Now
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	if c.poll <= 0 {
		c.poll = 5 * time.Second
	}
	if c.limit <= 0 {
		c.limit = 5 * time.Minute
	}
	c.caller = &client.Caller{
		HTTP:      cfg.HTTP,
		Authorize: client.Bearer(cfg.Token),
		PlainHTTP: cfg.PlainHTTP,
		Attempts:  cfg.Attempts,
		MaxWait:   c.limit,
		Now:       c.now,
		Logger:    c.log,
	}
	return c, nil
}

// Collect creates a collection job, waits until it is ready, and returns its result. A leader-selected job is deleted
// once its result has been opened, so that the next one gets the next batch; if that fails, the result is returned
// together with an ErrNotDeleted.
//
// A refusal is a *dap.Problem (errors.As). After dap.InvalidBatchSize the same query may be collected later, when
// more reports have come. What must survive a restart of this program is collected with Start and Poll instead.
func (c *Collector) Collect(ctx context.Context, query dap.Query, extensions ...dap.Extension) (Result, error) {
	job, err := c.Start(ctx, query, extensions...)
	if err != nil {
		return Result{}, err
	}
	return c.Wait(ctx, job)
}

// Wait polls a job until it is ready, each time when the Leader asked for it, and ends as Collect does.
func (c *Collector) Wait(ctx context.Context, job *Job) (Result, error) {
	for {
		if wait := job.NotBefore.Sub(c.now()); len(job.Response) == 0 && wait > 0 {
			if err := client.Sleep(ctx, wait); err != nil {
				return Result{}, fmt.Errorf("waiting for the collection of task %s: %w", c.task.ID, err)
			}
		}
		result, err := c.Poll(ctx, job)
		switch {
		case errors.Is(err, ErrPending):
		case err != nil:
			return Result{}, err
		case c.task.Config.BatchMode == dap.LeaderSelected:
			if err := c.Delete(ctx, job); err != nil {
				return result, fmt.Errorf("%w: %w", ErrNotDeleted, err)
			}
			return result, nil
		default:
			return result, nil
		}
	}
}

// ErrNotDeleted says that a leader-selected batch was collected, but its job stands: unless it is deleted, the next
// collection brings the same batch again.
var ErrNotDeleted = errors.New("the batch is collected, but its collection job could not be deleted")
