package member

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"candor/client"
	"candor/crypto/sign"
	"candor/schema/metric"
	"candor/schema/round"
)

// A Round is a round that was verified for one member: all three parties signed it with the pinned keys, it does not contradict itself, its entry
// for the member is the member's own, and its parts are those of the catalogue.
type Round struct {
	*round.Signed
	Hash      [32]byte
	Catalogue *metric.Catalogue
	// Closes is when the window closes: as the document says, or as an amendment says.
	Closes time.Time

	leader, helper sign.PublicKey
	parts          []part // in the order of Document.Parts
}

// A part is one task with what its vector is made of.
type part struct {
	*round.Part
	task   *round.Task
	source metric.Part
	client *client.Client
	noise  round.Noise // nil without noise of the member's own
}

func (p *part) name() string { return p.Instrument + "/" + p.Name }

// ErrNotMe says that a round's entry for the member is not the member's own.
var ErrNotMe = errors.New("the round's entry for this member is not its own")

// Open verifies a signed round, as its file holds it. Nothing is written and no request is made.
//
// A round is refused that bears another signature than those of the pinned keys, contradicts itself, names another key for the member
// (ErrNotMe), counts by another catalogue, asks for counts without noise that the catalogue says carry some, or has the name of another
// round that this member took part in.
//
// amendments are those of the round, in their order: each must bear all three signatures. A cancelled round is refused.
func (m *Member) Open(text []byte, catalogue *metric.Catalogue, amendments ...*round.SignedAmendment) (*Round, error) {
	signed, err := round.ParseSigned(text)
	if err != nil {
		return nil, err
	}
	d := signed.Document
	if m.cfg.Trust.Secretariat == "" || m.cfg.Trust.Leader == "" || m.cfg.Trust.Helper == "" {
		return nil, fmt.Errorf("opening round %s: the keys of the secretariat and of both operators are not all pinned", d.ID)
	}
	if err := signed.Verify(m.cfg.Trust); err != nil {
		return nil, err
	}
	if problems := d.Check(); len(problems) > 0 {
		return nil, fmt.Errorf("round %s contradicts itself:\n%s", d.ID, strings.Join(problems, "\n"))
	}
	if problems := d.Unprotected(); len(problems) > 0 {
		return nil, fmt.Errorf("round %s is refused:\n%s", d.ID, strings.Join(problems, "\n"))
	}
	r := &Round{Signed: signed, Hash: signed.Hash(), Catalogue: catalogue, Closes: d.Window.Closes}
	ownKey := ""
	for _, a := range amendments {
		if err := a.Verify(signed); err != nil {
			return nil, err
		}
		switch {
		case a.Kind == round.Cancel:
			return nil, fmt.Errorf("%w: round %s was cancelled: %s", ErrClosed, d.ID, a.Reason)
		case a.Kind == round.Extend:
			r.Closes = a.Closes
		case a.Member == m.cfg.ID:
			ownKey = a.Key
		}
	}
	if err := m.checkOwnEntry(d, ownKey); err != nil {
		return nil, err
	}
	if err := m.checkKnown(signed); err != nil {
		return nil, err
	}
	if d.Catalogue.Hash != catalogue.Hash() {
		return nil, fmt.Errorf("round %s counts by catalogue %s %s with hash %.16s…; this is %s with hash %.16s…: take the program or the catalogue file that the secretariat names",
			d.ID, d.Catalogue.ID, d.Catalogue.Version, d.Catalogue.Hash, catalogue, catalogue.Hash())
	}
	if r.leader, err = sign.ParsePublicKey(d.Leader.Key); err != nil {
		return nil, err
	}
	if r.helper, err = sign.ParsePublicKey(d.Helper.Key); err != nil {
		return nil, err
	}
	return r, m.openParts(r)
}

// checkOwnEntry compares the roster with this member's own key: who could replace the key could submit in the member's name. amended is the key that an amendment gives
// the member; empty: none does.
func (m *Member) checkOwnEntry(d *round.Document, amended string) error {
	own := m.cfg.Key.PublicKey()
	i := slices.IndexFunc(d.Roster, func(e round.Member) bool { return e.ID == m.cfg.ID })
	if i < 0 {
		return fmt.Errorf("round %s is refused: %w: its roster has no member %s", d.ID, ErrNotMe, m.cfg.ID)
	}
	key := d.Roster[i].Key
	if amended != "" {
		key = amended
	}
	if key != own.String() {
		other, err := sign.ParsePublicKey(key)
		if err != nil {
			return err
		}
		return fmt.Errorf("round %s is refused: %w: it names the key %s for %s, and this member's key is %s; tell both operators, and do not submit",
			d.ID, ErrNotMe, other.Fingerprint(), m.cfg.ID, own.Fingerprint())
	}
	for _, e := range d.Roster {
		if e.Key == own.String() && e.ID != m.cfg.ID {
			return fmt.Errorf("round %s is refused: %w: member %s has this member's key", d.ID, ErrNotMe, e.ID)
		}
	}
	return nil
}

