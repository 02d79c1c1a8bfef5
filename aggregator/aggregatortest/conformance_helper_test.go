package aggregatortest_test

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"candor/aggregator"
	"candor/aggregator/aggregatortest"
	"candor/aggregator/helper"
	"candor/aggregator/store"
	"candor/crypto/prio3"
	"candor/schema/dap"
	"candor/schema/round"
)

// helperCount returns how many reports the Helper has committed in a task.
func helperCount(t *testing.T, d *aggregatortest.Deployment, task *round.Task) uint64 {
	t.Helper()
	status, err := d.Helper.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range status.Tasks {
		if s.ID == task.ID {
			return s.Counters[aggregator.CounterAggregated]
		}
	}
	t.Fatal("the Helper does not know the task")
	return 0
}

func TestConformance_147_HelperRefusesRequests(t *testing.T) {
	d := aggregatortest.New(t, aggregatortest.Options{}, aggregatortest.TaskSpec{}, aggregatortest.TaskSpec{Mode: dap.LeaderSelected})
	task, selected := d.Tasks[0], d.Tasks[1]
	batch := dap.BatchID{7}
	report := func(task *round.Task) dap.Report {
		return d.Keys.NewReport(t, task, aggregatortest.ReportSpec{Measurement: one, Time: start})
	}
	request := func(task *round.Task, alter func(*dap.AggregationJobInitReq)) []byte {
		var id *dap.BatchID
		if task == selected {
			id = &batch
		}
		req := d.Keys.VerifyReports(t, task, id, report(task), report(task)).Request
		if alter != nil {
			alter(&req)
		}
		return ok(dap.Marshal(req))
	}
	whole := request(task, nil)
	type alter = func(*dap.AggregationJobInitReq)
	extensions := func(list ...dap.Extension) alter {
		return func(r *dap.AggregationJobInitReq) { r.Extensions = list }
	}
	id := dap.NewBatchIDExtension(batch)
	for _, c := range []struct {
		name string
		task *round.Task
		body []byte
		want dap.ProblemType
	}{
		{"item-147 unknown task", aggregatortest.NewRoundTask(t, aggregatortest.TaskSpec{}), whole, dap.UnrecognizedTask},
		{"item-148 empty", task, nil, dap.InvalidMessage},
		{"item-148 cut off", task, whole[:len(whole)-1], dap.InvalidMessage},
		{"item-148 trailing byte", task, append(slices.Clone(whole), 0), dap.InvalidMessage},
		{"no reports", task, request(task, func(r *dap.AggregationJobInitReq) { r.VerifyInits = nil }), dap.InvalidMessage}, // appendix C-8
		{"item-149 unknown extension", task, request(task, extensions(dap.Extension{Type: 5})), dap.UnsupportedExtension},
		{"item-149 unknown extension besides a known one", selected, request(selected, extensions(id, dap.Extension{Type: 5})), dap.UnsupportedExtension},
		{"item-150 extension repeated", selected, request(selected, extensions(id, id)), dap.InvalidMessage},
		{"item-151 aggregation parameter", task, request(task, func(r *dap.AggregationJobInitReq) { r.AggregationParameter = []byte{0} }), dap.InvalidAggregationParameter},
		{"item-152 repeated report ID", task, request(task, func(r *dap.AggregationJobInitReq) { r.VerifyInits[1] = r.VerifyInits[0] }), dap.InvalidMessage},
		{"item-153 batch ID absent", selected, request(selected, extensions()), dap.InvalidMessage},
		{"item-154 batch ID too short", selected, request(selected, extensions(dap.Extension{Type: 1, Data: batch[1:]})), dap.InvalidMessage},
		{"item-154 batch ID too long", selected, request(selected, extensions(dap.Extension{Type: 1, Data: append([]byte{0}, batch[:]...)})), dap.InvalidMessage},
		{"batch ID in a time-interval task", task, request(task, extensions(id)), dap.InvalidMessage},                                            // appendix C-10
		{"item-165 unknown verify key", task, request(task, func(r *dap.AggregationJobInitReq) { r.VerificationKeyID = 1 }), dap.InvalidMessage}, // appendix C-9
	} {
		t.Run(c.name, func(t *testing.T) {
			r := d.PostJob(c.task, c.body)
			wantProblem(t, r, c.want)
			if r.Location != "" {
				t.Errorf("a refused request has the Location %q", r.Location)
			}
			if c.want == dap.UnsupportedExtension && !slices.Equal(r.Problem.UnsupportedExtensions, []uint16{5}) {
				t.Errorf("unsupported_extensions %v, want [5]", r.Problem.UnsupportedExtensions)
			}
		})
	}
	if n := helperCount(t, d, task) + helperCount(t, d, selected); n != 0 {
		t.Errorf("%d reports of refused requests were committed", n)
	}
}

