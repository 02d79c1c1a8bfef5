// Package demo runs a coalition on one machine, through several rounds or through one on any figures: two aggregators as processes of their own,
// every member's client, the Collector, and releases.
//
// Floor 7: it wires the same packages and starts the same commands that a real coalition uses; nothing in it is a shortcut around the
// protocol. What differs from a real coalition: one process plays all members and the secretariat, everything listens on
// loopback without TLS, and the submission window lasts seconds.
package demo

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"candor/client/figures"
	"candor/schema/release"
	"candor/schema/round"
)

// Options says what to run.
type Options struct {
	Figures *figures.Tidy
	Source  string           // of the figures, for the page
	Truth   map[string]int64 // published totals by metric; nil: the sum of the figures is all there is to compare with
	Out     string           // directory, made if missing; what an earlier demo left in it is replaced

	Executable string        // the candor binary, for the aggregators' processes
	Window     time.Duration // how long members can submit; zero: long enough for this many
	Short      bool          // of a history: the first calibration and the latest quarter only
	Talk       io.Writer     // progress and remarks; nil: none
	Log        *slog.Logger
	Hooks      Hooks
}

// Hooks let a test watch and disturb a run; in a demo none is set.
type Hooks struct {
	// Endpoint returns the URL at which others reach a server, from its role and the address it listens on: a proxy's, for instance.
	Endpoint func(role, address string) string
	// Serving is called when both servers serve.
	Serving func(leader, helper *Process)
	// Measured is told what each member submits: its counts with noise and offset. Several goroutines call it.
	Measured func(organisation string, measurement []uint64)
	// Step is told the name of each step before it begins.
	Step func(name string)
}

// Run runs one round on any figures and returns what happened. Processes it started have ended when it returns.
func Run(ctx context.Context, o Options) (*Summary, error) {
	d, err := run(ctx, o, []step{
		{"set up the coalition", (*demo).setUp},
		{"start both aggregators", (*demo).start},
		{"members submit", (*demo).submit},
		{"the window closes", (*demo).awaitClose},
		{"aggregate and collect", (*demo).collect},
		{"release", (*demo).release},
	})
	if err != nil {
		return nil, err
	}
	return d.summary()
}

type step struct {
	name string
	do   func(*demo, context.Context) error
}

// run goes through the steps. It returns what there is of the run also with an error.
func run(ctx context.Context, o Options, steps []step) (*demo, error) {
	if o.Talk == nil {
		o.Talk = io.Discard
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	d := &demo{Options: o, clock: newStopwatch()}
	defer d.stop()
	for _, step := range steps {
		d.say("%s", step.name)
		if d.Hooks.Step != nil {
			d.Hooks.Step(step.name)
		}
		if err := step.do(d, ctx); err != nil {
			return d, fmt.Errorf("%s: %w", step.name, err)
		}
		d.clock.lap(step.name)
	}
	for _, p := range []*Process{d.leader, d.helper} {
		p.notePeak()
	}
	return d, nil
}

// A demo is one run. Each step fills in what later steps use.
type demo struct {
	Options
	clock *stopwatch

	coalition *coalition   // of a run of one round
	history   *history     // of a run of several
	windows   round.Window // of all rounds of a history

	leader   *Process
	helper   *Process
	sent     submissions
	batches  []release.Batch
	released releaseResult
}

func (d *demo) dir(parts ...string) string {
	return filepath.Join(append([]string{d.Out}, parts...)...)
}

func (d *demo) say(format string, args ...any) { fmt.Fprintf(d.Talk, "  "+format+"\n", args...) }

// ownMark is a file that says a directory is a demo's own, so that only such a directory is ever emptied.
const ownMark = ".candor-demo"

// prepareDir makes an empty directory of the demo's own.
func prepareDir(dir string) error {
	entries, err := os.ReadDir(dir)
	if err == nil && len(entries) > 0 {
		if _, err := os.Stat(filepath.Join(dir, ownMark)); err != nil {
			return fmt.Errorf("directory %s is not empty and is not an earlier demo's: choose another with --out", dir)
		}
		for _, e := range entries {
			if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, ownMark), []byte("This directory was made by `candor demo` and is emptied by its next run.\n"), 0o644)
}
