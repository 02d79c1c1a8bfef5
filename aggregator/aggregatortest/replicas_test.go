package aggregatortest_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"candor/aggregator/aggregatortest"
	"candor/aggregator/storetest"
	"candor/client/collector"
	"candor/crypto/seal"
	"candor/schema/dap"
	"candor/schema/round"
)

// TestPostgresReplicas takes CANDOR_TEST_REPLICAS reports (4,000 without it) through three Leaders and three Helpers on two PostgreSQL servers. Processes are killed
// at random moments all the time, and each server is stopped once and crashes once, until everything is collected: every acknowledged report is in its
// batch's result once, every batch completes, and what the stores hold agrees.
func TestPostgresReplicas(t *testing.T) {
	n := 4000
	if given, err := strconv.Atoi(os.Getenv("CANDOR_TEST_REPLICAS")); err == nil {
		n = given
	} else if testing.Short() {
		t.Skip("starts PostgreSQL servers, and kills processes for a while")
	}
	const replicas, perPost, hours = 3, 25, 4
	n -= n % (perPost * hours)
	dir := t.TempDir()
	servers := [2]*storetest.Postgres{storetest.StartPostgres(t), storetest.StartPostgres(t)}
	setup, keys, task := newBenchSetup(t, dap.VDAFConfig{Type: dap.VDAFSum, MaxMeasurement: 255})
	setup.LeaderStore, setup.HelperStore = servers[0].NewDatabase(t), servers[1].NewDatabase(t)
	setup.JobReports, setup.RetryMaxMS, setup.LeaseMS = min(max(n/200, 20), 500), 500, 12_000
	setup.StoreKey = bytes.Repeat([]byte{7}, 32) // as servers are by default
	if err := os.WriteFile(filepath.Join(dir, "setup.json"), ok(json.Marshal(setup)), 0o600); err != nil {
		t.Fatal(err)
	}
	fleets := [2]*fleet{startFleet(t, "leader", dir, setup.LeaderURL, replicas), startFleet(t, "helper", dir, setup.HelperURL, replicas)}
	defer func() {
		if t.Failed() {
			t.Logf("%s%s", fleets[0].logs(), fleets[1].logs())
		}
	}()

	var posts atomic.Int64
	var kills, restarts atomic.Int64
	done := make(chan struct{})
	var chaos sync.WaitGroup
	chaos.Go(func() {
		r := rand.New(rand.NewPCG(1, 8))
		for {
			f := fleets[r.IntN(2)]
			select {
			case <-done:
				return
			case <-f.serving(done): // however slow this machine is: of each role most are always there
			}
			select {
			case <-done:
				return
			case <-time.After(time.Duration(100+r.IntN(800)) * time.Millisecond):
				f.kill(r)
				kills.Add(1)
			}
		}
	})
	chaos.Go(func() {
		for step := range 4 { // each server is stopped and crashes once while reports come
			for posts.Load()*8 < int64((2*step+1)*n/perPost) {
				time.Sleep(20 * time.Millisecond)
			}
			s := servers[step%2]
			if s.Data() == "" {
				continue // not ours to restart
			}
			end := s.Stop
			if step >= 2 {
				end = s.Kill
			}
			if err := errors.Join(end(), s.Start()); err != nil {
				t.Errorf("restarting a server: %v", err)
			}
			restarts.Add(1)
		}
	})
	began := time.Now()
	sums := uploadToReplicas(t, keys, task, fleets[0], n, perPost, hours, &posts)
	uploaded := time.Since(began)

	var collections sync.WaitGroup
	for hour := range hours {
		collections.Go(func() {
			c := ok(collector.New(collector.Config{Task: task, HPKE: benchConfig(setup.Collector), Key: ok(seal.ParsePrivateKey(seal.X25519, setup.CollectorPrivate)),
				Token: setup.CollectorToken, PollInterval: 100 * time.Millisecond, MaxWait: 500 * time.Millisecond, Attempts: 1000}))
			result, err := c.Collect(t.Context(), dap.NewTimeIntervalQuery(dap.Interval{Start: start - dap.Time(hour), Duration: 1}))
			if err != nil {
				t.Errorf("batch %d: %v", hour, err)
				return
			}
			if want := uint64(n / hours); result.ReportCount != want || result.Aggregate[0].Cmp(big.NewInt(sums[hour])) != 0 {
				t.Errorf("batch %d has %d reports with sum %v, want %d with %d", hour, result.ReportCount, result.Aggregate[0], want, sums[hour])
			}
		})
	}
	collections.Wait()
	close(done)
	chaos.Wait()
	for _, f := range fleets {
		f.stop()
	}
	t.Logf("%d reports acknowledged in %v, collected in %v: %d processes killed and %d started, %d restarts of servers", n, uploaded.Round(time.Second), time.Since(began).Round(time.Second),
		kills.Load(), fleets[0].starts+fleets[1].starts, restarts.Load())
	for i, url := range []string{setup.LeaderStore, setup.HelperStore} {
		s := openPostgres(t, url)
		sum := storetest.CheckInvariants(t, s)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if got := sum.Reports.Aggregated + sum.Marks; got != uint64(n) || sum.Reports.Unassigned+sum.Reports.Assigned+sum.Reports.Rejected > 0 {
			t.Errorf("%d reports were acknowledged; the %s's store says %+v", n, fleets[i].role, sum)
		}
	}
}

