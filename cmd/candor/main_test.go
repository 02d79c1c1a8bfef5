package main

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"candor/cmd/candor/internal/cli"
)

// asCandor makes this test binary behave as the candor program, whatever it is called: a demo starts its servers that way.
const asCandor = "CANDOR_TEST_AS_CANDOR"

func TestMain(m *testing.M) {
	if os.Getenv(asCandor) != "" {
		main()
	}
	testscript.Main(m, map[string]func(){"candor": main})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		UpdateScripts:       os.Getenv("CANDOR_UPDATE_SCRIPTS") != "",
		Setup: func(env *testscript.Env) error {
			env.Setenv(asCandor, "1")
			env.Setenv("NO_COLOR", "1")
			env.Values[serversKey{}] = servers{}
			return nil
		},
		Cmds: scriptCommands(),
	})
}

// scriptCommands are the commands of all scripts, beside testscript's own.
func scriptCommands() map[string]func(*testscript.TestScript, bool, []string) {
	cmds := map[string]func(*testscript.TestScript, bool, []string){"fingerprint": setFingerprint, "fingerprint-after": setFingerprintAfter, "enrol": enrol}
	maps.Copy(cmds, operatorCommands())
	maps.Copy(cmds, memberCommands())
	maps.Copy(cmds, releaseCommands())
	return cmds
}

// setFingerprint keeps the fingerprint that the last command printed in a variable.
func setFingerprint(ts *testscript.TestScript, _ bool, args []string) {
	found := regexp.MustCompile(`[0-9A-Z]{5}(-[0-9A-Z]{5}){4}`).FindString(ts.ReadFile("stdout"))
	if found == "" {
		ts.Fatalf("the last command printed no fingerprint")
	}
	ts.Setenv(args[0], found)
}

// setFingerprintAfter keeps the fingerprint that the last command printed after a text.
func setFingerprintAfter(ts *testscript.TestScript, _ bool, args []string) {
	found := regexp.MustCompile(regexp.QuoteMeta(args[0]) + `([0-9A-Z]{5}(?:-[0-9A-Z]{5}){4})`).FindStringSubmatch(ts.ReadFile("stdout"))
	if found == nil {
		ts.Fatalf("the last command printed no fingerprint after %q", args[0])
	}
	ts.Setenv(args[1], found[1])
}

// enrol makes N members m1, m2, … with directories of their own and puts them on the roster.
func enrol(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	for i := 1; i <= n; i++ {
		id := "m" + strconv.Itoa(i)
		ts.Check(ts.Exec("candor", "member", "keygen", id, "--id", id, "--name", "Member "+strconv.Itoa(i)))
		ts.Check(os.WriteFile(ts.MkAbs(id+".enrolment"), []byte(ts.ReadFile("stdout")), 0o644))
		ts.Check(ts.Exec("candor", "roster", "add", id+".enrolment"))
	}
}

var (
	transcript = regexp.MustCompile("(?s)<!-- transcript: demo -->\n+```\n(.*?)```")
	numbers    = regexp.MustCompile(`[0-9][0-9.,]*`)
	rounds     = regexp.MustCompile(`NQN( NQN)*`)
	spaces     = regexp.MustCompile(` +`)
)

// shape is a text without what differs from run to run: numbers, and the directory of the page.
func shape(text, dir string) string {
	text = strings.ReplaceAll(text, dir, "DIR")
	text = numbers.ReplaceAllString(text, "N")
	text = strings.NewReplacer(" inside the interval", " IN the interval", " outside the interval", " IN the interval", " kB", " SIZE", " MB", " SIZE").Replace(text)
	text = rounds.ReplaceAllString(text, "NQN")
	lines := strings.Split(spaces.ReplaceAllString(text, " "), "\n")
	return strings.Join(slices.Compact(lines), "\n") // rounds of one kind have lines of one shape
}

// The README shows what `make demo` prints. The test runs it and compares all but the numbers.
func TestREADMEShowsTheDemo(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	block := transcript.FindSubmatch(text)
	if block == nil {
		t.Fatal("README.md has no transcript of the demo")
	}
	dir := t.TempDir()
	t.Setenv(asCandor, "1")
	var out, talk strings.Builder
	args := []string{"demo", "--out", dir}
	if testing.Short() {
		args = append(args, "--short")
	}
	if code := cli.Main(args, strings.NewReader(""), &out, &talk); code != 0 {
		t.Fatalf("exit %d: %s", code, &talk)
	}
	want, got := shape(string(block[1]), "/home/you/candor/candor-demo"), shape(out.String(), filepath.Clean(dir))
	if got != want {
		t.Errorf("the demo prints\n%s\nbut the README shows\n%s\nreal output:\n%s", got, want, &out)
	}
}

// Every `make` target that the README names exists.
func TestREADMECommandsExist(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^    make ([a-z0-9-]+)`).FindAllSubmatch(readme, -1) {
		if !regexp.MustCompile(`(?m)^` + string(m[1]) + `:`).Match(makefile) {
			t.Errorf("README.md says `make %s`, which the Makefile does not have", m[1])
		}
	}
}
