package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"candor/aggregator"
	"candor/cmd/candor/internal/config"
)

// statusHandler serves what a role does and what it waits for, as JSON.
func statusHandler(r role) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		status, err := r.Status(req.Context())
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(status) // the caller has gone if it fails
	})
}

// unavailableFor is how long the Helper may be away before it is for a person to see to.
const unavailableFor = time.Hour

// needsOperator says of each waiting code whether it passes by itself (false) or only somebody's act ends it. judgeStatus knows the two that
// time turns from one into the other.
var needsOperator = map[string]bool{
	aggregator.WaitingHelperUnavailable: false,
	aggregator.WaitingHelperRefused:     true,
	aggregator.WaitingHelperDeferred:    false,
	aggregator.WaitingWindowOpen:        false,
	aggregator.WaitingReports:           false,
	aggregator.WaitingBatchTooSmall:     false,
	aggregator.WaitingBatchMismatch:     true,
	aggregator.WaitingOverlap:           false,
	aggregator.WaitingKeyMissing:        true,
	aggregator.WaitingInternal:          true,
	aggregator.WaitingTaskUnknown:       true,
}

func newStatusCmd() *cobra.Command {
	var path, address string
	var asJSON, ready bool
	cmd := &cobra.Command{
		Use:   "status (--config FILE | --url URL)",
		Short: "Print what an aggregator does and what it waits for",
		Long: `Ask a running aggregator, at its private listener, what each task and job does, and why those that do not move wait. It shows counts and
identifiers, nothing of any report.

It exits with 0 if nothing waits, with 3 if something waits that passes by itself, such as an open window, and with 1 if
somebody must act or the server does not answer. With --ready it only asks whether the server can work, as a health check
does, and exits with 0 or 1. docs/operations.md says for each reason what to do.`,
		Example: "  candor status --config leader.yaml\n  candor status --url http://127.0.0.1:9090 --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			target, err := statusURL(path, address)
			if err != nil {
				return err
			}
			if ready {
				return askReady(cmd.Context(), strings.TrimSuffix(target, "status")+"readyz")
			}
			status, err := fetchStatus(cmd.Context(), target)
			if err != nil {
				return withHint(err, "is the server running, and is this its private listener?")
			}
			if asJSON {
				err = json.NewEncoder(cmd.OutOrStdout()).Encode(status)
			} else {
				err = printStatus(cmd.OutOrStdout(), status)
			}
			if err != nil {
				return err
			}
			return judgeStatus(status)
		},
	}
	fs := cmd.Flags()
	fs.StringVar(&path, "config", "", "the server's configuration `FILE`, which names its private listener")
	fs.StringVar(&address, "url", "", "`URL` of the private listener")
	fs.BoolVar(&ready, "ready", false, "only ask whether the server can work")
	fs.BoolVar(&asJSON, "json", false, "print the status as JSON")
	return cmd
}

// statusURL returns the URL of the status of the server with a configuration or a base URL.
func statusURL(path, address string) (string, error) {
	if (path == "") == (address == "") {
		return "", usageError{fmt.Errorf("give --config or --url, one of them")}
	}
	if address != "" {
		u, err := url.Parse(address)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return "", usageError{fmt.Errorf("%q is not a URL such as http://127.0.0.1:9090", address)}
		}
		return u.JoinPath("status").String(), nil
	}
	cfg, err := config.LoadAggregator(path)
	if err != nil {
		return "", err
	}
	if cfg.PrivateListen == "" {
		return "", withHint(errNoPrivate, "add private_listen: 127.0.0.1:9090 to %s and restart the server", path)
	}
	host, port, err := net.SplitHostPort(cfg.PrivateListen)
	if err != nil {
		return "", err
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost" // it listens on every address, this one included
	}
	return "http://" + net.JoinHostPort(host, port) + "/status", nil
}

// maxStatus bounds what is read of a status, in bytes.
const maxStatus = 256 << 20

func fetchStatus(ctx context.Context, target string) (s aggregator.Status, err error) {
	err = ask(ctx, target, func(body io.Reader) error { return json.NewDecoder(body).Decode(&s) })
	return s, err
}

// askReady returns nil if the server says that it can work.
func askReady(ctx context.Context, target string) error {
	return ask(ctx, target, func(io.Reader) error { return nil })
}

// ask reads the answer of a private listener.
func ask(ctx context.Context, target string, read func(io.Reader) error) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("asking for the status: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("asking for the status: %s answers %s", target, resp.Status)
	}
	if err := read(io.LimitReader(resp.Body, maxStatus)); err != nil {
		return fmt.Errorf("reading the answer of %s: %w", target, err)
	}
	return nil
}

