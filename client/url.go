package client

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
)

// Resource returns the URL of a resource of an Aggregator: its endpoint, which may have a path and may or may not end
// in a slash, followed by path segments. The endpoint's own bytes stay as they are.
func Resource(endpoint string, segments ...string) (string, error) {
	u, err := url.Parse(endpoint)
	if err != nil {
		return "", fmt.Errorf("parsing URL %q: %w", endpoint, err)
	}
	if u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || strings.Contains(endpoint, "#") {
		return "", fmt.Errorf("the endpoint %q is not an http or https URL without user, query and fragment", endpoint)
	}
	return strings.TrimSuffix(endpoint, "/") + "/" + strings.Join(segments, "/"), nil
}

// ResolveLocation returns the URL that a Location field of the answer to a request names. It must have the origin of
// the request: the credentials that go with the next one are for that origin alone.
func ResolveLocation(request *url.URL, location string) (*url.URL, error) {
	if location == "" {
		return nil, errors.New("the answer has no Location")
	}
	ref, err := url.Parse(location)
	if err != nil {
		return nil, fmt.Errorf("the Location %q is not a URL", location)
	}
	u := request.ResolveReference(ref)
	if u.Scheme != request.Scheme || !strings.EqualFold(u.Hostname(), request.Hostname()) || port(u) != port(request) || u.User != nil {
		return nil, fmt.Errorf("the Location %q is on another origin than %s://%s", location, request.Scheme, request.Host)
	}
	u.Fragment, u.RawFragment = "", ""
	return u, nil
}

func port(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	return map[string]string{"https": "443", "http": "80"}[u.Scheme]
}

// checkURL parses a URL to which a request may go: https, or http to this very machine.
func (c *Caller) checkURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("parsing URL %q: %w", text, err)
	}
	switch {
	case u.Scheme == "https" && u.Host != "":
	case u.Scheme == "http" && (c.PlainHTTP || isLoopback(u.Hostname())):
	default:
		return nil, fmt.Errorf("%q is not an https URL", text)
	}
	return u, nil
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
