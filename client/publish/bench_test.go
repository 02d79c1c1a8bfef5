package publish_test

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"candor/client/publish"
	"candor/schema/metric"
	"candor/schema/release"
	"candor/schema/round"
)

// TestReleaseSpeed builds and verifies a year of monthly releases with every instrument of the catalogue, on one core, and writes what it took to the file in
// CANDOR_BENCH_OUT; without it the test is skipped. Building is deciding, signing and rendering; verifying is recomputing everything, pages included,
// beside all earlier releases. Collecting comes before, and is not in it.
func TestReleaseSpeed(t *testing.T) {
	out := os.Getenv("CANDOR_BENCH_OUT")
	if out == "" {
		t.Skip("CANDOR_BENCH_OUT names no file: run make bench-release")
	}
	const rounds, members = 12, 40
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	var instruments []string
	for _, in := range metric.Standard().Instruments {
		instruments = append(instruments, in.ID)
	}
	r := &released{Coalition: catalogueRound(t, members, instruments...)}
	var publications []publish.Publication
	for n := range rounds {
		first := time.Date(2025, time.Month(1+n), 1, 0, 0, 0, 0, time.UTC)
		d := *r.Document
		d.ID = fmt.Sprintf("2025m%02d", n+1)
		d.Period = round.Period{Label: first.Format("2006-01"), First: first.Format(time.DateOnly), Last: first.AddDate(0, 1, -1).Format(time.DateOnly)}
		c := *r.Coalition
		c.Document = &d
		month := &released{Coalition: &c}
		month.releaseOf(t)
		publications = append(publications, month.publication)
	}
	type took struct {
		Wall float64 `json:"wall_s"`
		CPU  float64 `json:"cpu_s"`
	}
	clock := func(f func()) took {
		var before, after syscall.Rusage
		_ = syscall.Getrusage(syscall.RUSAGE_SELF, &before)
		start := time.Now()
		f()
		wall := time.Since(start)
		_ = syscall.Getrusage(syscall.RUSAGE_SELF, &after)
		cpu := time.Duration(after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano())
		return took{wall.Seconds(), cpu.Seconds()}
	}
	rendered := make([]map[string][]byte, rounds)
	var history publish.History
	build := clock(func() {
		for n, p := range publications {
			p.History = history
			bundle, err := publish.Assemble(p)
			if err != nil {
				t.Fatal(err)
			}
			if err := bundle.Sign(r.Secretariat); err != nil {
				t.Fatal(err)
			}
			if rendered[n], err = publish.RenderBundle(bundle); err != nil {
				t.Fatal(err)
			}
			e, err := publish.NewEarlier(bundle)
			if err != nil {
				t.Fatal(err)
			}
			history.Earlier = append(history.Earlier, e)
		}
	})
	verify := clock(func() {
		for n := range rendered {
			if v := verifyFiles(rendered[n], r.pins(), history.Earlier[:n]...); !v.OK() {
				t.Fatalf("%s: %+v", v.Verdict(), v.Checks)
			}
		}
	})
	size, figures := 0, 0
	for _, files := range rendered {
		for name, data := range files {
			size += len(data)
			if strings.HasSuffix(name, "figures.json") {
				list, err := release.ParseJSON(data)
				if err != nil {
					t.Fatal(err)
				}
				figures += len(list)
			}
		}
	}
	text, err := json.MarshalIndent(map[string]any{
		"benchmark": "release", "rounds": rounds, "instruments": len(instruments), "members": members, "figures": figures, "bytes": size, "cores": 1,
		"build": build, "verify": verify, "wall_s": build.Wall + verify.Wall, "cpu_s": build.CPU + verify.CPU, "goal_s": 10,
	}, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(out, append(text, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d rounds of %d instruments, %d figures: built in %.2f s, verified in %.2f s (%.2f s of processor time in all); the goal is 10 s",
		rounds, len(instruments), figures, build.Wall, verify.Wall, build.CPU+verify.CPU)
}
