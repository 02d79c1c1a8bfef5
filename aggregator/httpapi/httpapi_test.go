package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"candor/aggregator/httpapi"
	"candor/schema/dap"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
)

const taskText = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"

// echo answers with the content it was given.
func echo(_ context.Context, r *httpapi.Request) (httpapi.Response, error) {
	return httpapi.Response{MediaType: "application/octet-stream", Body: bytes.Clone(r.Body)}, nil
}

// fixed answers with response and err.
func fixed(response httpapi.Response, err error) httpapi.Handler {
	return func(context.Context, *httpapi.Request) (httpapi.Response, error) { return response, err }
}

// upload is a route with content, open to everybody.
func upload(handler httpapi.Handler) httpapi.Route {
	return httpapi.Route{
		Name:      "upload",
		Method:    "POST",
		Path:      "/tasks/" + httpapi.TaskID + "/reports",
		MediaType: dap.MediaTypeUploadReq,
		Limit:     1000,
		Handler:   handler,
	}
}

// job is a route for the Leader.
func job(handler httpapi.Handler) httpapi.Route {
	return httpapi.Route{
		Name:    "job",
		Method:  "GET",
		Path:    "/tasks/" + httpapi.TaskID + "/aggregation_jobs/" + httpapi.ResourceID,
		Auth:    httpapi.Leader,
		Handler: handler,
	}
}

// A fixture is an API with its log and metrics.
type fixture struct {
	*httpapi.API
	log      *syncBuffer
	registry *prometheus.Registry
}

// syncBuffer is a buffer that handlers of several requests may write to.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// newFixture builds an API of the routes; change may alter its configuration.
func newFixture(t *testing.T, change func(*httpapi.Config), routes ...httpapi.Route) *fixture {
	t.Helper()
	f := &fixture{log: new(syncBuffer), registry: prometheus.NewRegistry()}
	c := httpapi.Config{
		Routes:   routes,
		Logger:   slog.New(slog.NewJSONHandler(f.log, nil)),
		Registry: f.registry,
		Authenticate: func(_ context.Context, auth httpapi.Auth, r *httpapi.Request) (bool, error) {
			return r.Presents("token-of-" + string(auth)), nil
		},
	}
	if change != nil {
		change(&c)
	}
	var err error
	if f.API, err = httpapi.New(c); err != nil {
		t.Fatal(err)
	}
	return f
}

// do sends a request with headers "Name: value" and returns the response.
func (f *fixture) do(method, path string, body io.Reader, headers ...string) *http.Response {
	r := httptest.NewRequest(method, path, body)
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	w := httptest.NewRecorder()
	f.ServeHTTP(w, r)
	return w.Result()
}

// logged returns the only line of the log.
func (f *fixture) logged(t *testing.T) map[string]any {
	t.Helper()
	var line map[string]any
	if err := json.Unmarshal([]byte(f.log.String()), &line); err != nil {
		t.Fatalf("the log is not one line: %v\n%s", err, f.log)
	}
	return line
}

// measured checks that the metrics have a line.
func (f *fixture) measured(t *testing.T, line string) {
	t.Helper()
	w := httptest.NewRecorder()
	httpapi.NewPrivate(httpapi.PrivateConfig{Gatherer: f.registry}).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if !strings.Contains("\n"+w.Body.String(), "\n"+line+"\n") {
		t.Errorf("no line %s in the metrics:\n%s", line, w.Body)
	}
}

// problem reads a problem document and checks status and media type.
func problem(t *testing.T, r *http.Response, status int) *dap.Problem {
	t.Helper()
	content, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	p, err := dap.ParseProblem(content)
	if err != nil {
		t.Fatalf("%v:\n%s", err, content)
	}
	if r.StatusCode != status || p.Status != status || p.Title == "" || r.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("status %d, type %q, content %s; want a problem of status %d", r.StatusCode, r.Header.Get("Content-Type"), content, status)
	}
	return p
}

var uploadType = "Content-Type: " + dap.MediaTypeUploadReq

