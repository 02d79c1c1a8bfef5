package cli

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
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
	json    bool
}

func newDemoCmd() *cobra.Command {
	var o demoOptions
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Run a whole coalition round on this machine, on real figures",
		Long: `Start a Leader and a Helper as two processes, let every organisation of a figures file submit its counts
with noise and split in two, collect the sums, and publish a release: data files and a page.

Without --figures the organisations are the electronic service providers of a public list, and the count is how many
reports of suspected child sexual exploitation each made in a year (2019 to 2023). Those figures are public, so the
result can be compared with the truth.

A figures file is a CSV with the columns organisation and value and, if there are several, period and metric.
Each metric becomes a cell of one vector. Fewer than 10 organisations: the aggregators refuse, and the figure is withheld.`,
		Example: `  candor demo
  candor demo --period 2019 --out /tmp/demo-2019
  candor demo --figures figures.csv --period 2026Q1 --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd) },
	}
	fs := cmd.Flags()
	fs.StringVar(&o.figures, "figures", "", "CSV `FILE` of organisations and their counts")
	fs.StringVar(&o.period, "period", "", "only rows of this `PERIOD` (default 2023 without --figures)")
	fs.StringVar(&o.metric, "metric", "", "only rows of this `METRIC`")
	fs.StringVar(&o.out, "out", "candor-demo", "`DIR` for everything the demo writes")
	fs.DurationVar(&o.window, "window", 0, "how long members can submit, as 10s (default by their number)")
	fs.BoolVar(&o.json, "json", false, "print the summary as JSON")
	return cmd
}

//go:embed demo_reports.csv
var demoReports []byte

const demoSource = "National Center for Missing & Exploited Children (NCMEC), CyberTipline Reports by Electronic Service Providers (ESP), yearly lists 2019 to 2023"

// publishedTotals are the totals that the lists themselves state.
var publishedTotals = map[string]int64{"2019": 16836694, "2020": 21447786, "2021": 29157083, "2022": 31802525, "2023": 35944826}

func (o *demoOptions) run(cmd *cobra.Command) error {
	options := demo.Options{Out: o.out, Window: o.window, Talk: cmd.ErrOrStderr()}
	var err error
	if options.Executable, err = os.Executable(); err != nil {
		return fmt.Errorf("finding this program's own file: %w", err)
	}
	if err := o.read(&options); err != nil {
		return err
	}
	summary, err := demo.Run(cmd.Context(), options)
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
	text, name, period := demoReports, "the built-in figures", o.period
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
		options.Source = demoSource
		options.Truth = map[string]int64{"cybertipline_reports": publishedTotals[period]}
	}
	return nil
}
