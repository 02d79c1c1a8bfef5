package demo_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"candor/client/figures"
	"candor/cmd/candor/internal/cli"
	"candor/cmd/candor/internal/demo"
)

// asCandor makes this test binary behave as the candor program, for the servers' processes.
const asCandor = "CANDOR_TEST_AS_CANDOR"

func TestMain(m *testing.M) {
	if os.Getenv(asCandor) != "" {
		os.Exit(cli.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	os.Setenv(asCandor, "1") // for children only: this process has passed the check
	os.Exit(m.Run())
}

func options(t *testing.T, table *figures.Tidy) demo.Options {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return demo.Options{Figures: table, Source: "a test", Truth: table.Totals(), Out: t.TempDir(), Executable: exe}
}

// doubling returns organisations with the counts 2^12, 2^13, … , so that a sum tells which of them are in it, and how often.
func doubling(n int) *figures.Tidy {
	table := &figures.Tidy{Period: "2024", Metrics: []string{"items"}}
	for i := range n {
		table.Organisations = append(table.Organisations, figures.Organisation{
			Name: fmt.Sprintf("organisation %d", i), Values: []int64{1 << (12 + i)}, Missing: []bool{false},
		})
	}
	return table
}

// Servers are killed with SIGKILL, as the operating system would in an emergency, and started again: every acknowledged report is counted exactly once.
func TestKilledServersLoseAndDoubleNothing(t *testing.T) {
	const members = 27
	for _, c := range []struct {
		name   string
		step   string        // in which the killing begins
		every  time.Duration // between two kills
		kills  int
		leader bool
		helper bool
	}{
		{name: "the Leader, during the upload", step: "members submit", every: 30 * time.Millisecond, kills: 4, leader: true},
		{name: "the Helper, during aggregation", step: "aggregate and collect", every: 60 * time.Millisecond, kills: 4, helper: true},
		{name: "the Leader, during aggregation", step: "aggregate and collect", every: 60 * time.Millisecond, kills: 4, leader: true},
		{name: "both, all the time", step: "members submit", every: 700 * time.Millisecond, kills: 10, leader: true, helper: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			o := options(t, doubling(members))
			o.Window = 6 * time.Second
			var targets []*demo.Process
			o.Hooks.Serving = func(leader, helper *demo.Process) {
				if c.leader {
					targets = append(targets, leader)
				}
				if c.helper {
					targets = append(targets, helper)
				}
			}
			killed := make(chan int, 1)
			o.Hooks.Step = func(name string) {
				if name != c.step {
					return
				}
				go func() {
					n := 0
					for i := range c.kills {
						time.Sleep(c.every + rand.N(c.every))
						if targets[i%len(targets)].Kill() == nil {
							n++
						}
					}
					killed <- n
				}()
			}
			summary, err := demo.Run(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d kills, restarts %v, %.1f s", <-killed, summary.Restarts, summary.Seconds)
			if summary.Accepted != members || summary.Counted != members {
				t.Errorf("%d reports were accepted and %d counted, want %d of both", summary.Accepted, summary.Counted, members)
			}
			const truth = 1<<(12+members) - 1<<12
			if diff := *summary.Figures[0].Value - truth; diff < -600 || diff > 600 {
				t.Errorf("the sum is off by %d: noise explains 600, so reports are missing or doubled (one bit each)", diff)
			}
		})
	}
}

func TestFewerThanTenAreWithheld(t *testing.T) {
	t.Parallel()
	o := options(t, doubling(9))
	o.Window = 5 * time.Second
	summary, err := demo.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if f := summary.Figures[0]; summary.Withheld == "" || f.Value != nil || f.Status != "withheld-minimum" {
		t.Errorf("with 9 organisations the figure is %+v, withheld because %q", f, summary.Withheld)
	}
	if !summary.Verified {
		t.Errorf("the release of withheld figures: %s", summary.Verdict)
	}
}

func TestManyMetrics(t *testing.T) {
	t.Parallel()
	const metrics, organisations = 20, 25
	table := &figures.Tidy{Period: "2024"}
	for m := range metrics {
		table.Metrics = append(table.Metrics, fmt.Sprintf("metric %d", m))
	}
	for i := range organisations {
		org := figures.Organisation{Name: fmt.Sprintf("organisation %d", i), Missing: make([]bool, metrics)}
		for range metrics {
			org.Values = append(org.Values, rand.Int64N(1<<40))
		}
		table.Organisations = append(table.Organisations, org)
	}
	o := options(t, table)
	o.Window = 8 * time.Second
	summary, err := demo.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if !summary.Verified {
		t.Errorf("the release: %s", summary.Verdict)
	}
	if len(summary.Figures) != metrics {
		t.Fatalf("%d figures, want %d", len(summary.Figures), metrics)
	}
	// The half-width of the sum of 25 noises is 14; ten times that is not reached by chance.
	for _, f := range summary.Figures {
		if diff := *f.Value - *f.Truth; diff < -140 || diff > 140 {
			t.Errorf("%s is off by %d", f.Metric, diff)
		}
	}
}