func TestConformance_155_HelperAnswers(t *testing.T) {
	v := aggregatortest.Variants()[3]
	for _, deferred := range []bool{false, true} {
		t.Run(fmt.Sprintf("deferred=%v", deferred), func(t *testing.T) {
			d := aggregatortest.New(t, aggregatortest.Options{Helper: helper.Config{Deferred: deferred}}, aggregatortest.TaskSpec{VDAF: v.VDAF})
			task := d.Tasks[0]
			report := func(spec aggregatortest.ReportSpec) dap.Report {
				spec.Measurement, spec.Time = []uint64{4}, start
				return d.Keys.NewReport(t, task, spec)
			}
			first, last := report(aggregatortest.ReportSpec{}), report(aggregatortest.ReportSpec{})
			undecryptable := report(aggregatortest.ReportSpec{})
			undecryptable.Helper.Payload[0] ^= 1
			undecodable := report(aggregatortest.ReportSpec{Plaintext: func(_ dap.Role, b []byte) []byte { return append(b, 0) }})
			forged, garbled := report(aggregatortest.ReportSpec{}), report(aggregatortest.ReportSpec{})
			job := d.Keys.VerifyReports(t, task, nil, first, undecryptable, undecodable, forged, garbled, last)
			job.Request.VerifyInits[3].Payload[20] ^= 1                                                                   // another verifier share
			job.Request.VerifyInits[4].Payload = append(job.Request.VerifyInits[4].Payload, 0)                            // not a ping-pong message
			job.Request.VerifyInits[2].Payload = d.Keys.VerifyReports(t, task, nil, first).Request.VerifyInits[0].Payload // never looked at
			body := ok(dap.Marshal(job.Request))

			created := d.PostJob(task, body)
			location := created.Location
			t.Run("item-013 item-016 item-155 item-156 Location", func(t *testing.T) {
				prefix := d.HelperURL(task, "aggregation_jobs/")
				if created.Status != 200 || !strings.HasPrefix(location, prefix) || strings.HasSuffix(location, "?step=0") != deferred {
					t.Fatalf("status %d, Location %q", created.Status, location)
				}
			})
			again := d.PostJob(task, body)
			t.Run("item-015 item-163 repeated at once", func(t *testing.T) {
				if again.Location != location || !bytes.Equal(again.Body, created.Body) || again.Status != created.Status {
					t.Errorf("Location %q and %d bytes, want %q and %d", again.Location, len(again.Body), location, len(created.Body))
				}
			})
			if deferred {
				if len(created.Body) != 0 || created.RetryAfter == "" {
					t.Fatalf("%d bytes, Retry-After %q, want deferred", len(created.Body), created.RetryAfter)
				}
				if !ok(d.Helper.Tick(t.Context())) {
					t.Fatal("the Helper had nothing to do")
				}
				created = d.Ask(http.MethodGet, location, "", d.Keys.PeerToken, nil)
			}
			resp := ok(dap.Parse[dap.AggregationJobResp](created.Body))
			t.Run("item-157 item-158 item-029 one for each, in order", func(t *testing.T) {
				if len(resp) != 6 || created.Header.Get("Content-Type") != dap.MediaTypeAggregationJobResp {
					t.Fatalf("%d responses as %q", len(resp), created.Header.Get("Content-Type"))
				}
				for i, r := range resp {
					if r.ReportID != job.Request.VerifyInits[i].ReportShare.Metadata.ReportID {
						t.Errorf("response %d is for %s", i, r.ReportID)
					}
				}
			})
			t.Run("item-159 item-160 item-161 outcomes", func(t *testing.T) {
				for i, want := range []dap.ReportError{0, dap.ErrorHpkeDecryptError, dap.ErrorInvalidMessage, dap.ErrorVDAFVerifyError, dap.ErrorVDAFVerifyError, 0} {
					if want != 0 && (resp[i].Type != dap.VerifyRejected || resp[i].Error != want) {
						t.Errorf("response %d is %+v, want rejected with %v", i, resp[i], want)
					}
					if want == 0 && (resp[i].Type != dap.VerifyContinued || resp[i].Payload[0] != 2) {
						t.Errorf("response %d is %+v, want to continue with a finish message", i, resp[i])
					}
				}
				lt := d.Keys.LeaderTask(task)
				if err := lt.Check(); err != nil {
					t.Fatal(err)
				}
				lt.WithVerifier(prio3.Leader, 0, func(w *prio3.Verifier) {
					for _, i := range []int{0, 5} {
						if _, err := w.LeaderContinued(job.States[i], resp[i].Payload); err != nil {
							t.Errorf("the Leader does not take the message of response %d: %v", i, err)
						}
					}
				})
				if n := helperCount(t, d, task); n != 2 {
					t.Errorf("%d reports committed, want 2", n)
				}
			})
			t.Run("item-163 item-164 item-281 repeated later, also after a restart", func(t *testing.T) {
				d.Clock.Advance(100 * time.Hour)
				for range 2 {
					r := d.PostJob(task, body)
					if !bytes.Equal(r.Body, created.Body) || strings.TrimSuffix(r.Location, "?step=0") != strings.TrimSuffix(location, "?step=0") {
						t.Errorf("Location %q and other content", r.Location)
					}
					d.RestartHelper()
				}
				if n := helperCount(t, d, task); n != 2 {
					t.Errorf("%d reports committed, want 2", n)
				}
			})
			t.Run("item-008 item-009 GET", func(t *testing.T) {
				base, _, _ := strings.Cut(location, "?")
				if r := d.Ask(http.MethodGet, base+"?step=0", "", d.Keys.PeerToken, nil); !bytes.Equal(r.Body, created.Body) {
					t.Errorf("status %d, other content", r.Status)
				}
				for query, want := range map[string]dap.ProblemType{"": dap.InvalidMessage, "?step=": dap.InvalidMessage, "?step=0&step=0": dap.InvalidMessage,
					"?step=65536": dap.InvalidMessage, "?step=x": dap.InvalidMessage, "?step=1": dap.StepMismatch} {
					wantProblem(t, d.Ask(http.MethodGet, base+query, "", d.Keys.PeerToken, nil), want)
				}
			})
		})
	}
}

