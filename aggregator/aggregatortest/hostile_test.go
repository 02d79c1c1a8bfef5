package aggregatortest_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"candor/aggregator/boltstore"
	"candor/aggregator/helper"
	"candor/aggregator/httpapi"
	"candor/aggregator/leader"
	"candor/schema/dap"
)

// hostileLimits are those of the roles in TestHostileRequests. Without them a crowd of 200 would take gigabytes. Headers that come too late
// get no answer, so that they have longer: a machine that is busy with other tests can need a good part of it.
var hostileLimits = benchLimits{Body: 2 << 20, Memory: 8 << 20, Concurrency: 8, Timeout: 1500 * time.Millisecond, Headers: 6 * time.Second}

// Every resource of both roles, each role a process of its own, answers malformed, oversized, slow and endless requests with the right status, soon, and within
// a bounded amount of memory however many come at once; then it serves as before.
func TestHostileRequests(t *testing.T) {
	dir := t.TempDir()
	setup, keys, _ := newBenchSetup(t, dap.VDAFConfig{Type: dap.VDAFCount})
	setup.Limits = &hostileLimits
	if err := os.WriteFile(filepath.Join(dir, "setup.json"), ok(json.Marshal(setup)), 0o600); err != nil {
		t.Fatal(err)
	}
	st := ok(boltstore.Open(filepath.Join(t.TempDir(), "table.db"), boltstore.Options{}))
	defer st.Close()
	tables := map[string][]httpapi.Route{
		"leader": ok(leader.New(leader.Config{Store: st, Keys: keys.Leader, MaxUpload: hostileLimits.Body})).Routes(),
		"helper": ok(helper.New(helper.Config{Store: st, Keys: keys.Helper, MaxJob: hostileLimits.Body})).Routes(),
	}
	urls := map[string]string{"leader": setup.LeaderURL, "helper": setup.HelperURL}
	for role, routes := range tables {
		t.Run(role, func(t *testing.T) {
			t.Parallel()
			p := startBenchRole(t, role, dir)
			waitForServer(t, urls[role]+"/hpke_config")
			h := &hostile{address: strings.TrimPrefix(urls[role], "http://"), task: dap.TaskID(setup.TaskID),
				tokens: map[httpapi.Auth]string{httpapi.Leader: setup.PeerToken, httpapi.Collector: setup.CollectorToken}}
			for _, route := range routes {
				h.attack(t, route)
			}
			h.slowHeader(t)
			h.longHeader(t)
			h.full(t, routes)
			h.crowd(t, routes)
			// A process that has begun takes about 40 MB. The budget of 8 MB is held several times over before garbage is collected.
			if peak := p.peakMB(t); peak > 160 {
				t.Errorf("the process took %.0f MB", peak)
			} else {
				t.Logf("the process took %.0f MB at most", peak)
			}
			if resp := h.send(t, h.head("GET", "/hpke_config", ""), nil); resp.StatusCode != http.StatusOK {
				t.Errorf("afterwards the configuration is answered %s", resp.Status)
			}
		})
	}
}

// A hostile peer of one server.
type hostile struct {
	address string
	task    dap.TaskID
	tokens  map[httpapi.Auth]string
}

// head returns the beginning of a request, up to its last header's end. More headers may follow.
func (h *hostile) head(method, path, token string, headers ...string) string {
	var head strings.Builder
	fmt.Fprintf(&head, "%s %s HTTP/1.1\r\nHost: x\r\n", method, path)
	if token != "" {
		headers = append(headers, "Authorization: Bearer "+token)
	}
	for _, line := range headers {
		head.WriteString(line + "\r\n")
	}
	return head.String() + "\r\n"
}

func (h *hostile) path(route httpapi.Route) string {
	path := strings.NewReplacer(httpapi.TaskID, h.task.String(), httpapi.ResourceID, strings.Repeat("A", 22), "{id:[a-z0-9-]{1,40}}", "m1").Replace(route.Path)
	if route.Name == "get_aggregation_job" {
		path += "?step=0"
	}
	return path
}

