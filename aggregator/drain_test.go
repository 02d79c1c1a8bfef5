package aggregator_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"candor/aggregator"
)

// Work that has begun goes on for a while after its role was told to stop, and no longer.
func TestDraining(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, end := context.WithCancel(t.Context())
		work, stop := aggregator.Draining(ctx)
		defer stop()
		time.Sleep(time.Hour)
		if work.Err() != nil {
			t.Error("work ended before its role")
		}
		end()
		time.Sleep(9 * time.Second)
		if work.Err() != nil {
			t.Error("work was broken off at once")
		}
		time.Sleep(2 * time.Second)
		if work.Err() == nil {
			t.Error("work goes on for ever")
		}

		ctx, end = context.WithCancel(t.Context())
		work, stop = aggregator.Draining(ctx)
		end()
		synctest.Wait()
		stop() // before the time: nothing may be left, which synctest checks
		if work.Err() == nil {
			t.Error("stopped, and work goes on")
		}
	})
}
