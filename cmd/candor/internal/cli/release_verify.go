package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
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
  releases: []   # further signers of releases

Without it the release is only checked against the keys that it names itself: "signers unpinned".`,
		Example: "  candor release verify release --trust trust.yaml\n  candor release verify https://figures.example/2026q1/",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var pins *publish.Trust
			if trust != "" {
				pins = new(publish.Trust)
				if err := config.Load(trust, pins); err != nil {
					return fmt.Errorf("reading the pinned keys: %w", err)
				}
			}
			v, err := verifyAt(cmd.Context(), args[0], pins)
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
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
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

// verifyAt verifies the release at a path or URL.
func verifyAt(ctx context.Context, at string, trust *publish.Trust) (publish.Verification, error) {
	if strings.HasSuffix(at, ".tar") {
		read, _ := location(ctx, at)
		text, err := read("")
		if err != nil {
			return publish.Verification{}, err
		}
		files, err := release.ParseTar(text)
		if err != nil {
			return publish.Verification{Checks: []publish.Check{{Item: "files", Outcome: publish.Failed, Detail: err.Error()}}}, nil
		}
		return publish.Verify(files, nil, trust), nil
	}
	read, list := location(ctx, at)
	for _, prefix := range []string{"data/", ""} {
		files, err := bundleFiles(read, list, prefix)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return publish.Verification{}, err
		case prefix == "":
			return publish.Verify(files, nil, trust), nil
		}
		return publish.Verify(files, &publish.Location{Read: read, List: list}, trust), nil
	}
	return publish.Verification{}, fmt.Errorf("there is no %s at %s", release.DataPackageName, at)
}

// readRelease reads the bundle of a release's directory.
func readRelease(dir string) (release.Bundle, release.Files, error) {
	read, list := location(context.Background(), dir)
	files, err := bundleFiles(read, list, "data/")
	if err != nil {
		return release.Bundle{}, nil, err
	}
	b, err := release.ParseBundle(files)
	return b, files, err
}

// bundleFiles reads the files of a bundle below prefix: all that are there, or, where that cannot be known, those that the descriptor
// lists. The archive beside them is none of them.
func bundleFiles(read func(string) ([]byte, error), list func() ([]string, error), prefix string) (release.Files, error) {
	descriptor, err := read(prefix + release.DataPackageName)
	if err != nil {
		return nil, err
	}
	var names []string
	if list != nil {
		all, err := list()
		if err != nil {
			return nil, err
		}
		for _, name := range all {
			if name, ok := strings.CutPrefix(name, prefix); ok && name != "release.tar" {
				names = append(names, name)
			}
		}
	} else {
		var d struct {
			Resources []struct {
				Path string `json:"path"`
			} `json:"resources"`
		}
		if err := json.Unmarshal(descriptor, &d); err != nil {
			return nil, fmt.Errorf("%s: %w", release.DataPackageName, err)
		}
		for _, r := range d.Resources {
			names = append(names, r.Path)
		}
		names = append(names, release.SignaturesName)
	}
	files := release.Files{release.DataPackageName: descriptor}
	for _, name := range names {
		if err := (release.Files{name: nil}).Check(); err != nil { // before the name becomes a path
			return nil, err
		}
		data, err := read(prefix + name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // its absence is for the verifier to say
		}
		if err != nil {
			return nil, err
		}
		files[name] = data
	}
	return files, files.Check()
}

// location returns how to read the files at a path or URL, and how to list them; a web site cannot be listed. The empty name is the place itself.
func location(ctx context.Context, at string) (read func(string) ([]byte, error), list func() ([]string, error)) {
	if strings.HasPrefix(at, "https://") || strings.HasPrefix(at, "http://") {
		return func(name string) ([]byte, error) { return fetch(ctx, at, name) }, nil
	}
	read = func(name string) ([]byte, error) {
		f, err := os.Open(filepath.Join(at, filepath.FromSlash(name)))
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return readBounded(f, name)
	}
	list = func() (names []string, err error) {
		err = filepath.WalkDir(at, func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			name, err := filepath.Rel(at, path)
			names = append(names, filepath.ToSlash(name))
			return err
		})
		return names, err
	}
	return read, list
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
	return readBounded(resp.Body, where)
}

func readBounded(r io.Reader, name string) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, 2*release.MaxBundle+1))
	if err == nil && len(text) > 2*release.MaxBundle {
		err = fmt.Errorf("%s is larger than any file of a release", name)
	}
	return text, err
}
