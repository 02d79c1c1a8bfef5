package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"candor/client/member"
)

func newMemberStatusCmd() *cobra.Command {
	var name string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status --round R",
		Short: "See from both aggregators whether a submission was counted",
		Long: `Ask the Leader and the Helper for their signed receipts, keep them, and compare them with what was sent. The Leader has a receipt at once; the
Helper's comes when the window has closed and the report was counted: if it is for another report than the newest one, the Leader
forwarded the wrong one, and both operators should hear of it before the sums are collected.

Exit status 1 if the receipts contradict what was sent or cannot be had, 3 if not everything is counted yet.`,
		Example: "  candor member status --round 2026q1 --member our-member",
		Args:    cobra.NoArgs,
	}
	dir := memberFlag(cmd)
	cmd.Flags().StringVar(&name, "round", "", "the signed round: a `FILE`, or the id of a round that you submitted to (required)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		s, err := openMember(cmd, *dir, false)
		if err != nil {
			return err
		}
		r, err := s.openRound(cmd, name)
		if err != nil {
			return err
		}
		states, err := s.Status(cmd.Context(), r)
		if err != nil {
			return err
		}
		if asJSON {
			err = printJSON(cmd.OutOrStdout(), states)
		} else {
			err = printReceipts(cmd.OutOrStdout(), r, states)
		}
		if err != nil {
			return err
		}
		return judgeReceipts(r, states)
	}
	return cmd
}

func printReceipts(out io.Writer, r *member.Round, states []member.PartStatus) error {
	fmt.Fprintf(out, "round %s, short code %s, window closes %s\n", r.Document.ID, r.Code(), r.Document.Window.Closes.Format(time.RFC3339))
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "PART\tSENT\tLEADER\tHELPER")
	for _, s := range states {
		sent := "nothing"
		if s.Sent {
			sent = fmt.Sprintf("correction %d", s.Correction)
		}
		fmt.Fprintf(w, "%s/%s\t%s\t%s\t%s\n", s.Instrument, s.Part, sent, wordText(s.Leader), wordText(s.Helper))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, s := range states {
		for _, a := range s.Alarms {
			fmt.Fprintf(out, "ALARM: %s/%s: %s\n", s.Instrument, s.Part, a)
		}
		for _, u := range s.Unknown {
			fmt.Fprintf(out, "unknown: %s\n", u)
		}
	}
	return nil
}

func wordText(w *member.Word) string {
	switch {
	case w == nil:
		return "-"
	case w.Counted:
		return fmt.Sprintf("counted correction %d", w.Correction)
	}
	return fmt.Sprintf("has correction %d", w.Correction)
}

// judgeReceipts turns what was found into an exit code.
func judgeReceipts(r *member.Round, states []member.PartStatus) error {
	alarms, unknown, waiting := 0, 0, 0
	for _, s := range states {
		alarms += len(s.Alarms)
		unknown += len(s.Unknown)
		if s.Sent && !s.Counted() {
			waiting++
		}
	}
	switch {
	case alarms > 0:
		return fmt.Errorf("round %s: %s", r.Document.ID, countOf(alarms, "alarm"))
	case unknown > 0:
		return fmt.Errorf("round %s: %s could not be had", r.Document.ID, countOf(unknown, "receipt"))
	case waiting > 0:
		return fmt.Errorf("round %s: %s not counted by both aggregators: %w", r.Document.ID, countOf(waiting, "part"), errNotReady)
	}
	return nil
}

func newMemberReportCmd() *cobra.Command {
	output := ""
	cmd := &cobra.Command{
		Use:   "report",
		Short: "Write a page of your own figures, for your own eyes",
		Long: `Write an HTML page with this member's own plain figures, the newest round first and the ones before beside it. It is made from the member's
directory, refers to nothing outside itself, and is never uploaded.`,
		Example: "  candor member report --member our-member -o own-figures.html",
		Args:    cobra.NoArgs,
	}
	dir := memberFlag(cmd)
	cmd.Flags().StringVarP(&output, "output", "o", "", "`FILE` to write, - for standard output (default: report.html in the member's directory)")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		s, err := openMember(cmd, *dir, false)
		if err != nil {
			return err
		}
		page, err := s.Page(s.catalogue)
		if err != nil {
			return err
		}
		if output == "-" {
			_, err = cmd.OutOrStdout().Write(page)
			return err
		}
		if output == "" {
			output = filepath.Join(*dir, "report.html")
		}
		if err := errors.Join(removeIfThere(output), os.WriteFile(output, page, 0o600)); err != nil {
			return fmt.Errorf("writing the page: %w", err)
		}
		fmt.Fprintf(cmd.OutOrStdout(), "wrote %s; it holds true figures and was not uploaded\n", output)
		return nil
	}
	return cmd
}

// removeIfThere removes a file, so that a new one gets its own mode.
func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
