package collect_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"candor/aggregator/aggregatortest"
	"candor/client/collect"
	"candor/schema/release"
	"candor/schema/round/roundtest"
)

// newRound deploys a coalition of which some members have sent the value 100 to each of two cells.
func newRound(t *testing.T, members int) *aggregatortest.Coalition {
	t.Helper()
	c := aggregatortest.NewCoalition(t, 12, 2, nil)
	c.SendAll(0, members)
	return c
}

// open opens the round's collection in a directory. change may alter its configuration.
func open(t *testing.T, c *aggregatortest.Coalition, dir string, change func(*collect.Config)) (*collect.Round, error) {
	t.Helper()
	cfg := collect.Config{Dir: dir, Signed: c.Sign(t), Trust: c.Trust(), Identity: c.Secretariat, HPKE: c.Keys.Collector, Key: c.Collector(),
		Token: c.Keys.CollectorToken, PlainHTTP: true, HTTP: &http.Client{Transport: c.Net}, Now: c.Clock.Now, Attempts: 1,
		PollInterval: time.Millisecond, MaxWait: time.Millisecond}
	if change != nil {
		change(&cfg)
	}
	return collect.New(cfg)
}

// settled collects while both servers work, until it is done or fails for good.
func settled(t *testing.T, c *aggregatortest.Coalition, dir string, change func(*collect.Config)) (*collect.Round, error) {
	t.Helper()
	var err error
	for range 20 {
		var r *collect.Round
		if r, err = open(t, c, dir, change); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
		err = r.Collect(ctx)
		cancel()
		if !errors.Is(err, collect.ErrTooEarly) && !errors.Is(err, context.DeadlineExceeded) { // a slow machine is asked again
			return r, err
		}
		c.Settle(5)
	}
	return nil, err
}

