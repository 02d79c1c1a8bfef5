package aggregatortest

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"
)

// A Clock stands still until it is told. It is safe for concurrent use.
type Clock struct {
	mu  sync.Mutex // guards now
	now time.Time
}

// NewClock returns a clock that shows at.
func NewClock(at time.Time) *Clock { return &Clock{now: at} }

// Now returns what the clock shows.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the clock, also backwards.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// A Fate is what becomes of a request.
type Fate int

const (
	Delivered    Fate = iota
	RequestLost       // the server never sees it
	ResponseLost      // the server does its work, and the caller never hears of it
)

// ErrLost is the error of a request or a response that was lost.
var ErrLost = errors.New("aggregatortest: lost on the way")

// A Network carries HTTP between parties in one process. It is an http.RoundTripper and safe for concurrent use.
type Network struct {
	mu    sync.Mutex // guards hosts, fate, alter and log
	hosts map[string]http.Handler
	fate  func(*http.Request) Fate
	alter func(*http.Request, *http.Response)
	log   []Exchange
}

// An Exchange is a request that was made, with the response that the caller saw.
type Exchange struct {
	Method, URL       string
	RequestHeader     http.Header
	RequestBody, Body []byte
	Status            int // 0: the caller saw none
	Header            http.Header
}

// Serve makes handler answer for a host; nil takes the host off the network.
func (n *Network) Serve(host string, handler http.Handler) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.hosts == nil {
		n.hosts = make(map[string]http.Handler)
	}
	n.hosts[host] = handler
}

// Decide sets what decides the fate of requests from now on, and may do other things while the request is on its way; nil delivers all.
func (n *Network) Decide(fate func(*http.Request) Fate) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.fate = fate
}

// Alter sets what may change responses on the way; nil changes none.
func (n *Network) Alter(alter func(*http.Request, *http.Response)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.alter = alter
}

// Log returns all exchanges since the last call.
func (n *Network) Log() []Exchange {
	n.mu.Lock()
	defer n.mu.Unlock()
	log := n.log
	n.log = nil
	return log
}

// RoundTrip implements [http.RoundTripper].
func (n *Network) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	var body []byte
	if req.Body != nil {
		var err error
		if body, err = io.ReadAll(req.Body); err != nil {
			return nil, err
		}
		req.Body.Close()
	}
	n.mu.Lock()
	decide, alter := n.fate, n.alter
	n.mu.Unlock()
	fate := Delivered
	if decide != nil {
		fate = decide(req)
	}
	n.mu.Lock()
	handler := n.hosts[req.URL.Host]
	n.mu.Unlock()
	exchange := Exchange{Method: req.Method, URL: req.URL.String(), RequestHeader: req.Header.Clone(), RequestBody: body}
	defer func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.log = append(n.log, exchange)
	}()
	if handler == nil || fate == RequestLost {
		return nil, ErrLost
	}
	inbound := req.Clone(req.Context())
	inbound.RequestURI = req.URL.RequestURI()
	inbound.Host = req.URL.Host
	inbound.RemoteAddr = "192.0.2.1:1234"
	inbound.Body = io.NopCloser(bytes.NewReader(body))
	inbound.ContentLength = int64(len(body))
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, inbound)
	if fate == ResponseLost {
		return nil, ErrLost
	}
	resp := recorder.Result()
	resp.Request = req
	if alter != nil {
		alter(req, resp)
	}
	var err error
	if exchange.Body, err = io.ReadAll(resp.Body); err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(exchange.Body))
	exchange.Status, exchange.Header = resp.StatusCode, resp.Header.Clone()
	return resp, nil
}
