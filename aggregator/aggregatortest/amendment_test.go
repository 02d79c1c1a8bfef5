package aggregatortest_test

import (
	"net/http"
	"testing"
	"time"

	"candor/aggregator/aggregatortest"
	"candor/schema/dap"
	"candor/schema/round/roundtest"
)

func TestExtendedWindow(t *testing.T) {
	c := aggregatortest.NewCoalition(t, members, 1, nil)
	c.SendAll(0, members-1)
	until := c.Document.Window.Closes.Add(time.Hour)
	for _, add := range []func() error{
		func() error {
			task := c.Keys.LeaderTask(c.Task)
			task.Until = until
			return c.Deployment.Leader.AddTask(t.Context(), task)
		},
		func() error {
			task := c.Keys.HelperTask(c.Task)
			task.Until = until
			return c.Deployment.Helper.AddTask(t.Context(), task)
		},
	} {
		if err := add(); err != nil {
			t.Fatal(err)
		}
	}
	c.CloseWindow() // as the document says
	c.Settle(5)
	c.Until = until
	c.SendAll(members-1, members)
	if s := c.Status(c.Task); s.Counters["aggregated"] != 0 {
		t.Errorf("reports were aggregated before the extended window closed: %v", s.Counters)
	}
	c.Advance(time.Hour)
	if code := c.UploadReports(c.Task, late(c)); len(code) != 1 || code[0].Error != dap.ErrorReportDropped {
		t.Errorf("after the extended window: %v", code)
	}
	honest(t, c, members)
}

// late makes a report that bears a time within the window although that has closed.
func late(c *aggregatortest.Coalition) dap.Report {
	end, _ := c.Task.Interval.End()
	return c.Keys.NewReport(c.T, c.Task, aggregatortest.ReportSpec{Measurement: []uint64{64}, Time: end - 1})
}

func TestCancelledRoundIsErased(t *testing.T) {
	c := aggregatortest.NewCoalition(t, members, 1, nil)
	c.SendAll(0, members)
	for _, add := range []func() error{
		func() error {
			task := c.Keys.LeaderTask(c.Task)
			task.Cancelled = true
			return c.Deployment.Leader.AddTask(t.Context(), task)
		},
		func() error {
			task := c.Keys.HelperTask(c.Task)
			task.Cancelled = true
			return c.Deployment.Helper.AddTask(t.Context(), task)
		},
	} {
		for range 2 { // as at every restart
			if err := add(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if code := c.Send(aggregatortest.Submission{Member: 0, Correction: 1}); code != dap.ErrorReportDropped {
		t.Errorf("a report after the cancellation: %v", code)
	}
	if status, _ := askAs(t, c, "leader", "m1", c.Members[0], "receipts/m1"); status != http.StatusNotFound {
		t.Errorf("a receipt of the cancelled round: status %d", status)
	}
	report := c.Report(aggregatortest.Submission{Member: 1})
	c.CloseWindow()
	wantRejected(t, offer(t, c, report), dap.ErrorReportDropped)
	if _, _, err := c.Figures(); err == nil {
		t.Error("a cancelled round was collected")
	}
}

func TestReplacedKey(t *testing.T) {
	c := aggregatortest.NewCoalition(t, members, 1, nil)
	c.SendAll(1, members)
	// The thief submits with the highest number there is, so that no correction could follow.
	if code := c.Send(aggregatortest.Submission{Member: 0, Correction: 1<<64 - 1, Values: []uint64{999999}}); code != 0 {
		t.Fatal(code)
	}
	key := roundtest.NewKey(t)
	rules := c.Keys.Rules[c.Task.ID]
	for _, r := range rules {
		r.ReplaceKey("m1", key.PublicKey())
	}
	restart := func() { c.RestartLeader(); c.RestartHelper() }
	restart()
	if status, _ := askAs(t, c, "leader", "m1", key, "receipts/m1"); status != http.StatusNotFound {
		t.Errorf("the thief's report is still there: status %d", status)
	}
	if code := c.Send(aggregatortest.Submission{Member: 0, Correction: 5}); code != dap.ErrorInvalidMessage {
		t.Errorf("a report under the old key: %v", code)
	}
	if code := c.Send(aggregatortest.Submission{Member: 0, Key: key, Values: []uint64{100}}); code != 0 {
		t.Fatalf("the member under its new key: %v", code)
	}
	restart() // the new report stays
	old := c.Report(aggregatortest.Submission{Member: 0, Correction: 9})
	c.CloseWindow()
	wantRejected(t, offer(t, c, old), dap.ErrorInvalidMessage)
	honest(t, c, members)
}
