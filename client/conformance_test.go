package client_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"candor/client"
	"candor/crypto/seal"
	"candor/schema/dap"
)

var measurement = []uint64{0, 1, 4095, 4096}

// DAP, HPKE Configuration Request: what makes a Client abort, and which configuration it takes.
func TestConformance_056_hpkeConfiguration(t *testing.T) {
	good, _ := newConfig(t, seal.X25519, 3)
	second, _ := newConfig(t, seal.XWing, 4)
	unknownKEM := dap.HpkeConfig{ID: 1, KEM: 0x7777, KDF: 1, AEAD: 1, PublicKey: good.PublicKey}
	unknownAEAD := dap.HpkeConfig{ID: 2, KEM: good.KEM, KDF: 1, AEAD: 0xffff, PublicKey: good.PublicKey}
	shortKey := dap.HpkeConfig{ID: 5, KEM: good.KEM, KDF: 1, AEAD: 1, PublicKey: good.PublicKey[:31]}
	list := func(c ...dap.HpkeConfig) []byte {
		b, err := dap.Marshal(dap.HpkeConfigList(c))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for _, c := range []struct {
		name        string
		body        []byte
		contentType string
		want        int // ID chosen; -1: abort
	}{
		{"item-056 not a list", []byte("<html>"), dap.MediaTypeHpkeConfigList, -1},
		{"item-056 truncated", list(good)[:20], dap.MediaTypeHpkeConfigList, -1},
		{"item-056 item-030 trailing byte", append(list(good), 0), dap.MediaTypeHpkeConfigList, -1},
		{"item-056 empty body", nil, dap.MediaTypeHpkeConfigList, -1},
		{"item-056 item-027 other message", list(good), dap.MediaTypeUploadErrors, -1},
		{"item-056 item-027 other media type", list(good), "application/octet-stream", -1},
		{"item-057 empty list", []byte{0, 0}, dap.MediaTypeHpkeConfigList, -1},
		{"item-058 no supported suite", list(unknownKEM, unknownAEAD), dap.MediaTypeHpkeConfigList, -1},
		{"item-058 no well-formed key", list(shortKey), dap.MediaTypeHpkeConfigList, -1},
		{"item-059 first of two", list(good, second), dap.MediaTypeHpkeConfigList, 3},
		{"item-059 server's order, not ours", list(second, good), dap.MediaTypeHpkeConfigList, 4},
		{"item-059 first usable of many", list(unknownKEM, unknownAEAD, shortKey, good, second), dap.MediaTypeHpkeConfigList, 3},
		{"item-028 version parameter has no effect", list(good), "Application/PPM-DAP; message=hpke-config-list; version=09", 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newServer(t)
			handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/leader/hpke_config" {
					w.Header().Set("Content-Type", c.contentType)
					w.Write(c.body)
					return
				}
				s.ServeHTTP(w, r)
			})
			cl := s.client(func(cfg *client.Config) { cfg.HTTP = &http.Client{Transport: direct{handler}} })
			report, err := cl.Prepare(context.Background(), measurement, nil, nil)
			if c.want < 0 {
				if err == nil {
					t.Fatal("the Client went on")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if int(report.Leader.ConfigID) != c.want || report.Helper.ConfigID != 8 {
				t.Errorf("sealed to %d and %d, want %d and 8", report.Leader.ConfigID, report.Helper.ConfigID, c.want)
			}
		})
	}
}

