package cli

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"candor/client/ledger"
	"candor/cmd/candor/internal/config"
)

func newMemberLedgerCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "ledger",
		Short: "See what was told so far, and that the ledger is whole",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newMemberLedgerShowCmd(), newMemberLedgerVerifyCmd())
	return cmd
}

// ledgerView is `ledger show --json`.
type ledgerView struct {
	Member   string        `json:"member"`
	Balances []balanceView `json:"balances"`
	Entries  []entryView   `json:"entries"`
}

type balanceView struct {
	Unit       string `json:"unit"`
	Population string `json:"population"`
	Year       string `json:"year,omitempty"`
	Instrument string `json:"instrument,omitempty"`
	Told       string `json:"told"` // Σε, a fraction
	SetAside   string `json:"set_aside"`
	Limit      string `json:"limit,omitempty"`
}

// An entryView is a line of the ledger without noisy values.
type entryView struct {
	Seq  uint64    `json:"seq"`
	Time time.Time `json:"time"`
	Text string    `json:"text"`
}

func newMemberLedgerShowCmd() *cobra.Command {
	var asJSON, all bool
	cmd := &cobra.Command{
		Use:   "show",
		Short: "Show the budgets and, with --all, every entry",
		Long: `Show how much of each budget of the policy is used: what was told (ε, added up) and what is set aside for corrections of rounds that are
open. With --all every entry is listed, without values.`,
		Example: "  candor member ledger show --member our-member --all",
		Args:    cobra.NoArgs,
	}
	dir := memberFlag(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, with every entry")
	cmd.Flags().BoolVar(&all, "all", false, "list every entry")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		settings, err := config.LoadMember(*dir)
		if err != nil {
			return err
		}
		l, err := settings.OpenLedger()
		if err != nil {
			return ledgerHint(err)
		}
		defer l.Close()
		if asJSON {
			return printJSON(cmd.OutOrStdout(), viewLedger(l))
		}
		return printLedger(cmd.OutOrStdout(), l, all)
	}
	return cmd
}

func viewLedger(l *ledger.Ledger) ledgerView {
	view := ledgerView{Member: l.Member(), Balances: []balanceView{}, Entries: []entryView{}}
	for _, b := range l.Balances() {
		v := balanceView{Unit: b.Unit, Population: b.Population, Year: b.Year, Instrument: b.Instrument, Told: b.Spent.Epsilon.RatString(), SetAside: "0"}
		if b.Reserved.Epsilon != nil {
			v.SetAside = b.Reserved.Epsilon.RatString()
		}
		if b.Limit != nil {
			v.Limit = b.Limit.RatString()
		}
		view.Balances = append(view.Balances, v)
	}
	for _, e := range l.Entries() {
		view.Entries = append(view.Entries, entryView{e.Seq, e.Time, entryText(e)})
	}
	return view
}

func printLedger(out io.Writer, l *ledger.Ledger, all bool) error {
	balances := l.Balances()
	fmt.Fprintf(out, "ledger of member %s: %s\n", l.Member(), countEntries(len(l.Entries())))
	if len(balances) == 0 {
		fmt.Fprintln(out, "nothing was told yet")
	}
	for _, b := range balances {
		fmt.Fprintf(out, "  %s\n", balanceText(b))
	}
	if !all {
		return nil
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ENTRY\tTIME\tWHAT")
	for _, e := range l.Entries() {
		fmt.Fprintf(w, "%d\t%s\t%s\n", e.Seq, e.Time.Format(time.RFC3339), entryText(e))
	}
	return w.Flush()
}

// entryText says what an entry is, without any value in it.
func entryText(e ledger.Entry) string {
	switch {
	case e.Opening != nil:
		return "opened for member " + e.Opening.Member
	case e.Adoption != nil:
		return fmt.Sprintf("another policy adopted, with %s", countOf(len(e.Adoption.Approvals), "approval"))
	case e.Charge != nil:
		c := e.Charge
		return fmt.Sprintf("charged ε = %s to %s for %s/%s of round %s", c.Epsilon, orNone(c.Population), c.Instrument, c.Part, c.Round.ID)
	case e.Send != nil:
		return fmt.Sprintf("sent what entry %d paid for to round %s, correction %d", e.Send.Charge, e.Send.Round.ID, e.Send.Correction)
	case e.Void != nil:
		return fmt.Sprintf("took back entry %d, of which nothing was sent: %s", e.Void.Charge, e.Void.Reason)
	}
	return "unknown"
}

func newMemberLedgerVerifyCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Verify every line of the ledger and its chain of hashes",
		Long: `Read the whole ledger and verify its chain: a line that was changed, removed or added is found. Nothing is changed. Whether it is an old copy shows
when it is compared with the witness, if the settings name one, and with the Leader, which candor member submit does.`,
		Example: "  candor member ledger verify --member our-member",
		Args:    cobra.NoArgs,
	}
	dir := memberFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		settings, err := config.LoadMember(*dir)
		if err != nil {
			return err
		}
		entries, err := ledger.Verify(settings.Ledger)
		if err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s: %s, the chain is whole\n", settings.Ledger, countEntries(len(entries)))
		return nil
	}
	return cmd
}

func countEntries(n int) string {
	if n == 1 {
		return "1 entry"
	}
	return fmt.Sprintf("%d entries", n)
}
