package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"candor/client/publish"
	"candor/cmd/candor/internal/config"
	"candor/schema/release"
)

func newReleaseVerifyCmd() *cobra.Command {
	var trust string
	var previous []string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "verify PATH|URL",
		Short: "Recompute a release from its own files",
		Long: `Recompute everything in a release: signatures, both aggregators' statements, Merkle paths, sums of the opened shares, offsets, estimates and
intervals, the release rules as far as public numbers decide them, ratios, and every byte of CSV, JSON and HTML.
PATH is a release's directory, its data directory, or release.tar. It needs no secret and no server, and
prints a line for each check and one verdict; the exit status is 1 on any difference.

The keys are pinned by --trust, a file with the fingerprints that the coalition and both operators made known:

  secretariat: 00000-00000-00000-00000-00000
  leader: 00000-00000-00000-00000-00000
  helper: 00000-00000-00000-00000-00000
  releases: []   # of the further signers that round documents name, those who count; empty: all

Without it the release is only checked against the keys that it names itself: "signers unpinned".

Whether the figures may stand beside those of earlier releases is decided again if these are given with
--previous: the release names them by their hash. Otherwise it is "not checkable".`,
		Example: "  candor release verify release --trust trust.yaml\n  candor release verify https://figures.example/2026q1/",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			pins, err := readTrust(trust)
			if err != nil {
				return err
			}
			earlier, err := readEarlier(cmd.Context(), previous)
			if err != nil {
				return err
			}
			v, err := verifyAt(cmd.Context(), args[0], pins, earlier...)
			if err != nil {
				return fmt.Errorf("reading the release: %w", err)
			}
			if asJSON {
				enc := json.NewEncoder(cmd.OutOrStdout())
				enc.SetIndent("", "  ")
				if err := enc.Encode(struct {
					publish.Verification
					Verified bool   `json:"verified"`
					Verdict  string `json:"verdict"`
				}{v, v.OK(), v.Verdict()}); err != nil {
					return err
				}
				return refusedIf(v)
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			for _, c := range v.Checks {
				fmt.Fprintf(w, "%s\t%s\t%s\n", c.Outcome, c.Item, c.Detail)
			}
			if err := w.Flush(); err != nil {
				return err
			}
			return printVerdict(cmd, v)
		},
	}
	cmd.Flags().StringVar(&trust, "trust", "", "`FILE` with pinned fingerprints")
	previousFlag(cmd, &previous)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// readTrust reads the pinned keys; nil without a file.
func readTrust(path string) (*publish.Trust, error) {
	if path == "" {
		return nil, nil
	}
	pins := new(publish.Trust)
	if err := config.Load(path, pins); err != nil {
		return nil, fmt.Errorf("reading the pinned keys: %w", err)
	}
	return pins, nil
}

func printVerdict(cmd *cobra.Command, v publish.Verification) error {
	fmt.Fprintln(cmd.OutOrStdout(), v.Verdict())
	return refusedIf(v)
}

func refusedIf(v publish.Verification) error {
	if v.OK() {
		return nil
	}
	for _, c := range v.Checks {
		if c.Outcome == publish.Failed {
			return fmt.Errorf("the release is not what it says: %s: %s", c.Item, c.Detail)
		}
	}
	return errors.New("nothing of the release could be checked")
}

// location is where a release lies, by path or URL.
func location(ctx context.Context, at string) publish.Location {
	if strings.HasPrefix(at, "https://") || strings.HasPrefix(at, "http://") {
		return publish.Location{Read: func(name string) ([]byte, error) { return fetch(ctx, at, name) }} // a web site cannot be listed
	}
	return publish.Dir(at)
}

// verifyAt verifies the release at a path or URL.
func verifyAt(ctx context.Context, at string, trust *publish.Trust, earlier ...*publish.Earlier) (publish.Verification, error) {
	place := location(ctx, at)
	if !strings.HasSuffix(at, ".tar") {
		return publish.VerifyAt(place, trust, earlier...)
	}
	text, err := place.Read("")
	if err != nil {
		return publish.Verification{}, err
	}
	files, err := release.ParseTar(text)
	if err != nil {
		return publish.Verification{Pinned: trust != nil, Checks: []publish.Check{{Item: "files", Outcome: publish.Failed, Detail: err.Error()}}}, nil
	}
	return publish.Verify(files, nil, trust, earlier...), nil
}

// fetch gets a file of a web site. Who serves it need not be trusted: the release is checked, not its carrier.
func fetch(ctx context.Context, base, name string) ([]byte, error) {
	where := base
	if name != "" {
		var err error
		if where, err = url.JoinPath(base, name); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, where, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusNotFound:
		return nil, fmt.Errorf("%s: %w", where, fs.ErrNotExist)
	case resp.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("%s: %s", where, resp.Status)
	}
	return publish.ReadBounded(resp.Body, where)
}