// hostilePatience bounds every answer: it must come by the server's deadlines, not by ours.
const hostilePatience = 20 * time.Second

// send sends a request's head, lets body write the rest while the answer is awaited, and returns the answer. What body cannot write any more is no error.
func (h *hostile) send(t *testing.T, head string, body func(io.Writer) error) *http.Response {
	t.Helper()
	resp, err := h.try(head, body)
	if err != nil {
		t.Fatalf("no answer to %.60q: %v", head, err)
	}
	return resp
}

func (h *hostile) try(head string, body func(io.Writer) error) (*http.Response, error) {
	conn, err := net.Dial("tcp", h.address)
	if err != nil {
		return nil, err
	}
	var writing sync.WaitGroup
	defer writing.Wait()
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(hostilePatience))
	writing.Go(func() {
		if _, err := io.WriteString(conn, head); err == nil && body != nil {
			_ = body(conn) // the server may hang up
		}
	})
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return nil, err
	}
	content, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	resp.Body.Close()
	resp.Body = io.NopCloser(bytes.NewReader(content))
	return resp, nil
}

// endless writes chunks for ever.
func endless(w io.Writer) error {
	chunk := []byte("8000\r\n" + strings.Repeat("x", 0x8000) + "\r\n")
	for {
		if _, err := w.Write(chunk); err != nil {
			return err
		}
	}
}

