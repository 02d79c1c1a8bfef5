package aggregatortest_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"candor/aggregator"
	"candor/aggregator/aggregatortest"
	"candor/aggregator/helper"
	"candor/aggregator/leader"
	"candor/aggregator/store"
	"candor/schema/dap"
	"candor/schema/round"
)

// jobs returns the aggregation jobs among exchanges, parsed.
func jobs(t *testing.T, log []aggregatortest.Exchange) (list []dap.AggregationJobInitReq) {
	t.Helper()
	for _, x := range log {
		if x.Method == http.MethodPost && strings.HasSuffix(x.URL, "/aggregation_jobs") {
			list = append(list, ok(dap.Parse[dap.AggregationJobInitReq](x.RequestBody)))
		}
	}
	return list
}

// toHelper returns the exchanges with the Helper.
func toHelper(log []aggregatortest.Exchange) (list []aggregatortest.Exchange) {
	for _, x := range log {
		if strings.HasPrefix(x.URL, aggregatortest.HelperURL) {
			list = append(list, x)
		}
	}
	return list
}

func TestConformance_116_LeaderInitialization(t *testing.T) {
	v := aggregatortest.Variants()[3] // Histogram has a public share
	d := aggregatortest.New(t, aggregatortest.Options{}, aggregatortest.TaskSpec{VDAF: v.VDAF}, aggregatortest.TaskSpec{VDAF: v.VDAF})
	task, other := d.Tasks[0], d.Tasks[1]
	report := func(task *round.Task, spec aggregatortest.ReportSpec) dap.Report {
		spec.Measurement, spec.Time = []uint64{2}, start
		return d.Keys.NewReport(t, task, spec)
	}
	good := report(task, aggregatortest.ReportSpec{})
	undecryptable := report(task, aggregatortest.ReportSpec{})
	undecryptable.Leader.Payload[0] ^= 1
	invalid := report(task, aggregatortest.ReportSpec{Plaintext: func(role dap.Role, b []byte) []byte {
		if role == dap.Leader { // an element that is not of the field: all its bytes are set
			return withPayload(b, func(p []byte) []byte { copy(p, bytes.Repeat([]byte{0xff}, 16)); return p })
		}
		return b
	}})
	wantRefused(t, d.UploadReports(task, good, undecryptable, invalid))
	wantRefused(t, d.UploadReports(other, report(other, aggregatortest.ReportSpec{})))
	d.Net.Log()
	d.Settle(4)
	log := toHelper(d.Net.Log())
	t.Run("item-116 item-122 item-027 one job for each task", func(t *testing.T) {
		if len(log) != 2 {
			t.Fatalf("%d requests, want 2", len(log))
		}
		for _, x := range log {
			if !strings.HasSuffix(x.URL, "/aggregation_jobs") || x.Method != http.MethodPost || x.RequestHeader.Get("Content-Type") != dap.MediaTypeAggregationJobInitReq {
				t.Errorf("%s %s with %q", x.Method, x.URL, x.RequestHeader.Get("Content-Type"))
			}
		}
	})
	t.Run("item-118 item-119 item-121 only valid reports, unchanged", func(t *testing.T) {
		i := slices.IndexFunc(log, func(x aggregatortest.Exchange) bool { return strings.Contains(x.URL, task.ID.String()) })
		req := ok(dap.Parse[dap.AggregationJobInitReq](log[i].RequestBody))
		want := d.Keys.VerifyReports(t, task, nil, good).Request
		if !bytes.Equal(ok(dap.Marshal(req)), ok(dap.Marshal(want))) {
			t.Errorf("request\n%+v\nwant\n%+v", req, want)
		}
	})
	t.Run("item-120 item-165 parameters", func(t *testing.T) {
		for _, req := range jobs(t, log) {
			if len(req.AggregationParameter) != 0 || req.VerificationKeyID != 0 || len(req.Extensions) != 0 {
				t.Errorf("parameter %x, key %d, extensions %v", req.AggregationParameter, req.VerificationKeyID, req.Extensions)
			}
		}
	})
	t.Run("item-128 rejected reports are not used again", func(t *testing.T) {
		c := d.Counters(task)
		if c[aggregator.CounterRejected+"hpke_decrypt_error"] != 1 || c[aggregator.CounterRejected+"invalid_message"] != 1 || c[aggregator.CounterAggregated] != 1 {
			t.Errorf("counters %v", c)
		}
		d.Settle(10)
		if again := toHelper(d.Net.Log()); len(again) != 0 {
			t.Errorf("%d more requests", len(again))
		}
	})
}

