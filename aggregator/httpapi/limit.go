package httpapi

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"candor/schema/dap"
)

// busy is when to come back after a limit of concurrency or memory.
const busy = time.Second

// slots are the places of requests that are handled at once.
type slots struct{ places chan struct{} }

func newSlots(n int) *slots { return &slots{make(chan struct{}, n)} }

func (s *slots) take() bool {
	select {
	case s.places <- struct{}{}:
		return true
	default:
		return false
	}
}

func (s *slots) leave() { <-s.places }

// A budget is a number of bytes that many requests share.
type budget struct {
	max  int64
	used atomic.Int64
}

// grow takes n bytes more, unless that would be too many.
func (b *budget) grow(n int64) bool {
	if b.used.Add(n) <= b.max {
		return true
	}
	b.used.Add(-n)
	return false
}

func (b *budget) release(n int64) { b.used.Add(-n) }

// admit takes a place for a request. If there is none, or callers without
// credentials come too often, it returns a problem that says when to come back.
func (a *API) admit(route *Route) (leave func(), err error) {
	places := a.closed
	if route.Auth == Open {
		places = a.open
		if a.rate != nil {
			r := a.rate.Reserve()
			if wait := r.Delay(); wait > 0 {
				r.Cancel()
				return nil, tooMany("rate", "Too many requests at this time.", wait)
			}
		}
	}
	if !places.take() {
		return nil, tooMany("concurrency", "Too many requests are being handled.", busy)
	}
	return places.leave, nil
}

func tooMany(reason, detail string, after time.Duration) error {
	return RetryAfter(newRefusal(reason, http.StatusTooManyRequests, detail), after)
}

// readBody reads the content in full. release gives back its memory and must be
// called in any case, when the content is no longer used.
//
// Memory is taken as bytes arrive, not as they are announced, so that callers
// who announce much and send nothing hold nothing.
func (a *API) readBody(x *exchange, limit int64) (body []byte, release func(), err error) {
	var taken int64
	release = func() { a.memory.release(taken) }
	if x.r.ContentLength > limit {
		return nil, release, tooLarge(limit)
	}
	if !x.unread {
		return nil, release, nil
	}
	// MaxBytesReader wants the server's own writer, to close the connection.
	src := http.MaxBytesReader(x.w, x.r.Body, limit)
	// One byte more than can come, so that the end is seen without growing.
	most := limit + 1
	if x.r.ContentLength >= 0 {
		most = x.r.ContentLength + 1
	}
	for size := min(64<<10, most); ; {
		if !a.memory.grow(size) {
			return nil, release, tooMany("memory", "Too many large requests are being handled.", busy)
		}
		taken += size
		grown := make([]byte, len(body), size)
		copy(grown, body)
		a.memory.release(int64(cap(body)))
		taken -= int64(cap(body))
		body = grown

		for len(body) < cap(body) {
			n, err := src.Read(body[len(body):cap(body)])
			body = body[:len(body)+n]
			x.in = len(body)
			if err == io.EOF {
				x.unread = false
				return body, release, nil
			}
			if err != nil {
				return nil, release, readError(err, limit)
			}
		}
		if size *= 4; size > most/2 {
			size = most
		}
	}
}

// readError returns the problem with a content that did not arrive in full.
func readError(err error, limit int64) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return tooLarge(limit)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return newRefusal("timeout", http.StatusRequestTimeout, "The content took too long to arrive.")
	}
	return refusal{dap.NewProblem(dap.InvalidMessage, "The content did not arrive in full."), "cut"}
}

func tooLarge(limit int64) error {
	return newRefusal("too_large", http.StatusRequestEntityTooLarge, fmt.Sprintf("The content has more than %d bytes.", limit))
}