// Reports: identity, time, randomness, shares, info and AAD, opened and verified by the draft's own procedure.
func TestConformance_060_reports(t *testing.T) {
	t.Run("item-060 report_id is fresh", func(t *testing.T) {
		s := newServer(t)
		c := s.client()
		seen := map[dap.ReportID]bool{}
		for range 50 {
			id := mustPrepare(t, c, measurement).Metadata.ReportID
			if seen[id] || id == (dap.ReportID{}) {
				t.Fatalf("report ID %s again", id)
			}
			seen[id] = true
		}
	})
	t.Run("item-061 item-034 time is in units, rounded down", func(t *testing.T) {
		s := newServer(t)
		for at, want := range map[int64]dap.Time{480000 * precision: 480000, 480001*precision - 1: 480000, 480001 * precision: 480001, 0: 0} {
			c := s.client(func(cfg *client.Config) { cfg.Now = func() time.Time { return time.Unix(at, 999_999_999) } })
			if got := mustPrepare(t, c, measurement).Metadata.Time; got != want {
				t.Errorf("at %d s: time %d, want %d", at, got, want)
			}
		}
	})
	t.Run("item-062 item-036 ctx and nonce", func(t *testing.T) {
		// aggregate builds ctx from its parts and takes the report ID as nonce: with either different, verification fails.
		s := newServer(t)
		report := mustPrepare(t, s.client(), measurement)
		got, err := s.aggregate(report)
		if err != nil || !slices.Equal(got, measurement) {
			t.Fatalf("aggregated %v, %v", got, err)
		}
	})
	t.Run("item-063 randomness is read anew", func(t *testing.T) {
		s := newServer(t)
		random := &countingReader{}
		c := s.client(func(cfg *client.Config) { cfg.Rand = random })
		first, second := mustPrepare(t, c, measurement), mustPrepare(t, c, measurement)
		if bytes.Equal(first.PublicShare, second.PublicShare) || bytes.Equal(first.Leader.Enc, second.Leader.Enc) || bytes.Equal(first.Leader.Enc, first.Helper.Enc) {
			t.Error("two reports share randomness")
		}
		want := s.task.VDAF.RandSize()
		n := 0
		for _, r := range random.reads {
			if len(r) == want {
				n++
			}
		}
		if n < 2 {
			t.Errorf("%d reads of %d bytes for two reports: rand is not sampled for each", n, want)
		}
	})
	t.Run("item-064 private extensions", func(t *testing.T) {
		s := newServer(t)
		report, err := s.client().Prepare(context.Background(), measurement, []dap.Extension{{Type: 0xff43, Data: []byte("m")}},
			func(share client.Share) ([]dap.Extension, error) {
				return []dap.Extension{{Type: 0xff44, Data: []byte(share.Recipient.String())}}, nil
			})
		if err != nil {
			t.Fatal(err)
		}
		for _, role := range []dap.Role{dap.Leader, dap.Helper} {
			plain, err := s.open(report, role)
			if err != nil {
				t.Fatal(err)
			}
			if len(plain.Extensions) != 1 || plain.Extensions[0].Type != 0xff44 || string(plain.Extensions[0].Data) != role.String() {
				t.Errorf("%v got the private extensions %v", role, plain.Extensions)
			}
		}
		if len(report.Metadata.Extensions) != 1 || report.Metadata.Extensions[0].Type != 0xff43 {
			t.Errorf("public extensions %v", report.Metadata.Extensions)
		}
	})
	t.Run("item-065 item-033 info names the recipient", func(t *testing.T) {
		s := newServer(t)
		report := mustPrepare(t, s.client(), measurement)
		report.Leader, report.Helper = report.Helper, report.Leader
		s.keys[dap.Leader], s.keys[dap.Helper] = s.keys[dap.Helper], s.keys[dap.Leader]
		for _, role := range []dap.Role{dap.Leader, dap.Helper} {
			if _, err := s.open(report, role); err == nil {
				t.Errorf("the %v opens what was sealed for the other", role)
			}
		}
	})
	t.Run("item-066 aad holds task, configuration, metadata and public share", func(t *testing.T) {
		s := newServer(t)
		report := mustPrepare(t, s.client(), measurement)
		if _, err := s.open(report, dap.Leader); err != nil {
			t.Fatal(err)
		}
		for name, change := range map[string]func(*dap.Report){
			"time":         func(r *dap.Report) { r.Metadata.Time++ },
			"report ID":    func(r *dap.Report) { r.Metadata.ReportID[3] ^= 1 },
			"extension":    func(r *dap.Report) { r.Metadata.Extensions = []dap.Extension{{Type: 9}} },
			"public share": func(r *dap.Report) { r.PublicShare = append([]byte{1}, r.PublicShare[1:]...) },
		} {
			changed := report
			change(&changed)
			for _, role := range []dap.Role{dap.Leader, dap.Helper} {
				if _, err := s.open(changed, role); !errors.Is(err, seal.ErrOpen) {
					t.Errorf("with another %s the %v's share opens: %v", name, role, err)
				}
			}
		}
		s.setTask(func(c *dap.TaskConfiguration) { c.LeaderEndpoint = strings.TrimSuffix(c.LeaderEndpoint, "/") })
		if _, err := s.open(report, dap.Leader); !errors.Is(err, seal.ErrOpen) {
			t.Errorf("with a slash less in the configuration the share opens: %v", err)
		}
	})
	t.Run("item-072 extensions increase and do not overlap", func(t *testing.T) {
		e := func(types ...uint16) (list []dap.Extension) {
			for _, x := range types {
				list = append(list, dap.Extension{Type: x})
			}
			return list
		}
		for _, c := range []struct {
			name            string
			public, private []dap.Extension
			ok              bool
		}{
			{"both sorted", e(1, 5), e(2, 6), true},
			{"none", nil, nil, true},
			{"public unsorted", e(5, 1), nil, false},
			{"public repeated", e(5, 5), nil, false},
			{"private unsorted", nil, e(6, 2), false},
			{"private repeated", nil, e(6, 6), false},
			{"in both", e(1, 5), e(5), false},
		} {
			s := newServer(t)
			_, err := s.client().Prepare(context.Background(), measurement, c.public, func(client.Share) ([]dap.Extension, error) { return c.private, nil })
			if (err == nil) != c.ok {
				t.Errorf("%s: %v", c.name, err)
			}
		}
	})
	t.Run("item-031 mandatory suite", func(t *testing.T) {
		s := newServer(t)
		for _, c := range []dap.HpkeConfigList{s.lists[dap.Leader], s.lists[dap.Helper]} {
			if c[0].KEM != 0x20 || c[0].KDF != 1 || c[0].AEAD != 1 {
				t.Fatalf("the test does not use the mandatory suite: %v", c[0])
			}
		}
		if _, err := s.aggregate(mustPrepare(t, s.client(), measurement)); err != nil {
			t.Error(err)
		}
	})
}

