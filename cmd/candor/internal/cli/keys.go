package cli

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"candor/cmd/candor/internal/config"
	"candor/crypto/sign"
	"candor/schema/round"
)

func newKeysCmd() *cobra.Command {
	cmd := &cobra.Command{Use: "keys", Short: "Make key and token files, rotate HPKE keys, seal key files", Args: cobra.NoArgs}
	cmd.AddCommand(newKeysGenerateCmd(), newKeysRotateCmd(), newKeysSealCmd(), newKeysUnsealCmd())
	return cmd
}

// keyKinds are what `keys generate` makes, in the order of its help.
var keyKinds = []string{"identity", "hpke", "token", "pair", "release", "store"}

func newKeysGenerateCmd() *cobra.Command {
	var suite, server string
	var id uint8
	cmd := &cobra.Command{
		Use:   "generate KIND FILE",
		Short: "Make a key file: " + strings.Join(keyKinds, ", "),
		Long: `Make a new key FILE that only its owner can read. A file that is there is never overwritten: what was sealed to a key that is gone
cannot be opened again. What may be known of the key is printed: the public key and fingerprint of an identity, the
public configuration of an HPKE key, the ID of a store key. Of the other kinds everything is secret.

  identity  signs approvals, receipts and statements; others pin its fingerprint
  hpke      opens what members seal to this server
  token     a bearer token, or the verify key of a plain DAP task
  pair      the secret that only the two operators share
  release   this server's noise and salts: never in the same backup as the store
  store     seals what is secret in the store, and the other key files: on another disk than these and their backups

With --config the file is sealed under the store key of that server; its name is then part of it. Without, it is in the clear; candor keys seal seals it later.`,
		Example: "  candor keys generate identity identity.key\n  candor keys generate hpke hpke.key --suite x25519 --id 7\n  candor keys generate token collector.token",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return generateKey(cmd, args[0], args[1], suite, id, server)
		},
		ValidArgs: keyKinds,
	}
	cmd.Flags().StringVar(&suite, "suite", "x-wing", "`SUITE` of an HPKE key: x-wing, x25519 or p-256")
	cmd.Flags().StringVar(&server, "config", "", "configuration `FILE` of the server that the key is for: seal it under its store key")
	cmd.Flags().Uint8Var(&id, "id", 1, "`ID` of an HPKE key, 0 to 255: no two keys of a server have the same")
	return cmd
}

func generateKey(cmd *cobra.Command, kind, path, suite string, id uint8, server string) error {
	if kind == "store" && server != "" {
		return usageError{errors.New("a store key is not sealed under another: leave --config out")}
	}
	var text []byte
	var public string
	switch kind {
	case "identity":
		key, err := sign.GenerateKey(rand.Reader)
		if err != nil {
			return err
		}
		text = config.EncodeIdentity(key)
		public = fmt.Sprintf("%s\nfingerprint: %s\n", key.PublicKey(), key.PublicKey().Fingerprint())
	case "hpke":
		file, hpke, err := config.GenerateHPKE(suite, id)
		if err != nil {
			return usageError{err}
		}
		if public, err = round.EncodeHPKE(hpke); err != nil {
			return err
		}
		text, public = file, public+"\n"
	case "token", "pair", "release", "store":
		text = config.GenerateToken()
	default:
		return usageError{fmt.Errorf("there is no kind of key %q; there are %s", kind, strings.Join(keyKinds, ", "))}
	}
	write := config.WriteSecret
	if server != "" {
		cfg, err := config.LoadAggregator(server)
		if err != nil {
			return err
		}
		write = func(path string, text []byte) error { return cfg.WriteSecret(cmd.Context(), kind, path, text) }
	}
	if err := write(path, text); err != nil {
		return fmt.Errorf("writing a key: %w", err)
	}
	if kind == "store" {
		key, err := config.LoadStoreKey(path)
		if err != nil {
			return err
		}
		public = fmt.Sprintf("id: %s\n", key.ID())
	}
	_, err := io.WriteString(cmd.OutOrStdout(), public)
	return err
}

func newKeysRotateCmd() *cobra.Command {
	var path, suite string
	cmd := &cobra.Command{
		Use:   "rotate --config FILE",
		Short: "Put a new HPKE key first and withdraw the old ones",
		Long: `Make a new HPKE key, name it first in the configuration FILE, and mark the keys named there until now as withdrawn: they are
advertised no longer and still open what was sealed to them. The new key file is sealed under the store key, if there is one. A running server takes it up within seconds. The operator's card beside the configuration is
written anew: send it to the secretariat. Rounds that were approved go on with the key that their document names.

A withdrawn key is removed by hand, line and file, when nothing needs it any more: the command says until when that is not so.`,
		Example: "  candor keys rotate --config leader.yaml",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := config.RotateHPKE(cmd.Context(), path, suite)
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			fmt.Fprintf(out, "new key %s, id %d\n", r.File, r.Config.ID)
			for _, w := range r.Withdrawn {
				fmt.Fprintf(out, "withdrawn %s, id %d: keep it for %d days at least", w.File, w.ID, int(w.Keep.Hours()/24))
				if len(w.Rounds) > 0 {
					fmt.Fprintf(out, ", and until these rounds are collected: %s", strings.Join(w.Rounds, ", "))
				}
				fmt.Fprintln(out)
			}
			if r.Card != "" {
				fmt.Fprintf(cmd.ErrOrStderr(), "Send %s to the secretariat: the next round names the new key.\n", r.Card)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&path, "config", "", "this server's configuration `FILE` (required)")
	cmd.Flags().StringVar(&suite, "suite", "x-wing", "`SUITE` of the new key: x-wing, x25519 or p-256")
	_ = cmd.MarkFlagRequired("config") // the flag exists
	return cmd
}
