package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"candor/aggregator"
	"candor/client"
	"candor/client/collector"
	"candor/cmd/candor/internal/config"
	"candor/schema/dap"
	"candor/schema/round"
)

// patience bounds every wait of a script for what a server is to do.
const patience = 20 * time.Second

// operatorCommands are the commands of scripts that run servers.
//
//	freeport VAR…           puts a loopback address that nobody listens on into each variable
//	expand FILE…            replaces $VAR in files
//	serve NAME ROLE FILE    starts `candor ROLE --config FILE` and waits until it is ready
//	halt NAME               ends it with SIGTERM; it must end well
//	logged NAME REGEXP      waits until the server has logged a line that matches
//	get URL REGEXP [CA]     waits until the resource, as text or else in hexadecimal, matches
//	testca DIR              makes an authority ca.pem and certificates of it, server.* for 127.0.0.1 and client.*
//	upload TASK N [CA]      uploads N reports of a plain Prio3Count task
//	collect TASK KEY TOKEN  creates the collection job of all reports of a plain task up to now
func operatorCommands() map[string]func(*testscript.TestScript, bool, []string) {
	return map[string]func(*testscript.TestScript, bool, []string){
		"freeport": freeport, "expand": expand, "serve": serve, "halt": halt, "logged": logged, "get": get, "testca": testCA, "upload": upload, "collect": collect,
	}
}

func freeport(ts *testscript.TestScript, _ bool, args []string) {
	for _, name := range args {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		ts.Check(err)
		defer l.Close() // when all are chosen, so that no two are the same
		ts.Setenv(name, l.Addr().String())
	}
}

func expand(ts *testscript.TestScript, _ bool, args []string) {
	for _, name := range args {
		text := os.Expand(ts.ReadFile(name), ts.Getenv)
		ts.Check(os.WriteFile(ts.MkAbs(name), []byte(text), 0o600))
	}
}

// A server is a candor process that a script started.
type server struct {
	cmd  *exec.Cmd
	log  string // file
	done chan error
}

type servers map[string]*server

// serversKey is where a script's servers are kept.
type serversKey struct{}

func serversOf(ts *testscript.TestScript) servers { return ts.Value(serversKey{}).(servers) }

func serve(ts *testscript.TestScript, _ bool, args []string) {
	name, role, file := args[0], args[1], ts.MkAbs(args[2])
	cfg, err := config.LoadAggregator(file)
	ts.Check(err)
	exe, err := os.Executable()
	ts.Check(err)
	s := &server{cmd: exec.Command(exe, role, "--config", file), log: ts.MkAbs(name + ".log"), done: make(chan error, 1)}
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	ts.Check(err)
	defer log.Close()
	s.cmd.Env = append(os.Environ(), asCandor+"=1")
	s.cmd.Stdout, s.cmd.Stderr = log, log
	ts.Check(s.cmd.Start())
	go func() { s.done <- s.cmd.Wait() }()
	ts.Defer(func() { _ = s.cmd.Process.Kill() }) // it may have ended
	serversOf(ts)[name] = s
	get(ts, false, []string{"http://" + cfg.PrivateListen + "/readyz", "^ok"})
}

func halt(ts *testscript.TestScript, _ bool, args []string) {
	s := serversOf(ts)[args[0]]
	ts.Check(s.cmd.Process.Signal(syscall.SIGTERM))
	select {
	case err := <-s.done:
		if err != nil {
			ts.Fatalf("%s ended with %v:\n%s", args[0], err, ts.ReadFile(s.log))
		}
	case <-time.After(patience + 10*time.Second):
		ts.Fatalf("%s does not end", args[0])
	}
	delete(serversOf(ts), args[0])
}

func logged(ts *testscript.TestScript, _ bool, args []string) {
	want := regexp.MustCompile("(?m)" + args[1])
	await(ts, func() error {
		if text := ts.ReadFile(args[0] + ".log"); !want.MatchString(text) {
			return fmt.Errorf("%s has not logged %s:\n%s", args[0], args[1], text)
		}
		return nil
	})
}

// await waits until there is no error any more.
func await(ts *testscript.TestScript, try func() error) {
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%v", err)
		}
	}
}

func get(ts *testscript.TestScript, _ bool, args []string) {
	want := regexp.MustCompile("(?m)" + args[1])
	hc := hcWith(ts, args[2:])
	await(ts, func() error {
		resp, err := hc.Get(args[0])
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			return err
		}
		if resp.StatusCode != http.StatusOK || !want.Match(body) && !want.MatchString(hex.EncodeToString(body)) {
			return fmt.Errorf("%s answers %s, without %s:\n%s", args[0], resp.Status, args[1], body)
		}
		return nil
	})
}

// hcWith returns an HTTP client that believes an authority, if one is named.
func hcWith(ts *testscript.TestScript, ca []string) *http.Client {
	tlsConfig := config.PeerTLS{}
	if len(ca) > 0 {
		tlsConfig.CA = ts.MkAbs(ca[0])
	}
	hc, err := tlsConfig.Client()
	ts.Check(err)
	hc.Timeout = 5 * time.Second
	return hc
}

func testCA(ts *testscript.TestScript, _ bool, args []string) {
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(dir, 0o700))
	serial := int64(0)
	issue := func(name string, usage x509.ExtKeyUsage, parent *x509.Certificate, by *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		ts.Check(err)
		serial++
		c := &x509.Certificate{
			SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
			IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{usage}, BasicConstraintsValid: true,
		}
		if parent == nil {
			c.IsCA, c.KeyUsage, c.ExtKeyUsage, c.IPAddresses = true, x509.KeyUsageCertSign, nil, nil
			parent, by = c, key
		}
		der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, by)
		ts.Check(err)
		private, err := x509.MarshalPKCS8PrivateKey(key)
		ts.Check(err)
		for file, block := range map[string]*pem.Block{".pem": {Type: "CERTIFICATE", Bytes: der}, ".key": {Type: "PRIVATE KEY", Bytes: private}} {
			ts.Check(os.WriteFile(filepath.Join(dir, name+file), pem.EncodeToMemory(block), 0o600))
		}
		return c, key
	}
	ca, caKey := issue("ca", 0, nil, nil)
	issue("server", x509.ExtKeyUsageServerAuth, ca, caKey)
	issue("client", x509.ExtKeyUsageClientAuth, ca, caKey)
}

// taskOf reads a plain task as a party outside sees it.
func taskOf(ts *testscript.TestScript, file string) *round.Task {
	path := ts.MkAbs(file)
	t, err := (&config.Runner{Peer: aggregator.NewToken("unused-peer")}).PlainTask(context.Background(), path, []byte(ts.ReadFile(file)))
	ts.Check(err)
	return t.Task
}

func upload(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	c, err := client.New(client.Config{Task: taskOf(ts, args[0]), HTTP: hcWith(ts, args[2:])})
	ts.Check(err)
	for range n {
		_, err := c.Submit(context.Background(), []uint64{1}, nil, nil)
		ts.Check(err)
	}
}

func collect(ts *testscript.TestScript, _ bool, args []string) {
	task := taskOf(ts, args[0])
	hpke, key, err := config.LoadHPKE(ts.MkAbs(args[1]))
	ts.Check(err)
	c, err := collector.New(collector.Config{Task: task, HPKE: hpke, Key: key, Token: string(bytes.TrimSpace([]byte(ts.ReadFile(args[2]))))})
	ts.Check(err)
	now := task.TimeOf(time.Now())
	_, err = c.Start(context.Background(), dap.NewTimeIntervalQuery(dap.Interval{Start: now - 1, Duration: 2}))
	ts.Check(err)
}