func TestConformance_117_OnlyWhatCanBeCommitted(t *testing.T) {
	d := aggregatortest.New(t, aggregatortest.Options{}, aggregatortest.TaskSpec{})
	task := d.Tasks[0]
	d.Upload(task, one, one)
	job, err := d.Collector(task).Start(t.Context(), dap.NewTimeIntervalQuery(dap.Interval{Start: start, Duration: 1}))
	if err != nil {
		t.Fatal(err)
	}
	// A report comes while the Helper has been asked for its share and before the batch is collected: the request is lost at first.
	d.Net.Decide(func(r *http.Request) aggregatortest.Fate {
		if strings.HasSuffix(r.URL.Path, "/aggregate_shares") {
			return aggregatortest.RequestLost
		}
		return aggregatortest.Delivered
	})
	d.Settle(3)
	late := d.Keys.NewReport(t, task, aggregatortest.ReportSpec{Measurement: one, Time: start})
	wantRefused(t, d.UploadReports(task, late))
	d.Settle(3)
	d.Net.Decide(nil)
	d.Net.Log()
	d.Settle(60)
	t.Run("item-117 item-211 item-188 item-279 a report that comes too late is refused", func(t *testing.T) {
		if got := jobs(t, d.Net.Log()); len(got) != 0 {
			t.Errorf("the late report was sent to the Helper")
		}
		if n := d.Counters(task)[aggregator.CounterRejected+"batch_collected"]; n != 1 {
			t.Errorf("counters %v, want one report rejected with batch_collected", d.Counters(task))
		}
		result, err := d.Collector(task).Poll(t.Context(), job)
		wantResult(t, result, err, 2, 2)
	})
}

