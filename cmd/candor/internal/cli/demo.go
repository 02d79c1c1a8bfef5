package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"candor/client/figures"
	"candor/cmd/candor/internal/demo"
)

type demoOptions struct {
	figures string
	period  string
	metric  string
	out     string
	window  time.Duration
	short   bool
	json    bool
}

func newDemoCmd() *cobra.Command {
	var o demoOptions
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Run a whole coalition on this machine, through several rounds",
		Long: `Start a Leader and a Helper as two processes, let every member submit its figures with noise and split in two, collect the
sums, and publish signed releases that are verified at once: data, and pages to read.

By itself it plays a coalition of 40 members with made-up figures on five subjects in three quarters, and beside it, to calibrate, four
years of real figures: how many reports of suspected child sexual exploitation each service provider made, which is public.
DIR/site has the pages of the latest round, DIR/release its bundle, DIR/releases those before.

With --figures or --period it runs a single round on any figures, without release rules, and compares the result with the truth. A figures
file is a CSV with the columns organisation and value and, if there are several, period and metric; each metric becomes a cell of one
vector. Without a file the figures are the real ones of a year, 2019 to 2023. Fewer than 10 organisations: the aggregators refuse, and the
figure is withheld.`,
		Example: `  candor demo
  candor demo --period 2019 --out /tmp/demo-2019
  candor demo --figures figures.csv --period 2026Q1 --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd) },
	}
	fs := cmd.Flags()
	fs.StringVar(&o.figures, "figures", "", "CSV `FILE` of organisations and their counts")
	fs.StringVar(&o.period, "period", "", "only rows of this `PERIOD`; without --figures a year from 2019 to 2023")
	fs.StringVar(&o.metric, "metric", "", "only rows of this `METRIC`")
	fs.StringVar(&o.out, "out", "candor-demo", "`DIR` for everything the demo writes")
	fs.DurationVar(&o.window, "window", 0, "how long members can submit, as 10s (default by their number)")
	fs.BoolVar(&o.short, "short", false, "two rounds only: one year and one quarter")
	fs.BoolVar(&o.json, "json", false, "print the summary as JSON")
	return cmd
}

func (o *demoOptions) run(cmd *cobra.Command) error {
	options := demo.Options{Out: o.out, Window: o.window, Short: o.short, Talk: cmd.ErrOrStderr()}
	var err error
	if options.Executable, err = os.Executable(); err != nil {
		return fmt.Errorf("finding this program's own file: %w", err)
	}
	var summary interface{ Print(io.Writer) error }
	if o.figures == "" && o.period == "" && o.metric == "" {
		summary, err = demo.RunHistory(cmd.Context(), options)
	} else if err = o.read(&options); err != nil {
		return err
	} else {
		summary, err = demo.Run(cmd.Context(), options)
	}
	if err != nil {
		return fmt.Errorf("running the demo: %w", err)
	}
	if o.json {
		enc := json.NewEncoder(cmd.OutOrStdout())
		enc.SetIndent("", "  ")
		return enc.Encode(summary)
	}
	return summary.Print(cmd.OutOrStdout())
}

// read fills in the figures and the truth they are compared with.
func (o *demoOptions) read(options *demo.Options) error {
	text, name, period := demo.ProviderReports, "the built-in figures", o.period
	if o.figures != "" {
		var err error
		if text, err = os.ReadFile(o.figures); err != nil {
			return fmt.Errorf("reading the figures: %w", err)
		}
		name = o.figures
	} else if period == "" {
		period = "2023"
	}
	table, err := figures.ReadTidy(bytes.NewReader(text), figures.TidyOptions{File: name, Period: period, Metric: o.metric})
	if err != nil {
		return fmt.Errorf("reading the figures:\n%w", err)
	}
	for _, note := range table.Notes {
		fmt.Fprintf(options.Talk, "  note: %s\n", note)
	}
	options.Figures, options.Source = table, filepath.Base(name)
	options.Truth = table.Totals()
	if o.figures == "" {
		options.Source = demo.ProviderSource
		options.Truth = map[string]int64{"cybertipline_reports": demo.PublishedTotals[period]}
	}
	return nil
}
