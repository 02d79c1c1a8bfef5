package httpapi_test

import (
	"crypto/tls"
	"crypto/x509"
	"net/http/httptest"
	"testing"

	"candor/aggregator/httpapi"
)

// TestCertified checks that who must come with a certificate is turned away without a verified one, and nobody else is.
func TestCertified(t *testing.T) {
	verified := &tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{{}}}}
	for _, test := range []struct {
		name      string
		certified []httpapi.Auth
		state     *tls.ConnectionState
		token     string
		status    int
	}{
		{"plain HTTP", []httpapi.Auth{httpapi.Leader}, nil, "token-of-leader", 401},
		{"no certificate", []httpapi.Auth{httpapi.Leader}, &tls.ConnectionState{}, "token-of-leader", 401},
		{"certificate and token", []httpapi.Auth{httpapi.Leader}, verified, "token-of-leader", 200},
		{"certificate and no token", []httpapi.Auth{httpapi.Leader}, verified, "", 401},
		{"another must", []httpapi.Auth{httpapi.Collector}, nil, "token-of-leader", 200},
		{"nobody must", nil, nil, "token-of-leader", 200},
	} {
		f := newFixture(t, func(c *httpapi.Config) { c.Certified = test.certified }, job(fixed(httpapi.Response{}, nil)))
		r := httptest.NewRequest("GET", "/tasks/"+taskText+"/aggregation_jobs/x", nil)
		r.TLS = test.state
		r.Header.Set("Authorization", "Bearer "+test.token)
		w := httptest.NewRecorder()
		f.ServeHTTP(w, r)
		if w.Code != test.status {
			t.Errorf("%s: status %d, want %d", test.name, w.Code, test.status)
		}
	}
}
