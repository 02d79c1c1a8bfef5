package aggregatortest_test

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// items is how many requirements the test matrix has.
const items = 284

// A namedTest is a test function, with the items that its body names.
type namedTest struct {
	items []int
}

var (
	itemPattern = regexp.MustCompile(`item-(\d{3})`)
	testPattern = regexp.MustCompile("`([a-z0-9/]+)\\.(Test\\w+)`")
	rowPattern  = regexp.MustCompile(`^\| (\d+) \| ([^|]+) \| ([^|]+) \|$`)
)

// allTests finds every test of the module in its source, as package folder, dot, name.
func allTests(t *testing.T, root string) map[string]namedTest {
	t.Helper()
	tests := make(map[string]namedTest)
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if name := entry.Name(); path != root && (strings.HasPrefix(name, ".") || name == "testdata") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		source, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, source, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		folder, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		for _, decl := range file.Decls {
			fn, is := decl.(*ast.FuncDecl)
			if !is || fn.Recv != nil || !strings.HasPrefix(fn.Name.Name, "Test") {
				continue
			}
			var found namedTest
			body := source[set.Position(fn.Pos()).Offset:set.Position(fn.End()).Offset]
			for _, m := range itemPattern.FindAllSubmatch(body, -1) {
				found.items = append(found.items, ok(strconv.Atoi(string(m[1]))))
			}
			tests[filepath.ToSlash(folder)+"."+fn.Name.Name] = found
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return tests
}

// docs/conformance.md has a row for every item. What it names exists, and is about what it is named for.
func TestConformanceDocument(t *testing.T) {
	root := filepath.Join("..", "..")
	text, err := os.ReadFile(filepath.Join(root, "docs", "conformance.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range checkDocument(string(text), allTests(t, root)) {
		t.Error(problem)
	}
}

// checkDocument returns all that is wrong with the text.
func checkDocument(text string, tests map[string]namedTest) (problems []string) {
	problem := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	seen := make(map[int]bool)
	for line := range strings.SplitSeq(text, "\n") {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| item") {
			continue
		}
		row := rowPattern.FindStringSubmatch(line)
		if row == nil {
			problem("not a row of the table: %.80s", line)
			continue
		}
		n := ok(strconv.Atoi(row[1]))
		if n < 1 || n > items || seen[n] {
			problem("item %d is there twice, or is none", n)
		}
		seen[n] = true
		named := testPattern.FindAllStringSubmatch(row[3], -1)
		if reason, isReason := strings.CutPrefix(row[3], "– "); len(named) == 0 && (!isReason || len(reason) < 20) {
			problem("item %d has neither a test nor a reason", n)
		}
		for _, m := range named {
			name := m[1] + "." + m[2]
			test, exists := tests[name]
			if !exists {
				problem("item %d: there is no test %s", n, name)
			} else if strings.HasPrefix(m[2], "TestConformance_") && !slices.Contains(test.items, n) {
				problem("item %d: %s does not name it", n, name)
			}
		}
	}
	for n := 1; n <= items; n++ {
		if !seen[n] {
			problem("item %d is missing", n)
		}
	}
	// The other way round: a test that says it is about an item is on the page.
	for name, test := range tests {
		if !strings.Contains(name, ".TestConformance_") {
			continue
		}
		for _, n := range test.items {
			if !strings.Contains(text, fmt.Sprintf("\n| %d |", n)) || !rowNames(text, n, name) {
				problem("item %d: %s is about it, and is not on the page", n, name)
			}
		}
	}
	slices.Sort(problems)
	return slices.Compact(problems)
}

func rowNames(text string, n int, name string) bool {
	_, rest, _ := strings.Cut(text, fmt.Sprintf("\n| %d |", n))
	row, _, _ := strings.Cut(rest, "\n")
	return strings.Contains(row, "`"+name+"`")
}

// The check of the page finds what it is there for.
func TestConformanceDocumentCheck(t *testing.T) {
	tests := map[string]namedTest{"a.TestConformance_001_x": {items: []int{1, 2}}, "a.TestOther": {}}
	var rows []string
	for n := 1; n <= items; n++ {
		rows = append(rows, fmt.Sprintf("| %d | Something. | – It does not apply, for a reason. |", n))
	}
	rows[0] = "| 1 | Something. | `a.TestConformance_001_x` |"
	rows[1] = "| 2 | Something. | `a.TestConformance_001_x`<br>`a.TestOther` |"
	page := func(alter func([]string)) string {
		altered := slices.Clone(rows)
		alter(altered)
		return "\n" + strings.Join(altered, "\n") + "\n"
	}
	if problems := checkDocument(page(func([]string) {}), tests); len(problems) != 0 {
		t.Fatalf("a good page has problems: %v", problems)
	}
	for name, alter := range map[string]func([]string){
		"item missing":          func(r []string) { r[7] = "" },
		"item twice":            func(r []string) { r[7] = r[8] },
		"no reason":             func(r []string) { r[7] = "| 8 | Something. | – |" },
		"no such test":          func(r []string) { r[7] = "| 8 | Something. | `a.TestNone` |" },
		"test of another item":  func(r []string) { r[7] = "| 8 | Something. | `a.TestConformance_001_x` |" },
		"test not on the page":  func(r []string) { r[1] = "| 2 | Something. | `a.TestOther` |" },
		"row of another form":   func(r []string) { r[7] = "| 8 | Something. |" },
		"no requirement stated": func(r []string) { r[7] = "| 8 | | – It does not apply, for a reason. |" },
	} {
		if len(checkDocument(page(alter), tests)) == 0 {
			t.Errorf("%s: not noticed", name)
		}
	}
}

// An outcome is what became of a test in a run.
type outcome struct {
	action string // pass, fail or skip
	output strings.Builder
}

// readOutcomes reads what `go test -json` wrote, as outcomes by package folder, dot, name. Of a test that ran more than once the worst counts.
func readOutcomes(r io.Reader) (map[string]*outcome, error) {
	outcomes := make(map[string]*outcome)
	for dec := json.NewDecoder(r); ; {
		var event struct{ Action, Package, Test, Output string }
		if err := dec.Decode(&event); err == io.EOF {
			return outcomes, nil
		} else if err != nil {
			return nil, err
		}
		test, _, _ := strings.Cut(event.Test, "/") // the output of a subtest is its test's
		name := strings.TrimPrefix(event.Package, "candor/") + "." + test
		if outcomes[name] == nil {
			outcomes[name] = new(outcome)
		}
		o := outcomes[name]
		switch {
		case event.Action == "output":
			o.output.WriteString(event.Output)
		case event.Action == "fail", event.Action == "skip" && o.action != "fail", event.Action == "pass" && o.action == "":
			o.action = event.Action
		}
	}
}

// published is skipped where the vectors that the CFRG publishes are not beside the checkout; the line of its item says so.
const published = "crypto/vectors.TestPublished"

// checkOutcomes prints a line for each item of the page, and returns what did not pass or was not run.
func checkOutcomes(w io.Writer, text string, outcomes map[string]*outcome) (problems []string) {
	problem := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	for line := range strings.SplitSeq(text, "\n") {
		row := rowPattern.FindStringSubmatch(line)
		if row == nil {
			continue
		}
		var words []string
		for _, m := range testPattern.FindAllStringSubmatch(row[3], -1) {
			name, action := m[1]+"."+m[2], "not run"
			if o := outcomes[name]; o != nil && o.action != "" {
				action = o.action
			}
			if words = append(words, action+" "+name); action != "pass" && !(action == "skip" && name == published) {
				problem("item %s: %s: %s", row[1], name, action)
			}
		}
		if len(words) == 0 {
			words = []string{"does not apply"}
		}
		fmt.Fprintf(w, "%3s  %s\n", row[1], strings.Join(words, ", "))
	}
	for name, o := range outcomes {
		if o.action == "fail" {
			problem("%s failed:\n%s", name, o.output.String())
		}
	}
	slices.Sort(problems)
	return slices.Compact(problems)
}

// Every test that docs/conformance.md names ran and passed in the run whose events `make conformance` has put into the file CANDOR_CONFORMANCE_EVENTS.
func TestEveryItemRan(t *testing.T) {
	path := os.Getenv("CANDOR_CONFORMANCE_EVENTS")
	if path == "" {
		t.Skip("CANDOR_CONFORMANCE_EVENTS is not a file: make conformance")
	}
	events := ok(os.Open(path))
	defer events.Close()
	text := ok(os.ReadFile(filepath.Join("..", "..", "docs", "conformance.md")))
	for _, problem := range checkOutcomes(os.Stdout, string(text), ok(readOutcomes(events))) {
		t.Error(problem)
	}
}

// The check of the run finds what it is there for.
func TestEveryItemRanCheck(t *testing.T) {
	page := "\n| 1 | Something. | `a.TestOne`<br>`b/c.TestTwo` |\n| 3 | Something. | `crypto/vectors.TestPublished` |\n| 2 | Something. | – It does not apply, for a reason. |\n"
	event := func(action, pkg, test string) string {
		return fmt.Sprintf(`{"Action":%q,"Package":"candor/%s","Test":%q}`+"\n", action, pkg, test)
	}
	good := event("run", "a", "TestOne") + event("pass", "a", "TestOne") + event("pass", "b/c", "TestTwo/sub") + event("pass", "b/c", "TestTwo")
	vectors := event("pass", "crypto/vectors", "TestPublished")
	for name, c := range map[string]struct {
		events string
		want   int
	}{
		"all passed":          {good, 0},
		"one not run":         {event("pass", "a", "TestOne"), 1},
		"one begun":           {event("pass", "a", "TestOne") + event("run", "b/c", "TestTwo"), 1},
		"one of another name": {event("pass", "a", "TestOne") + event("pass", "b", "TestTwo"), 1},
		"one skipped":         {good + event("skip", "a", "TestOne"), 1},
		"a subtest skipped":   {good + event("skip", "b/c", "TestTwo/other"), 1},
		"one without vectors": {good + event("skip", "crypto/vectors", "TestPublished"), 0},
		"one failed":          {good + event("fail", "a", "TestOne"), 2},
		"a package failed":    {good + event("fail", "d", ""), 1},
	} {
		if got := checkOutcomes(io.Discard, page, ok(readOutcomes(strings.NewReader(vectors+c.events)))); len(got) != c.want {
			t.Errorf("%s: problems %q, want %d", name, got, c.want)
		}
	}
}
