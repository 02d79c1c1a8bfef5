package main

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"candor/cmd/candor/internal/config"
	"candor/schema/dap"
	"candor/schema/round"
)

// A server that is told to stop takes no new connection, answers the request that is under way when its content has arrived, and ends with 0.
func TestGracefulShutdown(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	dir := filepath.Join(t.TempDir(), "leader")
	file := filepath.Join(dir, "leader.yaml")
	_, err = config.InitOperator(t.Context(), config.Operator{Dir: dir, Role: "leader", Name: "Example", Endpoint: "http://" + address + "/", Listen: address, Private: "127.0.0.1:0"})
	if err == nil {
		err = config.Pair(dir)
	}
	if err == nil {
		err = config.WriteSecret(filepath.Join(dir, "collector.token"), config.GenerateToken())
	}
	if err == nil {
		const pin = "6X3KD-0M9QT-HZ72A-WV8CN-R4EBJ"
		err = config.Pin(file, round.Trust{Secretariat: pin, Leader: pin, Helper: pin})
	}
	if err != nil {
		t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	cmd := exec.Command(exe, "leader", "--config", file)
	cmd.Env = append(os.Environ(), asCandor+"=1")
	cmd.Stderr = &log // read after Wait alone
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() { _ = cmd.Process.Kill() })

	conn := dialUntil(t, address)
	defer conn.Close()
	fmt.Fprintf(conn, "POST /tasks/%s/reports HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nContent-Length: 8\r\n\r\nhalf", strings.Repeat("A", 43), dap.MediaTypeUploadReq)
	time.Sleep(200 * time.Millisecond) // for the server to begin reading
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		other, err := net.Dial("tcp", address)
		if err != nil {
			break
		}
		other.Close()
		if time.Now().After(deadline) {
			t.Fatal("a server that stops takes new connections")
		}
	}
	select {
	case err := <-ended:
		t.Fatalf("the server ended with a request under way: %v\n%s", err, &log)
	case <-time.After(200 * time.Millisecond):
	}
	fmt.Fprint(conn, "rest")
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("the request under way got no answer: %v", err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusNotFound && resp.StatusCode != http.StatusBadRequest {
		t.Errorf("an upload to an unknown task is answered %s", resp.Status)
	}
	select {
	case err := <-ended:
		if err != nil || !strings.Contains(log.String(), `"stopped"`) {
			t.Errorf("the server ended with %v:\n%s", err, &log)
		}
	case <-time.After(patience):
		t.Error("the server does not end")
	}
}

func dialUntil(t *testing.T, address string) net.Conn {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			return conn
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}