// One of two sides of the same story: the share of a report is in a job, and was in another before.
func TestConformance_162_HelperCommit(t *testing.T) {
	d := aggregatortest.New(t, aggregatortest.Options{}, aggregatortest.TaskSpec{})
	task := d.Tasks[0]
	report := func(at dap.Time) dap.Report {
		return d.Keys.NewReport(t, task, aggregatortest.ReportSpec{Measurement: one, Time: at})
	}
	post := func(reports ...dap.Report) dap.AggregationJobResp {
		return ok(dap.Parse[dap.AggregationJobResp](d.PostJob(task, ok(dap.Marshal(d.Keys.VerifyReports(t, task, nil, reports...).Request))).Body))
	}
	a, b, c := report(start), report(start-1), report(start)
	if r := post(a, b); r[0].Type != dap.VerifyContinued || r[1].Type != dap.VerifyContinued {
		t.Fatalf("%+v", r)
	}
	t.Run("item-162 item-183 item-187 item-278 replayed, within the whole task", func(t *testing.T) {
		other := d.Keys.NewReport(t, task, aggregatortest.ReportSpec{ID: b.Metadata.ReportID, Measurement: one, Time: start}) // the same ID in another bucket
		r := post(a, c, other)
		if r[0].Error != dap.ErrorReportReplayed || r[1].Type != dap.VerifyContinued || r[2].Error != dap.ErrorReportReplayed {
			t.Errorf("%+v, want the first and the last replayed", r)
		}
		if n := helperCount(t, d, task); n != 3 {
			t.Errorf("%d reports committed, want 3", n)
		}
	})
	t.Run("item-162 item-182 item-232 batch collected", func(t *testing.T) {
		collect(t, d, task, dap.Interval{Start: start, Duration: 1}, a, c)
		late, early := report(start), report(start-1)
		r := post(late, early)
		if r[0].Error != dap.ErrorBatchCollected || r[1].Type != dap.VerifyContinued {
			t.Errorf("%+v, want the first refused because its batch was collected", r)
		}
	})
	t.Run("item-139 item-183 a rejected report is not remembered", func(t *testing.T) {
		x := report(start - 1)
		job := d.Keys.VerifyReports(t, task, nil, x)
		payload := slices.Clone(job.Request.VerifyInits[0].Payload)
		job.Request.VerifyInits[0].Payload[10] ^= 1
		if r := ok(dap.Parse[dap.AggregationJobResp](d.PostJob(task, ok(dap.Marshal(job.Request))).Body)); r[0].Error != dap.ErrorVDAFVerifyError {
			t.Fatalf("%+v", r)
		}
		job.Request.VerifyInits[0].Payload = payload
		if r := ok(dap.Parse[dap.AggregationJobResp](d.PostJob(task, ok(dap.Marshal(job.Request))).Body)); r[0].Type != dap.VerifyContinued {
			t.Errorf("%+v, want it to continue", r)
		}
	})
}

