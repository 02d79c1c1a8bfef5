package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"candor/client/publish"
	"candor/cmd/candor/internal/config"
	"candor/schema/release"
)

// A releaseHistory is what was released before: the archives that build keeps in the coalition's directory, and others that are named.
type releaseHistory struct {
	previous  []string
	corrected int
}

func (h *releaseHistory) addFlags(cmd *cobra.Command) {
	previousFlag(cmd, &h.previous)
	cmd.Flags().IntVar(&h.corrected, "corrected", 0, "in a round that revises a released one: `NUMBER` of groups that asked to correct their figures")
}

func previousFlag(cmd *cobra.Command, to *[]string) {
	cmd.Flags().StringArrayVar(to, "previous", nil, "`PATH|URL` of a release that was published before, to compare with; may be repeated")
}

// read returns the earlier releases of a coalition, with who was counted where that is still known, and of them the latest one of round id.
func (h *releaseHistory) read(ctx context.Context, c *config.Coalition, id string) (publish.History, *release.Bundle, error) {
	history := publish.History{Corrected: h.corrected}
	kept, err := c.Releases()
	if err != nil {
		return history, nil, err
	}
	if history.Earlier, err = readEarlier(ctx, append(kept, h.previous...)); err != nil {
		return history, nil, err
	}
	var latest *release.Bundle
	for _, e := range history.Earlier {
		if e.Document.ID == id && (latest == nil || len(e.Bundle.Revisions) > len(latest.Revisions)) {
			latest = &e.Bundle
		}
		e.Members = counted(c, e.Document.ID)
	}
	return history, latest, nil
}

// counted returns the members whose reports were aggregated in an earlier round, by part; nil if its collection is no longer there.
func counted(c *config.Coalition, id string) map[string][]string {
	s, err := c.Round(id)
	if err != nil {
		return nil
	}
	r, err := collection(c, s, nil)
	if err != nil {
		return nil
	}
	batches, err := r.Batches()
	if err != nil {
		return nil
	}
	members := map[string][]string{}
	for i, b := range batches {
		p := &s.Document.Parts[i]
		members[p.Instrument+"/"+p.Name] = b.Members
	}
	return members
}

// readEarlier reads releases for comparisons.
func readEarlier(ctx context.Context, places []string) ([]*publish.Earlier, error) {
	var list []*publish.Earlier
	for _, at := range places {
		bundle, err := readBundle(ctx, at)
		if err != nil {
			return nil, fmt.Errorf("reading the earlier release %s: %w", at, err)
		}
		e, err := publish.NewEarlier(bundle)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", at, err)
		}
		list = append(list, e)
	}
	return list, nil
}

// readBundle reads the bundle at a path or URL: a release's directory or site, its data directory, or its archive.
func readBundle(ctx context.Context, at string) (release.Bundle, error) {
	place := location(ctx, at)
	if !strings.HasSuffix(at, ".tar") {
		b, _, err := publish.ReadRelease(place)
		return b, err
	}
	text, err := place.Read("")
	if err != nil {
		return release.Bundle{}, err
	}
	files, err := release.ParseTar(text)
	if err != nil {
		return release.Bundle{}, err
	}
	return release.ParseBundle(files)
}

// keep stores the archive of a signed release, so that every later one is compared with it.
func keep(c *config.Coalition, b release.Bundle, id string) error {
	files, err := b.Files()
	if err != nil {
		return err
	}
	archive, err := release.EncodeTar(files)
	if err != nil {
		return err
	}
	return c.KeepRelease(id, len(b.Revisions), archive)
}
