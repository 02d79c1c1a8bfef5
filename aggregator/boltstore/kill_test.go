package boltstore_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"candor/aggregator/boltstore"
	"candor/aggregator/store"
	"candor/aggregator/storetest"
	"candor/schema/dap"
)

const envVictim = "CANDOR_TEST_VICTIM"

func TestMain(m *testing.M) {
	if path := os.Getenv(envVictim); path != "" {
		if err := victim(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

var killTask = dap.TaskID{0xdd}

// victim writes until it is killed: some goroutines upload, one makes jobs of what is there and ends them. Each prints a line for what the store
// has acknowledged, and only then goes on.
func victim(path string) error {
	s, err := boltstore.Open(path, boltstore.Options{LockTimeout: 10 * time.Second})
	if err != nil {
		return err
	}
	ctx := context.Background()
	r := rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	var mu sync.Mutex
	newID := func() (id dap.ReportID) {
		mu.Lock()
		defer mu.Unlock()
		for i := range id {
			id[i] = byte(r.Uint32())
		}
		return id
	}
	// One write for each line: what was acknowledged is in the pipe, whatever happens to this process.
	say := func(what string, ids ...dap.ReportID) error {
		var line strings.Builder
		line.WriteString(what)
		for _, id := range ids {
			line.WriteString(" " + id.String())
		}
		_, err := os.Stdout.WriteString(line.String() + "\n")
		return err
	}
	errs := make(chan error)
	for range 4 {
		go func() {
			for {
				ids := make([]dap.ReportID, 1+newID()[0]%3)
				for i := range ids {
					ids[i] = newID()
				}
				err := s.Update(ctx, "upload", func(tx store.Tx) error {
					for _, id := range ids {
						if err := tx.AddReport(killTask, store.Report{ID: id, Time: dap.Time(id[0] % 4), Encoded: make([]byte, 500)}); err != nil {
							return err
						}
					}
					return nil
				})
				if err == nil {
					err = say("uploaded", ids...)
				}
				if err != nil {
					errs <- err
					return
				}
			}
		}()
	}
	go func() {
		for {
			var ids []dap.ReportID
			job := store.AggregationJob{ID: dap.AggregationJobID(newID()), Task: killTask, Request: []byte("request"), Created: time.Now()}
			err := s.Update(ctx, "create", func(tx store.Tx) error {
				reports, err := tx.UnassignedReports(killTask, time.Now(), 20)
				job.Reports, ids = nil, nil
				for _, r := range reports {
					job.Reports = append(job.Reports, r.ID)
				}
				return errors.Join(err, tx.AddAggregationJob(job))
			})
			if err == nil {
				err = s.Update(ctx, "finish", func(tx store.Tx) error {
					ids = nil
					reports, err := tx.JobReports(job)
					var outcomes []store.Outcome
					for _, r := range reports {
						delta := store.Bucket{Share: make([]byte, 64), Count: 1, Checksum: dap.Checksum(r.ID), MinTime: r.Time, MaxTime: r.Time}
						err = errors.Join(err, tx.MergeBucket(killTask, store.TimeBucket(r.Time), delta, storetest.Sum))
						outcomes = append(outcomes, store.Outcome{ID: r.ID, State: store.ReportAggregated})
						ids = append(ids, r.ID)
					}
					job.Revision = 1
					return errors.Join(err, tx.FinishAggregationJob(job, outcomes))
				})
			}
			if err == nil {
				err = say("aggregated", ids...)
			}
			if err != nil {
				errs <- err
				return
			}
		}
	}()
	return <-errs
}

// A process that is killed at any moment loses nothing that it acknowledged, and leaves a store that fits together.
func TestKill(t *testing.T) {
	rounds := 25
	if testing.Short() {
		rounds = 3
	}
	path := filepath.Join(t.TempDir(), "s.db")
	want := make(map[string]store.ReportState)
	for round := range rounds {
		cmd := exec.Command(os.Args[0], "-test.run=^$")
		cmd.Env = append(os.Environ(), envVictim+"="+path)
		var stderr strings.Builder
		cmd.Stderr = &stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// The clock starts with the first acknowledgement.
		after := time.Duration(rand.IntN(80)) * time.Millisecond
		lines := 0
		for sc := bufio.NewScanner(out); sc.Scan(); lines++ {
			if lines == 0 {
				time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
			}
			words := strings.Fields(sc.Text())
			for _, id := range words[1:] {
				state := store.ReportUnassigned
				if words[0] == "aggregated" {
					state = store.ReportAggregated
				}
				want[id] = max(want[id], state)
			}
		}
		_ = cmd.Wait() // it was killed
		if lines == 0 || stderr.Len() > 0 {
			t.Fatalf("round %d: the process acknowledged %d times and said %q", round, lines, stderr.String())
		}
		s := open(t, path)
		err = s.View(t.Context(), "check", func(tx store.Tx) error {
			for text, state := range want {
				id, err := dap.ParseReportID(text)
				if err != nil {
					return err
				}
				got, err := tx.ReportState(killTask, id)
				if err != nil || got < state {
					t.Errorf("round %d, killed %v after the first acknowledgement: report %s has state %d, %v; acknowledged was %d", round, after, id, got, err, state)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		storetest.CheckInvariants(t, s)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if t.Failed() {
			return
		}
	}
	t.Logf("%d reports acknowledged over %d kills", len(want), rounds)
}
