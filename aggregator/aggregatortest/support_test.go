package aggregatortest_test

import (
	"math/big"
	"slices"
	"testing"

	"candor/aggregator"
	"candor/aggregator/aggregatortest"
	"candor/client/collector"
	"candor/schema/dap"
)

// ok returns v, and panics if there is an error: for what cannot fail in a test.
func ok[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

var (
	one  = []uint64{1}
	zero = []uint64{0}
)

// start is the time of reports made when a deployment starts, at a precision of an hour.
var start = dap.Time(aggregatortest.Start.Unix() / 3600)

// wantProblem checks that a reply is a problem document of a DAP type.
func wantProblem(t *testing.T, r aggregatortest.Reply, want dap.ProblemType) {
	t.Helper()
	if r.Status < 400 || r.Status > 499 || r.Problem == nil || r.Problem.Type != want {
		t.Fatalf("status %d, problem %+v, want a client error of type %s", r.Status, r.Problem, want)
	}
}

// wantRefused checks an upload's outcome.
func wantRefused(t *testing.T, got dap.UploadErrors, want ...dap.ReportUploadStatus) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("refused %v, want %v", got, want)
	}
}

// wantResult checks the one value of a result, and its count.
func wantResult(t *testing.T, got collector.Result, err error, count uint64, sum int64) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if got.ReportCount != count || got.Aggregate[0].Cmp(big.NewInt(sum)) != 0 {
		t.Fatalf("%d reports with sum %v, want %d with %d", got.ReportCount, got.Aggregate, count, sum)
	}
}

// wantWaiting checks that something of the task waits for the reason.
func wantWaiting(t *testing.T, s aggregator.TaskStatus, code string) string {
	t.Helper()
	var seen []string
	for _, j := range s.AggregationJobs {
		if j.Waiting != nil {
			if seen = append(seen, j.Waiting.Code); j.Waiting.Code == code {
				return j.Waiting.Text
			}
		}
	}
	for _, j := range s.CollectionJobs {
		if j.Waiting != nil {
			if seen = append(seen, j.Waiting.Code); j.Waiting.Code == code {
				return j.Waiting.Text
			}
		}
	}
	t.Fatalf("waiting for %v, not for %s", seen, code)
	return ""
}