func TestConformance_123_RetriesAndAnswers(t *testing.T) {
	t.Run("item-123 item-137 item-138 the same bytes, also after a restart", func(t *testing.T) {
		d := aggregatortest.New(t, aggregatortest.Options{}, aggregatortest.TaskSpec{})
		task := d.Tasks[0]
		d.Upload(task, one, zero, one)
		fates := []aggregatortest.Fate{aggregatortest.RequestLost, aggregatortest.ResponseLost, aggregatortest.ResponseLost}
		d.Net.Decide(func(r *http.Request) aggregatortest.Fate {
			if r.URL.Host != "helper.test" || len(fates) == 0 {
				return aggregatortest.Delivered
			}
			f := fates[0]
			fates = fates[1:]
			return f
		})
		d.Net.Log()
		for range 4 {
			d.Settle(15)
			d.RestartLeader()
		}
		var sent [][]byte
		for _, x := range toHelper(d.Net.Log()) {
			sent = append(sent, x.RequestBody)
		}
		if len(sent) != 4 {
			t.Fatalf("%d requests, want 4", len(sent))
		}
		for _, b := range sent[1:] {
			if !bytes.Equal(b, sent[0]) {
				t.Errorf("a retry has other bytes")
			}
		}
		got, err := d.Collect(task, d.All(task))
		wantResult(t, got, err, 3, 2)
	})

	// Each response is changed into one that does not fit the request.
	responses := func(name string, alter func(dap.AggregationJobResp) []byte) {
		t.Run(name, func(t *testing.T) {
			d := aggregatortest.New(t, aggregatortest.Options{}, aggregatortest.TaskSpec{})
			task := d.Tasks[0]
			d.Upload(task, one, zero, one)
			altered := 0
			d.Net.Alter(func(req *http.Request, resp *http.Response) {
				if req.Method == http.MethodPost && strings.HasSuffix(req.URL.Path, "/aggregation_jobs") && altered == 0 {
					altered++
					body := alter(ok(dap.Parse[dap.AggregationJobResp](ok(io.ReadAll(resp.Body)))))
					resp.Body = io.NopCloser(bytes.NewReader(body))
				}
			})
			d.Net.Log()
			for range 3 { // until the job is made, and not longer
				d.Settle(1)
				if altered > 0 {
					break
				}
			}
			log := toHelper(d.Net.Log())
			if n := d.Counters(task)[aggregator.CounterAbandoned]; n != 1 {
				t.Fatalf("%d jobs abandoned, want 1", n)
			}
			last := log[len(log)-1]
			if last.Method != http.MethodDelete || !strings.Contains(last.URL, "/aggregation_jobs/") || strings.Contains(last.URL, "?") {
				t.Errorf("the last request is %s %s, want a DELETE of the job", last.Method, last.URL)
			}
			if d.Status(task).Queue != 3 {
				t.Errorf("%d reports are to be aggregated, want 3", d.Status(task).Queue)
			}
		})
	}
	responses("item-124 item-139 item-141 report missing", func(r dap.AggregationJobResp) []byte { return ok(dap.Marshal(r[1:])) })
	responses("item-124 item-139 item-141 report added", func(r dap.AggregationJobResp) []byte {
		return ok(dap.Marshal(append(r, dap.VerifyResp{Type: dap.VerifyContinued, Payload: []byte{1}})))
	})
	responses("item-124 item-139 item-141 reports in another order", func(r dap.AggregationJobResp) []byte { r[0], r[1] = r[1], r[0]; return ok(dap.Marshal(r)) })
	responses("item-124 item-139 item-141 same report twice", func(r dap.AggregationJobResp) []byte { r[0] = r[1]; return ok(dap.Marshal(r)) })
	responses("item-130 item-139 item-141 finish at the first step", func(r dap.AggregationJobResp) []byte { r[1].Type = dap.VerifyFinished; return ok(dap.Marshal(r)) })
	responses("item-030 trailing byte", func(r dap.AggregationJobResp) []byte { return append(ok(dap.Marshal(r)), 0) })

	t.Run("item-140 reports of an abandoned job are used again", func(t *testing.T) {
		d := aggregatortest.New(t, aggregatortest.Options{}, aggregatortest.TaskSpec{})
		task := d.Tasks[0]
		d.Upload(task, one, zero, one)
		// The Helper refuses for good, without having done anything, and later takes what it refused.
		refuse := true
		d.Net.Serve("helper.test", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if refuse {
				w.Header().Set("Content-Type", dap.MediaTypeProblem)
				w.WriteHeader(400)
				w.Write(ok(dap.NewProblem(dap.InvalidMessage, "no").MarshalJSON()))
				return
			}
			d.Helper.Handler().ServeHTTP(w, r)
		}))
		d.Settle(60)
		if n := d.Counters(task)[aggregator.CounterAbandoned]; n != 1 {
			t.Fatalf("%d jobs abandoned, want 1: %+v", n, d.Status(task))
		}
		refuse = false
		got, err := d.Collect(task, d.All(task))
		wantResult(t, got, err, 3, 2)
	})
	t.Run("item-125 item-126 item-127 item-128 outcomes", func(t *testing.T) {
		d := aggregatortest.New(t, aggregatortest.Options{}, aggregatortest.TaskSpec{})
		task := d.Tasks[0]
		d.Upload(task, one, one, one, one)
		// The first report is rejected, with a code that no registry has; the second gets a message that does not verify.
		altered := false
		d.Net.Alter(func(req *http.Request, resp *http.Response) {
			if altered || !strings.HasSuffix(req.URL.Path, "/aggregation_jobs") {
				return
			}
			altered = true
			r := ok(dap.Parse[dap.AggregationJobResp](ok(io.ReadAll(resp.Body))))
			r[0] = dap.VerifyResp{ReportID: r[0].ReportID, Type: dap.VerifyRejected, Error: 200}
			r[1].Payload = []byte{2, 0, 0, 0, 1, 7}
			resp.Body = io.NopCloser(bytes.NewReader(ok(dap.Marshal(r))))
		})
		d.Net.Log()
		d.Settle(20)
		if got := jobs(t, d.Net.Log()); len(got) != 1 {
			t.Fatalf("%d jobs, want 1", len(got))
		}
		c := d.Counters(task)
		if c[aggregator.CounterAggregated] != 2 || c[aggregator.CounterRejected+"unknown_error"] != 1 || c[aggregator.CounterRejected+"vdaf_verify_error"] != 1 {
			t.Errorf("counters %v", c)
		}
	})
	t.Run("item-129 too early may be offered again", func(t *testing.T) {
		d := aggregatortest.New(t, aggregatortest.Options{Helper: helper.Config{Skew: -1}}, aggregatortest.TaskSpec{Precision: 1})
		task := d.Tasks[0]
		d.HelperClock.Advance(-2 * time.Minute)
		d.Upload(task, one)
		d.Settle(30)
		if n := d.Counters(task)[aggregator.CounterAggregated]; n != 0 || d.Status(task).Queue != 1 {
			t.Fatalf("aggregated %d, queue %d", n, d.Status(task).Queue)
		}
		d.HelperClock.Advance(2 * time.Minute)
		got, err := d.Collect(task, dap.NewTimeIntervalQuery(dap.Interval{Start: d.Now(task) - 100, Duration: 101}))
		wantResult(t, got, err, 1, 1)
	})
}

