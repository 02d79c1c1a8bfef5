package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"candor/aggregator"
	"candor/aggregator/helper"
	"candor/aggregator/httpapi"
	"candor/aggregator/leader"
	"candor/aggregator/store"
	"candor/cmd/candor/internal/config"
)

func newLeaderCmd() *cobra.Command {
	return newAggregatorCmd("leader", "Run the Leader: members and the Collector reach this server",
		`Run the Leader of a pair of aggregators. It takes the members' uploads, aggregates them with the Helper when
the window of a round has closed, and answers the Collector. Rounds and plain tasks are taken up from the directories
that the configuration names, and rotated HPKE keys from the configuration, without a restart. It stops on SIGTERM, after the requests that are under way.`,
		func(cfg *config.Aggregator, parts serverParts) (role, error) {
			hc, err := cfg.HelperTLS.Client()
			if err != nil {
				return nil, err
			}
			return leader.New(leader.Config{
				Store: parts.store, Keys: parts.keys, HTTP: hc, Logger: parts.log, Metrics: parts.metrics,
				CPU: aggregator.NewCPU(cfg.Workers), Skew: time.Duration(cfg.ClockSkew), MaxJobReports: cfg.JobSize,
				PollInterval: time.Duration(cfg.PollInterval), RetryAfter: time.Duration(cfg.PollInterval),
				LeaseTTL: time.Duration(cfg.Lease), RequestTimeout: time.Duration(cfg.Lease) / 5,
				Retention: time.Duration(cfg.Retention), CacheLifetime: time.Duration(cfg.CacheLifetime), MaxUpload: cfg.Limits.UploadBytes, API: cfg.API(),
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
				PollInterval: time.Duration(cfg.PollInterval), RetryAfter: time.Duration(cfg.PollInterval), LeaseTTL: time.Duration(cfg.Lease),
				Retention: time.Duration(cfg.Retention), CacheLifetime: time.Duration(cfg.CacheLifetime), MaxJob: cfg.Limits.JobBytes, API: cfg.API(),
			})
		})
}

// A role is a Leader or a Helper.
type role interface {
	AddTask(ctx context.Context, t *aggregator.Task) error
	SetKeys(ring *aggregator.Keyring)
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
			return serve(cmd.Context(), path, cfg, log, make)
		},
	}
	cmd.Flags().StringVar(&path, "config", "", "configuration `FILE` (required)")
	_ = cmd.MarkFlagRequired("config") // the flag exists
	return cmd
}

// serve runs the aggregator that the configuration at path describes until ctx ends.
func serve(ctx context.Context, path string, cfg *config.Aggregator, log *slog.Logger, make func(*config.Aggregator, serverParts) (role, error)) (err error) {
	if os.Getenv("GOGC") == "" && os.Getenv("GOMEMLIMIT") == "" { // the operator knows better
		aggregator.TuneMemory()
	}
	keys, err := cfg.Keyring(ctx)
	if err != nil {
		return err
	}
	runner, err := cfg.NewRunner(ctx, "candor "+version())
	if err != nil {
		return err
	}
	metrics := httpapi.NewRegistry()
	st, err := openStore(ctx, path, cfg, aggregator.NewStoreMetrics(metrics))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Opened.Close()) }()
	r, err := make(cfg, serverParts{store: st.Opened, keys: keys, log: log, metrics: metrics})
	if err != nil {
		return err
	}
	files := newWatcher(path, cfg, runner, r, log)
	if err := files.scan(ctx); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return r.Run(ctx) })
	group.Go(func() error { return files.watch(ctx) })
	group.Go(func() error { return listen(ctx, cfg, r.Handler(), log) })
	if !config.IsPostgres(cfg.Store) {
		group.Go(func() error { return st.Serve(ctx, cfg.Store, log) })
	}
	if cfg.PrivateListen != "" {
		group.Go(func() error { return listenPrivate(ctx, cfg.PrivateListen, r, st.Opened, metrics, log) })
	}
	log.InfoContext(ctx, "serving", "address", cfg.Listen)
	if err := group.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	log.Info("stopped")
	return nil
}
