package cli

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"candor/cmd/candor/internal/config"
	"candor/schema/round"
)

func newMemberCmd() *cobra.Command {
	cmd := &cobra.Command{Use: "member", Short: "A member's work: keys, figures, submission, receipt", Args: cobra.NoArgs}
	cmd.AddCommand(newMemberKeygenCmd())
	return cmd
}

func newMemberKeygenCmd() *cobra.Command {
	var m round.Member
	cmd := &cobra.Command{
		Use:   "keygen DIR",
		Short: "Make this member's key and the line that enrols it",
		Long: `Make a directory with this member's signing key and print the enrolment line for the secretariat. The line is public; the key is not:
whoever has it submits in this member's name. Tell the secretariat the fingerprint in person or by telephone.
Members under one owner give the same group, and count once.`,
		Example: "  candor member keygen our-member --id member-1 --name 'Example Platform Ltd' > member-1.enrolment",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if m.Group == "" {
				m.Group = m.ID
			}
			if err := os.MkdirAll(args[0], 0o700); err != nil {
				return err
			}
			path := filepath.Join(args[0], "member.key")
			text, err := config.GenerateIdentity()
			if err != nil {
				return err
			}
			if err := config.WriteSecret(path, text); err != nil {
				return fmt.Errorf("writing the member's key: %w", err)
			}
			key, err := config.LoadIdentity(path)
			if err != nil {
				return err
			}
			line, err := round.Enrol(m, key).Line()
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), line)
			fmt.Fprintf(cmd.ErrOrStderr(), "key fingerprint: %s\n", key.PublicKey().Fingerprint())
			return nil
		},
	}
	fs := cmd.Flags()
	fs.StringVar(&m.ID, "id", "", "short `ID`, as agreed with the secretariat (required)")
	fs.StringVar(&m.Name, "name", "", "legal `NAME` (required)")
	fs.StringVar(&m.Group, "group", "", "`GROUP` of members under one owner (default: the id)")
	_ = cmd.MarkFlagRequired("id")
	_ = cmd.MarkFlagRequired("name")
	return cmd
}