// uploadToReplicas makes reports and uploads each until it is acknowledged, to a random replica each time. It returns the sum of the measurements by hour.
func uploadToReplicas(t *testing.T, keys *aggregatortest.Keys, task *round.Task, leaders *fleet, n, perPost, hours int, posts *atomic.Int64) []int64 {
	sums := make([]int64, hours)
	var mu sync.Mutex
	var next atomic.Int64
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(worker), 9))
			for {
				post := int(next.Add(1)) - 1
				if post >= n/perPost || t.Failed() {
					return
				}
				var body []byte
				hour, sum := post%hours, int64(0)
				for range perPost {
					x := r.IntN(256)
					sum += int64(x)
					report := keys.NewReport(t, task, aggregatortest.ReportSpec{Measurement: []uint64{uint64(x)}, Time: start - dap.Time(hour)})
					body = ok(dap.Append(body, report))
				}
				if err := uploadAnywhere(leaders, r, task, body); err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				sums[hour] += sum
				mu.Unlock()
				posts.Add(1)
			}
		})
	}
	wg.Wait()
	posts.Store(int64(n / perPost)) // lets those go on who wait for posts, also after a failure
	return sums
}

// uploadAnywhere repeats an upload until some replica has all its reports: it says so, or says that it had them before.
func uploadAnywhere(leaders *fleet, r *rand.Rand, task *round.Task, body []byte) error {
	hc := &http.Client{Timeout: 20 * time.Second}
	var last error
	for began := time.Now(); time.Since(began) < 3*time.Minute; time.Sleep(time.Duration(r.IntN(100)) * time.Millisecond) {
		resp, err := hc.Post("http://"+leaders.address(r)+"/tasks/"+task.ID.String()+"/reports", dap.MediaTypeUploadReq, bytes.NewReader(body))
		if err != nil {
			last = err
			continue
		}
		content, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if last = fmt.Errorf("status %d: %s", resp.StatusCode, content); err != nil || resp.StatusCode != http.StatusOK {
			if resp.StatusCode >= 400 && resp.StatusCode < 500 && resp.StatusCode != http.StatusTooManyRequests {
				return last
			}
			continue
		}
		refused, err := dap.Parse[dap.UploadErrors](content)
		if err != nil {
			return err
		}
		for _, s := range refused {
			if s.Error != dap.ErrorReportReplayed {
				return fmt.Errorf("report %s is refused: %v", s.ReportID, s.Error)
			}
		}
		return nil
	}
	return fmt.Errorf("an upload is not acknowledged: %w", last)
}
