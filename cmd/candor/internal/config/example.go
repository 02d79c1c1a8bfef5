package config

import (
	"context"
	_ "embed"
	"fmt"
	"strings"

	"candor/aggregator/httpapi"
)

// The values in the examples that InitOperator replaces.
const (
	exampleListen   = "0.0.0.0:8443"
	examplePrivate  = "127.0.0.1:9090"
	exampleStoreKey = "file:store.key"
	// exampleFingerprint stands where an operator has to put a real one.
	exampleFingerprint = "00000-00000-00000-00000-00000"
)

//go:embed example-aggregator.yaml
var exampleAggregator string

//go:embed example-round.yaml
var exampleRound string

//go:embed example-task.yaml
var exampleTask string

// Examples lists the kinds of file that Example knows.
func Examples() []string { return []string{"leader", "helper", "round", "task"} }

// Example returns an annotated configuration of a kind; "" if there is none. The paths in it are those that the generating commands use.
func Example(kind string) string {
	switch kind {
	case "leader", "helper":
		text := strings.ReplaceAll(exampleAggregator, "ROLE", kind)
		return forRole(text, kind)
	case "round":
		return exampleRound
	case "task":
		return exampleTask
	}
	return ""
}

// forRole leaves out the paragraphs of an example that are the other role's, and the marks "[leader]" and "[helper]" that begin one of a single role.
func forRole(text, role string) string {
	var kept []string
	for paragraph := range strings.SplitSeq(text, "\n\n") {
		if mark, rest, ok := strings.Cut(paragraph, "\n"); ok && strings.HasPrefix(mark, "[") {
			if mark != "["+role+"]" {
				continue
			}
			paragraph = rest
		}
		kept = append(kept, paragraph)
	}
	return strings.TrimRight(strings.Join(kept, "\n\n"), "\n") + "\n" // the last may have been left out
}

// Check reads a configuration of a kind and everything it names, and starts nothing. Warnings are about what works and could be safer.
func Check(ctx context.Context, kind, path string) (warnings []string, err error) {
	switch kind {
	case "leader", "helper":
		a, err := LoadAggregator(path)
		if err != nil {
			return nil, err
		}
		return a.check(ctx)
	case "round":
		text, err := readFile(path)
		if err != nil {
			return nil, err
		}
		return nil, parse(path, text, new(RoundPlan))
	case "task":
		text, err := readFile(path)
		if err != nil {
			return nil, err
		}
		_, err = new(Runner).PlainTask(ctx, path, text)
		return nil, err
	}
	return nil, fmt.Errorf("there is no configuration of kind %q; kinds are %s", kind, strings.Join(Examples(), ", "))
}

// check reads everything that the configuration of a server names.
func (a *Aggregator) check(ctx context.Context) (warnings []string, err error) {
	if _, err := a.StoreKeys(ctx); err != nil {
		return nil, err
	}
	if _, err := a.Keyring(ctx); err != nil {
		return nil, err
	}
	if err := a.checkTLS(); err != nil {
		return nil, err
	}
	runner, err := a.NewRunner(ctx, "")
	if err != nil {
		return nil, err
	}
	if _, err := a.PlainTasks(ctx, runner); err != nil {
		return nil, err
	}
	if _, err := a.Approved(); err != nil {
		return nil, err
	}
	return a.warnings()
}

// checkTLS reads every TLS file that the configuration names.
func (a *Aggregator) checkTLS() error {
	if t := a.TLS; t != nil {
		if _, err := httpapi.NewTLSConfig(httpapi.TLSFiles{Certificate: t.Certificate, Key: t.Key, ClientCAs: t.ClientCA}, nil); err != nil {
			return err
		}
	}
	_, err := a.HelperTLS.Client()
	return err
}
