package cli

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"candor/aggregator"
)

func TestJudgeStatus(t *testing.T) {
	now := time.Date(2026, 5, 30, 12, 0, 0, 0, time.UTC)
	past, future := now.Add(-time.Minute), now.Add(time.Minute)
	for _, test := range []struct {
		name   string
		code   string
		since  time.Duration
		closes *time.Time
		state  string
		want   int
	}{
		{"nothing waits", "", 0, nil, aggregator.CollectionPending, exitDone},
		{"window", aggregator.WaitingWindowOpen, time.Minute, &future, aggregator.CollectionPending, exitNotReady},
		{"Helper away", aggregator.WaitingHelperUnavailable, time.Minute, nil, aggregator.CollectionPending, exitNotReady},
		{"Helper away for long", aggregator.WaitingHelperUnavailable, 2 * time.Hour, nil, aggregator.CollectionPending, exitFailed},
		{"mismatch", aggregator.WaitingBatchMismatch, 0, nil, aggregator.CollectionPending, exitFailed},
		{"few reports", aggregator.WaitingBatchTooSmall, 0, nil, aggregator.CollectionPending, exitNotReady},
		{"few reports, window open", aggregator.WaitingBatchTooSmall, 0, &future, aggregator.CollectionPending, exitNotReady},
		{"few reports for ever", aggregator.WaitingBatchTooSmall, 0, &past, aggregator.CollectionPending, exitFailed},
		{"a code of a newer server", "moon_phase", 0, nil, aggregator.CollectionPending, exitFailed},
		{"a job that has ended", aggregator.WaitingBatchMismatch, 0, nil, aggregator.CollectionReady, exitDone},
	} {
		job := aggregator.CollectionJobStatus{State: test.state}
		if test.code != "" {
			job.Waiting = &aggregator.WaitingStatus{Code: test.code, Text: "why", Since: now.Add(-test.since)}
		}
		err := judgeStatus(aggregator.Status{Now: now, Tasks: []aggregator.TaskStatus{{Closes: test.closes, CollectionJobs: []aggregator.CollectionJobStatus{job}}}})
		got := exitFailed
		switch {
		case err == nil:
			got = exitDone
		case errors.Is(err, errNotReady):
			got = exitNotReady
		}
		if got != test.want {
			t.Errorf("%s: exit %d (%v), want %d", test.name, got, err, test.want)
		}
	}
}

// Text of the other aggregator does not reach the terminal as it is.
func TestPrintStatusIsPrintable(t *testing.T) {
	now := time.Date(2026, 5, 30, 12, 0, 0, 0, time.UTC)
	var out strings.Builder
	err := printStatus(&out, aggregator.Status{Role: "leader", Now: now, Tasks: []aggregator.TaskStatus{{Info: "a\tb\x1b[2J", AggregationJobs: []aggregator.AggregationStatus{
		{Reports: 3, Created: now.Add(-time.Hour), NextAttempt: now.Add(90 * time.Second), Waiting: &aggregator.WaitingStatus{Code: "helper_unavailable", Text: "it says \x1b]0;x\a", Since: now}}}}}})
	if err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(out.String(), "\x1b\a\t") {
		t.Errorf("%q", out.String())
	}
	for _, want := range []string{"aggregation of 3", "in 1m30s", "1h0m0s", "helper_unavailable"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
}

func TestStatusURL(t *testing.T) {
	for address, want := range map[string]string{"http://127.0.0.1:9090": "http://127.0.0.1:9090/status", "http://x/base/": "http://x/base/status"} {
		if got, err := statusURL("", address); got != want || err != nil {
			t.Errorf("%s: %s, %v", address, got, err)
		}
	}
	for _, address := range []string{"127.0.0.1:9090", "ftp://x", "http://"} {
		if _, err := statusURL("", address); err == nil {
			t.Errorf("%s passes", address)
		}
	}
}

// Whatever a server answers, a status is printed without anything that a terminal acts on, and judged.
func FuzzStatus(f *testing.F) {
	now := time.Date(2026, 5, 30, 12, 0, 0, 0, time.UTC)
	text, err := json.Marshal(aggregator.Status{Role: "leader", Now: now, Tasks: []aggregator.TaskStatus{{Info: "x", Closes: &now, Counters: map[string]uint64{"uploaded": 1},
		AggregationJobs: []aggregator.AggregationStatus{{Waiting: &aggregator.WaitingStatus{Code: aggregator.WaitingReports, Text: "a\x1b[2J", Since: now}}},
		CollectionJobs:  []aggregator.CollectionJobStatus{{State: aggregator.CollectionPending}}}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"tasks":[{}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var s aggregator.Status
		if json.Unmarshal(text, &s) != nil {
			return
		}
		var out strings.Builder
		if err := printStatus(&out, s); err != nil {
			t.Errorf("printing %q: %v", text, err)
		}
		for _, c := range out.String() {
			if c < ' ' && c != '\n' || c == 0x7f || c >= 0x80 && c < 0xa0 {
				t.Errorf("printing %q: there is %q in %q", text, c, out.String())
			}
		}
		_ = judgeStatus(s) // returns
	})
}
