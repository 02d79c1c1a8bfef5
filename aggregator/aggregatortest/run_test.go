package aggregatortest_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"candor/aggregator/aggregatortest"
	"candor/aggregator/boltstore"
	"candor/aggregator/helper"
	"candor/aggregator/leader"
	"candor/client"
	"candor/client/collector"
	"candor/schema/dap"
)

// Both roles run as they do in production: real sockets, real time, real flushes, uploads from several Clients at once while aggregation goes on. With a Helper
// that answers at once and one that answers later.
func TestRun(t *testing.T) {
	for _, deferred := range []bool{false, true} {
		for _, mode := range []dap.BatchMode{dap.TimeInterval, dap.LeaderSelected} {
			t.Run(fmt.Sprintf("%v deferred=%v", mode, deferred), func(t *testing.T) {
				t.Parallel()
				runRoles(t, mode, deferred)
			})
		}
	}
}

func runRoles(t *testing.T, mode dap.BatchMode, deferred bool) {
	const clients, each = 4, 15
	keys := aggregatortest.NewKeys(t)
	open := func(name string) *boltstore.Store {
		s, err := boltstore.Open(filepath.Join(t.TempDir(), name), boltstore.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	}
	logger := slog.New(slog.DiscardHandler)
	if testing.Verbose() {
		logger = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	l, err := leader.New(leader.Config{Store: open("leader.db"), Keys: keys.Leader, Logger: logger, MaxJobReports: 7, MaxJobDelay: 20 * time.Millisecond,
		PollInterval: 10 * time.Millisecond, CollectWait: 20 * time.Millisecond, RetryAfter: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	h, err := helper.New(helper.Config{Store: open("helper.db"), Keys: keys.Helper, Logger: logger, Deferred: deferred, PollInterval: 10 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	leaderServer, helperServer := httptest.NewServer(l.Handler()), httptest.NewServer(h.Handler())
	defer leaderServer.Close()
	defer helperServer.Close()
	v := aggregatortest.Variants()[2]
	task := aggregatortest.NewRoundTask(t, aggregatortest.TaskSpec{VDAF: v.VDAF, Mode: mode, MinBatch: clients * each, LeaderURL: leaderServer.URL + "/", HelperURL: helperServer.URL})
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	defer running.Wait()
	defer stop()
	for _, run := range []func(context.Context) error{l.Run, h.Run} {
		running.Go(func() {
			if err := run(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	// Tasks come while the roles run already, as in the interoperation tests.
	if err := errors.Join(l.AddTask(ctx, keys.LeaderTask(task)), h.AddTask(ctx, keys.HelperTask(task))); err != nil {
		t.Fatal(err)
	}

	var mu sync.Mutex
	var measurements [][]uint64
	var uploads sync.WaitGroup
	start := task.TimeOf(time.Now())
	for i := range clients {
		uploads.Go(func() {
			c, err := client.New(client.Config{Task: task})
			if err != nil {
				t.Error(err)
				return
			}
			r := rand.New(rand.NewPCG(3, uint64(i)))
			for range each {
				m := v.Random(r)
				if _, err := c.Submit(ctx, m, nil, nil); err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				measurements = append(measurements, m)
				mu.Unlock()
			}
		})
	}
	uploads.Wait()
	c, err := collector.New(collector.Config{Task: task, HPKE: keys.Collector, Key: keys.CollectorPrivate, Token: keys.CollectorToken, PollInterval: 10 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	query := dap.NewLeaderSelectedQuery()
	if mode == dap.TimeInterval {
		query = dap.NewTimeIntervalQuery(dap.Interval{Start: start, Duration: dap.Duration(task.TimeOf(time.Now())-start) + 1})
	}
	result, err := c.Collect(ctx, query)
	if err != nil {
		t.Fatal(err)
	}
	want := aggregatortest.Plain(v, measurements)
	for i, x := range result.Aggregate {
		if result.ReportCount != clients*each || x.Cmp(want[i]) != 0 {
			t.Fatalf("%d reports, aggregate %v, want %d and %v", result.ReportCount, result.Aggregate, clients*each, want)
		}
	}
	http.DefaultClient.CloseIdleConnections()
}
