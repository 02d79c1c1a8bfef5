package aggregatortest_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"candor/aggregator"
	"candor/aggregator/aggregatortest"
	"candor/aggregator/leader"
	"candor/client/collector"
	"candor/crypto/seal"
	"candor/schema/dap"
	"candor/schema/round"
)

// interval encodes a collection job request for an interval.
func interval(first dap.Time, n dap.Duration) []byte {
	return ok(dap.Marshal(dap.CollectionJobReq{Query: dap.NewTimeIntervalQuery(dap.Interval{Start: first, Duration: n})}))
}

func TestConformance_192_CollectionJobRequests(t *testing.T) {
	d := aggregatortest.New(t, aggregatortest.Options{}, aggregatortest.TaskSpec{}, aggregatortest.TaskSpec{Mode: dap.LeaderSelected})
	task, selected := d.Tasks[0], d.Tasks[1]
	d.Upload(task, one, zero, one)
	got, err := d.Collect(task, dap.NewTimeIntervalQuery(dap.Interval{Start: start, Duration: 2}))
	wantResult(t, got, err, 3, 2)

	whole := interval(start-5, 1)
	query := dap.NewTimeIntervalQuery(dap.Interval{Start: start - 5, Duration: 1})
	ext := func(types ...uint16) (list []dap.Extension) {
		for _, x := range types {
			list = append(list, dap.Extension{Type: x})
		}
		return list
	}
	for _, c := range []struct {
		name string
		task *round.Task
		body []byte
		want dap.ProblemType
	}{
		{"item-192 unknown task", aggregatortest.NewRoundTask(t, aggregatortest.TaskSpec{}), whole, dap.UnrecognizedTask},
		{"item-193 other batch mode", selected, whole, dap.InvalidMessage},
		{"item-193 other batch mode", task, ok(dap.Marshal(dap.CollectionJobReq{Query: dap.NewLeaderSelectedQuery()})), dap.InvalidMessage},
		{"item-194 empty", task, nil, dap.InvalidMessage},
		{"item-194 cut off", task, whole[:len(whole)-1], dap.InvalidMessage},
		{"item-194 trailing byte", task, append(slices.Clone(whole), 0), dap.InvalidMessage},
		{"item-194 interval of 15 bytes", task, append([]byte{1, 0, 15}, make([]byte, 15+6)...), dap.InvalidMessage},
		{"item-195 aggregation parameter", task, ok(dap.Marshal(dap.CollectionJobReq{Query: query, AggregationParameter: []byte{1}})), dap.InvalidAggregationParameter},
		{"item-196 item-198 no unit", task, interval(start-5, 0), dap.BatchInvalid},
		{"item-197 overflow", task, interval(math.MaxUint64, 1), dap.BatchInvalid},
		{"item-197 overflow", task, interval(2, math.MaxUint64), dap.BatchInvalid},
		{"item-199 item-280 collected", task, interval(start+1, 5), dap.BatchOverlap},
		{"item-199 item-280 collected", task, interval(start-5, 6), dap.BatchOverlap},
		{"item-199 item-280 empty bucket of a collected interval", task, interval(start+1, 1), dap.BatchOverlap},
		{"item-201 unknown extension", task, ok(dap.Marshal(dap.CollectionJobReq{Query: query, Extensions: ext(3)})), dap.UnsupportedExtension},
		{"item-202 extensions repeated", task, ok(dap.Marshal(dap.CollectionJobReq{Query: query, Extensions: ext(3, 3)})), dap.InvalidExtension},
		{"item-202 extensions out of order", task, ok(dap.Marshal(dap.CollectionJobReq{Query: query, Extensions: ext(4, 3)})), dap.InvalidExtension},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := d.PostCollection(c.task, c.body)
			wantProblem(t, r, c.want)
			if r.Location != "" {
				t.Errorf("a refused request has the Location %q", r.Location)
			}
		})
	}
}

