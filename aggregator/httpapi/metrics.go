package httpapi

import (
	"errors"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// NewRegistry returns a registry with the metrics of the Go runtime and of the
// process, for a role to add its own to.
func NewRegistry() *prometheus.Registry {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return registry
}

// metrics are of HTTP alone. Labels are names of routes, statuses that we send,
// and the reasons of refusals, never anything from a request.
type metrics struct {
	inflight prometheus.Gauge
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	in, out  *prometheus.CounterVec
	refused  *prometheus.CounterVec
}

func newMetrics(registry prometheus.Registerer) *metrics {
	return &metrics{
		inflight: register(registry, prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "candor_http_inflight_requests",
			Help: "Requests that are being handled.",
		})),
		requests: register(registry, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "candor_http_requests_total",
			Help: "Requests, by route and status.",
		}, []string{"route", "status"})),
		seconds: register(registry, prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "candor_http_request_seconds",
			Help:    "Time from the header of a request to the end of its response, by route.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2.5, 13), // 1 ms to 1 min
		}, []string{"route"})),
		in: register(registry, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "candor_http_received_bytes_total",
			Help: "Bytes of contents received, by route.",
		}, []string{"route"})),
		out: register(registry, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "candor_http_sent_bytes_total",
			Help: "Bytes of contents sent, by route.",
		}, []string{"route"})),
		refused: register(registry, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "candor_http_refused_requests_total",
			Help: "Requests refused before their handler, by reason: " +
				"not_found, method, unauthenticated, rate, concurrency, memory, media_type, too_large, timeout or cut.",
		}, []string{"reason"})),
	}
}

// register registers c, or returns what another API on the same registry
// registered.
func register[C prometheus.Collector](registry prometheus.Registerer, c C) C {
	if registry == nil {
		return c
	}
	err := registry.Register(c)
	if already, ok := errors.AsType[prometheus.AlreadyRegisteredError](err); ok {
		return already.ExistingCollector.(C)
	}
	if err != nil {
		panic("httpapi: internal error: " + err.Error())
	}
	return c
}

// observe counts an exchange that has ended.
func (m *metrics) observe(x *exchange, elapsed time.Duration) {
	m.requests.WithLabelValues(x.route, strconv.Itoa(x.status)).Inc()
	m.seconds.WithLabelValues(x.route).Observe(elapsed.Seconds())
	m.in.WithLabelValues(x.route).Add(float64(x.in))
	m.out.WithLabelValues(x.route).Add(float64(x.out))
}
