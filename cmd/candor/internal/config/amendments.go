package config

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"candor/aggregator"
	"candor/crypto/sign"
	"candor/schema/round"
)

// amendmentFiles lists the amendments of a round's file, in the order in which they were made: "2026q1.1.amendment" beside "2026q1.json".
func amendmentFiles(roundPath string) ([]string, error) {
	files, err := filepath.Glob(strings.TrimSuffix(roundPath, ".json") + ".*.amendment")
	slices.SortFunc(files, func(a, b string) int { return amendmentNumber(a) - amendmentNumber(b) })
	return files, err
}

func amendmentNumber(path string) (n int) {
	parts := strings.Split(filepath.Base(path), ".")
	_, _ = fmt.Sscanf(parts[len(parts)-2], "%d", &n) // others count as zero
	return n
}

// ReadAmendments reads the amendments that lie beside a round's file, in the order in which they were made. Their signatures are not checked here.
func ReadAmendments(roundPath string) (list []*round.SignedAmendment, err error) {
	files, err := amendmentFiles(roundPath)
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		text, err := readFile(f)
		if err != nil {
			return nil, err
		}
		a, err := round.ParseAmendment(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f, err)
		}
		list = append(list, a)
	}
	return list, nil
}

// amend applies an amendment that was verified to a task.
func amend(t *aggregator.Task, a *round.SignedAmendment) error {
	switch a.Kind {
	case round.Extend:
		t.Until = a.Closes
	case round.Cancel:
		t.Cancelled = true
	case round.ReplaceKey:
		key, err := sign.ParsePublicKey(a.Key)
		if err != nil {
			return err
		}
		t.Round.ReplaceKey(a.Member, key)
	}
	return nil
}

// closes returns when the window of a round closes, as amended.
func closes(d *round.Document, amendments []*round.SignedAmendment) time.Time {
	at := d.Window.Closes
	for _, a := range amendments {
		if a.Kind == round.Extend && len(a.SignedBy()) == 3 {
			at = a.Closes
		}
	}
	return at
}

// Amend keeps an amendment beside its round in the coalition's directory and signs it for the secretariat. It returns the file's path.
func (c Coalition) Amend(s *round.Signed, a *round.SignedAmendment, now time.Time) (string, error) {
	roundPath := c.Path("rounds", s.Document.ID+".json")
	before, err := ReadAmendments(roundPath)
	if err != nil {
		return "", err
	}
	if at := closes(s.Document, before); !now.Before(at) {
		return "", fmt.Errorf("amending round %s: its window closed at %s; what is wrong now waits for a round that supersedes it", s.Document.ID, at.Format(time.RFC3339))
	}
	key, err := c.Identity()
	if err != nil {
		return "", err
	}
	if err := a.Sign(s, round.BySecretariat, key); err != nil {
		return "", err
	}
	path := fmt.Sprintf("%s.%d.amendment", strings.TrimSuffix(roundPath, ".json"), len(before)+1)
	return path, replaceFile(path, a.Encode(), 0o644)
}

// ApproveAmendment adds the operator's signature to an amendment that the secretariat signed, of a round that this server runs, and installs it once it bears all
// three. name is its file's name.
func (a *Aggregator) ApproveAmendment(ctx context.Context, am *round.SignedAmendment, name string, now time.Time) (complete bool, err error) {
	roundPath := filepath.Join(a.Rounds, am.Round+".json")
	text, err := readFile(roundPath)
	if err != nil {
		return false, fmt.Errorf("round %s does not run here: %w", am.Round, err)
	}
	s, err := round.ParseSigned(text)
	if err != nil {
		return false, err
	}
	if err := s.Verify(a.Trust); err != nil {
		return false, err
	}
	if err := am.Verify(s, round.BySecretariat); err != nil {
		return false, err
	}
	before, err := ReadAmendments(roundPath)
	if err != nil {
		return false, err
	}
	if at := closes(s.Document, before); !now.Before(at) {
		return false, fmt.Errorf("the window of round %s closed at %s: nothing about it changes any more", am.Round, at.Format(time.RFC3339))
	}
	key, err := a.LoadIdentity(ctx)
	if err != nil {
		return false, err
	}
	by, err := a.signsAs(s.Document, key.PublicKey())
	if err != nil {
		return false, err
	}
	if err := am.Sign(s, by, key); err != nil {
		return false, err
	}
	if am.Verify(s) != nil {
		return false, nil // the other operator has not signed yet
	}
	if base := filepath.Base(name); !strings.HasPrefix(base, am.Round+".") || !strings.HasSuffix(base, ".amendment") {
		return true, fmt.Errorf("installing an amendment: its file is called %s; keep the name that the secretariat gave it, %s.N.amendment", base, am.Round)
	}
	return true, replaceFile(filepath.Join(a.Rounds, filepath.Base(name)), am.Encode(), 0o644)
}