// trickle writes a byte now and then.
func trickle(w io.Writer) error {
	for {
		if _, err := w.Write([]byte{'x'}); err != nil {
			return err
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// attack sends a route everything that it must refuse.
func (h *hostile) attack(t *testing.T, route httpapi.Route) {
	const chunked = "Transfer-Encoding: chunked"
	path, token, mediaType := h.path(route), h.tokens[route.Auth], "Content-Type: "+route.MediaType
	check := func(attack string, resp *http.Response, want ...int) {
		t.Helper()
		for _, status := range want {
			if resp.StatusCode == status {
				if problem := resp.Header.Get("Content-Type"); status >= 400 && problem != dap.MediaTypeProblem {
					t.Errorf("%s, %s: content type %q", route.Name, attack, problem)
				}
				return
			}
		}
		t.Errorf("%s, %s: %s, want %v", route.Name, attack, resp.Status, want)
	}
	if route.Auth != httpapi.Open {
		check("endless by a stranger", h.send(t, h.head(route.Method, path, "another-token", mediaType, chunked), endless), http.StatusUnauthorized)
		if token == "" {
			return // a party's signature: past it, these have no content
		}
	}
	if route.MediaType == "" {
		normal := []int{http.StatusOK, http.StatusNoContent, http.StatusBadRequest, http.StatusNotFound}
		check("endless", h.send(t, h.head(route.Method, path, token, chunked), endless), normal...)
		check("slow", h.send(t, h.head(route.Method, path, token, "Content-Length: 100"), trickle), normal...)
		return
	}
	check("announced too large", h.send(t, h.head(route.Method, path, token, mediaType, fmt.Sprint("Content-Length: ", route.Limit+1)), nil), http.StatusRequestEntityTooLarge)
	check("endless", h.send(t, h.head(route.Method, path, token, mediaType, chunked), endless), http.StatusRequestEntityTooLarge)
	check("slow", h.send(t, h.head(route.Method, path, token, mediaType, "Content-Length: 100000"), trickle), http.StatusRequestTimeout)
	check("silent", h.send(t, h.head(route.Method, path, token, mediaType, "Content-Length: 100000"), nil), http.StatusRequestTimeout)
	check("endless of another type", h.send(t, h.head(route.Method, path, token, "Content-Type: text/plain", chunked), endless), http.StatusBadRequest, http.StatusUnsupportedMediaType)
	check("compressed", h.send(t, h.head(route.Method, path, token, mediaType, "Content-Encoding: gzip", chunked), endless), http.StatusUnsupportedMediaType)
	// A job that does not exist is not found before the message is looked at.
	malformed := strings.Repeat("\xff", 1000)
	check("malformed", h.send(t, h.head(route.Method, path, token, mediaType, "Content-Length: 1000")+malformed, nil), http.StatusBadRequest, http.StatusNotFound)
	check("chunks that are none", h.send(t, h.head(route.Method, path, token, mediaType, chunked)+"nonsense\r\n", nil), http.StatusBadRequest)
}

// slowHeader sends a header that never ends: the connection is closed, with or without an answer.
func (h *hostile) slowHeader(t *testing.T) {
	began := time.Now()
	_, _ = h.try("GET /hpke_config HTTP/1.1\r\nHost: x\r\nX-Slow: ", trickle)
	if waited := time.Since(began); waited >= hostilePatience {
		t.Errorf("a header that never ends keeps the connection for %v", waited)
	}
}

// longHeader sends a header without end.
func (h *hostile) longHeader(t *testing.T) {
	resp, err := h.try("GET /hpke_config HTTP/1.1\r\nHost: x\r\n", func(w io.Writer) error {
		for {
			if _, err := fmt.Fprintf(w, "X-Long: %s\r\n", strings.Repeat("x", 1000)); err != nil {
				return err
			}
		}
	})
	if err == nil && resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("a header without end: %s", resp.Status)
	}
}

// largest returns the route that takes the most.
func largest(routes []httpapi.Route) (most httpapi.Route) {
	for _, r := range routes {
		if r.Limit > most.Limit {
			most = r
		}
	}
	return most
}

// full sends twice as many requests as there are places, which take theirs for as long as the server gives them to who sends nothing: those that find none are told when to
// come back.
func (h *hostile) full(t *testing.T, routes []httpapi.Route) {
	route := largest(routes)
	head := h.head(route.Method, h.path(route), h.tokens[route.Auth], "Content-Type: "+route.MediaType, "Content-Length: 100000")
	var told atomic.Int64
	for deadline := time.Now().Add(hostilePatience); told.Load() == 0 && time.Now().Before(deadline); { // again if this machine is so busy that they did not meet
		var wg sync.WaitGroup
		for range 2 * hostileLimits.Concurrency {
			wg.Go(func() {
				resp, err := h.try(head, nil)
				switch {
				case err != nil: // its head came too late
				case resp.StatusCode == http.StatusTooManyRequests && resp.Header.Get("Retry-After") != "":
					told.Add(1)
				case resp.StatusCode != http.StatusRequestTimeout:
					t.Errorf("with all places taken: %s, Retry-After %q", resp.Status, resp.Header.Get("Retry-After"))
				}
			})
		}
		wg.Wait()
	}
	if told.Load() == 0 {
		t.Error("there are places without end")
	}
}

// crowd lets 200 peers send without end, all at once, to the route that takes the most.
func (h *hostile) crowd(t *testing.T, routes []httpapi.Route) {
	route := largest(routes)
	head := h.head(route.Method, h.path(route), h.tokens[route.Auth], "Content-Type: "+route.MediaType, "Transfer-Encoding: chunked")
	var mu sync.Mutex
	statuses := make(map[int]int)
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() {
			for range 2 {
				resp, err := h.try(head, endless)
				mu.Lock()
				if err == nil {
					statuses[resp.StatusCode]++
					if after := resp.Header.Get("Retry-After"); resp.StatusCode == http.StatusTooManyRequests && after == "" {
						t.Error("429 without Retry-After")
					}
				} else {
					statuses[0]++ // the answer was lost: who goes on sending when the server has hung up gets a reset
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	t.Logf("the crowd at %s was answered %v", route.Name, statuses)
	for status := range statuses {
		switch status {
		case 0, http.StatusRequestEntityTooLarge, http.StatusTooManyRequests, http.StatusRequestTimeout:
		default:
			t.Errorf("%d of the crowd at %s were answered %d", statuses[status], route.Name, status)
		}
	}
	if statuses[0] > 350 || statuses[http.StatusRequestEntityTooLarge]+statuses[http.StatusTooManyRequests] == 0 {
		t.Errorf("hardly anybody of the crowd was answered: %v", statuses)
	}
}
