package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"

	"candor/schema/dap"
)

// A Caller makes HTTP requests in the way that DAP wants of a client, for the Client and for the Collector: it treats
// a status as the general one of its class, turns refusals into problems, and repeats what may be repeated. Its zero
// value works. A Caller is safe for concurrent use.
type Caller struct {
	HTTP      *http.Client        // nil: Go's default. No redirect is followed, and every request has a deadline
	Authorize func(*http.Request) // nil: no authentication. See Bearer
	PlainHTTP bool                // allow http:// URLs to other machines: test profiles only

	Attempts int           // requests per call, the first included; 0: 6
	MaxWait  time.Duration // longest pause between two of them, whatever the server asks for; 0: one minute

	Now    func() time.Time // nil: time.Now
	Logger *slog.Logger     // nil: discard
}

// A Request is one request that has the same effect however often it is made.
type Request struct {
	Method      string
	URL         string
	ContentType string // empty: none, for requests without a body
	Body        []byte
	MaxResponse int64 // the most bytes that the body of a good response can have
}

// A Response is the answer to a Request, of a status in the 2xx class.
type Response struct {
	URL      *url.URL // of the request
	Header   http.Header
	Body     []byte // not nil
	Repeated bool   // the server may have acted on an earlier attempt of the same call
}

const (
	defaultAttempts = 6
	defaultMaxWait  = time.Minute
	firstWait       = 500 * time.Millisecond
	requestDeadline = 2 * time.Minute
	maxProblem      = 64 << 10 // bytes of a problem document
	maxDetail       = 500      // characters of its detail that are passed on
)

// Bearer returns an Authorize function that presents a token; nil if it is empty. The token is kept in the function,
// so that nothing that prints a Caller prints it.
func Bearer(token string) func(*http.Request) {
	if token == "" {
		return nil
	}
	return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
}

// Do makes a request, and repeats the same bytes while the answer is 429, 5xx or none at all: after the time that the
// server names in Retry-After, or else at growing distances.
//
// Its errors are a *dap.Problem, found with errors.As, for an answer that is a refusal, also for one that persists
// through all attempts; and anything else for a peer that cannot be reached or does not speak DAP.
func (c *Caller) Do(ctx context.Context, req Request) (*Response, error) {
	u, err := c.checkURL(req.URL)
	if err != nil {
		return nil, err
	}
	repeated := false
	for attempt := 1; ; attempt++ {
		resp, again, err := c.once(ctx, u, req)
		if err == nil {
			resp.Repeated = repeated
			return resp, nil
		}
		if again == nil || attempt >= c.attempts() || ctx.Err() != nil {
			return nil, fmt.Errorf("%s %s: %w", req.Method, req.URL, err)
		}
		repeated = repeated || again.mayHaveActed
		wait := c.wait(attempt, again.header)
		c.logger().WarnContext(ctx, "request is repeated", "peer", u.Host, "attempt", attempt, "wait", wait, "err", err)
		if err := Sleep(ctx, wait); err != nil {
			return nil, fmt.Errorf("%s %s: %w", req.Method, req.URL, err)
		}
	}
}

// again says that a failed request may be repeated.
type again struct {
	header       http.Header // of the response, if there was one
	mayHaveActed bool        // the request may have reached the server's state
}

func (c *Caller) once(ctx context.Context, u *url.URL, req Request) (*Response, *again, error) {
	ctx, cancel := context.WithTimeout(ctx, requestDeadline)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, req.Method, u.String(), bytes.NewReader(req.Body))
	if err != nil {
		return nil, nil, err
	}
	if req.ContentType != "" {
		r.Header.Set("Content-Type", req.ContentType)
	}
	if c.Authorize != nil {
		c.Authorize(r)
	}
	var hc http.Client
	if c.HTTP != nil {
		hc = *c.HTTP
	}
	// A redirect could turn a POST into a GET, or take the token elsewhere: resources of DAP are where the task says.
	hc.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := hc.Do(r)
	if err != nil {
		var untrusted *tls.CertificateVerificationError
		if errors.As(err, &untrusted) {
			return nil, nil, untrusted
		}
		return nil, &again{mayHaveActed: true}, errors.Unwrap(err) // without the URL, which Do adds
	}
	defer resp.Body.Close()
	limit := req.MaxResponse
	if resp.StatusCode/100 != 2 {
		limit = maxProblem
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil && resp.StatusCode/100 == 2 {
		return nil, &again{mayHaveActed: true}, fmt.Errorf("reading the answer: %w", err)
	}
	switch resp.StatusCode / 100 {
	case 2:
		if int64(len(body)) > limit {
			return nil, nil, fmt.Errorf("the answer has more than the %d bytes it can have", limit)
		}
		return &Response{URL: u, Header: resp.Header, Body: body}, nil, nil
	case 5:
		return nil, &again{resp.Header, true}, problemOf(resp, body)
	case 4:
		if resp.StatusCode == http.StatusTooManyRequests {
			return nil, &again{header: resp.Header}, problemOf(resp, body)
		}
		return nil, nil, problemOf(resp, body)
	}
	return nil, nil, fmt.Errorf("unexpected status %s", resp.Status)
}

// problemOf returns the problem that a response of status 4xx or 5xx stands for, with or without a document.
func problemOf(resp *http.Response, body []byte) *dap.Problem {
	status := dap.NewStatusProblem(resp.StatusCode, http.StatusText(resp.StatusCode))
	if t, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type")); err != nil || t != dap.MediaTypeProblem {
		return status
	}
	p, err := dap.ParseProblem(body)
	if err != nil {
		return status
	}
	p.Status = resp.StatusCode
	p.Title, p.Detail = printable(p.Title), printable(p.Detail)
	return p
}

// printable returns a peer's text, cut short and without what would control a terminal.
func printable(text string) string {
	n := 0
	return strings.Map(func(r rune) rune {
		if n++; n > maxDetail {
			return -1
		}
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text)
}

// CheckMessage returns an error unless the response is labelled as the given DAP message.
func (r *Response) CheckMessage(want string) error {
	got, err := dap.MediaTypeMessage(r.Header.Get("Content-Type"))
	if err != nil {
		return fmt.Errorf("the answer is not a DAP message: %w", err)
	}
	if got != want {
		return fmt.Errorf("the answer is the message %q, want %q", got, want)
	}
	return nil
}

func (c *Caller) attempts() int {
	if c.Attempts > 0 {
		return c.Attempts
	}
	return defaultAttempts
}

func (c *Caller) logger() *slog.Logger {
	if c.Logger != nil {
		return c.Logger
	}
	return slog.New(slog.DiscardHandler)
}

func (c *Caller) clock() time.Time {
	if c.Now != nil {
		return c.Now()
	}
	return time.Now()
}
