package aggregatortest_test

import (
	"bytes"
	"crypto/rand"
	"fmt"
	mathrand "math/rand/v2"
	"net/http"
	"testing"
	"time"

	"candor/aggregator"
	"candor/aggregator/aggregatortest"
	"candor/aggregator/helper"
	"candor/aggregator/leader"
	"candor/client"
	"candor/schema/dap"
)

// A Client that shards something else than a measurement, or alters what it sharded, changes nothing for the others.
func TestConformance_277_MaliciousClients(t *testing.T) {
	for _, v := range aggregatortest.Variants() {
		t.Run("item-261 item-277 "+v.Name, func(t *testing.T) {
			t.Parallel()
			d := aggregatortest.New(t, aggregatortest.Options{}, aggregatortest.TaskSpec{VDAF: v.VDAF})
			task := d.Tasks[0]
			measurement := one
			switch v.VDAF.Type {
			case dap.VDAFSumVec:
				measurement = []uint64{1, 2, 3, 4}
			case dap.VDAFMultihotCountVec:
				measurement = []uint64{1, 0, 0, 1, 0, 0}
			}
			good := d.Keys.NewReport(t, task, aggregatortest.ReportSpec{Measurement: measurement, Time: start})
			reports := []dap.Report{good}
			for _, shares := range []func(publicShare []byte, s *[2][]byte){
				func(_ []byte, s *[2][]byte) { s[0][0] ^= 1 },           // the measurement
				func(_ []byte, s *[2][]byte) { s[0][len(s[0])/2] ^= 1 }, // the proof or near it
				func(_ []byte, s *[2][]byte) { s[1][3] ^= 1 },           // the Helper's seed
			} {
				reports = append(reports, d.Keys.NewReport(t, task, aggregatortest.ReportSpec{Measurement: measurement, Time: start, Shares: shares}))
			}
			wantRefused(t, d.UploadReports(task, reports...))
			result, err := d.Collect(task, d.All(task))
			if err != nil {
				t.Fatal(err)
			}
			want := aggregatortest.Plain(v, [][]uint64{measurement})
			for i, x := range result.Aggregate {
				if result.ReportCount != 1 || x.Cmp(want[i]) != 0 {
					t.Fatalf("%d reports with aggregate %v, want the one good report's %v", result.ReportCount, result.Aggregate, want)
				}
			}
			// Some are refused already by the Leader, since an element is none of the field; the Helper never hears of those.
			leaderCounts := d.Counters(task)
			rejected := leaderCounts[aggregator.CounterRejected+"vdaf_verify_error"] + leaderCounts[aggregator.CounterRejected+"invalid_message"]
			if rejected != 3 || leaderCounts[aggregator.CounterAggregated] != 1 || helperCount(t, d, task) != 1 {
				t.Errorf("Leader: %v; the Helper committed %d", leaderCounts, helperCount(t, d, task))
			}
		})
	}
}

// The two roles stop at each moment of a job and of a collection, once before and once after the other has heard of it, and come back.
func TestConformance_281_StoppedAnywhere(t *testing.T) {
	for _, deferred := range []bool{false, true} {
		for _, fate := range []aggregatortest.Fate{aggregatortest.RequestLost, aggregatortest.ResponseLost} {
			for n := 1; n <= 8; n++ {
				t.Run(fmt.Sprintf("item-281 item-282 deferred=%v fate=%d request %d", deferred, fate, n), func(t *testing.T) {
					t.Parallel()
					d := aggregatortest.New(t, aggregatortest.Options{Leader: leader.Config{MaxJobReports: 3}, Helper: helper.Config{Deferred: deferred}}, aggregatortest.TaskSpec{})
					task := d.Tasks[0]
					for i := range 7 {
						d.Upload(task, []uint64{uint64(i % 2)})
					}
					seen := 0
					stop := make(chan struct{}, 1)
					d.Net.Decide(func(r *http.Request) aggregatortest.Fate {
						if r.URL.Host != "helper.test" {
							return aggregatortest.Delivered
						}
						if seen++; seen == n {
							stop <- struct{}{}
							return fate
						}
						return aggregatortest.Delivered
					})
					created := d.PostCollection(task, interval(start, 1))
					for range 200 {
						for worked := true; worked; {
							worked = ok(d.Leader.Tick(t.Context()))
							worked = ok(d.Helper.Tick(t.Context())) || worked
							select {
							case <-stop:
								d.RestartLeader()
								d.RestartHelper()
							default:
							}
						}
						if r := d.Ask(http.MethodGet, created.Location, "", d.Keys.CollectorToken, nil); len(r.Body) > 0 {
							resp := ok(dap.Parse[dap.CollectionJobResp](r.Body))
							if resp.ReportCount != 7 {
								t.Errorf("%d reports, want 7", resp.ReportCount)
							}
							got, err := d.Collect(task, dap.NewTimeIntervalQuery(dap.Interval{Start: start, Duration: 1}))
							wantResult(t, got, err, 7, 3)
							return
						}
						d.Advance(5 * time.Second)
					}
					t.Fatalf("not collected: %+v", d.Status(task))
				})
			}
		}
	}
}