func TestConformance_204_CollectionJobs(t *testing.T) {
	v := aggregatortest.Variants()[1]
	d := aggregatortest.New(t, aggregatortest.Options{Leader: leader.Config{RetryAfter: 9 * time.Second}}, aggregatortest.TaskSpec{VDAF: v.VDAF, MinBatch: 4})
	task := d.Tasks[0]
	upload := func(at dap.Time, x uint64) dap.Report {
		r := d.Keys.NewReport(t, task, aggregatortest.ReportSpec{Measurement: []uint64{x}, Time: at})
		wantRefused(t, d.UploadReports(task, r))
		return r
	}
	upload(start-8, 10)
	upload(start-3, 20)
	upload(start-6, 30)
	query := dap.NewTimeIntervalQuery(dap.Interval{Start: start - 10, Duration: 11})
	body := ok(dap.Marshal(dap.CollectionJobReq{Query: query}))
	created := d.PostCollection(task, body)
	get := func() aggregatortest.Reply {
		return d.Ask(http.MethodGet, created.Location, "", d.Keys.CollectorToken, nil)
	}
	t.Run("item-013 item-016 item-204 Location", func(t *testing.T) {
		if created.Status != 200 || !strings.HasPrefix(created.Location, d.LeaderURL(task, "collection_jobs/")) {
			t.Fatalf("status %d, Location %q", created.Status, created.Location)
		}
	})
	t.Run("item-004 item-005 item-008 item-014 item-206 item-208 too few reports: pending", func(t *testing.T) {
		d.Net.Log()
		d.Settle(20)
		for _, r := range []aggregatortest.Reply{created, get()} {
			if r.Status != 200 || len(r.Body) != 0 || r.RetryAfter != "9" {
				t.Errorf("status %d, %d bytes, Retry-After %q", r.Status, len(r.Body), r.RetryAfter)
			}
		}
		for _, x := range d.Net.Log() {
			if strings.HasSuffix(x.URL, "/aggregate_shares") {
				t.Error("the Helper was asked for its share of too few reports")
			}
		}
		wantWaiting(t, d.Status(task), aggregator.WaitingBatchTooSmall)
	})
	t.Run("item-015 item-212 identical request while pending", func(t *testing.T) {
		if again := d.PostCollection(task, body); again.Location != created.Location || again.Status != 200 || len(again.Body) != 0 {
			t.Errorf("Location %q, want %q", again.Location, created.Location)
		}
	})
	upload(start-8, 40)
	d.Net.Log()
	d.Settle(60)
	ready := get()
	t.Run("item-009 item-027 ready", func(t *testing.T) {
		if ready.Status != 200 || ready.Header.Get("Content-Type") != dap.MediaTypeCollectionJobResp || len(ready.Body) == 0 {
			t.Fatalf("status %d, %q, %d bytes", ready.Status, ready.Header.Get("Content-Type"), len(ready.Body))
		}
	})
	t.Run("item-205 item-216 item-217 the Helper is asked when all is aggregated, with the Collector's request", func(t *testing.T) {
		log := toHelper(d.Net.Log())
		last := log[len(log)-1]
		req, err := dap.Parse[dap.AggregateShareReq](last.RequestBody)
		if err != nil || !bytes.HasPrefix(last.RequestBody, body) || req.ReportCount != 4 || !bytes.Equal(req.BatchSelector.Config, query.Config) {
			t.Errorf("last request %s %s: %+v, %v", last.Method, last.URL, req, err)
		}
		for _, x := range log[:len(log)-1] {
			if strings.HasSuffix(x.URL, "/aggregate_shares") {
				t.Error("the Helper was asked before")
			}
		}
	})
	resp := ok(dap.Parse[dap.CollectionJobResp](ready.Body))
	t.Run("item-210 count and interval", func(t *testing.T) {
		if want := (dap.Interval{Start: start - 8, Duration: 6}); resp.ReportCount != 4 || resp.Interval != want {
			t.Errorf("%d reports in %v, want 4 in %v", resp.ReportCount, resp.Interval, want)
		}
	})
	t.Run("item-033 item-215 item-230 item-231 sealed for the Collector by each role", func(t *testing.T) {
		aad := dap.AggregateShareAAD(task.ID, task.Encoded, body)
		var shares [][]byte
		for role, ct := range map[dap.Role]dap.HpkeCiphertext{dap.Leader: resp.Leader, dap.Helper: resp.Helper} {
			share, err := d.Keys.CollectorPrivate.Open(ct.Enc, dap.AggregateShareInfo(role), aad, ct.Payload)
			if err != nil || ct.ConfigID != d.Keys.Collector.ID {
				t.Errorf("share of the %v, configuration %d: %v", role, ct.ConfigID, err)
			}
			shares = append(shares, share)
		}
		if sum := ok(task.VDAF.Unshard(shares, 4)); sum[0].Uint64() != 100 {
			t.Errorf("sum %v, want 100", sum)
		}
	})
	t.Run("item-015 item-212 identical request when ready", func(t *testing.T) {
		d.RestartLeader()
		if again := d.PostCollection(task, body); again.Location != created.Location || !bytes.Equal(again.Body, ready.Body) {
			t.Errorf("Location %q and %d bytes", again.Location, len(again.Body))
		}
	})
	t.Run("item-218 DELETE keeps that it was collected", func(t *testing.T) {
		for range 2 {
			if r := d.Ask(http.MethodDelete, created.Location, "", d.Keys.CollectorToken, nil); r.Status != 200 {
				t.Fatalf("DELETE: status %d", r.Status)
			}
		}
		if r := get(); r.Status != 404 || r.Problem == nil || r.Problem.Type != dap.AboutBlank {
			t.Errorf("after deletion: status %d, %+v", r.Status, r.Problem)
		}
		wantProblem(t, d.PostCollection(task, body), dap.BatchOverlap)
		late := d.Keys.NewReport(t, task, aggregatortest.ReportSpec{Measurement: []uint64{1}, Time: start - 8})
		wantRefused(t, d.UploadReports(task, late), dap.ReportUploadStatus{ReportID: late.Metadata.ReportID, Error: dap.ErrorReportReplayed})
	})
}