// A Helper repeats its first answer to the same bytes. A report that it called too early, because its clock was behind, is not given up for an answer of
// hours ago: the Leader has the job deleted before it offers the report again, however long that does not work.
func TestTooEarlyIsNotForEver(t *testing.T) {
	d := aggregatortest.New(t, aggregatortest.Options{Helper: helper.Config{Skew: -1}}, aggregatortest.TaskSpec{Precision: 1})
	task := d.Tasks[0]
	d.HelperClock.Advance(-20 * time.Minute)
	d.Upload(task, one)
	at := d.Now(task)
	d.Net.Decide(func(r *http.Request) aggregatortest.Fate {
		if r.Method == http.MethodDelete {
			return aggregatortest.RequestLost
		}
		return aggregatortest.Delivered
	})
	d.Settle(30)
	for range 30 { // three hours
		d.Advance(6 * time.Minute)
		d.Settle(2)
	}
	d.HelperClock.Advance(20 * time.Minute)
	d.Net.Decide(nil)
	got, err := d.Collect(task, dap.NewTimeIntervalQuery(dap.Interval{Start: at, Duration: 1}))
	wantResult(t, got, err, 1, 1)
}

func TestConformance_131_Polling(t *testing.T) {
	d := aggregatortest.New(t, aggregatortest.Options{Helper: helper.Config{Deferred: true, RetryAfter: 7 * time.Second}}, aggregatortest.TaskSpec{})
	task := d.Tasks[0]
	d.Upload(task, one, one)
	d.Net.Log()
	tick := func(seconds int) []aggregatortest.Exchange {
		for range seconds {
			for worked := true; worked; {
				worked = ok(d.Leader.Tick(t.Context()))
			}
			d.Advance(time.Second)
		}
		return toHelper(d.Net.Log())
	}
	log := tick(3) // the Leader alone: the Helper does not get to its work
	if len(log) != 1 || log[0].Status != 200 || len(log[0].Body) != 0 {
		t.Fatalf("%d requests: %+v", len(log), log)
	}
	location := log[0].Header.Get("Location")
	t.Run("item-004 item-005 item-014 item-156 deferred", func(t *testing.T) {
		if !strings.HasSuffix(location, "?step=0") || log[0].Header.Get("Retry-After") != "7" {
			t.Errorf("Location %q, Retry-After %q", location, log[0].Header.Get("Retry-After"))
		}
	})
	t.Run("item-006 item-007 item-008 item-131 item-132 polled at Location when Retry-After says", func(t *testing.T) {
		log := tick(14)
		if len(log) != 2 {
			t.Fatalf("%d polls in 14 seconds, want 2", len(log))
		}
		for _, x := range log {
			if x.Method != http.MethodGet || x.URL != location || len(x.Body) != 0 || x.Header.Get("Retry-After") != "7" {
				t.Errorf("%s %s: %+v", x.Method, x.URL, x)
			}
		}
	})
	t.Run("item-009 item-282 ready", func(t *testing.T) {
		if _, err := d.Helper.Tick(t.Context()); err != nil {
			t.Fatal(err)
		}
		log := tick(8)
		if len(log) != 1 || log[0].Header.Get("Content-Type") != dap.MediaTypeAggregationJobResp {
			t.Fatalf("%+v", log)
		}
		got, err := d.Collect(task, d.All(task))
		wantResult(t, got, err, 2, 2)
	})
	t.Run("item-012 a Helper without GET is asked again by POST", func(t *testing.T) {
		d := aggregatortest.New(t, aggregatortest.Options{}, aggregatortest.TaskSpec{})
		task := d.Tasks[0]
		d.Upload(task, one)
		var seen []string
		d.Net.Serve("helper.test", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			seen = append(seen, r.Method)
			if r.Method == http.MethodPost && len(seen) < 3 {
				w.Header().Set("Location", "aggregation_jobs/x?step=0")
				w.WriteHeader(202)
				return
			}
			if r.Method == http.MethodGet {
				w.Header().Set("Content-Type", dap.MediaTypeProblem)
				w.WriteHeader(404)
				w.Write(ok(dap.NewProblem(dap.UnrecognizedAggregationJob, "").MarshalJSON()))
				return
			}
			d.Helper.Handler().ServeHTTP(w, r)
		}))
		got, err := d.Collect(task, d.All(task))
		wantResult(t, got, err, 1, 1)
		if !slices.Equal(seen[:3], []string{"POST", "GET", "POST"}) {
			t.Errorf("requests %v", seen)
		}
	})
}

