package aggregatortest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"candor/aggregator/boltstore"
	"candor/aggregator/helper"
	"candor/aggregator/leader"
	"candor/aggregator/store"
	"candor/aggregator/storetest"
	"candor/client"
	"candor/client/collector"
	"candor/schema/dap"
	"candor/schema/round"
)

// Options of a deployment. The zero value of each field has a default.
type Options struct {
	Leader leader.Config // Store, Keys, HTTP and Now are filled in
	Helper helper.Config // likewise
	Start  time.Time     // default: Start
	Keys   *Keys         // default: new ones
	Tasks  []*round.Task // besides those that specs make
	Logger *slog.Logger  // of both roles; default: discard
	// Open opens the store of a role; default: a bbolt file. It is closed when the test ends.
	Open func(role dap.Role) store.Store
	// Wrap may wrap the stores, for example to make them fail.
	Wrap func(role dap.Role, s store.Store) store.Store
}

// A Deployment is a Leader and a Helper on a network of their own, with what Clients and Collectors need. Nothing runs by itself: Settle makes both work.
type Deployment struct {
	T       testing.TB
	Options Options
	Keys    *Keys
	Clock   *Clock // of everybody but the Helper
	Net     *Network

	HelperClock *Clock // starts as Clock and goes with it in Settle and Collect

	LeaderStore, HelperStore store.Store
	Leader                   *leader.Leader
	Helper                   *helper.Helper
	Tasks                    []*round.Task
}

