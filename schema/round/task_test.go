package round_test

import (
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"candor/schema/dap"
	"candor/schema/round"
)

func sumVec() dap.TaskConfiguration {
	return dap.TaskConfiguration{
		TaskInfo: []byte("task-info"), LeaderEndpoint: "http://leader:8080/", HelperEndpoint: "http://helper:8080/",
		TimePrecision: 3600, MinBatchSize: 10, BatchMode: dap.LeaderSelected,
		VDAF:       dap.VDAFConfig{Type: dap.VDAFSumVec, Length: 4, MaxMeasurement: 4096, ChunkLength: 18},
		Extensions: []dap.Extension{dap.NewTaskIntervalExtension(dap.Interval{Start: 480000, Duration: 24})},
	}
}

func TestConformance_Task(t *testing.T) {
	newTask := func(c dap.TaskConfiguration) (*round.Task, error) {
		encoded, err := dap.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		return round.NewTask(dap.TaskID{1}, encoded)
	}
	t.Run("item-038 item-043 item-045 known bytes", func(t *testing.T) {
		// From batch_mode on; the fields before are those of the known answer for a time-interval task.
		const tail = "0200000000000300100000000400000000000010000000001200140001001000000000000753000000000000000018"
		task, err := newTask(sumVec())
		if err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString(task.Encoded); len(got) != 2*115 || !strings.HasSuffix(got, tail) {
			t.Errorf("encoded as %s", got)
		}
		if *task.Interval != (dap.Interval{Start: 480000, Duration: 24}) {
			t.Errorf("task interval is %v", task.Interval)
		}
	})
	for _, c := range []struct {
		name, wrong string
		change      func(*dap.TaskConfiguration)
	}{
		{"item-041 unknown extension", "unknown", func(c *dap.TaskConfiguration) {
			c.Extensions = append(c.Extensions, dap.Extension{Type: 0x1234, Data: []byte{}})
		}},
		{"item-042 repeated extension", "strictly increasing", func(c *dap.TaskConfiguration) { c.Extensions = append(c.Extensions, c.Extensions[0]) }},
		{"item-042 descending extensions", "strictly increasing", func(c *dap.TaskConfiguration) {
			c.BatchMode = dap.TimeInterval
			c.Extensions = []dap.Extension{dap.NewRoundHashExtension([32]byte{1}), c.Extensions[0]}
		}},
		{"item-043 interval of 15 bytes", "task_interval", func(c *dap.TaskConfiguration) { c.Extensions[0].Data = c.Extensions[0].Data[1:] }},
		{"item-043 interval overflows", "task_interval", func(c *dap.TaskConfiguration) {
			c.Extensions[0] = dap.NewTaskIntervalExtension(dap.Interval{Start: 1 << 63, Duration: 1 << 63})
		}},
		{"item-046 max_measurement at the modulus", "Prio3Sum", func(c *dap.TaskConfiguration) {
			c.VDAF = dap.VDAFConfig{Type: dap.VDAFSum, MaxMeasurement: 0xffffffff00000001}
		}},
		{"item-047 max_weight above length", "Prio3MultihotCountVec", func(c *dap.TaskConfiguration) {
			c.VDAF = dap.VDAFConfig{Type: dap.VDAFMultihotCountVec, Length: 4, ChunkLength: 2, MaxWeight: 5}
		}},
		{"zero precision", "precision", func(c *dap.TaskConfiguration) { c.TimePrecision = 0 }},
		{"zero minimum", "minimum batch size", func(c *dap.TaskConfiguration) { c.MinBatchSize = 0 }},
		{"batch configuration", "configuration", func(c *dap.TaskConfiguration) { c.BatchConfig = []byte{1} }},
		{"round without interval", "task_interval", func(c *dap.TaskConfiguration) {
			c.Extensions = []dap.Extension{dap.NewRoundHashExtension([32]byte{1})}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := sumVec()
			c.change(&cfg)
			if _, err := newTask(cfg); err == nil || !strings.Contains(err.Error(), c.wrong) {
				t.Errorf("error is %v, want one about %q", err, c.wrong)
			}
		})
	}
	t.Run("item-034 item-061 times are rounded down to units", func(t *testing.T) {
		task, err := newTask(sumVec())
		if err != nil {
			t.Fatal(err)
		}
		at := time.Unix(480000*3600+3599, 999_999_999)
		if got := task.TimeOf(at); got != 480000 {
			t.Errorf("TimeOf is %d, want 480000", got)
		}
		if got := task.Instant(480000); got.Unix() != 480000*3600 {
			t.Errorf("Instant is %v", got)
		}
		if got := task.Instant(1 << 63); got.Year() != 9999 {
			t.Errorf("the far future is %v, want the end of the year 9999", got)
		}
	})
}

// TestChunkLength compares with a search over all chunk lengths.
func TestChunkLength(t *testing.T) {
	cost := func(n, chunk int) int {
		p := 1
		for calls := (n + chunk - 1) / chunk; p < 1+calls; {
			p *= 2
		}
		return 2*chunk + 2*(p-1) + 1
	}
	for n := 1; n <= 600; n++ {
		best := cost(n, 1)
		for chunk := 1; chunk <= n; chunk++ {
			best = min(best, cost(n, chunk))
		}
		if got := cost(n, int(round.ChunkLength(n))); got != best {
			t.Fatalf("n = %d: chunk %d costs %d, the best %d", n, round.ChunkLength(n), got, best)
		}
	}
}