// Retention goes by what became of a batch, and then by age: shares that were collected long ago are erased, and nothing else.
func TestConformance_112_Retention(t *testing.T) {
	window := dap.Interval{Start: start - 5, Duration: 10}
	d := aggregatortest.New(t, aggregatortest.Options{Leader: leader.Config{Retention: 100 * time.Hour}, Helper: helper.Config{Retention: 100 * time.Hour}},
		aggregatortest.TaskSpec{Interval: &window})
	task := d.Tasks[0]
	d.Upload(task, one, one)
	d.Advance(time.Hour)
	d.Upload(task, one)
	first := dap.Interval{Start: start, Duration: 1}
	got, err := d.Collect(task, dap.NewTimeIntervalQuery(first))
	wantResult(t, got, err, 2, 2)
	d.Advance(200 * time.Hour)
	d.Settle(2)
	// The first batch was collected and is erased, its result is still there; the second waits for its Collector however old it is.
	got, err = d.Collect(task, dap.NewTimeIntervalQuery(first))
	wantResult(t, got, err, 2, 2)
	got, err = d.Collect(task, dap.NewTimeIntervalQuery(dap.Interval{Start: start + 1, Duration: 1}))
	wantResult(t, got, err, 1, 1)
	if n := d.Counters(task)[aggregator.CounterAggregated]; n != 3 {
		t.Fatalf("aggregated %d", n)
	}
	d.Advance(200 * time.Hour)
	d.Settle(2)
	if c := d.Counters(task); c[aggregator.CounterUploaded] != 0 {
		t.Errorf("all was collected long ago, and the Leader still has %v", c)
	}
	if n := helperCount(t, d, task); n != 0 {
		t.Errorf("all was collected long ago, and the Helper still has %d reports", n)
	}
	t.Run("item-112 item-115 what cannot be judged any more is dropped", func(t *testing.T) {
		late := d.Keys.NewReport(t, task, aggregatortest.ReportSpec{Measurement: one, Time: start})
		wantRefused(t, d.UploadReports(task, late), dap.ReportUploadStatus{ReportID: late.Metadata.ReportID, Error: dap.ErrorReportDropped})
		resp := ok(dap.Parse[dap.AggregationJobResp](d.PostJob(task, ok(dap.Marshal(d.Keys.VerifyReports(t, task, nil, late).Request))).Body))
		if resp[0].Error != dap.ErrorReportDropped {
			t.Errorf("%+v, want report_dropped", resp)
		}
		wantProblem(t, d.PostCollection(task, interval(start+2, 1)), dap.BatchOverlap)
		wantProblem(t, d.PostShare(task, ok(dap.Marshal(shareRequest(first, late)))), dap.BatchOverlap)
	})
}

// A round that was extended is over when its extension is.
func TestExpired(t *testing.T) {
	keys := aggregatortest.NewKeys(t)
	window := dap.Interval{Start: start, Duration: 2}
	task := keys.LeaderTask(aggregatortest.NewRoundTask(t, aggregatortest.TaskSpec{Interval: &window, RoundHash: new([32]byte)}))
	closes := aggregatortest.Start.Add(2 * time.Hour)
	for _, c := range []struct {
		until time.Time
		at    time.Duration // after the window
		want  bool
	}{{time.Time{}, 0, false}, {time.Time{}, 61 * time.Minute, true}, {closes.Add(time.Hour), 61 * time.Minute, false}, {closes.Add(time.Hour), 121 * time.Minute, true}} {
		task.Until = c.until
		if got := task.Expired(closes.Add(c.at), time.Hour); got != c.want {
			t.Errorf("until %v, %v after the window: expired %v, want %v", c.until, c.at, got, c.want)
		}
	}
	endless := keys.LeaderTask(aggregatortest.NewRoundTask(t, aggregatortest.TaskSpec{}))
	if endless.Expired(aggregatortest.Start.AddDate(1000, 0, 0), 0) {
		t.Error("a task without an interval has expired")
	}
}

// A recorder notes how much randomness is asked for at a time.
type recorder struct{ sizes []int }

func (r *recorder) Read(b []byte) (int, error) {
	r.sizes = append(r.sizes, len(b))
	return rand.Read(b)
}

// A Client takes report IDs and sharding randomness from its source of randomness, which is the system's unless a test sets another, anew for each report.
func TestConformance_252_Randomness(t *testing.T) {
	keys := aggregatortest.NewKeys(t)
	for _, v := range aggregatortest.Variants() {
		t.Run("item-252 item-253 "+v.Name, func(t *testing.T) {
			task := aggregatortest.NewRoundTask(t, aggregatortest.TaskSpec{VDAF: v.VDAF})
			random := new(recorder)
			c := ok(client.New(client.Config{Task: task, LeaderHPKE: keys.LeaderHPKE, HelperHPKE: keys.HelperHPKE, PlainHTTP: true, Rand: random}))
			measurement := v.Random(mathrand.New(mathrand.NewPCG(1, 1)))
			a, b := ok(c.Prepare(t.Context(), measurement, nil, nil)), ok(c.Prepare(t.Context(), measurement, nil, nil))
			if a.Metadata.ReportID == b.Metadata.ReportID || len(a.PublicShare) > 0 && bytes.Equal(a.PublicShare, b.PublicShare) {
				t.Error("two reports share their randomness")
			}
			for _, want := range []int{16, task.VDAF.RandSize()} {
				n := 0
				for _, size := range random.sizes {
					if size == want {
						n++
					}
				}
				if n < 2 {
					t.Errorf("%d bytes were asked for %d times in two reports: %v", want, n, random.sizes)
				}
			}
		})
	}
}