func TestRequest(t *testing.T) {
	f := newFixture(t, nil, upload(func(ctx context.Context, r *httpapi.Request) (httpapi.Response, error) {
		id, err := r.TaskID()
		if err != nil || id.String() != taskText {
			t.Errorf("task ID %v, error %v", id, err)
		}
		if got := r.HTTP.URL.Query().Get("step"); got != "1" {
			t.Errorf("step %q", got)
		}
		if _, ok := ctx.Deadline(); !ok {
			t.Error("the context has no deadline")
		}
		if b, err := io.ReadAll(r.HTTP.Body); len(b) > 0 || err != nil {
			t.Errorf("the body is still there: %q, error %v", b, err)
		}
		r.Log(slog.Int("reports", 3))
		return httpapi.Response{
			Status:       201,
			MediaType:    dap.MediaTypeUploadErrors,
			Body:         bytes.ToUpper(r.Body),
			Location:     "/tasks/x",
			RetryAfter:   1500 * time.Millisecond,
			CacheControl: "max-age=60",
		}, nil
	}))
	r := f.do("POST", "/tasks/"+taskText+"/reports?step=1", strings.NewReader("content"), uploadType)
	content, _ := io.ReadAll(r.Body)
	if r.StatusCode != 201 || string(content) != "CONTENT" {
		t.Errorf("status %d, content %q", r.StatusCode, content)
	}
	id := r.Header.Get("X-Request-Id")
	want := http.Header{
		"Cache-Control":          {"max-age=60"},
		"Content-Length":         {"7"},
		"Content-Type":           {"application/ppm-dap;message=upload-errors"},
		"Location":               {"/tasks/x"},
		"Retry-After":            {"2"},
		"X-Content-Type-Options": {"nosniff"},
		"X-Request-Id":           {id},
	}
	if diff := cmp.Diff(want, r.Header); diff != "" {
		t.Errorf("header (-want +got):\n%s", diff)
	}

	line := f.logged(t)
	delete(line, "time")
	if elapsed, ok := line["elapsed"].(float64); !ok || elapsed < 0 {
		t.Errorf("elapsed %v", line["elapsed"])
	}
	delete(line, "elapsed")
	wantLine := map[string]any{
		"level": "INFO", "msg": "request", "request_id": id, "route": "upload", "method": "POST", "status": 201.0,
		"bytes_in": 7.0, "bytes_out": 7.0, "peer": "192.0.2.1", "task_id": taskText, "reports": 3.0,
	}
	if diff := cmp.Diff(wantLine, line); diff != "" {
		t.Errorf("log line (-want +got):\n%s", diff)
	}

	f.measured(t, `candor_http_requests_total{route="upload",status="201"} 1`)
	f.measured(t, `candor_http_received_bytes_total{route="upload"} 7`)
	f.measured(t, `candor_http_sent_bytes_total{route="upload"} 7`)
	f.measured(t, `candor_http_request_seconds_count{route="upload"} 1`)
	f.measured(t, `candor_http_inflight_requests 0`)
}

// TestEmptyResponse is what a pending resource and a deletion answer.
func TestEmptyResponse(t *testing.T) {
	f := newFixture(t, nil, job(fixed(httpapi.Response{RetryAfter: time.Minute}, nil)))
	r := f.do("GET", "/tasks/"+taskText+"/aggregation_jobs/x", nil, "Authorization: Bearer token-of-leader")
	content, _ := io.ReadAll(r.Body)
	if r.StatusCode != 200 || len(content) > 0 || r.Header.Get("Content-Length") != "0" || r.Header.Get("Retry-After") != "60" ||
		r.Header["Content-Type"] != nil || r.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("status %d, content %q, header %v", r.StatusCode, content, r.Header)
	}
}

