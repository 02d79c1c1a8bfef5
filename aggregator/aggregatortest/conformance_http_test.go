package aggregatortest_test

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"candor/aggregator"
	"candor/aggregator/aggregatortest"
	"candor/aggregator/boltstore"
	"candor/aggregator/helper"
	"candor/aggregator/httpapi"
	"candor/aggregator/leader"
	"candor/crypto/seal"
	"candor/schema/dap"
	"candor/schema/round"
)

// The resources of both roles: those of the draft's appendix of resources, and ours below /candor.
func TestConformance_001_Resources(t *testing.T) {
	d := aggregatortest.New(t, aggregatortest.Options{}, aggregatortest.TaskSpec{})
	show := func(routes []httpapi.Route) (lines []string) {
		for _, r := range routes {
			path := strings.NewReplacer(httpapi.TaskID, "{task-id}", httpapi.ResourceID, "{id}").Replace(r.Path)
			_, message, _ := strings.Cut(r.MediaType, "message=")
			lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s %s %s %s", r.Method, path, message, r.Auth)))
		}
		slices.Sort(lines)
		return lines
	}
	wantLeader := []string{
		"DELETE /tasks/{task-id}/collection_jobs/{id}  collector",
		"GET /candor/tasks/{task-id}/members  party",
		"GET /candor/tasks/{task-id}/receipts/{id:[a-z0-9-]{1,40}}  party",
		"GET /candor/tasks/{task-id}/statement  party",
		"GET /hpke_config",
		"GET /tasks/{task-id}/collection_jobs/{id}  collector",
		"POST /tasks/{task-id}/collection_jobs collection-job-req collector",
		"POST /tasks/{task-id}/reports upload-req",
	}
	wantHelper := []string{
		"DELETE /tasks/{task-id}/aggregate_shares/{id}  leader",
		"DELETE /tasks/{task-id}/aggregation_jobs/{id}  leader",
		"GET /candor/tasks/{task-id}/batch_digest  leader",
		"GET /candor/tasks/{task-id}/batch_reports  leader",
		"GET /candor/tasks/{task-id}/members  party",
		"GET /candor/tasks/{task-id}/receipts/{id:[a-z0-9-]{1,40}}  party",
		"GET /candor/tasks/{task-id}/statement  party",
		"GET /hpke_config",
		"GET /tasks/{task-id}/aggregate_shares/{id}  leader",
		"GET /tasks/{task-id}/aggregation_jobs/{id}  leader",
		"POST /tasks/{task-id}/aggregate_shares aggregate-share-req leader",
		"POST /tasks/{task-id}/aggregation_jobs aggregation-job-init-req leader",
		"POST /tasks/{task-id}/aggregation_jobs/{id} aggregation-job-continue-req leader",
	}
	if got := show(d.Leader.Routes()); !slices.Equal(got, wantLeader) {
		t.Errorf("Leader: %s", strings.Join(got, "\n"))
	}
	if got := show(d.Helper.Routes()); !slices.Equal(got, wantHelper) {
		t.Errorf("Helper: %s", strings.Join(got, "\n"))
	}
	task := d.Tasks[0]
	t.Run("item-001 identifiers are unpadded base64url", func(t *testing.T) {
		text := task.ID.String()
		for _, bad := range []string{text + "=", text[:42], text + "A", strings.Repeat("!", 43), text[:42] + "B"} {
			if bad == text {
				continue
			}
			r := d.Ask(http.MethodPost, aggregatortest.LeaderURL+"tasks/"+bad+"/reports", dap.MediaTypeUploadReq, "", nil)
			if r.Status != 404 {
				t.Errorf("%s: status %d", bad, r.Status)
			}
		}
	})
	t.Run("item-040 base URLs with a path, and with or without a slash at the end", func(t *testing.T) {
		d.Net.Log()
		d.Upload(task, one)
		got, err := d.Collect(task, d.All(task))
		wantResult(t, got, err, 1, 1)
		for _, x := range d.Net.Log() {
			if strings.Contains(strings.TrimPrefix(x.URL, "http://"), "//") || !strings.HasPrefix(x.URL, aggregatortest.LeaderURL) && !strings.HasPrefix(x.URL, aggregatortest.HelperURL+"/") {
				t.Errorf("%s %s", x.Method, x.URL)
			}
		}
	})
}

