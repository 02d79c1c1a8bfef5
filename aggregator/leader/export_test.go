package leader

import (
	"errors"
	"net/http"
	"time"

	"candor/schema/dap"
)

// What only tests outside may use.

var (
	RetryAfter = retryAfter
	Resolve    = resolve
	Join       = join
)

// CheckEndpoint is the check of a Helper's endpoint.
func CheckEndpoint(endpoint string, plainHTTP bool) error {
	return (&peer{plainHTTP: plainHTTP}).checkEndpoint(endpoint)
}

// Judge names the verdict on a response.
func Judge(status int, problem *dap.Problem) string {
	var err error = errors.New("no response")
	if status != 0 {
		err = &peerError{Status: status, Problem: problem}
	}
	return [...]string{"unavailable", "refused", "too large", "permanent"}[judge(err)]
}

// Backoff is the wait after the nth failure in a row, for a Leader with these bounds.
func Backoff(minimum, maximum time.Duration, n int, retryAfter time.Duration) time.Duration {
	l := &Leader{cfg: Config{RetryMin: minimum, RetryMax: maximum}}
	return l.backoff(n, &peerError{Status: http.StatusServiceUnavailable, RetryAfter: retryAfter})
}

// PeerError is what an exchange with a Helper ends in that is no success.
type PeerError = peerError