func TestConformance_207_CollectionFails(t *testing.T) {
	t.Run("item-010 item-207 item-238 too few reports for too long", func(t *testing.T) {
		d := aggregatortest.New(t, aggregatortest.Options{Leader: leader.Config{CollectGiveUp: time.Minute}}, aggregatortest.TaskSpec{MinBatch: 3})
		task := d.Tasks[0]
		d.Upload(task, one, one)
		_, err := d.Collect(task, dap.NewTimeIntervalQuery(dap.Interval{Start: start, Duration: 1}))
		wantError(t, err, dap.InvalidBatchSize)
		// The failed job does not match the same request, and nothing was burnt: appendix C-5.
		d.Upload(task, one)
		got, err := d.Collect(task, dap.NewTimeIntervalQuery(dap.Interval{Start: start, Duration: 1}))
		wantResult(t, got, err, 3, 3)
	})
	t.Run("item-010 item-022 item-024 item-209 the Helper's error is the Collector's", func(t *testing.T) {
		d := aggregatortest.New(t, aggregatortest.Options{}, aggregatortest.TaskSpec{})
		task := d.Tasks[0]
		r := d.Keys.NewReport(t, task, aggregatortest.ReportSpec{Measurement: one, Time: start})
		wantRefused(t, d.UploadReports(task, r))
		d.Settle(3)
		// Somebody has collected the batch at the Helper already.
		collect(t, d, task, dap.Interval{Start: start, Duration: 2}, r)
		created := d.PostCollection(task, interval(start, 1))
		d.Settle(5)
		failed := d.Ask(http.MethodGet, created.Location, "", d.Keys.CollectorToken, nil)
		wantProblem(t, failed, dap.BatchOverlap)
		if failed.Problem.TaskID == nil || *failed.Problem.TaskID != task.ID {
			t.Errorf("taskid %v", failed.Problem.TaskID)
		}
	})
	t.Run("item-199 item-280 overlapping jobs at once", func(t *testing.T) {
		d := aggregatortest.New(t, aggregatortest.Options{}, aggregatortest.TaskSpec{})
		task := d.Tasks[0]
		d.Upload(task, one, one)
		first, second := d.PostCollection(task, interval(start, 2)), d.PostCollection(task, interval(start-1, 2))
		d.Settle(20)
		a, b := d.Ask(http.MethodGet, first.Location, "", d.Keys.CollectorToken, nil), d.Ask(http.MethodGet, second.Location, "", d.Keys.CollectorToken, nil)
		if a.Status != 200 {
			a, b = b, a
		}
		if a.Status != 200 || len(a.Body) == 0 {
			t.Fatalf("neither is ready: %+v", d.Status(task))
		}
		wantProblem(t, b, dap.BatchOverlap)
	})
	t.Run("a Helper that does not answer is waited for", func(t *testing.T) {
		d := aggregatortest.New(t, aggregatortest.Options{}, aggregatortest.TaskSpec{})
		task := d.Tasks[0]
		d.Upload(task, one)
		d.Net.Serve("helper.test", nil)
		d.PostCollection(task, interval(start, 1))
		d.Settle(30)
		text := wantWaiting(t, d.Status(task), aggregator.WaitingReports)
		if !strings.Contains(text, "waiting for 1 reports of task "+task.ID.String()) || !strings.Contains(text, "the Helper does not answer") {
			t.Errorf("the reason is %q", text)
		}
		d.Net.Serve("helper.test", d.Helper.Handler())
		got, err := d.Collect(task, dap.NewTimeIntervalQuery(dap.Interval{Start: start, Duration: 1}))
		wantResult(t, got, err, 1, 1)
	})
}

