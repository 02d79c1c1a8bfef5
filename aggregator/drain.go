package aggregator

import (
	"context"
	"time"
)

// drainGrace is how long steps of jobs that have begun may go on when a role stops.
const drainGrace = 10 * time.Second

// Draining returns a context for work that shall come to its end when ctx ends: it ends some seconds later. A job that is broken off keeps its lease, and
// no other process takes it up before that ends. The caller calls stop when the work is done.
func Draining(ctx context.Context) (work context.Context, stop func()) {
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	unhook := context.AfterFunc(ctx, func() {
		timer := time.AfterFunc(drainGrace, cancel)
		context.AfterFunc(work, func() { timer.Stop() })
	})
	return work, func() { unhook(); cancel() }
}
