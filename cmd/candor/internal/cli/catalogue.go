package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"candor/schema/metric"
)

func newCatalogueCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "catalogue",
		Short: "Show what is counted, and how",
		Long: `The catalogue says which instruments a coalition has, what each metric and cell means, which values are possible,
and which rules hold between them. The program comes with one; a coalition can keep a file of its own.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newCatalogueListCmd(), newCatalogueShowCmd(), newCatalogueExportCmd(), newCatalogueCheckCmd())
	return cmd
}

// A catalogueFlag names the catalogue of a command: a coalition's own file, or the one that comes with the program.
type catalogueFlag struct{ file string }

func (c *catalogueFlag) addFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&c.file, "catalogue", "", "the coalition's own catalogue `FILE` (default: the one that comes with the program)")
}

func (c *catalogueFlag) load() (*metric.Catalogue, error) {
	if c.file == "" {
		return metric.Standard(), nil
	}
	return loadCatalogue(c.file)
}

// loadCatalogue reads a catalogue file. What is wrong with it becomes one error with all problems, a line or more each.
func loadCatalogue(file string) (*metric.Catalogue, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading the catalogue: %w", err)
	}
	c, err := metric.Parse(text)
	if problems, ok := errors.AsType[metric.Problems](err); ok {
		var b strings.Builder
		for _, p := range problems {
			fmt.Fprintf(&b, "\n%s:%s", file, p)
		}
		return nil, fmt.Errorf("reading the catalogue: %s%s", countOf(len(problems), "problem"), b.String())
	}
	if err != nil {
		return nil, fmt.Errorf("reading the catalogue %s: %w", file, err)
	}
	return c, nil
}

// countOf returns n and the noun, in the plural unless n is 1.
func countOf(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func newCatalogueListCmd() *cobra.Command {
	var from catalogueFlag
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the instruments",
		Example: `  candor catalogue list
  candor catalogue list --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := from.load()
			if err != nil {
				return err
			}
			return listCatalogue(cmd.OutOrStdout(), c, asJSON)
		},
	}
	from.addFlags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// A catalogueSummary is what `catalogue list --json` and `catalogue check --json` print.
type catalogueSummary struct {
	ID          string              `json:"id"`
	Version     string              `json:"version"`
	Status      string              `json:"status"`
	Title       string              `json:"title"`
	Hash        string              `json:"hash"`
	Instruments []instrumentSummary `json:"instruments"`
}

type instrumentSummary struct {
	ID      string        `json:"id"`
	Name    string        `json:"name"`
	Period  metric.Period `json:"period"`
	Tier    metric.Tier   `json:"tier"`
	Metrics int           `json:"metrics"`
	Ratios  int           `json:"ratios"`
	Cells   int           `json:"cells"`
}

func summarise(c *metric.Catalogue) catalogueSummary {
	s := catalogueSummary{ID: c.ID, Version: c.Version, Status: c.Status, Title: c.Title, Hash: c.Hash()}
	for i := range c.Instruments {
		in := &c.Instruments[i]
		s.Instruments = append(s.Instruments, instrumentSummary{ID: in.ID, Name: in.Name, Period: in.Period, Tier: in.Tier,
			Metrics: len(in.Metrics), Ratios: len(in.Ratios), Cells: len(in.Cells())})
	}
	return s
}

func listCatalogue(out io.Writer, c *metric.Catalogue, asJSON bool) error {
	s := summarise(c)
	if asJSON {
		return printJSON(out, s)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "INSTRUMENT\tPERIOD\tTIER\tMETRICS\tCELLS\tNAME")
	metrics, cells := 0, 0
	for _, in := range s.Instruments {
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\t%s\n", in.ID, in.Period, in.Tier, in.Metrics, in.Cells, in.Name)
		metrics, cells = metrics+in.Metrics, cells+in.Cells
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "\nCatalogue %s (%s): %d instruments, %d metrics, %d cells\nSHA-256 %s\n", c, c.Status, len(s.Instruments), metrics, cells, s.Hash)
	return err
}

