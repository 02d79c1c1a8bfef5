package round

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"time"

	"candor/schema/dap"
)

// taskIDLabel separates task IDs from every other use of SHA-256.
const taskIDLabel = "candor/1 task id"

// TaskInfo returns the task_info of a part, at most 255 bytes when the document passes Check.
func (d *Document) TaskInfo(p *Part) string {
	return "candor/1/" + d.ID + "/" + p.Instrument + "/" + p.Name
}

// Tasks derives the tasks of the round, in the order of its parts. Everybody who holds the document derives the same
// bytes and the same IDs: nothing about a task is agreed anywhere else.
func (d *Document) Tasks() ([]*Task, error) {
	hash, err := d.Hash()
	if err != nil {
		return nil, err
	}
	return d.tasks(hash)
}

func (d *Document) tasks(hash [32]byte) ([]*Task, error) {
	interval, err := d.interval()
	if err != nil {
		return nil, fmt.Errorf("deriving the tasks of round %s: %w", d.ID, err)
	}
	tasks := make([]*Task, len(d.Parts))
	for i := range d.Parts {
		if tasks[i], err = d.task(&d.Parts[i], interval, hash); err != nil {
			return nil, fmt.Errorf("deriving the task of %s/%s: %w", d.Parts[i].Instrument, d.Parts[i].Name, err)
		}
	}
	return tasks, nil
}

func (d *Document) task(p *Part, interval dap.Interval, hash [32]byte) (*Task, error) {
	vdaf, err := p.VDAF.config()
	if err != nil {
		return nil, err
	}
	encoded, err := dap.Marshal(dap.TaskConfiguration{
		TaskInfo:       []byte(d.TaskInfo(p)),
		LeaderEndpoint: d.Leader.Endpoint,
		HelperEndpoint: d.Helper.Endpoint,
		TimePrecision:  d.TimePrecision,
		MinBatchSize:   d.Minimum.Groups,
		BatchMode:      dap.TimeInterval,
		VDAF:           vdaf,
		Extensions: []dap.Extension{
			dap.NewTaskIntervalExtension(interval),
			dap.NewRoundHashExtension(hash),
		},
	})
	if err != nil {
		return nil, err
	}
	return NewTask(TaskID(encoded), encoded)
}

// TaskID derives a task's ID from its encoded configuration: SHA-256 of a label and the bytes.
func TaskID(encoded []byte) dap.TaskID {
	h := sha256.New()
	h.Write([]byte(taskIDLabel))
	h.Write(encoded)
	return dap.TaskID(h.Sum(nil))
}

// interval returns the window in units of time. Both ends must lie on whole units.
func (d *Document) interval() (dap.Interval, error) {
	if d.TimePrecision == 0 {
		return dap.Interval{}, fmt.Errorf("time_precision is zero")
	}
	units := func(name string, at time.Time) (uint64, error) {
		s := at.Unix()
		if s < 0 || at.Nanosecond() != 0 || uint64(s)%d.TimePrecision != 0 {
			return 0, fmt.Errorf("the window %s at %s, which is not a whole unit of %d s", name, at.Format(time.RFC3339Nano), d.TimePrecision)
		}
		return uint64(s) / d.TimePrecision, nil
	}
	opens, err := units("opens", d.Window.Opens)
	if err != nil {
		return dap.Interval{}, err
	}
	closes, err := units("closes", d.Window.Closes)
	if err != nil {
		return dap.Interval{}, err
	}
	if closes <= opens {
		return dap.Interval{}, fmt.Errorf("the window closes at %s, not after it opens at %s", d.Window.Closes.Format(time.RFC3339), d.Window.Opens.Format(time.RFC3339))
	}
	return dap.Interval{Start: dap.Time(opens), Duration: dap.Duration(closes - opens)}, nil
}

func (v VDAF) config() (dap.VDAFConfig, error) {
	types := map[string]dap.VDAFConfig{
		"Prio3SumVec":           {Type: dap.VDAFSumVec, Length: v.Length, ChunkLength: v.ChunkLength, MaxMeasurement: v.MaxMeasurement},
		"Prio3MultihotCountVec": {Type: dap.VDAFMultihotCountVec, Length: v.Length, ChunkLength: v.ChunkLength, MaxWeight: v.MaxWeight},
	}
	c, ok := types[v.Type]
	if !ok {
		return c, fmt.Errorf("VDAF %q is not one that rounds use", v.Type)
	}
	return c, nil
}

// EncodeHPKE returns the text form of an HPKE configuration in a document.
func EncodeHPKE(c dap.HpkeConfig) (string, error) {
	b, err := dap.Marshal(c)
	return base64.RawURLEncoding.EncodeToString(b), err
}

// ParseHPKE inverts EncodeHPKE.
func ParseHPKE(text string) (dap.HpkeConfig, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return dap.HpkeConfig{}, fmt.Errorf("reading an HPKE configuration: %w", err)
	}
	return dap.Parse[dap.HpkeConfig](b)
}

// ChunkLength returns the chunk length that makes the proof of a vector of n elements shortest, in field elements: the gadget has
// arity 2·chunk and is called ceil(n/chunk) times, and its polynomial is sent at 2·(p−1)+1 points for the next power of two p
// above the calls (VDAF, Prio3SumVec). Only chunks that fill all p−1 calls can be best. n must be positive.
func ChunkLength(n int) uint32 {
	best, bestLength := n, 2*n+3
	for p := 2; p/2 <= n; p *= 2 {
		chunk := (n + p - 2) / (p - 1)
		if length := 2*chunk + 2*(p-1) + 1; length < bestLength {
			best, bestLength = chunk, length
		}
	}
	return uint32(best)
}