func TestErrors(t *testing.T) {
	other := dap.TaskID{1}
	withTask := dap.NewProblem(dap.BatchMismatch, "")
	withTask.TaskID = &other
	tests := []struct {
		name     string
		response httpapi.Response
		err      error
		status   int
		typ      dap.ProblemType
		detail   string
		task     string
		retry    string
		level    string
		logged   string
	}{
		{"problem", httpapi.Response{}, dap.NewProblem(dap.BatchInvalid, "No such batch."),
			400, dap.BatchInvalid, "No such batch.", taskText, "", "WARN", "batchInvalid: No such batch."},
		{"problem of another task", httpapi.Response{}, withTask,
			400, dap.BatchMismatch, "", other.String(), "", "WARN", "batchMismatch"},
		{"wrapped problem", httpapi.Response{}, fmt.Errorf("collecting: %w", dap.NewProblem(dap.UnrecognizedTask, "")),
			404, dap.UnrecognizedTask, "", taskText, "", "WARN", "collecting: unrecognizedTask"},
		{"problem for later", httpapi.Response{}, fmt.Errorf("asking: %w", httpapi.RetryAfter(dap.NewStatusProblem(503, "Paused."), time.Minute)),
			503, dap.AboutBlank, "Paused.", taskText, "60", "WARN", "asking: status 503: Paused."},
		{"own failure", httpapi.Response{}, errors.New("opening store /var/secret: no space"),
			500, dap.AboutBlank, "", taskText, "", "ERROR", "opening store /var/secret: no space"},
		{"own failure for later", httpapi.Response{}, httpapi.RetryAfter(errors.New("no space"), time.Second),
			500, dap.AboutBlank, "", taskText, "1", "ERROR", "no space"},
		{"report error", httpapi.Response{}, dap.ErrorReportDropped,
			500, dap.AboutBlank, "", taskText, "", "ERROR", "report refused: report_dropped"},
		{"too slow", httpapi.Response{}, fmt.Errorf("collecting: %w", context.DeadlineExceeded),
			503, dap.AboutBlank, "The request took too long.", taskText, "", "WARN", "collecting: context deadline exceeded"},
		{"problem with a status of success", httpapi.Response{}, &dap.Problem{Type: dap.InvalidMessage, Status: 200},
			500, dap.AboutBlank, "", taskText, "", "ERROR", "invalidMessage"},
		{"invented problem", httpapi.Response{}, &dap.Problem{Type: "tooManyCooks", Status: 400},
			500, dap.AboutBlank, "", taskText, "", "ERROR", "neither registered"},
		{"content without type", httpapi.Response{Body: []byte("x")}, nil,
			500, dap.AboutBlank, "", taskText, "", "ERROR", "internal error: response 200 of 1 bytes"},
		{"response that is an error", httpapi.Response{Status: 404}, nil,
			500, dap.AboutBlank, "", taskText, "", "ERROR", "internal error: response 404 of 0 bytes"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t, nil, upload(fixed(test.response, test.err)))
			r := f.do("POST", "/tasks/"+taskText+"/reports", strings.NewReader("x"), uploadType)
			p := problem(t, r, test.status)
			task := ""
			if p.TaskID != nil {
				task = p.TaskID.String()
			}
			if p.Type != test.typ || p.Detail != test.detail || task != test.task {
				t.Errorf("problem %q, detail %q, task %q", p.Type, p.Detail, task)
			}
			if got := r.Header.Get("Retry-After"); got != test.retry {
				t.Errorf("Retry-After %q, want %q", got, test.retry)
			}
			line := f.logged(t)
			if text, _ := line["err"].(string); line["level"] != test.level || !strings.Contains(text, test.logged) {
				t.Errorf("logged %v, error %q, want %s, %q", line["level"], text, test.level, test.logged)
			}
		})
	}
}

// TestProblemsAreCopied checks that a problem kept in a variable does not
// gather the tasks of requests.
func TestProblemsAreCopied(t *testing.T) {
	shared := &dap.Problem{Type: dap.AboutBlank, Status: 410}
	f := newFixture(t, nil, upload(fixed(httpapi.Response{}, shared)))
	problem(t, f.do("POST", "/tasks/"+taskText+"/reports", strings.NewReader("x"), uploadType), 410)
	if shared.TaskID != nil || shared.Title != "" {
		t.Errorf("the role's problem has become %+v", shared)
	}
}

func TestPanic(t *testing.T) {
	f := newFixture(t, nil, upload(func(context.Context, *httpapi.Request) (httpapi.Response, error) {
		panic("the detail")
	}))
	p := problem(t, f.do("POST", "/tasks/"+taskText+"/reports", strings.NewReader("x"), uploadType), 500)
	if p.Detail != "" {
		t.Errorf("the caller is told %q", p.Detail)
	}
	line := f.logged(t)
	if stack, _ := line["stack"].(string); line["level"] != "ERROR" || line["err"] != "panic: the detail" || !strings.Contains(stack, "TestPanic") {
		t.Errorf("logged %v", line)
	}
	// Nothing is held afterwards.
	f.measured(t, `candor_http_inflight_requests 0`)
}

