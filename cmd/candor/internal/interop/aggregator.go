package interop

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"regexp"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"candor/aggregator"
	"candor/aggregator/boltstore"
	"candor/aggregator/helper"
	"candor/aggregator/leader"
	"candor/crypto/seal"
	"candor/schema/dap"
	"candor/schema/round"
)

// How soon an Aggregator under test acts: a runner waits for a result, and gives up within a minute.
const (
	jobDelay = 100 * time.Millisecond
	poll     = 200 * time.Millisecond
	retryMax = 2 * time.Second
)

// An Aggregator is one under test. It is Leader of some tasks and Helper of others, as the runner says; both roles have one set of HPKE keys and a store each.
type Aggregator struct {
	api    api
	leader *leader.Leader
	helper *helper.Helper
	stores [2]*boltstore.Store

	mu    sync.Mutex // guards roles
	roles map[dap.TaskID]dap.Role
}

// NewAggregator makes an Aggregator whose stores are in dir.
func NewAggregator(dir string, peers Peers, log *slog.Logger) (_ *Aggregator, err error) {
	a := &Aggregator{roles: make(map[dap.TaskID]dap.Role)}
	defer func() {
		if err != nil {
			err = fmt.Errorf("making an aggregator: %w", errors.Join(err, a.Close()))
		}
	}()
	suite := seal.X25519
	public, private, err := seal.GenerateKey(suite, rand.Reader)
	if err != nil {
		return nil, err
	}
	keys, err := aggregator.NewKeyring(aggregator.Key{Config: dap.HpkeConfig{ID: 1, KEM: suite.KEM, KDF: suite.KDF, AEAD: suite.AEAD, PublicKey: public}, Private: private})
	if err != nil {
		return nil, err
	}
	for i, name := range []string{"leader.db", "helper.db"} {
		if a.stores[i], err = boltstore.Open(filepath.Join(dir, name), boltstore.Options{}); err != nil {
			return nil, err
		}
	}
	a.leader, err = leader.New(leader.Config{Store: a.stores[0], Keys: keys, HTTP: newClient(peers.Aggregator), AllowPlainHTTP: true, Logger: log.With("role", "leader"),
		MaxJobDelay: jobDelay, RetryMin: poll, RetryMax: retryMax, PollInterval: poll, RetryAfter: time.Second})
	if err != nil {
		return nil, err
	}
	a.helper, err = helper.New(helper.Config{Store: a.stores[1], Keys: keys, Logger: log.With("role", "helper"), PollInterval: poll})
	if err != nil {
		return nil, err
	}
	a.api = api{log: log, other: peers.serve(http.HandlerFunc(a.serveDAP)), calls: map[string]call{
		"ready":             ready,
		"endpoint_for_task": with(endpointForTask),
		"add_task":          with(a.addTask),
	}}
	return a, nil
}

// Handler returns the API, and DAP's resources at the root beside it.
func (a *Aggregator) Handler() http.Handler { return &a.api }

// Run does the work of both roles until ctx ends.
func (a *Aggregator) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return a.leader.Run(ctx) })
	group.Go(func() error { return a.helper.Run(ctx) })
	return group.Wait()
}

// Close releases the stores.
func (a *Aggregator) Close() (err error) {
	for _, s := range a.stores {
		if s != nil {
			err = errors.Join(err, s.Close())
		}
	}
	return err
}

// taskPath finds the task that a path of DAP names.
var taskPath = regexp.MustCompile(`^(?:/candor)?/tasks/([A-Za-z0-9_-]{43})/`)

// serveDAP lets the role that a task has here answer. Of an unknown task, and of the configuration list that both have, the Leader speaks.
func (a *Aggregator) serveDAP(w http.ResponseWriter, r *http.Request) {
	handler := a.leader.Handler()
	if found := taskPath.FindStringSubmatch(r.URL.Path); found != nil {
		if id, err := dap.ParseTaskID(found[1]); err == nil && a.role(id) == dap.Helper {
			handler = a.helper.Handler()
		}
	}
	handler.ServeHTTP(w, r)
}

func (a *Aggregator) role(id dap.TaskID) dap.Role {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.roles[id]
}

type endpointAnswer struct {
	Status   string `json:"status"`
	Endpoint string `json:"endpoint"`
}

// endpointForTask says below which path of this server DAP lies.
func endpointForTask(context.Context, struct{}) (any, error) {
	return endpointAnswer{statusSuccess, "/"}, nil
}

type addTaskRequest struct {
	taskObject
	Role           string `json:"role"`
	VerifyKey      string `json:"vdaf_verify_key"`
	LeaderToken    string `json:"leader_authentication_token"`
	CollectorToken string `json:"collector_authentication_token"` // at the Leader
	Collector      string `json:"collector_hpke_config"`
}

func (a *Aggregator) addTask(ctx context.Context, r addTaskRequest) (any, error) {
	task, err := r.task()
	if err != nil {
		return nil, err
	}
	t := &aggregator.Task{Task: task, PeerToken: aggregator.NewToken(r.LeaderToken)}
	problems := checkToken("leader_authentication_token", r.LeaderToken)
	key, err := base64.RawURLEncoding.Strict().DecodeString(r.VerifyKey)
	if err != nil {
		problems = errors.Join(problems, errors.New("vdaf_verify_key is not base64url without padding"))
	} else if verify, err := aggregator.NewVerifyKey(key); err != nil {
		problems = errors.Join(problems, fmt.Errorf("vdaf_verify_key: %w", err))
	} else {
		t.VerifyKeys = map[uint8]aggregator.VerifyKey{0: verify}
	}
	if t.Collector, err = round.ParseHPKE(r.Collector); err != nil {
		problems = errors.Join(problems, fmt.Errorf("collector_hpke_config: %w", err))
	}
	var role dap.Role
	var add func(context.Context, *aggregator.Task) error
	switch r.Role {
	case "leader":
		role, add = dap.Leader, a.leader.AddTask
		problems = errors.Join(problems, checkToken("collector_authentication_token", r.CollectorToken))
		t.CollectorToken = aggregator.NewToken(r.CollectorToken)
	case "helper":
		role, add = dap.Helper, a.helper.AddTask
	default:
		problems = errors.Join(problems, fmt.Errorf("role is %.20q, not leader or helper", r.Role))
	}
	if problems != nil {
		return nil, problems
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if other, there := a.roles[task.ID]; there && other != role {
		return nil, fmt.Errorf("task %s has the other role here already", task.ID)
	}
	if err := add(ctx, t); err != nil {
		return nil, err
	}
	a.roles[task.ID] = role
	return success, nil
}
