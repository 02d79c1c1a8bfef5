package config

import (
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"candor/aggregator"
	"candor/crypto/prio3"
	"candor/schema/dap"
	"candor/schema/round"
)

// A TaskFile is the file of a plain DAP task: what all parties agreed on beforehand, and what only the aggregators have besides. Paths start at the file's directory.
type TaskFile struct {
	// ID is the task's identifier: 43 characters of base64url.
	ID string `yaml:"id"`
	// Configuration is the TaskConfiguration in words. It and Encoded exclude each other.
	Configuration *TaskConfiguration `yaml:"configuration,omitempty"`
	// Encoded is the encoded TaskConfiguration in base64url, for tasks that another implementation provisioned: these very bytes are bound into every report.
	Encoded string `yaml:"encoded,omitempty"`
	// VerifyKeys are the VDAF verify keys; both operators have the same ones and nobody else has any. They never change.
	VerifyKeys []VerifyKeyFile `yaml:"verify_keys"`
	// UseKey is the id of the key that the Leader uses for new aggregation jobs. Default: 0.
	UseKey uint8 `yaml:"use_key,omitempty"`
	// Collector is the Collector's HPKE configuration, as `candor keys generate hpke` prints it. Whoever can change it reads the results.
	Collector string `yaml:"collector"`
	// PeerToken and CollectorToken are token files of this task's own. Default: those of the server.
	PeerToken      string `yaml:"peer_token,omitempty"`
	CollectorToken string `yaml:"collector_token,omitempty"`
}

// A VerifyKeyFile names the file of a verify key, made by `candor keys generate token`.
type VerifyKeyFile struct {
	ID   uint8  `yaml:"id"`
	File string `yaml:"file"`
}

// TaskConfiguration is a dap.TaskConfiguration in words.
type TaskConfiguration struct {
	TaskInfo      string   `yaml:"task_info"`      // 1 to 255 bytes
	Leader        string   `yaml:"leader"`         // URL
	Helper        string   `yaml:"helper"`         // URL
	TimePrecision Duration `yaml:"time_precision"` // whole seconds
	MinBatchSize  uint64   `yaml:"min_batch_size"` // reports
	BatchMode     string   `yaml:"batch_mode"`     // time_interval or leader_selected
	VDAF          TaskVDAF `yaml:"vdaf"`
	// Interval is the task_interval extension, in units of the time precision. Default: none.
	Interval *TaskInterval `yaml:"interval,omitempty"`
}

// A TaskVDAF names a VDAF and those of its parameters that it has.
type TaskVDAF struct {
	Type           string `yaml:"type"` // Prio3Count, Prio3Sum, Prio3SumVec, Prio3Histogram or Prio3MultihotCountVec
	Length         uint32 `yaml:"length,omitempty"`
	ChunkLength    uint32 `yaml:"chunk_length,omitempty"`
	MaxMeasurement uint64 `yaml:"max_measurement,omitempty"`
	MaxWeight      uint64 `yaml:"max_weight,omitempty"`
}

// A TaskInterval is a dap.Interval.
type TaskInterval struct {
	Start    uint64 `yaml:"start"`
	Duration uint64 `yaml:"duration"`
}

var algorithms = []prio3.Algorithm{prio3.Count, prio3.Sum, prio3.SumVec, prio3.Histogram, prio3.MultihotCountVec}

// exampleCollector stands in the example where a real configuration has to be put.
const exampleCollector = "AQAgAAEAAQAgCQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

var batchModes = map[string]dap.BatchMode{"time_interval": dap.TimeInterval, "leader_selected": dap.LeaderSelected}

// encode returns the TaskConfiguration, which has one encoding.
func (c *TaskConfiguration) encode(p *problems) []byte {
	cfg := dap.TaskConfiguration{
		TaskInfo: []byte(c.TaskInfo), LeaderEndpoint: c.Leader, HelperEndpoint: c.Helper, MinBatchSize: c.MinBatchSize,
		TimePrecision: uint64(c.TimePrecision) / 1e9, BatchMode: batchModes[c.BatchMode],
		VDAF: dap.VDAFConfig{Length: c.VDAF.Length, ChunkLength: c.VDAF.ChunkLength, MaxMeasurement: c.VDAF.MaxMeasurement, MaxWeight: c.VDAF.MaxWeight},
	}
	before := len(p.errs)
	if c.TimePrecision < 0 || c.TimePrecision%1e9 != 0 {
		p.at("$.configuration.time_precision", "is not in whole seconds")
	}
	if cfg.BatchMode == 0 {
		p.at("$.configuration.batch_mode", "%q is not a batch mode; there are %s", c.BatchMode, strings.Join(slices.Sorted(maps.Keys(batchModes)), ", "))
	}
	for _, a := range algorithms {
		if a.String() == c.VDAF.Type {
			cfg.VDAF.Type = uint32(a)
		}
	}
	if cfg.VDAF.Type == 0 {
		p.at("$.configuration.vdaf.type", "%q is not a VDAF that this program has", c.VDAF.Type)
	}
	if i := c.Interval; i != nil {
		data, err := dap.Marshal(dap.Interval{Start: dap.Time(i.Start), Duration: dap.Duration(i.Duration)})
		if err != nil {
			p.at("$.configuration.interval", "%v", err)
		}
		cfg.Extensions = []dap.Extension{{Type: dap.TaskExtensionTaskInterval, Data: data}}
	}
	if len(p.errs) > before {
		return nil
	}
	encoded, err := dap.Marshal(cfg)
	if err != nil {
		p.at("$.configuration", "%v", err)
	}
	return encoded
}

