package httpapi

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// TLSFiles names the files that a server's TLS configuration comes from, all PEM.
type TLSFiles struct {
	Certificate string // the server's certificate and those between it and the root
	Key         string // its private key
	// ClientCAs, if not empty, has the roots of client certificates. A client
	// need not have one, but one it has must be good; whether a caller needs one
	// is for [Config.Authenticate] to say.
	ClientCAs string
}

// recheck is how often the files are looked at, when connections come.
const recheck = 10 * time.Second

// NewTLSConfig returns a configuration that follows the files: when one changes,
// new connections use what it holds then. A change that does not load is
// logged, and the last good state stays in use. The error is that of loading
// the files now.
func NewTLSConfig(files TLSFiles, logger *slog.Logger) (*tls.Config, error) {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	r := &reloader{files: files, logger: logger}
	stamp, err := files.stamp()
	if err != nil {
		return nil, fmt.Errorf("loading TLS files: %w", err)
	}
	config, err := files.load()
	if err != nil {
		return nil, fmt.Errorf("loading TLS files: %w", err)
	}
	r.config, r.stamp, r.checked = config, stamp, time.Now()
	base := config.Clone()
	base.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return r.current(), nil }
	return base, nil
}

// A reloader holds the configuration of the files.
type reloader struct {
	files  TLSFiles
	logger *slog.Logger

	mu      sync.Mutex // config belongs to stamp, which was seen at checked
	config  *tls.Config
	stamp   fileStamp
	checked time.Time
}

// current returns the configuration for a new connection.
func (r *reloader) current() *tls.Config {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if now.Sub(r.checked) < recheck {
		return r.config
	}
	r.checked = now
	stamp, err := r.files.stamp()
	if err == nil && stamp == r.stamp {
		return r.config
	}
	var config *tls.Config
	if err == nil {
		config, err = r.files.load()
	}
	if err != nil {
		// Tried again at the next connection after recheck: a certificate and
		// its key are seldom replaced in the same instant.
		r.logger.Error("reloading TLS files", slog.String("err", err.Error()))
		return r.config
	}
	r.logger.Info("TLS files reloaded", slog.String("certificate", r.files.Certificate))
	r.config, r.stamp = config, stamp
	return r.config
}

// A fileStamp tells whether files have changed.
type fileStamp [3]struct {
	modified int64 // nanoseconds since 1970
	size     int64 // bytes
}

func (f TLSFiles) stamp() (stamp fileStamp, err error) {
	for i, name := range []string{f.Certificate, f.Key, f.ClientCAs} {
		if name == "" {
			continue
		}
		info, err := os.Stat(name)
		if err != nil {
			return stamp, err
		}
		stamp[i].modified, stamp[i].size = info.ModTime().UnixNano(), info.Size()
	}
	return stamp, nil
}

// load reads the files.
func (f TLSFiles) load() (*tls.Config, error) {
	certificate, err := tls.LoadX509KeyPair(f.Certificate, f.Key)
	if err != nil {
		return nil, fmt.Errorf("certificate %s with key %s: %w", f.Certificate, f.Key, err)
	}
	config := &tls.Config{
		Certificates: []tls.Certificate{certificate},
		MinVersion:   tls.VersionTLS12,
		NextProtos:   []string{"h2", "http/1.1"},
	}
	if f.ClientCAs != "" {
		pem, err := os.ReadFile(f.ClientCAs)
		if err != nil {
			return nil, err
		}
		config.ClientCAs = x509.NewCertPool()
		if !config.ClientCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("client roots %s: %w", f.ClientCAs, errors.New("no certificate in it"))
		}
		config.ClientAuth = tls.VerifyClientCertIfGiven
		// A resumed session would not ask the roots of today.
		config.SessionTicketsDisabled = true
	}
	return config, nil
}
