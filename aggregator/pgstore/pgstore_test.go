package pgstore_test

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"candor/aggregator/pgstore"
	"candor/aggregator/store"
	"candor/aggregator/storetest"
	"candor/schema/dap"
)

var task = dap.TaskID{0xdd}

func reportID(n int) dap.ReportID { return dap.ReportID{byte(n >> 16), byte(n >> 8), byte(n), 1} }

func report(n int) store.Report {
	return store.Report{ID: reportID(n), Time: dap.Time(n % 4), Encoded: make([]byte, 100)}
}

// With -short this is all that runs: the store works on a server.
func TestSmoke(t *testing.T) {
	url := storetest.StartPostgres(t).NewDatabase(t)
	s := place(url).Open(t)
	for want := range 2 { // the second time on tables that are there
		err := s.Update(t.Context(), "test", func(tx store.Tx) error {
			return errors.Join(tx.AddReport(task, report(want)), tx.Count(task, "n", 1))
		})
		if err != nil {
			t.Fatal(err)
		}
		storetest.CheckInvariants(t, s)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = place(url).Open(t)
	}
	err := s.View(t.Context(), "test", func(tx store.Tx) error {
		counters, err := tx.Counters(task)
		if counters["n"] != 2 {
			t.Errorf("counters %v", counters)
		}
		return err
	})
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	if s, err := pgstore.Open(t.Context(), strings.Replace(url, "candor@", "nobody-knows@", 1), pgstore.Options{}); err == nil {
		s.Close()
		t.Error("opened as a user that is not there")
	}
}

