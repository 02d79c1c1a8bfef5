package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"candor/client/figures"
	"candor/client/ledger"
	"candor/client/member"
	"candor/cmd/candor/internal/config"
	"candor/schema/metric"
	"candor/schema/round"
)

// A memberSession is a member's directory in use.
type memberSession struct {
	settings  *config.Member
	catalogue *metric.Catalogue
	ledger    *ledger.Ledger // nil unless it was asked for
	*member.Member
}

// openMember reads a member's directory; withLedger opens its ledger, too, and locks it. Close it.
func openMember(cmd *cobra.Command, dir string, withLedger bool) (*memberSession, error) {
	settings, err := config.LoadMember(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, withHint(err, "name your directory with --member DIR, or make one: candor member keygen --help")
	}
	if err != nil {
		return nil, err
	}
	s := &memberSession{settings: settings}
	key, err := settings.LoadKey()
	if err != nil {
		return nil, err
	}
	if s.catalogue, err = settings.LoadCatalogue(); err != nil {
		return nil, err
	}
	if withLedger {
		if s.ledger, err = settings.OpenLedger(); err != nil {
			return nil, ledgerHint(err)
		}
	}
	s.Member, err = member.New(member.Config{ID: settings.ID, Key: key, Trust: settings.Trust, Dir: settings.Dir, Ledger: s.ledger,
		Logger: slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelWarn}))})
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// Close releases the ledger.
func (s *memberSession) Close() {
	if s.ledger != nil {
		_ = s.ledger.Close() // every entry was on disk before
	}
}

// ledgerHint says what to do about a ledger that does not open.
func ledgerHint(err error) error {
	switch {
	case errors.Is(err, ledger.ErrLocked):
		return withHint(err, "wait until the other candor member command has ended")
	case errors.Is(err, ledger.ErrRolledBack):
		return withHint(err, "look for the newest copy of the ledger; nothing can be sent from an old one")
	case errors.Is(err, ledger.ErrBroken):
		return withHint(err, "candor member ledger verify")
	}
	return err
}

// openRound verifies the round that --round names: a file, or the id of a round that the member took part in.
func (s *memberSession) openRound(cmd *cobra.Command, name string) (*member.Round, error) {
	text, err := readRoundFile(cmd, s.settings.Dir, name)
	if err != nil {
		return nil, err
	}
	amendments, err := config.ReadAmendments(name)
	if err != nil {
		return nil, err
	}
	r, err := s.Open(text, s.catalogue, amendments...)
	if err != nil && (s.settings.Trust.Secretariat == "" || s.settings.Trust.Leader == "" || s.settings.Trust.Helper == "") {
		err = withHint(err, "candor member pin %s --secretariat FINGERPRINT --leader FINGERPRINT --helper FINGERPRINT", s.settings.Dir)
	}
	return r, err
}

func readRoundFile(cmd *cobra.Command, dir, name string) ([]byte, error) {
	if name == "" {
		return nil, withHint(usageError{errors.New("--round is missing")}, "give the round file that the secretariat sent: --round 2026q1.json")
	}
	kept := filepath.Join(dir, "rounds", name+".json")
	if _, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) && !strings.ContainsRune(name, filepath.Separator) {
		if _, err := os.Stat(kept); err == nil {
			name = kept
		}
	}
	text, err := readInput(cmd, name)
	if err != nil {
		return nil, withHint(fmt.Errorf("reading a round: %w", err), "give the round file that the secretariat sent: --round 2026q1.json")
	}
	return text, nil
}

// A namedRound is what --round says where figures are written or checked: a name, or a signed round's file.
type namedRound struct {
	id          string
	instruments []string         // nil: not known
	catalogue   *round.Catalogue // nil: not known
}

// countsBy returns an error unless the round counts by c.
func (n namedRound) countsBy(c *metric.Catalogue) error {
	if n.catalogue == nil || n.catalogue.Hash == c.Hash() {
		return nil
	}
	return withHint(fmt.Errorf("round %s counts by catalogue %s %s with hash %.16s…; this is %s with hash %.16s…",
		n.id, n.catalogue.ID, n.catalogue.Version, n.catalogue.Hash, c, c.Hash()), "give the file of the coalition's catalogue with --catalogue FILE, or take the version of the program that the secretariat names")
}

// nameRound reads what --round says. A file's signatures are not verified here: submit does that.
func nameRound(name string) (namedRound, error) {
	if !strings.HasSuffix(name, ".json") {
		return namedRound{id: name}, nil
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return namedRound{}, fmt.Errorf("reading a round: %w", err)
	}
	s, err := round.ParseSigned(text)
	if err != nil {
		return namedRound{}, err
	}
	return namedRound{s.Document.ID, documentInstruments(s.Document), &s.Document.Catalogue}, nil
}

func documentInstruments(d *round.Document) (ids []string) {
	seen := map[string]bool{}
	for i := range d.Parts {
		if id := d.Parts[i].Instrument; !seen[id] {
			seen[id] = true
			ids = append(ids, id)
		}
	}
	return ids
}

// draft reads the figures file and prepares it, and prints its errors where it cannot be sent.
func (s *memberSession) draft(cmd *cobra.Command, r *member.Round, name string) (*member.Draft, error) {
	file, err := readFigures(name, figures.Options{File: name, Catalogue: s.catalogue, Round: r.Document.ID, Instruments: r.Instruments()})
	if err != nil {
		return nil, err
	}
	d, err := s.Draft(r, file)
	if wrong, ok := errors.AsType[*member.FiguresError](err); ok {
		if err := printReport(cmd.OutOrStdout(), wrong.Report); err != nil {
			return nil, err
		}
		return nil, withHint(err, "candor member check %s", name)
	}
	return d, err
}

// printQuestions prints to standard error what is unusual and not explained.
func (s *memberSession) printQuestions(w io.Writer, r *member.Round, d *member.Draft) error {
	last, err := s.LastFigures(r)
	if err != nil {
		return err
	}
	report := d.Figures().Check(last)
	for _, note := range report.Notes {
		fmt.Fprintf(w, "candor: note: %s\n", note)
	}
	for _, q := range report.Unexplained() {
		fmt.Fprintf(w, "candor: question: %s\n", q.Problem)
	}
	return nil
}
