package httpapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"candor/schema/dap"
)

// Path segments of routes. The variables are read with [Request.Var].
const (
	// TaskID is any text of the length of a task ID.
	TaskID = "{task_id:[A-Za-z0-9_-]{43}}"
	// ResourceID is any text that an identifier chosen by us could be.
	ResourceID = "{id:[A-Za-z0-9_-]{1,64}}"
)

// A Route is one method of one resource.
type Route struct {
	Name   string // snake_case; the label of logs and metrics
	Method string
	// Path begins with a slash, relative to [Config.Prefix].
	Path string
	// MediaType is that of the request's content, such as
	// [dap.MediaTypeUploadReq]. Without one, no content is read.
	MediaType string
	// Limit is how many bytes the content may have.
	Limit   int64
	Auth    Auth
	Handler Handler
}

// A Handler answers one request. The context ends with the request or after
// [Config.HandlerTimeout]. An error that is a [*dap.Problem], or wraps one, is
// told to the caller; any other is logged, and answered 500 without a detail.
type Handler func(ctx context.Context, r *Request) (Response, error)

// A Request is what a handler is given. It belongs to the handler until that
// returns; Body must not be kept longer.
type Request struct {
	// HTTP is the request behind it, for headers, query and TLS; its Body is
	// empty, having been read.
	HTTP *http.Request
	// ID is a name for this request alone, also sent as X-Request-Id.
	ID string
	// Body is the content, all of it.
	Body []byte

	exchange *exchange
	token    string
	hasToken bool
}

// Var returns the variable of the route's path with the given name.
func (r *Request) Var(name string) string { return mux.Vars(r.HTTP)[name] }

// TaskID returns the task ID in the path. The error, for a text that is none,
// is a problem: no such task can be known.
func (r *Request) TaskID() (dap.TaskID, error) {
	id, err := dap.ParseTaskID(r.Var("task_id"))
	if err != nil {
		return dap.TaskID{}, dap.NewProblem(dap.UnrecognizedTask, "The path has no task ID.")
	}
	return id, nil
}

// Log adds attributes to the request's log line: identifiers and counts, never
// anything secret.
func (r *Request) Log(attrs ...slog.Attr) { r.exchange.attrs = append(r.exchange.attrs, attrs...) }

// Parse parses the content of r with a function such as dap.Parse[M]. The error
// is a problem.
//
//	req, err := httpapi.Parse(r, dap.Parse[dap.CollectionJobReq])
func Parse[M any](r *Request, parse func([]byte) (M, error)) (M, error) {
	m, err := parse(r.Body)
	if err != nil {
		return m, dap.NewProblem(dap.InvalidMessage, "The content is not well-formed.")
	}
	return m, nil
}

// A Response is what a handler returns. The zero value is 200 with no content,
// which to a DAP peer that waits for a result means: not ready yet.
type Response struct {
	Status       int    // zero is 200
	MediaType    string // of Body, sent as it is
	Body         []byte
	Location     string        // of a resource that was created; see Join
	RetryAfter   time.Duration // when to ask again, if positive; sent in seconds, rounded up
	CacheControl string        // empty is no-store
}

// check returns what is wrong with the route.
func (r Route) check(authenticates bool) error {
	switch {
	case r.Name == "":
		return errors.New("it has no name")
	case r.Handler == nil:
		return errors.New("it has no handler")
	case r.Method == "" || r.Method != strings.ToUpper(r.Method):
		return fmt.Errorf("its method is %q", r.Method)
	case !strings.HasPrefix(r.Path, "/"):
		return fmt.Errorf("its path %q does not begin with a slash", r.Path)
	case r.MediaType != "" && r.Limit <= 0:
		return errors.New("it has a content without limit")
	case r.MediaType == "" && r.Limit != 0:
		return errors.New("it has a limit without content")
	case r.Auth != Open && !authenticates:
		return fmt.Errorf("it is for %s, whom nothing authenticates", r.Auth)
	}
	return nil
}

// Join returns the URL of a resource below a base URL, which may end in a slash
// or not, and may have a path. It is for the Location of what was created, and
// is built from the public base URL, which proxies may have shortened in the
// request.
func Join(base string, segments ...string) string {
	return strings.TrimRight(base, "/") + "/" + strings.Join(segments, "/")
}
