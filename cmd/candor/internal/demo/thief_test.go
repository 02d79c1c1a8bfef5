package demo_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"candor/client/figures"
	"candor/cmd/candor/internal/config"
	"candor/cmd/candor/internal/demo"
	"candor/schema/dap"
)

// Who steals an aggregator's whole directory, store, keys, logs and all, but not the key of its store, finds no key, token, sealed share or aggregate share in any file. The
// control finds every one of them in what the server heard and in copies of its keys in the clear.
func TestThiefOfADisk(t *testing.T) {
	t.Parallel()
	table := &figures.Tidy{Period: "2024", Metrics: []string{"items"}}
	for i := range 12 {
		table.Organisations = append(table.Organisations, figures.Organisation{Name: fmt.Sprintf("organisation %d", i), Values: []int64{int64(i)}, Missing: []bool{false}})
	}
	o := options(t, table)
	o.Window = 6 * time.Second
	recorders := map[string]*recorder{"leader": {}, "helper": {}}
	o.Hooks.Endpoint = func(role, address string) string { return recorders[role].endpoint(t, address) }
	if _, err := demo.Run(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	for role, r := range recorders {
		secrets, copies := stolenSecrets(t, o.Out, role), r.shares(t)
		if want := map[string]int{"leader": 6, "helper": 5}[role]; len(secrets) != want {
			t.Errorf("%s: %d key files, want %d", role, len(secrets), want)
		}
		if len(copies) < 12 {
			t.Errorf("%s: heard %d shares: the search would be of nothing", role, len(copies))
		}
		secrets = append(secrets, copies...)
		searched := 0
		err := filepath.WalkDir(filepath.Join(o.Out, role), func(path string, e fs.DirEntry, err error) error {
			if err != nil || !e.Type().IsRegular() || e.Name() == "store.key" {
				return err
			}
			text, err := os.ReadFile(path)
			searched += len(text)
			if found := find(secrets, text); len(found) > 0 {
				t.Errorf("%s has %s", path, strings.Join(found, "; "))
			}
			return err
		})
		if err != nil || searched < 10_000 {
			t.Errorf("%s: searched %d bytes, %v", role, searched, err)
		}
	}
}

// stolenSecrets returns the forms of what a server's key files hold, and makes sure that each is found where it is in the clear.
func stolenSecrets(t *testing.T, out, role string) (secrets []secret) {
	t.Helper()
	cfg, err := config.LoadAggregator(filepath.Join(out, role, role+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	copies, err := cfg.UnsealKeys(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range copies {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		fields := strings.Fields(string(text)) // the secret is the last word
		raw, err := base64.RawURLEncoding.DecodeString(fields[len(fields)-1])
		if err != nil || len(raw) < 32 {
			t.Fatalf("%s ends with %d bytes, %v", path, len(raw), err)
		}
		s := secret{"the secret of " + filepath.Base(path), [][]byte{raw[:16], raw[16:32], []byte(hex.EncodeToString(raw[:16])), []byte(base64.RawURLEncoding.EncodeToString(raw[:15]))}}
		if len(find([]secret{s}, text)) == 0 {
			t.Errorf("%s: the search does not find the secret in the clear", path)
		}
		secrets = append(secrets, s)
	}
	return secrets
}

// shares returns a piece of each sealed share that a server has in its store or had there: input shares of reports, and its aggregate share for the Collector.
func (r *recorder) shares(t *testing.T) (secrets []secret) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, b := range r.bodies {
		var pieces [][]byte
		switch message, _ := dap.MediaTypeMessage(b.contentType); message {
		case dap.MessageUploadReq:
			reports, err := dap.Parse[dap.UploadRequest](b.body)
			if err != nil {
				t.Fatal(err)
			}
			for _, report := range reports {
				pieces = append(pieces, report.Leader.Payload, report.Helper.Payload)
			}
		case dap.MessageAggregationJobInitReq:
			job, err := dap.Parse[dap.AggregationJobInitReq](b.body)
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range job.VerifyInits {
				pieces = append(pieces, v.ReportShare.Ciphertext.Payload)
			}
		case dap.MessageAggregateShare:
			share, err := dap.Parse[dap.AggregateShare](b.body)
			if err != nil {
				t.Fatal(err)
			}
			pieces = append(pieces, share.Payload)
		}
		for _, p := range pieces {
			s := secret{"a share in a body of " + b.path, [][]byte{p[:16], p[len(p)-16:]}}
			if !bytes.Contains(b.body, s.forms[0]) {
				t.Errorf("the search does not find %s in the clear", s.name)
			}
			secrets = append(secrets, s)
		}
	}
	return secrets
}
