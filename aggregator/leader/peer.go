package leader

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"candor/aggregator"
	"candor/schema/dap"
)

// A peer is the Leader's side of every exchange with a Helper. It is safe for concurrent use.
type peer struct {
	hc        *http.Client
	timeout   time.Duration // of one exchange
	plainHTTP bool          // allow http:// to hosts that are not loopback
	now       func() time.Time
}

// An answer is a successful response.
type answer struct {
	Body       []byte // empty: not ready yet
	Location   string // absolute URL; empty if there was none
	RetryAfter time.Duration
}

// A peerError is a response that is not a success, or none at all.
type peerError struct {
	Status     int          // 0: no response
	Problem    *dap.Problem // nil if the response carried none
	RetryAfter time.Duration
	Err        error // when there was no usable response
}

func (e *peerError) Error() string {
	if e.Err != nil {
		return e.Err.Error()
	}
	text := strings.TrimSpace(fmt.Sprintf("status %d %s", e.Status, http.StatusText(e.Status)))
	if e.Problem == nil {
		return text
	}
	if e.Problem.Type != dap.AboutBlank { // of which the status says it all
		text += ", " + string(e.Problem.Type)
	}
	if e.Problem.Detail != "" {
		text += ": " + e.Problem.Detail
	}
	return text
}

func (e *peerError) Unwrap() error { return e.Err }

// A verdict says what an error of a peer means for the job.
type verdict int

const (
	unavailable verdict = iota // no answer or an error of the Helper's own: try again
	refused                    // only an operator can change it, on either side: try again, slowly
	tooLarge                   // the request is too large for the Helper
	permanent                  // the same request will get the same answer
)

// judge says what to do after err, any error of do. A status means no more than its class unless it is named here (DAP, HTTP Status Codes).
func judge(err error) verdict {
	var pe *peerError
	if !errors.As(err, &pe) {
		return unavailable
	}
	if pe.Problem != nil && pe.Problem.Type == dap.UnrecognizedTask {
		return refused // the task is ours; the other operator has still to configure it
	}
	switch pe.Status {
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusTooEarly:
		return unavailable
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusProxyAuthRequired, http.StatusMethodNotAllowed:
		return refused
	case http.StatusNotFound, http.StatusGone:
		if pe.Problem == nil || pe.Problem.Type == dap.AboutBlank {
			return refused // a wrong base URL, or a proxy's answer
		}
		return permanent
	case http.StatusRequestEntityTooLarge:
		return tooLarge
	}
	switch {
	case pe.Status >= 400 && pe.Status < 500:
		return permanent
	case pe.Status >= 300 && pe.Status < 400:
		return refused // a redirect is never followed: the request carries a token
	}
	return unavailable
}

const (
	maxProblem  = 64 << 10 // bytes of a problem document that are read
	maxLocation = 4 << 10
)

// do sends a request to the Helper of a task and reads the response, of at most limit bytes. A message other than want in a non-empty body is no
// usable response.
func (p *peer) do(ctx context.Context, t *aggregator.Task, method, target, mediaType string, body []byte, want string, limit int64) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		return answer{}, &peerError{Err: fmt.Errorf("making a request to the Helper: %w", err)}
	}
	if len(body) > 0 {
		req.Header.Set("Content-Type", mediaType)
	}
	if !t.PeerToken.Empty() {
		req.Header.Set("Authorization", "Bearer "+t.PeerToken.Reveal())
	}
	resp, err := p.hc.Do(req)
	if err != nil {
		return answer{}, &peerError{Err: fmt.Errorf("asking the Helper: %w", err)}
	}
	defer resp.Body.Close()
	retry := retryAfter(resp.Header.Get("Retry-After"), p.now())
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		e := &peerError{Status: resp.StatusCode, RetryAfter: retry}
		if content, err := io.ReadAll(io.LimitReader(resp.Body, maxProblem)); err == nil {
			if problem, err := dap.ParseProblem(content); err == nil {
				e.Problem = problem
			}
		}
		return answer{}, e
	}
	content, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return answer{}, &peerError{Err: fmt.Errorf("reading the Helper's response: %w", err)}
	}
	if int64(len(content)) > limit {
		return answer{}, &peerError{Err: fmt.Errorf("reading the Helper's response: it is longer than %d bytes", limit)}
	}
	if len(content) > 0 && want != "" {
		if message, err := dap.MediaTypeMessage(resp.Header.Get("Content-Type")); err != nil || message != want {
			return answer{}, &peerError{Err: fmt.Errorf("reading the Helper's response: it is not a DAP message %s", want)}
		}
	}
	location, err := resolve(target, resp.Header.Get("Location"))
	if err != nil {
		return answer{}, &peerError{Err: err}
	}
	return answer{content, location, retry}, nil
}

// resolve returns the absolute URL of a Location header. One on another origin is refused: our token must not go there.
func resolve(request, location string) (string, error) {
	if location == "" {
		return "", nil
	}
	base, err := url.Parse(request)
	if err != nil {
		return "", fmt.Errorf("parsing the Helper's URL: %w", err)
	}
	ref, err := url.Parse(location)
	if err != nil || len(location) > maxLocation {
		return "", errors.New("reading the Helper's response: its Location is not a URL")
	}
	u := base.ResolveReference(ref)
	if u.Scheme != base.Scheme || u.Host != base.Host {
		return "", errors.New("reading the Helper's response: its Location is on another origin")
	}
	return u.String(), nil
}

// maxRetryAfter bounds what a Retry-After can make us wait.
const maxRetryAfter = 10 * time.Minute

// retryAfter parses the header, which has seconds or a date; zero if there is none to be understood.
func retryAfter(header string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(strings.TrimSpace(header), 10, 31); err == nil {
		return min(time.Duration(seconds)*time.Second, maxRetryAfter)
	}
	if at, err := http.ParseTime(header); err == nil {
		return min(max(0, at.Sub(now)), maxRetryAfter)
	}
	return 0
}

// join appends path to a base URL as configured, which may end in a slash or not.
func join(base, path string) string {
	return strings.TrimSuffix(base, "/") + path
}

// taskURL returns the URL of a resource of a task at its Helper.
func taskURL(t *aggregator.Task, resource string) string {
	return join(t.Config.HelperEndpoint, "/tasks/"+t.ID.String()+"/"+resource)
}

// checkEndpoint refuses a Helper that cannot be reached safely: DAP runs over HTTPS. Plain HTTP is for loopback, and for tests that ask.
func (p *peer) checkEndpoint(endpoint string) error {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" {
		return fmt.Errorf("the Helper's endpoint %q is not an absolute URL", endpoint)
	}
	switch u.Scheme {
	case "https":
		return nil
	case "http":
		ip := net.ParseIP(u.Hostname())
		if p.plainHTTP || u.Hostname() == "localhost" || ip != nil && ip.IsLoopback() {
			return nil
		}
		return fmt.Errorf("the Helper's endpoint %q is not https: anybody on the way could change what it answers", endpoint)
	}
	return fmt.Errorf("the Helper's endpoint %q is not https", endpoint)
}
