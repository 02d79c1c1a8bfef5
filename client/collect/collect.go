// Package collect collects a whole round for the secretariat: of every task both aggregate shares and both
// statements, kept in a directory, so that an interrupted collection goes on where it stopped and no batch is
// asked for twice.
//
// Floor 6: it speaks HTTP through client/collector and client.Caller and owns its directory. What it keeps is as
// the aggregators sealed it: without the Collector's key the files tell nobody a sum. Batches opens them, in
// memory only.
//
// It implements the arrow from collection job to statements in the design's section "How data flows".
package collect

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"candor/client"
	"candor/client/collector"
	"candor/crypto/seal"
	"candor/crypto/sign"
	"candor/schema/dap"
	"candor/schema/release"
	"candor/schema/round"
)

// ErrTooEarly says that nothing is wrong, and that the collection is to be continued later.
var ErrTooEarly = errors.New("it is too early")

// A Config says what is collected, with which keys, and where it is kept.
type Config struct {
	Dir    string // made if missing; one directory for each round
	Signed *round.Signed
	Trust  round.Trust // the keys that the round document must name

	Identity *sign.PrivateKey // the secretariat's: signs the requests for statements
	HPKE     dap.HpkeConfig   // the Collector's
	Key      *seal.PrivateKey // of HPKE
	Token    string           // proves the Collector to the Leader

	PlainHTTP bool         // allow http:// URLs to other machines: test profiles only
	HTTP      *http.Client // nil: Go's default
	Now       func() time.Time
	Logger    *slog.Logger
	Attempts  int // per request; 0: 6

	PollInterval, MaxWait time.Duration // as in collector.Config

	// Progress is told what happens to each part, in words; nil: nobody.
	Progress func(part, what string)
}

// A Round collects one round. It is not for concurrent use, and neither is its directory.
type Round struct {
	cfg            Config
	document       *round.Document
	hash           release.Digest
	leader, helper sign.PublicKey
	caller         *client.Caller
	tasks          []*task
}

// A task is one part of the round with what is kept of it.
type task struct {
	*round.Task
	part      *round.Part
	collector *collector.Collector
	kept      kept
}

// name is how progress and errors call a task.
func (t *task) name() string { return t.part.Instrument + "/" + t.part.Name }