// PlainTask reads the text of a task file that was read from path, and the key and token files that it names. A task that names no tokens has the server's. Every
// problem is reported.
func (r *Runner) PlainTask(ctx context.Context, path string, text []byte) (*aggregator.Task, error) {
	var f TaskFile
	if err := parse(path, text, &f); err != nil {
		return nil, err
	}
	p := &problems{path: path, text: text}
	t := &aggregator.Task{VerifyKeys: make(map[uint8]aggregator.VerifyKey), KeyID: f.UseKey, PeerToken: r.Peer, CollectorToken: r.Collector}
	id, err := dap.ParseTaskID(f.ID)
	if err != nil {
		p.at("$.id", "%v", err)
	} else if id == (dap.TaskID{}) {
		p.at("$.id", "is the example's: put the ID that the parties agreed on, or 32 random bytes as `candor keys generate token` makes them")
	}
	var encoded []byte
	switch {
	case (f.Configuration == nil) == (f.Encoded == ""):
		p.at("$.id", "the task needs configuration or encoded, one of them")
	case f.Configuration != nil:
		encoded = f.Configuration.encode(p)
	default:
		if encoded, err = base64.RawURLEncoding.Strict().DecodeString(f.Encoded); err != nil {
			p.at("$.encoded", "is not base64url without padding")
			encoded = nil
		}
	}
	if encoded != nil {
		if t.Task, err = round.NewTask(id, encoded); err != nil {
			p.at("$.id", "%v", err)
		} else if t.RoundHash != nil {
			p.at("$.id", "this is the task of a round: `candor aggregator approve` installs those")
		}
	}
	if t.Collector, err = round.ParseHPKE(f.Collector); err != nil {
		p.at("$.collector", "%v", err)
	} else if f.Collector == exampleCollector {
		p.at("$.collector", "is the example's: put what `candor keys generate hpke` printed to the Collector")
	}
	if len(f.VerifyKeys) == 0 {
		p.at("$.id", "the task names no verify key")
	}
	for i, k := range f.VerifyKeys {
		at := fmt.Sprintf("$.verify_keys[%d]", i)
		if _, twice := t.VerifyKeys[k.ID]; twice {
			p.at(at, "verify key %d is there twice", k.ID)
			continue
		}
		secret, err := r.opener.load32(ctx, kindToken, resolve(path, k.File))
		if err != nil {
			p.at(at, "reading the verify key: %v", err)
			continue
		}
		t.VerifyKeys[k.ID], _ = aggregator.NewVerifyKey(secret[:]) // it has the right length
	}
	for _, own := range []struct {
		name, file string
		token      *aggregator.Token
	}{{"peer_token", f.PeerToken, &t.PeerToken}, {"collector_token", f.CollectorToken, &t.CollectorToken}} {
		if own.file == "" {
			continue
		}
		if *own.token, err = r.opener.token(ctx, resolve(path, own.file)); err != nil {
			p.at("$."+own.name, "%v", err)
		}
	}
	if err := p.err(); err != nil {
		return nil, err
	}
	if err := t.Check(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}

// TaskFiles lists the files of plain tasks in a directory, by name; none if dir is empty. Names that begin with a dot are being written and left out.
func TaskFiles(dir string) (files []string, err error) {
	if dir == "" {
		return nil, nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("listing the tasks: %w", err)
	}
	for _, e := range entries {
		if name := e.Name(); !e.IsDir() && filepath.Ext(name) == ".yaml" && !strings.HasPrefix(name, ".") {
			files = append(files, filepath.Join(dir, name))
		}
	}
	return files, nil
}

// PlainTasks reads the plain tasks of a server.
func (a *Aggregator) PlainTasks(ctx context.Context, r *Runner) (tasks []*aggregator.Task, err error) {
	files, err := TaskFiles(a.Tasks)
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		text, err := readFile(f)
		if err != nil {
			return nil, fmt.Errorf("reading a task: %w", err)
		}
		t, err := r.PlainTask(ctx, f, text)
		if err != nil {
			return nil, err
		}
		tasks = append(tasks, t)
	}
	return tasks, nil
}
