package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"candor/client/collect"
	"candor/cmd/candor/internal/config"
	"candor/crypto/sign"
	"candor/schema/release"
	"candor/schema/round"
)

func newCollectCmd() *cobra.Command {
	var wait time.Duration
	var id string
	cmd := &cobra.Command{
		Use:   "collect ROUND_ID | collect --round ROUND_ID",
		Short: "Collect the sums of a round and both aggregators' statements",
		Long: `Ask the Leader for both aggregate shares of every task of a round, and both aggregators for their statements; check the statements'
signatures, that they agree, and that the shares are those that they commit to. What comes is kept in the
coalition's directory under collected/, sealed as it was sent: the command can be interrupted and repeated,
and no batch is asked for twice. It tells what is missing and who must act, and ends with status 3 if it is too early.`,
		Example: "  candor collect --coalition coalition 2026q1",
		Args:    cobra.MaximumNArgs(1),
	}
	cmd.Flags().StringVar(&id, "round", "", "the `ROUND_ID`, as members' commands name it; the same as the argument")
	cmd.Flags().DurationVar(&wait, "wait", 10*time.Minute, "how long to wait for the aggregators")
	c := coalitionFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) == 1 && id != "" && args[0] != id:
			return usageError{fmt.Errorf("the argument %s and --round %s name two rounds", args[0], id)}
		case len(args) == 1:
			id = args[0]
		case id == "":
			return withHint(usageError{errors.New("the round is missing")}, "candor collect --coalition %s 2026q1", c.Dir)
		}
		s, err := c.Round(id)
		if err != nil {
			return err
		}
		r, err := collection(c, s, func(part, what string) { fmt.Fprintf(cmd.ErrOrStderr(), "  %s: %s\n", part, what) })
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), wait)
		defer cancel()
		err = r.Collect(ctx)
		switch {
		case errors.Is(err, collect.ErrTooEarly):
			return withHint(fmt.Errorf("%w: %w", errNotReady, err), "candor collect --coalition %s %s, later", c.Dir, id)
		case err != nil:
			return err
		}
		batches, err := r.Batches()
		if err != nil {
			return err
		}
		return printBatches(cmd, s.Document, batches)
	}
	return cmd
}

// collection opens what the coalition's directory has of a round's collection.
func collection(c *config.Coalition, s *round.Signed, progress func(part, what string)) (*collect.Round, error) {
	cfg := collect.Config{Dir: c.Path("collected", s.Document.ID), Signed: s, Progress: progress, PollInterval: time.Second}
	var err error
	if cfg.Identity, err = c.Identity(); err != nil {
		return nil, err
	}
	if cfg.HPKE, cfg.Key, err = config.LoadHPKE(c.Path("collector.key")); err != nil {
		return nil, err
	}
	if cfg.Token, err = c.CollectorToken(); err != nil {
		return nil, err
	}
	cfg.Trust, err = ownTrust(cfg.Identity, s.Document)
	if err != nil {
		return nil, err
	}
	return collect.New(cfg)
}

// ownTrust pins the secretariat's own key, and the operators' keys of a document that it has signed itself.
func ownTrust(identity *sign.PrivateKey, d *round.Document) (t round.Trust, err error) {
	leader, err := sign.ParsePublicKey(d.Leader.Key)
	if err != nil {
		return t, err
	}
	helper, err := sign.ParsePublicKey(d.Helper.Key)
	return round.Trust{Secretariat: identity.PublicKey().Fingerprint(), Leader: leader.Fingerprint(), Helper: helper.Fingerprint()}, err
}

func printBatches(cmd *cobra.Command, d *round.Document, batches []release.Batch) error {
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "PART\tREPORTS\tCELLS\tBLANKED\tSTATE")
	for i, b := range batches {
		p := &d.Parts[i]
		state, blanked := "collected; both statements agree", len(b.Statements[0].Blanked)
		if b.Refused != "" {
			state = "withheld by the aggregators: " + strings.TrimSpace(b.Refused)
		}
		fmt.Fprintf(w, "%s/%s\t%d\t%d\t%d\t%s\n", p.Instrument, p.Name, b.Reports, len(p.Cells), blanked, state)
	}
	return w.Flush()
}
