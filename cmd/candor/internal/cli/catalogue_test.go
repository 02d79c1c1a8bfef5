package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"candor/client/figures"
	"candor/schema/metric"
)

// execute runs a command and returns what it wrote to standard output and standard error.
func execute(cmd *cobra.Command, args ...string) (stdout, stderr string, err error) {
	var out, talk bytes.Buffer
	cmd.SetArgs(args)
	cmd.SetOut(&out)
	cmd.SetErr(&talk)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	err = cmd.Execute()
	return out.String(), talk.String(), err
}

func TestCatalogueList(t *testing.T) {
	out, _, err := execute(newRootCmd(), "catalogue", "list")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"INSTRUMENT        PERIOD   TIER      METRICS  CELLS  NAME\n", "\nhash-match        quarter  core      7        49     Known material: hash matching\n",
		"Catalogue csea-industry-metrics 0.1 (proposal): 19 instruments, 130 metrics, 590 cells\n", metric.Standard().Hash()} {
		if !strings.Contains(out, want) {
			t.Errorf("output has no %q:\n%s", want, out)
		}
	}
	out, _, err = execute(newRootCmd(), "catalogue", "list", "--json")
	var summary catalogueSummary
	if err != nil || json.Unmarshal([]byte(out), &summary) != nil || len(summary.Instruments) != 19 || summary.Instruments[1].Cells != 49 {
		t.Errorf("JSON is %s, error %v", out, err)
	}
}