// shareRequest makes the request for the Helper's share of an interval with the given reports.
func shareRequest(interval dap.Interval, reports ...dap.Report) dap.AggregateShareReq {
	req := dap.AggregateShareReq{CollectionJobReq: dap.CollectionJobReq{Query: dap.NewTimeIntervalQuery(interval)},
		BatchSelector: dap.NewTimeIntervalSelector(interval), ReportCount: uint64(len(reports))}
	for _, r := range reports {
		req.Checksum = dap.XORChecksums(req.Checksum, dap.Checksum(r.Metadata.ReportID))
	}
	return req
}

// collect makes the Helper give its share of an interval with the given reports.
func collect(t *testing.T, d *aggregatortest.Deployment, task *round.Task, interval dap.Interval, reports ...dap.Report) aggregatortest.Reply {
	t.Helper()
	r := d.PostShare(task, ok(dap.Marshal(shareRequest(interval, reports...))))
	if r.Status != 200 {
		t.Fatalf("status %d: %+v", r.Status, r.Problem)
	}
	return r
}

func TestConformance_163_RacingRequests(t *testing.T) {
	d := aggregatortest.New(t, aggregatortest.Options{}, aggregatortest.TaskSpec{})
	task := d.Tasks[0]
	var reports []dap.Report
	for range 20 {
		reports = append(reports, d.Keys.NewReport(t, task, aggregatortest.ReportSpec{Measurement: one, Time: start}))
	}
	t.Run("item-015 item-163 item-181 equal requests are one job", func(t *testing.T) {
		body := ok(dap.Marshal(d.Keys.VerifyReports(t, task, nil, reports[:10]...).Request))
		var wg sync.WaitGroup
		replies := make([]aggregatortest.Reply, 8)
		for i := range replies {
			wg.Go(func() { replies[i] = d.PostJob(task, body) })
		}
		wg.Wait()
		for _, r := range replies {
			if r.Location != replies[0].Location || !bytes.Equal(r.Body, replies[0].Body) || r.Status != 200 {
				t.Errorf("status %d, Location %q, want the answer of the others", r.Status, r.Location)
			}
		}
	})
	t.Run("item-181 item-187 different jobs commit a report once", func(t *testing.T) {
		var wg sync.WaitGroup
		committed := make(chan dap.ReportID, 1000)
		for i := range 6 {
			body := ok(dap.Marshal(d.Keys.VerifyReports(t, task, nil, reports[10:16+i%3]...).Request))
			if i%2 == 1 {
				body = ok(dap.Marshal(d.Keys.VerifyReports(t, task, nil, reports[12+i%3:]...).Request))
			}
			wg.Go(func() {
				for _, r := range ok(dap.Parse[dap.AggregationJobResp](d.PostJob(task, body).Body)) {
					if r.Type == dap.VerifyContinued {
						committed <- r.ReportID
					}
				}
			})
		}
		wg.Wait()
		close(committed)
		if n := helperCount(t, d, task); n != 20 {
			t.Errorf("%d reports committed, want 20", n)
		}
	})
}

