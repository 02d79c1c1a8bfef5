package cli

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"candor/cmd/candor/internal/config"
)

func newKeysSealCmd() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "seal --config FILE",
		Short: "Seal the key files of a server under its store key",
		Long: `Seal every secret file that the configuration FILE of a Leader or Helper names, and those of its plain tasks, under the key that store_key names, each in its place:
identity, HPKE keys, pair secret, release key, tokens, verify keys. Files that are sealed under store_key_before are sealed under store_key. A running server needs no
restart. A sealed file opens under its own name only, on any machine that has the store key. TLS keys are left as they are.

Whoever has the store key beside the files opens them: keep it elsewhere. Without it they are lost, and so are copies that were sealed under an older store key once that
is destroyed: make new ones. The text that was in the clear may still be in free blocks of the disk and in backups of it; destroy those, or make new keys.`,
		Example: "  candor keys seal --config leader.yaml",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.LoadAggregator(path)
			if err != nil {
				return err
			}
			s, err := cfg.SealKeys(cmd.Context(), false)
			printSealing(cmd.OutOrStdout(), s)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "sealed now: %d, sealed under the new store key: %d, sealed already: %d\n", len(s.Sealed), len(s.Rewrapped), len(s.Unchanged))
			return err
		},
	}
	cmd.Flags().StringVar(&path, "config", "", "the server's configuration `FILE` (required)")
	_ = cmd.MarkFlagRequired("config") // the flag exists
	return cmd
}

func printSealing(out io.Writer, s config.Sealing) {
	for _, p := range s.Sealed {
		fmt.Fprintf(out, "sealed %s\n", p)
	}
	for _, p := range s.Rewrapped {
		fmt.Fprintf(out, "sealed under the new store key: %s\n", p)
	}
}

func newKeysUnsealCmd() *cobra.Command {
	var path, output string
	cmd := &cobra.Command{
		Use:   "unseal --config FILE -o DIR",
		Short: "Copy the key files of a server in the clear, for a safe",
		Long: `Write a copy in the clear of every secret file that the configuration FILE of a Leader or Helper names into the directory DIR: for a medium that goes into a safe, or to go
on without a store key. The files themselves stay as they are, and nothing is overwritten. Do not leave the copies on a machine.`,
		Example: "  candor keys unseal --config leader.yaml -o /media/safe",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.LoadAggregator(path)
			if err != nil {
				return err
			}
			copies, err := cfg.UnsealKeys(cmd.Context(), output)
			for _, p := range copies {
				fmt.Fprintf(cmd.OutOrStdout(), "in the clear: %s\n", p)
			}
			return err
		},
	}
	cmd.Flags().StringVar(&path, "config", "", "the server's configuration `FILE` (required)")
	cmd.Flags().StringVarP(&output, "output", "o", "", "`DIR` for the copies, made if it is not there (required)")
	for _, name := range []string{"config", "output"} {
		_ = cmd.MarkFlagRequired(name) // the flags exist
	}
	return cmd
}
