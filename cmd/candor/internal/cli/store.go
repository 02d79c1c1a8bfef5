package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"text/tabwriter"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"candor/aggregator/sealstore"
	"candor/aggregator/store"
	"candor/cmd/candor/internal/care"
	"candor/cmd/candor/internal/config"
)

func newStoreCmd() *cobra.Command {
	cmd := &cobra.Command{Use: "store", Short: "Back up, restore, check and rekey an aggregator's store", Args: cobra.NoArgs}
	cmd.AddCommand(newStoreBackupCmd(), newStoreRestoreCmd(), newStoreCheckCmd(), newStoreStatsCmd(), newStoreRekeyCmd())
	return cmd
}

// A storeOptions is what all commands of the group take.
type storeOptions struct {
	path string // of the configuration
	json bool
}

func (o *storeOptions) addFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.path, "config", "", "the server's configuration `FILE`, which names the store (required)")
	cmd.Flags().BoolVar(&o.json, "json", false, "print the result as JSON")
	_ = cmd.MarkFlagRequired("config") // the flag exists
}

// open opens the store of a configuration: the running server's, by its socket, or the store itself.
func (o *storeOptions) open(ctx context.Context, withKey bool) (server *care.Client, s care.Store, closing func() error, err error) {
	cfg, err := config.LoadAggregator(o.path)
	if err != nil {
		return nil, s, nil, err
	}
	if !config.IsPostgres(cfg.Store) {
		if server = care.Dial(cfg.Store); server != nil {
			return server, s, func() error { return nil }, nil
		}
		// To open what is not there would make it.
		if _, err := os.Stat(cfg.Store); err != nil {
			return nil, s, nil, fmt.Errorf("opening the store: %w", err)
		}
	}
	if s.Beneath, err = openBeneath(ctx, cfg.Store, nil); err != nil {
		return nil, s, nil, err
	}
	if withKey {
		if s, err = openCare(ctx, s.Beneath, o.path, cfg); err != nil {
			return nil, s, nil, errors.Join(err, s.Beneath.Close())
		}
	}
	return nil, s, s.Beneath.Close, nil
}

// openCare opens the secrets of a store.
func openCare(ctx context.Context, beneath store.Store, path string, cfg *config.Aggregator) (care.Store, error) {
	s := care.Store{Beneath: beneath}
	var err error
	if s.Opened, err = unseal(ctx, beneath, path, cfg); err != nil {
		return s, err
	}
	s.Sealed, _ = s.Opened.(*sealstore.Store)
	return s, nil
}

func newStoreCheckCmd() *cobra.Command {
	var o storeOptions
	cmd := &cobra.Command{
		Use:   "check --config FILE",
		Short: "Count a store again and say what does not fit together",
		Long: `Read the whole store, running server or not, open every sealed value, and count again: each report is in one place, each batch has the count and
the checksum of its reports, counters agree. Nothing is changed. It exits with 1 if something does not fit together: restore a backup, and tell
the other operator before a batch is collected.`,
		Example: "  candor store check --config leader.yaml",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := o.check(cmd.Context())
			if err != nil {
				return err
			}
			return printCheck(cmd.OutOrStdout(), r, o.json)
		},
	}
	o.addFlags(cmd)
	return cmd
}

func (o *storeOptions) check(ctx context.Context) (r care.Report, err error) {
	server, s, closing, err := o.open(ctx, true)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, closing()) }()
	if server != nil {
		return server.Check(ctx)
	}
	return s.Check(ctx)
}

// printCheck prints what a check found; problems are an error.
func printCheck(out io.Writer, r care.Report, asJSON bool) error {
	if asJSON {
		if r.Problems == nil {
			r.Problems = []string{}
		}
		if err := json.NewEncoder(out).Encode(r); err != nil {
			return err
		}
	} else {
		for _, p := range r.Problems {
			fmt.Fprintln(out, p)
		}
	}
	if n := len(r.Problems); n > 0 {
		return withHint(fmt.Errorf("what does not fit together in the store: %d", n), "stop the server and restore a backup: candor store restore --help")
	}
	if !asJSON {
		fmt.Fprintf(out, "no problems; tasks: %d, reports: %d, batches: %d\n", r.Tasks, r.Marks+r.Reports.Unassigned+r.Reports.Assigned+r.Reports.Aggregated+r.Reports.Rejected, r.Buckets)
	}
	return nil
}

func newStoreStatsCmd() *cobra.Command {
	var o storeOptions
	cmd := &cobra.Command{
		Use:     "stats --config FILE",
		Short:   "Say how much of what a store holds",
		Long:    "Read the whole store, running server or not, and print how many rows of each kind it holds and how many bytes they are.",
		Example: "  candor store stats --config leader.yaml --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := o.check(cmd.Context())
			if err != nil {
				return err
			}
			if o.json {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(r)
			}
			return printStats(cmd.OutOrStdout(), r)
		},
	}
	o.addFlags(cmd)
	return cmd
}

func printStats(out io.Writer, r care.Report) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	sealed := "no"
	if r.Sealed {
		sealed = "yes"
	}
	fmt.Fprintf(w, "sealed\t%s\n", sealed)
	for _, row := range []struct {
		name string
		n    uint64
	}{
		{"tasks", uint64(r.Tasks)},
		{"reports unassigned", r.Reports.Unassigned}, {"reports assigned", r.Reports.Assigned}, {"reports aggregated", r.Reports.Aggregated}, {"reports rejected", r.Reports.Rejected},
		{"reports aggregated by the Helper", r.Marks}, {"submissions of members", r.Submissions},
		{"aggregation jobs live", r.LiveAggregationJobs}, {"aggregation jobs ended", r.EndedAggregationJobs},
		{"Helper's jobs", r.HelperJobs}, {"Helper's jobs deferred", r.DeferredHelperJobs},
		{"batch buckets", r.Buckets}, {"batch buckets erased", r.ErasedBuckets},
		{"collection jobs", r.CollectionJobs}, {"Helper's aggregate shares", r.ShareAnswers}, {"statements", r.Statements},
		{"bytes", r.Bytes},
	} {
		fmt.Fprintf(w, "%s\t%d\n", row.name, row.n)
	}
	return w.Flush()
}

// rowsBar shows how many records were done, if to is a terminal.
func rowsBar(to io.Writer, what string) (progress func(records uint64), done func()) {
	f, ok := to.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return func(uint64) {}, func() {}
	}
	bar := progressbar.NewOptions(-1, progressbar.OptionSetWriter(f), progressbar.OptionSetDescription("  "+what),
		progressbar.OptionShowCount(), progressbar.OptionClearOnFinish(), progressbar.OptionThrottle(100e6), progressbar.OptionEnableColorCodes(false))
	return func(n uint64) { _ = bar.Set64(int64(n)) }, func() { _ = bar.Finish() }
}

// writeWhole writes a file that must not be there, readable by its owner alone. What write leaves unfinished is removed.
func writeWhole(path string, write func(io.Writer) error) error {
	// Under another name until it is whole, in the same directory so that it can be renamed.
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if _, err := os.Lstat(path); err == nil {
		return errors.Join(fmt.Errorf("writing %s: %w", path, os.ErrExist), f.Close())
	}
	err = write(f)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Link(f.Name(), path) // unlike a renaming, it replaces nothing
}