// New makes a deployment with the tasks given by specs. After the test it checks the invariants of both stores.
func New(t testing.TB, options Options, specs ...TaskSpec) *Deployment {
	t.Helper()
	if options.Start.IsZero() {
		options.Start = Start
	}
	if options.Keys == nil {
		options.Keys = NewKeys(t)
	}
	d := &Deployment{T: t, Options: options, Keys: options.Keys, Clock: NewClock(options.Start), HelperClock: NewClock(options.Start),
		Net: new(Network), Tasks: options.Tasks}
	if options.Open == nil {
		dir := t.TempDir()
		options.Open = func(role dap.Role) store.Store {
			s, err := boltstore.Open(filepath.Join(dir, role.String()+".db"), boltstore.Options{UnsafeNoSync: true})
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
	}
	open := func(role dap.Role) store.Store {
		s := options.Open(role)
		t.Cleanup(func() {
			if !t.Failed() {
				storetest.CheckInvariants(t, s)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
		if options.Wrap != nil {
			return options.Wrap(role, s)
		}
		return s
	}
	d.LeaderStore, d.HelperStore = open(dap.Leader), open(dap.Helper)
	for _, spec := range specs {
		d.Tasks = append(d.Tasks, NewRoundTask(t, spec))
	}
	d.RestartLeader()
	d.RestartHelper()
	return d
}

// RestartLeader replaces the Leader by a new one on the same store, as after a crash.
func (d *Deployment) RestartLeader() {
	d.T.Helper()
	d.Leader = d.NewLeader()
	d.Net.Serve("leader.test", d.Leader.Handler())
}

// NewLeader makes another Leader on the same store, as a second process would.
func (d *Deployment) NewLeader() *leader.Leader {
	d.T.Helper()
	cfg := d.Options.Leader
	cfg.Store, cfg.Keys, cfg.Now, cfg.Logger = d.LeaderStore, d.Keys.Leader, d.Clock.Now, d.Options.Logger
	cfg.HTTP, cfg.AllowPlainHTTP = &http.Client{Transport: d.Net}, true
	cfg.API.Prefix = "/base"
	l, err := leader.New(cfg)
	if err != nil {
		d.T.Fatal(err)
	}
	for _, task := range d.Tasks {
		d.must(retry(func() error { return l.AddTask(d.T.Context(), d.Keys.LeaderTask(task)) }))
	}
	return l
}

// RestartHelper is to the Helper what RestartLeader is to the Leader.
func (d *Deployment) RestartHelper() {
	d.T.Helper()
	cfg := d.Options.Helper
	cfg.Store, cfg.Keys, cfg.Now, cfg.Logger = d.HelperStore, d.Keys.Helper, d.HelperClock.Now, d.Options.Logger
	h, err := helper.New(cfg)
	if err != nil {
		d.T.Fatal(err)
	}
	for _, task := range d.Tasks {
		d.must(retry(func() error { return h.AddTask(d.T.Context(), d.Keys.HelperTask(task)) }))
	}
	d.Helper = h
	d.Net.Serve("helper.test", h.Handler())
}

// retry repeats what an injected fault may have stopped.
func retry(fn func() error) error {
	for {
		if err := fn(); !errors.Is(err, storetest.ErrFault) {
			return err
		}
	}
}

func (d *Deployment) must(err error) {
	d.T.Helper()
	if err != nil {
		d.T.Fatal(err)
	}
}

// Client returns a DAP Client of a task, which makes one attempt at everything.
func (d *Deployment) Client(task *round.Task) *client.Client {
	d.T.Helper()
	cfg := client.Config{Task: task, PlainHTTP: true, HTTP: &http.Client{Transport: d.Net}, Now: d.Clock.Now, Attempts: 1}
	c, err := client.New(cfg)
	d.must(err)
	return c
}

// Upload submits measurements through the Client, one report each, and fails the test if one is refused.
func (d *Deployment) Upload(task *round.Task, measurements ...[]uint64) {
	d.T.Helper()
	c := d.Client(task)
	for _, m := range measurements {
		if _, err := c.Submit(d.T.Context(), m, nil, nil); err != nil {
			d.T.Fatalf("submitting: %v", err)
		}
	}
}

// UploadReports uploads reports as they are, in one request, and returns what was refused.
func (d *Deployment) UploadReports(task *round.Task, reports ...dap.Report) dap.UploadErrors {
	d.T.Helper()
	refused, err := d.TryUpload(task, reports...)
	d.must(err)
	return refused
}

// TryUpload is UploadReports on a network that may lose something.
func (d *Deployment) TryUpload(task *round.Task, reports ...dap.Report) (dap.UploadErrors, error) {
	d.T.Helper()
	body, err := dap.Marshal(dap.UploadRequest(reports))
	d.must(err)
	status, _, content, err := d.Do(http.MethodPost, strings.TrimSuffix(task.Config.LeaderEndpoint, "/")+"/tasks/"+task.ID.String()+"/reports", dap.MediaTypeUploadReq, "", body)
	if err != nil || status != http.StatusOK {
		return nil, errors.Join(err, fmt.Errorf("status %d", status))
	}
	return dap.Parse[dap.UploadErrors](content)
}

// Do makes a request by hand.
func (d *Deployment) Do(method, url, mediaType, token string, body []byte) (status int, header http.Header, content []byte, err error) {
	d.T.Helper()
	req, err := http.NewRequestWithContext(d.T.Context(), method, url, bytes.NewReader(body))
	d.must(err)
	if mediaType != "" {
		req.Header.Set("Content-Type", mediaType)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := d.Net.RoundTrip(req)
	if err != nil {
		return 0, nil, nil, err
	}
	content, err = io.ReadAll(resp.Body)
	return resp.StatusCode, resp.Header, content, err
}

// Collector returns the Collector of a task, which makes one attempt at everything.
func (d *Deployment) Collector(task *round.Task) *collector.Collector {
	d.T.Helper()
	c, err := collector.New(collector.Config{Task: task, HPKE: d.Keys.Collector, Key: d.Keys.CollectorPrivate, Token: d.Keys.CollectorToken,
		PlainHTTP: true, HTTP: &http.Client{Transport: d.Net}, Now: d.Clock.Now, Attempts: 1})
	d.must(err)
	return c
}

// Tick lets both roles do what there is to do now.
func (d *Deployment) Tick(ctx context.Context) (worked bool, err error) {
	for {
		l, errL := d.Leader.Tick(ctx)
		h, errH := d.Helper.Tick(ctx)
		worked = worked || l || h
		if err := errors.Join(errL, errH); err != nil {
			return worked, err
		}
		if !l && !h {
			return worked, nil
		}
	}
}

// Advance moves both clocks.
func (d *Deployment) Advance(by time.Duration) {
	d.Clock.Advance(by)
	d.HelperClock.Advance(by)
}

// Settle lets both roles work for a while, during which the clock goes on by a second at a time.
func (d *Deployment) Settle(seconds int) {
	d.T.Helper()
	for range seconds {
		_, err := d.Tick(d.T.Context())
		d.must(err)
		d.Advance(time.Second)
	}
}

// Collect collects a batch, while both roles work and the clock goes on. It gives up after an hour on that clock.
func (d *Deployment) Collect(task *round.Task, query dap.Query) (collector.Result, error) {
	d.T.Helper()
	c := d.Collector(task)
	job, err := c.Start(d.T.Context(), query)
	if err != nil {
		return collector.Result{}, err
	}
	for range 3600 {
		if _, err := d.Tick(d.T.Context()); err != nil {
			return collector.Result{}, err
		}
		result, err := c.Poll(d.T.Context(), job)
		if err == nil && task.Config.BatchMode == dap.LeaderSelected {
			err = c.Delete(d.T.Context(), job)
		}
		if !errors.Is(err, collector.ErrPending) {
			return result, err
		}
		d.Advance(time.Second)
	}
	status, err := d.Leader.Status(d.T.Context())
	return collector.Result{}, fmt.Errorf("not collected after an hour: %+v (%v)", status, err)
}

// All returns the query for all reports of a time-interval task that were made since the start.
func (d *Deployment) All(task *round.Task) dap.Query {
	if task.Config.BatchMode == dap.LeaderSelected {
		return dap.NewLeaderSelectedQuery()
	}
	if task.Interval != nil {
		return dap.NewTimeIntervalQuery(*task.Interval)
	}
	start := task.TimeOf(d.Options.Start)
	return dap.NewTimeIntervalQuery(dap.Interval{Start: start, Duration: dap.Duration(task.TimeOf(d.Clock.Now())-start) + 1})
}
