package config

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"sync"
	"time"
)

// PeerTLS says how the Leader reaches the Helper. The files of the certificate are read again when they change; the authority's at a restart.
type PeerTLS struct {
	// CA is the PEM file of the authorities that may have signed the Helper's certificate, in place of the system's. Whoever can change it can pose as the Helper.
	CA string `yaml:"ca,omitempty"`
	// Certificate and Key are what the Leader shows a Helper that asks for a certificate.
	Certificate string `yaml:"certificate,omitempty"`
	Key         string `yaml:"key,omitempty"`
}

// Client returns the HTTP client for the Helper. A nil PeerTLS is one with the system's authorities.
func (t *PeerTLS) Client() (*http.Client, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	// A Leader drives several jobs at once with one Helper.
	transport.MaxIdleConnsPerHost = 16
	if t == nil {
		return &http.Client{Transport: transport}, nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if t.CA != "" {
		pem, err := readFile(t.CA)
		if err != nil {
			return nil, fmt.Errorf("reading the Helper's authority: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("reading the Helper's authority: %s has no certificate", t.CA)
		}
	}
	if t.Certificate != "" {
		pair := &clientPair{files: *t}
		if _, err := pair.load(); err != nil {
			return nil, err
		}
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return pair.load() }
	}
	transport.TLSClientConfig = config
	return &http.Client{Transport: transport}, nil
}

// A clientPair is a certificate that follows its files.
type clientPair struct {
	files PeerTLS

	mu          sync.Mutex // certificate belongs to the files as of modified
	certificate *tls.Certificate
	modified    [2]time.Time
}

// load returns the certificate. When the files have changed and what they hold does not load, the last good one stays in use: a certificate and its key are
// seldom replaced in the same instant.
func (p *clientPair) load() (*tls.Certificate, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var modified [2]time.Time
	for i, name := range []string{p.files.Certificate, p.files.Key} {
		info, err := os.Stat(name)
		if err != nil {
			return p.lastGood(err)
		}
		modified[i] = info.ModTime()
	}
	if p.certificate != nil && modified == p.modified {
		return p.certificate, nil
	}
	c, err := tls.LoadX509KeyPair(p.files.Certificate, p.files.Key)
	if err != nil {
		return p.lastGood(err)
	}
	p.certificate, p.modified = &c, modified
	return p.certificate, nil
}

func (p *clientPair) lastGood(err error) (*tls.Certificate, error) {
	if p.certificate != nil {
		return p.certificate, nil
	}
	return nil, fmt.Errorf("reading the certificate for the Helper, %s with key %s: %w", p.files.Certificate, p.files.Key, err)
}
