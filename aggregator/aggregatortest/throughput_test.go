package aggregatortest_test

import (
	"bytes"
	"encoding/json"
	"io"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"candor/aggregator"
	"candor/aggregator/aggregatortest"
	"candor/client/collector"
	"candor/crypto/prio3"
	"candor/crypto/seal"
	"candor/schema/dap"
	"candor/schema/round"
)

// A benchReport is what TestThroughput measures, and bench/dap.json.
type benchReport struct {
	Reports         int     `json:"reports"`
	UploadRPS       float64 `json:"upload_rps"`
	EndToEndRPS     float64 `json:"end_to_end_rps"`
	BoundUploadRPS  float64 `json:"bound_upload_rps"`
	BoundEndToEnd   float64 `json:"bound_end_to_end_rps"`
	PeakRSSMB       float64 `json:"peak_rss_mb"`
	PeakLeaderRSS   float64 `json:"peak_leader_rss_mb"`
	PeakHelperRSS   float64 `json:"peak_helper_rss_mb"`
	LeaderStoreMB   float64 `json:"leader_store_mb"`
	HelperStoreMB   float64 `json:"helper_store_mb"`
	OpenMicros      float64 `json:"hpke_open_us"`
	VerifyLeaderUS  float64 `json:"verify_leader_us"`
	VerifyHelperUS  float64 `json:"verify_helper_us"`
	LeaderCPU       float64 `json:"leader_cpu_us"` // of one report, all told
	HelperCPU       float64 `json:"helper_cpu_us"`
	CryptoShare     float64 `json:"crypto_share_of_cpu"` // what of both is cryptography: the end-to-end share if no processor ever waited
	Processors      int     `json:"processors"`
	ReportsPerPost  int     `json:"reports_per_upload_request"`
	UploadSeconds   float64 `json:"upload_s"`
	AggregateSecond float64 `json:"aggregate_s"`
}

