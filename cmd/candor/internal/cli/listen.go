package cli

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"candor/aggregator/httpapi"
	"candor/aggregator/store"
	"candor/cmd/candor/internal/config"
)

// grace is how long requests that have begun may go on when a server stops.
const grace = 20 * time.Second

// listen serves the public listener until ctx ends.
func listen(ctx context.Context, cfg *config.Aggregator, handler http.Handler, log *slog.Logger) error {
	server := httpapi.NewServer(handler, log)
	if t := cfg.TLS; t != nil {
		var err error
		if server.TLSConfig, err = httpapi.NewTLSConfig(httpapi.TLSFiles{Certificate: t.Certificate, Key: t.Key, ClientCAs: t.ClientCA}, log); err != nil {
			return err
		}
	}
	return listenOn(ctx, cfg.Listen, server)
}

// listenPrivate serves health, metrics and profiles until ctx ends.
func listenPrivate(ctx context.Context, address string, r role, st store.Store, metrics prometheus.Gatherer, log *slog.Logger) error {
	ready := func(ctx context.Context) error {
		return st.View(ctx, "ready", func(store.Tx) error { return nil })
	}
	handler := httpapi.NewPrivate(httpapi.PrivateConfig{Gatherer: metrics, Ready: ready, Status: statusHandler(r), Logger: log})
	return listenOn(ctx, address, httpapi.NewServer(handler, log))
}

func listenOn(ctx context.Context, address string, server *http.Server) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return withHint(fmt.Errorf("listening on %s: %w", address, err), "if another process has the address, stop it or choose another in the configuration")
	}
	return httpapi.Serve(ctx, server, l, grace)
}