func wantError(t *testing.T, err error, want dap.ProblemType) {
	t.Helper()
	var problem *dap.Problem
	if !errors.As(err, &problem) || problem.Type != want {
		t.Fatalf("error %v, want %s", err, want)
	}
}

func TestConformance_211_CommitAndCollection(t *testing.T) {
	// A commit that meets the collection of its batch is in the result or refused: the request for the share is sent when nothing is pending,
	// and what comes meanwhile waits. Here the answer with the share is lost, again and again, while reports come.
	d := aggregatortest.New(t, aggregatortest.Options{}, aggregatortest.TaskSpec{})
	task := d.Tasks[0]
	d.Upload(task, one, one)
	created := d.PostCollection(task, interval(start, 1))
	lost := 0
	d.Net.Decide(func(r *http.Request) aggregatortest.Fate {
		if strings.HasSuffix(r.URL.Path, "/aggregate_shares") && lost < 4 {
			lost++
			return aggregatortest.ResponseLost
		}
		return aggregatortest.Delivered
	})
	for range 6 {
		d.UploadReports(task, d.Keys.NewReport(t, task, aggregatortest.ReportSpec{Measurement: one, Time: start}))
		d.Settle(4)
	}
	d.Settle(60)
	t.Run("item-188 item-211 item-233", func(t *testing.T) {
		resp := ok(dap.Parse[dap.CollectionJobResp](d.Ask(http.MethodGet, created.Location, "", d.Keys.CollectorToken, nil).Body))
		c := d.Counters(task)
		refused := c[aggregator.CounterRejected+"batch_collected"] + c[aggregator.CounterUploadRefused+"report_replayed"]
		if lost != 4 || resp.ReportCount != c[aggregator.CounterAggregated] || resp.ReportCount+refused != 8 || refused < 4 {
			t.Errorf("%d reports; counters %v", resp.ReportCount, c)
		}
	})
}

