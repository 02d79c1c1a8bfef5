package cli

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"candor/client/ledger"
	"candor/cmd/candor/internal/config"
	"candor/schema/round"
)

func newMemberCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "member",
		Short: "A member's work: keys, figures, submission, receipt",
		Long: `A member's path through a round: make a key once (keygen) and pin the coalition's (pin); then, for each round, write a figures
file (template), fill it in, check it (check), look at what would leave and send it (submit), and see that both aggregators
counted it (status). Figures stay in the member's own directory, --member.`,
		Args: cobra.NoArgs,
	}
	cmd.AddCommand(newMemberKeygenCmd(), newMemberPinCmd(), newMemberTemplateCmd(), newMemberCheckCmd(), newMemberSubmitCmd(), newMemberCorrectCmd(), newMemberUploadCmd(),
		newMemberStatusCmd(), newMemberApproveCmd(), newMemberLedgerCmd(), newMemberPolicyCmd(), newMemberReportCmd())
	return cmd
}

// memberFlag adds --member to a command and returns where its value will be.
func memberFlag(cmd *cobra.Command) *string {
	return cmd.Flags().String("member", "member", "the member's `DIR`")
}

func newMemberKeygenCmd() *cobra.Command {
	var m round.Member
	var policy string
	cmd := &cobra.Command{
		Use:   "keygen DIR",
		Short: "Make this member's directory and the line that enrols it",
		Long: `Make a directory with this member's signing key, its settings and its privacy ledger, and print the enrolment line for the
secretariat. The line is public; the key is not: whoever has it submits in this member's name. Tell the secretariat the fingerprint
in person or by telephone. Members under one owner give the same group, and count once.

The ledger refuses to tell more than a policy allows; without --policy that is the one that comes with the program. A member whose key was
lost or stolen moves member.key away and runs the command again in the same directory: the ledger stays.`,
		Example: "  candor member keygen our-member --id member-1 --name 'Example Platform Ltd' > member-1.enrolment",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if m.Group == "" {
				m.Group = m.ID
			}
			text := ledger.ShippedPolicy()
			if policy != "" {
				var err error
				if text, err = os.ReadFile(policy); err != nil {
					return fmt.Errorf("reading the policy: %w", err)
				}
			}
			key, err := config.InitMember(args[0], m.ID, text)
			if err != nil {
				return err
			}
			line, err := round.Enrol(m, key).Line()
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), line)
			fmt.Fprintf(cmd.ErrOrStderr(), "key fingerprint: %s\nBack up %s, and then pin the coalition's keys: candor member pin --help\n", key.PublicKey().Fingerprint(), args[0])
			return nil
		},
	}
	fs := cmd.Flags()
	fs.StringVar(&m.ID, "id", "", "short `ID`, as agreed with the secretariat (required)")
	fs.StringVar(&m.Name, "name", "", "legal `NAME` (required)")
	fs.StringVar(&m.Group, "group", "", "`GROUP` of members under one owner (default: the id)")
	fs.StringVar(&policy, "policy", "", "the policy `FILE` of the new ledger (default: the one that comes with the program)")
	_ = cmd.MarkFlagRequired("id")
	_ = cmd.MarkFlagRequired("name")
	return cmd
}

func newMemberPinCmd() *cobra.Command {
	cmd := newPinCmd()
	cmd.Use = "pin DIR"
	cmd.Long = `Write fingerprints under trust: in the settings of the member's directory DIR. Take them from their owners in person or by telephone, never from
a file or a mail that the secretariat sent: they are what keeps a false round out.`
	cmd.Example = "  candor member pin our-member --secretariat 6X3KD-0M9QT-HZ72A-WV8CN-R4EBJ"
	pin := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return pin(cmd, []string{filepath.Join(args[0], "member.yaml")})
	}
	return cmd
}
