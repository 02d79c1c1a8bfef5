package httpapi_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"candor/aggregator/httpapi"
	"candor/schema/dap"
)

// A pipeListener hands out the server's ends of pipes, so that connections and
// their deadlines run on the clock of synctest.
type pipeListener struct {
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

func newPipeListener() *pipeListener {
	return &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error   { l.once.Do(func() { close(l.done) }); return nil }
func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "pipe"} }

func (l *pipeListener) dial() net.Conn {
	client, server := net.Pipe()
	l.conns <- server
	return client
}

// serve serves the API in the bubble and returns its listener; stop ends it.
func (f *fixture) serve() (l *pipeListener, stop func() error) {
	l = newPipeListener()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- httpapi.Serve(ctx, httpapi.NewServer(f, nil), l, time.Minute)
	}()
	return l, func() error { cancel(); return <-done }
}

const uploadHead = "POST /tasks/" + taskText + "/reports HTTP/1.1\r\nHost: h\r\nContent-Type: application/ppm-dap;message=upload-req\r\n"

// exchange writes text to a new connection and reads the response.
func exchange(t *testing.T, l *pipeListener, text string) *http.Response {
	t.Helper()
	c := l.dial()
	defer c.Close()
	go io.WriteString(c, text)
	return response(t, c)
}

func response(t *testing.T, c net.Conn) *http.Response {
	t.Helper()
	r, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatalf("reading the response: %v", err)
	}
	content, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatalf("reading the response: %v", err)
	}
	r.Body = io.NopCloser(bytes.NewReader(content))
	return r
}

func TestContentLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sizes := make(chan int, 10)
		f := newFixture(t, nil, upload(func(_ context.Context, r *httpapi.Request) (httpapi.Response, error) {
			sizes <- len(r.Body)
			return httpapi.Response{}, nil
		}))
		l, stop := f.serve()
		defer stop()

		for _, n := range []int{0, 1, 999, 1000} {
			for _, text := range []string{
				fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", uploadHead, n, strings.Repeat("x", n)),
				uploadHead + "Transfer-Encoding: chunked\r\n\r\n" + chunks(n, 100) + "0\r\n\r\n",
			} {
				if r := exchange(t, l, text); r.StatusCode != 200 || r.Close {
					t.Errorf("%d bytes: status %d, close %t", n, r.StatusCode, r.Close)
				} else if got := <-sizes; got != n {
					t.Errorf("%d bytes sent, %d received", n, got)
				}
			}
		}
		// Announced too large: refused before a byte comes. Sent in chunks: as soon as it is too large.
		for name, text := range map[string]string{
			"announced":        uploadHead + "Content-Length: 1001\r\n\r\n",
			"announced, huge":  uploadHead + "Content-Length: 9223372036854775807\r\n\r\n",
			"in chunks":        uploadHead + "Transfer-Encoding: chunked\r\n\r\n" + chunks(1001, 1001),
			"in small chunks":  uploadHead + "Transfer-Encoding: chunked\r\n\r\n" + chunks(1100, 7),
			"one chunk, 8 EiB": uploadHead + "Transfer-Encoding: chunked\r\n\r\n7fffffffffffffff\r\n" + strings.Repeat("x", 5000),
		} {
			r := exchange(t, l, text)
			p := problem(t, r, 413)
			if !r.Close || p.Detail != "The content has more than 1000 bytes." {
				t.Errorf("%s: close %t, problem %v", name, r.Close, p)
			}
		}
		if len(sizes) > 0 {
			t.Error("the handler has run for a content that was too large")
		}
		f.measured(t, `candor_http_refused_requests_total{reason="too_large"} 5`)
	})
}

// chunks encodes n bytes in chunks of at most size, without the last, empty one.
func chunks(n, size int) string {
	var b strings.Builder
	for n > 0 {
		m := min(n, size)
		fmt.Fprintf(&b, "%x\r\n%s\r\n", m, strings.Repeat("x", m))
		n -= m
	}
	return b.String()
}

