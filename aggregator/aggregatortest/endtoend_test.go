package aggregatortest_test

import (
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"candor/aggregator/aggregatortest"
	"candor/schema/dap"
)

// For each variant in both batch modes, what the Collector gets is what one gets by adding the measurements up in the open.
func TestConformance_276_EndToEnd(t *testing.T) {
	for _, v := range aggregatortest.Variants() {
		for _, mode := range []dap.BatchMode{dap.TimeInterval, dap.LeaderSelected} {
			t.Run("item-276 "+v.Name+" "+mode.String(), func(t *testing.T) {
				t.Parallel()
				const n = 13
				d := aggregatortest.New(t, aggregatortest.Options{}, aggregatortest.TaskSpec{VDAF: v.VDAF, Mode: mode, MinBatch: n})
				task := d.Tasks[0]
				r := rand.New(rand.NewPCG(1, 2))
				var measurements [][]uint64
				for range n {
					measurements = append(measurements, v.Random(r))
				}
				d.Upload(task, measurements...)
				result, err := d.Collect(task, d.All(task))
				if err != nil {
					t.Fatal(err)
				}
				if result.ReportCount != n {
					t.Errorf("report count %d, want %d", result.ReportCount, n)
				}
				want := aggregatortest.Plain(v, measurements)
				for i, x := range result.Aggregate {
					if x.Cmp(want[i]) != 0 {
						t.Errorf("aggregate %v, want %v", result.Aggregate, want)
						break
					}
				}
				if want := (dap.Interval{Start: task.TimeOf(aggregatortest.Start), Duration: 1}); cmp.Diff(want, result.Interval) != "" {
					t.Errorf("interval %v, want %v", result.Interval, want)
				}
			})
		}
	}
}