func TestConformance_002_HTTPS(t *testing.T) {
	t.Run("item-002 a Helper without TLS is refused", func(t *testing.T) {
		keys := aggregatortest.NewKeys(t)
		l := newLeader(t, keys, nil)
		task := aggregatortest.NewRoundTask(t, aggregatortest.TaskSpec{})
		if err := l.AddTask(t.Context(), keys.LeaderTask(task)); err == nil || !strings.Contains(err.Error(), "not https") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("item-003 the Helper's certificate is validated", func(t *testing.T) {
		keys := aggregatortest.NewKeys(t)
		asked := make(chan struct{}, 100)
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { asked <- struct{}{}; w.WriteHeader(503) }))
		server.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
		server.StartTLS()
		defer server.Close()
		task := aggregatortest.NewRoundTask(t, aggregatortest.TaskSpec{HelperURL: server.URL})
		for _, trusted := range []bool{false, true} {
			var hc *http.Client
			if trusted {
				hc = server.Client()
			}
			l := newLeader(t, keys, hc)
			if err := l.AddTask(t.Context(), keys.LeaderTask(task)); err != nil {
				t.Fatal(err)
			}
			r := keys.NewReport(t, task, aggregatortest.ReportSpec{Measurement: one, Time: start})
			w := httptest.NewRecorder()
			req := httptest.NewRequest(http.MethodPost, "/tasks/"+task.ID.String()+"/reports", strings.NewReader(string(ok(dap.Marshal(r)))))
			req.Header.Set("Content-Type", dap.MediaTypeUploadReq)
			l.Handler().ServeHTTP(w, req)
			for range 3 {
				ok(l.Tick(t.Context()))
				time.Sleep(2 * time.Millisecond)
			}
			if (len(asked) > 0) != trusted {
				t.Errorf("trusted %v: the Helper saw %d requests", trusted, len(asked))
			}
		}
	})
}

