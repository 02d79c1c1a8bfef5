package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"candor/crypto/seal"
	"candor/schema/dap"
)

// The time for which a configuration list is kept whose response says nothing about caching.
const unstatedFreshness = time.Minute

// The most a server can have us cache: past that, a withdrawn key might no longer be kept by anyone.
const maxFreshness = 7 * 24 * time.Hour

// An hpkeSource yields one Aggregator's HPKE configuration: the pinned one, or the first usable one of the list that
// the Aggregator advertises, for as long as the response may be cached (DAP, HPKE Configuration Request).
type hpkeSource struct {
	pinned *dap.HpkeConfig // nothing below is used if set

	caller *Caller
	url    string
	now    func() time.Time

	// turn holds one token while nobody fetches: it guards what follows, and lets one request serve all who wait.
	turn   chan struct{}
	cached dap.HpkeConfig
	until  time.Time // cached is fresh before; zero: nothing is cached
}

func newHPKESource(caller *Caller, url string, now func() time.Time) *hpkeSource {
	s := &hpkeSource{caller: caller, url: url, now: now, turn: make(chan struct{}, 1)}
	s.turn <- struct{}{}
	return s
}

func (s *hpkeSource) config(ctx context.Context) (dap.HpkeConfig, error) {
	if s.pinned != nil {
		return *s.pinned, nil
	}
	select {
	case <-s.turn:
	case <-ctx.Done():
		return dap.HpkeConfig{}, ctx.Err()
	}
	defer func() { s.turn <- struct{}{} }()
	if s.now().Before(s.until) {
		return s.cached, nil
	}
	resp, err := s.caller.Do(ctx, Request{Method: http.MethodGet, URL: s.url, MaxResponse: 1 << 20})
	if err != nil {
		return dap.HpkeConfig{}, err
	}
	config, err := chooseConfig(resp)
	if err != nil {
		return dap.HpkeConfig{}, fmt.Errorf("%s: %w", s.url, err)
	}
	s.cached, s.until = config, s.now().Add(freshness(resp.Header, s.now()))
	return config, nil
}

// forget drops what is cached, if it is the configuration named: another caller may have renewed it already.
func (s *hpkeSource) forget(ctx context.Context, id dap.HpkeConfigID) {
	if s.pinned != nil {
		return
	}
	select {
	case <-s.turn:
	case <-ctx.Done():
		return
	}
	if s.cached.ID == id {
		s.until = time.Time{}
	}
	s.turn <- struct{}{}
}

// chooseConfig returns the first configuration, in the server's order of preference, that can be sealed to.
func chooseConfig(resp *Response) (dap.HpkeConfig, error) {
	if err := resp.CheckMessage(dap.MessageHpkeConfigList); err != nil {
		return dap.HpkeConfig{}, err
	}
	list, err := dap.Parse[dap.HpkeConfigList](resp.Body)
	if err != nil {
		return dap.HpkeConfig{}, err
	}
	for _, c := range list {
		if seal.CheckPublicKey(suiteOf(c), c.PublicKey) == nil {
			return c, nil
		}
	}
	if len(list) == 0 {
		return dap.HpkeConfig{}, errors.New("the list of HPKE configurations is empty")
	}
	return dap.HpkeConfig{}, fmt.Errorf("none of the %d HPKE configurations can be used: the suites are unknown here, or the keys malformed", len(list))
}

// freshness returns for how long a response may be cached (RFC 9111, sections 4.2.1 to 4.2.3).
func freshness(h http.Header, now time.Time) time.Duration {
	lifetime, stated := time.Duration(0), false
	for _, field := range h.Values("Cache-Control") {
		for directive := range strings.SplitSeq(field, ",") {
			name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
			switch strings.ToLower(name) {
			case "no-store", "no-cache":
				return 0
			case "max-age":
				stated = true
				seconds, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 32)
				if err != nil {
					return 0 // an unreadable lifetime is a stale response
				}
				lifetime = time.Duration(seconds) * time.Second
			}
		}
	}
	if !stated {
		if expires := h.Get("Expires"); expires != "" {
			at, err := http.ParseTime(expires)
			if err != nil {
				return 0
			}
			lifetime, stated = at.Sub(now), true
		}
	}
	if !stated {
		return unstatedFreshness
	}
	if age, err := strconv.ParseUint(h.Get("Age"), 10, 32); err == nil {
		lifetime -= time.Duration(age) * time.Second
	}
	return min(max(lifetime, 0), maxFreshness)
}
