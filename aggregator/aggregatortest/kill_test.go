package aggregatortest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"candor/aggregator/aggregatortest"
	"candor/client/collector"
	"candor/crypto/seal"
	"candor/schema/dap"
)

// Leader and Helper, each a process of its own, are killed at random moments of uploading, aggregating and collecting, as the operating system would in an
// emergency, and started again on the same file. Each measurement is a one-hot vector of its own: every acknowledged report is in the result exactly once.
func TestKilled(t *testing.T) {
	rounds, kills := 20, 10
	if testing.Short() {
		rounds = 1
	}
	for i := range rounds {
		t.Run(fmt.Sprint("round ", i), func(t *testing.T) { killRound(t, uint64(i), kills, [2]string{}, nil) })
	}
}

// killRound plays a round on the databases at two URLs, or on bbolt files; disturb, if there is one, is called now and then between kills.
func killRound(t *testing.T, seed uint64, kills int, stores [2]string, disturb func()) {
	const reports = 80
	r := rand.New(rand.NewPCG(seed, 8))
	dir := t.TempDir()
	setup, keys, task := newBenchSetup(t, dap.VDAFConfig{Type: dap.VDAFHistogram, Length: reports, ChunkLength: 9})
	setup.JobReports, setup.RetryMaxMS, setup.Deferred = 4, 500, seed%2 == 1
	setup.LeaderStore, setup.HelperStore = stores[0], stores[1]
	if stores[0] != "" {
		setup.LeaseMS = 3000 // nobody frees the leases of a process that was killed
	}
	if err := os.WriteFile(filepath.Join(dir, "setup.json"), ok(json.Marshal(setup)), 0o600); err != nil {
		t.Fatal(err)
	}
	names := [2]string{"leader", "helper"}
	var processes [2]*benchProcess
	begin := func(i int) {
		processes[i] = startBenchRole(t, names[i], dir)
		processes[i].begin(t)
	}
	begin(0)
	begin(1)

	// Uploads and kills go on side by side; the last kills fall into aggregation and collection.
	url := setup.LeaderURL + "/tasks/" + task.ID.String() + "/reports"
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range reports {
			body := ok(dap.Marshal(keys.NewReport(t, task, aggregatortest.ReportSpec{Measurement: []uint64{uint64(i)}, Time: start - dap.Time(i%3)})))
			if !uploadUntilAcknowledged(url, body) {
				t.Errorf("report %d is not acknowledged", i)
			}
		}
	})
	wg.Go(func() {
		for k := range kills {
			if disturb != nil && k%4 == 3 {
				disturb()
			}
			time.Sleep(time.Duration(20+r.IntN(250)) * time.Millisecond)
			i := r.IntN(2)
			processes[i].kill(t)
			begin(i)
		}
	})
	wg.Wait()

	c := ok(collector.New(collector.Config{Task: task, HPKE: benchConfig(setup.Collector), Key: ok(seal.ParsePrivateKey(seal.X25519, setup.CollectorPrivate)),
		Token: setup.CollectorToken, PollInterval: 50 * time.Millisecond, MaxWait: 200 * time.Millisecond, Attempts: 100}))
	wg.Go(func() { // two more while it is collected
		for i := range 2 {
			time.Sleep(time.Duration(r.IntN(100)) * time.Millisecond)
			processes[i].kill(t)
			begin(i)
		}
	})
	result, err := c.Collect(t.Context(), dap.NewTimeIntervalQuery(dap.Interval{Start: start - 5, Duration: 6}))
	wg.Wait()
	if err != nil {
		t.Fatal(err)
	}
	if result.ReportCount != reports {
		t.Errorf("%d reports in the result, want %d", result.ReportCount, reports)
	}
	for i, x := range result.Aggregate {
		if !x.IsUint64() || x.Uint64() != 1 {
			t.Errorf("report %d is in the result %v times", i, x)
		}
	}
	for _, p := range processes {
		p.stop(t)
	}
}

// uploadUntilAcknowledged repeats an upload, as a Client does, until the Leader has the report: it says so, or says that it had it before.
func uploadUntilAcknowledged(url string, body []byte) bool {
	for range 600 {
		resp, err := http.Post(url, dap.MediaTypeUploadReq, bytes.NewReader(body))
		if err == nil {
			content, readErr := io.ReadAll(resp.Body)
			resp.Body.Close()
			if refused, parseErr := dap.Parse[dap.UploadErrors](content); resp.StatusCode == 200 && readErr == nil && parseErr == nil {
				if len(refused) == 0 || refused[0].Error == dap.ErrorReportReplayed {
					return true
				}
				return false
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
	return false
}