// The upload itself, over a real connection.
func TestConformance_067_upload(t *testing.T) {
	s := newServer(t)
	ts := httptest.NewTLSServer(s)
	defer ts.Close()
	s.url = ts.URL
	s.setTask()
	c := s.client(func(cfg *client.Config) { cfg.HTTP = ts.Client() })
	t.Run("item-067 item-027 POST of upload-req", func(t *testing.T) {
		report := mustPrepare(t, c, measurement)
		refused, err := c.Upload(context.Background(), report)
		if err != nil || refused != nil {
			t.Fatalf("%v, %v", refused, err)
		}
		r := s.uploads[len(s.uploads)-1]
		if r.Method != "POST" || r.URL.Path != "/leader/tasks/"+testID.String()+"/reports" || r.URL.RawQuery != "" {
			t.Errorf("%s %s", r.Method, r.URL)
		}
		if got := r.Header.Get("Content-Type"); got != "application/ppm-dap;message=upload-req" {
			t.Errorf("Content-Type %q", got)
		}
		if strings.ContainsAny(testID.String(), "=+/") || len(testID.String()) != 43 {
			t.Errorf("item-001: %q in the URL is not unpadded base64url", testID)
		}
	})
	t.Run("item-068 several reports in one request", func(t *testing.T) {
		var reports []dap.Report
		var want []byte
		for i := range uint64(5) {
			r := mustPrepare(t, c, []uint64{i, 0, 0, 0})
			encoded, err := dap.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			reports, want = append(reports, r), append(want, encoded...)
		}
		before := len(s.bodies)
		if refused, err := c.Upload(context.Background(), reports...); err != nil || refused != nil {
			t.Fatalf("%v, %v", refused, err)
		}
		if len(s.bodies) != before+1 || !bytes.Equal(s.bodies[before], want) {
			t.Errorf("%d requests; the content is not the reports one after another", len(s.bodies)-before)
		}
		got, err := dap.Parse[dap.UploadRequest](s.bodies[before])
		if err != nil || len(got) != 5 {
			t.Fatalf("%d reports, %v", len(got), err)
		}
		for i, r := range got {
			if v, err := s.aggregate(r); err != nil || v[0] != uint64(i) {
				t.Errorf("report %d: %v, %v", i, v, err)
			}
		}
	})
	t.Run("item-003 certificate is validated", func(t *testing.T) {
		stranger := s.client(func(cfg *client.Config) { cfg.HTTP = nil })
		if _, err := stranger.Prepare(context.Background(), measurement, nil, nil); err == nil || !strings.Contains(err.Error(), "certificate") {
			t.Errorf("a server with a certificate of unknown origin: %v", err)
		}
	})
	t.Run("item-002 HTTPS", func(t *testing.T) {
		s := newServer(t)
		s.url = "http://aggregators.test"
		s.setTask()
		if _, err := s.client().Prepare(context.Background(), measurement, nil, nil); err == nil {
			t.Error("plain HTTP to another machine is accepted")
		}
		plain := s.client(func(cfg *client.Config) { cfg.PlainHTTP = true })
		if _, err := plain.Prepare(context.Background(), measurement, nil, nil); err != nil {
			t.Errorf("the test profile: %v", err)
		}
	})
}

