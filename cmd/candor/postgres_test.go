package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"candor/aggregator/storetest"
	"candor/cmd/candor/internal/config"
	"candor/schema/round"
)

// Two processes of a Leader serve on one PostgreSQL database of a role that is no superuser, with a password that they take from the environment and show nowhere. While the
// database is away they say that they are not ready, and afterwards they go on by themselves.
func TestPostgresServers(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a PostgreSQL server")
	}
	server := storetest.StartPostgres(t)
	if server.Data() == "" {
		t.Skip("the server is not ours to stop")
	}
	const password = "s3cret-of-the-database"
	store, err := server.NewOwnedDatabase("ordinary", password)
	if err != nil {
		t.Fatal(err)
	}
	var processes [2]*aggregatorProcess
	dir := filepath.Join(t.TempDir(), "leader")
	for i := range processes {
		processes[i] = startLeader(t, dir, i, store, password)
	}
	for _, p := range processes {
		p.waitFor(t, "readyz", http.StatusOK)
		if body := p.waitFor(t, "status", http.StatusOK); !strings.Contains(body, `"role":"leader"`) {
			t.Errorf("status %s", body)
		}
	}
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	for _, p := range processes {
		p.waitFor(t, "readyz", http.StatusServiceUnavailable)
		p.waitFor(t, "healthz", http.StatusOK)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	for i, p := range processes {
		p.waitFor(t, "readyz", http.StatusOK)
		p.waitFor(t, "status", http.StatusOK)
		if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if err := p.cmd.Wait(); err != nil {
			t.Errorf("process %d ends with %v:\n%s", i, err, &p.log)
		}
		if strings.Contains(p.log.String(), password) {
			t.Errorf("process %d shows the password:\n%s", i, &p.log)
		}
	}
	p := startLeader(t, dir, 2, store, "another")
	if err := p.cmd.Wait(); err == nil || strings.Contains(p.log.String(), "another") || !strings.Contains(p.log.String(), "password authentication failed") {
		t.Errorf("with a wrong password: %v\n%s", err, &p.log)
	}
}

// An aggregatorProcess is the program as an aggregator.
type aggregatorProcess struct {
	cmd     *exec.Cmd
	private string
	log     bytes.Buffer // read after Wait alone
}

// startLeader starts a Leader on a store. All of the same directory have the same keys.
func startLeader(t *testing.T, dir string, n int, store, password string) *aggregatorProcess {
	t.Helper()
	address, private := closedAddress(t), closedAddress(t)
	if n == 0 {
		_, err := config.InitOperator(t.Context(), config.Operator{Dir: dir, Role: "leader", Name: "Example", Endpoint: "http://" + address + "/", Listen: "LISTEN", Private: "PRIVATE"})
		if err == nil {
			err = config.Pair(dir)
		}
		if err == nil {
			err = config.WriteSecret(filepath.Join(dir, "collector.token"), config.GenerateToken())
		}
		if err == nil {
			const pin = "6X3KD-0M9QT-HZ72A-WV8CN-R4EBJ"
			err = config.Pin(filepath.Join(dir, "leader.yaml"), round.Trust{Secretariat: pin, Leader: pin, Helper: pin})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, "leader.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, fmt.Sprintf("leader-%d.yaml", n))
	replaced := strings.NewReplacer("LISTEN", address, "PRIVATE", private, "store: leader.db", "store: "+store).Replace(string(text))
	if err := os.WriteFile(file, []byte(replaced), 0o600); err != nil {
		t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &aggregatorProcess{cmd: exec.Command(exe, "leader", "--config", file), private: private}
	p.cmd.Env = append(os.Environ(), asCandor+"=1", "PGPASSWORD="+password)
	p.cmd.Stderr = &p.log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.cmd.Process.Kill() })
	return p
}

func closedAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// waitFor asks the private listener until it answers with a status, and returns the content.
func (p *aggregatorProcess) waitFor(t *testing.T, path string, status int) string {
	t.Helper()
	var last string
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		resp, err := http.Get("http://" + p.private + "/" + path)
		if err != nil {
			last = err.Error()
			continue
		}
		content, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if last = fmt.Sprintf("%s: %s", resp.Status, content); resp.StatusCode == status {
			return string(content)
		}
	}
	t.Fatalf("%s: %s, want %d", path, last, status)
	return ""
}
