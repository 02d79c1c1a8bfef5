// Package leader is the Leader of DAP: it takes uploads from Clients, aggregates them with the Helper, and answers the Collector
// (DAP, Upload Request; Aggregate Phase; Collect Phase).
//
// Floor 6: what both roles share is in package aggregator, what is kept is behind aggregator/store. It meets the Helper only over HTTP.
//
// Nothing acknowledged is lost: an upload is answered when it is durable; the exact bytes of an aggregation job are stored before they
// are sent, and the same bytes are sent until the Helper answers, also by another process on the same store after this one died.
package leader

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"candor/aggregator"
	"candor/aggregator/httpapi"
	"candor/aggregator/store"
	"candor/schema/dap"
)

// Config is what a Leader needs. Store and Keys are required; every other field has a usable zero value.
type Config struct {
	Store store.Store
	Keys  *aggregator.Keyring
	HTTP  *http.Client // for the Helper; nil: one with the system's roots. Redirects are never followed, whatever it says.
	// AllowPlainHTTP permits an http:// endpoint of a Helper that is not on loopback. For tests: anybody on the way can then
	// read who reports, and alter answers.
	AllowPlainHTTP bool

	Now     func() time.Time      // nil: time.Now
	Logger  *slog.Logger          // nil: nothing is logged
	Metrics prometheus.Registerer // nil: nothing is registered
	CPU     *aggregator.CPU       // nil: as many goroutines as processors

	// MinBatchFloor refuses tasks whose minimum batch size is smaller; 0: none is too small.
	MinBatchFloor uint64
	Skew          time.Duration // by which a report's time may be ahead of ours; 0: 3 minutes; negative: none
	CacheLifetime time.Duration // of the HPKE configuration list at Clients; 0: 24 hours
	// OpenUploads makes the Leader decrypt its share at upload, so that Clients learn at once of what aggregation would refuse. It is always
	// done for rounds, which have few reports.
	OpenUploads bool

	MaxJobReports      int           // reports of one aggregation job; 0: 1000
	MaxJobDelay        time.Duration // for how long fewer reports wait to make a full job; 0: 1 second
	MaxLiveJobs        int           // per task: no new job is made while so many are live; 0: 64
	LeaderBatchReports uint64        // reports of a leader-selected batch, if more than the task's minimum
	Concurrency        int           // jobs that are driven at once; 0: 4

	RequestTimeout time.Duration // of one exchange with the Helper; 0: 2 minutes
	LeaseTTL       time.Duration // after which another worker takes a job over; 0: 10 minutes; at least three times RequestTimeout
	RetryMin       time.Duration // first wait after a failure, doubling up to RetryMax; 0: 1 second
	RetryMax       time.Duration // 0: 5 minutes
	PollInterval   time.Duration // between looks for work, and between polls of a Helper that names no time; 0: 1 second

	CollectWait   time.Duration // for how long the creation of a collection job waits to answer at once; 0: it does not
	CollectGiveUp time.Duration // after which a collection job with too few reports fails; 0: never
	RetryAfter    time.Duration // told to a Collector that polls; 0: 2 seconds; rounded up to seconds
	Retention     time.Duration // after which collected shares are erased; 0: 30 days. Age alone erases nothing.

	MaxUpload int64          // bytes of one upload request; 0: 16 MiB
	API       httpapi.Config // prefix and limits of the HTTP server; routes and authentication are the Leader's own
}