// DAP, Upload Request, Leader Behavior: what the Client does about report errors.
func TestConformance_069_reportErrors(t *testing.T) {
	submit := func(s *server, mutate ...func(*client.Config)) (dap.Report, error) {
		return s.client(mutate...).Submit(context.Background(), measurement, nil, nil)
	}
	t.Run("item-069 outdated_config leads to a new report under a new configuration", func(t *testing.T) {
		s := newServer(t)
		var seen []dap.Report
		s.upload = func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			req, err := dap.Parse[dap.UploadRequest](body)
			if err != nil || len(req) != 1 {
				t.Errorf("%d reports, %v", len(req), err)
				return
			}
			seen = append(seen, req[0])
			if req[0].Leader.ConfigID != 20 {
				s.rotate(dap.Leader, 20)
				r.Body = io.NopCloser(bytes.NewReader(body))
				refuse(dap.ErrorOutdatedConfig)(w, r)
			}
		}
		report, err := submit(s)
		if err != nil {
			t.Fatal(err)
		}
		if len(seen) != 2 || seen[1].Metadata.ReportID != report.Metadata.ReportID {
			t.Fatalf("%d uploads", len(seen))
		}
		if seen[0].Metadata.ReportID == seen[1].Metadata.ReportID || bytes.Equal(seen[0].PublicShare, seen[1].PublicShare) {
			t.Error("the second report is not a new one")
		}
		if s.fetches[dap.Leader] != 2 || s.fetches[dap.Helper] != 2 {
			t.Errorf("fetched %v, want each list twice", s.fetches)
		}
		if got, err := s.aggregate(report); err != nil || !slices.Equal(got, measurement) {
			t.Errorf("%v, %v", got, err)
		}
	})
	t.Run("item-070 a second outdated_config ends it", func(t *testing.T) {
		s := newServer(t)
		s.upload = refuse(dap.ErrorOutdatedConfig)
		_, err := submit(s)
		if !errors.Is(err, dap.ErrorOutdatedConfig) {
			t.Errorf("error %v", err)
		}
		if len(s.uploads) != 2 {
			t.Errorf("%d uploads, want 2", len(s.uploads))
		}
	})
	t.Run("item-071 after report_too_early the same report can be uploaded later", func(t *testing.T) {
		s := newServer(t)
		s.upload = refuse(dap.ErrorReportTooEarly)
		c := s.client()
		report, err := c.Submit(context.Background(), measurement, nil, nil)
		if !errors.Is(err, dap.ErrorReportTooEarly) {
			t.Fatalf("error %v", err)
		}
		s.upload = nil
		if refused, err := c.Upload(context.Background(), report); err != nil || refused != nil {
			t.Fatalf("%v, %v", refused, err)
		}
		if len(s.bodies) != 2 || !bytes.Equal(s.bodies[0], s.bodies[1]) {
			t.Error("what was uploaded later is not the same report")
		}
	})
	t.Run("others are not retried", func(t *testing.T) {
		for _, e := range []dap.ReportError{dap.ErrorReportReplayed, dap.ErrorReportDropped, dap.ErrorInvalidMessage, dap.ErrorHpkeDecryptError, 99} {
			s := newServer(t)
			s.upload = refuse(e)
			if _, err := submit(s); !errors.Is(err, e) || len(s.uploads) != 1 {
				t.Errorf("%v: %v after %d uploads", e, err, len(s.uploads))
			}
		}
	})
}

