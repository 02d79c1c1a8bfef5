package aggregator_test

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"candor/aggregator"
	"candor/schema/dap"
)

func TestBatchResource(t *testing.T) {
	task, after := dap.TaskID{1}, dap.ReportID{2}
	for _, selector := range []dap.BatchSelector{dap.NewTimeIntervalSelector(dap.Interval{Start: 5, Duration: 6}), dap.NewLeaderSelectedSelector(dap.BatchID{9})} {
		for _, from := range []*dap.ReportID{nil, &after} {
			text, err := aggregator.BatchResource(task, aggregator.ResourceBatchReports, selector, from)
			if err != nil {
				t.Fatal(err)
			}
			u, err := url.Parse(text)
			if err != nil || u.Path != "/candor/tasks/"+task.String()+"/batch_reports" {
				t.Fatalf("%s: %v", text, err)
			}
			got, gotAfter, err := aggregator.ParseBatchQuery(u.Query())
			if err != nil || got.BatchMode != selector.BatchMode || string(got.Config) != string(selector.Config) || (gotAfter == nil) != (from == nil) || from != nil && *gotAfter != *from {
				t.Errorf("%s parses as %v after %v: %v", text, got, gotAfter, err)
			}
		}
	}
	for _, query := range []string{"", "batch=", "batch=AQ", "batch=AQAQAAAAAAAAAAUAAAAAAAAABg&batch=AQAQAAAAAAAAAAUAAAAAAAAABg", "batch=AQAQAAAAAAAAAAUAAAAAAAAABg=",
		"batch=AQAQAAAAAAAAAAUAAAAAAAAABg&after=x", "batch=AQAQAAAAAAAAAAUAAAAAAAAABg&after=AgAAAAAAAAAAAAAAAAAAAA&after=AgAAAAAAAAAAAAAAAAAAAA"} {
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := aggregator.ParseBatchQuery(values); err == nil {
			t.Errorf("query %q was accepted", query)
		}
	}
}

// What a query parses to makes the same query again.
func FuzzParseBatchQuery(f *testing.F) {
	f.Add("batch=AQAQAAAAAAAAAAUAAAAAAAAABg")
	f.Add("batch=AQAQAAAAAAAAAAUAAAAAAAAABg&after=AgAAAAAAAAAAAAAAAAAAAA")
	f.Fuzz(func(t *testing.T, query string) {
		values, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		selector, after, err := aggregator.ParseBatchQuery(values)
		if err != nil {
			return
		}
		text, err := aggregator.BatchResource(dap.TaskID{}, "x", selector, after)
		if err != nil {
			t.Fatal(err)
		}
		_, again, _ := strings.Cut(text, "?")
		want := url.Values{"batch": values["batch"]}
		if after != nil {
			want["after"] = values["after"]
		}
		if again != want.Encode() {
			t.Errorf("%q became %q", query, again)
		}
	})
}

// The two responses are JSON for which there are many spellings; what parses survives encoding.
func FuzzParseBatchDigest(f *testing.F) {
	f.Add([]byte(`{"report_count":7,"checksum":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		d, err := aggregator.ParseBatchDigest(text)
		if err != nil {
			return
		}
		b, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := aggregator.ParseBatchDigest(b); err != nil || again != d {
			t.Errorf("%s became %s: %v", text, b, err)
		}
	})
}

func FuzzParseBatchReports(f *testing.F) {
	f.Add([]byte(`{"report_ids":["AgAAAAAAAAAAAAAAAAAAAA"],"more":true}`))
	f.Add([]byte(`{"report_ids":null,"more":false}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := aggregator.ParseBatchReports(text)
		if err != nil {
			return
		}
		b, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := aggregator.ParseBatchReports(b); err != nil || len(again.ReportIDs) != len(r.ReportIDs) || again.More != r.More {
			t.Errorf("%s became %s: %v", text, b, err)
		}
	})
}