func TestConformance_017_StatusClasses(t *testing.T) {
	for _, c := range []struct {
		item   string
		status int
		want   string // the reason for which the job waits
	}{
		{"item-017", 500, aggregator.WaitingHelperUnavailable}, {"item-017", 599, aggregator.WaitingHelperUnavailable}, {"item-017", 429, aggregator.WaitingHelperUnavailable},
		{"item-017", 401, aggregator.WaitingHelperRefused}, {"item-017", 499, aggregator.WaitingHelperRefused}, {"item-017", 307, aggregator.WaitingHelperRefused},
	} {
		t.Run(c.item+" status "+http.StatusText(c.status), func(t *testing.T) {
			d := aggregatortest.New(t, aggregatortest.Options{}, aggregatortest.TaskSpec{})
			task := d.Tasks[0]
			d.Upload(task, one)
			d.Net.Serve("helper.test", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Location", "http://elsewhere.test/")
				w.WriteHeader(c.status)
			}))
			d.Settle(3)
			wantWaiting(t, d.Status(task), c.want)
			d.Net.Serve("helper.test", d.Helper.Handler())
			got, err := d.Collect(task, d.All(task))
			wantResult(t, got, err, 1, 1)
		})
	}
	t.Run("item-017 any success status is one", func(t *testing.T) {
		d := aggregatortest.New(t, aggregatortest.Options{}, aggregatortest.TaskSpec{})
		task := d.Tasks[0]
		d.Net.Alter(func(req *http.Request, resp *http.Response) {
			if req.URL.Host == "helper.test" && req.Method == http.MethodPost && resp.StatusCode == 200 {
				resp.StatusCode = 202
			}
		})
		d.Upload(task, one)
		got, err := d.Collect(task, d.All(task))
		wantResult(t, got, err, 1, 1)
	})
}

