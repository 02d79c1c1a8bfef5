package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"candor/aggregator"
	"candor/aggregator/helper"
	"candor/aggregator/leader"
	"candor/aggregator/store"
	"candor/cmd/candor/internal/config"
)

// roundsInterval is how often a server looks for new rounds.
const roundsInterval = time.Second

func newLeaderCmd() *cobra.Command {
	return newAggregatorCmd("leader", "Run the Leader: members and the Collector reach this server",
		`Run the Leader of a pair of aggregators. It takes the members' uploads, aggregates them with the Helper when
the window of a round has closed, and answers the Collector. Rounds are taken up from the directory that
the configuration names, without a restart. It stops on SIGTERM, after the requests that are under way.`,
		func(cfg *config.Aggregator, parts serverParts) (role, error) {
			return leader.New(leader.Config{
				Store: parts.store, Keys: parts.keys, Logger: parts.log, Metrics: parts.metrics,
				CPU: aggregator.NewCPU(cfg.Workers), Skew: time.Duration(cfg.ClockSkew), MaxJobReports: cfg.JobSize,
				PollInterval: time.Duration(cfg.PollInterval), RetryAfter: time.Duration(cfg.PollInterval),
			})
		})
}

func newHelperCmd() *cobra.Command {
	return newAggregatorCmd("helper", "Run the Helper: only the Leader reaches this server",
		`Run the Helper of a pair of aggregators. It checks every report together with the Leader, adds up its own shares, and
gives the Leader its sealed share of a batch once, for the Collector. Members fetch its HPKE configuration from it and
nothing else. It stops on SIGTERM, after the requests that are under way.`,
		func(cfg *config.Aggregator, parts serverParts) (role, error) {
			return helper.New(helper.Config{
				Store: parts.store, Keys: parts.keys, Logger: parts.log, Metrics: parts.metrics,
				CPU: aggregator.NewCPU(cfg.Workers), Skew: time.Duration(cfg.ClockSkew), Deferred: cfg.Deferred,
			})
		})
}

// A role is a Leader or a Helper.
type role interface {
	AddTask(ctx context.Context, t *aggregator.Task) error
	Handler() http.Handler
	Run(ctx context.Context) error
	Status(ctx context.Context) (aggregator.Status, error)
}

// serverParts is what both roles are made of.
type serverParts struct {
	store   store.Store
	keys    *aggregator.Keyring
	log     *slog.Logger
	metrics *prometheus.Registry
}

func newAggregatorCmd(name, short, long string, make func(*config.Aggregator, serverParts) (role, error)) *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:     name + " --config FILE",
		Short:   short,
		Long:    long,
		Example: fmt.Sprintf("  candor config example %s > %s.yaml\n  candor %s --config %s.yaml", name, name, name, name),
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.LoadAggregator(path)
			if err != nil {
				return withHint(err, "candor config example %s", name)
			}
			log := slog.New(slog.NewJSONHandler(cmd.ErrOrStderr(), nil)).With("role", name)
			return serve(cmd.Context(), cfg, log, make)
		},
	}
	cmd.Flags().StringVar(&path, "config", "", "configuration `FILE` (required)")
	_ = cmd.MarkFlagRequired("config") // the flag exists
	return cmd
}

// serve runs an aggregator until ctx ends.
func serve(ctx context.Context, cfg *config.Aggregator, log *slog.Logger, make func(*config.Aggregator, serverParts) (role, error)) (err error) {
	keys, err := cfg.Keyring()
	if err != nil {
		return err
	}
	runner, err := cfg.NewRunner("candor " + version())
	if err != nil {
		return err
	}
	st, err := openStore(ctx, cfg.Store)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	metrics := prometheus.NewRegistry()
	r, err := make(cfg, serverParts{store: st, keys: keys, log: log, metrics: metrics})
	if err != nil {
		return err
	}
	rounds := &roundWatcher{dir: cfg.Rounds, runner: runner, role: r, log: log, seen: map[string]time.Time{}}
	if err := rounds.scan(ctx); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return r.Run(ctx) })
	group.Go(func() error { return rounds.watch(ctx) })
	group.Go(func() error { return listen(ctx, cfg, r.Handler(), log) })
	if cfg.PrivateListen != "" {
		group.Go(func() error { return listenPrivate(ctx, cfg.PrivateListen, r, st, metrics, log) })
	}
	log.InfoContext(ctx, "serving", "address", cfg.Listen)
	if err := group.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	log.Info("stopped")
	return nil
}

// A roundWatcher takes up rounds as their files appear.
type roundWatcher struct {
	dir    string
	runner *config.Runner
	role   role
	log    *slog.Logger
	seen   map[string]time.Time // by path: modification time
}

func (w *roundWatcher) watch(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(roundsInterval):
			if err := w.scan(ctx); err != nil && ctx.Err() == nil {
				return err
			}
		}
	}
}

// scan adds the tasks of every round that is new. A round that is refused is logged and does not stop the others; only a directory that cannot be read, and a store that
// does not write, are errors.
func (w *roundWatcher) scan(ctx context.Context) error {
	files, err := config.RoundFiles(w.dir)
	if err != nil {
		return err
	}
	for _, f := range files {
		text, modified, err := config.ReadRound(f)
		if err == nil && w.seen[f].Equal(modified) {
			continue
		}
		w.seen[f] = modified
		var tasks []*aggregator.Task
		if err == nil {
			tasks, err = w.runner.Tasks(text)
		}
		if err != nil {
			w.log.ErrorContext(ctx, "round refused", "file", f, "err", err)
			continue
		}
		for _, t := range tasks {
			if err := w.role.AddTask(ctx, t); err != nil {
				w.log.ErrorContext(ctx, "task refused", "file", f, "task_id", t.ID, "err", err)
			} else {
				w.log.InfoContext(ctx, "task added", "task_id", t.ID, "task_info", string(t.Config.TaskInfo))
			}
		}
	}
	return nil
}