func newLeader(t *testing.T, keys *aggregatortest.Keys, hc *http.Client) *leader.Leader {
	t.Helper()
	s, err := boltstore.Open(filepath.Join(t.TempDir(), "leader.db"), boltstore.Options{UnsafeNoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return ok(leader.New(leader.Config{Store: s, Keys: keys.Leader, HTTP: hc, MaxJobDelay: time.Millisecond}))
}

func TestConformance_018_Authentication(t *testing.T) {
	d := aggregatortest.New(t, aggregatortest.Options{}, aggregatortest.TaskSpec{}, aggregatortest.TaskSpec{})
	task := d.Tasks[0]
	r := d.Keys.NewReport(t, task, aggregatortest.ReportSpec{Measurement: one, Time: start})
	job := d.PostJob(task, ok(dap.Marshal(d.Keys.VerifyReports(t, task, nil, r).Request)))
	share := ok(dap.Marshal(shareRequest(dap.Interval{Start: start, Duration: 1}, r)))
	collection := d.PostCollection(task, interval(start, 1))
	type request struct{ items, method, url, mediaType string }
	requests := map[string][]request{
		d.Keys.PeerToken: {
			{"item-018", http.MethodPost, d.HelperURL(task, "aggregation_jobs"), dap.MediaTypeAggregationJobInitReq},
			{"item-018", http.MethodPost, job.Location, dap.MediaTypeAggregationJobContinueReq},
			{"item-018", http.MethodGet, job.Location + "?step=0", ""},
			{"item-018", http.MethodDelete, job.Location, ""},
			{"item-020", http.MethodPost, d.HelperURL(task, "aggregate_shares"), dap.MediaTypeAggregateShareReq},
			{"item-020", http.MethodGet, d.HelperURL(task, "aggregate_shares/x"), ""},
			{"item-020", http.MethodDelete, d.HelperURL(task, "aggregate_shares/x"), ""},
			{"candor", http.MethodGet, aggregatortest.HelperURL + ok(aggregator.BatchResource(task.ID, aggregator.ResourceBatchDigest, dap.NewTimeIntervalSelector(dap.Interval{Start: start, Duration: 1}), nil)), ""},
			{"candor", http.MethodGet, aggregatortest.HelperURL + ok(aggregator.BatchResource(task.ID, aggregator.ResourceBatchReports, dap.NewTimeIntervalSelector(dap.Interval{Start: start, Duration: 1}), nil)), ""},
		},
		d.Keys.CollectorToken: {
			{"item-019", http.MethodPost, d.LeaderURL(task, "collection_jobs"), dap.MediaTypeCollectionJobReq},
			{"item-019", http.MethodGet, collection.Location, ""},
			{"item-019", http.MethodDelete, collection.Location, ""},
		},
	}
	for right, list := range requests {
		wrong := d.Keys.PeerToken
		if right == wrong {
			wrong = d.Keys.CollectorToken
		}
		for _, q := range list {
			t.Run(q.items+" "+q.method+" "+strings.TrimPrefix(q.url, "http://"), func(t *testing.T) {
				for _, token := range []string{"", "x", right + "x", right[1:], wrong} {
					reply := d.Ask(q.method, q.url, q.mediaType, token, share)
					if reply.Status != 401 || reply.Problem == nil || reply.Problem.Type != dap.AboutBlank || reply.Problem.Detail != "" {
						t.Errorf("token %q: status %d, %+v", token, reply.Status, reply.Problem)
					}
				}
				if reply := d.Ask(q.method, strings.Replace(q.url, task.ID.String(), aggregatortest.NewRoundTask(t, aggregatortest.TaskSpec{}).ID.String(), 1), q.mediaType, "x", share); reply.Status != 401 {
					t.Errorf("unknown task: status %d, which tells that it is unknown", reply.Status)
				}
			})
		}
	}
	t.Run("item-018 item-020 DAP-Auth-Token", func(t *testing.T) {
		req := ok(http.NewRequestWithContext(t.Context(), http.MethodGet, job.Location+"?step=0", nil))
		req.Header.Set("DAP-Auth-Token", d.Keys.PeerToken)
		if resp := ok(d.Net.RoundTrip(req)); resp.StatusCode != 200 {
			t.Errorf("status %d", resp.StatusCode)
		}
	})
	t.Run("nothing was done for strangers", func(t *testing.T) {
		if r := d.Ask(http.MethodGet, job.Location+"?step=0", "", d.Keys.PeerToken, nil); r.Status != 200 {
			t.Errorf("the aggregation job: status %d", r.Status)
		}
		if r := d.PostShare(task, share); r.Status != 200 {
			t.Errorf("the batch: status %d", r.Status)
		}
		if r := d.Ask(http.MethodGet, collection.Location, "", d.Keys.CollectorToken, nil); r.Status != 200 {
			t.Errorf("the collection job: status %d", r.Status)
		}
	})
}

func TestConformance_022_Errors(t *testing.T) {
	d := aggregatortest.New(t, aggregatortest.Options{}, aggregatortest.TaskSpec{})
	task := d.Tasks[0]
	replies := map[string]aggregatortest.Reply{
		"malformed upload":        uploadRaw(d, task, []byte{1}),
		"malformed job":           d.PostJob(task, []byte{1}),
		"malformed share request": d.PostShare(task, []byte{1}),
		"malformed collection":    d.PostCollection(task, []byte{1}),
		"wrong media type":        d.Ask(http.MethodPost, d.LeaderURL(task, "reports"), "text/plain", "", nil),
		"other message":           d.Ask(http.MethodPost, d.LeaderURL(task, "reports"), dap.MediaTypeAggregateShareReq, "", nil),
		"unknown collection job":  d.Ask(http.MethodGet, d.LeaderURL(task, "collection_jobs/AAAAAAAAAAAAAAAAAAAAAA"), "", d.Keys.CollectorToken, nil),
		"unknown share":           d.Ask(http.MethodGet, d.HelperURL(task, "aggregate_shares/AAAAAAAAAAAAAAAAAAAAAA"), "", d.Keys.PeerToken, nil),
		"no resource":             d.Ask(http.MethodGet, aggregatortest.LeaderURL+"nothing", "", "", nil),
		"no method":               d.Ask(http.MethodPut, d.LeaderURL(task, "reports"), "", "", nil),
	}
	const urn = "urn:ietf:params:ppm:dap:error:"
	for name, r := range replies {
		t.Run("item-011 item-022 item-023 item-025 item-026 "+name, func(t *testing.T) {
			if r.Problem == nil || r.Status < 400 || r.Status > 499 || r.Problem.Status != r.Status {
				t.Fatalf("status %d, %+v", r.Status, r.Problem)
			}
			var members map[string]any
			if err := json.Unmarshal(r.Body, &members); err != nil {
				t.Fatal(err)
			}
			if uri := members["type"].(string); strings.HasPrefix(uri, urn) != (r.Problem.Type != dap.AboutBlank) || strings.HasPrefix(string(r.Problem.Type), urn) {
				t.Errorf("type %q", uri)
			}
		})
		t.Run("item-024 "+name, func(t *testing.T) {
			if !strings.HasPrefix(name, "no ") && (r.Problem.TaskID == nil || *r.Problem.TaskID != task.ID) {
				t.Errorf("taskid %v", r.Problem.TaskID)
			}
		})
	}
	t.Run("item-094 unsupported_extensions are numbers", func(t *testing.T) {
		report := d.Keys.NewReport(t, task, aggregatortest.ReportSpec{Measurement: one, Time: start})
		req := d.Keys.VerifyReports(t, task, nil, report).Request
		req.Extensions = []dap.Extension{{Type: 7}, {Type: 65000}}
		r := d.PostJob(task, ok(dap.Marshal(req)))
		if !strings.Contains(string(r.Body), `"unsupported_extensions":[7,65000]`) {
			t.Errorf("%s", r.Body)
		}
	})
	t.Run("item-028 version parameter", func(t *testing.T) {
		for _, mediaType := range []string{dap.MediaTypeUploadReq + ";version=99", "application/ppm-dap; version=01; message=upload-req", "Application/PPM-DAP; Message=upload-req"} {
			if r := d.Ask(http.MethodPost, d.LeaderURL(task, "reports"), mediaType, "", nil); r.Status != 200 {
				t.Errorf("%s: status %d", mediaType, r.Status)
			}
		}
	})
	t.Run("item-029 chunked content", func(t *testing.T) {
		server := httptest.NewServer(d.Leader.Handler())
		defer server.Close()
		report := d.Keys.NewReport(t, task, aggregatortest.ReportSpec{Measurement: one, Time: start})
		req := ok(http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/base/tasks/"+task.ID.String()+"/reports",
			struct{ *strings.Reader }{strings.NewReader(string(ok(dap.Marshal(report))))})) // of unknown length
		req.ContentLength = -1
		req.Header.Set("Content-Type", dap.MediaTypeUploadReq)
		resp := ok(http.DefaultClient.Do(req))
		resp.Body.Close()
		if resp.StatusCode != 200 || d.Counters(task)[aggregator.CounterUploaded] != 1 {
			t.Errorf("status %d, counters %v", resp.StatusCode, d.Counters(task))
		}
	})
}

func TestConformance_031_MandatorySuite(t *testing.T) {
	if seal.X25519 != (seal.Suite{KEM: 0x0020, KDF: 1, AEAD: 1}) {
		t.Fatal("X25519 is not the mandatory suite")
	}
	t.Run("item-031", func(t *testing.T) { // in every role: keys of tests are of this suite
		d := aggregatortest.New(t, aggregatortest.Options{}, aggregatortest.TaskSpec{})
		task := d.Tasks[0]
		d.Upload(task, one)
		got, err := d.Collect(task, d.All(task))
		wantResult(t, got, err, 1, 1)
		for _, c := range []dap.HpkeConfig{d.Keys.LeaderHPKE, d.Keys.HelperHPKE, d.Keys.Collector} {
			if c.KEM != 0x0020 || c.KDF != 1 || c.AEAD != 1 {
				t.Errorf("configuration %+v", c)
			}
		}
	})
}

func TestConformance_037_Tasks(t *testing.T) {
	d := aggregatortest.New(t, aggregatortest.Options{}, aggregatortest.TaskSpec{})
	task := d.Tasks[0]
	ctx := t.Context()
	add := map[string]func(*aggregator.Task) error{
		"Leader": func(a *aggregator.Task) error { return d.Leader.AddTask(ctx, a) },
		"Helper": func(a *aggregator.Task) error { return d.Helper.AddTask(ctx, a) },
	}
	other := d.Keys
	changed := *aggregatortest.NewKeys(t)
	differentEncoding := slices.Clone(task.Encoded)
	differentEncoding[1] ^= 1 // of task_info
	sameID := ok(round.NewTask(task.ID, differentEncoding))
	for role, add := range add {
		t.Run("item-037 item-039 "+role, func(t *testing.T) {
			if err := add(other.LeaderTask(task)); err != nil {
				t.Errorf("the same task again: %v", err)
			}
			for name, a := range map[string]*aggregator.Task{
				"another configuration":   other.LeaderTask(sameID),
				"another verify key":      {Task: task, VerifyKeys: map[uint8]aggregator.VerifyKey{0: changed.Verify}, Collector: other.Collector},
				"one more verify key":     {Task: task, VerifyKeys: map[uint8]aggregator.VerifyKey{0: other.Verify, 1: changed.Verify}, Collector: other.Collector},
				"another Collector's key": {Task: task, VerifyKeys: map[uint8]aggregator.VerifyKey{0: other.Verify}, Collector: changed.Collector},
			} {
				if err := add(a); err == nil {
					t.Errorf("%s under the same ID was accepted", name)
				}
			}
		})
		t.Run("no key, no Collector, equal tokens "+role, func(t *testing.T) {
			fresh := aggregatortest.NewRoundTask(t, aggregatortest.TaskSpec{})
			for name, a := range map[string]*aggregator.Task{
				"no configuration": {},
				"no verify key":    {Task: fresh, Collector: other.Collector},
				"chosen key":       {Task: fresh, VerifyKeys: map[uint8]aggregator.VerifyKey{0: other.Verify}, KeyID: 1, Collector: other.Collector},
				"no Collector":     {Task: fresh, VerifyKeys: map[uint8]aggregator.VerifyKey{0: other.Verify}},
				"Collector's key":  {Task: fresh, VerifyKeys: map[uint8]aggregator.VerifyKey{0: other.Verify}, Collector: dap.HpkeConfig{KEM: 0x20, KDF: 1, AEAD: 1, PublicKey: []byte{1}}},
				"equal tokens": {Task: fresh, VerifyKeys: map[uint8]aggregator.VerifyKey{0: other.Verify}, Collector: other.Collector,
					PeerToken: aggregator.NewToken("x"), CollectorToken: aggregator.NewToken("x")},
			} {
				if err := add(a); err == nil {
					t.Errorf("%s: accepted", name)
				}
			}
		})
	}
	t.Run("item-049 minimum batch size below the floor", func(t *testing.T) {
		d := aggregatortest.New(t, aggregatortest.Options{Leader: leader.Config{MinBatchFloor: 10}, Helper: helper.Config{MinBatchFloor: 10}})
		for size, want := range map[uint64]bool{9: false, 10: true} {
			task := aggregatortest.NewRoundTask(t, aggregatortest.TaskSpec{MinBatch: size})
			if err := d.Leader.AddTask(ctx, d.Keys.LeaderTask(task)); (err == nil) != want {
				t.Errorf("Leader, %d reports: %v", size, err)
			}
			if err := d.Helper.AddTask(ctx, d.Keys.HelperTask(task)); (err == nil) != want {
				t.Errorf("Helper, %d reports: %v", size, err)
			}
		}
	})
	t.Run("item-039 item-283 a restart does not help", func(t *testing.T) {
		d.Tasks = nil
		d.RestartLeader()
		if err := d.Leader.AddTask(ctx, other.LeaderTask(sameID)); err == nil {
			t.Error("another configuration under the same ID was accepted")
		}
	})
	t.Run("item-048 item-268 parameters of jobs and collections", func(t *testing.T) {
		// The draft's two errors for a parameter that Prio3 has not are in TestConformance_147 and TestConformance_192.
		d := aggregatortest.New(t, aggregatortest.Options{}, aggregatortest.TaskSpec{})
		req := d.Keys.VerifyReports(t, d.Tasks[0], nil, d.Keys.NewReport(t, d.Tasks[0], aggregatortest.ReportSpec{Measurement: one, Time: start})).Request
		req.AggregationParameter = []byte{0}
		wantProblem(t, d.PostJob(d.Tasks[0], ok(dap.Marshal(req))), dap.InvalidAggregationParameter)
	})
}

func TestConformance_050_HPKEConfiguration(t *testing.T) {
	d := aggregatortest.New(t, aggregatortest.Options{}, aggregatortest.TaskSpec{})
	task := d.Tasks[0]
	old := aggregatortest.NewKey(t, 11, seal.X25519)
	pq, current, withdrawn := aggregatortest.NewKey(t, 12, seal.XWing), aggregatortest.NewKey(t, 13, seal.X25519), old
	withdrawn.Withdrawn = true
	ringBefore := ok(aggregator.NewKeyring(old))
	ringAfter := ok(aggregator.NewKeyring(pq, current, withdrawn))
	for _, role := range []struct {
		name, url string
		set       func(*aggregator.Keyring)
	}{
		{"Leader", aggregatortest.LeaderURL + "hpke_config", d.Leader.SetKeys},
		{"Helper", aggregatortest.HelperURL + "/hpke_config", d.Helper.SetKeys},
	} {
		role.set(ringAfter)
		r := d.Ask(http.MethodGet, role.url, "", "", nil)
		t.Run("item-050 item-052 item-027 "+role.name, func(t *testing.T) {
			list := ok(dap.Parse[dap.HpkeConfigList](r.Body))
			if r.Status != 200 || r.Header.Get("Content-Type") != dap.MediaTypeHpkeConfigList || len(list) != 2 || list[0].ID != 12 || list[1].ID != 13 {
				t.Errorf("status %d, %q, %+v", r.Status, r.Header.Get("Content-Type"), list)
			}
		})
		t.Run("item-053 item-054 "+role.name, func(t *testing.T) {
			if c := r.Header.Get("Cache-Control"); c != "max-age=86400" {
				t.Errorf("Cache-Control %q", c)
			}
		})
		role.set(ringBefore)
	}
	t.Run("item-051 item-052 rings that cannot be advertised", func(t *testing.T) {
		for name, keys := range map[string][]aggregator.Key{
			"no key": {}, "only withdrawn keys": {withdrawn}, "an ID twice": {old, old}, "no private key": {{Config: old.Config}},
			"another's private key": {{Config: old.Config, Private: current.Private}}, "unsupported suite": {{Config: dap.HpkeConfig{ID: 1, KEM: 0x99, KDF: 1, AEAD: 1, PublicKey: []byte{1}}, Private: old.Private}},
		} {
			if _, err := aggregator.NewKeyring(keys...); err == nil {
				t.Errorf("%s: accepted", name)
			}
		}
	})
	t.Run("item-055 reports sealed to a withdrawn key", func(t *testing.T) {
		keys := *d.Keys
		keys.LeaderHPKE, keys.HelperHPKE = old.Config, old.Config
		before := keys.NewReport(t, task, aggregatortest.ReportSpec{Measurement: one, Time: start})
		d.Leader.SetKeys(ringAfter)
		d.Helper.SetKeys(ringAfter)
		wantRefused(t, d.UploadReports(task, before))
		d.Upload(task, one) // seals to the first advertised
		got, err := d.Collect(task, d.All(task))
		wantResult(t, got, err, 2, 2)
	})
}

func TestConformance_284_VerifyKeyStaysInside(t *testing.T) {
	d := aggregatortest.New(t, aggregatortest.Options{}, aggregatortest.TaskSpec{VDAF: aggregatortest.Variants()[2].VDAF})
	task := d.Tasks[0]
	for range 5 {
		d.Upload(task, []uint64{1, 2, 3, 4})
	}
	d.Net.Log()
	if _, err := d.Collect(task, d.All(task)); err != nil {
		t.Fatal(err)
	}
	t.Run("item-273 item-284", func(t *testing.T) {
		key := string(d.Keys.VerifyBytes[:])
		at := d.Keys.LeaderTask(task)
		for _, text := range []string{fmt.Sprint(at), fmt.Sprintf("%+v %#v %x", at, at.VerifyKeys, at.VerifyKeys[0]), string(ok(json.Marshal(at.VerifyKeys)))} {
			if strings.Contains(text, key) || strings.Contains(text, fmt.Sprintf("%x", key)) || strings.Contains(text, fmt.Sprint(d.Keys.VerifyBytes)) || strings.Contains(text, d.Keys.PeerToken) {
				t.Errorf("a secret is in %q", text)
			}
		}
		for _, x := range d.Net.Log() {
			if strings.Contains(string(x.RequestBody), key) || strings.Contains(string(x.Body), key) || strings.Contains(fmt.Sprint(x.Header, x.RequestHeader, x.URL), key) {
				t.Errorf("the verify key is in %s %s", x.Method, x.URL)
			}
		}
	})
}
