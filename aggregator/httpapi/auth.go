package httpapi

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// Auth says whom a route is for.
type Auth string

const (
	Open      Auth = "" // everybody
	Client    Auth = "client"
	Leader    Auth = "leader"
	Collector Auth = "collector"
)

// authHeader is the header of a bearer token in earlier drafts of DAP, which
// peers still use.
const authHeader = "DAP-Auth-Token"

// Presents reports whether the request carries exactly this token, as
// Authorization: Bearer or in DAP-Auth-Token. It takes as long for any token,
// the empty one included, which nobody presents. Credentials of different
// callers must differ; that is for configuration to check.
func (r *Request) Presents(token string) bool {
	presented, want := sha256.Sum256([]byte(r.token)), sha256.Sum256([]byte(token))
	same := subtle.ConstantTimeCompare(presented[:], want[:]) == 1
	return same && r.hasToken && token != ""
}

// Token returns the token that the request carries, if any.
func (r *Request) Token() (token string, ok bool) { return r.token, r.hasToken }

// presentedToken finds the token in the header. A request that carries several,
// not all the same, carries none: which one is meant is not for us to guess.
func presentedToken(h http.Header) (token string, ok bool) {
	for _, value := range h.Values("Authorization") {
		scheme, rest, _ := strings.Cut(value, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			continue
		}
		rest = strings.Trim(rest, " ")
		if rest == "" || ok && rest != token {
			return "", false
		}
		token, ok = rest, true
	}
	for _, value := range h.Values(authHeader) {
		value = strings.Trim(value, " ")
		if value == "" || ok && value != token {
			return "", false
		}
		token, ok = value, true
	}
	return token, ok
}

// authenticate lets the caller pass, or returns why not.
func (a *API) authenticate(ctx context.Context, route *Route, r *Request) error {
	if route.Auth == Open {
		return nil
	}
	certified := r.HTTP.TLS != nil && len(r.HTTP.TLS.VerifiedChains) > 0
	ok, err := a.config.Authenticate(ctx, route.Auth, r)
	if err != nil {
		return fmt.Errorf("authenticating the %s: %w", route.Auth, err)
	}
	if !ok || slices.Contains(a.config.Certified, route.Auth) && !certified {
		// No detail: whether the credential, the task or the role is wrong is
		// nothing that a stranger needs to know.
		r.exchange.header.Set("WWW-Authenticate", "Bearer")
		return newRefusal("unauthenticated", http.StatusUnauthorized, "")
	}
	return nil
}
