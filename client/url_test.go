package client_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"candor/client"
)

func TestResource(t *testing.T) {
	for _, c := range []struct{ endpoint, want string }{
		{"https://leader.test", "https://leader.test/tasks/x"},
		{"https://leader.test/", "https://leader.test/tasks/x"},
		{"https://leader.test/dap", "https://leader.test/dap/tasks/x"},
		{"https://leader.test/dap/", "https://leader.test/dap/tasks/x"},
		{"https://LEADER.test:443/a%2Fb//", "https://LEADER.test:443/a%2Fb//tasks/x"}, // byte for byte
		{"http://[::1]:8080/", "http://[::1]:8080/tasks/x"},
	} {
		if got, err := client.Resource(c.endpoint, "tasks", "x"); err != nil || got != c.want {
			t.Errorf("%s: %s, %v, want %s", c.endpoint, got, err, c.want)
		}
	}
}

func TestResolveLocation(t *testing.T) {
	for _, c := range []struct{ request, location, want string }{
		{"https://l.test/dap/tasks/T/collection_jobs", "/dap/tasks/T/collection_jobs/1", "https://l.test/dap/tasks/T/collection_jobs/1"},
		{"https://l.test/dap/tasks/T/collection_jobs", "collection_jobs/1", "https://l.test/dap/tasks/T/collection_jobs/1"},
		{"https://l.test/dap/tasks/T/collection_jobs", "https://l.test/other/1?a=b#frag", "https://l.test/other/1?a=b"},
		{"https://l.test/x", "https://L.TEST:443/y", "https://L.TEST:443/y"},
		{"http://127.0.0.1:8080/x", "http://127.0.0.1:8080/y", "http://127.0.0.1:8080/y"},
		{"https://l.test/x", "", ""},
		{"https://l.test/x", "https://evil.test/y", ""},
		{"https://l.test/x", "//evil.test/y", ""},
		{"https://l.test/x", "http://l.test/y", ""},
		{"https://l.test/x", "https://l.test:8443/y", ""},
		{"https://l.test/x", "https://l.test.evil.test/y", ""},
		{"https://l.test/x", "https://user:pass@l.test/y", ""},
		{"https://l.test/x", "javascript:alert(1)", ""},
		{"https://l.test/x", "https://l.test/%zz", ""},
	} {
		base, err := url.Parse(c.request)
		if err != nil {
			t.Fatal(err)
		}
		got, err := client.ResolveLocation(base, c.location)
		if c.want == "" && err == nil || c.want != "" && (err != nil || got.String() != c.want) {
			t.Errorf("%s with %q: %v, %v, want %q", c.request, c.location, got, err, c.want)
		}
	}
}

func FuzzResolveLocation(f *testing.F) {
	for _, s := range []string{"/y", "https://l.test/y", "//evil.test", "https://l.test:443", "?x", "https://l.test\t/", "https:l.test/y", "\\\\evil.test"} {
		f.Add(s)
	}
	base, _ := url.Parse("https://l.test/dap/x")
	f.Fuzz(func(t *testing.T, location string) {
		u, err := client.ResolveLocation(base, location)
		if err != nil {
			return
		}
		// Whoever reads the result as text must arrive at the same origin.
		again, err := url.Parse(u.String())
		if err != nil {
			t.Fatalf("%q resolves to %q, which does not parse", location, u)
		}
		if again.Scheme != "https" || !strings.EqualFold(again.Hostname(), "l.test") || again.Port() != "" && again.Port() != "443" || again.User != nil {
			t.Fatalf("%q leads to %q", location, u)
		}
	})
}

func FuzzRetryAfter(f *testing.F) {
	for _, s := range []string{"", "0", "120", "-1", "1e9", "4294967296", "Fri, 31 Dec 1999 23:59:59 GMT", "Fri, 31 Dec 9999 23:59:59 GMT"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		wait, ok := client.RetryAfter(http.Header{"Retry-After": {value}}, epoch)
		if wait < 0 || !ok && wait != 0 {
			t.Fatalf("%q: %v, %v", value, wait, ok)
		}
	})
}

func FuzzFreshness(f *testing.F) {
	f.Add("max-age=600", "", "")
	f.Add("no-store", "Fri, 31 Dec 9999 23:59:59 GMT", "0")
	f.Add(`private, max-age="60"`, "0", "99999999999999999999")
	f.Fuzz(func(t *testing.T, cacheControl, expires, age string) {
		h := http.Header{"Cache-Control": {cacheControl}, "Expires": {expires}, "Age": {age}}
		if d := client.Freshness(h, epoch); d < 0 || d > 7*24*time.Hour {
			t.Fatalf("fresh for %v", d)
		}
	})
}

// Plain HTTP goes to this machine only.
func TestCallerNeedsHTTPS(t *testing.T) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {})
	for _, c := range []struct {
		url string
		ok  bool
	}{
		{"https://l.test/", true}, {"http://127.0.0.1:1/", true}, {"http://[::1]:1/", true}, {"http://localhost:1/", true},
		{"http://l.test/", false}, {"http://10.0.0.1/", false}, {"http://127.0.0.1.evil.test/", false}, {"ftp://l.test/", false}, {"/x", false},
	} {
		caller := client.Caller{HTTP: &http.Client{Transport: direct{handler}}, Attempts: 1}
		if _, err := caller.Do(context.Background(), client.Request{Method: "GET", URL: c.url}); (err == nil) != c.ok {
			t.Errorf("%s: %v", c.url, err)
		}
	}
}
