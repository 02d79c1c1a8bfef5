package collector_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"candor/client/collector"
	"candor/crypto/seal"
	"candor/schema/dap"
)

func wantSums(t *testing.T, got collector.Result, want ...uint64) {
	t.Helper()
	if len(got.Aggregate) != len(want) {
		t.Fatalf("%d values, want %d", len(got.Aggregate), len(want))
	}
	for i, x := range got.Aggregate {
		if !x.IsUint64() || x.Uint64() != want[i] {
			t.Errorf("value %d is %v, want %d", i, x, want[i])
		}
	}
}

// DAP, Collection Job Initialization and Aggregate Share Encryption, from the Collector's side.
func TestConformance_236_collection(t *testing.T) {
	t.Run("item-236 item-027 creation is a POST of collection-job-req", func(t *testing.T) {
		l := newLeader(t)
		if _, err := l.collector().Collect(context.Background(), query); err != nil {
			t.Fatal(err)
		}
		if l.requests[0] != "POST "+collectionJobs {
			t.Errorf("%s", l.requests[0])
		}
		if got := l.headers[0].Get("Content-Type"); got != "application/ppm-dap;message=collection-job-req" {
			t.Errorf("Content-Type %q", got)
		}
		want := []byte{1, 0, 16, 0, 0, 0, 0, 0, 0x07, 0x53, 0x00, 0, 0, 0, 0, 0, 0, 0, 24, 0, 0, 0, 0, 0, 0}
		if !bytes.Equal(l.created[0], want) {
			t.Errorf("request\n%x, want\n%x", l.created[0], want)
		}
		if got := l.headers[0].Get("Authorization"); got != "Bearer secret-token" {
			t.Errorf("item-019: authorization %q", got)
		}
	})
	t.Run("item-237 item-006 polls the Location until there is a body", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l := newLeader(t)
			l.pending = 4
			result, err := l.collector().Collect(t.Context(), query)
			if err != nil {
				t.Fatal(err)
			}
			wantSums(t, result, 3, 0, 4096)
			get := "GET " + collectionJobs + "/job-1"
			if want := []string{"POST " + collectionJobs, get, get, get, get}; !slices.Equal(l.requests, want) {
				t.Errorf("requests %q", l.requests)
			}
			for _, h := range l.headers[1:] {
				if h.Get("Content-Type") != "" || h.Get("Authorization") != "Bearer secret-token" {
					t.Errorf("a poll has the header %v", h)
				}
			}
		})
	})
	t.Run("item-237 item-010 polls until an error", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l := newLeader(t)
			l.answer = func(w http.ResponseWriter, r *http.Request) {
				switch len(l.requests) {
				case 1:
					w.Header().Set("Location", l.location)
				case 2:
				default:
					body, _ := dap.NewProblem(dap.BatchMismatch, "count differs").MarshalJSON()
					w.Header().Set("Content-Type", dap.MediaTypeProblem)
					w.WriteHeader(400)
					w.Write(body)
				}
			}
			_, err := l.collector().Collect(t.Context(), query)
			var p *dap.Problem
			if !errors.As(err, &p) || p.Type != dap.BatchMismatch || len(l.requests) != 3 {
				t.Errorf("%v after %d requests", err, len(l.requests))
			}
		})
	})
	t.Run("item-238 after invalidBatchSize the query can be collected later", func(t *testing.T) {
		l := newLeader(t)
		l.answer = func(w http.ResponseWriter, r *http.Request) {
			body, _ := dap.NewProblem(dap.InvalidBatchSize, "").MarshalJSON()
			w.Header().Set("Content-Type", dap.MediaTypeProblem)
			w.WriteHeader(400)
			w.Write(body)
		}
		c := l.collector()
		_, err := c.Collect(context.Background(), query)
		var p *dap.Problem
		if !errors.As(err, &p) || p.Type != dap.InvalidBatchSize {
			t.Fatal(err)
		}
		l.answer = nil
		result, err := c.Collect(context.Background(), query)
		if err != nil {
			t.Fatal(err)
		}
		wantSums(t, result, 3, 0, 4096)
		if !bytes.Equal(l.created[0], l.created[1]) {
			t.Error("the later request has other bytes")
		}
	})
	t.Run("item-239 extensions increase", func(t *testing.T) {
		for _, c := range []struct {
			types []uint16
			ok    bool
		}{{nil, true}, {[]uint16{1, 2}, true}, {[]uint16{2, 1}, false}, {[]uint16{2, 2}, false}} {
			l := newLeader(t)
			var list []dap.Extension
			for _, x := range c.types {
				list = append(list, dap.Extension{Type: x})
			}
			if _, err := l.collector().Collect(context.Background(), query, list...); (err == nil) != c.ok || !c.ok && len(l.requests) != 0 {
				t.Errorf("%v: %v after %d requests", c.types, err, len(l.requests))
			}
		}
	})
	t.Run("item-240 item-033 roles", func(t *testing.T) {
		l := newLeader(t)
		l.roles = [2]dap.Role{dap.Helper, dap.Leader}
		if _, err := l.collector().Collect(context.Background(), query); !errors.Is(err, seal.ErrOpen) {
			t.Errorf("shares sealed under exchanged roles: %v", err)
		}
		l = newLeader(t)
		l.mutate = func(r *dap.CollectionJobResp) { r.Leader, r.Helper = r.Helper, r.Leader }
		if _, err := l.collector().Collect(context.Background(), query); !errors.Is(err, seal.ErrOpen) {
			t.Errorf("exchanged shares: %v", err)
		}
	})
	t.Run("item-241 aad has the request with its extensions", func(t *testing.T) {
		l := newLeader(t)
		c := l.collector()
		if _, err := c.Collect(context.Background(), query, dap.Extension{Type: 0xff00, Data: []byte("x")}); err != nil {
			t.Fatal(err)
		}
		if !bytes.HasSuffix(l.created[0], []byte{0, 5, 0xff, 0, 0, 1, 'x'}) {
			t.Errorf("request %x", l.created[0])
		}
		// The same result under a request without the extension does not open.
		if _, err := c.Collect(context.Background(), query); !errors.Is(err, seal.ErrOpen) {
			t.Errorf("another request's shares: %v", err)
		}
	})
	t.Run("item-242 any difference in the task configuration", func(t *testing.T) {
		for name, change := range map[string]func(*dap.TaskConfiguration){
			"task_info":      func(c *dap.TaskConfiguration) { c.TaskInfo = []byte("tasK") },
			"leader URL":     func(c *dap.TaskConfiguration) { c.LeaderEndpoint = "https://leader.test/dap" },
			"helper URL":     func(c *dap.TaskConfiguration) { c.HelperEndpoint = "https://helper.test" },
			"time_precision": func(c *dap.TaskConfiguration) { c.TimePrecision = 1800 },
			"min_batch_size": func(c *dap.TaskConfiguration) { c.MinBatchSize = 11 },
			"vdaf":           func(c *dap.TaskConfiguration) { c.VDAF.ChunkLength = 11 },
			"extension": func(c *dap.TaskConfiguration) {
				c.Extensions = []dap.Extension{dap.NewTaskIntervalExtension(dap.Interval{Start: 1, Duration: 1 << 40})}
			},
		} {
			l := newLeader(t)
			other := newTask(t, change)
			c := l.collector(func(cfg *collector.Config) { cfg.Task = other })
			if _, err := c.Collect(context.Background(), query); !errors.Is(err, seal.ErrOpen) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
	t.Run("item-243 result is unshard of both shares", func(t *testing.T) {
		l := newLeader(t)
		result, err := l.collector().Collect(context.Background(), query)
		if err != nil {
			t.Fatal(err)
		}
		wantSums(t, result, 3, 0, 4096)
		if result.ReportCount != 12 || result.Interval != (dap.Interval{Start: 480001, Duration: 3}) {
			t.Errorf("%d reports, %v", result.ReportCount, result.Interval)
		}
		again, err := l.task.VDAF.Unshard(result.Shares[:], 12)
		if err != nil || again[2].Uint64() != 4096 {
			t.Errorf("the shares add up to %v, %v", again, err)
		}
	})
	t.Run("item-244 leader-selected query is empty, and its job deleted after the fetch", func(t *testing.T) {
		l := newLeader(t, leaderSelected)
		if _, err := l.collector().Collect(context.Background(), dap.NewLeaderSelectedQuery()); err != nil {
			t.Fatal(err)
		}
		if want := []byte{2, 0, 0, 0, 0, 0, 0, 0, 0}; !bytes.Equal(l.created[0], want) {
			t.Errorf("request %x, want %x", l.created[0], want)
		}
		if want := []string{"POST " + collectionJobs, "DELETE " + collectionJobs + "/job-1"}; !slices.Equal(l.requests, want) {
			t.Errorf("requests %q", l.requests)
		}
	})
}

// HTTP as the Collector meets it.
func TestConformance_004_asynchronous(t *testing.T) {
	t.Run("item-004 any success without a body is not ready", func(t *testing.T) {
		for _, status := range []int{200, 201, 202, 204, 226} {
			synctest.Test(t, func(t *testing.T) {
				l := newLeader(t)
				l.answer = func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Location", l.location)
					if len(l.requests) < 3 {
						w.WriteHeader(status)
						return
					}
					w.Header().Set("Content-Type", dap.MediaTypeCollectionJobResp)
					w.Write(l.respond(l.created[0]))
				}
				if _, err := l.collector().Collect(t.Context(), query); err != nil || len(l.requests) != 3 {
					t.Errorf("status %d: %v after %d requests", status, err, len(l.requests))
				}
			})
		}
	})
	t.Run("item-006 without Location, the URL first used is polled", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l := newLeader(t)
			l.pending, l.location = 1, ""
			if _, err := l.collector().Collect(t.Context(), query); err != nil || l.requests[1] != "GET "+collectionJobs {
				t.Errorf("%v, requests %q", err, l.requests)
			}
		})
	})
	t.Run("item-007 item-005 Retry-After sets the next poll", func(t *testing.T) {
		for _, c := range []struct {
			value    string
			min, max time.Duration
		}{
			{"17", 17 * time.Second, 17 * time.Second},
			{"DATE+30", 29 * time.Second, 30 * time.Second},
			{"", 5 * time.Second, 5 * time.Second},
			{"nonsense", 5 * time.Second, 5 * time.Second},
			{"86400", 5 * time.Minute, 5 * time.Minute},
			{"0", 100 * time.Millisecond, 100 * time.Millisecond},
		} {
			synctest.Test(t, func(t *testing.T) {
				l := newLeader(t)
				l.pending = 2
				value := c.value
				if value == "DATE+30" {
					value = time.Now().Add(30 * time.Second).UTC().Format(http.TimeFormat)
				}
				l.header = http.Header{"Retry-After": {value}}
				if _, err := l.collector().Collect(t.Context(), query); err != nil {
					t.Fatal(err)
				}
				if d := l.times[1].Sub(l.times[0]); d < c.min || d > c.max {
					t.Errorf("Retry-After %q: next poll after %v, want %v to %v", c.value, d, c.min, c.max)
				}
			})
		}
	})
	t.Run("item-012 item-014 a result in the creation's answer is not fetched again", func(t *testing.T) {
		l := newLeader(t)
		l.answer = func(w http.ResponseWriter, r *http.Request) {
			if r.Method != "POST" {
				w.WriteHeader(http.StatusMethodNotAllowed)
				return
			}
			w.Header().Set("Location", l.location)
			w.Header().Set("Content-Type", dap.MediaTypeCollectionJobResp)
			w.WriteHeader(http.StatusCreated)
			w.Write(l.respond(l.created[0]))
		}
		if _, err := l.collector().Collect(context.Background(), query); err != nil || len(l.requests) != 1 {
			t.Errorf("%v, requests %q", err, l.requests)
		}
	})
	t.Run("item-013 item-016 Location is resolved, and an opaque name", func(t *testing.T) {
		for location, want := range map[string]string{
			"/dap/elsewhere/xyz":                                "/dap/elsewhere/xyz",
			"collection_jobs/a%2Fb?c=d":                         collectionJobs + "/a%2Fb?c=d",
			"https://leader.test/dap/tasks/q/collection_jobs/9": "/dap/tasks/q/collection_jobs/9",
		} {
			synctest.Test(t, func(t *testing.T) {
				l := newLeader(t)
				l.pending, l.location = 1, location
				if _, err := l.collector().Collect(t.Context(), query); err != nil || l.requests[1] != "GET "+want {
					t.Errorf("%q: %v, requests %q", location, err, l.requests)
				}
			})
		}
		for _, location := range []string{"https://other.test/x", "//other.test/x", "http://leader.test/dap/x", "https://leader.test:444/x"} {
			l := newLeader(t)
			l.pending, l.location = 1, location
			if _, err := l.collector().Collect(context.Background(), query); err == nil || len(l.requests) != 1 {
				t.Errorf("%q: %v, requests %q: the token went elsewhere", location, err, l.requests)
			}
		}
	})
	t.Run("item-015 an uncertain creation is repeated with the same bytes", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l := newLeader(t)
			l.answer = func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(502)
				l.answer = nil
			}
			if _, err := l.collector().Collect(t.Context(), query); err != nil {
				t.Fatal(err)
			}
			if len(l.created) != 2 || !bytes.Equal(l.created[0], l.created[1]) {
				t.Errorf("created with %x", l.created)
			}
		})
	})
	t.Run("item-011 item-017 refusals of the creation", func(t *testing.T) {
		for _, status := range []int{400, 401, 403, 404, 409, 499} {
			l := newLeader(t)
			l.answer = func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(status) }
			_, err := l.collector().Collect(context.Background(), query)
			var p *dap.Problem
			if !errors.As(err, &p) || p.Status != status || len(l.requests) != 1 {
				t.Errorf("status %d: %v after %d requests", status, err, len(l.requests))
			}
		}
	})
	t.Run("item-027 item-030 only a well-formed, labelled response is one", func(t *testing.T) {
		for name, c := range map[string]struct {
			contentType string
			change      func([]byte) []byte
		}{
			"other message": {dap.MediaTypeAggregateShare, func(b []byte) []byte { return b }},
			"no media type": {"", func(b []byte) []byte { return b }},
			"trailing byte": {dap.MediaTypeCollectionJobResp, func(b []byte) []byte { return append(b, 0) }},
			"truncated":     {dap.MediaTypeCollectionJobResp, func(b []byte) []byte { return b[:len(b)-1] }},
			"endless":       {dap.MediaTypeCollectionJobResp, func(b []byte) []byte { return append(b, make([]byte, 1<<20)...) }},
		} {
			l := newLeader(t)
			l.answer = func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Location", l.location)
				w.Header().Set("Content-Type", c.contentType)
				w.Write(c.change(l.respond(l.created[0])))
			}
			if _, err := l.collector().Collect(context.Background(), query); err == nil {
				t.Errorf("%s: accepted", name)
			}
		}
	})
	t.Run("item-003 item-002 TLS", func(t *testing.T) {
		l := newLeader(t)
		ts := httptest.NewTLSServer(l)
		defer ts.Close()
		l.task = newTask(t, func(c *dap.TaskConfiguration) { c.LeaderEndpoint = ts.URL + "/dap/" })
		if _, err := l.collector(func(cfg *collector.Config) { cfg.HTTP = nil }).Collect(context.Background(), query); err == nil || !strings.Contains(err.Error(), "certificate") {
			t.Errorf("a stranger's certificate: %v", err)
		}
		if _, err := l.collector(func(cfg *collector.Config) { cfg.HTTP = ts.Client() }).Collect(context.Background(), query); err != nil {
			t.Error(err)
		}
		l.task = newTask(t, func(c *dap.TaskConfiguration) { c.LeaderEndpoint = "http://leader.test/dap/" })
		if _, err := l.collector().Collect(context.Background(), query); err == nil {
			t.Error("plain HTTP to another machine is accepted")
		}
	})
	t.Run("item-001 ids in URLs are unpadded base64url", func(t *testing.T) {
		l := newLeader(t)
		if _, err := l.collector().Start(context.Background(), query); err != nil {
			t.Fatal(err)
		}
		if segment := strings.Split(l.requests[0], "/")[3]; len(segment) != 43 || strings.ContainsAny(segment, "=+") {
			t.Errorf("task ID %q in the URL", segment)
		}
	})
}