func TestConformance_166_Continuation(t *testing.T) {
	d := aggregatortest.New(t, aggregatortest.Options{}, aggregatortest.TaskSpec{})
	task := d.Tasks[0]
	r := d.Keys.NewReport(t, task, aggregatortest.ReportSpec{Measurement: one, Time: start})
	job := d.PostJob(task, ok(dap.Marshal(d.Keys.VerifyReports(t, task, nil, r).Request)))
	one := dap.VerifyContinue{ReportID: r.Metadata.ReportID, Payload: []byte{1}}
	request := func(step uint16, list ...dap.VerifyContinue) []byte {
		return ok(dap.Marshal(dap.AggregationJobContinueReq{Step: step, VerifyContinues: list}))
	}
	elsewhere := strings.Replace(job.Location, task.ID.String(), aggregatortest.NewRoundTask(t, aggregatortest.TaskSpec{}).ID.String(), 1)
	for _, c := range []struct {
		name, url string
		body      []byte
		want      dap.ProblemType
	}{
		{"item-166 unknown task", elsewhere, request(1, one), dap.UnrecognizedTask},
		{"item-167 unknown job", d.HelperURL(task, "aggregation_jobs/AAAAAAAAAAAAAAAAAAAAAA"), request(1, one), dap.UnrecognizedAggregationJob},
		{"item-167 not a job", d.HelperURL(task, "aggregation_jobs/x"), request(1, one), dap.UnrecognizedAggregationJob},
		{"item-168 malformed", job.Location, request(1, one)[:10], dap.InvalidMessage},
		{"item-169 step 0", job.Location, request(0, one), dap.InvalidMessage},
		{"item-170 repeated ID", job.Location, request(1, one, one), dap.InvalidMessage},
		{"item-171 ID without state", job.Location, request(1, one), dap.InvalidMessage},
		{"item-176 step too far", job.Location, request(2, one), dap.StepMismatch},
		{"item-176 last step", job.Location, request(65535), dap.StepMismatch},
	} {
		t.Run(c.name, func(t *testing.T) {
			wantProblem(t, d.Ask(http.MethodPost, c.url, dap.MediaTypeAggregationJobContinueReq, d.Keys.PeerToken, c.body), c.want)
		})
	}
	t.Run("item-164 the job is as before", func(t *testing.T) {
		if again := d.Ask(http.MethodGet, job.Location+"?step=0", "", d.Keys.PeerToken, nil); !bytes.Equal(again.Body, job.Body) {
			t.Error("the job has changed")
		}
	})
}

func TestConformance_180_DeleteJob(t *testing.T) {
	d := aggregatortest.New(t, aggregatortest.Options{}, aggregatortest.TaskSpec{})
	task := d.Tasks[0]
	r := d.Keys.NewReport(t, task, aggregatortest.ReportSpec{Measurement: one, Time: start})
	body := ok(dap.Marshal(d.Keys.VerifyReports(t, task, nil, r).Request))
	job := d.PostJob(task, body)
	for range 2 { // appendix P: deletion is idempotent
		if r := d.Ask(http.MethodDelete, job.Location, "", d.Keys.PeerToken, nil); r.Status != 200 || len(r.Body) != 0 {
			t.Fatalf("DELETE: status %d, %d bytes", r.Status, len(r.Body))
		}
	}
	wantProblem(t, d.Ask(http.MethodGet, job.Location+"?step=0", "", d.Keys.PeerToken, nil), dap.UnrecognizedAggregationJob)
	t.Run("item-180 the report stays replayed", func(t *testing.T) { // appendix C-26: the body makes a new job
		resp := ok(dap.Parse[dap.AggregationJobResp](d.PostJob(task, body).Body))
		if resp[0].Type != dap.VerifyRejected || resp[0].Error != dap.ErrorReportReplayed {
			t.Errorf("%+v, want report_replayed", resp)
		}
	})
	t.Run("item-180 the batch stays collected", func(t *testing.T) {
		collect(t, d, task, dap.Interval{Start: start, Duration: 1}, r)
		other := d.Keys.NewReport(t, task, aggregatortest.ReportSpec{Measurement: one, Time: start})
		resp := ok(dap.Parse[dap.AggregationJobResp](d.PostJob(task, ok(dap.Marshal(d.Keys.VerifyReports(t, task, nil, other).Request))).Body))
		if resp[0].Error != dap.ErrorBatchCollected {
			t.Errorf("%+v, want batch_collected", resp)
		}
	})
}

