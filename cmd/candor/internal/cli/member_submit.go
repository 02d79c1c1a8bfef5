package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"candor/client/ledger"
	"candor/client/member"
	"candor/schema/metric"
)

type submitOptions struct {
	member  *string
	round   string
	yes     bool
	dryRun  bool
	offline string
}

func (o *submitOptions) addFlags(cmd *cobra.Command) {
	o.member = memberFlag(cmd)
	fs := cmd.Flags()
	fs.StringVar(&o.round, "round", "", "the signed round: a `FILE`, or the id of a round that you submitted to before (required)")
	fs.BoolVar(&o.yes, "yes", false, "send without asking")
	fs.BoolVar(&o.dryRun, "dry-run", false, "show what would leave, and send nothing")
	fs.StringVar(&o.offline, "offline", "", "seal to `FILE`, which another machine uploads, and make no connection")
}

func newMemberSubmitCmd() *cobra.Command {
	var o submitOptions
	cmd := &cobra.Command{
		Use:   "submit FILE --round R",
		Short: "Show what will leave, send it, and keep the receipts",
		Long: `Verify the round (the signatures of the secretariat and both operators against your pins, and that its entry for you bears your
own key), check the figures in FILE, and show cell by cell what will leave this machine. Then, after a yes, charge the privacy
ledger, sign, encrypt to the keys in the round, upload, and keep the Leader's receipts.

Noise is drawn once for each set of figures and kept in the ledger, so that --dry-run shows the very numbers that would be sent; it makes no
connection. A submission that was interrupted is repeated by the same command, with the same reports. Figures that changed after
they were sent are for candor member correct.`,
		Example: `  candor member submit figures.xlsx --round 2026q1.json --member our-member --dry-run
  candor member submit figures.xlsx --round 2026q1.json --member our-member
  candor member submit figures.xlsx --round 2026q1.json --member our-member --offline sealed.json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, args[0], false) },
	}
	o.addFlags(cmd)
	return cmd
}

func newMemberCorrectCmd() *cobra.Command {
	var o submitOptions
	cmd := &cobra.Command{
		Use:   "correct FILE --round R",
		Short: "Replace what was submitted, until the window closes",
		Long: `Show which cells changed since the last submission to the round, and send the changed parts anew with the next correction number. The
Leader erases the reports that are replaced. A part with any change gets fresh noise in all of its cells and is charged again, within
what your policy allows. After the window has closed nothing can be corrected before the round's next revision.`,
		Example: "  candor member correct figures.xlsx --round 2026q1.json --member our-member",
		Args:    cobra.ExactArgs(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return o.run(cmd, args[0], true) },
	}
	o.addFlags(cmd)
	return cmd
}

func (o *submitOptions) run(cmd *cobra.Command, name string, correction bool) error {
	s, err := openMember(cmd, *o.member, true)
	if err != nil {
		return err
	}
	defer s.Close()
	r, err := s.openRound(cmd, o.round)
	if err != nil {
		return err
	}
	before, err := s.Kept(r.Signed, s.catalogue)
	if err != nil {
		return err
	}
	if correction && before == nil {
		return withHint(fmt.Errorf("correcting round %s: nothing was submitted to it from %s", r.Document.ID, s.settings.Dir), "candor member submit %s --round %s", name, o.round)
	}
	d, err := s.draft(cmd, r, name)
	if err != nil {
		return err
	}
	if before != nil {
		changes := changedCells(s.catalogue, before.Figures, d.Figures().Figures)
		if len(changes) > 0 && !correction {
			return withHint(fmt.Errorf("submitting to round %s: other figures were submitted before: %s differ", r.Document.ID, countOf(len(changes), "cell")),
				"candor member correct %s --round %s --member %s", name, o.round, s.settings.Dir)
		}
		if correction {
			fmt.Fprintf(cmd.OutOrStdout(), "Changed since the last submission:\n  %s\n\n", orNone(strings.Join(changes, "\n  ")))
		}
	}
	if err := s.printQuestions(cmd.ErrOrStderr(), r, d); err != nil {
		return err
	}
	if err := showDraft(cmd.OutOrStdout(), r, d, s.ledger.Balances()); err != nil {
		return err
	}
	if o.dryRun {
		fmt.Fprintln(cmd.OutOrStdout(), "\nNothing was sent.")
		return nil
	}
	if err := o.confirm(cmd, r, name); err != nil {
		return err
	}
	if o.offline != "" {
		return o.seal(cmd, s, d)
	}
	return o.send(cmd, s, d, name)
}

// confirm asks for a yes, unless --yes gave it.
func (o *submitOptions) confirm(cmd *cobra.Command, r *member.Round, name string) error {
	if o.yes {
		return nil
	}
	hint := fmt.Sprintf("candor member submit %s --round %s --member %s --yes", name, o.round, *o.member)
	in, ok := cmd.InOrStdin().(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return withHint(errors.New("nothing was sent"), "%s", hint)
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "\nSend this to round %s? Compare its short code with the secretariat, and type yes: ", r.Document.ID)
	answer, err := bufio.NewReader(in).ReadString('\n')
	if err != nil || strings.TrimSpace(strings.ToLower(answer)) != "yes" {
		return withHint(errors.New("nothing was sent"), "%s", hint)
	}
	return nil
}

