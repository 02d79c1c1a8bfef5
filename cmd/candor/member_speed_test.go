package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"candor/schema/metric"
)

// memberSpeed is bench/member.json: what a member waits for, from the start of the program to its end, on one core.
type memberSpeed struct {
	Processor    string             `json:"processor"`
	Go           string             `json:"go"`
	Cores        int                `json:"cores"` // that each run may use
	Runs         int                `json:"runs"`
	Instruments  int                `json:"instruments"`
	Reports      int                `json:"reports"` // sealed in one submission
	CheckCSV     timing             `json:"check_csv"`
	CheckXLSX    timing             `json:"check_xlsx"`
	Seal         timing             `json:"seal"` // submit --offline: verify, check, charge the ledger, noise, shard, sign, encrypt, write
	Goals        map[string]float64 `json:"goals_seconds"`
	WithinGoals  bool               `json:"within_goals"`
	Load1Minute  string             `json:"load_1_minute"`
	SetupSeconds float64            `json:"setup_seconds"`
}

// A timing is of several runs of one command.
type timing struct {
	MedianSeconds float64 `json:"median_seconds"`
	MinSeconds    float64 `json:"min_seconds"`
	MaxSeconds    float64 `json:"max_seconds"`
	CPUSeconds    float64 `json:"cpu_seconds"` // median
	PeakMB        float64 `json:"peak_mb"`     // largest resident set of a run
}