func TestConformance_142_OneWorker(t *testing.T) {
	d := aggregatortest.New(t, aggregatortest.Options{Leader: leader.Config{LeaseTTL: 10 * time.Minute}}, aggregatortest.TaskSpec{})
	task := d.Tasks[0]
	second := d.NewLeader()
	d.Upload(task, one, one)
	// The first worker dies in the middle of its exchange with the Helper.
	ctx, kill := context.WithCancel(t.Context())
	d.Net.Decide(func(r *http.Request) aggregatortest.Fate {
		if r.URL.Host == "helper.test" {
			kill()
		}
		return aggregatortest.ResponseLost
	})
	for ctx.Err() == nil {
		if _, err := d.Leader.Tick(ctx); err != nil {
			t.Fatal(err)
		}
		d.Advance(time.Second)
	}
	d.Net.Decide(nil)
	d.Net.Log()
	work := func() int {
		for worked := true; worked; {
			worked = ok(second.Tick(t.Context()))
		}
		return len(toHelper(d.Net.Log()))
	}
	t.Run("item-142 a leased job is left alone", func(t *testing.T) {
		d.Advance(5 * time.Minute)
		if n := work(); n != 0 {
			t.Errorf("another worker made %d requests", n)
		}
	})
	t.Run("item-142 item-181 taken over when the lease has ended", func(t *testing.T) {
		d.Advance(6 * time.Minute)
		if n := work(); n != 1 {
			t.Errorf("another worker made %d requests, want 1", n)
		}
		got, err := d.Collect(task, d.All(task))
		wantResult(t, got, err, 2, 2)
	})
}

func TestConformance_143_LeaderSelectedJobs(t *testing.T) {
	const minBatch, reports = 5, 23
	d := aggregatortest.New(t, aggregatortest.Options{Leader: leader.Config{MaxJobReports: 3}}, aggregatortest.TaskSpec{Mode: dap.LeaderSelected, MinBatch: minBatch})
	task := d.Tasks[0]
	for range reports {
		d.Upload(task, one)
	}
	d.Net.Log()
	d.Settle(10)
	counts := make(map[dap.BatchID]int)
	for _, req := range jobs(t, d.Net.Log()) {
		t.Run("item-143 item-145 item-190 extension", func(t *testing.T) {
			if len(req.Extensions) != 1 || req.Extensions[0].Type != dap.JobExtensionLeaderSelectedBatchID || len(req.Extensions[0].Data) != 32 {
				t.Errorf("extensions %v", req.Extensions)
			}
		})
		counts[ok(dap.Parse[dap.BatchID](req.Extensions[0].Data))] += len(req.VerifyInits)
	}
	t.Run("item-144 item-214 batches", func(t *testing.T) {
		if len(counts) != 5 {
			t.Fatalf("%d batches of %v, want 5", len(counts), counts)
		}
		total := 0
		for id, n := range counts {
			total += n
			if n > minBatch || id == (dap.BatchID{}) {
				t.Errorf("batch %s has %d reports", id, n)
			}
		}
		if total != reports {
			t.Errorf("%d reports in jobs, want %d", total, reports)
		}
	})
	t.Run("item-213 each batch is collected once", func(t *testing.T) {
		for range 4 {
			got, err := d.Collect(task, dap.NewLeaderSelectedQuery())
			wantResult(t, got, err, minBatch, minBatch)
		}
		reply := d.PostCollection(task, ok(dap.Marshal(dap.CollectionJobReq{Query: dap.NewLeaderSelectedQuery()})))
		d.Settle(5)
		if r := d.Ask(http.MethodGet, reply.Location, "", d.Keys.CollectorToken, nil); r.Status != 200 || len(r.Body) != 0 {
			t.Errorf("a batch with 3 reports: status %d, %d bytes", r.Status, len(r.Body))
		}
		wantWaiting(t, d.Status(task), aggregator.WaitingBatchTooSmall)
	})
}