// judgeStatus is the exit code: who must do something about what waits.
func judgeStatus(s aggregator.Status) error {
	waiting, act := 0, 0
	for _, t := range s.Tasks {
		closed := t.Closes != nil && s.Now.After(*t.Closes)
		for _, w := range waits(t) {
			waiting++
			switch known := slices.Contains(aggregator.WaitingCodes, w.Code); {
			case needsOperator[w.Code] || !known,
				w.Code == aggregator.WaitingHelperUnavailable && s.Now.Sub(w.Since) >= unavailableFor,
				w.Code == aggregator.WaitingBatchTooSmall && closed: // no more reports will come
				act++
			}
		}
	}
	switch {
	case act > 0:
		return withHint(fmt.Errorf("waiting jobs that need an operator: %d of %d", act, waiting), "docs/operations.md says for each reason what to do")
	case waiting > 0:
		return fmt.Errorf("%w: waiting jobs: %d, for what passes by itself", errNotReady, waiting)
	}
	return nil
}

// waits returns why the live jobs of a task wait.
func waits(t aggregator.TaskStatus) (all []aggregator.WaitingStatus) {
	for _, j := range t.AggregationJobs {
		if j.Waiting != nil {
			all = append(all, *j.Waiting)
		}
	}
	for _, j := range t.CollectionJobs {
		if j.Waiting != nil && j.State == aggregator.CollectionPending {
			all = append(all, *j.Waiting)
		}
	}
	return all
}

// printStatus prints a table of tasks and one of jobs. Nothing is said of jobs if there are none.
func printStatus(out io.Writer, s aggregator.Status) error {
	fmt.Fprintf(out, "%s at %s, tasks: %d\n", s.Role, s.Now.UTC().Format(time.RFC3339), len(s.Tasks))
	if len(s.Tasks) == 0 {
		return nil
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\nTASK\tINFO\tBATCHES\tCLOSES\tUPLOADED\tAGGREGATED\tREJECTED\tQUEUE\tCOLLECTED")
	jobs := 0
	for _, t := range s.Tasks {
		closes := "never"
		if t.Closes != nil {
			closes = t.Closes.UTC().Format(time.RFC3339)
		}
		var rejected uint64
		for name, n := range t.Counters {
			if strings.HasPrefix(name, aggregator.CounterRejected) {
				rejected += n
			}
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%d\t%d\t%d\t%d\n", t.ID, printable(t.Info), t.BatchMode, closes,
			t.Counters[aggregator.CounterUploaded], t.Counters[aggregator.CounterAggregated], rejected, t.Queue, t.Counters[aggregator.CounterCollected])
		jobs += len(t.AggregationJobs) + len(t.CollectionJobs)
	}
	if jobs == 0 {
		return w.Flush()
	}
	fmt.Fprintln(w, "\nTASK\tJOB\tID\tSTATE\tAGE\tATTEMPTS\tNEXT\tREASON\tWAITING FOR")
	for _, t := range s.Tasks {
		for _, j := range t.AggregationJobs {
			printJob(w, s.Now, t, fmt.Sprintf("aggregation of %d", j.Reports), j.ID.String(), "running", j.Created, j.Attempts, j.NextAttempt, j.Waiting)
		}
		for _, j := range t.CollectionJobs {
			next := j.NextAttempt
			if j.State != aggregator.CollectionPending {
				next = time.Time{} // of erasing, not of trying
			}
			printJob(w, s.Now, t, "collection", j.ID.String(), j.State, j.Created, j.Attempts, next, j.Waiting)
		}
	}
	return w.Flush()
}

func printJob(w io.Writer, now time.Time, t aggregator.TaskStatus, kind, id, state string, created time.Time, attempts int, next time.Time, waiting *aggregator.WaitingStatus) {
	reason, text, when := "-", "-", "-"
	if waiting != nil {
		reason, text = waiting.Code, fmt.Sprintf("%s (since %s)", printable(waiting.Text), waiting.Since.UTC().Format(time.RFC3339))
	}
	if next.After(now) {
		when = "in " + next.Sub(now).Round(time.Second).String()
	}
	fmt.Fprintf(w, "%.8s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\n", t.ID, kind, id, state, now.Sub(created).Round(time.Second), attempts, when, reason, text)
}

// printable replaces what a terminal would act on: some of the text comes from the other aggregator.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return '?'
		}
		return r
	}, text)
}
