package main

import (
	"os"
	"path/filepath"
	"regexp"
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
			return nil
		},
	})
}

var (
	transcript = regexp.MustCompile("(?s)<!-- transcript: demo -->\n+```\n(.*?)```")
	numbers    = regexp.MustCompile(`[0-9][0-9.,]*`)
	spaces     = regexp.MustCompile(` +`)
)

// shape is a text without what differs from run to run: numbers, and the directory of the page.
func shape(text, dir string) string {
	text = strings.ReplaceAll(text, dir, "DIR")
	text = numbers.ReplaceAllString(text, "N")
	text = strings.NewReplacer(" inside the interval", " IN the interval", " outside the interval", " IN the interval", " kB", " SIZE", " MB", " SIZE").Replace(text)
	return spaces.ReplaceAllString(text, " ")
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
	if code := cli.Main([]string{"demo", "--out", dir}, strings.NewReader(""), &out, &talk); code != 0 {
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