func TestConformance_219_AggregateShares(t *testing.T) {
	d := aggregatortest.New(t, aggregatortest.Options{}, aggregatortest.TaskSpec{MinBatch: 2}, aggregatortest.TaskSpec{Mode: dap.LeaderSelected, MinBatch: 2})
	task, selected := d.Tasks[0], d.Tasks[1]
	batch, small := dap.BatchID{1}, dap.BatchID{2}
	add := func(task *round.Task, id *dap.BatchID, at dap.Time) dap.Report {
		r := d.Keys.NewReport(t, task, aggregatortest.ReportSpec{Measurement: one, Time: at})
		resp := ok(dap.Parse[dap.AggregationJobResp](d.PostJob(task, ok(dap.Marshal(d.Keys.VerifyReports(t, task, id, r).Request))).Body))
		if resp[0].Type != dap.VerifyContinued {
			t.Fatalf("%+v", resp)
		}
		return r
	}
	a, b, lone := add(task, nil, start-4), add(task, nil, start-2), add(task, nil, start)
	x, y := add(selected, &batch, start), add(selected, &batch, start)
	z := add(selected, &small, start)
	whole := dap.Interval{Start: start - 5, Duration: 4}
	valid := shareRequest(whole, a, b)
	ls := func(id dap.BatchID, reports ...dap.Report) dap.AggregateShareReq {
		req := shareRequest(dap.Interval{}, reports...)
		req.CollectionJobReq.Query, req.BatchSelector = dap.NewLeaderSelectedQuery(), dap.NewLeaderSelectedSelector(id)
		return req
	}
	with := func(req dap.AggregateShareReq, alter func(*dap.AggregateShareReq)) []byte {
		alter(&req)
		return ok(dap.Marshal(req))
	}
	query := func(q dap.Query) func(*dap.AggregateShareReq) {
		return func(r *dap.AggregateShareReq) { r.CollectionJobReq.Query = q }
	}
	selector := func(first dap.Time, n dap.Duration) func(*dap.AggregateShareReq) {
		return func(r *dap.AggregateShareReq) {
			r.BatchSelector = dap.NewTimeIntervalSelector(dap.Interval{Start: first, Duration: n})
		}
	}
	nothing := func(*dap.AggregateShareReq) {}
	bytesOf := with(valid, nothing)
	for _, c := range []struct {
		name string
		task *round.Task
		body []byte
		want dap.ProblemType
	}{
		{"item-219 unknown task", aggregatortest.NewRoundTask(t, aggregatortest.TaskSpec{}), bytesOf, dap.UnrecognizedTask},
		{"item-220 other batch mode", selected, bytesOf, dap.InvalidMessage},
		{"item-220 other batch mode of the query alone", task, with(valid, query(dap.NewLeaderSelectedQuery())), dap.InvalidMessage},
		{"item-220 other batch mode of the selector alone", task, with(valid, func(r *dap.AggregateShareReq) { r.BatchSelector = dap.NewLeaderSelectedSelector(batch) }), dap.InvalidMessage},
		{"item-221 cut off", task, bytesOf[:len(bytesOf)-1], dap.InvalidMessage},
		{"item-221 trailing byte", task, append(slices.Clone(bytesOf), 0), dap.InvalidMessage},
		{"item-222 item-223 selector begins before the query", task, with(valid, selector(start-6, 5)), dap.BatchInvalid},
		{"item-222 item-223 selector ends after the query", task, with(valid, selector(start-5, 5)), dap.BatchInvalid},
		{"item-222 empty selector", task, with(valid, selector(start-5, 0)), dap.BatchInvalid},
		{"item-222 selector overflows", task, with(valid, selector(math.MaxUint64, 2)), dap.BatchInvalid},
		{"item-222 query overflows", task, with(valid, query(dap.NewTimeIntervalQuery(dap.Interval{Start: 1, Duration: math.MaxUint64}))), dap.BatchInvalid},
		{"item-222 unused batch ID", selected, with(ls(dap.BatchID{9}, x, y), nothing), dap.BatchInvalid},
		{"item-225 too few reports", task, with(shareRequest(dap.Interval{Start: start, Duration: 1}, lone), nothing), dap.InvalidBatchSize},
		{"item-225 too few reports although the Leader says enough", task, with(shareRequest(dap.Interval{Start: start, Duration: 1}, lone, a), nothing), dap.InvalidBatchSize},
		{"item-225 no reports", task, with(shareRequest(dap.Interval{Start: start + 7, Duration: 1}), nothing), dap.InvalidBatchSize},
		{"item-225 too few reports, leader-selected", selected, with(ls(small, z), nothing), dap.InvalidBatchSize},
		{"item-226 aggregation parameter", task, with(valid, func(r *dap.AggregateShareReq) { r.CollectionJobReq.AggregationParameter = []byte{1} }), dap.InvalidMessage},
		{"item-227 unknown extension", task, with(valid, func(r *dap.AggregateShareReq) { r.CollectionJobReq.Extensions = []dap.Extension{{Type: 3}} }), dap.UnsupportedExtension},
		{"item-227 extensions out of order", task, with(valid, func(r *dap.AggregateShareReq) { r.CollectionJobReq.Extensions = []dap.Extension{{Type: 3}, {Type: 2}} }), dap.InvalidExtension},
		{"item-228 count", task, with(valid, func(r *dap.AggregateShareReq) { r.ReportCount++ }), dap.BatchMismatch},
		{"item-229 checksum", task, with(valid, func(r *dap.AggregateShareReq) { r.Checksum[31] ^= 1 }), dap.BatchMismatch},
		{"item-229 checksum, leader-selected", selected, with(ls(batch, x, z), nothing), dap.BatchMismatch},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := d.PostShare(c.task, c.body)
			wantProblem(t, r, c.want)
			if r.Location != "" {
				t.Errorf("a refused request has the Location %q", r.Location)
			}
		})
	}
	for _, c := range []struct {
		name string
		task *round.Task
		body []byte
		sum  []byte
	}{{"time-interval", task, bytesOf, nil}, {"leader-selected", selected, with(ls(batch, x, y), nothing), nil}} {
		var first aggregatortest.Reply
		t.Run("item-013 item-230 item-231 "+c.name+": refusals have burnt nothing", func(t *testing.T) {
			first = d.PostShare(c.task, c.body)
			if first.Status != 200 || first.Header.Get("Content-Type") != dap.MediaTypeAggregateShare || !strings.HasPrefix(first.Location, d.HelperURL(c.task, "aggregate_shares/")) {
				t.Fatalf("status %d, %q, Location %q: %+v", first.Status, first.Header.Get("Content-Type"), first.Location, first.Problem)
			}
			share := ok(dap.Parse[dap.AggregateShare](first.Body))
			collectionReq := ok(dap.SplitCollectionJobReq(c.body))
			_, err := d.Keys.CollectorPrivate.Open(share.Enc, dap.AggregateShareInfo(dap.Helper), dap.AggregateShareAAD(c.task.ID, c.task.Encoded, collectionReq), share.Payload)
			if err != nil || share.ConfigID != d.Keys.Collector.ID {
				t.Errorf("configuration %d: %v", share.ConfigID, err)
			}
		})
		t.Run("item-015 item-233 "+c.name+": identical request", func(t *testing.T) {
			d.RestartHelper()
			for _, again := range []aggregatortest.Reply{d.PostShare(c.task, c.body), d.Ask(http.MethodGet, first.Location, "", d.Keys.PeerToken, nil)} {
				if again.Status != 200 || !bytes.Equal(again.Body, first.Body) {
					t.Errorf("status %d, other content: %+v", again.Status, again.Problem)
				}
			}
		})
	}
	t.Run("item-224 item-234 another request for a collected batch", func(t *testing.T) {
		for _, i := range []dap.Interval{{Start: start - 4, Duration: 1}, {Start: start - 5, Duration: 1}, {Start: start - 2, Duration: 3}} {
			wantProblem(t, d.PostShare(task, with(shareRequest(i, a, b), nothing)), dap.BatchOverlap)
		}
		wantProblem(t, d.PostShare(selected, with(ls(batch, x), nothing)), dap.BatchOverlap)
	})
	t.Run("item-235 DELETE keeps that it was collected", func(t *testing.T) {
		r := d.PostShare(task, bytesOf)
		for range 2 {
			if del := d.Ask(http.MethodDelete, r.Location, "", d.Keys.PeerToken, nil); del.Status != 200 {
				t.Fatalf("DELETE: status %d", del.Status)
			}
		}
		if got := d.Ask(http.MethodGet, r.Location, "", d.Keys.PeerToken, nil); got.Status != 404 {
			t.Errorf("after deletion: status %d", got.Status)
		}
		wantProblem(t, d.PostShare(task, bytesOf), dap.BatchOverlap)
		resp := ok(dap.Parse[dap.AggregationJobResp](d.PostJob(task, ok(dap.Marshal(d.Keys.VerifyReports(t, task, nil, a, d.Keys.NewReport(t, task,
			aggregatortest.ReportSpec{Measurement: one, Time: start - 3})).Request))).Body))
		if resp[0].Error != dap.ErrorBatchCollected || resp[1].Error != dap.ErrorBatchCollected {
			t.Errorf("%+v, want batch_collected", resp)
		}
	})
}