// checkKnown refuses a second document for a round that this member took part in.
func (m *Member) checkKnown(s *round.Signed) error {
	text, err := readFile(m.path("rounds", s.Document.ID+".json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("comparing with the round that is kept here: %w", err)
	}
	known, err := round.ParseSigned(text)
	if err != nil {
		return fmt.Errorf("comparing with the round that is kept here: %w", err)
	}
	if !bytes.Equal(known.Text, s.Text) {
		return fmt.Errorf("round %s is refused: this member took part in another round of that name, short code %s; this one has %s: two documents for one round",
			s.Document.ID, known.Code(), s.Code())
	}
	return nil
}

// openParts finds out what each part's vector is made of, and makes its client.
func (m *Member) openParts(r *Round) error {
	d := r.Document
	tasks, err := r.Tasks()
	if err != nil {
		return err
	}
	leader, err := round.ParseHPKE(d.Leader.HPKE)
	if err != nil {
		return err
	}
	helper, err := round.ParseHPKE(d.Helper.HPKE)
	if err != nil {
		return err
	}
	sources, err := r.sources()
	if err != nil {
		return fmt.Errorf("round %s is refused: %w", d.ID, err)
	}
	r.parts = make([]part, len(d.Parts))
	for i := range d.Parts {
		p := &r.parts[i]
		p.Part, p.task, p.source = &d.Parts[i], tasks[i], sources[i]
		if p.noise, err = p.Privacy.MemberNoise(); err != nil {
			return fmt.Errorf("round %s, part %s: %w", d.ID, p.name(), err)
		}
		p.client, err = client.New(client.Config{
			Task: p.task, LeaderHPKE: leader, HelperHPKE: helper, HTTP: m.cfg.HTTP, PlainHTTP: m.cfg.PlainHTTP, Now: m.cfg.Now, Rand: m.cfg.Rand,
			Logger: m.log, Attempts: m.cfg.Attempts, MaxWait: m.cfg.MaxWait, Until: r.Closes,
		})
		if err != nil {
			return fmt.Errorf("round %s, part %s: %w", d.ID, p.name(), err)
		}
	}
	return nil
}

// sources returns the catalogue's part for each part of the document. They must be the same, cell by cell.
func (r *Round) sources() ([]metric.Part, error) {
	byName := map[string]metric.Part{}
	caps := map[string]map[string]int64{}
	for i := range r.Document.Parts {
		p := &r.Document.Parts[i]
		if caps[p.Instrument] == nil {
			caps[p.Instrument] = map[string]int64{}
		}
		if p.Kind == round.KindCounts {
			for _, id := range p.Metrics() {
				caps[p.Instrument][id] = int64(p.Cap)
			}
		}
	}
	for id, limits := range caps {
		in := r.Catalogue.Instrument(id)
		if in == nil {
			return nil, fmt.Errorf("catalogue %s has no instrument %q", r.Catalogue, id)
		}
		parts, err := in.Parts(limits)
		if err != nil {
			return nil, err
		}
		for _, p := range parts {
			byName[id+"/"+p.Name] = p
		}
	}
	sources := make([]metric.Part, len(r.Document.Parts))
	for i := range r.Document.Parts {
		p := &r.Document.Parts[i]
		source, ok := byName[p.Instrument+"/"+p.Name]
		if !ok || !sameCells(p, &source) {
			return nil, fmt.Errorf("its part %s/%s is not what catalogue %s makes of the instrument", p.Instrument, p.Name, r.Catalogue)
		}
		if source.Kind == metric.Counts && source.Noise && p.Privacy.Mechanism == "none" {
			return nil, fmt.Errorf("its part %s/%s has no noise; by catalogue %s these counts are told with noise only", p.Instrument, p.Name, r.Catalogue)
		}
		if err := checkSensitivity(p, &source); err != nil {
			return nil, err
		}
		sources[i] = source
	}
	return sources, nil
}

// checkSensitivity refuses a part that says of its unit that it changes less than by the catalogue it does: with the noise for that its ε would not hold.
func checkSensitivity(p *round.Part, source *metric.Part) error {
	v := p.Privacy
	says := v.Delta1
	switch v.Mechanism {
	case "none":
		return nil
	case "gaussian":
		says = v.L0 * v.LInf // an L2 sensitivity of √L0·LInf; the checker of documents bounds both
	}
	if limit := uint64(source.UnitLimit(metric.PrivacyUnit(v.Unit))); says < limit {
		return fmt.Errorf("its part %s/%s says that one %s changes it by at most %d; by the catalogue it is %d, for which there is too little noise",
			p.Instrument, p.Name, v.Unit, says, limit)
	}
	return nil
}

func sameCells(p *round.Part, source *metric.Part) bool {
	kinds := map[string]metric.PartKind{round.KindCounts: metric.Counts, round.KindAnswers: metric.Answers}
	return kinds[p.Kind] == source.Kind && int64(p.Cap) == source.Cap && slices.EqualFunc(p.Cells, source.Cells, func(c round.Cell, s metric.Cell) bool {
		return c.Metric == s.Metric && c.Code == s.Column()
	})
}

// Instruments returns the ids of the round's instruments, in the order of its parts.
func (r *Round) Instruments() (ids []string) {
	for i := range r.Document.Parts {
		if id := r.Document.Parts[i].Instrument; !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// keep saves the round among those that the member took part in.
func (m *Member) keep(r *Round) error {
	if err := writeFile(m.path("rounds", r.Document.ID+".json"), r.Encode()); err != nil {
		return fmt.Errorf("keeping round %s: %w", r.Document.ID, err)
	}
	return nil
}

// Known returns the rounds that the member took part in, in order of their periods. Their signatures were verified when they were kept.
func (m *Member) Known() ([]*round.Signed, error) {
	entries, err := os.ReadDir(m.path("rounds"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("listing the rounds: %w", err)
	}
	var known []*round.Signed
	for _, e := range entries {
		if filepath.Ext(e.Name()) != ".json" || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		text, err := readFile(m.path("rounds", e.Name()))
		if err != nil {
			return nil, fmt.Errorf("reading a round: %w", err)
		}
		s, err := round.ParseSigned(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.Name(), err)
		}
		known = append(known, s)
	}
	slices.SortStableFunc(known, func(a, b *round.Signed) int {
		return strings.Compare(a.Document.Period.Last+a.Document.Window.Opens.UTC().Format("20060102150405"), b.Document.Period.Last+b.Document.Window.Opens.UTC().Format("20060102150405"))
	})
	return known, nil
}
