package cli

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"candor/aggregator/sealstore"
	"candor/cmd/candor/internal/config"
)

func newStoreRekeyCmd() *cobra.Command {
	var o storeOptions
	var wrapOnly bool
	cmd := &cobra.Command{
		Use:   "rekey --config FILE",
		Short: "Seal a store under new keys, while the server runs",
		Long: `Give each task a new data key, wrapped by the key that store_key names, seal all rows again under it, in small transactions while the server works, and
destroy the old data keys. An interrupted run is resumed by the next. With --wrap-only the data keys stay and only their wrapping becomes that of store_key.

To change the wrapping key: make one (candor keys generate store store-2.key), name it as store_key and the one before as store_key_before in the
configuration of every process of this server, and run this command. Key files that are sealed under the key before are sealed under the new one with
it. When it ends, the key before opens backups and copies of key files made until now and nothing else: make new ones, take store_key_before away,
and destroy that key and the old backups together. Only then is what was deleted from the store, at the end of its retention, gone from the backups too.`,
		Example: "  candor store rekey --config leader.yaml\n  candor store rekey --config leader.yaml --wrap-only",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			server, s, closing, err := o.open(cmd.Context(), true)
			if err != nil {
				return err
			}
			rekey := s.Rekey
			if server != nil {
				rekey = server.Rekey
			}
			progress, done := rowsBar(cmd.ErrOrStderr(), "rows sealed again")
			r, err := rekey(cmd.Context(), wrapOnly, progress)
			done()
			if err = errors.Join(err, closing()); err != nil {
				return withHint(fmt.Errorf("rekeying: %w", err), "nothing is lost; when the cause is gone, candor store rekey --config %s goes on", o.path)
			}
			files, err := o.rewrapKeyFiles(cmd)
			if err != nil {
				return err
			}
			if o.json {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(struct {
					sealstore.Rekeying
					KeyFiles int `json:"key_files"` // sealed under the new store key
				}{r, len(files.Rewrapped)})
			}
			printSealing(cmd.OutOrStdout(), files)
			fmt.Fprintf(cmd.OutOrStdout(), "keys wrapped anew: %d, data keys made: %d, rows sealed again: %d, data keys destroyed: %d\n", r.Wrapped, r.Made, r.Resealed, r.Destroyed)
			return nil
		},
	}
	o.addFlags(cmd)
	cmd.Flags().BoolVar(&wrapOnly, "wrap-only", false, "change the wrapping of the data keys only")
	return cmd
}

// rewrapKeyFiles seals the key files that are under the store key before under the present one.
func (o *storeOptions) rewrapKeyFiles(cmd *cobra.Command) (config.Sealing, error) {
	cfg, err := config.LoadAggregator(o.path)
	if err != nil {
		return config.Sealing{}, err
	}
	files, err := cfg.SealKeys(cmd.Context(), true)
	if err != nil {
		return files, withHint(fmt.Errorf("rekeying: the store is done, key files are not: %w", err),
			"keep store_key_before until these files are sealed anew, where they can be written: candor keys seal --config %s", o.path)
	}
	return files, nil
}