func TestNotFound(t *testing.T) {
	f := newFixture(t, func(c *httpapi.Config) { c.Prefix = "/v1/" }, upload(echo), job(echo))
	for _, path := range []string{
		"/", "/v1", "/v1/", "/tasks/" + taskText + "/reports", "/v1//tasks/" + taskText + "/reports", "//v1/tasks/" + taskText + "/reports",
		"/v1/tasks/" + taskText + "/reports/", "/v1/tasks/" + taskText[1:] + "/reports", "/v1/tasks/" + taskText + "A/reports",
		"/v1/tasks/" + taskText[1:] + "%2F/reports", "/v1/tasks/../tasks/" + taskText + "/reports", "/v1/tasks/" + taskText + "/aggregation_jobs/",
	} {
		r := f.do("POST", path, strings.NewReader("x"), uploadType)
		if p := problem(t, r, 404); p.Type != dap.AboutBlank {
			t.Errorf("%s: problem %s", path, p.Type)
		}
		if r.Header.Get("Location") != "" {
			t.Errorf("%s: redirected to %s", path, r.Header.Get("Location"))
		}
	}
	if r := f.do("POST", "/v1/tasks/"+taskText+"/reports", strings.NewReader("x"), uploadType); r.StatusCode != 200 {
		t.Errorf("with prefix: status %d", r.StatusCode)
	}
}

func TestMethodNotAllowed(t *testing.T) {
	get := job(echo)
	del := job(echo)
	del.Name, del.Method = "delete_job", "DELETE"
	f := newFixture(t, nil, upload(echo), get, del)
	tests := []struct{ method, path, allow string }{
		{"GET", "/tasks/" + taskText + "/reports", "POST"},
		{"HEAD", "/tasks/" + taskText + "/aggregation_jobs/x", "DELETE, GET"},
		{"POST", "/tasks/" + taskText + "/aggregation_jobs/x", "DELETE, GET"},
		{"OPTIONS", "/tasks/" + taskText + "/reports", "POST"},
		{"BREW", "/tasks/" + taskText + "/reports", "POST"},
	}
	for _, test := range tests {
		r := f.do(test.method, test.path, nil)
		problem(t, r, 405)
		if got := r.Header.Get("Allow"); got != test.allow {
			t.Errorf("%s %s: Allow %q, want %q", test.method, test.path, got, test.allow)
		}
	}
}

func TestMediaTypes(t *testing.T) {
	plain := upload(echo)
	plain.Name, plain.Path, plain.MediaType = "plain", "/candor/plain", "application/json"
	f := newFixture(t, nil, upload(echo), plain)
	tests := []struct {
		path, contentType, encoding string
		status                      int
		typ                         dap.ProblemType
	}{
		{"/tasks/" + taskText + "/reports", "application/ppm-dap;message=upload-req", "", 200, ""},
		{"/tasks/" + taskText + "/reports", "application/ppm-dap; message=\"upload-req\"; version=09", "identity", 200, ""},
		{"/tasks/" + taskText + "/reports", "application/ppm-dap;message=upload-errors", "", 400, dap.InvalidMessage},
		{"/tasks/" + taskText + "/reports", "application/octet-stream", "", 400, dap.InvalidMessage},
		{"/tasks/" + taskText + "/reports", "", "", 400, dap.InvalidMessage},
		{"/tasks/" + taskText + "/reports", "application/ppm-dap;message=upload-req", "gzip", 415, dap.AboutBlank},
		{"/candor/plain", "application/json", "", 200, ""},
		{"/candor/plain", "Application/JSON; charset=utf-8", "", 200, ""},
		{"/candor/plain", "text/json", "", 415, dap.AboutBlank},
		{"/candor/plain", "", "", 415, dap.AboutBlank},
	}
	for _, test := range tests {
		headers := []string{}
		if test.contentType != "" {
			headers = append(headers, "Content-Type: "+test.contentType)
		}
		if test.encoding != "" {
			headers = append(headers, "Content-Encoding: "+test.encoding)
		}
		r := f.do("POST", test.path, strings.NewReader("{}"), headers...)
		if test.status == 200 {
			if r.StatusCode != 200 {
				t.Errorf("%s %v: status %d", test.path, headers, r.StatusCode)
			}
		} else if p := problem(t, r, test.status); p.Type != test.typ {
			t.Errorf("%s %v: problem %s, want %s", test.path, headers, p.Type, test.typ)
		}
	}
}

func TestTaskIDWithTrailingBits(t *testing.T) {
	f := newFixture(t, nil, upload(func(_ context.Context, r *httpapi.Request) (httpapi.Response, error) {
		_, err := r.TaskID()
		return httpapi.Response{}, err
	}))
	p := problem(t, f.do("POST", "/tasks/"+taskText[:42]+"9/reports", strings.NewReader("x"), uploadType), 404)
	if p.Type != dap.UnrecognizedTask || p.TaskID != nil {
		t.Errorf("problem %v", p)
	}
}

