package aggregator

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// StoreMetrics are the metrics of a store's transactions. Labels are the names that roles give their transactions, which are constants, and the few states of the
// database after which one is tried again. A nil StoreMetrics counts nothing.
type StoreMetrics struct {
	seconds *prometheus.HistogramVec
	retries *prometheus.CounterVec
}

// NewStoreMetrics makes the metrics and registers them.
func NewStoreMetrics(reg prometheus.Registerer) *StoreMetrics {
	m := &StoreMetrics{
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "candor_store_transaction_seconds",
			Help:    "How long transactions of the store took, with all their attempts, by name.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 4, 9), // to half a minute
		}, []string{"transaction"}),
		retries: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "candor_store_retries_total",
			Help: "Attempts of transactions that the database undid and that were made again, by name and SQLSTATE; connection: it was gone."}, []string{"transaction", "sqlstate"}),
	}
	reg.MustRegister(m.seconds, m.retries)
	return m
}

// Observe takes the end of a transaction, however it ended.
func (m *StoreMetrics) Observe(name string, elapsed time.Duration, _ error) {
	if m != nil {
		m.seconds.WithLabelValues(name).Observe(elapsed.Seconds())
	}
}

// Retried counts an attempt that is made again after an SQLSTATE, "" if there was no connection.
func (m *StoreMetrics) Retried(name, sqlState string) {
	if m == nil {
		return
	}
	if sqlState == "" {
		sqlState = "connection"
	}
	m.retries.WithLabelValues(name, sqlState).Inc()
}
