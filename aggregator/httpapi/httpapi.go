// Package httpapi is the plumbing between HTTP and the roles: it routes
// requests, refuses callers and contents that a role should not see, and turns
// what a role returns into responses, problem documents, log lines and metrics.
//
// A role is a table of routes. Before a route's handler runs, the caller is who
// the route asks for, the content has arrived in full, within its limit and in
// time, and it is of the right media type. A handler parses, makes one call
// into the role, and encodes; it returns errors and writes nothing itself.
//
// DAP, sections "HTTP Usage", "Errors" and "Protocol Message Media Type".
package httpapi

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/mux"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"
)

// Config is what an [API] is made of. Only Routes is required; a limit that is
// zero has the default it names.
type Config struct {
	// Routes is the table of all resources.
	Routes []Route
	// Prefix is the path below which the routes lie, that of the public base
	// URL: "", "/" or, for example, "/v1".
	Prefix string
	// Authenticate reports whether the request comes from who auth names. It
	// runs before anything is read of the content, for routes whose Auth is not
	// Open, and must take as long for an unknown task as for a known one with
	// another credential. An error is our own failure, not the caller's.
	Authenticate func(ctx context.Context, auth Auth, r *Request) (bool, error)
	// Certified lists who must, besides what Authenticate asks for, come with a
	// client certificate that the server's TLS configuration verified.
	Certified []Auth

	Logger   *slog.Logger          // nil discards
	Registry prometheus.Registerer // nil measures for nobody

	// Concurrency is how many requests are handled at once, counted apart for
	// callers with and without credentials, so that neither keeps out the other.
	Concurrency int // default 64
	// Rate is how many requests without credentials are begun per second, over
	// all callers, and Burst how many at once. A Rate of zero is no limit.
	Rate  float64
	Burst int // default Rate, rounded up
	// Memory is how many bytes of contents are held at once.
	Memory int64 // default 256 MiB
	// BodyTimeout is how long a content may take to arrive.
	BodyTimeout time.Duration // default 30 s
	// HandlerTimeout is the deadline of a handler's context.
	HandlerTimeout time.Duration // default 5 min
	// WriteTimeout is how long a response may take to leave.
	WriteTimeout time.Duration // default 1 min
}

// An API serves the routes of a role. Its methods are safe for concurrent use.
type API struct {
	config  Config
	routes  []Route
	router  *mux.Router
	logger  *slog.Logger
	metrics *metrics

	open, closed *slots // without and with credentials
	rate         *rate.Limiter
	memory       *budget
}

// New returns the API of c. The error names what is wrong with the table.
func New(c Config) (*API, error) {
	a := &API{
		config:  c,
		routes:  slices.Clone(c.Routes),
		logger:  c.Logger,
		metrics: newMetrics(c.Registry),
		open:    newSlots(withDefault(c.Concurrency, 64)),
		closed:  newSlots(withDefault(c.Concurrency, 64)),
		memory:  &budget{max: withDefault(c.Memory, 256<<20)},
	}
	a.config.BodyTimeout = withDefault(c.BodyTimeout, 30*time.Second)
	a.config.HandlerTimeout = withDefault(c.HandlerTimeout, 5*time.Minute)
	a.config.WriteTimeout = withDefault(c.WriteTimeout, time.Minute)
	if a.logger == nil {
		a.logger = slog.New(slog.DiscardHandler)
	}
	if c.Rate > 0 {
		a.rate = rate.NewLimiter(rate.Limit(c.Rate), withDefault(c.Burst, int(c.Rate)+1))
	}

	prefix := strings.TrimRight(c.Prefix, "/")
	if strings.ContainsAny(prefix, "{}") || prefix != "" && prefix[0] != '/' {
		return nil, fmt.Errorf("building the API: prefix %q is not the path of a URL", c.Prefix)
	}
	// SkipClean, since otherwise a POST to //x is answered by a redirect.
	a.router = mux.NewRouter().SkipClean(true)
	seen := make(map[string]bool)
	for i := range a.routes {
		route := &a.routes[i]
		if err := route.check(c.Authenticate != nil); err != nil {
			return nil, fmt.Errorf("building the API: route %q: %w", route.Name, err)
		}
		if key := route.Method + " " + route.Path; seen[key] || seen[route.Name] {
			return nil, fmt.Errorf("building the API: route %q, %s, is there twice", route.Name, key)
		} else {
			seen[key], seen[route.Name] = true, true
		}
		r := a.router.Handle(prefix+route.Path, a.adapter(route)).Methods(route.Method)
		if err := r.GetError(); err != nil {
			return nil, fmt.Errorf("building the API: route %q: %w", route.Name, err)
		}
	}
	a.router.NotFoundHandler = http.HandlerFunc(a.notFound)
	a.router.MethodNotAllowedHandler = http.HandlerFunc(a.methodNotAllowed)
	return a, nil
}

// withDefault returns v, or the default if v is not positive.
func withDefault[T int | int64 | time.Duration](v, def T) T {
	if v > 0 {
		return v
	}
	return def
}

// Routes returns a copy of the table, for tests and documents.
func (a *API) Routes() []Route { return slices.Clone(a.routes) }

// ServeHTTP answers a request and writes its log line.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := a.begin(w, r)
	defer a.end(x)
	if x.unread {
		// It ends with the content: the server lifts it when all has arrived, so
		// that it does not end a handler. It fails for writers that are not a
		// server's, as in tests.
		_ = http.NewResponseController(w).SetReadDeadline(x.start.Add(a.config.BodyTimeout))
	}
	// Use does not run middleware for 404 and 405, which is why this wraps the
	// router instead.
	a.router.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), exchangeKey{}, x)))
}

// exchangeKey is the context key of the exchange that ServeHTTP began.
type exchangeKey struct{}

func exchangeOf(r *http.Request) *exchange { return r.Context().Value(exchangeKey{}).(*exchange) }

// notFound answers for paths that no route has.
func (a *API) notFound(_ http.ResponseWriter, r *http.Request) {
	x := exchangeOf(r)
	x.route = "not_found"
	x.attrs = append(x.attrs, slog.String("path", shorten(r.URL.Path, 128)))
	a.refuse(x, newRefusal("not_found", http.StatusNotFound, "There is no such resource."))
}

// methodNotAllowed answers for paths that only routes of other methods have.
func (a *API) methodNotAllowed(_ http.ResponseWriter, r *http.Request) {
	x := exchangeOf(r)
	x.route = "method_not_allowed"
	var allowed []string
	for _, route := range a.routes {
		if slices.Contains(allowed, route.Method) {
			continue
		}
		other := r.Clone(r.Context())
		other.Method = route.Method
		var match mux.RouteMatch
		if a.router.Match(other, &match) && match.MatchErr == nil {
			allowed = append(allowed, route.Method)
		}
	}
	slices.Sort(allowed)
	x.header.Set("Allow", strings.Join(allowed, ", "))
	a.refuse(x, newRefusal("method", http.StatusMethodNotAllowed, "The resource has other methods."))
}

// shorten cuts text to at most n bytes.
func shorten(text string, n int) string {
	if len(text) > n {
		return text[:n] + "..."
	}
	return text
}
