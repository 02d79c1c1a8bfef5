package round

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"candor/crypto/prio3"
	"candor/schema/dap"
)

// A Task is one DAP task as every role needs it (DAP, Task Configuration). It is immutable and safe for concurrent use.
type Task struct {
	ID      dap.TaskID
	Config  dap.TaskConfiguration
	Encoded []byte // Config, verbatim as provisioned: these bytes are bound in every AAD
	VDAF    *prio3.VDAF
	Context []byte // the VDAF's application context

	Interval  *dap.Interval // of the task_interval extension; nil: reports of any time
	RoundHash *[32]byte     // of our round_hash extension; nil: a plain DAP task
}

// NewTask parses and checks an encoded TaskConfiguration. It refuses what no role may run: extensions that are unknown, repeated, out of order or malformed,
// a time precision or a minimum batch size of zero, batch configuration where there is none, and parameters the VDAF does not
// have. All that is wrong is in the error. The task owns a copy of encoded.
func NewTask(id dap.TaskID, encoded []byte) (*Task, error) {
	encoded = slices.Clone(encoded)
	cfg, err := dap.Parse[dap.TaskConfiguration](encoded)
	if err != nil {
		return nil, fmt.Errorf("parsing the configuration of task %s: %w", id, err)
	}
	t := &Task{ID: id, Config: cfg, Encoded: encoded, Context: dap.VDAFContext(id)}
	var problems []error
	problem := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }

	if cfg.TimePrecision == 0 {
		problem("the time precision is zero")
	}
	if cfg.MinBatchSize == 0 {
		problem("the minimum batch size is zero")
	}
	if cfg.BatchMode != dap.TimeInterval && cfg.BatchMode != dap.LeaderSelected {
		problem("batch mode %d is unknown", cfg.BatchMode)
	}
	if len(cfg.BatchConfig) > 0 {
		problem("batch mode %d takes no configuration, this one has %d bytes", cfg.BatchMode, len(cfg.BatchConfig))
	}
	if t.VDAF, err = newVDAF(cfg.VDAF); err != nil {
		problem("%v", err)
	}
	for i, ext := range cfg.Extensions {
		if i > 0 && cfg.Extensions[i-1].Type >= ext.Type {
			problem("task extension %#04x does not come after %#04x: the order is strictly increasing", ext.Type, cfg.Extensions[i-1].Type)
		}
		switch ext.Type {
		case dap.TaskExtensionTaskInterval:
			interval, err := dap.Parse[dap.Interval](ext.Data)
			if _, ok := interval.End(); err != nil || !ok {
				problem("the task_interval extension is not an interval")
				continue
			}
			t.Interval = &interval
		case dap.TaskExtensionRoundHash:
			if len(ext.Data) != 32 {
				problem("the round_hash extension has %d bytes, not 32", len(ext.Data))
				continue
			}
			t.RoundHash = (*[32]byte)(ext.Data)
		default:
			problem("task extension %#04x is unknown", ext.Type)
		}
	}
	if t.RoundHash != nil && (t.Interval == nil || cfg.BatchMode != dap.TimeInterval) {
		problem("a round's task is collected by time interval and has a task_interval extension")
	}
	if len(problems) > 0 {
		return nil, fmt.Errorf("task %s cannot be run: %w", id, errors.Join(problems...))
	}
	return t, nil
}

func newVDAF(c dap.VDAFConfig) (*prio3.VDAF, error) {
	return prio3.New(prio3.Config{
		Algorithm:      prio3.Algorithm(c.Type),
		Length:         c.Length,
		ChunkLength:    c.ChunkLength,
		MaxMeasurement: c.MaxMeasurement,
		MaxWeight:      c.MaxWeight,
	})
}

// TimeOf returns the unit of the task's time that an instant falls in: rounded down (DAP, Times, Durations and Intervals).
// Instants before 1970 are in unit zero.
func (t *Task) TimeOf(at time.Time) dap.Time {
	return dap.Time(uint64(max(0, at.Unix())) / t.Config.TimePrecision)
}

// Instant returns the moment at which a unit begins. Units beyond the year 9999 return that year's end.
func (t *Task) Instant(u dap.Time) time.Time {
	const end = 253402300799
	if precision := t.Config.TimePrecision; uint64(u) <= end/precision {
		return time.Unix(int64(uint64(u)*precision), 0).UTC()
	}
	return time.Unix(end, 0).UTC()
}

// Closes returns the end of the task's interval: the first moment at which no report may carry a time of the task.
// ok is false for tasks without an interval.
func (t *Task) Closes() (at time.Time, ok bool) {
	if t.Interval == nil {
		return time.Time{}, false
	}
	end, _ := t.Interval.End()
	return t.Instant(end), true
}