// A Leader that asks for less than the Collector did cannot collect the rest later.
func TestNarrowSelectorBurnsTheQuery(t *testing.T) {
	d := aggregatortest.New(t, aggregatortest.Options{}, aggregatortest.TaskSpec{})
	task := d.Tasks[0]
	var reports []dap.Report
	for i := range dap.Time(2) {
		reports = append(reports, d.Keys.NewReport(t, task, aggregatortest.ReportSpec{Measurement: one, Time: start + i - 1}))
	}
	d.PostJob(task, ok(dap.Marshal(d.Keys.VerifyReports(t, task, nil, reports...).Request)))
	narrow := shareRequest(dap.Interval{Start: start, Duration: 1}, reports[1])
	narrow.CollectionJobReq.Query = dap.NewTimeIntervalQuery(dap.Interval{Start: start - 1, Duration: 2})
	if r := d.PostShare(task, ok(dap.Marshal(narrow))); r.Status != 200 {
		t.Fatalf("status %d: %+v", r.Status, r.Problem)
	}
	wantProblem(t, d.PostShare(task, ok(dap.Marshal(shareRequest(dap.Interval{Start: start - 1, Duration: 1}, reports[0])))), dap.BatchOverlap)
}

func TestConformance_240_Collector(t *testing.T) {
	d := aggregatortest.New(t, aggregatortest.Options{}, aggregatortest.TaskSpec{})
	task := d.Tasks[0]
	d.Upload(task, one, one, zero)
	query := d.All(task)
	body := ok(dap.Marshal(dap.CollectionJobReq{Query: query}))
	created := d.PostCollection(task, body)
	d.Settle(10)
	response := d.Ask(http.MethodGet, created.Location, "", d.Keys.CollectorToken, nil).Body
	open := func(task *round.Task, key *seal.PrivateKey, alter func(*dap.CollectionJobResp)) error {
		resp := ok(dap.Parse[dap.CollectionJobResp](slices.Clone(response)))
		alter(&resp)
		c, err := collector.New(collector.Config{Task: task, HPKE: d.Keys.Collector, Key: key, PlainHTTP: true, HTTP: &http.Client{Transport: d.Net}, Attempts: 1})
		if err != nil {
			return err
		}
		_, err = c.Poll(t.Context(), &collector.Job{Task: task.ID, Request: body, Location: created.Location, Response: ok(dap.Marshal(resp))})
		return err
	}
	t.Run("item-240 exchanged shares do not open", func(t *testing.T) {
		if err := open(task, d.Keys.CollectorPrivate, func(*dap.CollectionJobResp) {}); err != nil {
			t.Fatalf("as they came: %v", err)
		}
		if open(task, d.Keys.CollectorPrivate, func(r *dap.CollectionJobResp) { r.Leader, r.Helper = r.Helper, r.Leader }) == nil {
			t.Error("exchanged shares were opened")
		}
	})
	t.Run("item-242 another task configuration", func(t *testing.T) {
		// The ID is the same and the configuration is not: any byte of it may differ.
		for i := range task.Encoded {
			encoded := slices.Clone(task.Encoded)
			encoded[i] ^= 1
			other, err := round.NewTask(task.ID, encoded)
			if err != nil {
				continue // no task at all
			}
			if open(other, d.Keys.CollectorPrivate, func(*dap.CollectionJobResp) {}) == nil {
				t.Errorf("opened although byte %d of the configuration differs", i)
			}
		}
	})
}

// What an operator sees is JSON and holds nothing secret.
func TestStatusIsJSON(t *testing.T) {
	d := aggregatortest.New(t, aggregatortest.Options{}, aggregatortest.TaskSpec{})
	task := d.Tasks[0]
	d.Upload(task, one)
	d.Net.Serve("helper.test", nil)
	d.PostCollection(task, interval(start, 1))
	d.Settle(10)
	status, err := d.Leader.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	text := string(ok(json.Marshal(status)))
	for _, want := range []string{`"role":"leader"`, `"task_id":"` + task.ID.String() + `"`, `"uploaded":1`, `"queue_reports":1`,
		`"code":"helper_unavailable"`, `"code":"reports_pending"`, `"state":"pending"`} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is not in %s", want, text)
		}
	}
	for _, secret := range []string{d.Keys.PeerToken, d.Keys.CollectorToken} {
		if strings.Contains(text, secret) {
			t.Error("a token is in the status")
		}
	}
}
