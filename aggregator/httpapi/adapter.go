package httpapi

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"candor/schema/dap"
)

// An exchange is a request and its response, from the first byte to the log line.
type exchange struct {
	w      http.ResponseWriter
	header http.Header // of the response
	r      *http.Request
	id     string
	start  time.Time

	route  string // name, for logs and metrics
	taskID *dap.TaskID
	attrs  []slog.Attr

	status   int // zero until written
	in, out  int
	unread   bool // some of the content has not been read
	err      error
	panicked any
	stack    []byte
}

// begin opens the exchange; end must follow, deferred.
func (a *API) begin(w http.ResponseWriter, r *http.Request) *exchange {
	var id [8]byte
	rand.Read(id[:]) // never fails
	x := &exchange{
		w:      w,
		header: w.Header(),
		r:      r,
		id:     hex.EncodeToString(id[:]),
		start:  time.Now(),
		route:  "none",
		unread: r.Body != nil && r.Body != http.NoBody,
	}
	x.header.Set("X-Request-Id", x.id)
	x.header.Set("X-Content-Type-Options", "nosniff")
	a.metrics.inflight.Inc()
	return x
}

// end recovers from a panic, counts, and writes the log line.
func (a *API) end(x *exchange) {
	if p := recover(); p != nil {
		x.panicked, x.stack = p, debug.Stack()
		if x.status == 0 {
			a.refuse(x, fmt.Errorf("panic: %v", p))
		}
	}
	a.metrics.inflight.Dec()
	elapsed := time.Since(x.start)
	a.metrics.observe(x, elapsed)

	level := slog.LevelInfo
	switch {
	case x.status == http.StatusInternalServerError || x.panicked != nil:
		level = slog.LevelError // of our making; any other status, somebody chose
	case x.status >= 400:
		level = slog.LevelWarn
	}
	attrs := []slog.Attr{
		slog.String("request_id", x.id),
		slog.String("route", x.route),
		slog.String("method", shorten(x.r.Method, 16)),
		slog.Int("status", x.status),
		slog.Int("bytes_in", x.in),
		slog.Int("bytes_out", x.out),
		slog.Duration("elapsed", elapsed),
		slog.String("peer", host(x.r.RemoteAddr)),
	}
	if x.taskID != nil {
		attrs = append(attrs, slog.Any("task_id", *x.taskID))
	}
	attrs = append(attrs, x.attrs...)
	if x.err != nil {
		attrs = append(attrs, slog.String("err", x.err.Error()))
	}
	if x.stack != nil {
		attrs = append(attrs, slog.String("stack", string(x.stack)))
	}
	a.logger.LogAttrs(context.WithoutCancel(x.r.Context()), level, "request", attrs...)
	if x.panicked == http.ErrAbortHandler {
		panic(http.ErrAbortHandler)
	}
}

// host returns the address without its port.
func host(address string) string {
	if h, _, err := net.SplitHostPort(address); err == nil {
		return h
	}
	return address
}

// adapter makes an http.Handler of a route.
func (a *API) adapter(route *Route) http.Handler {
	accepts := contentMatcher(route.MediaType)
	return http.HandlerFunc(func(_ http.ResponseWriter, hr *http.Request) {
		x := exchangeOf(hr)
		x.route = route.Name
		r := &Request{HTTP: hr, ID: x.id, exchange: x}
		r.token, r.hasToken = presentedToken(hr.Header)
		if id, err := dap.ParseTaskID(r.Var("task_id")); err == nil {
			x.taskID = &id
		}
		ctx, cancel := context.WithTimeout(hr.Context(), a.config.HandlerTimeout)
		defer cancel()

		response, err := a.handle(ctx, route, accepts, r)
		if err != nil {
			if ctx.Err() != nil && !errors.Is(err, ctx.Err()) {
				err = fmt.Errorf("%w (%w)", err, ctx.Err())
			}
			a.refuse(x, err)
			return
		}
		a.respond(x, response)
	})
}

// handle does for a request what its route asks for, cheapest first.
func (a *API) handle(ctx context.Context, route *Route, accepts func(http.Header) error, r *Request) (Response, error) {
	if err := a.authenticate(ctx, route, r); err != nil {
		return Response{}, err
	}
	leave, err := a.admit(route)
	if err != nil {
		return Response{}, err
	}
	defer leave()
	if route.MediaType != "" {
		if err := accepts(r.HTTP.Header); err != nil {
			return Response{}, err
		}
		body, release, err := a.readBody(r.exchange, route.Limit)
		defer release()
		if err != nil {
			return Response{}, err
		}
		r.Body = body
	}
	r.HTTP.Body = http.NoBody
	return route.Handler(ctx, r)
}

// contentMatcher returns a check of a request's Content-Type and
// Content-Encoding against the route's media type.
func contentMatcher(mediaType string) func(http.Header) error {
	message, err := dap.MediaTypeMessage(mediaType)
	isDAP := err == nil
	plain, _, _ := mime.ParseMediaType(mediaType)
	return func(h http.Header) error {
		for _, encoding := range h.Values("Content-Encoding") {
			if !strings.EqualFold(encoding, "identity") {
				return newRefusal("media_type", http.StatusUnsupportedMediaType, "The content is encoded, which no resource here supports.")
			}
		}
		if isDAP {
			if got, err := dap.MediaTypeMessage(h.Get("Content-Type")); err != nil || got != message {
				return refusal{dap.NewProblem(dap.InvalidMessage, "The Content-Type is not "+mediaType+"."), "media_type"}
			}
			return nil
		}
		if got, _, err := mime.ParseMediaType(h.Get("Content-Type")); err != nil || got != plain {
			return newRefusal("media_type", http.StatusUnsupportedMediaType, "The Content-Type is not "+mediaType+".")
		}
		return nil
	}
}

// respond writes the response of a handler.
func (a *API) respond(x *exchange, response Response) {
	status := response.Status
	if status == 0 {
		status = http.StatusOK
	}
	if len(response.Body) > 0 && response.MediaType == "" || status < 200 || status > 299 {
		a.refuse(x, fmt.Errorf("internal error: response %d of %d bytes with media type %q", status, len(response.Body), response.MediaType))
		return
	}
	if len(response.Body) > 0 {
		x.header.Set("Content-Type", response.MediaType)
	}
	if response.Location != "" {
		x.header.Set("Location", response.Location)
	}
	if response.RetryAfter > 0 {
		x.header.Set("Retry-After", seconds(response.RetryAfter))
	}
	if response.CacheControl != "" {
		x.header.Set("Cache-Control", response.CacheControl)
	}
	a.write(x, status, response.Body)
}

// write sends status and content.
func (a *API) write(x *exchange, status int, content []byte) {
	if x.header.Get("Cache-Control") == "" {
		x.header.Set("Cache-Control", "no-store")
	}
	if x.unread {
		// Else the server would first read what is left, for as long as it comes.
		x.header.Set("Connection", "close")
	}
	if status != http.StatusNoContent {
		x.header.Set("Content-Length", strconv.Itoa(len(content)))
	}
	x.status = status
	_ = http.NewResponseController(x.w).SetWriteDeadline(time.Now().Add(a.config.WriteTimeout))
	x.w.WriteHeader(status)
	n, err := x.w.Write(content)
	x.out = n
	if err != nil && !errors.Is(err, http.ErrBodyNotAllowed) && x.err == nil {
		x.err = fmt.Errorf("writing the response: %w", err)
	}
}

// seconds returns d in seconds, rounded up, as Retry-After wants it.
func seconds(d time.Duration) string {
	return strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10)
}
