package aggregatortest_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"candor/aggregator"
	"candor/aggregator/aggregatortest"
	"candor/aggregator/helper"
	"candor/aggregator/leader"
	"candor/schema/dap"
)

// value returns the sum over the series of a metric whose labels have all the given values, and whether there is any.
func value(t *testing.T, registry *prometheus.Registry, name string, labels ...string) (sum float64, there bool) {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
	series:
		for _, m := range f.GetMetric() {
			for _, want := range labels {
				found := false
				for _, l := range m.GetLabel() {
					found = found || l.GetValue() == want
				}
				if !found {
					continue series
				}
			}
			there = true
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return sum, there
}

// What waits, what was refused and what was done shows in the metrics of the role, by task and reason; no label comes from a peer.
func TestMetrics(t *testing.T) {
	ofLeader, ofHelper := prometheus.NewRegistry(), prometheus.NewRegistry()
	d := aggregatortest.New(t, aggregatortest.Options{Leader: leader.Config{Metrics: ofLeader}, Helper: helper.Config{Metrics: ofHelper}}, aggregatortest.TaskSpec{})
	task := d.Tasks[0]
	good := d.Keys.NewReport(t, task, aggregatortest.ReportSpec{Measurement: one, Time: start})
	late := d.Keys.NewReport(t, task, aggregatortest.ReportSpec{Measurement: one, Time: start + 5})
	sealed := d.Keys.NewReport(t, task, aggregatortest.ReportSpec{Measurement: one, Time: start})
	sealed.Helper.Payload[0] ^= 1
	d.UploadReports(task, good, late, sealed)
	d.Net.Serve("helper.test", nil)
	d.PostCollection(task, interval(start, 1))
	d.Settle(10)

	// Run measures what waits as it begins.
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- d.Leader.Run(ctx) }()
	id := task.ID.String()
	deadline := time.Now().Add(20 * time.Second)
	for {
		if n, _ := value(t, ofLeader, "candor_waiting_jobs", id, aggregator.KindAggregation, aggregator.WaitingHelperUnavailable); n == 1 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("no job waits for the Helper, as the metrics say")
		}
		time.Sleep(5 * time.Millisecond)
	}
	if n, _ := value(t, ofLeader, "candor_queue_reports", id); n != 2 {
		t.Errorf("candor_queue_reports is %v, want 2", n)
	}
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	d.Net.Serve("helper.test", d.Helper.Handler())
	got, err := d.Collect(task, dap.NewTimeIntervalQuery(dap.Interval{Start: start, Duration: 1}))
	wantResult(t, got, err, 1, 1)
	for _, c := range []struct {
		registry *prometheus.Registry
		name     string
		labels   []string
		want     float64
	}{
		{ofLeader, "candor_uploaded_reports_total", []string{id, "accepted"}, 2},
		{ofLeader, "candor_uploaded_reports_total", []string{id, "report_too_early"}, 1},
		{ofLeader, "candor_aggregated_reports_total", []string{id, "aggregated"}, 1},
		{ofLeader, "candor_aggregated_reports_total", []string{id, "hpke_decrypt_error"}, 1},
		{ofHelper, "candor_aggregated_reports_total", []string{id, "aggregated"}, 1},
		{ofHelper, "candor_aggregated_reports_total", []string{id, "hpke_decrypt_error"}, 1},
		{ofLeader, "candor_job_steps_total", []string{id, aggregator.KindCollection, aggregator.StepFinished}, 1},
	} {
		if n, there := value(t, c.registry, c.name, c.labels...); !there || n != c.want {
			t.Errorf("%s%v is %v (there: %v), want %v", c.name, c.labels, n, there, c.want)
		}
	}
	for _, registry := range []*prometheus.Registry{ofLeader, ofHelper} {
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			if !strings.HasPrefix(f.GetName(), "candor_") {
				t.Errorf("metric %s is not named candor_…", f.GetName())
			}
		}
	}
	if got := aggregator.ErrorLabel(dap.ReportError(200)); got != "unknown_error" {
		t.Errorf("an error code of a peer's own makes the label %q", got)
	}
}
