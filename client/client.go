// Package client is the DAP Client: it shards a measurement, seals one share for each Aggregator, and uploads the
// report to the Leader (DAP, Uploading Reports).
//
// Floor 4: it speaks HTTP and nothing else, keeps no state but a cache of HPKE configurations, and knows of members,
// noise and rounds only what it is handed: a measurement and extensions. Measurements, shares and tokens appear in
// none of its errors and log lines.
package client

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"candor/crypto/seal"
	"candor/schema/dap"
	"candor/schema/round"
)

// A Config says for which task, and how, a Client uploads.
type Config struct {
	Task *round.Task

	// LeaderHPKE and HelperHPKE pin what is sealed to. With them the Client fetches no configuration, ever, and a
	// Leader that calls them outdated is refused. The zero values mean: fetch from the Aggregators; that is for plain
	// DAP tasks only. A task of a round needs both pinned, to X-Wing keys.
	LeaderHPKE, HelperHPKE dap.HpkeConfig

	// Until is when the task takes its last report, if its window was extended; zero: at the end of its interval. Reports made after the interval bear its
	// last unit of time.
	Until time.Time

	Token     string // bearer token for uploads; empty: none, as in plain DAP
	PlainHTTP bool   // allow http:// URLs to other machines: test profiles only

	HTTP   *http.Client     // nil: Go's default. No redirect is followed, and every request has a deadline
	Now    func() time.Time // nil: time.Now
	Rand   io.Reader        // nil: crypto/rand; anything else is for tests
	Logger *slog.Logger     // nil: discard

	Attempts int           // requests per upload or fetch, retries included; 0: 6
	MaxWait  time.Duration // longest pause between two of them; 0: one minute
}

// A Client makes and uploads the reports of one task. It is safe for concurrent use.
type Client struct {
	task   *round.Task
	caller *Caller
	leader *hpkeSource
	helper *hpkeSource
	pinned bool
	until  time.Time
	now    func() time.Time
	rand   io.Reader
	log    *slog.Logger
}

// New checks the configuration and returns a Client. It makes no request.
func New(cfg Config) (*Client, error) {
	if cfg.Task == nil {
		return nil, errors.New("making a client: no task")
	}
	c := &Client{
		task: cfg.Task,
		caller: &Caller{
			HTTP:      cfg.HTTP,
			Authorize: Bearer(cfg.Token),
			PlainHTTP: cfg.PlainHTTP,
			Attempts:  cfg.Attempts,
			MaxWait:   cfg.MaxWait,
			Now:       cfg.Now,
			Logger:    cfg.Logger,
		},
		now:   cfg.Now,
		until: cfg.Until,
		rand:  cfg.Rand,
		log:   cfg.Logger,
	}
	if c.now == nil {
		c.now = time.Now
	}
	if c.rand == nil {
		c.rand = rand.Reader
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}

	leaderPinned, helperPinned := len(cfg.LeaderHPKE.PublicKey) > 0, len(cfg.HelperHPKE.PublicKey) > 0
	switch {
	case leaderPinned != helperPinned:
		return nil, fmt.Errorf("making a client for task %s: HPKE configurations are pinned for both Aggregators or for none", cfg.Task.ID)
	case cfg.Task.RoundHash != nil && !leaderPinned:
		return nil, fmt.Errorf("making a client for task %s: a round's task is sealed only to the HPKE configurations of the signed round document", cfg.Task.ID)
	}
	c.pinned = leaderPinned
	for _, a := range []struct {
		role     dap.Role
		endpoint string
		config   dap.HpkeConfig
		source   **hpkeSource
	}{
		{dap.Leader, cfg.Task.Config.LeaderEndpoint, cfg.LeaderHPKE, &c.leader},
		{dap.Helper, cfg.Task.Config.HelperEndpoint, cfg.HelperHPKE, &c.helper},
	} {
		if c.pinned {
			if err := checkPinned(a.config, cfg.Task.RoundHash != nil); err != nil {
				return nil, fmt.Errorf("making a client for task %s: the %v's HPKE configuration: %w", cfg.Task.ID, a.role, err)
			}
			*a.source = &hpkeSource{pinned: &a.config}
			continue
		}
		url, err := Resource(a.endpoint, "hpke_config")
		if err != nil {
			return nil, fmt.Errorf("making a client for task %s: the %v's endpoint: %w", cfg.Task.ID, a.role, err)
		}
		// Without authentication: the configuration is public, and the Helper is not who the token is for.
		fetcher := *c.caller
		fetcher.Authorize = nil
		*a.source = newHPKESource(&fetcher, url, c.now)
	}
	if _, err := Resource(cfg.Task.Config.LeaderEndpoint, "tasks"); err != nil {
		return nil, fmt.Errorf("making a client for task %s: the leader's endpoint: %w", cfg.Task.ID, err)
	}
	return c, nil
}

func checkPinned(c dap.HpkeConfig, ofRound bool) error {
	suite := suiteOf(c)
	if ofRound && c.KEM != seal.KEMXWing {
		return fmt.Errorf("a round's reports are sealed with X-Wing, not %v", suite)
	}
	return seal.CheckPublicKey(suite, c.PublicKey)
}

func suiteOf(c dap.HpkeConfig) seal.Suite {
	return seal.Suite{KEM: c.KEM, KDF: c.KDF, AEAD: c.AEAD}
}

// configs returns what to seal to, fetching what is neither pinned nor cached.
func (c *Client) configs(ctx context.Context) (leader, helper dap.HpkeConfig, err error) {
	if leader, err = c.leader.config(ctx); err != nil {
		return leader, helper, fmt.Errorf("fetching the Leader's HPKE configuration: %w", err)
	}
	if helper, err = c.helper.config(ctx); err != nil {
		return leader, helper, fmt.Errorf("fetching the Helper's HPKE configuration: %w", err)
	}
	return leader, helper, nil
}