// TestThroughput takes CANDOR_BENCH_DAP reports of Prio3Sum through a Leader and a Helper, each a process of its own with a bbolt file that is sealed and flushed
// as in production, and sets the rates beside what the cryptography alone would allow on the same processors: for uploads one HPKE open for each report, end to
// end the opening and verification of both roles. First all is uploaded, then all is aggregated and collected. With CANDOR_BENCH_DIR the stores stay in
// that directory, and with CANDOR_BENCH_PROFILE a processor profile of each role besides.
func TestThroughput(t *testing.T) {
	n, err := strconv.Atoi(os.Getenv("CANDOR_BENCH_DAP"))
	if err != nil || n <= 0 {
		t.Skip("CANDOR_BENCH_DAP is not a number of reports")
	}
	const perPost = 1000
	n = (n + perPost - 1) / perPost * perPost
	dir := t.TempDir()
	if d := os.Getenv("CANDOR_BENCH_DIR"); d != "" {
		dir = d
	}
	setup, keys, task := newBenchSetup(t, dap.VDAFConfig{Type: dap.VDAFSum, MaxMeasurement: 255})
	setup.StoreKey = bytes.Repeat([]byte{7}, 32) // as servers are by default
	if err := os.WriteFile(filepath.Join(dir, "setup.json"), ok(json.Marshal(setup)), 0o600); err != nil {
		t.Fatal(err)
	}
	r := benchReport{Reports: n, Processors: runtime.GOMAXPROCS(0), ReportsPerPost: perPost}
	t.Logf("making %d reports", n)
	bodies, sum := benchReports(t, keys, task, n, perPost)
	before := measureBounds(t, setup, task, bodies[0])

	leaderProcess, helperProcess := startBenchRole(t, "leader", dir), startBenchRole(t, "helper", dir)
	waitForServer(t, setup.LeaderURL+"/hpke_config")
	waitForServer(t, setup.HelperURL+"/hpke_config")
	helperProcess.begin(t)

	began := time.Now()
	uploadAll(t, setup.LeaderURL+"/tasks/"+task.ID.String()+"/reports", bodies)
	r.UploadSeconds = time.Since(began).Seconds()
	r.UploadRPS = float64(n) / r.UploadSeconds

	aggregating := time.Now()
	leaderProcess.begin(t)
	c := ok(collector.New(collector.Config{Task: task, HPKE: benchConfig(setup.Collector), Key: ok(seal.ParsePrivateKey(seal.X25519, setup.CollectorPrivate)),
		Token: setup.CollectorToken, PollInterval: time.Second}))
	result, err := c.Collect(t.Context(), dap.NewTimeIntervalQuery(dap.Interval{Start: 0, Duration: dap.Duration(start) + 1}))
	if err != nil {
		t.Fatal(err)
	}
	r.AggregateSecond = time.Since(aggregating).Seconds()
	r.EndToEndRPS = float64(n) / (r.UploadSeconds + r.AggregateSecond)
	if result.ReportCount != uint64(n) || result.Aggregate[0].Cmp(sum) != 0 {
		t.Errorf("%d reports with sum %v, want %d with %v", result.ReportCount, result.Aggregate[0], n, sum)
	}
	r.PeakLeaderRSS, r.PeakHelperRSS = leaderProcess.peakMB(t), helperProcess.peakMB(t)
	r.PeakRSSMB = max(r.PeakLeaderRSS, r.PeakHelperRSS)
	r.LeaderStoreMB, r.HelperStoreMB = sizeMB(t, filepath.Join(dir, "leader.db")), sizeMB(t, filepath.Join(dir, "helper.db"))
	r.LeaderCPU, r.HelperCPU = leaderProcess.stop(t)/float64(n), helperProcess.stop(t)/float64(n)
	r.setBounds(before, measureBounds(t, setup, task, bodies[0]))

	t.Logf("\n%-12s %12s %12s %8s\n%-12s %12.0f %12.0f %7.0f%%\n%-12s %12.0f %12.0f %7.0f%%\n"+
		"processor time for a report: Leader %.1f µs, Helper %.1f µs, of which opening %.1f µs each, verification %.1f and %.1f µs: %.0f %% is cryptography\n"+
		"peak memory: Leader %.0f MB, Helper %.0f MB; stores %.0f and %.0f MB",
		"reports/s", "measured", "bound", "share", "upload", r.UploadRPS, r.BoundUploadRPS, 100*r.UploadRPS/r.BoundUploadRPS,
		"end to end", r.EndToEndRPS, r.BoundEndToEnd, 100*r.EndToEndRPS/r.BoundEndToEnd,
		r.LeaderCPU, r.HelperCPU, r.OpenMicros, r.VerifyLeaderUS, r.VerifyHelperUS, 100*r.CryptoShare, r.PeakLeaderRSS, r.PeakHelperRSS, r.LeaderStoreMB, r.HelperStoreMB)
	if out := os.Getenv("CANDOR_BENCH_OUT"); out != "" {
		if err := os.WriteFile(out, append(ok(json.MarshalIndent(r, "", "  ")), '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if r.UploadRPS < 0.6*r.BoundUploadRPS || r.EndToEndRPS < 0.5*r.BoundEndToEnd || r.PeakRSSMB > 400 {
		t.Errorf("below the goals: upload 60 %% and end to end 50 %% of the bound, 400 MB")
	}
}

// benchReports makes upload requests, and the sum of their measurements. The times of the reports are spread over ten hours.
func benchReports(t *testing.T, keys *aggregatortest.Keys, task *round.Task, n, perPost int) (bodies [][]byte, sum *big.Int) {
	t.Helper()
	bodies = make([][]byte, n/perPost)
	var next, total atomic.Int64
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for {
				k := int(next.Add(1)) - 1
				if k >= len(bodies) {
					return
				}
				for i := range perPost {
					x := (k*perPost + i) % 256
					total.Add(int64(x))
					r := keys.NewReport(t, task, aggregatortest.ReportSpec{Measurement: []uint64{uint64(x)}, Time: start - dap.Time(i%10)})
					bodies[k] = ok(dap.Append(bodies[k], r))
				}
			}
		})
	}
	wg.Wait()
	return bodies, big.NewInt(total.Load())
}

// bounds are the microseconds of processor time that cryptography alone takes for a report.
type bounds struct{ open, verifyLeader, verifyHelper float64 }

// setBounds derives the bounds from what was measured before the run and after it: the speed of a machine may change meanwhile.
func (r *benchReport) setBounds(before, after bounds) {
	r.OpenMicros = (before.open + after.open) / 2
	r.VerifyLeaderUS, r.VerifyHelperUS = (before.verifyLeader+after.verifyLeader)/2, (before.verifyHelper+after.verifyHelper)/2
	processors, both := float64(r.Processors)*1e6, 2*r.OpenMicros+r.VerifyLeaderUS+r.VerifyHelperUS
	r.BoundUploadRPS, r.BoundEndToEnd = processors/r.OpenMicros, processors/both
	r.CryptoShare = both / (r.LeaderCPU + r.HelperCPU)
}