// TestEndlessContent sends until the server stops it.
func TestEndlessContent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		route := upload(echo)
		route.Limit = 1 << 20
		f := newFixture(t, nil, route)
		l, stop := f.serve()
		defer stop()
		c := l.dial()
		defer c.Close()
		sent := make(chan int)
		go func() {
			n, _ := io.WriteString(c, uploadHead+"Transfer-Encoding: chunked\r\n\r\n")
			for chunk := chunks(1000, 1000); ; {
				m, err := io.WriteString(c, chunk)
				n += m
				if err != nil {
					break
				}
			}
			sent <- n
		}()
		problem(t, response(t, c), 413)
		c.Close()
		if n := <-sent; n > 1<<20+600<<10 {
			t.Errorf("%d bytes were taken for a limit of %d", n, 1<<20)
		}
	})
}

func TestSlowContent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, func(c *httpapi.Config) { c.BodyTimeout = 20 * time.Second }, upload(echo))
		l, stop := f.serve()
		defer stop()
		for name, drip := range map[string]time.Duration{"nothing more": time.Hour, "a byte a second": time.Second} {
			start := time.Now()
			c := l.dial()
			go func() {
				io.WriteString(c, uploadHead+"Content-Length: 100\r\n\r\n")
				for {
					if _, err := io.WriteString(c, "x"); err != nil {
						return
					}
					time.Sleep(drip)
				}
			}()
			r := response(t, c)
			p := problem(t, r, 408)
			if elapsed := time.Since(start); elapsed != 20*time.Second || !r.Close || p.Detail == "" {
				t.Errorf("%s: answered after %v, close %t, problem %v", name, elapsed, r.Close, p)
			}
			c.Close()
			time.Sleep(drip)
		}
		f.measured(t, `candor_http_refused_requests_total{reason="timeout"} 2`)
	})
}

// TestContentWithoutReader has contents for routes that read none, and for none
// at all: they must not hold a connection longer than they would elsewhere.
func TestContentWithoutReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		open := job(fixed(httpapi.Response{}, nil))
		open.Auth = httpapi.Open
		f := newFixture(t, nil, open)
		l, stop := f.serve()
		defer stop()
		for path, status := range map[string]int{"/tasks/" + taskText + "/aggregation_jobs/x": 200, "/nowhere": 404} {
			start := time.Now()
			r := exchange(t, l, "GET "+path+" HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nx")
			if elapsed := time.Since(start); r.StatusCode != status || !r.Close || elapsed != 0 {
				t.Errorf("%s: status %d, close %t, after %v", path, r.StatusCode, r.Close, elapsed)
			}
		}
	})
}

func TestSlowHeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil, upload(echo))
		l, stop := f.serve()
		defer stop()
		c := l.dial()
		defer c.Close()
		start := time.Now()
		go io.WriteString(c, uploadHead)
		if b, err := io.ReadAll(c); elapsed(start) != 10*time.Second {
			t.Errorf("the connection ends after %v with %q, error %v", elapsed(start), b, err)
		}
	})
}

func elapsed(start time.Time) time.Duration { return time.Since(start) }

func TestCutContent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil, upload(func(context.Context, *httpapi.Request) (httpapi.Response, error) {
			t.Error("the handler runs with half a content")
			return httpapi.Response{}, nil
		}))
		l, stop := f.serve()
		defer stop()
		c := l.dial()
		io.WriteString(c, uploadHead+"Content-Length: 100\r\n\r\nhalf")
		c.Close()
		synctest.Wait()
		if line := f.logged(t); line["status"] != 400.0 || line["bytes_in"] != 4.0 {
			t.Errorf("logged %v", line)
		}
		f.measured(t, `candor_http_refused_requests_total{reason="cut"} 1`)
		// Badly encoded chunks are no content either.
		problem(t, exchange(t, l, uploadHead+"Transfer-Encoding: chunked\r\n\r\nzz\r\n"), 400)
	})
}

// TestLongHandler checks that no deadline of the connection ends a handler.
func TestLongHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		long := func(ctx context.Context, r *httpapi.Request) (httpapi.Response, error) {
			select {
			case <-time.After(19 * time.Minute):
				return httpapi.Response{}, nil
			case <-ctx.Done():
				return httpapi.Response{}, ctx.Err()
			}
		}
		get := job(long)
		get.Auth = httpapi.Open
		f := newFixture(t, func(c *httpapi.Config) { c.HandlerTimeout = 20 * time.Minute }, upload(long), get)
		l, stop := f.serve()
		defer stop()
		for _, text := range []string{
			uploadHead + "Content-Length: 4\r\n\r\nbody",
			uploadHead + "Content-Length: 0\r\n\r\n",
			uploadHead + "Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
			"GET /tasks/" + taskText + "/aggregation_jobs/x HTTP/1.1\r\nHost: h\r\n\r\n",
		} {
			if r := exchange(t, l, text); r.StatusCode != 200 {
				t.Errorf("%.20q…: status %d", text, r.StatusCode)
			}
		}
	})
}

func TestHandlerTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil, upload(func(ctx context.Context, _ *httpapi.Request) (httpapi.Response, error) {
			<-ctx.Done()
			return httpapi.Response{}, errors.New("waiting for the store")
		}))
		l, stop := f.serve()
		defer stop()
		start := time.Now()
		r := exchange(t, l, uploadHead+"Content-Length: 4\r\n\r\nbody")
		if p := problem(t, r, 503); p.Detail != "The request took too long." || elapsed(start) != 5*time.Minute {
			t.Errorf("after %v, problem %v", elapsed(start), p)
		}
		if line := f.logged(t); line["err"] != "waiting for the store (context deadline exceeded)" {
			t.Errorf("logged %v", line)
		}
	})
}

// TestStalledReader sends a request and does not read the response.
func TestStalledReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil, upload(fixed(httpapi.Response{MediaType: "text/plain", Body: make([]byte, 1<<20)}, nil)))
		l, stop := f.serve()
		defer stop()
		c := l.dial()
		start := time.Now()
		go io.WriteString(c, uploadHead+"Content-Length: 4\r\n\r\nbody")
		for f.log.String() == "" {
			time.Sleep(time.Second)
		}
		if elapsed(start) > 61*time.Second {
			t.Errorf("the response was given up after %v", elapsed(start))
		}
		if line := f.logged(t); !strings.Contains(fmt.Sprint(line["err"]), "writing the response: ") {
			t.Errorf("logged %v", line)
		}
		c.Close()
	})
}

func TestConcurrency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wait := make(chan struct{})
		block := func(context.Context, *httpapi.Request) (httpapi.Response, error) {
			<-wait
			return httpapi.Response{}, nil
		}
		f := newFixture(t, func(c *httpapi.Config) { c.Concurrency = 2 }, upload(block), job(block))
		open := func() *http.Response {
			return f.do("POST", "/tasks/"+taskText+"/reports", strings.NewReader("x"), uploadType)
		}
		closed := func() *http.Response {
			return f.do("GET", "/tasks/"+taskText+"/aggregation_jobs/x", nil, "DAP-Auth-Token: token-of-leader")
		}
		statuses := make(chan int, 4)
		for range 2 {
			go func() { statuses <- open().StatusCode }()
			go func() { statuses <- closed().StatusCode }()
		}
		synctest.Wait()
		for name, more := range map[string]func() *http.Response{"without": open, "with": closed} {
			r := more()
			if p := problem(t, r, 429); p.Detail == "" || r.Header.Get("Retry-After") != "1" {
				t.Errorf("one more %s credentials: problem %v, Retry-After %q", name, p, r.Header.Get("Retry-After"))
			}
		}
		f.measured(t, `candor_http_refused_requests_total{reason="concurrency"} 2`)
		f.measured(t, `candor_http_inflight_requests 4`)
		close(wait)
		for range 4 {
			if status := <-statuses; status != 200 {
				t.Errorf("status %d", status)
			}
		}
		// The places are free again, also after a panic.
		for range 5 {
			if r := open(); r.StatusCode != 200 {
				t.Errorf("afterwards: status %d", r.StatusCode)
			}
		}
	})
}

func TestPlacesAfterPanic(t *testing.T) {
	f := newFixture(t, func(c *httpapi.Config) { c.Concurrency, c.Memory = 1, 2000 }, upload(func(context.Context, *httpapi.Request) (httpapi.Response, error) {
		panic("x")
	}))
	for range 5 {
		problem(t, f.do("POST", "/tasks/"+taskText+"/reports", strings.NewReader("x"), uploadType), 500)
	}
}

