package demo

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A Process is one aggregator as an operating-system process. When it dies it is started again, as a service manager would.
type Process struct {
	Name string // "leader" or "helper"
	Dir  string // its own: configuration, keys, store, log

	exe     string
	ready   string // URL that answers 200 when it serves
	done    chan struct{}
	stopped context.CancelFunc

	mu       sync.Mutex // guards what follows: the supervisor writes, callers read
	cmd      *exec.Cmd
	restarts int
	peakRSS  int64
	err      error
}

// startProcess starts `exe NAME --config DIR/NAME.yaml` and supervises it until Stop. The process's output goes to DIR/NAME.log.
func startProcess(ctx context.Context, exe, name, dir, readyURL string) *Process {
	ctx, cancel := context.WithCancel(ctx)
	p := &Process{Name: name, Dir: dir, exe: exe, ready: readyURL, done: make(chan struct{}), stopped: cancel}
	go p.supervise(ctx)
	return p
}

func (p *Process) supervise(ctx context.Context) {
	defer close(p.done)
	for ctx.Err() == nil {
		err := p.run(ctx)
		p.mu.Lock()
		p.restarts++
		p.err = err
		p.mu.Unlock()
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// run runs the process once. When ctx ends it is asked to stop, and killed if it does not within five seconds.
func (p *Process) run(ctx context.Context) error {
	log, err := os.OpenFile(filepath.Join(p.Dir, p.Name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.CommandContext(ctx, p.exe, p.Name, "--config", filepath.Join(p.Dir, p.Name+".yaml"))
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		return err
	}
	p.mu.Lock()
	p.cmd = cmd
	p.mu.Unlock()
	return cmd.Wait()
}

// Kill kills the process with SIGKILL; the supervisor starts it again.
func (p *Process) Kill() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return errors.New("not running")
	}
	return p.cmd.Process.Kill()
}

// Restarts returns how often the process has died.
func (p *Process) Restarts() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.restarts
}

// Stop ends the process and the supervision and waits for both.
func (p *Process) Stop() {
	p.notePeak()
	p.stopped()
	<-p.done
}

// awaitReady waits until the process serves. Its error ends with what the process last wrote.
func (p *Process) awaitReady(ctx context.Context, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.ready, nil)
		if err != nil {
			return err
		}
		if resp, err := http.DefaultClient.Do(req); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the %s does not serve; its log ends with:\n%s", p.Name, p.lastLines(5))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (p *Process) lastLines(n int) string {
	text, err := os.ReadFile(filepath.Join(p.Dir, p.Name+".log"))
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// notePeak records the process's peak memory so far, where the system tells it (Linux).
func (p *Process) notePeak() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd != nil {
		p.peakRSS = max(p.peakRSS, peakRSS(strconv.Itoa(p.cmd.Process.Pid)))
	}
}

// PeakRSS returns the largest peak memory seen, in bytes; 0 where unknown.
func (p *Process) PeakRSS() int64 {
	p.notePeak()
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.peakRSS
}

// peakRSS reads VmHWM of a process ID or "self"; 0 where unknown.
func peakRSS(pid string) int64 {
	f, err := os.Open("/proc/" + pid + "/status")
	if err != nil {
		return 0
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if rest, ok := strings.CutPrefix(s.Text(), "VmHWM:"); ok {
			kb, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kb * 1024
		}
	}
	return 0
}