// Caching of HPKE configurations.
func TestConformance_053_clientCaching(t *testing.T) {
	for _, c := range []struct {
		name    string
		header  http.Header
		after   time.Duration
		fetches int
	}{
		{"item-053 fresh", http.Header{"Cache-Control": {"public, max-age=86400"}}, 23 * time.Hour, 1},
		{"item-053 stale", http.Header{"Cache-Control": {"max-age=86400"}}, 24 * time.Hour, 2},
		{"item-053 no-store", http.Header{"Cache-Control": {"no-store"}}, 0, 2},
		{"item-053 no-cache beats max-age", http.Header{"Cache-Control": {"max-age=86400, No-Cache"}}, 0, 2},
		{"item-053 max-age=0", http.Header{"Cache-Control": {"max-age=0"}}, 0, 2},
		{"item-053 unreadable max-age", http.Header{"Cache-Control": {"max-age=x"}}, 0, 2},
		{"item-053 age counts", http.Header{"Cache-Control": {"max-age=86400"}, "Age": {"80000"}}, 2 * time.Hour, 2},
		{"item-053 two fields", http.Header{"Cache-Control": {"private", "max-age=600"}}, 9 * time.Minute, 1},
		{"item-053 expires", http.Header{"Expires": {epoch.Add(2 * time.Hour).Format(http.TimeFormat)}}, time.Hour, 1},
		{"item-053 expired", http.Header{"Expires": {"0"}}, 0, 2},
		{"item-053 nothing said, soon", nil, 50 * time.Second, 1},
		{"item-053 nothing said, later", nil, 2 * time.Minute, 2},
		{"item-053 absurd lifetime", http.Header{"Cache-Control": {"max-age=4000000000"}}, 8 * 24 * time.Hour, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newServer(t)
			s.header = c.header
			now := epoch
			cl := s.client(func(cfg *client.Config) { cfg.Now = func() time.Time { return now } })
			mustPrepare(t, cl, measurement)
			now = now.Add(c.after)
			mustPrepare(t, cl, measurement)
			if s.fetches[dap.Leader] != c.fetches || s.fetches[dap.Helper] != c.fetches {
				t.Errorf("fetched %v, want %d each", s.fetches, c.fetches)
			}
		})
	}
}

