package aggregatortest_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"candor/aggregator/aggregatortest"
	"candor/aggregator/storetest"
	"candor/client/collector"
	"candor/crypto/seal"
	"candor/schema/dap"
	"candor/schema/round"
)

// A storeBench is what TestStoreBench measures, and bench/store.json.
type storeBench struct {
	Reports        int             `json:"reports"`
	ReportsPerPost int             `json:"reports_per_upload_request"`
	Processors     int             `json:"processors"`
	Method         string          `json:"method"`
	Runs           []storeBenchRun `json:"runs"`
}

// A storeBenchRun is one store with a number of replicas of each role.
type storeBenchRun struct {
	Store         string  `json:"store"`
	Replicas      int     `json:"replicas"`
	UploadRPS     float64 `json:"upload_rps"`
	EndToEndRPS   float64 `json:"end_to_end_rps"`
	RelativeBbolt float64 `json:"end_to_end_relative_to_bbolt"`
	// Processor time in microseconds of a report, and the database's part of it: for bbolt it is within the roles'.
	RolesCPU         float64 `json:"roles_cpu_us"`
	DatabaseCPU      float64 `json:"database_cpu_us"`
	DatabaseCPUShare float64 `json:"database_cpu_share"`
	// Of the time that transactions were under way, as sampled: the part that they waited for each other's locks.
	LockWaitShare float64        `json:"lock_wait_share"`
	LockSamples   int            `json:"lock_samples"`
	Locks         map[string]int `json:"lock_waits_by_kind,omitempty"`

	Transactions int            `json:"transactions"`
	RetryShare   float64        `json:"retries_per_transaction"`
	Retries      map[string]int `json:"retries,omitempty"`
	Slowest      []string       `json:"where_the_time_goes"`
}

const storeBenchMethod = "one task, uploads by 8 clients at once while aggregation goes on, until the batch is collected; one processor set for clients, roles and database. " +
	"Both stores flush every commit. Lock waits: pg_stat_activity sampled every few ms, wait_event_type Lock among transactions under way."

