package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"candor/client/ledger"
	"candor/cmd/candor/internal/config"
)

func newMemberPolicyCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "See and replace what this member allows itself to tell",
		Long: `The policy bounds what the ledger lets out, and says whether a second person approves each submission (approvals:). The program refuses whatever goes
beyond it and has no option to go on regardless: another policy has to be adopted, which the ledger records, with the signatures
of as many signers as the one in force asks for.

The policy that comes with the program allows ε = 1 for each instrument and round (2 for an answer), and in all 40 for an item, 136 a year for an account or a person, and
16 a year for an answer. That is what taking part in all instruments for a year takes, each corrected once, and it is high: a member that takes part in fewer should
lower the totals (docs/for-counsel.md, "How much may add up").`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newMemberPolicyShowCmd(), newMemberPolicyKeyCmd(), newMemberPolicySignCmd(), newMemberPolicyAdoptCmd())
	return cmd
}

// withLedger runs fn on the ledger of the member's directory.
func withLedger(dir string, fn func(*ledger.Ledger) error) error {
	settings, err := config.LoadMember(dir)
	if err != nil {
		return err
	}
	l, err := settings.OpenLedger()
	if err != nil {
		return ledgerHint(err)
	}
	return errors.Join(fn(l), l.Close())
}

func newMemberPolicyShowCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "show",
		Short:   "Print the policy in force",
		Example: "  candor member policy show --member our-member > policy.yaml",
		Args:    cobra.NoArgs,
	}
	dir := memberFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return withLedger(*dir, func(l *ledger.Ledger) error {
			text := ""
			for _, e := range l.Entries() { // the last one is in force
				if e.Opening != nil {
					text = e.Opening.Policy
				}
				if e.Adoption != nil {
					text = e.Adoption.Policy
				}
			}
			_, err := fmt.Fprint(cmd.OutOrStdout(), text)
			return err
		})
	}
	return cmd
}

func newMemberPolicyKeyCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "key FILE",
		Short: "Make a key for a signer of the policy",
		Long: `Make a signing key in FILE for one person, and print its public half, which goes under signers: in a policy. The person keeps the file where the
others cannot read it.`,
		Example: "  candor member policy key second.key",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := config.GenerateIdentity()
			if err != nil {
				return err
			}
			if err := config.WriteSecret(args[0], text); err != nil {
				return fmt.Errorf("writing the key: %w", err)
			}
			key, err := config.LoadIdentity(args[0])
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), key.PublicKey())
			return err
		},
	}
}

func newMemberPolicySignCmd() *cobra.Command {
	var keyPath string
	cmd := &cobra.Command{
		Use:     "sign POLICY.yaml --key KEY",
		Short:   "Sign a change of the policy, as one of the signers of the one in force",
		Long:    "Sign that the policy in force is replaced by the one in POLICY.yaml, in this ledger and no other, and print the approval.",
		Example: "  candor member policy sign policy.yaml --member our-member --key second.key > approval.json",
		Args:    cobra.ExactArgs(1),
	}
	dir := memberFlag(cmd)
	cmd.Flags().StringVar(&keyPath, "key", "", "the signer's key `FILE` (required)")
	_ = cmd.MarkFlagRequired("key") // the flag exists
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		text, err := readInput(cmd, args[0])
		if err != nil {
			return fmt.Errorf("reading the policy: %w", err)
		}
		if _, err := ledger.ParsePolicy(text); err != nil {
			return err
		}
		key, err := config.LoadIdentity(keyPath)
		if err != nil {
			return err
		}
		return withLedger(*dir, func(l *ledger.Ledger) error {
			return json.NewEncoder(cmd.OutOrStdout()).Encode(l.SignPolicy(key, text))
		})
	}
	return cmd
}

func newMemberPolicyAdoptCmd() *cobra.Command {
	var approvalPaths []string
	cmd := &cobra.Command{
		Use:     "adopt POLICY.yaml",
		Short:   "Replace the policy in force",
		Long:    "Replace the policy in force by the one in POLICY.yaml. What was told so far counts under the new one as well. The ledger records the change and the approvals.",
		Example: "  candor member policy adopt policy.yaml --member our-member --approval approval.json",
		Args:    cobra.ExactArgs(1),
	}
	dir := memberFlag(cmd)
	cmd.Flags().StringSliceVar(&approvalPaths, "approval", nil, "a signer's approval `FILE`, as often as the policy in force asks for")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		text, err := readInput(cmd, args[0])
		if err != nil {
			return fmt.Errorf("reading the policy: %w", err)
		}
		approvals := make([]ledger.Approval, len(approvalPaths))
		for i, path := range approvalPaths {
			approval, err := os.ReadFile(path)
			if err != nil {
				return fmt.Errorf("reading an approval: %w", err)
			}
			if err := json.Unmarshal(approval, &approvals[i]); err != nil {
				return fmt.Errorf("reading the approval %s: %w", path, err)
			}
		}
		return withLedger(*dir, func(l *ledger.Ledger) error {
			if err := l.AdoptPolicy(text, approvals...); err != nil {
				return withHint(err, "candor member policy sign --help")
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "the policy in %s is in force\n", args[0])
			return err
		})
	}
	return cmd
}