func printJSON(out io.Writer, v any) error {
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

func newCatalogueShowCmd() *cobra.Command {
	var from catalogueFlag
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show INSTRUMENT[.METRIC]",
		Short: "Show an instrument with its rules, or a metric with its cells",
		Example: `  candor catalogue show hash-match
  candor catalogue show hash-match.matched`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := from.load()
			if err != nil {
				return err
			}
			return showCatalogue(cmd.OutOrStdout(), c, args[0], asJSON)
		},
	}
	from.addFlags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func showCatalogue(out io.Writer, c *metric.Catalogue, name string, asJSON bool) error {
	in, m := c.Instrument(name), c.Metric(name)
	switch {
	case in == nil && m == nil:
		return withHint(fmt.Errorf("showing the catalogue: there is no instrument or metric %q", name), "candor catalogue list")
	case in != nil && asJSON:
		return printJSON(out, in)
	case in != nil:
		_, err := io.WriteString(out, in.Markdown())
		return err
	case asJSON:
		return printJSON(out, m)
	}
	return showMetric(out, c, m)
}

func showMetric(out io.Writer, c *metric.Catalogue, m *metric.Metric) error {
	instrument, _, _ := strings.Cut(m.Path(), ".")
	in := c.Instrument(instrument)
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n\n%s\n\n", m.Path(), m.Name, m.Definition)
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	line := func(label, format string, args ...any) {
		fmt.Fprintf(w, "%s\t"+format+"\n", append([]any{label}, args...)...)
	}
	line("type", "%s, %s", m.Type, m.Unit)
	line("largest value", "%d", m.Max)
	line("asked of", "%s (%s), per %s", m.Tier, in.Respondents, in.Period)
	line("privacy", "one %s changes it by at most %d; released as %s", m.PrivacyUnit, m.UnitMax, m.Release)
	if m.Public != nil {
		line("largest published", "%d: %s", m.Public.Largest, m.Public.What)
	}
	line("why", "%s", m.Why)
	if m.Pitfall != "" {
		line("pitfall", "%s", m.Pitfall)
	}
	if len(m.Frameworks) > 0 {
		line("serves", "%s", strings.Join(m.Frameworks, ", "))
	}
	w.Flush() // to memory
	if l := m.CodeList(); l != nil {
		fmt.Fprintf(&b, "\nCells, by %s:\n", l.Title)
		w = tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
		for _, code := range l.Codes {
			fmt.Fprintf(w, "  %s\t%s\n", code.Code, code.Definition)
		}
		w.Flush()
	}
	title := "\nRules:\n"
	for _, rules := range [][]metric.Rule{in.Rules, c.Checks} {
		for i := range rules {
			for _, path := range rules[i].Metrics() {
				if path == m.Path() {
					fmt.Fprintf(&b, "%s  %s\n", title, rules[i].Explain())
					title = ""
				}
			}
		}
	}
	_, err := io.WriteString(out, b.String())
	return err
}

func newCatalogueExportCmd() *cobra.Command {
	var from catalogueFlag
	var format, output string
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write the whole catalogue as Markdown, CSV or JSON",
		Long: `Write the whole catalogue: as a document (md), as a table with a line per cell (csv), or as canonical JSON (json),
whose SHA-256 is the hash that round documents name. The JSON form is a catalogue file, too.`,
		Example: `  candor catalogue export --format md -o catalogue.md
  candor catalogue export --format json | sha256sum`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := from.load()
			if err != nil {
				return err
			}
			var text string
			switch format {
			case "md":
				text = c.ExportMarkdown()
			case "csv":
				text = c.ExportCSV()
			case "json":
				text = string(c.Canonical())
			default:
				return usageError{fmt.Errorf("--format is %q, not md, csv or json", format)}
			}
			if output == "-" {
				_, err = io.WriteString(cmd.OutOrStdout(), text)
				return err
			}
			if err := os.WriteFile(output, []byte(text), 0o644); err != nil {
				return fmt.Errorf("exporting the catalogue: %w", err)
			}
			return nil
		},
	}
	from.addFlags(cmd)
	cmd.Flags().StringVar(&format, "format", "md", "md, csv or json")
	cmd.Flags().StringVarP(&output, "output", "o", "-", "`FILE` to write, - for standard output")
	return cmd
}

func newCatalogueCheckCmd() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "check FILE",
		Short: "Check a coalition's own catalogue file",
		Long: `Check a catalogue file and report everything wrong with it at once: form, ids, rules that do not resolve, cells without
definition, bounds whose sum over 500 members would not fit.`,
		Example: `  candor catalogue check our-catalogue.yaml`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := loadCatalogue(args[0])
			if err != nil {
				return err
			}
			s := summarise(c)
			if asJSON {
				return printJSON(cmd.OutOrStdout(), s)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s is good: catalogue %s, %s\nSHA-256 %s\n", args[0], c, countOf(len(s.Instruments), "instrument"), s.Hash)
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
