package aggregatortest_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"candor/aggregator"
	"candor/aggregator/aggregatortest"
	"candor/aggregator/boltstore"
	"candor/aggregator/helper"
	"candor/aggregator/httpapi"
	"candor/aggregator/leader"
	"candor/client/collector"
	"candor/crypto/prio3"
	"candor/crypto/seal"
	"candor/schema/dap"
	"candor/schema/round"
)

// TestMain runs a role instead of the tests when TestThroughput has started the program as one.
func TestMain(m *testing.M) {
	if role := os.Getenv("CANDOR_BENCH_ROLE"); role != "" {
		if err := runBenchRole(role, os.Getenv("CANDOR_BENCH_DIR")); err != nil {
			fmt.Fprintln(os.Stderr, role, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// A benchSetup is all that the two processes need, in a file between them.
type benchSetup struct {
	TaskID, Task, Verify        []byte
	LeaderURL, HelperURL        string
	LeaderKey, HelperKey        []byte
	LeaderPublic, HelperPublic  []byte
	Collector, CollectorPrivate []byte
	PeerToken, CollectorToken   string
}

const benchKeyID = 1

func (s *benchSetup) roundTask() (*round.Task, error) {
	return round.NewTask(dap.TaskID(s.TaskID), s.Task)
}

func (s *benchSetup) aggregatorTask() (*aggregator.Task, error) {
	task, err := s.roundTask()
	if err != nil {
		return nil, err
	}
	key, err := aggregator.NewVerifyKey(s.Verify)
	if err != nil {
		return nil, err
	}
	return &aggregator.Task{Task: task, VerifyKeys: map[uint8]aggregator.VerifyKey{0: key}, Collector: benchConfig(s.Collector),
		PeerToken: aggregator.NewToken(s.PeerToken), CollectorToken: aggregator.NewToken(s.CollectorToken)}, nil
}

func benchConfig(public []byte) dap.HpkeConfig {
	return dap.HpkeConfig{ID: benchKeyID, KEM: seal.X25519.KEM, KDF: seal.X25519.KDF, AEAD: seal.X25519.AEAD, PublicKey: public}
}

func benchRing(public, private []byte) (*aggregator.Keyring, error) {
	key, err := seal.ParsePrivateKey(seal.X25519, private)
	if err != nil {
		return nil, err
	}
	return aggregator.NewKeyring(aggregator.Key{Config: benchConfig(public), Private: key})
}

// runBenchRole is one of the two processes: a role on its own bbolt file, without TLS. A Leader begins to aggregate when it reads a line from its
// standard input; both end when that is closed.
func runBenchRole(role, dir string) error {
	text, err := os.ReadFile(filepath.Join(dir, "setup.json"))
	if err != nil {
		return err
	}
	var setup benchSetup
	if err := json.Unmarshal(text, &setup); err != nil {
		return err
	}
	task, err := setup.aggregatorTask()
	if err != nil {
		return err
	}
	if os.Getenv("CANDOR_BENCH_PROFILE") != "" {
		f, err := os.Create(filepath.Join(dir, role+".prof"))
		if err != nil {
			return err
		}
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer f.Close()
		defer pprof.StopCPUProfile()
	}
	st, err := boltstore.Open(filepath.Join(dir, role+".db"), boltstore.Options{})
	if err != nil {
		return err
	}
	defer st.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	var handler http.Handler
	var run func(context.Context) error
	address := strings.TrimPrefix(setup.HelperURL, "http://")
	if role == "leader" {
		address = strings.TrimPrefix(setup.LeaderURL, "http://")
		ring, err := benchRing(setup.LeaderPublic, setup.LeaderKey)
		if err != nil {
			return err
		}
		l, err := leader.New(leader.Config{Store: st, Keys: ring, Logger: logger})
		if err != nil {
			return err
		}
		if err := l.AddTask(ctx, task); err != nil {
			return err
		}
		handler, run = l.Handler(), l.Run
	} else {
		ring, err := benchRing(setup.HelperPublic, setup.HelperKey)
		if err != nil {
			return err
		}
		h, err := helper.New(helper.Config{Store: st, Keys: ring, Logger: logger})
		if err != nil {
			return err
		}
		if err := h.AddTask(ctx, task); err != nil {
			return err
		}
		handler, run = h.Handler(), h.Run
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		in := bufio.NewReader(os.Stdin)
		if _, err := in.ReadString('\n'); err == nil {
			wg.Go(func() { _ = run(ctx) })
			_, _ = io.Copy(io.Discard, in)
		}
		cancel()
	})
	err = httpapi.Serve(ctx, httpapi.NewServer(handler, logger), listener, time.Second)
	wg.Wait()
	return err
}

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
	Processors      int     `json:"processors"`
	ReportsPerPost  int     `json:"reports_per_upload_request"`
	UploadSeconds   float64 `json:"upload_s"`
	AggregateSecond float64 `json:"aggregate_s"`
}

// TestThroughput takes CANDOR_BENCH_DAP reports of Prio3Sum through a Leader and a Helper, each a process of its own with a bbolt file that is flushed as in
// production, and sets the rates beside what the cryptography alone would allow on the same processors: for uploads one HPKE open for each report, end to
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
	setup, keys, task := newBenchSetup(t)
	if err := os.WriteFile(filepath.Join(dir, "setup.json"), ok(json.Marshal(setup)), 0o600); err != nil {
		t.Fatal(err)
	}
	r := benchReport{Reports: n, Processors: runtime.GOMAXPROCS(0), ReportsPerPost: perPost}
	t.Logf("making %d reports", n)
	bodies, sum := benchReports(t, keys, task, n, perPost)
	r.measureBounds(t, setup, task, bodies[0])

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

	t.Logf("\n%-12s %12s %12s %8s\n%-12s %12.0f %12.0f %7.0f%%\n%-12s %12.0f %12.0f %7.0f%%\n"+
		"processor time for a report: Leader %.1f µs, Helper %.1f µs, of which opening %.1f µs each, verification %.1f and %.1f µs\n"+
		"peak memory: Leader %.0f MB, Helper %.0f MB; stores %.0f and %.0f MB",
		"reports/s", "measured", "bound", "share", "upload", r.UploadRPS, r.BoundUploadRPS, 100*r.UploadRPS/r.BoundUploadRPS,
		"end to end", r.EndToEndRPS, r.BoundEndToEnd, 100*r.EndToEndRPS/r.BoundEndToEnd,
		r.LeaderCPU, r.HelperCPU, r.OpenMicros, r.VerifyLeaderUS, r.VerifyHelperUS, r.PeakLeaderRSS, r.PeakHelperRSS, r.LeaderStoreMB, r.HelperStoreMB)
	if out := os.Getenv("CANDOR_BENCH_OUT"); out != "" {
		if err := os.WriteFile(out, append(ok(json.MarshalIndent(r, "", "  ")), '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if r.UploadRPS < 0.6*r.BoundUploadRPS || r.EndToEndRPS < 0.5*r.BoundEndToEnd || r.PeakRSSMB > 400 {
		t.Errorf("below the goals: upload 60 %% and end to end 50 %% of the bound, 400 MB")
	}
}

func newBenchSetup(t *testing.T) (*benchSetup, *aggregatortest.Keys, *round.Task) {
	t.Helper()
	keys := aggregatortest.NewKeys(t)
	s := &benchSetup{LeaderURL: "http://" + freeAddress(t), HelperURL: "http://" + freeAddress(t), Verify: keys.VerifyBytes[:],
		PeerToken: keys.PeerToken, CollectorToken: keys.CollectorToken, Collector: keys.Collector.PublicKey, CollectorPrivate: keys.CollectorPrivate.Bytes()}
	leaderKey, helperKey := aggregatortest.NewKey(t, benchKeyID, seal.X25519), aggregatortest.NewKey(t, benchKeyID, seal.X25519)
	s.LeaderKey, s.LeaderPublic = leaderKey.Private.Bytes(), leaderKey.Config.PublicKey
	s.HelperKey, s.HelperPublic = helperKey.Private.Bytes(), helperKey.Config.PublicKey
	keys.LeaderHPKE, keys.HelperHPKE = leaderKey.Config, helperKey.Config
	task := aggregatortest.NewRoundTask(t, aggregatortest.TaskSpec{VDAF: dap.VDAFConfig{Type: dap.VDAFSum, MaxMeasurement: 255}, LeaderURL: s.LeaderURL, HelperURL: s.HelperURL})
	s.TaskID, s.Task = task.ID[:], task.Encoded
	return s, keys, task
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
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

// measureBounds times the cryptography of both roles, on all processors at once.
func (r *benchReport) measureBounds(t *testing.T, setup *benchSetup, task *round.Task, body []byte) {
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
		for range r.Processors {
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
	r.OpenMicros = perReport(func() func() {
		return func() {
			for _, view := range views {
				aad := dap.InputShareAAD(task.ID, task.Encoded, view.Encoded, view.PublicShare)
				if _, err := private.Open(view.Ciphertext.Enc, info, aad, view.Ciphertext.Payload); err != nil {
					panic(err)
				}
			}
		}
	})
	r.VerifyLeaderUS = perReport(func() func() {
		w := task.VDAF.NewVerifier(prio3.Leader, key, task.Context)
		return func() {
			for i, result := range w.LeaderInit(opened[prio3.Leader]) {
				if _, err := w.LeaderContinued(result.State, answers[i].Outbound); err != nil {
					panic(err)
				}
			}
		}
	})
	r.VerifyHelperUS = perReport(func() func() {
		w := task.VDAF.NewVerifier(prio3.Helper, key, task.Context)
		return func() { w.HelperInit(opened[prio3.Helper]) }
	})
	processors := float64(r.Processors) * 1e6
	r.BoundUploadRPS = processors / r.OpenMicros
	r.BoundEndToEnd = processors / (2*r.OpenMicros + r.VerifyLeaderUS + r.VerifyHelperUS)
}

// cpuTime returns the processor time that this process has had.
func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// A benchProcess is a role in a process of its own.
type benchProcess struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
}

func startBenchRole(t *testing.T, role, dir string) *benchProcess {
	t.Helper()
	cmd := exec.Command(ok(os.Executable()))
	cmd.Env = append(os.Environ(), "CANDOR_BENCH_ROLE="+role, "CANDOR_BENCH_DIR="+dir)
	cmd.Stderr = os.Stderr
	stdin := ok(cmd.StdinPipe())
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if cmd.ProcessState == nil {
			_ = cmd.Process.Signal(syscall.SIGKILL)
			_ = cmd.Wait()
		}
	})
	return &benchProcess{cmd, stdin}
}

// begin lets the role's Run begin.
func (p *benchProcess) begin(t *testing.T) {
	t.Helper()
	if _, err := io.WriteString(p.stdin, "\n"); err != nil {
		t.Fatal(err)
	}
}

// stop ends the process and returns the microseconds of processor time that it had.
func (p *benchProcess) stop(t *testing.T) float64 {
	t.Helper()
	if err := errors.Join(p.stdin.Close(), p.cmd.Wait()); err != nil {
		t.Errorf("stopping a role: %v", err)
		return 0
	}
	return float64((p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime()).Microseconds())
}

// peakMB returns the most memory that the process has held, in MB, as the system counts it.
func (p *benchProcess) peakMB(t *testing.T) float64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		t.Logf("memory is not measured: %v", err)
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if rest, is := strings.CutPrefix(line, "VmHWM:"); is {
			return float64(ok(strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB"))))) / 1024
		}
	}
	return 0
}

func sizeMB(t *testing.T, path string) float64 {
	t.Helper()
	return float64(ok(os.Stat(path)).Size()) / (1 << 20)
}

func waitForServer(t *testing.T, url string) {
	t.Helper()
	for range 200 {
		resp, err := http.Get(url)
		if err == nil {
			resp.Body.Close()
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("%s does not answer", url)
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
