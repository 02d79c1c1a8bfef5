package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"candor/cmd/candor/internal/care"
	"candor/cmd/candor/internal/config"
)

func newStoreBackupCmd() *cobra.Command {
	var o storeOptions
	var output string
	cmd := &cobra.Command{
		Use:     "backup --config FILE -o BACKUP",
		Aliases: []string{"export"},
		Short:   "Write a consistent copy of a store to a file, while the server runs",
		Long: `Write one consistent snapshot of the store, a bbolt file or a database, to a new file, while the server runs. What is sealed stays sealed in it: no key
is needed, and without the store key the file gives away no share. Keep it apart from store.key and release.key.

The file suits either kind of store: to move from a bbolt file to PostgreSQL, or back, is to stop the server, export, change
store: in the configuration, and import (these are other names of backup and restore).`,
		Example: "  candor store backup --config leader.yaml -o leader-2026-03-01.backup\n  candor store backup --config leader.yaml -o /var/backups/candor\n  candor store export --config leader.yaml -o -",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			server, s, closing, err := o.open(cmd.Context(), false)
			if err != nil {
				return err
			}
			backup := s.Backup
			if server != nil {
				backup = server.Backup
			}
			var contents care.Contents
			write := func(out io.Writer) (err error) {
				contents, err = backupTo(cmd.Context(), backup, out, cmd.ErrOrStderr())
				return err
			}
			switch info, statErr := os.Stat(output); {
			case output == "-":
				err = write(cmd.OutOrStdout())
			case statErr == nil && info.IsDir():
				err = writeWhole(filepath.Join(output, backupName(o.path, time.Now())), write)
			default:
				err = writeWhole(output, write)
			}
			if err = errors.Join(err, closing()); err != nil {
				err = fmt.Errorf("backing up: %w", err)
				if errors.Is(err, fs.ErrExist) {
					return withHint(err, "nothing is overwritten: choose another name")
				}
				return err
			}
			if o.json && output != "-" {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(contents)
			}
			if !contents.Sealed {
				fmt.Fprintln(cmd.ErrOrStderr(), "Warning: this store is in the clear, and so is its backup.")
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "backed up; tasks: %d, reports: %d, rows: %d\n", contents.Tasks, contents.Reports, contents.Records)
			return nil
		},
	}
	o.addFlags(cmd)
	cmd.Flags().StringVarP(&output, "output", "o", "", "the new `FILE`, or a directory for one that is named after the time; - is standard output (required)")
	_ = cmd.MarkFlagRequired("output") // the flag exists
	return cmd
}

// backupName names a backup in a directory after the configuration and the time.
func backupName(path string, now time.Time) string {
	name := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
	return name + "-" + now.UTC().Format("20060102T150405Z") + ".backup"
}

// backupTo writes a backup and reads it at the same time, so that what is kept is known to be whole.
func backupTo(ctx context.Context, backup func(context.Context, io.Writer) error, out, talk io.Writer) (contents care.Contents, err error) {
	progress, done := rowsBar(talk, "rows written")
	defer done()
	r, w := io.Pipe()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		err := backup(ctx, io.MultiWriter(out, w))
		w.CloseWithError(err) // nil is the end
		return err
	})
	group.Go(func() error {
		var err error
		contents, err = care.Inspect(r, progress)
		r.CloseWithError(err)
		return err
	})
	return contents, group.Wait()
}

func newStoreRestoreCmd() *cobra.Command {
	var o storeOptions
	var yes bool
	cmd := &cobra.Command{
		Use:     "restore --config FILE BACKUP",
		Aliases: []string{"import"},
		Short:   "Put a backup into an empty store",
		Long: `Read the file BACKUP, check that it is whole, and say what it holds. With --yes put it into the store that the configuration names, of either kind, which
must be empty, while no server runs; then check the store as candor store check does.

A sealed backup needs the store key that it was made under, as store_key or store_key_before. A backup of a store in the clear is sealed on its way if
the configuration names a store key. A restored server is back in time: docs/operations.md says what follows from that.`,
		Example: "  candor store restore --config leader.yaml leader-2026-03-01.backup\n  candor store restore --config leader.yaml leader-2026-03-01.backup --yes",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := config.LoadAggregator(o.path)
			if err != nil {
				return err
			}
			f, err := os.Open(args[0])
			if err != nil {
				return fmt.Errorf("restoring: %w", err)
			}
			defer f.Close()
			progress, done := rowsBar(cmd.ErrOrStderr(), "rows read")
			contents, err := care.Inspect(f, progress)
			done()
			if err != nil {
				return fmt.Errorf("reading %s: %w", args[0], err)
			}
			if !yes {
				if o.json {
					return json.NewEncoder(cmd.OutOrStdout()).Encode(contents)
				}
				fmt.Fprintf(cmd.OutOrStdout(), "would go into %[5]s: %[1]s; tasks: %[2]d, reports: %[3]d, rows: %[4]d\n", args[0], contents.Tasks, contents.Reports, contents.Records, config.HidePassword(cfg.Store))
				return withHint(errors.New("nothing was restored"), "candor store restore --config %s %s --yes", o.path, args[0])
			}
			if _, err := f.Seek(0, io.SeekStart); err != nil {
				return err
			}
			report, err := restore(cmd, o.path, cfg, f)
			if err != nil {
				return err
			}
			return printCheck(cmd.OutOrStdout(), report, o.json)
		},
	}
	o.addFlags(cmd)
	cmd.Flags().BoolVar(&yes, "yes", false, "restore")
	return cmd
}

// restore puts a file that is whole into the store of a configuration.
func restore(cmd *cobra.Command, path string, cfg *config.Aggregator, f io.Reader) (report care.Report, err error) {
	ctx := cmd.Context()
	beneath, err := openAny(ctx, cfg.Store, nil)
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, beneath.Close()) }()
	progress, done := rowsBar(cmd.ErrOrStderr(), "rows restored")
	report, err = care.Restore(ctx, beneath, f, func(ctx context.Context) (care.Store, error) { return openCare(ctx, beneath, path, cfg) }, progress)
	done()
	if errors.Is(err, care.ErrNotEmpty) {
		return report, withHint(fmt.Errorf("restoring: %w: nothing is overwritten", err), "move the store's file away, or give the database that store: names another name")
	}
	if err != nil {
		return report, fmt.Errorf("restoring: %w", err)
	}
	return report, nil
}
