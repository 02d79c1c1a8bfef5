package client

import (
	"context"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// RetryAfter returns how long a response asks to be left alone: a number of seconds, or the time until a date. ok is
// false if it does not say, or not readably.
func RetryAfter(h http.Header, now time.Time) (wait time.Duration, ok bool) {
	value := strings.TrimSpace(h.Get("Retry-After"))
	if value == "" {
		return 0, false
	}
	if value[0] >= '0' && value[0] <= '9' {
		seconds, err := strconv.ParseUint(value, 10, 32)
		if err != nil {
			return 0, false
		}
		return time.Duration(seconds) * time.Second, true
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0, false
	}
	return max(at.Sub(now), 0), true
}

// wait returns the pause after the given attempt: what the server asks for, or else twice the last one; never more
// than MaxWait. The pauses that are ours are spread, so that clients which failed together do not return together.
func (c *Caller) wait(attempt int, h http.Header) time.Duration {
	limit := c.MaxWait
	if limit <= 0 {
		limit = defaultMaxWait
	}
	if asked, ok := RetryAfter(h, c.clock()); ok {
		return min(asked, limit)
	}
	d := min(firstWait<<min(attempt-1, 20), limit)
	return d/2 + rand.N(d/2+1)
}

// Sleep waits for d, or until ctx is done, which is an error.
func Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
