package collect

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"candor/client/collector"
	"candor/schema/dap"
)

// kept is the file of one task. It holds what the aggregators sent, sealed as it came.
type kept struct {
	Task    dap.TaskID         `json:"task"`
	Job     json.RawMessage    `json:"job,omitempty"`     // a collector.Job
	Answers [2]json.RawMessage `json:"answers"`           // the statements with their salts, of Leader and Helper; null: not here yet
	Counted []string           `json:"counted,omitempty"` // members whose reports were aggregated, as the Leader says
	Refused string             `json:"refused,omitempty"` // why there is no aggregate share
	Sent    uint64             `json:"sent,omitempty"`    // of a refused batch: members that had sent
}

func (k kept) complete() bool {
	return k.Refused != "" || len(k.Job) > 0 && len(k.Answers[0]) > 0 && len(k.Answers[1]) > 0 && len(k.Counted) > 0
}

func (r *Round) path(t *task) string {
	return filepath.Join(r.cfg.Dir, t.part.Instrument+"."+t.part.Name+".json")
}

// load reads the file of a task, if there is one.
func (r *Round) load(t *task) error {
	t.kept.Task = t.ID
	text, err := os.ReadFile(r.path(t))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var k kept
	if err := strict(text, &k); err != nil {
		return fmt.Errorf("%s is damaged: %w", r.path(t), err)
	}
	if k.Task != t.ID {
		return fmt.Errorf("%s is of task %s, another round document's: move it away", r.path(t), k.Task)
	}
	for i, a := range k.Answers {
		if string(a) == "null" {
			k.Answers[i] = nil
		}
	}
	t.kept = k
	return nil
}

// keepJob keeps a job before anything else is done with it.
func (r *Round) keepJob(t *task, job *collector.Job) error {
	text, err := job.Encode()
	if err != nil {
		return fmt.Errorf("%s: %w", t.name(), err)
	}
	t.kept.Job = text
	return r.save(t)
}

// save writes the file of a task so that, whenever the machine stops, the old or the new text is there.
func (r *Round) save(t *task) error {
	text, err := json.Marshal(t.kept)
	if err != nil {
		return fmt.Errorf("%s: %w", t.name(), err)
	}
	if err := os.MkdirAll(r.cfg.Dir, 0o700); err != nil {
		return fmt.Errorf("%s: %w", t.name(), err)
	}
	f, err := os.CreateTemp(r.cfg.Dir, ".new-*")
	if err != nil {
		return fmt.Errorf("%s: %w", t.name(), err)
	}
	_, err = f.Write(append(text, '\n'))
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), r.path(t))
	}
	if err != nil {
		os.Remove(f.Name())
		return fmt.Errorf("%s: keeping what was collected: %w", t.name(), err)
	}
	return nil
}
