package aggregator_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"candor/aggregator"
)

func TestStoreMetrics(t *testing.T) {
	reg := prometheus.NewRegistry()
	m := aggregator.NewStoreMetrics(reg)
	m.Observe("upload", 3*time.Millisecond, nil)
	m.Observe("upload", time.Minute, errors.New("failed"))
	m.Retried("upload", "40001")
	m.Retried("upload", "40001")
	m.Retried("claim_reports", "")
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range families {
		for _, metric := range f.GetMetric() {
			var line strings.Builder
			line.WriteString(f.GetName())
			for _, l := range metric.GetLabel() {
				line.WriteString(" " + l.GetValue())
			}
			got = append(got, fmt.Sprint(line.String(), " ", metric.GetCounter().GetValue(), " ", metric.GetHistogram().GetSampleCount()))
		}
	}
	slices.Sort(got)
	want := []string{
		"candor_store_retries_total 40001 upload 2 0",
		"candor_store_retries_total connection claim_reports 1 0",
		"candor_store_transaction_seconds upload 0 2",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	var none *aggregator.StoreMetrics
	none.Observe("upload", time.Second, nil)
	none.Retried("upload", "")
}
