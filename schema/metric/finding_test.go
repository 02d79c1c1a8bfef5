package metric_test

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"candor/schema/metric"

	"github.com/google/go-cmp/cmp"
)

func TestExamplesBreakNoRule(t *testing.T) {
	n := uint64(100)
	if testing.Short() {
		n = 20
	}
	if os.Getenv("CANDOR_TEST_LONG") != "" {
		n = 2000
	}
	ids := instruments(standard)
	for seed := range n {
		for _, complete := range []bool{true, false} {
			f := standard.Example(seed, ids, complete)
			for _, finding := range standard.Check(f, nil, ids) {
				t.Errorf("seed %d, complete %v: %s", seed, complete, finding.Text)
			}
			if len(f) != 130 {
				t.Fatalf("seed %d: %d entries, want 130", seed, len(f))
			}
		}
	}
}

func TestCheck(t *testing.T) {
	base := standard.Example(1, instruments(standard), true)
	values := func(path string, v ...int64) func(metric.Figures) {
		return func(f metric.Figures) { f[path] = metric.Entry{State: metric.Measured, Values: v} }
	}
	tests := map[string]struct {
		change func(f metric.Figures)
		want   string // in one of the findings
		soft   bool
	}{
		"missing metric": {change: func(f metric.Figures) { delete(f, "deterrence.help-clicked") }, want: "deterrence.help-clicked is missing; give its state"},
		"bad state":      {change: func(f metric.Figures) { f["deterrence.help-clicked"] = metric.Entry{State: "x"} }, want: `has state "x"; it is one of measured, estimated, not-measured, not-applicable`},
		"values in no state": {change: func(f metric.Figures) {
			f["deterrence.help-clicked"] = metric.Entry{State: metric.NotMeasured, Values: []int64{0}}
		},
			want: "deterrence.help-clicked is not-measured and has values; remove them, or change the state"},
		"too few values":           {change: values("hash-match.matched", 1), want: "hash-match.matched has 1 values; it has 7 cells"},
		"negative":                 {change: values("deterrence.help-clicked", -1), want: "deterrence.help-clicked is -1; it is from 0 to 16777215"},
		"above the bound":          {change: values("transparency.corrections", 256), want: "transparency.corrections is 256; it is from 0 to 255"},
		"no choice":                {change: values("people.fte-band", 0, 0, 0, 0, 0, 0, 0), want: "people.fte-band has 0 answers; it has exactly one"},
		"two choices":              {change: values("people.fte-band", 1, 0, 0, 1, 0, 0, 0), want: "people.fte-band has 2 answers; it has exactly one"},
		"answer is 2":              {change: values("accuracy.threshold-change", 2), want: "accuracy.threshold-change is 2; it is from 0 to 1"},
		"rule between instruments": {change: values("solicitation.actioned", 4000000), want: "solicitation.actioned is 4000000 and must not be more than that: they are part of all account actions"},
		"soft rule":                {change: values("live-content.sessions", 17179869183), want: "live-content.sessions is 17179869183 and must not be more than that", soft: true},
		"public range": {change: values("authority-report.submitted", 7664513, 0, 0, 0, 0), soft: true,
			want: "total of authority-report.submitted is 7664513, more than the largest figure published so far, 7664512: reports of one corporate group"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			f := maps.Clone(base)
			test.change(f)
			findings := standard.Check(f, nil, instruments(standard))
			i := slices.IndexFunc(findings, func(x metric.Finding) bool { return strings.Contains(x.Text, test.want) })
			if i < 0 {
				t.Fatalf("no finding says %q; there are %v", test.want, findings)
			}
			if findings[i].Soft != test.soft {
				t.Errorf("finding is soft: %v, want %v", findings[i].Soft, test.soft)
			}
			if !slices.IsSortedFunc(findings, func(a, b metric.Finding) int { return btoi(a.Soft) - btoi(b.Soft) }) {
				t.Error("a question stands before an error")
			}
		})
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func TestCheckHistory(t *testing.T) {
	tests := []struct {
		was, is int64
		want    string
	}{
		{100, 399, ""}, {100, 400, "total of deterrence.help-clicked is 400 and was 100 in the last round: 4 times as much or more"},
		{400, 101, ""}, {400, 100, "total of deterrence.help-clicked is 100 and was 400 in the last round: a quarter of that or less"},
		{0, 9, ""}, {0, 10, "total of deterrence.help-clicked is 10 and was 0 in the last round: 4 times as much or more"},
		{9, 0, ""}, {10, 0, "total of deterrence.help-clicked is 0 and was 10 in the last round: a quarter of that or less"}, {0, 0, ""},
	}
	for _, test := range tests {
		figures := func(n int64) metric.Figures {
			return metric.Figures{
				"deterrence.warnings-shown":   {State: metric.NotMeasured},
				"deterrence.sessions-stopped": {State: metric.NotMeasured},
				"deterrence.help-clicked":     {State: metric.Measured, Values: []int64{n}},
			}
		}
		var want, got []string
		if test.want != "" {
			want = []string{test.want}
		}
		for _, f := range standard.Check(figures(test.is), figures(test.was), []string{"deterrence"}) {
			got = append(got, f.Text)
			if !f.Soft {
				t.Errorf("%d after %d is an error: %s", test.is, test.was, f.Text)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%d after %d (-want +got):\n%s", test.is, test.was, diff)
		}
	}
	unknown := metric.Figures{"deterrence.help-clicked": {State: metric.NotMeasured}}
	now := metric.Figures{"deterrence.help-clicked": {State: metric.Measured, Values: []int64{1 << 20}}, "deterrence.warnings-shown": {State: metric.NotMeasured}, "deterrence.sessions-stopped": {State: metric.NotMeasured}}
	if got := standard.Check(now, unknown, []string{"deterrence"}); len(got) > 0 {
		t.Errorf("a metric that was not measured last time is compared: %v", got)
	}
}

func TestCheckBandOfRatio(t *testing.T) {
	list := standard.CodeList("rate-band")
	for _, test := range []struct {
		reversed, restored, actioned int64
		want                         string
	}{
		{0, 0, 1000, "zero"}, {1, 0, 1001, "lt-0.1pct"}, {0, 1, 1000, "0.1-1pct"}, {4, 5, 1000, "0.1-1pct"}, {5, 5, 1000, "1-5pct"},
		{1, 0, 20, "5-10pct"}, {1, 0, 10, "10-25pct"}, {1, 0, 4, "25-50pct"}, {1, 1, 4, "ge-50pct"}, {2, 2, 4, "ge-50pct"}, {0, 0, 0, "not-computable"},
	} {
		for i := range list.Codes {
			f := metric.Figures{}
			for j := range standard.Instrument("enforcement").Metrics {
				f[standard.Instrument("enforcement").Metrics[j].Path()] = metric.Entry{State: metric.NotMeasured}
			}
			band := make([]int64, len(list.Codes))
			band[i] = 1
			set := func(path string, v ...int64) { f[path] = metric.Entry{State: metric.Measured, Values: v} }
			set("enforcement.reversal-band", band...)
			set("enforcement.reversed", test.reversed)
			set("enforcement.restored-own", test.restored)
			set("enforcement.accounts-actioned", test.actioned, 0, 0, 0)
			findings := standard.Check(f, nil, []string{"enforcement"})
			if right := list.Codes[i].Code == test.want; right != (len(findings) == 0) {
				t.Errorf("(%d + %d) / %d as %s: findings %v; right answer is %s", test.reversed, test.restored, test.actioned, list.Codes[i].Code, findings, test.want)
			} else if !right && !strings.Contains(findings[0].Text, fmt.Sprintf("enforcement.reversal-band is %s; “Share of actions corrected”", list.Codes[i].Code)) {
				t.Errorf("finding says %q", findings[0].Text)
			}
		}
	}
}