// Processes must not meet in the same rows: each that opens the store begins far from the ones before it.
func TestShardsOfProcesses(t *testing.T) {
	url := storetest.StartPostgres(t).NewDatabase(t)
	const processes, apart = 8, 8
	var bases []int
	for range processes {
		s, err := pgstore.Open(t.Context(), url, pgstore.Options{})
		if err != nil {
			t.Fatal(err)
		}
		base := pgstore.ShardBase(s)
		for _, other := range bases {
			if d := (base - other + 256) % 256; min(d, 256-d) < apart {
				t.Errorf("shards of processes begin at %d and at %d", other, base)
			}
		}
		bases = append(bases, base)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// Processes that start at the same moment on an empty database must not fall over each other.
func TestOpenAtOnce(t *testing.T) {
	if testing.Short() {
		t.Skip("starts many connections")
	}
	url := storetest.StartPostgres(t).NewDatabase(t)
	var wg sync.WaitGroup
	errs := make([]error, 6)
	for i := range errs {
		wg.Go(func() {
			s, err := pgstore.Open(t.Context(), url, pgstore.Options{})
			if err == nil {
				err = errors.Join(s.Update(t.Context(), "test", func(tx store.Tx) error { return tx.AddReport(task, report(i)) }), s.Close())
			}
			errs[i] = err
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
}

// A server that is stopped, or crashes, while several processes' stores upload and aggregate: what was acknowledged is there, once.
func TestServerRestarts(t *testing.T) {
	if testing.Short() {
		t.Skip("restarts a server")
	}
	server := storetest.StartPostgres(t)
	if server.Data() == "" {
		t.Skip("the server is not ours to restart")
	}
	url := server.NewDatabase(t)
	place(url).Open(t).Close()
	const processes = 3
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var mu sync.Mutex
	acknowledged := make(map[dap.ReportID]bool)
	var next, jobs, finished, failures atomic.Int64
	var wg sync.WaitGroup
	for range processes {
		s := place(url).Open(t)
		defer s.Close()
		for range 2 {
			wg.Go(func() {
				for ctx.Err() == nil {
					n := int(next.Add(5))
					err := s.Update(ctx, "upload", func(tx store.Tx) error {
						for i := range 5 {
							if err := tx.AddReport(task, report(n-i)); err != nil {
								return err
							}
						}
						return nil
					})
					if err != nil {
						failures.Add(1) // not acknowledged: the client would try again
						continue
					}
					mu.Lock()
					for i := range 5 {
						acknowledged[reportID(n-i)] = true
					}
					mu.Unlock()
				}
			})
		}
		wg.Go(func() {
			for ctx.Err() == nil {
				j := store.AggregationJob{ID: dap.AggregationJobID{byte(jobs.Add(1) >> 8), byte(jobs.Load()), byte(finished.Load())}, Task: task, Request: []byte("request"), Created: time.Now()}
				err := s.Update(ctx, "create", func(tx store.Tx) error {
					reports, err := tx.UnassignedReports(task, time.Now(), 20)
					j.Reports = nil
					for _, r := range reports {
						j.Reports = append(j.Reports, r.ID)
					}
					if err != nil || len(reports) == 0 {
						return err
					}
					return tx.AddAggregationJob(j)
				})
				if err != nil || len(j.Reports) == 0 {
					continue
				}
				for ctx.Err() == nil {
					err := s.Update(ctx, "finish", func(tx store.Tx) error { return aggregate(tx, j) })
					if err == nil || errors.Is(err, store.ErrConflict) { // after a commit whose answer was lost
						finished.Add(1)
						break
					}
				}
			}
		})
	}
	for i := range 4 {
		time.Sleep(500 * time.Millisecond)
		end := server.Stop
		if i%2 == 1 {
			end = server.Kill
		}
		if err := errors.Join(end(), server.Start()); err != nil {
			t.Error(err)
		}
	}
	time.Sleep(500 * time.Millisecond)
	stop()
	wg.Wait()
	s := place(url).Open(t)
	defer s.Close()
	err := s.View(t.Context(), "check", func(tx store.Tx) error {
		for id := range acknowledged {
			if _, err := tx.ReportState(task, id); err != nil {
				t.Errorf("acknowledged report: %v", err)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	sum := storetest.CheckInvariants(t, s)
	if sum.Reports.Aggregated == 0 || len(acknowledged) == 0 {
		t.Errorf("nothing happened: %+v", sum)
	}
	t.Logf("%d reports acknowledged, %d uploads failed, %d reports aggregated in %d jobs", len(acknowledged), failures.Load(), sum.Reports.Aggregated, finished.Load())
}

// aggregate ends a new job as a Leader does.
func aggregate(tx store.Tx, j store.AggregationJob) error {
	j.Revision = 1
	return aggregateAt(tx, j)
}

func aggregateAt(tx store.Tx, j store.AggregationJob) error {
	reports, err := tx.JobReports(j)
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("%w: the job has ended", store.ErrConflict)
	}
	if err != nil {
		return err
	}
	deltas := make(map[dap.Time]*store.Bucket)
	var outcomes []store.Outcome
	for _, r := range reports {
		d := deltas[r.Time]
		if d == nil {
			d = &store.Bucket{Share: make([]byte, 64), MinTime: r.Time, MaxTime: r.Time}
			deltas[r.Time] = d
		}
		d.Count++
		d.Checksum = dap.XORChecksums(d.Checksum, dap.Checksum(r.ID))
		outcomes = append(outcomes, store.Outcome{ID: r.ID, State: store.ReportAggregated})
	}
	for at, d := range deltas {
		if err := tx.MergeBucket(j.Task, store.TimeBucket(at), *d, storetest.Sum); err != nil {
			return err
		}
	}
	return tx.FinishAggregationJob(j, outcomes)
}

// Every statement is used, every name in the code is a statement's, and the server understands each.
func TestQueries(t *testing.T) {
	files, err := filepath.Glob("queries/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	statements := make(map[string]bool)
	for _, f := range files {
		statements[strings.TrimSuffix(filepath.Base(f), ".sql")] = true
	}
	used := make(map[string]bool)
	sources, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range sources {
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), f, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				if text, err := strconv.Unquote(lit.Value); err == nil && statements[text] {
					used[text] = true
				}
			}
			if call, ok := n.(*ast.CallExpr); ok && len(call.Args) > 0 {
				lit, isText := call.Args[0].(*ast.BasicLit)
				if sel, ok := call.Fun.(*ast.SelectorExpr); ok && isText {
					switch sel.Sel.Name {
					case "exec", "rows", "row", "exists", "ids", "cursor", "jobs", "collections", "helper", "shares", "submissions":
						if name, err := strconv.Unquote(lit.Value); err != nil || !statements[name] {
							t.Errorf("%s: %s(%s): there is no such statement", f, sel.Sel.Name, lit.Value)
						}
					}
				}
			}
			return true
		})
	}
	for name := range statements {
		if !used[name] {
			t.Errorf("queries/%s.sql is not used", name)
		}
	}
	if testing.Short() {
		return
	}
	url := storetest.StartPostgres(t).NewDatabase(t)
	place(url).Open(t).Close()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	for name := range statements {
		text, err := os.ReadFile("queries/" + name + ".sql")
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(string(text), "-- ") {
			t.Errorf("queries/%s.sql does not begin with a comment", name)
		}
		if strings.Contains(string(text), "DECLARE") {
			continue // takes no parameters as it is
		}
		if _, err := conn.Prepare(t.Context(), name, string(text)); err != nil {
			t.Errorf("queries/%s.sql: %v", name, err)
		}
	}
}
