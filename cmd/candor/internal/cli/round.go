package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"candor/cmd/candor/internal/config"
	"candor/schema/round"
)

func newRoundCmd() *cobra.Command {
	cmd := &cobra.Command{Use: "round", Short: "Plan, check, sign and follow rounds", Args: cobra.NoArgs}
	cmd.AddCommand(newRoundNewCmd(), newRoundCheckCmd(), newRoundSignCmd(), newRoundShowCmd(), newRoundStatusCmd(),
		newRoundExtendCmd(), newRoundCancelCmd(), newRoundReplaceKeyCmd())
	return cmd
}

func newRoundNewCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "new PLAN.yaml",
		Short: "Write a round from a plan, the roster and the catalogue",
		Long: `Write a round's document from a plan file, the operators' cards, the roster and the catalogue, check it, and keep it unsigned
in the coalition's directory. A plan says the period, the window, the instruments, caps and release rules;
candor config example round prints an annotated one. All mistakes are listed together.

A rehearsal is a round with synthetic figures that can never be released: give --rehearsal, or write rehearsal: true in its plan.`,
		Example: "  candor config example round > plan.yaml\n  candor round new --coalition coalition plan.yaml",
		Args:    cobra.ExactArgs(1),
	}
	c := coalitionFlag(cmd)
	var rehearsal bool
	cmd.Flags().BoolVar(&rehearsal, "rehearsal", false, "a rehearsal, whatever the plan says")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		s, err := c.NewRound(args[0])
		if err == nil && rehearsal {
			s.Document.Rehearsal = true
			s, err = round.NewSigned(s.Document)
		}
		if err != nil {
			return err
		}
		if old, err := c.Round(s.Document.ID); err == nil && len(old.SignedBy()) > 0 {
			return fmt.Errorf("writing round %s: it exists and was signed by the %s; choose another id", s.Document.ID, strings.Join(old.SignedBy(), " and the "))
		}
		if err := checkRound(c, s); err != nil {
			return err
		}
		if err := c.WriteRound(s); err != nil {
			return fmt.Errorf("writing round %s: %w", s.Document.ID, err)
		}
		if why := s.Document.Unattainable(); why != "" {
			fmt.Fprintf(cmd.ErrOrStderr(), "candor: warning: %s\n", why)
		}
		fmt.Fprint(cmd.OutOrStdout(), s.Describe(latestBefore(c, s.Document)))
		return nil
	}
	return cmd
}

// checkRound returns all that is wrong with a round, alone and beside the others.
func checkRound(c *config.Coalition, s *round.Signed) error {
	var problems []error
	for _, p := range append(s.Document.Check(), s.Document.Unprotected()...) {
		problems = append(problems, errors.New(p))
	}
	others, err := c.Rounds()
	if err != nil {
		return err
	}
	for _, other := range others {
		if other.Document.ID == s.Document.ID {
			continue
		}
		both, err := s.Document.Overlaps(other.Document)
		if err != nil {
			return err
		}
		if len(both) > 0 {
			problems = append(problems, fmt.Errorf("round %s covers part of the same period with %s: subtracting one release from the other could single a member out",
				other.Document.ID, strings.Join(both, ", ")))
		}
	}
	if len(problems) > 0 {
		return fmt.Errorf("round %s cannot be signed:\n%w", s.Document.ID, errors.Join(problems...))
	}
	return nil
}

// latestBefore returns the round that began last before d, or nil.
func latestBefore(c *config.Coalition, d *round.Document) *round.Document {
	rounds, err := c.Rounds()
	if err != nil {
		return nil
	}
	return latest(rounds, d)
}

func latest(rounds []*round.Signed, d *round.Document) (before *round.Document) {
	for _, s := range rounds {
		if o := s.Document; o.ID != d.ID && !o.Rehearsal && o.Window.Opens.Before(d.Window.Opens) && (before == nil || before.Window.Opens.Before(o.Window.Opens)) {
			before = o
		}
	}
	return before
}

func newRoundCheckCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "check ID",
		Short:   "List everything in a round that contradicts itself or another round",
		Example: "  candor round check --coalition coalition 2026q1",
		Args:    cobra.ExactArgs(1),
	}
	c := coalitionFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		s, err := c.Round(args[0])
		if err != nil {
			return err
		}
		if err := checkRound(c, s); err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "round %s: no contradictions, short code %s\n", s.Document.ID, s.Code())
		return nil
	}
	return cmd
}

func newRoundSignCmd() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "sign ID",
		Short: "Sign a round for the secretariat",
		Long: `Sign a round with the coalition's key. A signature cannot be taken back: from now on the document does not change. Send the file in
the coalition's rounds directory to both operators, who approve it with candor aggregator approve.
Without --yes the command only shows what would be signed.`,
		Example: "  candor round sign --coalition coalition 2026q1 --yes",
		Args:    cobra.ExactArgs(1),
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "sign")
	c := coalitionFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		s, err := c.Round(args[0])
		if err != nil {
			return err
		}
		if err := checkRound(c, s); err != nil {
			return err
		}
		if !yes {
			fmt.Fprint(cmd.OutOrStdout(), s.Describe(latestBefore(c, s.Document)))
			return withHint(fmt.Errorf("nothing was signed"), "candor round sign --coalition %s %s --yes", c.Dir, args[0])
		}
		key, err := c.Identity()
		if err != nil {
			return err
		}
		if err := s.Sign(round.BySecretariat, key); err != nil {
			return err
		}
		if err := c.WriteRound(s); err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "signed round %s, short code %s\n", s.Document.ID, s.Code())
		return nil
	}
	return cmd
}

func newRoundShowCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "show FILE",
		Short:   "Say in plain words what a round means",
		Long:    "Say in plain words what the round in FILE means and who has signed it. No signature is checked: candor aggregator approve and candor member submit do that.",
		Example: "  candor round show coalition/rounds/2026q1.json",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := readInput(cmd, args[0])
			if err != nil {
				return fmt.Errorf("reading a round: %w", err)
			}
			s, err := round.ParseSigned(text)
			if err != nil {
				return err
			}
			fmt.Fprint(cmd.OutOrStdout(), s.Describe(nil))
			fmt.Fprintf(cmd.OutOrStdout(), "Signed by: %s.\n", orNobody(s.SignedBy()))
			return nil
		},
	}
	return cmd
}

func orNobody(names []string) string {
	if len(names) == 0 {
		return "nobody"
	}
	return strings.Join(names, ", ")
}

func newRoundStatusCmd() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "status",
		Short:   "List the rounds and what each waits for",
		Example: "  candor round status --coalition coalition",
		Args:    cobra.NoArgs,
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c := coalitionFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		rounds, err := c.Rounds()
		if err != nil {
			return err
		}
		type row struct {
			ID       string    `json:"id"`
			Period   string    `json:"period"`
			Opens    time.Time `json:"opens"`
			Closes   time.Time `json:"closes"`
			SignedBy []string  `json:"signed_by"`
			State    string    `json:"state"`
		}
		rows := []row{}
		for _, s := range rounds {
			d := s.Document
			rows = append(rows, row{d.ID, d.Period.Label, d.Window.Opens, d.Window.Closes, s.SignedBy(), roundState(s, time.Now())})
		}
		if asJSON {
			return json.NewEncoder(cmd.OutOrStdout()).Encode(rows)
		}
		w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "ID\tPERIOD\tOPENS\tCLOSES\tSTATE")
		for _, r := range rows {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", r.ID, r.Period, r.Opens.Format(time.RFC3339), r.Closes.Format(time.RFC3339), r.State)
		}
		return w.Flush()
	}
	return cmd
}

// roundState says what a round waits for.
func roundState(s *round.Signed, now time.Time) string {
	signed := map[string]bool{}
	for _, by := range s.SignedBy() {
		signed[by] = true
	}
	var missing []string
	for _, by := range []string{round.BySecretariat, round.ByLeader, round.ByHelper} {
		if !signed[by] {
			missing = append(missing, by)
		}
	}
	switch {
	case len(missing) > 0:
		return "waits for the signature of the " + strings.Join(missing, ", the ")
	case now.Before(s.Document.Window.Opens):
		return "approved, opens later"
	case now.Before(s.Document.Window.Closes):
		return "open: members submit"
	}
	return "closed: ready to be collected"
}
