package httpapi_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"candor/aggregator/httpapi"
	"candor/schema/dap"
)

func TestPrivate(t *testing.T) {
	var ready error
	var log syncBuffer
	h := httpapi.NewPrivate(httpapi.PrivateConfig{
		Gatherer: httpapi.NewRegistry(),
		Ready: func(ctx context.Context) error {
			if _, ok := ctx.Deadline(); !ok {
				t.Error("Ready has no deadline")
			}
			return ready
		},
		Status: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "waiting for 3 reports") }),
		Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	get := func(method, path string, status int, contains string) {
		t.Helper()
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(method, path, nil))
		if w.Code != status || !strings.Contains(w.Body.String(), contains) {
			t.Errorf("%s %s: status %d, want %d with %q:\n%.200s", method, path, w.Code, status, contains, w.Body)
		}
	}
	get("GET", "/healthz", 200, "ok")
	get("GET", "/readyz", 200, "ok")
	get("GET", "/metrics", 200, "go_goroutines")
	get("GET", "/status", 200, "waiting for 3 reports")
	get("GET", "/debug/pprof/", 200, "goroutine")
	get("GET", "/debug/pprof/heap?debug=1", 200, "heap profile")
	get("GET", "/debug/pprof/cmdline", 200, "")
	get("POST", "/debug/pprof/symbol", 200, "num_symbols")
	get("GET", "/", 404, "")
	get("POST", "/healthz", 405, "")
	ready = errors.New("opening store: locked by process 7")
	get("GET", "/readyz", 503, "locked by process 7")
	get("GET", "/healthz", 200, "ok")
	if !strings.Contains(log.String(), "not ready") {
		t.Errorf("log: %s", log.String())
	}
}

// TestServeStops checks that a request that has begun ends, and that one that
// does not end in time is cut off.
func TestServeStops(t *testing.T) {
	for _, test := range []struct {
		name  string
		takes time.Duration
		err   bool
	}{{"in time", 59 * time.Second, false}, {"too long", 2 * time.Minute, true}} {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t, nil, upload(func(context.Context, *httpapi.Request) (httpapi.Response, error) {
				time.Sleep(test.takes)
				return httpapi.Response{}, nil
			}))
			l, stop := f.serve()
			c := l.dial()
			go io.WriteString(c, uploadHead+"Content-Length: 4\r\n\r\nbody")
			answered := make(chan bool)
			go func() {
				b := make([]byte, 15)
				_, err := io.ReadFull(c, b)
				answered <- err == nil && string(b) == "HTTP/1.1 200 OK"
				io.Copy(io.Discard, c)
			}()
			synctest.Wait()
			start := time.Now()
			done := make(chan error)
			go func() { done <- stop() }()
			if got := <-answered; got == test.err {
				t.Errorf("%s: answered %t", test.name, got)
			}
			if err := <-done; (err != nil) != test.err || elapsed(start) > 61*time.Second {
				t.Errorf("%s: stopped after %v, error %v", test.name, elapsed(start), err)
			}
			c.Close()
			time.Sleep(time.Hour)
		})
	}
}

func TestServeFails(t *testing.T) {
	l := newPipeListener()
	l.Close()
	if err := httpapi.Serve(t.Context(), httpapi.NewServer(http.NotFoundHandler(), nil), l, time.Second); !errors.Is(err, net.ErrClosed) {
		t.Errorf("serving on a closed listener: %v", err)
	}
}

// TestServerLimits checks that no timeout is left at "for ever".
func TestServerLimits(t *testing.T) {
	s := httpapi.NewServer(http.NotFoundHandler(), nil)
	if s.ReadHeaderTimeout <= 0 || s.ReadTimeout <= 0 || s.WriteTimeout <= 0 || s.IdleTimeout <= 0 || s.MaxHeaderBytes <= 0 {
		t.Errorf("server %+v", s)
	}
}

// A pair is a certificate with its key, signed by itself or by an authority.
type pair struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newPair(t *testing.T, name string, authority *pair) pair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(time.Now().UnixNano()),
		Subject:               pkix.Name{CommonName: name},
		DNSNames:              []string{"localhost"},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(time.Hour),
		BasicConstraintsValid: true,
		IsCA:                  authority == nil,
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	parent, signer := template, key
	if authority != nil {
		parent, signer = authority.certificate, authority.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return pair{certificate, key}
}

func (p pair) certificatePEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.certificate.Raw})
}

