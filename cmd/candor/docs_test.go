package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// moduleTests finds every test function of the module in its source, as package folder, dot, name.
func moduleTests(t *testing.T) map[string]bool {
	t.Helper()
	const root = "../.."
	tests := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := entry.Name(); entry.IsDir() && path != root && (strings.HasPrefix(name, ".") || name == "testdata") {
			return filepath.SkipDir
		}
		if entry.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		folder, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		for _, decl := range file.Decls {
			if fn, is := decl.(*ast.FuncDecl); is && fn.Recv == nil && strings.HasPrefix(fn.Name.Name, "Test") {
				tests[filepath.ToSlash(folder)+"."+fn.Name.Name] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return tests
}

// testName is how documents name a test.
var testName = regexp.MustCompile("`([a-z0-9]+(?:/[a-z0-9]+)*\\.Test\\w+)`")

// docs/threat-model.md names a test or a reason in each cell, and every test of a malicious party.
func TestThreatModel(t *testing.T) {
	text, err := os.ReadFile("../../docs/threat-model.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range checkThreatModel(string(text), moduleTests(t)) {
		t.Error(problem)
	}
}

// checkThreatModel returns all that is wrong with the page.
func checkThreatModel(page string, tests map[string]bool) (problems []string) {
	problem := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	rows := 0
	for line := range strings.Lines(page) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "| goal |") || strings.HasPrefix(line, "|---") {
			continue
		}
		rows++
		cells := strings.Split(strings.Trim(line, "|"), "|")
		if len(cells) != 3 || strings.TrimSpace(cells[0]) == "" {
			problem("not a row with goal, defence and test: %.80s", line)
			continue
		}
		defence, proof := strings.TrimSpace(cells[1]), strings.TrimSpace(cells[2])
		reason, unproven := strings.CutPrefix(proof, "– ")
		switch {
		case unproven && len(reason) < 20:
			problem("%s: the reason why there is no test is missing", cells[0])
		case !unproven && (defence == "" || !testName.MatchString(proof)):
			problem("%s: neither a defence with a test nor a reason", cells[0])
		}
	}
	if rows == 0 {
		problem("the page has no row")
	}
	named := map[string]bool{}
	for _, m := range testName.FindAllStringSubmatch(page, -1) {
		named[m[1]] = true
		if !tests[m[1]] {
			problem("there is no test %s", m[1])
		}
	}
	for name := range tests {
		if strings.Contains(name, ".TestMalicious") && !named[name] {
			problem("%s is not on the page", name)
		}
	}
	slices.Sort(problems)
	return slices.Compact(problems)
}

// The check of the page finds what it is there for.
func TestThreatModelCheck(t *testing.T) {
	tests := map[string]bool{"a/b.TestMaliciousX": true, "a.TestOther": true}
	const good = "| goal | what stops it | test |\n|---|---|---|\n| Steal | A lock | `a/b.TestMaliciousX`<br>`a.TestOther` |\n| Shout | | – Nobody can stop anybody from shouting. |\n"
	if problems := checkThreatModel(good, tests); len(problems) > 0 {
		t.Fatalf("a good page has problems: %q", problems)
	}
	for name, page := range map[string]string{
		"no such test":        strings.Replace(good, "a.TestOther", "a.TestNone", 1),
		"test not on page":    strings.Replace(good, "`a/b.TestMaliciousX`<br>", "", 1),
		"no test":             good + "| Lie | The law | see elsewhere |\n",
		"no defence":          good + "| Lie | | `a.TestOther` |\n",
		"no reason":           good + "| Lie | | – No. |\n",
		"a row of two cells":  good + "| Lie | `a.TestOther` |\n",
		"another page's text": "Nothing here.\n",
	} {
		if len(checkThreatModel(page, tests)) == 0 {
			t.Errorf("%s: not noticed", name)
		}
	}
}

// Every test that a document names exists.
func TestDocumentsNameTests(t *testing.T) {
	tests := moduleTests(t)
	for path, text := range documents(t) {
		for _, m := range testName.FindAllStringSubmatch(text, -1) {
			if !tests[m[1]] {
				t.Errorf("%s: there is no test %s", path, m[1])
			}
		}
	}
}

var link = regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`)

// Every file that a document links to is there.
func TestDocumentsLinkToFiles(t *testing.T) {
	for path, text := range documents(t) {
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(path), m[1])); err != nil {
				t.Errorf("%s links to %s: %v", path, m[1], err)
			}
		}
	}
}

// documents reads README.md of the module and its top-level folders, and the pages in docs.
func documents(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, pattern := range []string{"../../README.md", "../../*/README.md", "../../docs/*.md"} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			found[path] = string(text)
		}
	}
	if len(found) < 3 {
		t.Fatalf("only %d documents found", len(found))
	}
	return found
}

var scriptBlock = regexp.MustCompile("(?s)<!-- script: ([a-z]+) -->\n+```\n(.*?)```")

// The commands that README.md tells each reader to run are run by a script, and succeed there unless the script says otherwise.
func TestREADMECommandsAreInScripts(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := scriptBlock.FindAllSubmatch(readme, -1)
	if len(blocks) == 0 {
		t.Fatal("README.md has no commands from a script")
	}
	for _, block := range blocks {
		path := "testdata/script/" + string(block[1]) + ".txtar"
		script, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		runs := map[string]bool{}
		for line := range strings.Lines(string(script)) {
			runs[strings.TrimPrefix(strings.TrimPrefix(strings.TrimSpace(line), "! "), "exec ")] = true
		}
		for line := range strings.Lines(string(block[2])) {
			command, _, _ := strings.Cut(strings.TrimSpace(line), " > ")
			if !runs[command] && !runs[command+" --yes"] { // a script has nobody to ask
				t.Errorf("README.md says `%s`, which %s does not run", command, path)
			}
		}
	}
}

var shownBlock = regexp.MustCompile("(?s)<!-- shows: ([a-z]+) ([a-z.]+) -->\n+```\n(.*?)```")

// What README.md shows of a command's output is a file of a script, which compares it with what the command prints.
func TestREADMEShowsFilesOfScripts(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := shownBlock.FindAllSubmatch(readme, -1)
	if len(blocks) == 0 {
		t.Fatal("README.md shows no file of a script")
	}
	for _, block := range blocks {
		archive, err := txtar.ParseFile("testdata/script/" + string(block[1]) + ".txtar")
		if err != nil {
			t.Fatal(err)
		}
		name := string(block[2])
		if !strings.Contains(string(archive.Comment), "\ncmp stdout "+name+"\n") {
			t.Errorf("the script %s compares no output with %s", block[1], name)
		}
		i := slices.IndexFunc(archive.Files, func(f txtar.File) bool { return f.Name == name })
		if i < 0 || string(archive.Files[i].Data) != string(block[3]) {
			t.Errorf("README.md shows another %s than the script %s has", name, block[1])
		}
	}
}
