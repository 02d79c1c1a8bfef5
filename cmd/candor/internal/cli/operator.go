package cli

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"candor/cmd/candor/internal/config"
	"candor/crypto/sign"
	"candor/schema/round"
)

func newAggregatorGroupCmd() *cobra.Command {
	cmd := &cobra.Command{Use: "aggregator", Short: "Set up an aggregator and approve rounds", Args: cobra.NoArgs}
	cmd.AddCommand(newOperatorInitCmd(), newOperatorPairCmd(), newPinCmd(), newApproveCmd())
	return cmd
}

func newOperatorInitCmd() *cobra.Command {
	o := config.Operator{}
	cmd := &cobra.Command{
		Use:   "init DIR",
		Short: "Make an aggregator's directory: keys, configuration, card",
		Long: `Make a directory with this server's keys, an annotated configuration and its card. The card is public: send it to the
secretariat. The fingerprint that is printed is what the other operator, the secretariat and every member pin:
give it to them in a way that nobody can change, in person or by telephone.

The store and the key files are sealed under a store key. By default it is the new file store.key beside them, which keeps backups from being read but not
this disk: better give --store-key a file on another medium, which is made if it is not there, or env: or exec: with a key from elsewhere.`,
		Example: "  candor aggregator init helper-server --role helper --operator 'Example Trust' --endpoint https://helper.example/",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Dir = args[0]
			card, err := config.InitOperator(cmd.Context(), o)
			if err != nil {
				return fmt.Errorf("making the aggregator's directory: %w", err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "fingerprint of the %s: %s\n", o.Role, fingerprintOf(card.Key))
			fmt.Fprintf(cmd.ErrOrStderr(), "Send %s/%s.card to the secretariat; then pair with the other operator: candor aggregator pair --help\n", o.Dir, o.Role)
			return nil
		},
	}
	fs := cmd.Flags()
	fs.StringVar(&o.Role, "role", "", "leader or helper (required)")
	fs.StringVar(&o.Name, "operator", "", "legal `NAME` of the organisation that runs this server (required)")
	fs.StringVar(&o.Endpoint, "endpoint", "", "public `URL`, with a slash at its end (required)")
	fs.StringVar(&o.Listen, "listen", "0.0.0.0:8443", "`ADDRESS` of the public listener")
	fs.StringVar(&o.Private, "private-listen", "127.0.0.1:9090", "`ADDRESS` for health and metrics")
	fs.StringVar(&o.StoreKey, "store-key", "file:store.key", "`SOURCE` of the store key: file:PATH, env:NAME, exec:COMMAND or none")
	for _, name := range []string{"role", "operator", "endpoint"} {
		_ = cmd.MarkFlagRequired(name) // the flags exist
	}
	return cmd
}

func newOperatorPairCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "pair DIR",
		Short: "Make the secrets that only the two operators share",
		Long: `Make pair.secret and peer.token in DIR. One operator does this, once, and gives the other a copy of both files on a medium that nobody
else reads: who has them can make invalid reports pass. The secretariat and the members never see them. Then both
put each other's and the secretariat's fingerprints under trust: in their configuration.`,
		Example: "  candor aggregator pair leader-server",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := config.Pair(args[0]); err != nil {
				return fmt.Errorf("making the pair's secrets: %w", err)
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "Give the other operator copies of %[1]s/pair.secret and %[1]s/peer.token.\n", args[0])
			return nil
		},
	}
}

func newPinCmd() *cobra.Command {
	var trust round.Trust
	cmd := &cobra.Command{
		Use:   "pin FILE",
		Short: "Pin the keys of the coalition and of both operators in a configuration",
		Long: `Write fingerprints under trust: in the configuration FILE. Take them from their owners in person or by telephone, never from a file
or a mail that the secretariat sent: they are what keeps a false round out.`,
		Example: "  candor aggregator pin leader.yaml --secretariat 6X3KD-0M9QT-HZ72A-WV8CN-R4EBJ",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if trust == (round.Trust{}) {
				return usageError{fmt.Errorf("no fingerprint is given")}
			}
			return config.Pin(args[0], trust)
		},
	}
	fs := cmd.Flags()
	for _, pin := range []struct {
		name  string
		value *sign.Fingerprint
	}{{"secretariat", &trust.Secretariat}, {"leader", &trust.Leader}, {"helper", &trust.Helper}} {
		fs.Func(pin.name, "`FINGERPRINT` of the "+pin.name, func(text string) (err error) {
			*pin.value, err = sign.ParseFingerprint(text)
			return err
		})
	}
	return cmd
}

func newApproveCmd() *cobra.Command {
	var path string
	var yes bool
	cmd := &cobra.Command{
		Use:   "approve ROUND.json --config FILE",
		Short: "Show in plain words what a round means, and counter-sign it",
		Long: `Check that the secretariat signed the round in ROUND.json, that it contradicts neither itself nor a round approved before, and
show in plain words what it means and what changed since the last one: read it, and read the short code to the other operator.
With --yes the server's key signs the round. When both operators have, the round is put among those that this server
runs; run the command again on the file that the other operator signed last. Amendments of a round (ID.N.amendment) are approved likewise.

Approve a roster by legal names and key fingerprints: a sock puppet among the members is what the other rules cannot see.`,
		Example: "  candor aggregator approve 2026q1.json --config leader.yaml\n  candor aggregator approve 2026q1.json --config leader.yaml --yes",
		Args:    cobra.ExactArgs(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return approve(cmd, args[0], path, yes) },
	}
	cmd.Flags().StringVar(&path, "config", "", "this server's configuration `FILE` (required)")
	cmd.Flags().BoolVar(&yes, "yes", false, "sign")
	_ = cmd.MarkFlagRequired("config") // the flag exists
	return cmd
}

func approve(cmd *cobra.Command, roundPath, configPath string, yes bool) error {
	cfg, err := config.LoadAggregator(configPath)
	if err != nil {
		return err
	}
	text, err := readInput(cmd, roundPath)
	if err != nil {
		return fmt.Errorf("reading a round: %w", err)
	}
	if a, err := round.ParseAmendment(text); err == nil {
		return approveAmendment(cmd, cfg, roundPath, configPath, a, yes)
	}
	s, err := round.ParseSigned(text)
	if err != nil {
		return err
	}
	approved, err := cfg.Approved()
	if err != nil {
		return err
	}
	fmt.Fprint(cmd.OutOrStdout(), s.Describe(latest(approved, s.Document)))
	if !yes {
		if err := s.Verify(cfg.Trust, round.BySecretariat); err != nil {
			return err
		}
		return withHint(fmt.Errorf("nothing was signed"), "candor aggregator approve %s --config %s --yes", roundPath, configPath)
	}
	complete, err := cfg.Approve(cmd.Context(), s)
	if err != nil {
		return err
	}
	if err := os.WriteFile(roundPath, s.Encode(), 0o644); err != nil {
		return fmt.Errorf("writing the signed round: %w", err)
	}
	if complete {
		fmt.Fprintf(cmd.OutOrStdout(), "Approved by all: this server runs round %s.\n", s.Document.ID)
		runner, err := cfg.NewRunner(cmd.Context(), "")
		if err != nil {
			return err
		}
		code, err := runner.Code(s.Encode())
		if err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "Configuration code %s: read it to the other operator before the window opens; both must have the same.\n", code)
	} else {
		fmt.Fprintf(cmd.OutOrStdout(), "Signed. Give %s to the other operator.\n", roundPath)
	}
	return nil
}
