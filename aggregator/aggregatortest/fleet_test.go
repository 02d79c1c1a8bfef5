package aggregatortest_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// A fleet is the replicas of a role: processes on one database behind a balancer, each with a supervisor that starts it again when it has died.
type fleet struct {
	role, dir string
	addresses []string

	mu        sync.Mutex // guards what follows
	processes []*benchProcess
	starts    int
	stopping  bool

	supervisors sync.WaitGroup
	cpu         float64 // microseconds, of processes that ended; read after stop
}

// startFleet starts n replicas of a role that share the setup in dir. They are reached at url through a balancer.
func startFleet(t *testing.T, role, dir, url string, n int) *fleet {
	t.Helper()
	f := &fleet{role: role, dir: dir, processes: make([]*benchProcess, n)}
	for range n {
		f.addresses = append(f.addresses, freeAddress(t))
	}
	listener, err := net.Listen("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go balance(listener, f.addresses)
	for i := range n {
		f.supervisors.Go(func() { f.supervise(t, i) })
	}
	t.Cleanup(f.stop)
	for _, address := range f.addresses {
		waitForServer(t, "http://"+address+"/hpke_config")
	}
	return f
}

func (f *fleet) supervise(t *testing.T, i int) {
	for {
		f.mu.Lock()
		if f.stopping {
			f.mu.Unlock()
			return
		}
		log, err := os.OpenFile(filepath.Join(f.dir, fmt.Sprintf("%s-%d.log", f.role, i)), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			panic(err)
		}
		p := startReplica(t, f.role, f.dir, f.addresses[i], log)
		_, _ = io.WriteString(p.stdin, "\n") // it may have died already
		f.processes[i] = p
		f.starts++
		f.mu.Unlock()
		_ = p.cmd.Wait() // an error says that it was killed, or that its database was away for long
		_ = log.Close()
		f.mu.Lock()
		f.cpu += float64((p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime()).Microseconds())
		f.mu.Unlock()
		time.Sleep(50 * time.Millisecond)
	}
}

// kill ends a random replica as nothing but the operating system can.
func (f *fleet) kill(r *rand.Rand) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if p := f.processes[r.IntN(len(f.processes))]; p != nil {
		_ = p.cmd.Process.Kill() // it may have died already
	}
}

// serving returns a channel that is closed when every replica answers, unless done is before.
func (f *fleet) serving(done <-chan struct{}) <-chan struct{} {
	all := make(chan struct{})
	go func() {
		hc := &http.Client{Timeout: 5 * time.Second}
		for _, address := range f.addresses {
			for {
				resp, err := hc.Get("http://" + address + "/hpke_config")
				if err == nil {
					resp.Body.Close()
					break
				}
				select {
				case <-done:
					return
				case <-time.After(50 * time.Millisecond):
				}
			}
		}
		close(all)
	}()
	return all
}

// address returns that of a random replica.
func (f *fleet) address(r *rand.Rand) string { return f.addresses[r.IntN(len(f.addresses))] }

// stop lets every replica come to its end.
func (f *fleet) stop() {
	f.mu.Lock()
	f.stopping = true
	for _, p := range f.processes {
		if p != nil {
			_ = p.stdin.Close()
		}
	}
	f.mu.Unlock()
	f.supervisors.Wait()
}

// logs returns the last lines of what the replicas wrote.
func (f *fleet) logs() string {
	var all strings.Builder
	for i := range f.addresses {
		name := fmt.Sprintf("%s-%d.log", f.role, i)
		text, err := os.ReadFile(filepath.Join(f.dir, name))
		if err != nil {
			continue
		}
		lines := strings.SplitAfter(string(text), "\n")
		fmt.Fprintf(&all, "--- %s, %d lines\n%s", name, len(lines), strings.Join(lines[max(0, len(lines)-8):], ""))
	}
	return all.String()
}

// balance carries each connection to one of the addresses that takes it, as a balancer does that knows nothing of HTTP.
func balance(listener net.Listener, addresses []string) {
	for {
		from, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer from.Close()
			for _, i := range rand.Perm(len(addresses)) {
				to, err := net.Dial("tcp", addresses[i])
				if err != nil {
					continue
				}
				defer to.Close()
				ended := make(chan struct{}, 2)
				pipe := func(dst, src net.Conn) {
					_, _ = io.Copy(dst, src)
					ended <- struct{}{}
				}
				go pipe(to, from)
				go pipe(from, to)
				<-ended
				return
			}
		}()
	}
}