// A round's reports are aggregated when its window has closed, by the Helper's own clock.
func TestRoundAggregatesAfterItsWindow(t *testing.T) {
	window := dap.Interval{Start: start, Duration: 2}
	d := aggregatortest.New(t, aggregatortest.Options{}, aggregatortest.TaskSpec{Interval: &window, RoundHash: new([32]byte)})
	task := d.Tasks[0]
	r := d.Keys.NewReport(t, task, aggregatortest.ReportSpec{Measurement: one, Time: start})
	wantRefused(t, d.UploadReports(task, r))
	d.Net.Log()
	d.Settle(10)
	if len(toHelper(d.Net.Log())) != 0 {
		t.Error("the Leader made a job before the window closed")
	}
	reply := d.PostCollection(task, ok(dap.Marshal(dap.CollectionJobReq{Query: d.All(task)})))
	d.Settle(2)
	wantWaiting(t, d.Status(task), aggregator.WaitingWindowOpen)
	resp := ok(dap.Parse[dap.AggregationJobResp](d.PostJob(task, ok(dap.Marshal(d.Keys.VerifyReports(t, task, nil, r).Request))).Body))
	if resp[0].Error != dap.ErrorReportTooEarly {
		t.Errorf("%+v, want report_too_early", resp)
	}
	for _, i := range []dap.Interval{{Start: start, Duration: 1}, {Start: start - 1, Duration: 3}} {
		wantProblem(t, d.PostCollection(task, ok(dap.Marshal(dap.CollectionJobReq{Query: dap.NewTimeIntervalQuery(i)}))), dap.BatchInvalid)
		wantProblem(t, d.PostShare(task, ok(dap.Marshal(shareRequest(i, r)))), dap.BatchInvalid)
	}
	d.Advance(2 * time.Hour)
	late := d.Keys.NewReport(t, task, aggregatortest.ReportSpec{Measurement: one, Time: start})
	wantRefused(t, d.UploadReports(task, late), dap.ReportUploadStatus{ReportID: late.Metadata.ReportID, Error: dap.ErrorReportDropped})
	got, err := d.Collect(task, d.All(task))
	wantResult(t, got, err, 1, 1)
	if r := d.Ask(http.MethodGet, reply.Location, "", d.Keys.CollectorToken, nil); len(r.Body) == 0 {
		t.Errorf("the collection job of before: status %d", r.Status)
	}
}

// Both Aggregators keep what was committed in buckets, of which a batch is the sum.
func TestConformance_184_Buckets(t *testing.T) {
	d := aggregatortest.New(t, aggregatortest.Options{}, aggregatortest.TaskSpec{}, aggregatortest.TaskSpec{Mode: dap.LeaderSelected, MinBatch: 3})
	interval, selected := d.Tasks[0], d.Tasks[1]
	check := func(t *testing.T, task *round.Task, batch store.Batch, reports ...dap.Report) {
		t.Helper()
		var want [32]byte
		for _, r := range reports {
			want = dap.XORChecksums(want, dap.Checksum(r.Metadata.ReportID))
		}
		for name, s := range map[string]store.Store{"Leader": d.LeaderStore, "Helper": d.HelperStore} {
			at := d.Keys.HelperTask(task)
			var agg aggregator.Aggregate
			err := s.View(t.Context(), "test", func(tx store.Tx) (err error) {
				agg, err = at.ReadBatch(tx, batch)
				return err
			})
			if err != nil || agg.Count != uint64(len(reports)) || agg.Checksum != want {
				t.Errorf("%s: %d reports, checksum %x, %v; want %d and %x", name, agg.Count, agg.Checksum, err, len(reports), want)
			}
			if len(reports) == 0 && !bytes.Equal(agg.Share, make([]byte, 8)) {
				t.Errorf("%s: the share of an empty batch is %x", name, agg.Share)
			}
		}
	}
	upload := func(task *round.Task, at dap.Time) dap.Report {
		r := d.Keys.NewReport(t, task, aggregatortest.ReportSpec{Measurement: one, Time: at})
		wantRefused(t, d.UploadReports(task, r))
		return r
	}
	at := func(first dap.Time, n dap.Duration) store.Batch {
		return store.Batch{Interval: dap.Interval{Start: first, Duration: n}}
	}
	a, b, c := upload(interval, start-3), upload(interval, start-3), upload(interval, start)
	x, y, z := upload(selected, start), upload(selected, start-20), upload(selected, start-1)
	d.Net.Log()
	d.Settle(5)
	log := jobs(t, d.Net.Log())
	t.Run("item-184 item-189 count, checksum and share by unit of time", func(t *testing.T) {
		check(t, interval, at(start-3, 1), a, b)
		check(t, interval, at(start, 1), c)
	})
	t.Run("item-185 empty", func(t *testing.T) { check(t, interval, at(start-2, 2)) })
	t.Run("item-186 item-217 merged", func(t *testing.T) { check(t, interval, at(start-3, 4), a, b, c) })
	t.Run("item-190 by batch ID", func(t *testing.T) {
		i := slices.IndexFunc(log, func(r dap.AggregationJobInitReq) bool { return len(r.Extensions) > 0 })
		id := ok(dap.Parse[dap.BatchID](log[i].Extensions[0].Data))
		check(t, selected, store.Batch{ID: &id}, x, y, z)
	})
}
