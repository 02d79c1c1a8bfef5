package aggregatortest_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"candor/aggregator"
	"candor/aggregator/aggregatortest"
	"candor/aggregator/boltstore"
	"candor/aggregator/helper"
	"candor/aggregator/httpapi"
	"candor/aggregator/leader"
	"candor/aggregator/pgstore"
	"candor/aggregator/sealstore"
	"candor/aggregator/store"
	"candor/crypto/seal"
	"candor/schema/dap"
	"candor/schema/round"
)

// TestMain runs a role instead of the tests when a test has started the program as one.
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
	JobReports, RetryMaxMS      int // of the Leader; 0: its defaults
	Deferred                    bool
	LeaderStore, HelperStore    string // PostgreSQL URLs; empty: a bbolt file each
	LeaseMS                     int    // 0: the default
	StoreKey                    []byte // 32 bytes that both stores are sealed under; empty: they are in the clear
	PeerToken, CollectorToken   string
	Limits                      *benchLimits // nil: those of production
}

// benchLimits are limits that a test can reach soon.
type benchLimits struct {
	Body, Memory int64 // bytes
	Concurrency  int
	Timeout      time.Duration // for bodies
	Headers      time.Duration // for headers
}

// api returns the limits of a role's requests.
func (l *benchLimits) api() httpapi.Config {
	if l == nil {
		return httpapi.Config{}
	}
	return httpapi.Config{Memory: l.Memory, Concurrency: l.Concurrency, BodyTimeout: l.Timeout}
}

// body returns the most bytes of a request's body.
func (l *benchLimits) body() int64 {
	if l == nil {
		return 0
	}
	return l.Body
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

// open opens the store of a role, and returns what reports on its use in the end: into a file of the process, for benchmarks.
func (s *benchSetup) open(role, dir string) (store.Store, func(), error) {
	url := s.HelperStore
	if role == "leader" {
		url = s.LeaderStore
	}
	use := newStoreUse()
	report := func() { use.write(filepath.Join(dir, fmt.Sprintf("use-%s-%d.json", role, os.Getpid()))) }
	st, err := s.openPlain(role, dir, url, use)
	if err != nil || len(s.StoreKey) == 0 {
		return st, report, err
	}
	sealed, err := sealstore.Open(context.Background(), sealstore.Config{Store: st, Keys: []*sealstore.WrappingKey{sealstore.NewWrappingKey([32]byte(s.StoreKey))}})
	return sealed, report, err
}

// openPlain opens the store of a role without a seal: on PostgreSQL at url, or a bbolt file if that is empty.
func (s *benchSetup) openPlain(role, dir, url string, use *storeUse) (store.Store, error) {
	if url != "" {
		return pgstore.Open(context.Background(), url, pgstore.Options{Wait: 15 * time.Second, Observe: use.observe, Retried: use.retried})
	}
	st, err := boltstore.Open(filepath.Join(dir, role+".db"), boltstore.Options{Observe: use.observe})
	if err != nil {
		return nil, err
	}
	return st, st.FreeLeases(context.Background())
}

// runBenchRole is one of the processes: a role on its own bbolt file, or on a database that others share, without TLS. A Leader begins to aggregate when it reads a line from its
// standard input; both end when that is closed.
func runBenchRole(role, dir string) error {
	if os.Getenv("GOGC") == "" {
		aggregator.TuneMemory()
	}
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
	st, report, err := setup.open(role, dir)
	if err != nil {
		return err
	}
	defer report()
	defer st.Close()
	lease := time.Duration(setup.LeaseMS) * time.Millisecond
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	level := slog.LevelWarn
	if setup.Limits != nil { // a line for each of many refusals
		level = slog.LevelError
	}
	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	var handler http.Handler
	var run func(context.Context) error
	address := strings.TrimPrefix(setup.HelperURL, "http://")
	if given := os.Getenv("CANDOR_BENCH_ADDRESS"); given != "" {
		address = given
	} else if role == "leader" {
		address = strings.TrimPrefix(setup.LeaderURL, "http://")
	}
	if role == "leader" {
		ring, err := benchRing(setup.LeaderPublic, setup.LeaderKey)
		if err != nil {
			return err
		}
		l, err := leader.New(leader.Config{Store: st, Keys: ring, Logger: logger, MaxJobReports: setup.JobReports, RetryMax: time.Duration(setup.RetryMaxMS) * time.Millisecond,
			LeaseTTL: lease, RequestTimeout: lease / 3, MaxUpload: setup.Limits.body(), API: setup.Limits.api()})
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
		h, err := helper.New(helper.Config{Store: st, Keys: ring, Logger: logger, Deferred: setup.Deferred, LeaseTTL: lease,
			MaxJob: setup.Limits.body(), API: setup.Limits.api()})
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
	server := httpapi.NewServer(handler, logger)
	if setup.Limits != nil {
		server.ReadHeaderTimeout = setup.Limits.Headers
	}
	err = httpapi.Serve(ctx, server, listener, time.Second)
	wg.Wait()
	return err
}

// newBenchSetup makes the keys and the task of two role processes.
func newBenchSetup(t *testing.T, vdaf dap.VDAFConfig) (*benchSetup, *aggregatortest.Keys, *round.Task) {
	t.Helper()
	keys := aggregatortest.NewKeys(t)
	s := &benchSetup{LeaderURL: "http://" + freeAddress(t), HelperURL: "http://" + freeAddress(t), Verify: keys.VerifyBytes[:],
		PeerToken: keys.PeerToken, CollectorToken: keys.CollectorToken, Collector: keys.Collector.PublicKey, CollectorPrivate: keys.CollectorPrivate.Bytes()}
	leaderKey, helperKey := aggregatortest.NewKey(t, benchKeyID, seal.X25519), aggregatortest.NewKey(t, benchKeyID, seal.X25519)
	s.LeaderKey, s.LeaderPublic = leaderKey.Private.Bytes(), leaderKey.Config.PublicKey
	s.HelperKey, s.HelperPublic = helperKey.Private.Bytes(), helperKey.Config.PublicKey
	keys.LeaderHPKE, keys.HelperHPKE = leaderKey.Config, helperKey.Config
	task := aggregatortest.NewRoundTask(t, aggregatortest.TaskSpec{VDAF: vdaf, LeaderURL: s.LeaderURL, HelperURL: s.HelperURL})
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

// A benchProcess is a role in a process of its own.
type benchProcess struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
}

func startBenchRole(t *testing.T, role, dir string) *benchProcess {
	t.Helper()
	return startReplica(t, role, dir, "", os.Stderr)
}

// startReplica starts a role that listens on an address of its own, if one is given, and writes its log to log.
func startReplica(t *testing.T, role, dir, address string, log io.Writer) *benchProcess {
	t.Helper()
	cmd := exec.Command(ok(os.Executable()))
	cmd.Env = append(os.Environ(), "CANDOR_BENCH_ROLE="+role, "CANDOR_BENCH_DIR="+dir, "CANDOR_BENCH_ADDRESS="+address)
	cmd.Stderr = log
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

// kill ends the process as nothing but the operating system can.
func (p *benchProcess) kill(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		t.Errorf("killing a role: %v", err)
	}
	_ = p.cmd.Wait() // says that it was killed
	_ = p.stdin.Close()
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

func waitForServer(t *testing.T, url string) {
	t.Helper()
	for range 2000 {
		resp, err := http.Get(url)
		if err == nil {
			resp.Body.Close()
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("%s does not answer", url)
}
