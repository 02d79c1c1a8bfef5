package aggregator

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
)

// A CPU bounds how many goroutines of a process compute at once, however many requests and jobs there are. It is safe for concurrent use.
type CPU struct {
	slots chan struct{}
}

// NewCPU returns a bound of n goroutines; zero means as many as there are processors to run on.
func NewCPU(n int) *CPU {
	if n <= 0 {
		n = runtime.GOMAXPROCS(0)
	}
	return &CPU{make(chan struct{}, n)}
}

// Each splits the numbers from 0 to n into runs of at most grain and calls fn(lo, hi) for each, several at once. It returns when all calls
// have, or the error of ctx, with some runs left out, if that ended before.
func (c *CPU) Each(ctx context.Context, n, grain int, fn func(lo, hi int)) error {
	runs := (n + grain - 1) / grain
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(runs, cap(c.slots)) {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= runs {
					return
				}
				select {
				case c.slots <- struct{}{}:
				case <-ctx.Done():
					return
				}
				fn(i*grain, min(n, (i+1)*grain))
				<-c.slots
			}
		})
	}
	wg.Wait()
	return ctx.Err()
}