// TestStoreBench takes CANDOR_BENCH_STORE reports through one Leader and one Helper on bbolt files, and through 1, 2 and 4 of each on PostgreSQL.
func TestStoreBench(t *testing.T) {
	n, err := strconv.Atoi(os.Getenv("CANDOR_BENCH_STORE"))
	if err != nil || n <= 0 {
		t.Skip("CANDOR_BENCH_STORE is not a number of reports")
	}
	const perPost = 25
	n = (n + perPost - 1) / perPost * perPost
	setup, keys, task := newBenchSetup(t, dap.VDAFConfig{Type: dap.VDAFSum, MaxMeasurement: 255})
	t.Logf("making %d reports", n)
	bodies, _ := benchReports(t, keys, task, n, perPost)
	b := storeBench{Reports: n, ReportsPerPost: perPost, Processors: runtime.GOMAXPROCS(0), Method: storeBenchMethod}
	server := storetest.StartPostgres(t, "fsync=on", "shared_buffers=256MB", "max_wal_size=2GB")
	for _, replicas := range []int{0, 1, 2, 4} {
		name := fmt.Sprintf("PostgreSQL, %d of each role", replicas)
		if replicas == 0 {
			name = "bbolt"
		}
		t.Run(name, func(t *testing.T) {
			run := runStoreBench(t, *setup, keys, task, bodies, server, replicas, n)
			if len(b.Runs) > 0 {
				run.RelativeBbolt = run.EndToEndRPS / b.Runs[0].EndToEndRPS
			} else {
				run.RelativeBbolt = 1
			}
			b.Runs = append(b.Runs, run)
		})
	}
	t.Logf("%s", b.table())
	if out := os.Getenv("CANDOR_BENCH_OUT"); out != "" {
		if err := os.WriteFile(out, append(ok(json.MarshalIndent(b, "", "  ")), '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, run := range b.Runs {
		if run.LockWaitShare > 0.05 {
			t.Errorf("%s, %d replicas: %.1f %% of the time of transactions is spent waiting for locks, the goal is under 5 %%", run.Store, run.Replicas, 100*run.LockWaitShare)
		}
	}
}

// runStoreBench is one run: replicas processes of each role on PostgreSQL, or, with zero, one of each on bbolt files.
func runStoreBench(t *testing.T, setup benchSetup, keys *aggregatortest.Keys, task *round.Task, bodies [][]byte, server *storetest.Postgres, replicas, n int) storeBenchRun {
	dir := t.TempDir()
	run := storeBenchRun{Store: "bbolt", Replicas: max(replicas, 1)}
	var watches []*storetest.LockWatch
	var before time.Duration
	if replicas > 0 {
		run.Store = "postgres"
		setup.LeaderStore, setup.HelperStore = server.NewDatabase(t), server.NewDatabase(t)
		for _, url := range []string{setup.LeaderStore, setup.HelperStore} {
			watches = append(watches, storetest.WatchLocks(url))
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "setup.json"), ok(json.Marshal(setup)), 0o600); err != nil {
		t.Fatal(err)
	}
	leaders, helpers := startFleet(t, "leader", dir, setup.LeaderURL, run.Replicas), startFleet(t, "helper", dir, setup.HelperURL, run.Replicas)
	if replicas > 0 {
		before = ok(server.CPU())
	}
	began := time.Now()
	uploadAll(t, setup.LeaderURL+"/tasks/"+task.ID.String()+"/reports", bodies)
	run.UploadRPS = float64(n) / time.Since(began).Seconds()
	c := ok(collector.New(collector.Config{Task: task, HPKE: benchConfig(setup.Collector), Key: ok(seal.ParsePrivateKey(seal.X25519, setup.CollectorPrivate)),
		Token: setup.CollectorToken, PollInterval: 100 * time.Millisecond, MaxWait: 200 * time.Millisecond}))
	result, err := c.Collect(t.Context(), dap.NewTimeIntervalQuery(dap.Interval{Start: 0, Duration: dap.Duration(start) + 1}))
	if err != nil {
		t.Fatal(err)
	}
	if result.ReportCount != uint64(n) {
		t.Errorf("%d reports, want %d", result.ReportCount, n)
	}
	run.EndToEndRPS = float64(n) / time.Since(began).Seconds()
	for _, w := range watches {
		if err := w.Stop(); err != nil {
			t.Errorf("looking at locks: %v", err)
		}
		run.LockSamples += w.InTransaction
		run.LockWaitShare += float64(w.Waiting)
		for lock, n := range w.Locks {
			if run.Locks == nil {
				run.Locks = map[string]int{}
			}
			run.Locks[lock] += n
		}
	}
	run.LockWaitShare /= float64(max(run.LockSamples, 1))
	if replicas > 0 {
		run.DatabaseCPU = float64((ok(server.CPU()) - before).Microseconds()) / float64(n)
	}
	leaders.stop()
	helpers.stop()
	run.RolesCPU = (leaders.cpu + helpers.cpu) / float64(n)
	run.DatabaseCPUShare = run.DatabaseCPU / (run.DatabaseCPU + run.RolesCPU)
	use := ok(readStoreUse(ok(filepath.Glob(filepath.Join(dir, "use-*.json")))))
	run.Retries = use.Retries
	var retries int
	for _, n := range use.Retries {
		retries += n
	}
	for _, calls := range use.Transactions {
		run.Transactions += calls.Count
	}
	run.RetryShare = float64(retries) / float64(max(run.Transactions, 1))
	for _, name := range slices.SortedFunc(maps.Keys(use.Transactions), func(a, b string) int {
		return int(1e6 * (use.Transactions[b].Seconds - use.Transactions[a].Seconds))
	})[:min(8, len(use.Transactions))] {
		calls := use.Transactions[name]
		run.Slowest = append(run.Slowest, fmt.Sprintf("%s: %d transactions of %.1f ms", name, calls.Count, 1000*calls.Seconds/float64(calls.Count)))
	}
	return run
}

func (b *storeBench) table() string {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\nstore\treplicas\tuploads/s\tend to end/s\tof bbolt\troles µs\tdatabase µs\tits share\tlock waits\tretries")
	for _, r := range b.Runs {
		fmt.Fprintf(w, "%s\t%d\t%.0f\t%.0f\t%.0f%%\t%.0f\t%.0f\t%.0f%%\t%.1f%%\t%.2f%%\n", r.Store, r.Replicas, r.UploadRPS, r.EndToEndRPS, 100*r.RelativeBbolt,
			r.RolesCPU, r.DatabaseCPU, 100*r.DatabaseCPUShare, 100*r.LockWaitShare, 100*r.RetryShare)
	}
	_ = w.Flush()
	for _, r := range b.Runs {
		fmt.Fprintf(&text, "%s, %d: %s; retries %v, locks %v\n", r.Store, r.Replicas, strings.Join(r.Slowest, ", "), r.Retries, r.Locks)
	}
	return text.String()
}
