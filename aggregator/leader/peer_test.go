package leader_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"candor/aggregator/leader"
	"candor/schema/dap"
)

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	for header, want := range map[string]time.Duration{
		"": 0, "0": 0, "7": 7 * time.Second, " 7 ": 7 * time.Second, "-1": 0, "1.5": 0, "soon": 0, "99999999999999999999": 0,
		"86400": 10 * time.Minute, // capped
		now.Add(9 * time.Second).Format(http.TimeFormat): 9 * time.Second,
		now.Add(-time.Hour).Format(http.TimeFormat):      0,
		now.Add(time.Hour).Format(http.TimeFormat):       10 * time.Minute,
	} {
		if got := leader.RetryAfter(header, now); got != want {
			t.Errorf("Retry-After %q: %v, want %v", header, got, want)
		}
	}
}

// A Location may be relative and lose the base path, as some servers' do; another origin is refused, because our token would go there.
func TestResolve(t *testing.T) {
	const request = "https://helper.example/base/tasks/T/aggregation_jobs"
	for location, want := range map[string]string{
		"": "", "/base/tasks/T/aggregation_jobs/J?step=0": "https://helper.example/base/tasks/T/aggregation_jobs/J?step=0",
		"aggregation_jobs/J": "https://helper.example/base/tasks/T/aggregation_jobs/J", "?step=0": request + "?step=0",
		"https://helper.example/x": "https://helper.example/x",
	} {
		if got, err := leader.Resolve(request, location); err != nil || got != want {
			t.Errorf("Location %q: %q, %v, want %q", location, got, err, want)
		}
	}
	for _, location := range []string{"https://elsewhere.example/x", "http://helper.example/x", "https://helper.example:444/x", "//elsewhere.example/x", "https://helper.example@elsewhere.example/", "%zz", "javascript:1"} {
		if got, err := leader.Resolve(request, location); err == nil {
			t.Errorf("Location %q was taken as %q", location, got)
		}
	}
	for base, want := range map[string]string{"https://h": "https://h/x", "https://h/": "https://h/x", "https://h/a": "https://h/a/x", "https://h/a/": "https://h/a/x"} {
		if got := leader.Join(base, "/x"); got != want {
			t.Errorf("%s: %s, want %s", base, got, want)
		}
	}
}

func TestEndpoints(t *testing.T) {
	for endpoint, want := range map[string][2]bool{ // by default, and where plain HTTP is allowed
		"https://helper.example/": {true, true}, "http://127.0.0.1:80": {true, true}, "http://[::1]/": {true, true}, "http://localhost:1/": {true, true},
		"http://helper.example/": {false, true}, "http://10.0.0.1/": {false, true}, "http://localhost.example/": {false, true}, "": {}, "helper": {}, "ftp://h/": {}, "https:///x": {},
	} {
		for i, plain := range []bool{false, true} {
			if err := leader.CheckEndpoint(endpoint, plain); (err == nil) != want[i] {
				t.Errorf("%q, plain HTTP allowed %v: %v", endpoint, plain, err)
			}
		}
	}
}

func TestJudge(t *testing.T) {
	blank, unknownTask, unknownJob, invalid := dap.NewStatusProblem(404, ""), dap.NewProblem(dap.UnrecognizedTask, ""), dap.NewProblem(dap.UnrecognizedAggregationJob, ""), dap.NewProblem(dap.InvalidMessage, "")
	for _, c := range []struct {
		status  int
		problem *dap.Problem
		want    string
	}{
		{0, nil, "unavailable"}, {500, nil, "unavailable"}, {503, invalid, "unavailable"}, {599, nil, "unavailable"}, {429, nil, "unavailable"}, {408, nil, "unavailable"},
		{401, nil, "refused"}, {403, nil, "refused"}, {404, nil, "refused"}, {404, blank, "refused"}, {404, unknownTask, "refused"}, {400, unknownTask, "refused"}, {302, nil, "refused"}, {405, nil, "refused"},
		{404, unknownJob, "permanent"}, {400, invalid, "permanent"}, {400, nil, "permanent"}, {499, nil, "permanent"}, {413, nil, "too large"},
	} {
		if got := leader.Judge(c.status, c.problem); got != c.want {
			t.Errorf("status %d with %v: %s, want %s", c.status, c.problem, got, c.want)
		}
	}
}

func TestBackoff(t *testing.T) {
	const minimum, maximum = time.Second, time.Minute
	for n := range 200 {
		want := maximum
		if n >= 1 && n <= 6 {
			want = minimum << (n - 1)
		} else if n == 0 {
			want = minimum
		}
		if got := leader.Backoff(minimum, maximum, n, 0); got > want || got < want*3/4 {
			t.Errorf("after %d failures: %v, want three quarters of %v to all of it", n, got, want)
		}
	}
	if got := leader.Backoff(minimum, maximum, 1, 5*time.Minute); got != 5*time.Minute {
		t.Errorf("after Retry-After of 5 minutes: %v", got)
	}
}

// Whatever headers a Helper answers with, we wait within bounds and never go to another origin.
func FuzzHelperHeaders(f *testing.F) {
	const request = "https://helper.example/base/tasks/T/aggregation_jobs"
	now := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	for _, location := range []string{"", "/x?step=0", "J", "https://helper.example/x", "//other.example/x", "https:helper.example", "https://helper.example@other.example/", "\x00"} {
		f.Add(location, "7")
	}
	f.Add("", now.Add(time.Hour).Format(http.TimeFormat))
	f.Fuzz(func(t *testing.T, location, after string) {
		if d := leader.RetryAfter(after, now); d < 0 || d > 10*time.Minute {
			t.Errorf("Retry-After %q: %v", after, d)
		}
		got, err := leader.Resolve(request, location)
		if err != nil || got == "" {
			return
		}
		u, err := url.Parse(got)
		if err != nil || u.Scheme != "https" || u.Host != "helper.example" {
			t.Errorf("Location %q: %q, %v", location, got, err)
		}
	})
}

func TestPeerErrorSaysWhatTheHelperSaid(t *testing.T) {
	for want, e := range map[string]leader.PeerError{
		"status 401 Unauthorized":                            {Status: 401, Problem: dap.NewStatusProblem(401, "")},
		"status 503 Service Unavailable: paused":             {Status: 503, Problem: dap.NewStatusProblem(503, "paused")},
		"status 400 Bad Request, batchMismatch: they differ": {Status: 400, Problem: dap.NewProblem(dap.BatchMismatch, "they differ")},
		"status 502 Bad Gateway":                             {Status: 502},
		"status 599":                                         {Status: 599},
	} {
		if got := e.Error(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
