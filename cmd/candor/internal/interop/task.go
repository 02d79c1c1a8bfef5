package interop

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strconv"

	"candor/crypto/prio3"
	"candor/schema/dap"
	"candor/schema/round"
)

// taskInfo is the task_info of every task: the API has no member for one, and it is bound into every report.
const taskInfo = "task-info"

// A decimal is a number that the API writes as text.
type decimal uint64

func (d *decimal) UnmarshalJSON(b []byte) error {
	var text string
	if err := json.Unmarshal(b, &text); err != nil {
		return fmt.Errorf("%.40s is not a number in decimal text, such as \"4\"", b)
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return fmt.Errorf("%.40q is not a number below 2^64", text)
	}
	*d = decimal(n)
	return nil
}

// A vdafObject names a VDAF and those of its parameters that it has.
type vdafObject struct {
	Type           string  `json:"type"`
	Length         decimal `json:"length"`
	ChunkLength    decimal `json:"chunk_length"`
	MaxMeasurement decimal `json:"max_measurement"`
	MaxWeight      decimal `json:"max_weight"`
}

var algorithms = []prio3.Algorithm{prio3.Count, prio3.Sum, prio3.SumVec, prio3.Histogram, prio3.MultihotCountVec}

func (v vdafObject) config() (dap.VDAFConfig, error) {
	i := slices.IndexFunc(algorithms, func(a prio3.Algorithm) bool { return a.String() == v.Type })
	if i < 0 {
		return dap.VDAFConfig{}, fmt.Errorf("vdaf: there is no type %.60q here", v.Type)
	}
	if v.Length > 1<<32-1 || v.ChunkLength > 1<<32-1 {
		return dap.VDAFConfig{}, errors.New("vdaf: length and chunk_length are below 2^32")
	}
	return dap.VDAFConfig{Type: uint32(algorithms[i]), Length: uint32(v.Length), ChunkLength: uint32(v.ChunkLength),
		MaxMeasurement: uint64(v.MaxMeasurement), MaxWeight: uint64(v.MaxWeight)}, nil
}

// A taskObject is what all parties are told of a task.
type taskObject struct {
	TaskID        string     `json:"task_id"`
	Leader        string     `json:"leader"` // URL; it and the Helper's are bound into every report, verbatim
	Helper        string     `json:"helper"`
	VDAF          vdafObject `json:"vdaf"`
	BatchMode     uint8      `json:"batch_mode"`
	MinBatchSize  uint64     `json:"min_batch_size"`
	TimePrecision uint64     `json:"time_precision"` // seconds
	TaskStart     *uint64    `json:"task_start"`     // seconds since 1970; both or neither
	TaskEnd       *uint64    `json:"task_end"`
}

// task returns the task, or all that is wrong with it.
func (o taskObject) task() (*round.Task, error) {
	id, err := dap.ParseTaskID(o.TaskID)
	vdaf, vdafErr := o.VDAF.config()
	if err := errors.Join(err, vdafErr); err != nil {
		return nil, err
	}
	cfg := dap.TaskConfiguration{TaskInfo: []byte(taskInfo), LeaderEndpoint: o.Leader, HelperEndpoint: o.Helper, TimePrecision: o.TimePrecision,
		MinBatchSize: o.MinBatchSize, BatchMode: dap.BatchMode(o.BatchMode), VDAF: vdaf}
	switch {
	case (o.TaskStart == nil) != (o.TaskEnd == nil):
		return nil, errors.New("task_start and task_end come together")
	case o.TaskStart != nil && *o.TaskEnd < *o.TaskStart:
		return nil, errors.New("task_end is before task_start")
	case o.TaskStart != nil && o.TimePrecision > 0:
		start, end := *o.TaskStart/o.TimePrecision, *o.TaskEnd/o.TimePrecision
		cfg.Extensions = []dap.Extension{dap.NewTaskIntervalExtension(dap.Interval{Start: dap.Time(start), Duration: dap.Duration(end - start)})}
	}
	encoded, err := dap.Marshal(cfg)
	if err != nil {
		return nil, fmt.Errorf("encoding the task's configuration: %w", err)
	}
	return round.NewTask(id, encoded)
}

// measuresList says whether a measurement of the VDAF is a list.
func measuresList(vdaf dap.VDAFConfig) bool {
	return vdaf.Type == dap.VDAFSumVec || vdaf.Type == dap.VDAFMultihotCountVec
}

// parseMeasurement reads a measurement of the VDAF. The error does not quote it.
func parseMeasurement(vdaf dap.VDAFConfig, text json.RawMessage) ([]uint64, error) {
	var list []decimal
	if measuresList(vdaf) {
		if json.Unmarshal(text, &list) != nil {
			return nil, errors.New("measurement is not a list of numbers in decimal text")
		}
	} else {
		list = make([]decimal, 1)
		if json.Unmarshal(text, &list[0]) != nil {
			return nil, errors.New("measurement is not a number in decimal text")
		}
	}
	m := make([]uint64, len(list))
	for i, d := range list {
		m[i] = uint64(d)
	}
	return m, nil
}

// formatResult returns an aggregate as the API has it: text, or a list of texts.
func formatResult(vdaf dap.VDAFConfig, aggregate []*big.Int) any {
	if !measuresList(vdaf) && vdaf.Type != dap.VDAFHistogram && len(aggregate) == 1 {
		return aggregate[0].String()
	}
	list := make([]string, len(aggregate))
	for i, x := range aggregate {
		list[i] = x.String()
	}
	return list
}