func TestCatalogueShow(t *testing.T) {
	for name, wants := range map[string][]string{
		"hash-match":                    {"# Known material: hash matching (`hash-match`)", "| `matched`<br>Matches<br>with magnitude |", "- `reversed[*] <= appealed[*]`: for each media type,", "- `precision`, Precision on review: `(confirmed[*]) / (confirmed[*] + rejected[*])`."},
		"hash-match.appealed":           {"hash-match.appealed: Removals appealed\n", "largest value      4194303\n", "largest published  1000000: appeals", "  image  A still picture", "Rules:\n  for each media type, “Removals appealed” must not be more than"},
		"enforcement.accounts-actioned": {"largest published", "  warn ", "they are part of all account actions"},
	} {
		out, _, err := execute(newRootCmd(), "catalogue", "show", name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, want := range wants {
			if !strings.Contains(out, want) {
				t.Errorf("%s: output has no %q:\n%s", name, want, out)
			}
		}
		out, _, err = execute(newRootCmd(), "catalogue", "show", name, "--json")
		if err != nil || !json.Valid([]byte(out)) {
			t.Errorf("%s: JSON is %s, error %v", name, out, err)
		}
	}
	_, _, err := execute(newRootCmd(), "catalogue", "show", "nothing")
	if err == nil || err.Error() != `showing the catalogue: there is no instrument or metric "nothing"` {
		t.Errorf("error is %v", err)
	}
}

func TestCatalogueExport(t *testing.T) {
	c := metric.Standard()
	for format, want := range map[string]string{"md": c.ExportMarkdown(), "csv": c.ExportCSV(), "json": string(c.Canonical())} {
		out, _, err := execute(newRootCmd(), "catalogue", "export", "--format", format)
		if err != nil || out != want {
			t.Errorf("%s: %d bytes, want %d; error %v", format, len(out), len(want), err)
		}
	}
	file := filepath.Join(t.TempDir(), "catalogue.json")
	if out, _, err := execute(newRootCmd(), "catalogue", "export", "--format", "json", "-o", file); err != nil || out != "" {
		t.Fatalf("output %q, error %v", out, err)
	}
	out, _, err := execute(newRootCmd(), "catalogue", "check", file)
	if err != nil || !strings.Contains(out, "SHA-256 "+c.Hash()) {
		t.Errorf("the exported file is checked as %q, error %v", out, err)
	}
	_, _, err = execute(newRootCmd(), "catalogue", "export", "--format", "pdf")
	if _, usage := errors.AsType[usageError](err); !usage {
		t.Errorf("an unknown format is error %v, not one of usage", err)
	}
}

func TestCatalogueCheck(t *testing.T) {
	file := filepath.Join(t.TempDir(), "own.yaml")
	if err := os.WriteFile(file, []byte("schema: candor/catalogue/1\nid: own\nverzion: \"1\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, _, err := execute(newRootCmd(), "catalogue", "check", file)
	if err == nil || !strings.Contains(err.Error(), file+":3:1: unknown key \"verzion\"") || !strings.Contains(err.Error(), "\n>    3 | verzion: \"1\"\n         ^") {
		t.Errorf("error is %v", err)
	}
	if _, _, err := execute(newRootCmd(), "catalogue", "list", "--catalogue", file); err == nil {
		t.Error("a bad catalogue is listed")
	}
}

// TestMemberTemplateAndCheck goes the way of an analyst: template, fill in with three errors, check, correct, check.
func TestMemberTemplateAndCheck(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, format := range []string{"csv", "xlsx"} {
		name := "figures-2026Q1." + format
		out, talk, err := execute(newRootCmd(), "member", "template", "--round", "2026Q1", "--format", format, "--instruments", "deterrence,people")
		if err != nil || out != "" || !strings.Contains(talk, "candor member check "+name) {
			t.Fatalf("output %q, talk %q, error %v", out, talk, err)
		}
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("the file has mode %v, error %v", info.Mode(), err)
		}
		if _, _, err := execute(newRootCmd(), "member", "template", "--round", "2026Q1", "--format", format); err == nil || !strings.Contains(err.Error(), name+" exists and may hold figures") {
			t.Errorf("replacing the file: error %v", err)
		}
		out, _, err = execute(newRootCmd(), "member", "check", name)
		if err == nil || err.Error() != "checking figures: 12 errors in "+name || strings.Count(out, "is blank; write one of measured") != 12 {
			t.Errorf("blank template: error %v, output\n%s", err, out)
		}

		c := metric.Standard()
		f := c.Example(7, []string{"deterrence"}, true)
		last := c.Example(7, []string{"deterrence"}, true)
		last["deterrence.warnings-shown"].Values[0] = f["deterrence.warnings-shown"].Values[0]*5 + 50
		f["deterrence.help-clicked"].Values[0] = f["deterrence.warnings-shown"].Values[0] + 1
		for file, figs := range map[string]metric.Figures{"now." + format: f, "last." + format: last} {
			template := &figures.Template{Catalogue: c, Round: "2026Q1", Instruments: []string{"deterrence"}, Figures: figs}
			write := template.WriteXLSX
			if format == "csv" {
				write = template.WriteCSV
			}
			if err := writeNew(file, write); err != nil {
				t.Fatal(err)
			}
		}
		out, _, err = execute(newRootCmd(), "member", "check", "now."+format, "--last", "last."+format)
		for _, want := range []string{"1 instrument, 3 good metrics:", "\n1 error:\n  now." + format + ":", "must not be more than that: help is opened in a session with a warning\n    rule: “Click-throughs to help services” must not be more than", "\n2 questions (", "a quarter of that or less"} {
			if !strings.Contains(out, want) {
				t.Errorf("%s: output has no %q:\n%s", format, want, out)
			}
		}
		if err == nil {
			t.Error("a file with an error has none")
		}
		out, _, err = execute(newRootCmd(), "member", "check", "now."+format, "--json")
		var report figures.Report
		if err == nil || json.Unmarshal([]byte(out), &report) != nil || len(report.Errors) != 1 || report.Errors[0].Rule == "" {
			t.Errorf("JSON is %s, error %v", out, err)
		}
		out, _, err = execute(newRootCmd(), "member", "check", "last."+format)
		if err != nil || !strings.Contains(out, "no errors") {
			t.Errorf("a good file: error %v, output\n%s", err, out)
		}
	}
	out, _, err := execute(newRootCmd(), "member", "template", "--round", "r", "--format", "csv", "--example", "-o", "-")
	if err != nil || strings.Count(out, "\n") != 661 {
		t.Errorf("example on standard output: %d lines, error %v", strings.Count(out, "\n"), err)
	}
	for _, args := range [][]string{{}, {"--round", "a/b"}, {"--round", "r", "--format", "ods"}, {"--round", "r", "extra"}} {
		_, _, err := execute(newRootCmd(), append([]string{"member", "template"}, args...)...)
		if _, usage := errors.AsType[usageError](err); !usage {
			t.Errorf("arguments %q give error %v, not one of usage", args, err)
		}
	}
}
