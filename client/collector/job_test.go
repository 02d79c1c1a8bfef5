package collector_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"candor/client/collector"
	"candor/crypto/seal"
	"candor/schema/dap"
)

// A job survives the process: each step is taken by a new Collector from the saved text.
func TestJobIsResumed(t *testing.T) {
	l := newLeader(t)
	l.pending = 2
	ctx := context.Background()
	job, err := l.collector().Start(ctx, query)
	if err != nil {
		t.Fatal(err)
	}
	steps := 0
	for {
		text, err := job.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(text, []byte("secret-token")) {
			t.Fatal("the saved job holds the token")
		}
		if job, err = collector.ParseJob(text); err != nil {
			t.Fatal(err)
		}
		result, err := l.collector().Poll(ctx, job)
		if errors.Is(err, collector.ErrPending) {
			if job.NotBefore.IsZero() {
				t.Error("the job does not say when to poll")
			}
			if steps++; steps > 5 {
				t.Fatal("the job never becomes ready")
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		wantSums(t, result, 3, 0, 4096)
		break
	}
	// Once there, the result is opened without the Leader.
	text, err := job.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if job, err = collector.ParseJob(text); err != nil {
		t.Fatal(err)
	}
	requests := len(l.requests)
	if _, err := l.collector().Poll(ctx, job); err != nil || len(l.requests) != requests {
		t.Errorf("%v, %d more requests", err, len(l.requests)-requests)
	}
}

// A saved job that was tampered with does not carry the token elsewhere, nor open under another task.
func TestJobFromElsewhere(t *testing.T) {
	l := newLeader(t)
	job := &collector.Job{Task: testID, Request: []byte{1}, Location: "https://evil.test/x"}
	if _, err := l.collector().Poll(context.Background(), job); err == nil || len(l.requests) != 0 {
		t.Errorf("%v after %d requests", err, len(l.requests))
	}
	if err := l.collector().Delete(context.Background(), job); err == nil || len(l.requests) != 0 {
		t.Errorf("%v after %d requests", err, len(l.requests))
	}
	good, err := l.collector().Start(context.Background(), query)
	if err != nil {
		t.Fatal(err)
	}
	good.Task[0] ^= 1
	requests := len(l.requests)
	if _, err := l.collector().Poll(context.Background(), good); err == nil || len(l.requests) != requests {
		t.Errorf("a job of another task is polled: %v", err)
	}
}

func TestParseJobRefuses(t *testing.T) {
	good, err := (&collector.Job{Task: testID, Request: []byte{2, 0, 0, 0, 0, 0, 0, 0, 0}, Location: "https://x/y"}).Encode()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := collector.ParseJob(good); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"empty":         "",
		"another field": strings.Replace(string(good), `"location"`, `"locution"`, 1),
		"trailing":      string(good) + "{}",
		"request":       strings.Replace(string(good), "AgAAAAAAAAAA", "AgAAAAAAAAAB", 1),
		"location":      strings.Replace(string(good), "https://x/y", "https://x/%zz", 1),
	} {
		if _, err := collector.ParseJob([]byte(text)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func FuzzParseJob(f *testing.F) {
	good, err := (&collector.Job{Task: testID, Request: []byte{2, 0, 0, 0, 0, 0, 0, 0, 0}, Location: "https://x/y", NotBefore: time.Unix(1, 0).UTC(), Response: []byte{1}}).Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, text []byte) {
		job, err := collector.ParseJob(text)
		if err != nil {
			return
		}
		once, err := job.Encode()
		if err != nil {
			t.Fatal(err)
		}
		again, err := collector.ParseJob(once)
		if err != nil {
			t.Fatalf("%s does not parse again: %v", once, err)
		}
		if twice, err := again.Encode(); err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("%s became %s, %v", once, twice, err)
		}
	})
}

// What the Leader says about the batch is compared with the task and the query before anything is opened.
func TestInconsistentResults(t *testing.T) {
	within := dap.Interval{Start: 480000, Duration: 24}
	for _, c := range []struct {
		name   string
		change func(*dap.CollectionJobResp)
		ok     bool
	}{
		{"as it should be", func(*dap.CollectionJobResp) {}, true},
		{"exactly the query", func(r *dap.CollectionJobResp) { r.Interval = within }, true},
		{"exactly the minimum", func(r *dap.CollectionJobResp) { r.ReportCount = 10 }, true},
		{"below the minimum", func(r *dap.CollectionJobResp) { r.ReportCount = 9 }, false},
		{"no reports", func(r *dap.CollectionJobResp) { r.ReportCount = 0 }, false},
		{"starts before", func(r *dap.CollectionJobResp) { r.Interval = dap.Interval{Start: 479999, Duration: 2} }, false},
		{"ends after", func(r *dap.CollectionJobResp) { r.Interval = dap.Interval{Start: 480023, Duration: 2} }, false},
		{"empty", func(r *dap.CollectionJobResp) { r.Interval.Duration = 0 }, false},
		{"overflows", func(r *dap.CollectionJobResp) { r.Interval = dap.Interval{Start: 480000, Duration: 1<<64 - 1} }, false},
	} {
		l := newLeader(t)
		l.mutate = c.change
		_, err := l.collector().Collect(context.Background(), query)
		if c.ok != (err == nil) || err != nil && !errors.Is(err, collector.ErrInconsistent) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	// Leader-selected batches have no interval in the query, but may have one in the task.
	l := newLeader(t, leaderSelected, func(c *dap.TaskConfiguration) {
		c.Extensions = []dap.Extension{dap.NewTaskIntervalExtension(dap.Interval{Start: 480002, Duration: 24})}
	})
	if _, err := l.collector().Collect(context.Background(), dap.NewLeaderSelectedQuery()); !errors.Is(err, collector.ErrInconsistent) {
		t.Errorf("reports from before the task's interval: %v", err)
	}
	l = newLeader(t)
	l.mutate = func(r *dap.CollectionJobResp) { r.Helper.ConfigID = 43 }
	if _, err := l.collector().Collect(context.Background(), query); err == nil || !strings.Contains(err.Error(), "configuration 43") {
		t.Errorf("another HPKE configuration: %v", err)
	}
}

func TestStartRefuses(t *testing.T) {
	l := newLeader(t)
	for name, q := range map[string]dap.Query{
		"other batch mode": dap.NewLeaderSelectedQuery(),
		"empty interval":   dap.NewTimeIntervalQuery(dap.Interval{Start: 1}),
		"overflow":         dap.NewTimeIntervalQuery(dap.Interval{Start: 2, Duration: 1<<64 - 1}),
		"no config":        {BatchMode: dap.TimeInterval},
	} {
		if _, err := l.collector().Start(context.Background(), q); err == nil || len(l.requests) != 0 {
			t.Errorf("%s: %v after %d requests", name, err, len(l.requests))
		}
	}
}

func TestNewRefuses(t *testing.T) {
	l := newLeader(t)
	_, other, err := seal.GenerateKey(seal.X25519, nil)
	if err != nil {
		t.Fatal(err)
	}
	swapped := l.config
	swapped.AEAD = 3
	for name, cfg := range map[string]collector.Config{
		"no task":       {HPKE: l.config, Key: l.key},
		"no key":        {Task: l.task, HPKE: l.config},
		"another's key": {Task: l.task, HPKE: l.config, Key: other},
		"other suite":   {Task: l.task, HPKE: swapped, Key: l.key},
	} {
		if _, err := collector.New(cfg); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// DELETE: gone already is deleted; a failure leaves the result with the caller.
func TestDelete(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLeader(t, leaderSelected)
		for _, c := range []struct {
			status int
			ok     bool
		}{{200, true}, {204, true}, {404, true}, {403, false}, {503, false}} {
			l.answer = nil
			l.requests = nil
			l.result = nil
			job, err := l.collector().Start(t.Context(), dap.NewLeaderSelectedQuery())
			if err != nil {
				t.Fatal(err)
			}
			l.answer = func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(c.status) }
			result, err := l.collector().Wait(t.Context(), job)
			if c.ok != (err == nil) || err != nil && !errors.Is(err, collector.ErrNotDeleted) {
				t.Errorf("status %d: %v", c.status, err)
			}
			wantSums(t, result, 3, 0, 4096)
		}
	})
}

// The end of the context ends the wait, and the job remains good.
func TestCollectEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLeader(t)
		l.pending = 1 << 30
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		start := time.Now()
		if _, err := l.collector().Collect(ctx, query); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		if d := time.Since(start); d != time.Hour {
			t.Errorf("after %v", d)
		}
	})
}

// Neither token, nor key, nor shares, nor sums are printed or logged.
func TestNothingLeaks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLeader(t)
		l.pending = 1
		l.sums = []uint64{987654321, 1, 2}
		var log bytes.Buffer
		c := l.collector(func(cfg *collector.Config) {
			cfg.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		})
		if _, err := c.Collect(t.Context(), query); err != nil {
			t.Fatal(err)
		}
		l.roles[0], l.result = dap.Helper, nil
		_, err := c.Collect(t.Context(), query)
		if err == nil {
			t.Error("no error")
		}
		all := log.String() + fmt.Sprint(err) + fmt.Sprintf("%v %+v %#v", c, c, c)
		for _, secret := range []string{"secret-token", "987654321", fmt.Sprint(l.key.Bytes()), fmt.Sprintf("%x", l.key.Bytes())} {
			if strings.Contains(all, secret) {
				t.Errorf("%q is in errors, logs or the printed Collector", secret)
			}
		}
		if !strings.Contains(log.String(), "collection job created") {
			t.Errorf("log:\n%s", log.String())
		}
	})
}