// New checks the round's signatures against the pinned keys and reads what was collected before. It makes no
// request.
func New(cfg Config) (*Round, error) {
	d := cfg.Signed.Document
	refuse := func(err error) (*Round, error) { return nil, fmt.Errorf("collecting round %s: %w", d.ID, err) }
	if err := cfg.Signed.Verify(cfg.Trust); err != nil {
		return refuse(err)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Progress == nil {
		cfg.Progress = func(string, string) {}
	}
	r := &Round{cfg: cfg, document: d, hash: release.Digest(cfg.Signed.Hash())}
	var err error
	if r.leader, err = sign.ParsePublicKey(d.Leader.Key); err != nil {
		return refuse(err)
	}
	if r.helper, err = sign.ParsePublicKey(d.Helper.Key); err != nil {
		return refuse(err)
	}
	r.caller = &client.Caller{HTTP: cfg.HTTP, PlainHTTP: cfg.PlainHTTP, Attempts: cfg.Attempts, MaxWait: cfg.MaxWait, Now: cfg.Now, Logger: cfg.Logger}
	r.caller.Authorize = func(req *http.Request) {
		req.Header.Set(round.RequestHeader, round.SignRequest(cfg.Identity, round.BySecretariat, req.Method, req.URL.Path, cfg.Now()))
	}
	tasks, err := cfg.Signed.Tasks()
	if err != nil {
		return refuse(err)
	}
	for i, derived := range tasks {
		t := &task{Task: derived, part: &d.Parts[i]}
		if t.collector, err = collector.New(collector.Config{
			Task: derived, HPKE: cfg.HPKE, Key: cfg.Key, Token: cfg.Token, PlainHTTP: cfg.PlainHTTP, HTTP: cfg.HTTP, Now: cfg.Now, Logger: cfg.Logger,
			Attempts: cfg.Attempts, PollInterval: cfg.PollInterval, MaxWait: cfg.MaxWait,
		}); err != nil {
			return refuse(err)
		}
		if err := r.load(t); err != nil {
			return refuse(err)
		}
		r.tasks = append(r.tasks, t)
	}
	return r, nil
}

// Collect asks for all that is not kept yet and keeps what comes, task by task. It waits until every job is ready
// or ctx ends; what is still missing is then said in the error, with who must act. The error is ErrTooEarly
// (errors.Is) if time alone will bring it.
func (r *Round) Collect(ctx context.Context) error {
	if left := r.document.Window.Closes.Sub(r.cfg.Now()); left > 0 && !r.complete() {
		return fmt.Errorf("collecting round %s: %w: members submit until %s, for another %s; aggregation begins then",
			r.document.ID, ErrTooEarly, r.document.Window.Closes.Format(time.RFC3339), left.Round(time.Second))
	}
	var errs []error
	for _, t := range r.tasks { // all jobs first: the aggregators then work on them together
		errs = append(errs, r.start(ctx, t))
	}
	for _, t := range r.tasks {
		if len(t.kept.Job) > 0 && t.kept.Refused == "" {
			errs = append(errs, r.finish(ctx, t))
		}
	}
	var still []string
	errs = slices.DeleteFunc(errs, func(err error) bool {
		w, waits := err.(waiting)
		if waits {
			still = append(still, string(w))
		}
		return waits
	})
	if len(still) > 0 {
		errs = append(errs, r.unfinished(ctx, still))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("collecting round %s: %w", r.document.ID, err)
	}
	return nil
}

// waiting is the name of a part that the aggregators were still working on when the time was over.
type waiting string

func (w waiting) Error() string { return string(w) + ": the aggregators are still working on it" }

// probeTime bounds how long a server is asked whether it is there.
const probeTime = 3 * time.Second

// unfinished says what is missing, and who must act: a server that does not answer at all is named.
func (r *Round) unfinished(ctx context.Context, parts []string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), probeTime)
	defer cancel()
	var silent []string
	probe := *r.caller
	probe.Attempts = 1
	for i, s := range r.servers() {
		url, err := client.Resource(s.of.Endpoint, "candor", "tasks", r.tasks[0].ID.String(), "statement")
		if err != nil {
			return err
		}
		_, err = probe.Do(ctx, client.Request{Method: http.MethodGet, URL: url, MaxResponse: 1 << 20})
		if _, answers := errors.AsType[*dap.Problem](err); err != nil && !answers {
			silent = append(silent, fmt.Sprintf("the %s does not answer at %s: its operator, %s, must start it", [2]string{"Leader", "Helper"}[i], s.of.Endpoint, s.of.Operator))
		}
	}
	why := fmt.Sprintf("if that lasts, the operators, %s and %s, see in `candor status` what their servers wait for", r.document.Leader.Operator, r.document.Helper.Operator)
	if len(silent) > 0 {
		why = strings.Join(silent, "; ")
	}
	return fmt.Errorf("%w: the aggregators are still working on %d of %d parts (%s); %s", ErrTooEarly, len(parts), len(r.tasks), strings.Join(parts, ", "), why)
}

func (r *Round) complete() bool {
	for _, t := range r.tasks {
		if !t.kept.complete() {
			return false
		}
	}
	return true
}

