package cli

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// A command that nothing adds to the program is not there, however well its own tests go.
func TestEveryCommandIsInTheProgram(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	var commands []string
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				if name := n.Name.Name; regexp.MustCompile(`^new\w+Cmd$`).MatchString(name) {
					commands = append(commands, name)
				}
			case *ast.CallExpr:
				if f, ok := n.Fun.(*ast.Ident); ok {
					used[f.Name] = true
				}
			}
			return true
		})
	}
	if len(commands) < 50 {
		t.Fatalf("only %d commands were found", len(commands))
	}
	for _, name := range commands {
		if !used[name] {
			t.Errorf("%s is called nowhere", name)
		}
	}
}

// Every line under Examples in a help text is one that the program takes.
func TestExamplesOfHelp(t *testing.T) {
	n := 0
	var each func(cmd *cobra.Command)
	each = func(cmd *cobra.Command) {
		for line := range strings.Lines(cmd.Example) {
			line, _, _ = strings.Cut(line, " > ")
			line, _, _ = strings.Cut(line, " | ")
			args := words(strings.TrimSpace(line))
			if len(args) == 0 || args[0] != "candor" {
				t.Errorf("%s: example %q does not begin with candor", cmd.CommandPath(), line)
				continue
			}
			n++
			checkCommand(t, cmd.CommandPath(), args[1:])
		}
		for _, c := range cmd.Commands() {
			each(c)
		}
	}
	each(newRootCmd())
	if n < 50 {
		t.Errorf("only %d examples were found", n)
	}
}

func TestMistakesInTheCallAreUsage(t *testing.T) {
	for line, want := range map[string]string{
		"catalog":                            `unknown command "catalog" for "candor"`,
		"member sumbit":                      `unknown command "sumbit" for "candor member"`,
		"member ledger shwo":                 `unknown command "shwo" for "candor member ledger"`,
		"roster lst":                         `unknown command "lst" for "candor roster"`,
		"member keygen":                      "accepts 1 arg(s), received 0",
		"member keygen x":                    `required flag(s) "id", "name" not set`,
		"member status extra":                `unknown command "extra" for "candor member status"`,
		"member check f --jsn":               "unknown flag: --jsn",
		"member approve f":                   `required flag(s) "key" not set`,
		"member check f --last a --member b": "if any flags in the group [last member] are set none of the others can be; [last member] were all set",
	} {
		_, _, err := execute(newRootCmd(), strings.Fields(line)...)
		_, usage := errors.AsType[usageError](err)
		hint, hinted := errors.AsType[*hintError](err)
		if !usage || !hinted || err.Error() != want || !strings.HasSuffix(hint.hint, " --help") {
			t.Errorf("candor %s: error %v (of usage: %v), want %s and a hint", line, err, usage, want)
		}
	}
	if out, _, err := execute(newRootCmd(), "member"); err != nil || !strings.Contains(out, "Usage:") {
		t.Errorf("candor member: error %v, output %s", err, out)
	}
}
