package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"candor/aggregator/httpapi"
	"candor/cmd/candor/internal/interop"
)

func newInteropCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "interop",
		Short: "Be one party of an interoperability test",
		Long: `Run a party that a test runner drives through the HTTP+JSON API of draft-dcook-ppm-dap-interop-test-design, in the form that
the containers of other implementations speak. For tests only: there is no TLS, and whoever reaches the address can do everything.`,
		Args: cobra.NoArgs,
	}
	cmd.AddCommand(newInteropClientCmd(), newInteropAggregatorCmd(), newInteropCollectorCmd())
	return cmd
}

// interopOptions are what the three commands have in common.
type interopOptions struct {
	listen string
	logs   string
	peers  interop.Peers
}

// addFlags adds the flags; peers are those whose form can be chosen.
func (o *interopOptions) addFlags(cmd *cobra.Command, peers map[string]*interop.Profile) {
	fs := cmd.Flags()
	fs.StringVar(&o.listen, "listen", "0.0.0.0:8080", "`ADDRESS` of the API; with port 0 any that is free; the first line of output says which")
	fs.StringVar(&o.logs, "logs", "", "directory for the log, `DIR`; default: standard error")
	if len(peers) == 0 {
		return
	}
	names := make([]string, 0, len(peers))
	for _, name := range []string{"aggregator", "collector", "client"} {
		if peers[name] != nil {
			names = append(names, name)
		}
	}
	fs.Func("profile", fmt.Sprintf("form in which a peer speaks DAP, `PEER=%s`; PEER is %s; may be repeated (default: every peer speaks draft-18)", interop.Janus202608, strings.Join(names, ", ")),
		func(text string) error {
			peer, profile, _ := strings.Cut(text, "=")
			switch {
			case peers[peer] == nil:
				return fmt.Errorf("%q is not a peer of this party; there is %s", peer, strings.Join(names, ", "))
			case interop.Profile(profile) != interop.Janus202608:
				return fmt.Errorf("%q is not a profile; there is %s", profile, interop.Janus202608)
			}
			*peers[peer] = interop.Profile(profile)
			return nil
		})
}

func newInteropClientCmd() *cobra.Command {
	var o interopOptions
	cmd := &cobra.Command{
		Use:     "client",
		Short:   "Be a Client: upload a measurement for each call",
		Long:    "Be the Client of an interoperability test. Its calls are ready and upload. Any Leader that speaks draft-18 or janus-2026-08 takes its reports.",
		Example: "  candor interop client --listen 127.0.0.1:8080",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			log, closeLog, err := o.log(cmd, "client")
			if err != nil {
				return err
			}
			defer closeLog()
			return o.serve(cmd.Context(), cmd, interop.NewClient(log), log)
		},
	}
	o.addFlags(cmd, nil)
	return cmd
}

func newInteropCollectorCmd() *cobra.Command {
	var o interopOptions
	cmd := &cobra.Command{
		Use:     "collector",
		Short:   "Be a Collector: collect the batches that a runner names",
		Long:    "Be the Collector of an interoperability test. Its calls are ready, add_task, collection_start and collection_poll.",
		Example: "  candor interop collector --listen 127.0.0.1:8080",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			log, closeLog, err := o.log(cmd, "collector")
			if err != nil {
				return err
			}
			defer closeLog()
			return o.serve(cmd.Context(), cmd, interop.NewCollector(o.peers, log), log)
		},
	}
	o.addFlags(cmd, map[string]*interop.Profile{"aggregator": &o.peers.Aggregator})
	return cmd
}

func newInteropAggregatorCmd() *cobra.Command {
	var o interopOptions
	var dir string
	cmd := &cobra.Command{
		Use:   "aggregator",
		Short: "Be an Aggregator: Leader or Helper of the tasks that a runner adds",
		Long: `Be an Aggregator of an interoperability test, Leader of some tasks and Helper of others. Its calls are ready, endpoint_for_task and
add_task; DAP is served beside them at the root. Its tasks and keys are gone when it ends.`,
		Example: "  candor interop aggregator --listen 127.0.0.1:8080\n  candor interop aggregator --profile aggregator=janus-2026-08 --profile collector=janus-2026-08",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			log, closeLog, err := o.log(cmd, "aggregator")
			if err != nil {
				return err
			}
			defer closeLog()
			stores, err := os.MkdirTemp(dir, "candor-interop-")
			if err != nil {
				return fmt.Errorf("making a directory for the stores: %w", err)
			}
			defer func() { err = errors.Join(err, os.RemoveAll(stores)) }()
			a, err := interop.NewAggregator(stores, o.peers, log)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, a.Close()) }()
			group, ctx := errgroup.WithContext(cmd.Context())
			group.Go(func() error { return a.Run(ctx) })
			group.Go(func() error { return o.serve(ctx, cmd, a.Handler(), log) })
			if err := group.Wait(); err != nil && !errors.Is(err, context.Canceled) {
				return err
			}
			return nil
		},
	}
	o.addFlags(cmd, map[string]*interop.Profile{"aggregator": &o.peers.Aggregator, "collector": &o.peers.Collector, "client": &o.peers.Client})
	cmd.Flags().StringVar(&dir, "store", "", "directory in which the stores are made, `DIR`; default: the system's for temporary files")
	return cmd
}

// log opens the log. closeLog must be called.
func (o *interopOptions) log(cmd *cobra.Command, party string) (log *slog.Logger, closeLog func(), err error) {
	if o.logs == "" {
		return slog.New(slog.NewJSONHandler(cmd.ErrOrStderr(), nil)), func() {}, nil
	}
	f, err := os.OpenFile(filepath.Join(o.logs, party+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, nil, fmt.Errorf("opening the log: %w", err)
	}
	return slog.New(slog.NewJSONHandler(f, nil)), func() { _ = f.Close() }, nil // every line is written already
}

// serve serves the API until ctx ends. The first line on standard output says where.
func (o *interopOptions) serve(ctx context.Context, cmd *cobra.Command, handler http.Handler, log *slog.Logger) error {
	l, err := net.Listen("tcp", o.listen)
	if err != nil {
		return withHint(fmt.Errorf("listening on %s: %w", o.listen, err), "%s --listen 127.0.0.1:0", cmd.CommandPath())
	}
	fmt.Fprintf(cmd.OutOrStdout(), "listening on %s\n", l.Addr())
	return httpapi.Serve(ctx, httpapi.NewServer(handler, log), l, grace)
}
