package httpapi_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"candor/aggregator/httpapi"
	"candor/schema/dap"

	"github.com/google/go-cmp/cmp"
)

func TestCredentials(t *testing.T) {
	tests := []struct {
		name    string
		headers []string
		status  int
	}{
		{"bearer", []string{"Authorization: Bearer token-of-leader"}, 200},
		{"bearer in small letters", []string{"Authorization: bearer token-of-leader"}, 200},
		{"bearer and spaces", []string{"Authorization: Bearer   token-of-leader"}, 200},
		{"older header", []string{"DAP-Auth-Token: token-of-leader"}, 200},
		{"older header in small letters", []string{"dap-auth-token: token-of-leader"}, 200},
		{"both, the same", []string{"Authorization: Bearer token-of-leader", "DAP-Auth-Token: token-of-leader"}, 200},
		{"a foreign scheme beside", []string{"Authorization: Basic YTpi", "Authorization: Bearer token-of-leader"}, 200},
		{"none", nil, 401},
		{"empty bearer", []string{"Authorization: Bearer "}, 401},
		{"no scheme", []string{"Authorization: token-of-leader"}, 401},
		{"another scheme", []string{"Authorization: Basic token-of-leader"}, 401},
		{"empty older header", []string{"DAP-Auth-Token: "}, 401},
		{"wrong", []string{"Authorization: Bearer token-of-leaders"}, 401},
		{"cut", []string{"Authorization: Bearer token-of-leade"}, 401},
		{"in capitals", []string{"Authorization: Bearer TOKEN-OF-LEADER"}, 401},
		{"the Collector's", []string{"Authorization: Bearer token-of-collector"}, 401},
		{"two of them", []string{"Authorization: Bearer token-of-leader", "Authorization: Bearer token-of-collector"}, 401},
		{"two of them, the right one last", []string{"Authorization: Bearer guess", "Authorization: Bearer token-of-leader"}, 401},
		{"two of the older", []string{"DAP-Auth-Token: guess", "DAP-Auth-Token: token-of-leader"}, 401},
		{"both, different, the right one last", []string{"Authorization: Bearer guess", "DAP-Auth-Token: token-of-leader"}, 401},
		{"both, different", []string{"Authorization: Bearer token-of-leader", "DAP-Auth-Token: guess"}, 401},
		{"both, one empty", []string{"Authorization: Bearer token-of-leader", "DAP-Auth-Token: "}, 401},
		{"in a cookie", []string{"Cookie: token=token-of-leader"}, 401},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t, nil, job(fixed(httpapi.Response{}, nil)))
			r := f.do("GET", "/tasks/"+taskText+"/aggregation_jobs/x", nil, test.headers...)
			if r.StatusCode != test.status {
				t.Errorf("status %d, want %d", r.StatusCode, test.status)
			}
			if strings.Contains(f.log.String(), "token-of") {
				t.Errorf("a token is logged: %s", f.log)
			}
			if test.status == 401 {
				f.measured(t, `candor_http_refused_requests_total{reason="unauthenticated"} 1`)
			}
		})
	}
}

// TestUnauthenticated checks that a stranger learns nothing, not even whether
// there is such a task, and that nothing of the content is read.
func TestUnauthenticated(t *testing.T) {
	route := upload(func(context.Context, *httpapi.Request) (httpapi.Response, error) {
		t.Error("the handler runs")
		return httpapi.Response{}, nil
	})
	route.Auth = httpapi.Leader
	f := newFixture(t, func(c *httpapi.Config) {
		c.Authenticate = func(_ context.Context, _ httpapi.Auth, r *httpapi.Request) (bool, error) {
			token := "" // of a task that is not known
			if r.Var("task_id") == taskText {
				token = "secret"
			}
			return r.Presents(token), nil
		}
	}, route)
	var first http.Header
	for i, path := range []string{"/tasks/" + taskText + "/reports", "/tasks/" + strings.Repeat("A", 43) + "/reports", "/tasks/" + taskText[:42] + "9/reports"} {
		for _, header := range []string{"DAP-Auth-Token: wrong", "Authorization: Bearer ", "X-Nothing: x", "Content-Length: 100000"} {
			r := f.do("POST", path, unreadable{t}, header)
			content, err := io.ReadAll(r.Body)
			if err != nil {
				t.Fatal(err)
			}
			if want := `{"type":"about:blank","title":"Unauthorized","status":401}`; r.StatusCode != 401 || string(content) != want {
				t.Errorf("status %d, content %s, want %s", r.StatusCode, content, want)
			}
			r.Header.Del("X-Request-Id")
			if r.Header.Get("WWW-Authenticate") != "Bearer" || r.Header.Get("Connection") != "close" {
				t.Errorf("header %v", r.Header)
			}
			if i == 0 && first == nil {
				first = r.Header
			} else if diff := cmp.Diff(first, r.Header); diff != "" {
				t.Errorf("%s is answered differently (-first +this):\n%s", path, diff)
			}
		}
	}
}