// measureBounds times the cryptography of both roles, on all processors at once.
func measureBounds(t *testing.T, setup *benchSetup, task *round.Task, body []byte) (b bounds) {
	t.Helper()
	at := ok(setup.aggregatorTask())
	if err := at.Check(); err != nil {
		t.Fatal(err)
	}
	reports := ok(dap.Parse[dap.UploadRequest](body))
	leaderJudge := aggregator.Judge{Role: dap.Leader, Keys: ok(benchRing(setup.LeaderPublic, setup.LeaderKey))}
	helperJudge := aggregator.Judge{Role: dap.Helper, Keys: ok(benchRing(setup.HelperPublic, setup.HelperKey))}
	var opened [2][]prio3.Report
	for _, report := range reports {
		opened[prio3.Leader] = append(opened[prio3.Leader], ok(leaderJudge.OpenAgain(at, aggregatortest.LeaderView(t, report))))
		opened[prio3.Helper] = append(opened[prio3.Helper], ok(helperJudge.OpenAgain(at, aggregatortest.HelperView(t, report))))
	}
	key := [32]byte(setup.Verify)
	v := task.VDAF.NewVerifier(prio3.Leader, key, task.Context)
	inits := v.LeaderInit(opened[prio3.Leader])
	for i := range opened[prio3.Helper] {
		opened[prio3.Helper][i].Inbound = inits[i].Outbound
	}
	answers := task.VDAF.NewVerifier(prio3.Helper, key, task.Context).HelperInit(opened[prio3.Helper])
	// perReport returns the microseconds of processor time that fn takes for each report, while all processors do the same. Time in which others
	// have the processor does not count, so that the bound is that of a machine of our own.
	perReport := func(prepare func() func()) float64 {
		const least = time.Second
		var done atomic.Int64
		var wg sync.WaitGroup
		began, spent := time.Now(), cpuTime()
		for range runtime.GOMAXPROCS(0) {
			wg.Go(func() {
				fn := prepare()
				for time.Since(began) < least {
					fn()
					done.Add(int64(len(reports)))
				}
			})
		}
		wg.Wait()
		return (cpuTime() - spent).Seconds() * 1e6 / float64(done.Load())
	}
	info := dap.InputShareInfo(dap.Leader)
	private := ok(seal.ParsePrivateKey(seal.X25519, setup.LeaderKey))
	views := make([]aggregator.ReportView, len(reports))
	for i, report := range reports {
		views[i] = aggregatortest.LeaderView(t, report)
	}
	b.open = perReport(func() func() {
		return func() {
			for _, view := range views {
				aad := dap.InputShareAAD(task.ID, task.Encoded, view.Encoded, view.PublicShare)
				if _, err := private.Open(view.Ciphertext.Enc, info, aad, view.Ciphertext.Payload); err != nil {
					panic(err)
				}
			}
		}
	})
	b.verifyLeader = perReport(func() func() {
		w := task.VDAF.NewVerifier(prio3.Leader, key, task.Context)
		return func() {
			for i, result := range w.LeaderInit(opened[prio3.Leader]) {
				if _, err := w.LeaderContinued(result.State, answers[i].Outbound); err != nil {
					panic(err)
				}
			}
		}
	})
	b.verifyHelper = perReport(func() func() {
		w := task.VDAF.NewVerifier(prio3.Helper, key, task.Context)
		return func() { w.HelperInit(opened[prio3.Helper]) }
	})
	return b
}

// cpuTime returns the processor time that this process has had.
func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func sizeMB(t *testing.T, path string) float64 {
	t.Helper()
	return float64(ok(os.Stat(path)).Size()) / (1 << 20)
}

func uploadAll(t *testing.T, url string, bodies [][]byte) {
	t.Helper()
	var next atomic.Int64
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				k := int(next.Add(1)) - 1
				if k >= len(bodies) {
					return
				}
				resp, err := http.Post(url, dap.MediaTypeUploadReq, bytes.NewReader(bodies[k]))
				if err != nil {
					t.Errorf("uploading: %v", err)
					return
				}
				content, _ := io.ReadAll(resp.Body)
				resp.Body.Close()
				if resp.StatusCode != 200 || len(content) > 0 {
					t.Errorf("uploading: status %d, %d bytes", resp.StatusCode, len(content))
					return
				}
			}
		})
	}
	wg.Wait()
}
