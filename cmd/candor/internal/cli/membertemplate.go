package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"

	"github.com/spf13/cobra"

	"candor/client/figures"
	"candor/schema/metric"
)

type templateOptions struct {
	catalogueFlag
	round       string
	instruments []string
	format      string
	output      string
	example     bool
	seed        uint64
}

func newMemberTemplateCmd() *cobra.Command {
	var o templateOptions
	cmd := &cobra.Command{
		Use:   "template",
		Short: "Write a figures file to fill in",
		Long: `Write a figures file for a round: a workbook with one sheet per instrument and definitions beside the cells (xlsx), or a table
with a line per cell (csv). Each metric has a state, measured, estimated, not-measured or not-applicable, and, in the
first two, a value in every cell. A blank cell is an error and never a zero.

An existing file is not replaced: it may hold figures. With --example the file is filled with made-up figures that break no rule.`,
		Example: `  candor member template --round 2026Q1
  candor member template --round 2026Q1 --instruments scope,hash-match --format csv -o figures.csv
  candor member template --round 2026Q1 --example -o practice.xlsx`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd) },
	}
	o.addFlags(cmd)
	fs := cmd.Flags()
	fs.StringVar(&o.round, "round", "", "the `ROUND` for which the figures are, an id or the file of the signed round (required)")
	fs.StringSliceVar(&o.instruments, "instruments", nil, "only these, as `ID,ID` (default: those of the round's file, or all of the catalogue)")
	fs.StringVar(&o.format, "format", "xlsx", "csv or xlsx")
	fs.StringVarP(&o.output, "output", "o", "", "`FILE` to write, - for standard output (default: figures-ROUND.FORMAT)")
	fs.BoolVar(&o.example, "example", false, "fill in made-up figures")
	fs.Uint64Var(&o.seed, "seed", 1, "which made-up figures, a `NUMBER`")
	return cmd
}

// roundName is what a round can be called: it becomes part of file names and of task_info.
var roundName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$`)

func (o *templateOptions) run(cmd *cobra.Command) error {
	named, err := nameRound(o.round)
	if err != nil {
		return err
	}
	if o.round = named.id; o.instruments == nil {
		o.instruments = named.instruments
	}
	switch {
	case o.round == "":
		return withHint(usageError{errors.New("--round is missing")}, "candor member template --round 2026Q1")
	case !roundName.MatchString(o.round):
		return usageError{fmt.Errorf("--round %q is not letters, digits, full stops and hyphens, at most 40", o.round)}
	case o.format != "csv" && o.format != "xlsx":
		return usageError{fmt.Errorf("--format is %q, not csv or xlsx", o.format)}
	}
	c, err := o.load()
	if err != nil {
		return err
	}
	if err := named.countsBy(c); err != nil {
		return err
	}
	t := &figures.Template{Catalogue: c, Round: o.round, Instruments: o.instruments}
	if o.example {
		t.Figures = c.Example(o.seed, templateInstruments(c, o.instruments), true)
	}
	write := t.WriteXLSX
	if o.format == "csv" {
		write = t.WriteCSV
	}
	if o.output == "" {
		o.output = "figures-" + o.round + "." + o.format
	}
	if o.output == "-" {
		return write(cmd.OutOrStdout())
	}
	if err := writeNew(o.output, write); err != nil {
		return err
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "wrote %s; fill it in, then: candor member check %s\n", o.output, o.output)
	return nil
}

func templateInstruments(c *metric.Catalogue, chosen []string) []string {
	if chosen != nil {
		return chosen
	}
	var all []string
	for i := range c.Instruments {
		all = append(all, c.Instruments[i].ID)
	}
	return all
}

// writeNew writes a file that only its owner can read, and never replaces one. A file that cannot be written whole is removed.
func writeNew(name string, write func(w io.Writer) error) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return withHint(fmt.Errorf("writing the template: %s exists and may hold figures", name), "choose another name with -o FILE")
	}
	if err != nil {
		return fmt.Errorf("writing the template: %w", err)
	}
	err = write(f)
	if closing := f.Close(); err == nil {
		err = closing
	}
	if err != nil {
		os.Remove(name)
	}
	return err
}