// A job is smaller than others only when nothing else is left, and then it does not wait for ever.
func TestLeftovers(t *testing.T) {
	d := aggregatortest.New(t, aggregatortest.Options{Leader: leader.Config{MaxJobReports: 4, MaxJobDelay: 30 * time.Second}}, aggregatortest.TaskSpec{})
	task := d.Tasks[0]
	for range 11 {
		d.Upload(task, one)
	}
	d.Net.Log()
	d.Settle(20)
	var sizes []int
	for _, req := range jobs(t, d.Net.Log()) {
		sizes = append(sizes, len(req.VerifyInits))
	}
	if !slices.Equal(sizes, []int{4, 4}) {
		t.Fatalf("jobs of %v reports at first, want 4 and 4", sizes)
	}
	d.Settle(20)
	if got := jobs(t, d.Net.Log()); len(got) != 1 || len(got[0].VerifyInits) != 3 {
		t.Fatalf("%d jobs later, want one of 3 reports", len(got))
	}
	// A collection that waits for leftovers makes the job at once.
	d.Upload(task, one)
	got, err := d.Collect(task, d.All(task))
	wantResult(t, got, err, 12, 12)
	if waited := d.Clock.Now().Sub(aggregatortest.Start); waited > 50*time.Second {
		t.Errorf("collected after %v: the leftover was not wanted", waited)
	}
}

// What the Helper finds too large is offered in smaller jobs.
func TestTooLargeJobsAreHalved(t *testing.T) {
	d := aggregatortest.New(t, aggregatortest.Options{Helper: helper.Config{MaxJob: 1000}}, aggregatortest.TaskSpec{})
	task := d.Tasks[0]
	for range 20 {
		d.Upload(task, one)
	}
	got, err := d.Collect(task, d.All(task))
	wantResult(t, got, err, 20, 20)
}

// After an abandoned job that the Helper had committed the two differ: the batch is not collected, and the status names the reports.
func TestMismatchIsNamedAndNothingBurnt(t *testing.T) {
	d := aggregatortest.New(t, aggregatortest.Options{Leader: leader.Config{MaxJobReports: 2}}, aggregatortest.TaskSpec{})
	task := d.Tasks[0]
	var ids []dap.ReportID
	for range 6 {
		r := d.Keys.NewReport(t, task, aggregatortest.ReportSpec{Measurement: one, Time: start})
		wantRefused(t, d.UploadReports(task, r))
		ids = append(ids, r.Metadata.ReportID)
	}
	altered := false
	d.Net.Alter(func(req *http.Request, resp *http.Response) {
		if req.Method == http.MethodPost && !altered {
			altered = true
			r := ok(dap.Parse[dap.AggregationJobResp](ok(io.ReadAll(resp.Body))))
			slices.Reverse(r)
			resp.Body = io.NopCloser(bytes.NewReader(ok(dap.Marshal(r))))
		}
	})
	d.Settle(5)
	reply := d.PostCollection(task, ok(dap.Marshal(dap.CollectionJobReq{Query: dap.NewTimeIntervalQuery(dap.Interval{Start: start, Duration: 1})})))
	d.Settle(60)
	text := wantWaiting(t, d.Status(task), aggregator.WaitingBatchMismatch)
	for i, id := range ids {
		if named := strings.Contains(text, id.String()); named != (i < 2) {
			t.Errorf("report %d named: %v, in %q", i, named, text)
		}
	}
	for _, x := range d.Net.Log() {
		if strings.HasSuffix(x.URL, "/aggregate_shares") {
			t.Error("the Helper was asked for its share of a batch on which the two differ")
		}
	}
	diff, err := d.Leader.Difference(t.Context(), task.ID, store.Batch{Interval: dap.Interval{Start: start, Duration: 1}})
	if err != nil || len(diff.LeaderOnly) != 0 || len(diff.HelperOnly) != 2 {
		t.Fatalf("difference %+v, %v", diff, err)
	}
	for _, id := range diff.HelperOnly {
		if !slices.Contains(ids[:2], id) {
			t.Errorf("report %s is not one of those that only the Helper has", id)
		}
	}
	if r := d.Ask(http.MethodGet, reply.Location, "", d.Keys.CollectorToken, nil); r.Status != 200 || len(r.Body) != 0 {
		t.Errorf("the collection job: status %d, %d bytes, want pending", r.Status, len(r.Body))
	}
}