func TestParse(t *testing.T) {
	f := newFixture(t, nil, upload(func(_ context.Context, r *httpapi.Request) (httpapi.Response, error) {
		req, err := httpapi.Parse(r, dap.Parse[dap.CollectionJobReq])
		if err == nil && req.Query.BatchMode != dap.LeaderSelected {
			t.Errorf("parsed %+v", req)
		}
		return httpapi.Response{}, err
	}))
	message, err := dap.Marshal(dap.CollectionJobReq{Query: dap.NewLeaderSelectedQuery()})
	if err != nil {
		t.Fatal(err)
	}
	if r := f.do("POST", "/tasks/"+taskText+"/reports", bytes.NewReader(message), uploadType); r.StatusCode != 200 {
		t.Errorf("status %d", r.StatusCode)
	}
	if p := problem(t, f.do("POST", "/tasks/"+taskText+"/reports", bytes.NewReader(message[1:]), uploadType), 400); p.Type != dap.InvalidMessage {
		t.Errorf("problem %v", p)
	}
}

func TestBadTables(t *testing.T) {
	change := func(change func(*httpapi.Route)) []httpapi.Route {
		r := upload(echo)
		change(&r)
		return []httpapi.Route{r}
	}
	tests := map[string]httpapi.Config{
		"no name":        {Routes: change(func(r *httpapi.Route) { r.Name = "" })},
		"no handler":     {Routes: change(func(r *httpapi.Route) { r.Handler = nil })},
		"no method":      {Routes: change(func(r *httpapi.Route) { r.Method = "" })},
		"small method":   {Routes: change(func(r *httpapi.Route) { r.Method = "post" })},
		"relative path":  {Routes: change(func(r *httpapi.Route) { r.Path = "tasks" })},
		"bad pattern":    {Routes: change(func(r *httpapi.Route) { r.Path = "/{id:[}" })},
		"no limit":       {Routes: change(func(r *httpapi.Route) { r.Limit = 0 })},
		"no media type":  {Routes: change(func(r *httpapi.Route) { r.MediaType = "" })},
		"unauthentic":    {Routes: change(func(r *httpapi.Route) { r.Auth = httpapi.Collector })},
		"twice":          {Routes: []httpapi.Route{upload(echo), upload(echo)}},
		"pattern prefix": {Prefix: "/{x}", Routes: []httpapi.Route{upload(echo)}},
		"URL as prefix":  {Prefix: "https://example.org/", Routes: []httpapi.Route{upload(echo)}},
	}
	for name, c := range tests {
		if _, err := httpapi.New(c); err == nil {
			t.Errorf("%s: a table is accepted", name)
		}
	}
}

func TestTwoOnOneRegistry(t *testing.T) {
	registry := httpapi.NewRegistry()
	for range 2 {
		api, err := httpapi.New(httpapi.Config{Routes: []httpapi.Route{upload(echo)}, Registry: registry})
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest("POST", "/tasks/"+taskText+"/reports", strings.NewReader("x"))
		r.Header.Set("Content-Type", dap.MediaTypeUploadReq)
		api.ServeHTTP(httptest.NewRecorder(), r)
		if names := slices.Collect(func(yield func(string) bool) {
			for _, r := range api.Routes() {
				yield(r.Name)
			}
		}); !slices.Equal(names, []string{"upload"}) {
			t.Errorf("routes %v", names)
		}
	}
	(&fixture{registry: registry}).measured(t, `candor_http_requests_total{route="upload",status="200"} 2`)
}

func TestJoin(t *testing.T) {
	for _, test := range [][]string{
		{"https://h/tasks/a", "https://h", "tasks", "a"},
		{"https://h/tasks/a", "https://h/", "tasks", "a"},
		{"https://h/v1/b/tasks", "https://h/v1/b", "tasks"},
		{"https://h/v1/b/tasks", "https://h/v1/b/", "tasks"},
		{"/v1/tasks", "/v1/", "tasks"},
		{"/tasks", "", "tasks"},
	} {
		if got := httpapi.Join(test[1], test[2:]...); got != test[0] {
			t.Errorf("Join(%q) = %q, want %q", test[1:], got, test[0])
		}
	}
}