// TestAbort checks that a handler can break off the connection, and that this
// does not look like a result.
func TestAbort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil, upload(func(context.Context, *httpapi.Request) (httpapi.Response, error) {
			panic(http.ErrAbortHandler)
		}))
		l, stop := f.serve()
		defer stop()
		c := l.dial()
		defer c.Close()
		go io.WriteString(c, uploadHead+"Content-Length: 4\r\n\r\nbody")
		if b, err := io.ReadAll(c); len(b) > 0 || err != nil {
			t.Errorf("answered %q, error %v", b, err)
		}
		if line := f.logged(t); line["level"] != "ERROR" {
			t.Errorf("logged %v", line)
		}
	})
}

func TestRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, func(c *httpapi.Config) { c.Rate, c.Burst = 0.1, 3 }, upload(echo), job(fixed(httpapi.Response{}, nil)))
		open := func() *http.Response {
			return f.do("POST", "/tasks/"+taskText+"/reports", strings.NewReader("x"), uploadType)
		}
		for range 3 {
			if r := open(); r.StatusCode != 200 {
				t.Errorf("within the burst: status %d", r.StatusCode)
			}
		}
		time.Sleep(time.Second)
		for range 2 { // being refused costs nothing
			r := open()
			problem(t, r, 429)
			if got := r.Header.Get("Retry-After"); got != "9" {
				t.Errorf("Retry-After %q, want 9", got)
			}
		}
		// Callers with credentials are not counted.
		if r := f.do("GET", "/tasks/"+taskText+"/aggregation_jobs/x", nil, "DAP-Auth-Token: token-of-leader"); r.StatusCode != 200 {
			t.Errorf("with credentials: status %d", r.StatusCode)
		}
		time.Sleep(9 * time.Second)
		if r := open(); r.StatusCode != 200 {
			t.Errorf("when told: status %d", r.StatusCode)
		}
	})
}

func TestMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size = 1 << 20
		var wait chan struct{}
		route := upload(func(_ context.Context, r *httpapi.Request) (httpapi.Response, error) {
			<-wait
			return httpapi.Response{}, nil
		})
		route.Limit = 100 * size
		f := newFixture(t, func(c *httpapi.Config) { c.Memory = 3*size + 100<<10 }, route)
		send := func() int {
			return f.do("POST", "/tasks/"+taskText+"/reports", bytes.NewReader(make([]byte, size)), uploadType).StatusCode
		}
		for round := range 3 { // all is given back, not less and not more
			wait = make(chan struct{})
			statuses := make(chan int, 2)
			for range 2 {
				go func() { statuses <- send() }()
				synctest.Wait()
			}
			// A third needs more than its size for a moment, while it grows.
			if status := send(); status != 429 {
				t.Errorf("round %d, one content more: status %d", round, status)
			}
			f.measured(t, fmt.Sprintf(`candor_http_refused_requests_total{reason="memory"} %d`, round+1))
			close(wait)
			for range 2 {
				if status := <-statuses; status != 200 {
					t.Errorf("round %d: status %d", round, status)
				}
			}
			for range 10 {
				if status := send(); status != 200 {
					t.Errorf("round %d, afterwards: status %d", round, status)
				}
			}
		}

		// Whoever announces much and sends little, holds little.
		l, stop := f.serve()
		var conns []net.Conn
		for range 20 {
			c := l.dial()
			io.WriteString(c, fmt.Sprintf("%sContent-Length: %d\r\n\r\nx", uploadHead, 50*size))
			conns = append(conns, c)
		}
		synctest.Wait()
		if status := send(); status != 200 {
			t.Errorf("beside idle connections: status %d", status)
		}
		for _, c := range conns {
			c.Close()
		}
		synctest.Wait()
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// TestReadAllocates measures what reading a content costs.
func TestReadAllocates(t *testing.T) {
	const size = 4 << 20
	route := upload(fixed(httpapi.Response{}, nil))
	route.Limit = size
	api, err := httpapi.New(httpapi.Config{Routes: []httpapi.Route{route}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	r := httptest.NewRequest("POST", "/tasks/"+taskText+"/reports", bytes.NewReader(make([]byte, size)))
	r.Header.Set("Content-Type", dap.MediaTypeUploadReq)
	w := httptest.NewRecorder()
	runtime.ReadMemStats(&before)
	api.ServeHTTP(w, r)
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; w.Code != 200 || grown > 2*size {
		t.Errorf("status %d, %d bytes allocated for a content of %d", w.Code, grown, size)
	}
}
