package cli

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"candor/client/figures"
	"candor/schema/metric"
)

type checkOptions struct {
	catalogueFlag
	round  string
	last   string
	member string
	json   bool
}

func newMemberCheckCmd() *cobra.Command {
	var o checkOptions
	cmd := &cobra.Command{
		Use:   "check FILE",
		Short: "Check a figures file, all errors at once",
		Long: `Check a figures file, CSV or XLSX, and list every error with its place, the rule in plain words and the numbers that
contradict each other. Nothing leaves this machine.

Questions are about figures that are possible and unusual: four times the last round's or a quarter of them, or more than
anyone has published. A reason typed in the column reason answers them. It stays with the member, and so do the questions. The last round is
what --member keeps of it, or the file --last.

Exit status 1 if there are errors; questions are no errors.`,
		Example: `  candor member check figures.xlsx
  candor member check figures.xlsx --round 2026Q2 --last figures-2026Q1.xlsx
  candor member check figures.xlsx --round 2026q2.json --member our-member
  candor member check figures.csv --json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, args[0]) },
	}
	o.addFlags(cmd)
	fs := cmd.Flags()
	fs.StringVar(&o.round, "round", "", "the `ROUND` for which the file must be, an id or the file of the signed round (default: any)")
	fs.StringVar(&o.last, "last", "", "the member's own figures `FILE` of the last round, to compare with")
	fs.StringVar(&o.member, "member", "", "the member's `DIR`, to compare with the last round that it keeps; --round is then a signed round")
	fs.BoolVar(&o.json, "json", false, "print JSON")
	cmd.MarkFlagsMutuallyExclusive("last", "member")
	cmd.MarkFlagsMutuallyExclusive("catalogue", "member") // whose settings name it
	return cmd
}

func (o *checkOptions) run(cmd *cobra.Command, name string) error {
	last, opts, err := o.options(cmd, name)
	if err != nil {
		return err
	}
	file, err := readFigures(name, opts)
	if err != nil {
		return err
	}
	report := file.Check(last)
	if o.json {
		err = printJSON(cmd.OutOrStdout(), report)
	} else {
		err = printReport(cmd.OutOrStdout(), report)
	}
	if err != nil {
		return err
	}
	if !report.OK() {
		return fmt.Errorf("checking figures: %s in %s", countOf(len(report.Errors), "error"), name)
	}
	return nil
}

// options returns what the file is read for, and the figures of the last round; nil where there are none to compare with.
func (o *checkOptions) options(cmd *cobra.Command, name string) (metric.Figures, figures.Options, error) {
	opts := figures.Options{File: name}
	if o.member != "" {
		s, err := openMember(cmd, o.member, false)
		if err != nil {
			return nil, opts, err
		}
		defer s.Close()
		r, err := s.openRound(cmd, o.round)
		if err != nil {
			return nil, opts, err
		}
		opts.Catalogue, opts.Round, opts.Instruments = s.catalogue, r.Document.ID, r.Instruments()
		last, err := s.LastFigures(r)
		return last, opts, err
	}
	c, err := o.load()
	if err != nil {
		return nil, opts, err
	}
	named, err := nameRound(o.round)
	if err == nil {
		err = named.countsBy(c)
	}
	if err != nil {
		return nil, opts, err
	}
	opts.Catalogue, opts.Round, opts.Instruments = c, named.id, named.instruments
	if o.last == "" {
		return nil, opts, nil
	}
	before, err := readFigures(o.last, figures.Options{File: o.last, Catalogue: c})
	if err == nil && len(before.Figures) == 0 {
		err = withHint(fmt.Errorf("comparing with the last round: %s has no figures that can be read", o.last), "candor member check %s", o.last)
	}
	if err != nil {
		return nil, opts, err
	}
	return before.Figures, opts, nil
}

func readFigures(name string, opts figures.Options) (*figures.File, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("opening figures: %w", err)
	}
	defer f.Close()
	return figures.Read(f, opts)
}

func printReport(out io.Writer, r *figures.Report) error {
	var b strings.Builder
	t := r.Metrics
	fmt.Fprintf(&b, "%s: round %s, %s, %s: %d measured, %d estimated, %d not measured, %d not applicable\n", r.File, orNone(r.Round),
		countOf(len(r.Instruments), "instrument"), countOf(t.Measured+t.Estimated+t.NotMeasured+t.NotApplicable, "good metric"),
		t.Measured, t.Estimated, t.NotMeasured, t.NotApplicable)
	for _, note := range r.Notes {
		fmt.Fprintf(&b, "note: %s\n", note)
	}
	if len(r.Errors) == 0 {
		b.WriteString("no errors\n")
	} else {
		fmt.Fprintf(&b, "\n%s:\n", countOf(len(r.Errors), "error"))
	}
	for _, e := range r.Errors {
		printProblem(&b, e)
	}
	if len(r.Questions) > 0 {
		fmt.Fprintf(&b, "\n%s (a reason in the column reason answers it, and stays with you):\n", countOf(len(r.Questions), "question"))
	}
	for _, q := range r.Questions {
		printProblem(&b, q.Problem)
		if q.Reason != "" {
			fmt.Fprintf(&b, "    your reason: %s\n", q.Reason)
		}
	}
	_, err := io.WriteString(out, b.String())
	return err
}

func printProblem(b *strings.Builder, p figures.Problem) {
	fmt.Fprintf(b, "  %s\n", p)
	if p.Rule != "" {
		fmt.Fprintf(b, "    rule: %s\n    figures: %s\n", p.Rule, strings.Join(p.Cells, ", "))
	}
}

func orNone(s string) string {
	if s == "" {
		return "(none)"
	}
	return s
}