func TestCollect(t *testing.T) {
	c := newRound(t, 11)
	dir := filepath.Join(t.TempDir(), "collected")
	r, err := open(t, c, dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Collect(t.Context()); !errors.Is(err, collect.ErrTooEarly) || !strings.Contains(err.Error(), "members submit until") {
		t.Fatalf("before the window closes: %v", err)
	}
	if _, err := r.Batches(); err == nil || !strings.Contains(err.Error(), "test/counts is not collected yet") {
		t.Fatalf("nothing is there: %v", err)
	}
	c.CloseWindow()
	// Each round of settled is a new process on the same directory: the collection goes on where it stopped.
	if r, err = settled(t, c, dir, nil); err != nil {
		t.Fatal(err)
	}
	batches, err := r.Batches()
	if err != nil {
		t.Fatal(err)
	}
	b := batches[0]
	if len(b.Members) != 11 || b.Members[0] != "m1" {
		t.Errorf("counted %v", b.Members)
	}
	if b.Reports != 11 || len(b.Leaves[0]) != 2 || len(b.Leaves[1]) != 2 || b.Statements[1].Role != release.Helper {
		t.Errorf("collected %d reports, %d and %d leaves", b.Reports, len(b.Leaves[0]), len(b.Leaves[1]))
	}
	// Again: nobody is asked, and the batch is the same.
	c.Net.Log() // from here on
	if r, err = settled(t, c, dir, nil); err != nil {
		t.Fatal(err)
	}
	again, err := r.Batches()
	if requests := c.Net.Log(); err != nil || len(requests) > 0 {
		t.Errorf("a second collection makes %d requests, %v", len(requests), err)
	}
	for i := range b.Leaves {
		if !slices.EqualFunc(b.Leaves[i], again[0].Leaves[i], func(x, y release.Leaf) bool { return x.Salt == y.Salt && string(x.Element) == string(y.Element) }) {
			t.Error("a second collection gives another share")
		}
	}
	// What is kept is sealed: no element of a share is in it.
	text, err := os.ReadFile(filepath.Join(dir, "test.counts.json"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), string(b.Leaves[0][0].Element)) {
		t.Error("the file holds a share in the clear")
	}
	if err := os.WriteFile(filepath.Join(dir, "test.counts.json"), text[:len(text)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := open(t, c, dir, nil); err == nil || !strings.Contains(err.Error(), "is damaged") {
		t.Errorf("a damaged file: %v", err)
	}
}

func TestTooFew(t *testing.T) {
	c := newRound(t, 9)
	c.CloseWindow()
	r, err := settled(t, c, t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	batches, err := r.Batches()
	if err != nil || batches[0].Refused == "" || batches[0].Reports != 9 {
		t.Errorf("of 9 members: %+v, %v", batches, err)
	}
}

// A machine that stops between the statements and the list of members leaves a part that is not complete; the next collection ends it.
func TestInterruptedBeforeCounted(t *testing.T) {
	c := newRound(t, 11)
	c.CloseWindow()
	dir := t.TempDir()
	if _, err := settled(t, c, dir, nil); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "test.counts.json")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var file map[string]json.RawMessage
	if err := json.Unmarshal(text, &file); err != nil || len(file["counted"]) == 0 {
		t.Fatalf("%s has no members: %v", path, err)
	}
	delete(file, "counted")
	if text, err = json.Marshal(file); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := open(t, c, dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Batches(); err == nil || !strings.Contains(err.Error(), "test/counts is not collected yet") {
		t.Errorf("without the members that were counted: %v", err)
	}
	if r, err = settled(t, c, dir, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Batches(); err != nil {
		t.Errorf("collected again: %v", err)
	}
}

// A collection that was complete stays so when the servers have gone, although a part that was withheld is asked for again.
func TestTooFewWithoutServers(t *testing.T) {
	c := newRound(t, 9)
	c.CloseWindow()
	dir := t.TempDir()
	if _, err := settled(t, c, dir, nil); err != nil {
		t.Fatal(err)
	}
	r, err := settled(t, c, dir, func(cfg *collect.Config) {
		cfg.HTTP = &http.Client{Transport: away{c.Net, "leader.test"}}
	})
	if err != nil {
		t.Fatal(err)
	}
	batches, err := r.Batches()
	if err != nil || batches[0].Refused == "" || batches[0].Reports != 9 {
		t.Errorf("without the Leader: %+v, %v", batches, err)
	}
}

func TestRefused(t *testing.T) {
	c := newRound(t, 10)
	if _, err := open(t, c, t.TempDir(), func(cfg *collect.Config) { cfg.Trust.Leader = c.Secretariat.PublicKey().Fingerprint() }); err == nil {
		t.Error("a round with another Leader's key than the pinned one is collected")
	}
	c.CloseWindow()
	dir := t.TempDir()
	if _, err := settled(t, c, dir, func(cfg *collect.Config) { cfg.Token = "another-token-0123456789" }); err == nil || !strings.Contains(err.Error(), "Leader Operator, must have the collector.token") {
		t.Errorf("with another token: %v", err)
	}
	if _, err := settled(t, c, dir, func(cfg *collect.Config) { cfg.Identity = roundtest.NewKey(t) }); err == nil || !strings.Contains(err.Error(), "does not accept the secretariat's signature") {
		t.Errorf("with another key: %v", err)
	}
	// A statement of somebody else is not taken, and its operator is named.
	c.Net.Alter(func(req *http.Request, resp *http.Response) {
		if strings.HasSuffix(req.URL.Path, "/statement") && req.URL.Host != "" && strings.HasPrefix(aggregatortest.HelperURL, "http://"+req.URL.Host) {
			text, _ := io.ReadAll(resp.Body)
			resp.Body = io.NopCloser(strings.NewReader(strings.Replace(string(text), `"reports":10`, `"reports":11`, 1)))
			resp.ContentLength = -1
		}
	})
	if _, err := settled(t, c, dir, nil); err == nil || !strings.Contains(err.Error(), "statement of the helper") || !strings.Contains(err.Error(), "Helper Operator, must explain it") {
		t.Errorf("an altered statement: %v", err)
	}
	c.Net.Alter(nil)
	if _, err := settled(t, c, dir, nil); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// away is a network on which one server is not there.
type away struct {
	http.RoundTripper
	host string
}

func (a away) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.HasSuffix(a.host, r.URL.Host) {
		return nil, errors.New("connection refused")
	}
	return a.RoundTripper.RoundTrip(r)
}

// What is not ready when the time is over is said once, with the server that does not answer and who must start it.
func TestUnfinished(t *testing.T) {
	c := newRound(t, 11)
	c.CloseWindow()
	for host, want := range map[string]string{
		"":                       "the operators, Leader Operator and Helper Operator, see in `candor status`",
		aggregatortest.HelperURL: "the Helper does not answer at " + aggregatortest.HelperURL,
	} {
		r, err := open(t, c, t.TempDir(), func(cfg *collect.Config) {
			cfg.HTTP = &http.Client{Transport: away{c.Net, strings.TrimSuffix(host, "/")}}
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		err = r.Collect(ctx)
		cancel()
		if !errors.Is(err, collect.ErrTooEarly) || !strings.Contains(err.Error(), "1 of 1 parts (test/counts); ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is away: %v", host, err)
		}
	}
}
