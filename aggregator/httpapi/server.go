package httpapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// NewServer returns a server for handler, on which every wait ends: for the
// header of a request, its content, the response, and the next request. An
// [API] sets tighter deadlines for content and response on its own.
func NewServer(handler http.Handler, logger *slog.Logger) *http.Server {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       10 * time.Minute,
		WriteTimeout:      10 * time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: 100},
		// Mostly TLS handshakes that others broke off: nobody must act.
		ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}
}

// Serve serves on listener, with TLS if s has a TLSConfig, until ctx ends; then
// it lets requests that have begun end, for at most grace, and returns. The
// error is nil if all did.
func Serve(ctx context.Context, s *http.Server, listener net.Listener, grace time.Duration) error {
	served := make(chan error, 1)
	go func() {
		if s.TLSConfig != nil {
			served <- s.ServeTLS(listener, "", "")
		} else {
			served <- s.Serve(listener)
		}
	}()
	select {
	case err := <-served:
		return fmt.Errorf("serving on %v: %w", listener.Addr(), err)
	case <-ctx.Done():
	}
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	err := s.Shutdown(stopping)
	if err != nil {
		err = errors.Join(fmt.Errorf("stopping to serve on %v: %w", listener.Addr(), err), s.Close())
	}
	<-served
	return err
}