func (p pair) keyPEM(t *testing.T) []byte {
	der, err := x509.MarshalPKCS8PrivateKey(p.key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

func (p pair) tls() tls.Certificate {
	return tls.Certificate{Certificate: [][]byte{p.certificate.Raw}, PrivateKey: p.key}
}

// writeTLS writes the files of a server with p and returns their names.
func writeTLS(t *testing.T, dir string, p pair, clientCAs ...pair) httpapi.TLSFiles {
	t.Helper()
	files := httpapi.TLSFiles{Certificate: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
	write := func(name string, content []byte) {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(files.Certificate, p.certificatePEM())
	write(files.Key, p.keyPEM(t))
	if len(clientCAs) > 0 {
		files.ClientCAs = filepath.Join(dir, "clients.pem")
		var all []byte
		for _, ca := range clientCAs {
			all = append(all, ca.certificatePEM()...)
		}
		write(files.ClientCAs, all)
	}
	return files
}

// served returns the certificate that a new connection would be given.
func served(t *testing.T, c *tls.Config) *x509.Certificate {
	t.Helper()
	current, err := c.GetConfigForClient(nil)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(current.Certificates[0].Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

func TestTLSReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		first, second, ca := newPair(t, "first", nil), newPair(t, "second", nil), newPair(t, "authority", nil)
		files := writeTLS(t, dir, first)
		var log syncBuffer
		config, err := httpapi.NewTLSConfig(files, slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		is := func(when string, want pair) {
			t.Helper()
			if got := served(t, config); !got.Equal(want.certificate) {
				t.Errorf("%s: served %s, want %s\n%s", when, got.Subject, want.certificate.Subject, log.String())
			}
		}
		later := func() { time.Sleep(11 * time.Second) }
		changed := time.Now()
		touch := func(names ...string) {
			changed = changed.Add(time.Second)
			for _, name := range names {
				if err := os.Chtimes(name, changed, changed); err != nil {
					t.Fatal(err)
				}
			}
		}
		touch(files.Certificate, files.Key)

		is("at first", first)
		later()
		is("unchanged", first)

		// The certificate comes before its key: what was good stays.
		if err := os.WriteFile(files.Certificate, second.certificatePEM(), 0o600); err != nil {
			t.Fatal(err)
		}
		touch(files.Certificate)
		is("half replaced, at once", first)
		later()
		is("half replaced", first)
		if !strings.Contains(log.String(), "reloading TLS files") {
			t.Errorf("a bad pair is not logged: %s", log.String())
		}
		if err := os.WriteFile(files.Key, second.keyPEM(t), 0o600); err != nil {
			t.Fatal(err)
		}
		touch(files.Key)
		later()
		is("replaced", second)

		if err := os.Remove(files.Key); err != nil {
			t.Fatal(err)
		}
		later()
		is("key removed", second)
		if strings.Contains(log.String(), "PRIVATE") || strings.Contains(log.String(), "BEGIN") {
			t.Errorf("a key is logged: %s", log.String())
		}

		// Client roots are followed too.
		files = writeTLS(t, dir, first, ca)
		config, err = httpapi.NewTLSConfig(files, nil)
		if err != nil {
			t.Fatal(err)
		}
		roots := func() *x509.CertPool { c, _ := config.GetConfigForClient(nil); return c.ClientCAs }
		before := roots()
		writeTLS(t, dir, first, ca, second)
		touch(files.ClientCAs)
		later()
		if roots().Equal(before) {
			t.Error("the client roots are still those of before")
		}
	})
}

func TestTLSFilesMissing(t *testing.T) {
	dir := t.TempDir()
	p, other := newPair(t, "p", nil), newPair(t, "other", nil)
	good := writeTLS(t, dir, p, p)
	empty := filepath.Join(dir, "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	otherKey := filepath.Join(dir, "other.pem")
	if err := os.WriteFile(otherKey, other.keyPEM(t), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*httpapi.TLSFiles){
		"no certificate":    func(f *httpapi.TLSFiles) { f.Certificate = "" },
		"lost certificate":  func(f *httpapi.TLSFiles) { f.Certificate += ".old" },
		"empty certificate": func(f *httpapi.TLSFiles) { f.Certificate = empty },
		"another's key":     func(f *httpapi.TLSFiles) { f.Key = otherKey },
		"lost roots":        func(f *httpapi.TLSFiles) { f.ClientCAs += ".old" },
		"empty roots":       func(f *httpapi.TLSFiles) { f.ClientCAs = empty },
	} {
		files := good
		change(&files)
		if _, err := httpapi.NewTLSConfig(files, nil); err == nil || !strings.HasPrefix(err.Error(), "loading TLS files: ") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// TestTLS serves over real sockets: HTTP/2, and client certificates from the
// right authority, from another, and none.
func TestTLS(t *testing.T) {
	ca, stranger := newPair(t, "authority", nil), newPair(t, "stranger", nil)
	server := newPair(t, "server", nil)
	config, err := httpapi.NewTLSConfig(writeTLS(t, t.TempDir(), server, ca), nil)
	if err != nil {
		t.Fatal(err)
	}
	route := upload(echo)
	route.Auth = httpapi.Leader
	f := newFixture(t, func(c *httpapi.Config) {
		c.Authenticate = func(_ context.Context, _ httpapi.Auth, r *httpapi.Request) (bool, error) {
			chains := r.HTTP.TLS.VerifiedChains
			return len(chains) > 0 && chains[0][0].Subject.CommonName == "leader", nil
		}
	}, route)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Skip("no loopback: ", err)
	}
	s := httpapi.NewServer(f, nil)
	s.TLSConfig = config
	ctx, stop := context.WithCancel(t.Context())
	stopped := make(chan error, 1)
	go func() { stopped <- httpapi.Serve(ctx, s, l, time.Minute) }()
	defer func() {
		stop()
		if err := <-stopped; err != nil {
			t.Error(err)
		}
	}()

	roots := x509.NewCertPool()
	roots.AddCert(server.certificate)
	post := func(certificates ...tls.Certificate) (*http.Response, error) {
		transport := &http.Transport{
			TLSClientConfig:   &tls.Config{RootCAs: roots, ServerName: "localhost", Certificates: certificates},
			ForceAttemptHTTP2: true,
		}
		defer transport.CloseIdleConnections()
		r, err := http.NewRequest("POST", "https://"+l.Addr().String()+"/tasks/"+taskText+"/reports", strings.NewReader("content"))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", dap.MediaTypeUploadReq)
		response, err := transport.RoundTrip(r)
		if err != nil {
			return nil, err
		}
		content, err := io.ReadAll(response.Body)
		response.Body.Close()
		response.Body = io.NopCloser(bytes.NewReader(content))
		return response, err
	}
	if r, err := post(newPair(t, "leader", &ca).tls()); err != nil {
		t.Error(err)
	} else if content, _ := io.ReadAll(r.Body); r.ProtoMajor != 2 || r.StatusCode != 200 || string(content) != "content" {
		t.Errorf("the Leader: HTTP/%d, status %d, %q", r.ProtoMajor, r.StatusCode, content)
	}
	if r, err := post(newPair(t, "collector", &ca).tls()); err != nil {
		t.Error(err)
	} else {
		problem(t, r, 401)
	}
	if r, err := post(); err != nil {
		t.Error(err)
	} else {
		problem(t, r, 401)
	}
	if r, err := post(newPair(t, "leader", &stranger).tls()); err == nil && r.StatusCode == 200 {
		t.Errorf("the stranger's leader: status %d", r.StatusCode)
	}
}

// TestHTTP2Content repeats the limits that HTTP/2 implements differently.
func TestHTTP2Content(t *testing.T) {
	server := newPair(t, "server", nil)
	config, err := httpapi.NewTLSConfig(writeTLS(t, t.TempDir(), server), nil)
	if err != nil {
		t.Fatal(err)
	}
	f := newFixture(t, func(c *httpapi.Config) { c.BodyTimeout = 200 * time.Millisecond }, upload(echo))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Skip("no loopback: ", err)
	}
	s := httpapi.NewServer(f, nil)
	s.TLSConfig = config
	ctx, stop := context.WithCancel(t.Context())
	stopped := make(chan error, 1)
	go func() { stopped <- httpapi.Serve(ctx, s, l, time.Minute) }()
	defer func() { stop(); <-stopped }()

	roots := x509.NewCertPool()
	roots.AddCert(server.certificate)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "localhost"}, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	post := func(body io.Reader) *http.Response {
		t.Helper()
		r, err := http.NewRequest("POST", "https://"+l.Addr().String()+"/tasks/"+taskText+"/reports", body)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", dap.MediaTypeUploadReq)
		response, err := transport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		if response.ProtoMajor != 2 {
			t.Errorf("HTTP/%d", response.ProtoMajor)
		}
		return response
	}
	if r := post(strings.NewReader(strings.Repeat("x", 1000))); r.StatusCode != 200 {
		t.Errorf("status %d", r.StatusCode)
	}
	problem(t, post(strings.NewReader(strings.Repeat("x", 1001))), 413)
	problem(t, post(io.LimitReader(endless{}, 1<<30)), 413)
	reader, writer := io.Pipe()
	defer writer.Close()
	problem(t, post(reader), 408) // nothing ever comes
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }
