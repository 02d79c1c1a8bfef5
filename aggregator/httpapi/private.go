package httpapi

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// PrivateConfig is what the handler of the private listener is made of.
type PrivateConfig struct {
	// Gatherer has the metrics of /metrics.
	Gatherer prometheus.Gatherer
	// Ready returns nil if the role can do its work, and else why it cannot,
	// which /readyz shows. Nil is always ready.
	Ready func(context.Context) error
	// Status, if not nil, serves /status: what the role does and waits for.
	Status http.Handler
	Logger *slog.Logger // nil discards
}

// readyTimeout is how long Ready may take.
const readyTimeout = 5 * time.Second

// NewPrivate returns the handler of the private listener: /healthz, which says
// that the process runs; /readyz, /metrics, /status, and the profiles below
// /debug/pprof/. It authenticates nobody, and belongs on an address that only
// operators reach.
func NewPrivate(c PrivateConfig) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "ok\n") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
		defer cancel()
		if c.Ready != nil {
			if err := c.Ready(ctx); err != nil {
				if c.Logger != nil {
					c.Logger.LogAttrs(ctx, slog.LevelWarn, "not ready", slog.String("err", err.Error()))
				}
				plain(w, http.StatusServiceUnavailable, err.Error()+"\n")
				return
			}
		}
		plain(w, http.StatusOK, "ok\n")
	})
	if c.Gatherer != nil {
		mux.Handle("GET /metrics", promhttp.HandlerFor(c.Gatherer, promhttp.HandlerOpts{}))
	}
	if c.Status != nil {
		mux.Handle("GET /status", c.Status)
	}
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("POST /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return mux
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text))
}