// HTTP: statuses by class, problem documents, and repetition.
func TestConformance_017_statuses(t *testing.T) {
	t.Run("item-017 any 2xx accepts, any other 4xx refuses, any 5xx is retried", func(t *testing.T) {
		for status, want := range map[int]struct {
			ok    bool
			tries int
		}{200: {true, 1}, 201: {true, 1}, 202: {true, 1}, 204: {true, 1}, 299: {true, 1},
			400: {false, 1}, 404: {false, 1}, 413: {false, 1}, 418: {false, 1}, 499: {false, 1},
			429: {false, 3}, 500: {false, 3}, 503: {false, 3}, 599: {false, 3}, 302: {false, 1}, 304: {false, 1}} {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t)
				s.upload = func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Location", "https://elsewhere.test/")
					w.WriteHeader(status)
				}
				c := s.client(func(cfg *client.Config) { cfg.Attempts = 3 })
				refused, err := c.Upload(t.Context(), mustPrepare(t, c, measurement))
				if (err == nil) != want.ok || refused != nil || len(s.uploads) != want.tries {
					t.Errorf("status %d: %v, %v after %d tries, want %d", status, refused, err, len(s.uploads), want.tries)
				}
				var p *dap.Problem
				if status >= 400 && (!errors.As(err, &p) || p.Status != status) {
					t.Errorf("status %d: the error %v is no problem of that status", status, err)
				}
			})
		}
	})
	t.Run("item-022 problem document reaches the caller", func(t *testing.T) {
		s := newServer(t)
		s.upload = func(w http.ResponseWriter, r *http.Request) {
			p := dap.NewProblem(dap.UnrecognizedTask, "no such task\x1b[31m")
			body, _ := p.MarshalJSON()
			w.Header().Set("Content-Type", dap.MediaTypeProblem)
			w.WriteHeader(404)
			w.Write(body)
		}
		c := s.client()
		_, err := c.Upload(context.Background(), mustPrepare(t, c, measurement))
		var p *dap.Problem
		if !errors.As(err, &p) || p.Type != dap.UnrecognizedTask || p.Status != 404 {
			t.Fatalf("error %v", err)
		}
		if strings.Contains(err.Error(), "\x1b") {
			t.Errorf("a peer's control characters reach the terminal: %q", err)
		}
	})
	t.Run("item-007 Retry-After is obeyed, and capped", func(t *testing.T) {
		for _, c := range []struct {
			value    string
			min, max time.Duration
		}{
			{"7", 7 * time.Second, 7 * time.Second},
			{"0", 0, 0},
			{"100000", time.Minute, time.Minute},
			{"99999999999999999999", 0, time.Second},
			{"soon", 0, time.Second},
			{"", 0, time.Second},
			{"-3", 0, time.Second},
		} {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t)
				var times []time.Time
				s.upload = func(w http.ResponseWriter, r *http.Request) {
					if times = append(times, time.Now()); len(times) == 1 {
						w.Header().Set("Retry-After", c.value)
						w.WriteHeader(503)
					}
				}
				cl := s.client()
				if _, err := cl.Upload(t.Context(), mustPrepare(t, cl, measurement)); err != nil {
					t.Fatal(err)
				}
				if len(times) != 2 {
					t.Fatalf("%d requests", len(times))
				}
				if d := times[1].Sub(times[0]); d < c.min || d > c.max {
					t.Errorf("Retry-After %q: %v later, want %v to %v", c.value, d, c.min, c.max)
				}
				if !bytes.Equal(s.bodies[0], s.bodies[1]) {
					t.Error("the repetition has other bytes")
				}
			})
		}
	})
	t.Run("item-007 Retry-After as a date", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := newServer(t)
			var times []time.Time
			s.upload = func(w http.ResponseWriter, r *http.Request) {
				if times = append(times, time.Now()); len(times) == 1 {
					w.Header().Set("Retry-After", time.Now().Add(30*time.Second).UTC().Format(http.TimeFormat))
					w.WriteHeader(429)
				}
			}
			cl := s.client(func(cfg *client.Config) { cfg.Now = time.Now })
			if _, err := cl.Upload(t.Context(), mustPrepare(t, cl, measurement)); err != nil {
				t.Fatal(err)
			}
			if d := times[1].Sub(times[0]); d < 29*time.Second || d > 30*time.Second {
				t.Errorf("%v later, want 30 s", d)
			}
		})
	})
}
