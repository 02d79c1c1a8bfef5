// Package interop makes a Client, an Aggregator and a Collector that a runner of interoperability tests drives, through the HTTP+JSON API of
// draft-dcook-ppm-dap-interop-test-design in the form that other implementations speak today. For tests only: whoever reaches the API can do
// everything, and what is uploaded is known to the runner.
//
// Floor 7: it makes parties of the packages below and keeps them for as long as the process lives.
//
// Every call is a POST of a JSON object below /internal/test/. Its answer is status 200 and a JSON object with a member status, also for failures, with the
// reason in the member error. Members that are not known are ignored. Binary values are base64url without padding; numbers of VDAFs, measurements and
// results are decimal text, all others numbers.
package interop

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
)

// prefix is that of the API's paths.
const prefix = "/internal/test/"

// maxRequest bounds a request, in bytes: a measurement of a long vector.
const maxRequest = 16 << 20

// Values of the member status.
const (
	statusSuccess    = "success"
	statusError      = "error"
	statusComplete   = "complete"
	statusInProgress = "in progress"
)

// A call answers one request. The answer is a struct with a member status.
type call func(ctx context.Context, request []byte) (answer any, err error)

// An api serves calls by their names.
type api struct {
	calls map[string]call
	other http.Handler // everything that is not the API's; nil: nothing is
	log   *slog.Logger
}

// outcome is an answer that says no more than whether it worked.
type outcome struct {
	Status string `json:"status"`
	Error  string `json:"error,omitempty"`
}

var success = outcome{Status: statusSuccess}

// ready answers when the server does.
func ready(context.Context, []byte) (any, error) { return struct{}{}, nil }

// with makes a call of a function that takes its request parsed.
func with[R any](fn func(ctx context.Context, request R) (any, error)) call {
	return func(ctx context.Context, text []byte) (any, error) {
		request, err := parse[R](text)
		if err != nil {
			return nil, err
		}
		return fn(ctx, request)
	}
}

// parse reads a request. Unknown members are ignored.
func parse[R any](text []byte) (request R, err error) {
	if err := json.Unmarshal(text, &request); err != nil {
		return request, fmt.Errorf("reading the request: %w", err)
	}
	return request, nil
}

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, ours := strings.CutPrefix(r.URL.Path, prefix)
	if !ours && a.other != nil {
		a.other.ServeHTTP(w, r)
		return
	}
	c, known := a.calls[name]
	switch {
	case !ours || !known:
		a.answer(w, http.StatusNotFound, outcome{statusError, fmt.Sprintf("there is no call %q here", r.URL.Path)})
		return
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		a.answer(w, http.StatusMethodNotAllowed, outcome{statusError, "every call is a POST"})
		return
	}
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	var answer any
	if err == nil {
		answer, err = c(r.Context(), text)
	}
	if err != nil {
		a.log.WarnContext(r.Context(), "call failed", "call", name, "err", err)
		answer = outcome{statusError, err.Error()}
	} else {
		a.log.InfoContext(r.Context(), "call", "call", name)
	}
	a.answer(w, http.StatusOK, answer)
}

func (a *api) answer(w http.ResponseWriter, status int, answer any) {
	text, err := json.Marshal(answer)
	if err != nil {
		a.log.Error("encoding an answer failed", "err", err)
		status, text = http.StatusInternalServerError, []byte(`{"status":"error","error":"encoding the answer failed"}`)
	}
	w.Header().Set("Content-Type", "application/json") // without charset: runners compare it
	w.WriteHeader(status)
	_, _ = w.Write(text) // the runner that is gone needs no answer
}

// A tokenTransport presents tokens in the header of earlier drafts, as runners' parties expect, in the place of Authorization.
type tokenTransport struct{ next http.RoundTripper }

func (t tokenTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		r = r.Clone(r.Context())
		r.Header.Del("Authorization")
		r.Header.Set("DAP-Auth-Token", token)
	}
	return t.next.RoundTrip(r)
}

// newClient returns the HTTP client of a party whose peers speak profile.
func newClient(profile Profile) *http.Client {
	var transport http.RoundTripper = tokenTransport{http.DefaultTransport}
	if profile == Janus202608 {
		transport = janusTransport{transport}
	}
	return &http.Client{Transport: transport}
}

// checkToken refuses text that cannot be the value of a header.
func checkToken(member, token string) error {
	for _, c := range []byte(token) {
		if c < 0x21 || c > 0x7e {
			return fmt.Errorf("%s has characters that no token has", member)
		}
	}
	if token == "" {
		return errors.New(member + " is missing")
	}
	return nil
}
