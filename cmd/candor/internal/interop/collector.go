package interop

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"candor/client/collector"
	"candor/crypto/seal"
	"candor/schema/dap"
	"candor/schema/round"
)

// A collectorServer is a Collector under test.
type collectorServer struct {
	hc  *http.Client
	log *slog.Logger

	mu    sync.Mutex // guards both maps
	tasks map[dap.TaskID]*collectorTask
	jobs  map[string]*collectionJob
}

// A collectorTask is a task that the Collector was told of.
type collectorTask struct {
	task      *round.Task
	collector *collector.Collector
	config    string // its HPKE configuration
}

// A collectionJob is a collection that was started.
type collectionJob struct {
	*collectorTask
	mu     sync.Mutex // guards what follows; one poll at a time
	job    *collector.Job
	answer any // nil until it has ended well
	err    error
}

// NewCollector returns a Collector under test.
func NewCollector(peers Peers, log *slog.Logger) http.Handler {
	c := &collectorServer{hc: newClient(peers.Aggregator), log: log, tasks: make(map[dap.TaskID]*collectorTask), jobs: make(map[string]*collectionJob)}
	return &api{log: log, calls: map[string]call{
		"ready":            ready,
		"add_task":         with(c.addTask),
		"collection_start": with(c.start),
		"collection_poll":  with(c.poll),
	}}
}

type collectorAddTaskRequest struct {
	taskObject
	Token string `json:"collector_authentication_token"`
}

type collectorAddTaskAnswer struct {
	Status     string `json:"status"`
	HPKEConfig string `json:"collector_hpke_config"`
}

func (c *collectorServer) addTask(_ context.Context, r collectorAddTaskRequest) (any, error) {
	task, err := r.task()
	if err != nil {
		return nil, err
	}
	if err := checkToken("collector_authentication_token", r.Token); err != nil {
		return nil, err
	}
	suite := seal.X25519
	public, private, err := seal.GenerateKey(suite, rand.Reader)
	if err != nil {
		return nil, err
	}
	var id [1]byte
	rand.Read(id[:]) // never fails
	config := dap.HpkeConfig{ID: dap.HpkeConfigID(id[0]), KEM: suite.KEM, KDF: suite.KDF, AEAD: suite.AEAD, PublicKey: public}
	t := &collectorTask{task: task}
	if t.config, err = round.EncodeHPKE(config); err != nil {
		return nil, err
	}
	t.collector, err = collector.New(collector.Config{Task: task, HPKE: config, Key: private, Token: r.Token, PlainHTTP: true, HTTP: c.hc, Logger: c.log, Attempts: attempts})
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, there := c.tasks[task.ID]; there {
		return nil, fmt.Errorf("task %s was added before", task.ID)
	}
	c.tasks[task.ID] = t
	return collectorAddTaskAnswer{statusSuccess, t.config}, nil
}

type startRequest struct {
	TaskID   string `json:"task_id"`
	AggParam string `json:"agg_param"`
	Query    struct {
		Type     uint8  `json:"type"`
		Start    uint64 `json:"batch_interval_start"`    // seconds since 1970
		Duration uint64 `json:"batch_interval_duration"` // seconds
	} `json:"query"`
}

type startAnswer struct {
	Status string `json:"status"`
	Handle string `json:"handle"`
}

func (c *collectorServer) start(ctx context.Context, r startRequest) (any, error) {
	id, err := dap.ParseTaskID(r.TaskID)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	t := c.tasks[id]
	c.mu.Unlock()
	if t == nil {
		return nil, fmt.Errorf("task %s was not added", id)
	}
	if r.AggParam != "" {
		return nil, errors.New("agg_param: Prio3 has no aggregation parameter")
	}
	query := dap.NewLeaderSelectedQuery()
	switch precision := t.task.Config.TimePrecision; dap.BatchMode(r.Query.Type) {
	case dap.LeaderSelected:
	case dap.TimeInterval:
		if r.Query.Start%precision != 0 || r.Query.Duration%precision != 0 {
			return nil, fmt.Errorf("query: the interval is not in whole units of %d seconds", precision)
		}
		query = dap.NewTimeIntervalQuery(dap.Interval{Start: dap.Time(r.Query.Start / precision), Duration: dap.Duration(r.Query.Duration / precision)})
	default:
		return nil, fmt.Errorf("query: type %d is not a batch mode", r.Query.Type)
	}
	var handle [16]byte
	rand.Read(handle[:]) // never fails
	job, err := t.collector.Start(withAttempt(ctx, handle), query)
	if err != nil {
		return nil, err
	}
	name := base64.RawURLEncoding.EncodeToString(handle[:])
	c.mu.Lock()
	defer c.mu.Unlock()
	c.jobs[name] = &collectionJob{collectorTask: t, job: job}
	return startAnswer{statusSuccess, name}, nil
}

type pollRequest struct {
	Handle string `json:"handle"`
}

type pollAnswer struct {
	Status           string  `json:"status"`
	BatchID          *string `json:"batch_id"` // never known
	ReportCount      uint64  `json:"report_count"`
	IntervalStart    uint64  `json:"interval_start"`    // seconds since 1970
	IntervalDuration uint64  `json:"interval_duration"` // seconds
	Result           any     `json:"result"`
}

func (c *collectorServer) poll(ctx context.Context, r pollRequest) (any, error) {
	c.mu.Lock()
	j := c.jobs[r.Handle]
	c.mu.Unlock()
	if j == nil {
		return nil, fmt.Errorf("there is no handle %.60q", r.Handle)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.answer != nil || j.err != nil {
		return j.answer, j.err
	}
	if len(j.job.Response) == 0 && time.Now().Before(j.job.NotBefore) {
		return outcome{Status: statusInProgress}, nil
	}
	result, err := j.collector.Poll(ctx, j.job)
	if errors.Is(err, collector.ErrPending) {
		return outcome{Status: statusInProgress}, nil
	}
	if problem := (*dap.Problem)(nil); errors.As(err, &problem) {
		j.err = err
	}
	if err != nil {
		return nil, err
	}
	precision := j.task.Config.TimePrecision
	j.answer = pollAnswer{Status: statusComplete, ReportCount: result.ReportCount, IntervalStart: uint64(result.Interval.Start) * precision,
		IntervalDuration: uint64(result.Interval.Duration) * precision, Result: formatResult(j.task.Config.VDAF, result.Aggregate)}
	if j.task.Config.BatchMode == dap.LeaderSelected { // else the next collection would bring the same batch again
		if err := j.collector.Delete(ctx, j.job); err != nil {
			c.log.WarnContext(ctx, "deleting a collection job failed", "task_id", j.task.ID.String(), "err", err)
		}
	}
	return j.answer, nil
}
