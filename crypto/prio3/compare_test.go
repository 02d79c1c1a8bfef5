package prio3_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"testing"
	"time"

	"candor/crypto/prio3"
)

// A comparison is one row of bench/prio3.json: one operation of one instance on one code path. Times are medians for one
// report, in nanoseconds; ratios are medians of the rounds' ratios, which a machine that is slow for a while changes less than its times.
type comparison struct {
	Case      string  `json:"case"`
	Op        string  `json:"op"`
	Path      string  `json:"path"`
	CandorNS  float64 `json:"candor_ns"`
	CirclNS   float64 `json:"circl_ns"`
	Ratio     float64 `json:"ratio"`
	PrioNS    float64 `json:"prio_ns,omitempty"`
	PrioRatio float64 `json:"prio_ratio,omitempty"`
	Allocs    float64 `json:"allocs"`
}

const (
	compareRounds = 41
	compareSlice  = 4 * time.Millisecond // for one measurement
)

// TestCompareSpeed times this package against circl and, where `make peer-build` has built it, the prio crate. Their operations take turns in
// short slices, one way round and then the other, so that whatever else the machine does hits all of them alike. Verification is in
// batches of 16 reports, circl and the crate having none. Garbage is collected between the rounds, so that nobody pays for another's, on whatever
// processor. It runs when CANDOR_BENCH_OUT names the file to write.
func TestCompareSpeed(t *testing.T) {
	out := os.Getenv("CANDOR_BENCH_OUT")
	if out == "" {
		t.Skip("CANDOR_BENCH_OUT is not set")
	}
	peer := startPeer(t)
	var rows []comparison
	paths := []string{"go"}
	if best := prio3.Path(); best != "go" {
		paths = append(paths, best)
	}
	fmt.Printf("path: %v; batches of %d; medians of %d rounds, ns for one report\n", paths, batch, compareRounds)
	fmt.Printf("%-23s %-7s %-7s %10s %10s %8s %10s %8s %7s\n", "case", "op", "path", "candor", "circl", "ratio", "prio", "ratio", "allocs")
	for _, c := range benchCases {
		for _, row := range compare(t, c.name, c.config, paths, peer) {
			rows = append(rows, row)
			prio, prioRatio := "-", "-"
			if row.PrioNS > 0 {
				prio, prioRatio = fmt.Sprintf("%.0f", row.PrioNS), fmt.Sprintf("%.1f", row.PrioRatio)
			}
			fmt.Printf("%-23s %-7s %-7s %10.0f %10.0f %8.1f %10s %8s %7.2f\n",
				row.Case, row.Op, row.Path, row.CandorNS, row.CirclNS, row.Ratio, prio, prioRatio, row.Allocs)
		}
	}
	b, err := json.MarshalIndent(rows, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(out, append(b, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}

// A timed is something to time: f does it n times.
type timed struct {
	f       func(n int) time.Duration
	n       int // in one slice
	reports float64
	samples []float64
}

func (x *timed) sample() {
	if x.n == 0 {
		// The first slice only finds out how many fit.
		for x.n = 1; ; x.n *= 2 {
			if d := x.f(x.n); d > compareSlice/4 {
				x.n = max(1, int(float64(x.n)*float64(compareSlice)/float64(d)))
				return
			}
		}
	}
	x.samples = append(x.samples, float64(x.f(x.n).Nanoseconds())/float64(x.n)/x.reports)
}

func median(samples []float64) float64 {
	s := slices.Clone(samples)
	slices.Sort(s)
	return s[len(s)/2]
}

// ratio is the median of how many times longer other took in a round.
func (x *timed) ratio(other *timed) float64 {
	ratios := make([]float64, len(x.samples))
	for i := range ratios {
		ratios[i] = other.samples[i] / x.samples[i]
	}
	return median(ratios)
}

// loop times a function.
func loop(f func()) func(int) time.Duration {
	return func(n int) time.Duration {
		start := time.Now()
		for range n {
			f()
		}
		return time.Since(start)
	}
}

func compare(t *testing.T, name string, config prio3.Config, paths []string, peer *peer) []comparison {
	v, m := mustNew(t, config), typical(config)
	circl := circlOperations(config, m)
	theirs := map[string]func(){"shard": circl.shard, "leader": circl.leader, "helper": circl.helper}
	ctx, key := make([]byte, 38), [32]byte(random(32))
	forLeader, forHelper, _ := reports(t, v, ctx, key, batch)
	leader, helper := v.NewVerifier(prio3.Leader, key, ctx), v.NewVerifier(prio3.Helper, key, ctx)
	sharder, err := v.NewSharder(ctx)
	if err != nil {
		t.Fatal(err)
	}
	nonce, rand := [16]byte(random(16)), random(v.RandSize())
	ours := map[string]func(){
		"shard":  func() { _, _, _ = sharder.Shard(nonce, rand, m) },
		"leader": func() { leader.LeaderInit(forLeader) },
		"helper": func() { helper.HelperInit(forHelper) },
	}
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	var rows []comparison
	for _, op := range []string{"shard", "leader", "helper"} {
		perCall := float64(batch)
		if op == "shard" {
			perCall = 1
		}
		all := []*timed{{f: loop(theirs[op]), reports: 1}}
		if peer != nil {
			all = append(all, &timed{f: func(n int) time.Duration { return peer.time(t, config, m, op, n) }, reports: 1})
		}
		first := len(all)
		for _, path := range paths {
			all = append(all, &timed{f: func(n int) time.Duration {
				defer prio3.SetPath(path)()
				return loop(ours[op])(n)
			}, reports: perCall})
		}
		turns := slices.Clone(all)
		for range 1 + compareRounds {
			runtime.GC()
			for _, x := range turns {
				x.sample()
			}
			slices.Reverse(turns)
		}
		for i, path := range paths {
			row := comparison{Case: name, Op: op, Path: path, CandorNS: median(all[first+i].samples), CirclNS: median(all[0].samples), Ratio: all[first+i].ratio(all[0])}
			if peer != nil {
				row.PrioNS, row.PrioRatio = median(all[1].samples), all[first+i].ratio(all[1])
			}
			row.Allocs = testing.AllocsPerRun(3, ours[op]) / perCall
			rows = append(rows, row)
		}
	}
	return rows
}

// A peer is the program around the prio crate, which times what it is asked.
type peer struct {
	in  io.Writer
	out *bufio.Scanner
}

const peerProgram = "../../testvectors/peer-prio/target/release/peer-prio"

// startPeer returns nil where the program has not been built.
func startPeer(t *testing.T) *peer {
	if _, err := os.Stat(peerProgram); err != nil {
		fmt.Println("without the prio crate: it has not been built (make peer-build)")
		return nil
	}
	cmd := exec.CommandContext(t.Context(), peerProgram, "bench")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return &peer{in, bufio.NewScanner(out)}
}

func (p *peer) time(t *testing.T, c prio3.Config, m []uint64, op string, n int) time.Duration {
	t.Helper()
	parameters := map[string]uint64{}
	for name, x := range map[string]uint64{
		"length": uint64(c.Length), "chunk_length": uint64(c.ChunkLength), "max_measurement": c.MaxMeasurement, "max_weight": c.MaxWeight,
	} {
		if x > 0 {
			parameters[name] = x
		}
	}
	var measurement any = m
	switch c.Algorithm {
	case prio3.MultihotCountVec:
		bools := make([]bool, len(m))
		for i := range m {
			bools[i] = m[i] == 1
		}
		measurement = bools
	case prio3.Count, prio3.Sum, prio3.Histogram:
		measurement = m[0]
	}
	ask, err := json.Marshal(map[string]any{"kind": c.Algorithm.String(), "parameters": parameters, "measurement": measurement, "op": op, "iterations": n})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(p.in, "%s\n", ask); err != nil || !p.out.Scan() {
		t.Fatalf("the peer has gone: %v", err)
	}
	ns, err := strconv.ParseInt(p.out.Text(), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return time.Duration(ns)
}