// unreadable fails the test when it is read.
type unreadable struct{ t *testing.T }

func (u unreadable) Read([]byte) (int, error) {
	u.t.Error("the content is read")
	return 0, io.EOF
}

func TestAuthenticateFails(t *testing.T) {
	f := newFixture(t, func(c *httpapi.Config) {
		c.Authenticate = func(context.Context, httpapi.Auth, *httpapi.Request) (bool, error) {
			return true, errors.New("the store is gone")
		}
	}, job(echo))
	if p := problem(t, f.do("GET", "/tasks/"+taskText+"/aggregation_jobs/x", nil), 500); p.Detail != "" {
		t.Errorf("the caller is told %q", p.Detail)
	}
	if line := f.logged(t); line["err"] != "authenticating the leader: the store is gone" {
		t.Errorf("logged %v", line)
	}
}

// TestRouteAuth checks that Authenticate is asked for whom the route is.
func TestRouteAuth(t *testing.T) {
	var asked []httpapi.Auth
	collect := job(fixed(httpapi.Response{}, nil))
	collect.Name, collect.Path, collect.Auth = "collect", "/collect", httpapi.Collector
	f := newFixture(t, func(c *httpapi.Config) {
		c.Authenticate = func(_ context.Context, auth httpapi.Auth, _ *httpapi.Request) (bool, error) {
			asked = append(asked, auth)
			return true, nil
		}
	}, upload(echo), job(fixed(httpapi.Response{}, nil)), collect)
	f.do("POST", "/tasks/"+taskText+"/reports", strings.NewReader("x"), uploadType)
	f.do("GET", "/collect", nil)
	f.do("GET", "/tasks/"+taskText+"/aggregation_jobs/x", nil)
	if diff := cmp.Diff([]httpapi.Auth{httpapi.Collector, httpapi.Leader}, asked); diff != "" {
		t.Errorf("asked for (-want +got):\n%s", diff)
	}
}

func TestToken(t *testing.T) {
	f := newFixture(t, nil, upload(func(_ context.Context, r *httpapi.Request) (httpapi.Response, error) {
		if token, ok := r.Token(); token != "abc" || !ok {
			t.Errorf("token %q, %t", token, ok)
		}
		if r.Presents("") || !r.Presents("abc") || r.Presents("abd") {
			t.Error("another token than the one presented")
		}
		return httpapi.Response{}, dap.NewStatusProblem(410, "")
	}))
	problem(t, f.do("POST", "/tasks/"+taskText+"/reports", strings.NewReader("x"), uploadType, "DAP-Auth-Token: abc"), 410)
}

// FuzzCredentials looks for headers in which a token is found that nobody sent.
func FuzzCredentials(f *testing.F) {
	f.Add("Bearer abc", "abc", "")
	f.Add("bearer  a b", "", "Basic YTpi")
	f.Fuzz(func(t *testing.T, authorization, older, second string) {
		h := http.Header{"Authorization": {authorization, second}}
		if older != "" {
			h.Set("DAP-Auth-Token", older)
		}
		token, ok := httpapi.PresentedToken(h)
		if ok != (token != "") {
			t.Fatalf("token %q, %t", token, ok)
		}
		if ok && !strings.Contains(authorization+"\n"+second+"\n"+older, token) {
			t.Fatalf("token %q in none of %q, %q and %q", token, authorization, second, older)
		}
		if ok && older != "" && strings.Trim(older, " ") != token {
			t.Fatalf("token %q, though %q came too", token, older)
		}
	})
}