// TestMemberSpeed times a member's commands on a figures file with all instruments. It runs when CANDOR_BENCH_OUT names the file to write; CANDOR_BENCH_PROGRAM
// is the program, by default this test binary.
func TestMemberSpeed(t *testing.T) {
	out := os.Getenv("CANDOR_BENCH_OUT")
	if out == "" {
		t.Skip("CANDOR_BENCH_OUT is not set; make bench-member sets it")
	}
	const runs = 7
	p := program{t: t, dir: t.TempDir(), path: os.Getenv("CANDOR_BENCH_PROGRAM")}
	if p.path == "" {
		p.path, _ = os.Executable()
	}
	began := time.Now()
	p.coalition()
	s := memberSpeed{Processor: processor(), Go: runtime.Version(), Cores: 1, Runs: runs, Instruments: len(metric.Standard().Instruments),
		Goals: map[string]float64{"check": 1, "seal": 5}, Load1Minute: load(), SetupSeconds: time.Since(began).Seconds()}
	p.oneCore = true
	s.CheckCSV = p.time(runs, func(int) []string { return []string{"member", "check", "figures.csv", "--round", "2026q1.json"} })
	s.CheckXLSX = p.time(runs, func(int) []string { return []string{"member", "check", "figures.xlsx", "--round", "2026q1.json"} })
	s.Seal = p.time(runs, func(i int) []string {
		member := fmt.Sprint("run", i) // a fresh ledger: a second run would reuse the noise of the first
		if err := os.CopyFS(filepath.Join(p.dir, member), os.DirFS(filepath.Join(p.dir, "m1"))); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(filepath.Join(p.dir, member, "member.key"), 0o600); err != nil {
			t.Fatal(err)
		}
		return []string{"member", "submit", "figures.xlsx", "--round", "2026q1.json", "--member", member, "--yes", "--offline", fmt.Sprintf("sealed%d.json", i)}
	})
	if sealed := regexp.MustCompile(`sealed ([0-9]+) reports`).FindStringSubmatch(p.last); sealed != nil {
		fmt.Sscan(sealed[1], &s.Reports)
	}
	s.WithinGoals = max(s.CheckCSV.MedianSeconds, s.CheckXLSX.MedianSeconds) < s.Goals["check"] && s.Seal.MedianSeconds < s.Goals["seal"]
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(out, append(text, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, line := range []struct {
		what string
		goal float64
		timing
	}{{"check, CSV", s.Goals["check"], s.CheckCSV}, {"check, XLSX", s.Goals["check"], s.CheckXLSX}, {fmt.Sprintf("seal %d reports", s.Reports), s.Goals["seal"], s.Seal}} {
		t.Logf("%-16s median %.3f s (%.3f to %.3f), processor %.3f s, goal under %g s; at most %.0f MB", line.what, line.MedianSeconds, line.MinSeconds, line.MaxSeconds,
			line.CPUSeconds, line.goal, line.PeakMB)
	}
}

// A program is candor with a directory to work in.
type program struct {
	t         *testing.T
	dir, path string
	oneCore   bool
	last      string // standard output of the last run
}

// run runs a command, which must succeed, and returns how it went.
func (p *program) run(args ...string) (time.Duration, *os.ProcessState) {
	p.t.Helper()
	cmd := exec.Command(p.path, args...)
	cmd.Dir, cmd.Env = p.dir, append(os.Environ(), asCandor+"=1")
	if p.oneCore {
		cmd.Env = append(cmd.Env, "GOMAXPROCS=1")
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	began := time.Now()
	if err := cmd.Run(); err != nil {
		p.t.Fatalf("candor %s: %v\n%s%s", strings.Join(args, " "), err, &stdout, &stderr)
	}
	p.last = stdout.String()
	return time.Since(began), cmd.ProcessState
}

func (p *program) time(runs int, args func(i int) []string) timing {
	p.t.Helper()
	var wall, cpu []float64
	var s timing
	for i := range runs {
		d, state := p.run(args(i)...)
		wall = append(wall, d.Seconds())
		cpu = append(cpu, (state.UserTime() + state.SystemTime()).Seconds())
		s.PeakMB = max(s.PeakMB, float64(state.SysUsage().(*syscall.Rusage).Maxrss)/1024)
	}
	slices.Sort(wall)
	slices.Sort(cpu)
	s.MedianSeconds, s.MinSeconds, s.MaxSeconds, s.CPUSeconds = wall[runs/2], wall[0], wall[runs-1], cpu[runs/2]
	return s
}

// fingerprint returns the fingerprint that the last run printed.
func (p *program) fingerprint() string {
	return regexp.MustCompile(`[0-9A-Z]{5}(-[0-9A-Z]{5}){4}`).FindString(p.last)
}

func (p *program) write(name, text string) {
	p.t.Helper()
	if err := os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

func (p *program) copy(from, to string) {
	p.t.Helper()
	text, err := os.ReadFile(filepath.Join(p.dir, from))
	if err != nil {
		p.t.Fatal(err)
	}
	p.write(to, string(text))
}

// coalition makes a round of all instruments that all three have signed, member m1, and its figures in both forms.
func (p *program) coalition() {
	p.t.Helper()
	p.run("coalition", "init", "coalition")
	trust := []string{"--secretariat", p.fingerprint()}
	for _, role := range []string{"leader", "helper"} {
		p.run("aggregator", "init", role, "--role", role, "--operator", "Operator of the "+role, "--endpoint", "https://"+role+".example/")
		trust = append(trust, "--"+role, p.fingerprint())
	}
	p.run("aggregator", "pair", "leader")
	p.copy("leader/pair.secret", "helper/pair.secret")
	p.copy("leader/peer.token", "helper/peer.token")
	p.copy("coalition/collector.token", "leader/collector.token")
	for _, role := range []string{"leader", "helper"} {
		p.copy(role+"/"+role+".card", "coalition/"+role+".card")
		p.run(append([]string{"aggregator", "pin", role + "/" + role + ".yaml"}, trust...)...)
	}
	for i := range 10 {
		id := fmt.Sprint("m", i+1)
		p.run("member", "keygen", id, "--id", id, "--name", "Member "+id)
		p.write(id+".enrolment", p.last)
		p.run("roster", "add", id+".enrolment")
	}
	p.run(append([]string{"member", "pin", "m1"}, trust...)...)
	var ids []string
	for i := range metric.Standard().Instruments {
		ids = append(ids, metric.Standard().Instruments[i].ID)
	}
	now := time.Now().UTC().Truncate(time.Hour)
	p.write("plan.yaml", fmt.Sprintf(`id: 2026q1
period: {label: 2026Q1, first: 2026-01-01, last: 2026-03-31}
window: {opens: %s, closes: %s}
time_precision: 1h
instruments: [%s]
release: {method_review: 2099-12-31}
`, now.Format(time.RFC3339), now.Add(48*time.Hour).Format(time.RFC3339), strings.Join(ids, ", ")))
	p.run("round", "new", "plan.yaml")
	p.run("round", "sign", "2026q1", "--yes")
	for _, role := range []string{"leader", "helper"} {
		p.run("aggregator", "approve", "coalition/rounds/2026q1.json", "--config", role+"/"+role+".yaml", "--yes")
	}
	p.copy("coalition/rounds/2026q1.json", "2026q1.json")
	for _, format := range []string{"csv", "xlsx"} {
		p.run("member", "template", "--round", "2026q1.json", "--example", "--format", format, "-o", "figures."+format)
	}
}

// processor names the processor, where the system says.
func processor() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if m := regexp.MustCompile(`model name\s*: (.*)`).FindSubmatch(text); err == nil && m != nil {
		return string(m[1])
	}
	return runtime.GOARCH
}

// load returns the system's load of the last minute: above the number of cores the times are not those of a quiet machine.
func load() string {
	text, _ := os.ReadFile("/proc/loadavg")
	one, _, _ := strings.Cut(string(text), " ")
	return one
}
