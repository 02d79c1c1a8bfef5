package aggregator

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"candor/schema/dap"
)

// Metrics are the metrics of a role's protocol work; those of HTTP are httpapi's.
type Metrics struct {
	uploads   *prometheus.CounterVec
	reports   *prometheus.CounterVec
	steps     *prometheus.CounterVec
	queue     *prometheus.GaugeVec
	waiting   *prometheus.GaugeVec
	oldestJob *prometheus.GaugeVec
}

// NewMetrics makes the metrics and registers them, unless reg is nil.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		uploads: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "candor_uploaded_reports_total",
			Help: "Reports in uploads by outcome: accepted, or the report error they were refused with."}, []string{"task_id", "outcome"}),
		reports: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "candor_aggregated_reports_total",
			Help: "Reports in aggregation jobs by outcome: aggregated, or the report error they were rejected with."}, []string{"task_id", "outcome"}),
		steps: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "candor_job_steps_total",
			Help: "Steps of jobs by kind and outcome: finished, waiting, abandoned or failed."}, []string{"task_id", "kind", "outcome"}),
		queue: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "candor_queue_reports",
			Help: "Reports that were stored and neither aggregated nor rejected yet."}, []string{"task_id"}),
		waiting: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "candor_waiting_jobs",
			Help: "Jobs that do not move, by kind and reason."}, []string{"task_id", "kind", "reason"}),
		oldestJob: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "candor_oldest_job_seconds",
			Help: "Age of the oldest job that has not ended, by kind; 0 if there is none."}, []string{"task_id", "kind"}),
	}
	if reg != nil {
		reg.MustRegister(m.uploads, m.reports, m.steps, m.queue, m.waiting, m.oldestJob)
	}
	return m
}

// The kinds of jobs, as metric labels.
const (
	KindAggregation = "aggregation"
	KindCollection  = "collection"
)

// The outcomes of a step, as metric labels.
const (
	StepFinished  = "finished"
	StepWaiting   = "waiting"
	StepAbandoned = "abandoned"
	StepFailed    = "failed"
)

const outcomeAccepted, outcomeAggregated = "accepted", "aggregated"

// Uploaded counts the outcomes of an upload: accepted reports, and refusals.
func (m *Metrics) Uploaded(task dap.TaskID, accepted int, refused dap.UploadErrors) {
	m.uploads.WithLabelValues(task.String(), outcomeAccepted).Add(float64(accepted))
	for _, r := range refused {
		m.uploads.WithLabelValues(task.String(), ErrorLabel(r.Error)).Inc()
	}
}

// Aggregated counts the outcomes of an aggregation job.
func (m *Metrics) Aggregated(task dap.TaskID, aggregated int, rejected map[dap.ReportError]int) {
	m.reports.WithLabelValues(task.String(), outcomeAggregated).Add(float64(aggregated))
	for code, n := range rejected {
		m.reports.WithLabelValues(task.String(), ErrorLabel(code)).Add(float64(n))
	}
}

// Stepped counts a step of a job.
func (m *Metrics) Stepped(task dap.TaskID, kind, outcome string) {
	m.steps.WithLabelValues(task.String(), kind, outcome).Inc()
}

// Observe sets the gauges of a task from its status.
func (m *Metrics) Observe(s TaskStatus, now time.Time) {
	id := s.ID.String()
	m.queue.WithLabelValues(id).Set(float64(s.Queue))
	waiting := map[string]map[string]int{KindAggregation: {}, KindCollection: {}}
	oldest := map[string]time.Duration{KindAggregation: 0, KindCollection: 0}
	for _, j := range s.AggregationJobs {
		if j.Waiting != nil {
			waiting[KindAggregation][j.Waiting.Code]++
		}
		oldest[KindAggregation] = max(oldest[KindAggregation], now.Sub(j.Created))
	}
	for _, j := range s.CollectionJobs {
		if j.State != CollectionPending {
			continue
		}
		if j.Waiting != nil {
			waiting[KindCollection][j.Waiting.Code]++
		}
		oldest[KindCollection] = max(oldest[KindCollection], now.Sub(j.Created))
	}
	for kind, age := range oldest {
		m.oldestJob.WithLabelValues(id, kind).Set(age.Seconds())
		for _, code := range WaitingCodes {
			m.waiting.WithLabelValues(id, kind, code).Set(float64(waiting[kind][code]))
		}
	}
}

// The states of collection jobs in a status.
const (
	CollectionPending = "pending"
	CollectionReady   = "ready"
	CollectionFailed  = "failed"
)

// ErrorLabel returns the label of a report error. Codes without a name share one, so that a peer cannot make labels up.
func ErrorLabel(e dap.ReportError) string {
	if e >= dap.ErrorBatchCollected && e <= dap.ErrorOutdatedConfig {
		return e.String()
	}
	return "unknown_error"
}