// start creates the collection job of a task, unless there is one. The same query always leads to the same job,
// so that a start whose answer was lost is repeated without harm.
func (r *Round) start(ctx context.Context, t *task) error {
	if len(t.kept.Job) > 0 && t.kept.Refused == "" {
		return nil
	}
	r.cfg.Progress(t.name(), "asking the Leader for the batch")
	job, err := t.collector.Start(ctx, dap.NewTimeIntervalQuery(*t.Interval))
	if _, answers := errors.AsType[*dap.Problem](err); err != nil && !answers && t.kept.Refused != "" {
		// More may have come since, so that it was worth asking again; if nobody is there to ask, what was said stands.
		r.cfg.Progress(t.name(), "withheld by the aggregators when they were last asked; the Leader does not answer now: "+t.kept.Refused)
		return nil
	}
	if err != nil {
		return r.refusal(ctx, t, err)
	}
	t.kept.Refused, t.kept.Sent = "", 0
	return r.keepJob(t, job)
}

// finish polls the job of a task until its shares are there, then gets both statements, and checks it all.
func (r *Round) finish(ctx context.Context, t *task) error {
	job, err := collector.ParseJob(t.kept.Job)
	if err != nil {
		return fmt.Errorf("%s: %w", t.name(), err)
	}
	if len(job.Response) == 0 {
		r.cfg.Progress(t.name(), "waiting for the aggregators")
		_, err := t.collector.Wait(ctx, job)
		if keepErr := r.keepJob(t, job); keepErr != nil {
			return keepErr
		}
		if err != nil {
			return r.refusal(ctx, t, err)
		}
		r.cfg.Progress(t.name(), "both aggregate shares are here")
	}
	for i, from := range r.servers() {
		if err := r.statement(ctx, t, i, from); err != nil {
			return err
		}
	}
	if len(t.kept.Counted) == 0 {
		members, err := r.members(ctx, t)
		if err != nil {
			return err
		}
		for _, m := range members {
			if m.Counted {
				t.kept.Counted = append(t.kept.Counted, m.Member)
			}
		}
		if err := r.save(t); err != nil {
			return err
		}
	}
	if _, err := r.batch(ctx, t); err != nil {
		return err
	}
	r.cfg.Progress(t.name(), "collected: both shares are those that the statements commit to")
	return nil
}

// refusal explains why the Leader gives no shares. That too few groups contributed is an outcome, and kept.
func (r *Round) refusal(ctx context.Context, t *task, err error) error {
	problem, isProblem := errors.AsType[*dap.Problem](err)
	switch {
	case isProblem && problem.Type == dap.InvalidBatchSize:
		members, err := r.members(ctx, t)
		if err != nil {
			return err
		}
		t.kept.Refused, t.kept.Sent = problem.Detail, 0
		for _, m := range members {
			if m.Sent {
				t.kept.Sent++
			}
		}
		r.cfg.Progress(t.name(), "withheld by the aggregators: "+problem.Detail)
		return r.save(t)
	case ctx.Err() != nil:
		return waiting(t.name())
	case isProblem && (problem.Status == http.StatusUnauthorized || problem.Status == http.StatusForbidden):
		return fmt.Errorf("%s: the Leader does not accept the Collector's token: its operator, %s, must have the collector.token of this directory: %w", t.name(), r.document.Leader.Operator, err)
	case isProblem && problem.Type == dap.UnrecognizedTask:
		return fmt.Errorf("%s: the Leader does not run this round: its operator, %s, must approve it: %w", t.name(), r.document.Leader.Operator, err)
	}
	return fmt.Errorf("%s: %w", t.name(), err)
}

// Batches returns all batches, opened and checked, in the order of the round's parts. It makes no request. What
// is not collected yet is an error.
func (r *Round) Batches() ([]release.Batch, error) {
	batches := make([]release.Batch, len(r.tasks))
	var errs []error
	for i, t := range r.tasks {
		if !t.kept.complete() {
			errs = append(errs, fmt.Errorf("%s is not collected yet", t.name()))
			continue
		}
		var err error
		if batches[i], err = r.batch(context.Background(), t); err != nil {
			errs = append(errs, err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("opening the collected round %s: %w", r.document.ID, err)
	}
	return batches, nil
}