func (c *Config) setDefaults() error {
	if c.Store == nil || c.Keys == nil {
		return fmt.Errorf("making a Leader: it needs a store and HPKE keys")
	}
	defaultTo(&c.Now, time.Now, c.Now == nil)
	defaultTo(&c.Logger, slog.New(slog.DiscardHandler), c.Logger == nil)
	defaultTo(&c.CPU, aggregator.NewCPU(0), c.CPU == nil)
	defaultTo(&c.Skew, 3*time.Minute, c.Skew == 0)
	c.Skew = max(c.Skew, 0)
	defaultTo(&c.CacheLifetime, 24*time.Hour, c.CacheLifetime == 0)
	defaultTo(&c.MaxJobReports, 1000, c.MaxJobReports == 0)
	defaultTo(&c.MaxJobDelay, time.Second, c.MaxJobDelay == 0)
	defaultTo(&c.MaxLiveJobs, 64, c.MaxLiveJobs == 0)
	defaultTo(&c.Concurrency, 4, c.Concurrency == 0)
	defaultTo(&c.RequestTimeout, 2*time.Minute, c.RequestTimeout == 0)
	defaultTo(&c.LeaseTTL, 10*time.Minute, c.LeaseTTL == 0)
	c.LeaseTTL = max(c.LeaseTTL, 3*c.RequestTimeout)
	defaultTo(&c.RetryMin, time.Second, c.RetryMin == 0)
	defaultTo(&c.RetryMax, 5*time.Minute, c.RetryMax == 0)
	defaultTo(&c.PollInterval, time.Second, c.PollInterval == 0)
	defaultTo(&c.RetryAfter, 2*time.Second, c.RetryAfter == 0)
	defaultTo(&c.Retention, 30*24*time.Hour, c.Retention == 0)
	defaultTo(&c.MaxUpload, 16<<20, c.MaxUpload == 0)
	if c.HTTP == nil {
		c.HTTP = &http.Client{}
	}
	hc := *c.HTTP
	hc.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c.HTTP = &hc
	return nil
}

func defaultTo[T any](field *T, value T, unset bool) {
	if unset {
		*field = value
	}
}

// A Leader is one process's Leader. Several may run on one store. Its methods are safe for concurrent use.
type Leader struct {
	cfg     Config
	tasks   aggregator.Tasks
	keys    atomic.Pointer[aggregator.Keyring]
	peer    *peer
	metrics *aggregator.Metrics
	api     *httpapi.API
	rand    io.Reader

	wake   chan struct{} // has room for one: there may be work
	states stateCache
	turn   atomic.Uint64 // which task is first to have a job made

	mu    sync.Mutex                // guards tasks' memory below
	notes map[dap.TaskID]*taskNotes // what this process remembers of a task between looks for work
}

// New makes a Leader. It does nothing until Run is called and Handler is served.
func New(cfg Config) (*Leader, error) {
	if err := cfg.setDefaults(); err != nil {
		return nil, err
	}
	l := &Leader{
		cfg:     cfg,
		peer:    &peer{hc: cfg.HTTP, timeout: cfg.RequestTimeout, plainHTTP: cfg.AllowPlainHTTP, now: cfg.Now},
		metrics: aggregator.NewMetrics(cfg.Metrics),
		rand:    rand.Reader,
		wake:    make(chan struct{}, 1),
		notes:   make(map[dap.TaskID]*taskNotes),
	}
	l.keys.Store(cfg.Keys)
	var err error
	if l.api, err = l.newAPI(); err != nil {
		return nil, fmt.Errorf("making a Leader: %w", err)
	}
	return l, nil
}

// SetKeys replaces the HPKE keys: rotation. Keys that were advertised before must stay in the ring as withdrawn ones for a while.
func (l *Leader) SetKeys(ring *aggregator.Keyring) { l.keys.Store(ring) }

// AddTask adds a task, now or while the Leader runs. A task whose parameters differ from those under which it ran before is refused.
func (l *Leader) AddTask(ctx context.Context, t *aggregator.Task) error {
	if t.Task != nil {
		if err := l.peer.checkEndpoint(t.Config.HelperEndpoint); err != nil {
			return fmt.Errorf("adding task %s: %w", t.ID, err)
		}
	}
	if err := t.CheckFloor(l.cfg.MinBatchFloor); err != nil {
		return err
	}
	if err := l.tasks.Add(ctx, l.cfg.Store, dap.Leader, t); err != nil {
		return err
	}
	if err := t.DropReplaced(ctx, l.cfg.Store); err != nil {
		return err
	}
	l.wakeUp()
	return nil
}

func (l *Leader) judge() *aggregator.Judge {
	return &aggregator.Judge{Role: dap.Leader, Keys: l.keys.Load(), Skew: l.cfg.Skew}
}

// wakeUp makes Run look for work now.
func (l *Leader) wakeUp() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}
