package cli

import (
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"candor/cmd/candor/internal/config"
	"candor/crypto/sign"
	"candor/schema/round"
)

func newRoundExtendCmd() *cobra.Command {
	var until, reason string
	cmd := &cobra.Command{
		Use:   "extend ID --until TIME --reason TEXT",
		Short: "Let the window of an open round close later",
		Long: `Write an amendment by which the window of a round closes later, and sign it for the secretariat. Both operators must approve it before the
window closes, with candor aggregator approve; then it holds. The round document, its hash and all reports stay as they are.`,
		Example: "  candor round extend 2026q1 --until 2026-06-06T00:00:00Z --reason 'three members asked for a week'",
		Args:    cobra.ExactArgs(1),
	}
	c := amendFlags(cmd, &reason)
	cmd.Flags().StringVar(&until, "until", "", "`TIME` at which the window closes, as 2026-06-06T00:00:00Z (required)")
	_ = cmd.MarkFlagRequired("until")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		at, err := time.Parse(time.RFC3339, until)
		if err != nil {
			return usageError{fmt.Errorf("--until %q is not a time such as 2026-06-06T00:00:00Z", until)}
		}
		return amendRound(cmd, c, args[0], func(d *round.Document) (*round.SignedAmendment, error) {
			return round.NewExtension(d, at, reason)
		})
	}
	return cmd
}

func newRoundCancelCmd() *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use:   "cancel ID --reason TEXT",
		Short: "Cancel an open round: both aggregators erase what they hold",
		Long: `Write an amendment that cancels a round, and sign it for the secretariat. When both operators have approved it, with candor aggregator
approve, each server erases every report and share of the round and accepts no more. It cannot be taken back. The amendment
is the signed notice for the members.`,
		Example: "  candor round cancel 2026q1 --reason 'the roster named a wrong member'",
		Args:    cobra.ExactArgs(1),
	}
	c := amendFlags(cmd, &reason)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return amendRound(cmd, c, args[0], func(d *round.Document) (*round.SignedAmendment, error) {
			return round.NewCancellation(d, reason)
		})
	}
	return cmd
}

func newRoundReplaceKeyCmd() *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use:   "replace-key ID FILE --reason TEXT",
		Short: "Give a member a new key in an open round, after one was lost or stolen",
		Long: `Write an amendment by which a member has the key of the enrolment line in FILE (- is standard input), and sign it for the secretariat. When both
operators have approved it, with candor aggregator approve, the member's report under the old key is dropped, and the member
submits again. Put the new key on the roster too, for the rounds to come: candor roster replace-key.`,
		Example: "  candor round replace-key 2026q1 member-1-new.enrolment --reason 'stolen laptop'",
		Args:    cobra.ExactArgs(2),
	}
	c := amendFlags(cmd, &reason)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		m, _, err := readEnrolment(cmd, args[1])
		if err != nil {
			return err
		}
		return amendRound(cmd, c, args[0], func(d *round.Document) (*round.SignedAmendment, error) {
			key, err := sign.ParsePublicKey(m.Key)
			if err != nil {
				return nil, err
			}
			return round.NewKeyReplacement(d, m.ID, key, reason)
		})
	}
	return cmd
}

func amendFlags(cmd *cobra.Command, reason *string) *config.Coalition {
	cmd.Flags().StringVar(reason, "reason", "", "`TEXT` that members are shown (required)")
	_ = cmd.MarkFlagRequired("reason")
	return coalitionFlag(cmd)
}

// amendRound makes, signs and keeps an amendment.
func amendRound(cmd *cobra.Command, c *config.Coalition, id string, make func(*round.Document) (*round.SignedAmendment, error)) error {
	s, err := c.Round(id)
	if err != nil {
		return err
	}
	a, err := make(s.Document)
	if err != nil {
		return err
	}
	path, err := c.Amend(s, a, time.Now())
	if err != nil {
		return err
	}
	fmt.Fprint(cmd.OutOrStdout(), a.Describe())
	fmt.Fprintf(cmd.ErrOrStderr(), "Send %s to both operators, who approve it before the window closes.\n", path)
	return nil
}

// approveAmendment shows an amendment to an operator and signs it.
func approveAmendment(cmd *cobra.Command, cfg *config.Aggregator, path, configPath string, a *round.SignedAmendment, yes bool) error {
	fmt.Fprint(cmd.OutOrStdout(), a.Describe())
	if !yes {
		return withHint(fmt.Errorf("nothing was signed"), "candor aggregator approve %s --config %s --yes", path, configPath)
	}
	complete, err := cfg.ApproveAmendment(cmd.Context(), a, path, time.Now())
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, a.Encode(), 0o644); err != nil {
		return fmt.Errorf("writing the signed amendment: %w", err)
	}
	if complete {
		fmt.Fprintf(cmd.OutOrStdout(), "Approved by all: this server acts on it.\n")
	} else {
		fmt.Fprintf(cmd.OutOrStdout(), "Signed. Give %s to the other operator.\n", path)
	}
	return nil
}
