package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"candor/cmd/candor/internal/config"
)

func newMemberApproveCmd() *cobra.Command {
	var o submitOptions
	var keyPath string
	cmd := &cobra.Command{
		Use:   "approve FILE --round R --key KEY",
		Short: "Approve a submission as the second person",
		Long: `Show what the figures in FILE would tell, as candor member submit does, and sign this very draft with a second person's key: one of the signers
of the member's policy. Where the policy asks for approvals, candor member submit sends nothing before they are there, and
any change of the figures makes them void. Without --yes the command only shows.

candor member policy key makes a key; its public half is put under signers: in a policy with approvals: 1.`,
		Example: "  candor member approve figures.xlsx --round 2026q1.json --member our-member --key second.key --yes",
		Args:    cobra.ExactArgs(1),
	}
	o.member = memberFlag(cmd)
	fs := cmd.Flags()
	fs.StringVar(&o.round, "round", "", "the signed round: a `FILE`, or the id of a round that you submitted to before (required)")
	fs.StringVar(&keyPath, "key", "", "the second person's key `FILE` (required)")
	fs.BoolVar(&o.yes, "yes", false, "sign")
	_ = cmd.MarkFlagRequired("key") // the flag exists
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		key, err := config.LoadIdentity(keyPath)
		if err != nil {
			return err
		}
		s, err := openMember(cmd, *o.member, true)
		if err != nil {
			return err
		}
		defer s.Close()
		r, err := s.openRound(cmd, o.round)
		if err != nil {
			return err
		}
		d, err := s.draft(cmd, r, args[0])
		if err != nil {
			return err
		}
		if err := s.printQuestions(cmd.ErrOrStderr(), r, d); err != nil {
			return err
		}
		if err := showDraft(cmd.OutOrStdout(), r, d, s.ledger.Balances()); err != nil {
			return err
		}
		if !o.yes {
			return withHint(errors.New("nothing was signed"), "candor member approve %s --round %s --member %s --key %s --yes", args[0], o.round, *o.member, keyPath)
		}
		missing, err := s.Approve(d, key)
		if err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "\napproved draft %s by key %s; %s missing\n", d.Code(), key.PublicKey().Fingerprint(), countOf(missing, "approval"))
		return nil
	}
	return cmd
}
