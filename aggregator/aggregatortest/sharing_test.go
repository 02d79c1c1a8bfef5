package aggregatortest_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"candor/aggregator"
	"candor/aggregator/aggregatortest"
	"candor/aggregator/helper"
	"candor/aggregator/leader"
)

// A Leader and a Helper on one store would add their shares to the same rows.
func TestRolesShareNoStore(t *testing.T) {
	d := aggregatortest.New(t, aggregatortest.Options{}, aggregatortest.TaskSpec{})
	task := d.Tasks[0]
	h := ok(helper.New(helper.Config{Store: d.LeaderStore, Keys: d.Keys.Helper}))
	l := ok(leader.New(leader.Config{Store: d.HelperStore, Keys: d.Keys.Leader, AllowPlainHTTP: true}))
	for role, err := range map[string]error{
		"the Helper on the Leader's store": h.AddTask(t.Context(), d.Keys.HelperTask(task)),
		"the Leader on the Helper's store": l.AddTask(t.Context(), d.Keys.LeaderTask(task)),
	} {
		if err == nil || !strings.Contains(err.Error(), "by the other role (give each its own store)") {
			t.Errorf("%s: %v", role, err)
		}
	}
}

// Of two processes on one store the second has not taken up a task yet. Jobs that it leases are put back for the first, and wait for no operator.
func TestTaskOfAnotherProcess(t *testing.T) {
	for _, deferred := range []bool{false, true} {
		options := aggregatortest.Options{Helper: helper.Config{Deferred: deferred}}
		d := aggregatortest.New(t, options, aggregatortest.TaskSpec{MinBatch: 1})
		task := d.Tasks[0]
		ignorant := struct {
			l *leader.Leader
			h *helper.Helper
		}{
			ok(leader.New(leader.Config{Store: d.LeaderStore, Keys: d.Keys.Leader, Now: d.Clock.Now})),
			ok(helper.New(helper.Config{Store: d.HelperStore, Keys: d.Keys.Helper, Now: d.HelperClock.Now, Deferred: deferred})),
		}
		d.Upload(task, one)
		lost := true
		d.Net.Decide(func(*http.Request) aggregatortest.Fate {
			if lost {
				return aggregatortest.RequestLost
			}
			return aggregatortest.Delivered
		})
		tick := func(tick func() (bool, error)) {
			for {
				worked, err := tick()
				if err != nil {
					t.Fatal(err)
				}
				if !worked {
					return
				}
			}
		}
		for range 2 { // makes a job when the report has waited, and does not reach the Helper
			tick(func() (bool, error) { return d.Leader.Tick(t.Context()) })
			d.Advance(2 * time.Second)
		}
		tick(func() (bool, error) { return ignorant.l.Tick(t.Context()) })
		status := ok(d.Leader.Status(t.Context())).Tasks[0]
		wantWaiting(t, status, aggregator.WaitingTaskUnknown)
		lost = false
		d.Advance(2 * time.Second)
		tick(func() (bool, error) { return d.Leader.Tick(t.Context()) })
		if deferred {
			tick(func() (bool, error) { return ignorant.h.Tick(t.Context()) })
			d.Settle(5)
		}
		status = ok(d.Leader.Status(t.Context())).Tasks[0]
		if n := status.Counters[aggregator.CounterAggregated]; n != 1 {
			t.Errorf("deferred=%v: %d reports aggregated seconds after the task was unknown to one process; %+v", deferred, n, status)
		}
	}
}
