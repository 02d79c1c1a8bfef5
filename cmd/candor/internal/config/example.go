package config

import (
	_ "embed"
	"fmt"
	"strings"
)

// The values in the examples that InitOperator replaces.
const (
	exampleListen  = "0.0.0.0:8443"
	examplePrivate = "127.0.0.1:9090"
	// exampleFingerprint stands where an operator has to put a real one.
	exampleFingerprint = "00000-00000-00000-00000-00000"
)

//go:embed example-aggregator.yaml
var exampleAggregator string

//go:embed example-round.yaml
var exampleRound string

// Examples lists the kinds of file that Example knows.
func Examples() []string { return []string{"leader", "helper", "round"} }

// Example returns an annotated configuration of a kind; "" if there is none. The paths in it are those that the generating commands use.
func Example(kind string) string {
	switch kind {
	case "leader", "helper":
		text := strings.ReplaceAll(exampleAggregator, "ROLE", kind)
		if kind == "helper" { // the lines about the Collector are the Leader's
			var kept []string
			for line := range strings.Lines(text) {
				if !strings.Contains(strings.ToLower(line), "collector") {
					kept = append(kept, line)
				}
			}
			text = strings.Join(kept, "")
		}
		return text
	case "round":
		return exampleRound
	}
	return ""
}

// Check reads a configuration of a kind and everything it names, and starts nothing.
func Check(kind, path string) error {
	switch kind {
	case "leader", "helper":
		a, err := LoadAggregator(path)
		if err != nil {
			return err
		}
		if _, err := a.Keyring(); err != nil {
			return err
		}
		if _, err := LoadIdentity(a.Identity); err != nil {
			return err
		}
		if _, err := a.NewRunner(""); err != nil {
			return err
		}
		_, err = a.Approved()
		return err
	case "round":
		text, err := readFile(path)
		if err != nil {
			return err
		}
		return parse(path, text, new(RoundPlan))
	}
	return fmt.Errorf("there is no configuration of kind %q; kinds are %s", kind, strings.Join(Examples(), ", "))
}