func (o *submitOptions) send(cmd *cobra.Command, s *memberSession, d *member.Draft, name string) error {
	progress := newTransfer(cmd, "reports sent")
	sent, err := s.Submit(cmd.Context(), d, progress.set)
	progress.finish()
	again := 0
	for _, part := range sent {
		if part.Unchanged {
			continue
		}
		again++
		fmt.Fprintf(cmd.OutOrStdout(), "sent %s/%s, correction %d, report %s; the Leader's receipt is kept\n", part.Instrument, part.Part, part.Correction, part.Report)
	}
	if err != nil {
		return o.sendHint(err, s, name)
	}
	if again == 0 {
		fmt.Fprintln(cmd.OutOrStdout(), "The Leader has exactly this already; nothing was sent.")
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "Back up %s. After %s see whether it was counted: candor member status --round %s --member %s\n",
		s.settings.Dir, d.Round.Document.Window.Closes.Format("2006-01-02 15:04 MST"), d.Round.Document.ID, s.settings.Dir)
	return nil
}

// sendHint says what to do after a submission that did not go all the way.
func (o *submitOptions) sendHint(err error, s *memberSession, name string) error {
	switch {
	case errors.Is(err, member.ErrUnapproved):
		return withHint(errors.Join(err, errNotReady), "a second person runs: candor member approve %s --round %s --member %s --key KEY", name, o.round, s.settings.Dir)
	case errors.Is(err, ledger.ErrRolledBack):
		return withHint(err, "look for the newest copy of %s; nothing was sent from this one", s.settings.Dir)
	case errors.Is(err, member.ErrClosed):
		return err
	}
	return withHint(err, "run the same command again: what arrived counts once")
}

func (o *submitOptions) seal(cmd *cobra.Command, s *memberSession, d *member.Draft) error {
	if _, err := os.Lstat(o.offline); err == nil {
		return withHint(fmt.Errorf("sealing to %s: the file exists", o.offline), "choose another name with --offline FILE")
	}
	parcel, err := s.Seal(cmd.Context(), d)
	if err != nil {
		return o.sendHint(err, s, d.Figures().Name)
	}
	text, err := parcel.Encode()
	if err != nil {
		return err
	}
	if err := os.WriteFile(o.offline, text, 0o644); err != nil {
		return fmt.Errorf("writing the sealed submission: %w", err)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "sealed %s to %s; on a machine with a connection: candor member upload %s\n", countOf(len(parcel.Reports), "report"), o.offline, o.offline)
	return nil
}

func newMemberUploadCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "upload FILE",
		Short: "Upload what another machine has sealed",
		Long: `Upload the reports in FILE, which candor member submit --offline wrote, to the Leader of their round. No key is needed and nothing in the file can be
read here. It may be uploaded any number of times and counts once. The member's own machine finds out with candor member status.`,
		Example: "  candor member upload sealed.json",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := readInput(cmd, args[0])
			if err != nil {
				return fmt.Errorf("reading a sealed submission: %w", err)
			}
			parcel, err := member.ParseParcel(text)
			if err != nil {
				return err
			}
			progress := newTransfer(cmd, "reports uploaded")
			err = member.Courier{}.Upload(cmd.Context(), parcel, progress.set)
			progress.finish()
			if errors.Is(err, context.Canceled) {
				return withHint(err, "run the same command again: what arrived counts once")
			}
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "uploaded %s of member %s\n", countOf(len(parcel.Reports), "report"), parcel.Member)
			return nil
		},
	}
}

// changedCells names the cells that differ between two versions of figures, with both values.
func changedCells(c *metric.Catalogue, before, after metric.Figures) (changes []string) {
	paths := maps.Clone(before)
	maps.Copy(paths, after)
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		m := c.Metric(path)
		a, b := before[path], after[path]
		if a.State != b.State {
			changes = append(changes, fmt.Sprintf("%s is %s, was %s", path, orNone(string(b.State)), orNone(string(a.State))))
		}
		if m == nil || !a.State.Contributes() || !b.State.Contributes() {
			continue
		}
		for i, cell := range m.Cells() {
			if a.Values[i] != b.Values[i] {
				changes = append(changes, fmt.Sprintf("%s is %d, was %d", cell, b.Values[i], a.Values[i]))
			}
		}
	}
	return changes
}

// A transfer shows how far a long step is; on anything but a terminal it shows nothing.
type transfer struct {
	cmd  *cobra.Command
	what string
	bar  *progressbar.ProgressBar
}

func newTransfer(cmd *cobra.Command, what string) *transfer { return &transfer{cmd: cmd, what: what} }

func (p *transfer) set(done, total int) {
	f, ok := p.cmd.ErrOrStderr().(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return
	}
	if p.bar == nil {
		p.bar = progressbar.NewOptions(total, progressbar.OptionSetWriter(f), progressbar.OptionSetDescription("  "+p.what),
			progressbar.OptionShowCount(), progressbar.OptionSetWidth(30), progressbar.OptionClearOnFinish(), progressbar.OptionEnableColorCodes(false))
	}
	_ = p.bar.Set(done) // showing progress must not fail the work
}

func (p *transfer) finish() {
	if p.bar != nil {
		_ = p.bar.Finish()
	}
}
