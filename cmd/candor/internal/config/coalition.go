package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"time"

	"candor/crypto/sign"
	"candor/schema/metric"
	"candor/schema/round"
)

// A Coalition is the secretariat's directory: its keys, the operators' cards, the roster and the rounds.
//
//	identity.key     signs rounds and releases; its fingerprint is pinned by everybody
//	collector.key    opens aggregate shares: sums, never one member's
//	collector.token  proves the Collector to the Leader; the Leader's operator gets a copy
//	leader.card, helper.card   what the operators sent
//	roster.json      the members, one enrolment a line
//	rounds/ID.json   rounds, with the signatures they have so far
//	released/ID-REVISION.tar   every release that was signed; later ones are compared with it
type Coalition struct{ Dir string }

// Path returns the path of a file in the directory.
func (c Coalition) Path(parts ...string) string {
	return filepath.Join(append([]string{c.Dir}, parts...)...)
}

// InitCoalition makes the directory with new keys. It never overwrites anything.
func InitCoalition(dir string) (Coalition, error) {
	c := Coalition{dir}
	if err := os.MkdirAll(c.Path("rounds"), 0o700); err != nil {
		return c, err
	}
	identity, err := GenerateIdentity()
	if err != nil {
		return c, err
	}
	collector, _, err := GenerateHPKE("x-wing", 1)
	if err != nil {
		return c, err
	}
	for _, f := range []struct {
		name string
		text []byte
	}{{"identity.key", identity}, {"collector.key", collector}, {"collector.token", GenerateToken()}, {"roster.json", nil}} {
		if err := WriteSecret(c.Path(f.name), f.text); err != nil {
			return c, err
		}
	}
	return c, nil
}

// Identity reads the secretariat's key.
func (c Coalition) Identity() (*sign.PrivateKey, error) { return LoadIdentity(c.Path("identity.key")) }

// Card reads the card of the "leader" or the "helper".
func (c Coalition) Card(role string) (round.Card, error) {
	text, err := readFile(c.Path(role + ".card"))
	if err != nil {
		return round.Card{}, err
	}
	card, err := round.ParseCard(text)
	if err == nil && card.Role != role {
		err = fmt.Errorf("%s is the card of a %s", c.Path(role+".card"), card.Role)
	}
	return card, err
}

// Roster reads the roster.
func (c Coalition) Roster() (members []round.Member, err error) {
	text, err := readFile(c.Path("roster.json"))
	if err != nil {
		return nil, fmt.Errorf("reading the roster: %w", err)
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	for dec.More() {
		var line json.RawMessage
		if err := dec.Decode(&line); err != nil {
			return nil, fmt.Errorf("reading the roster %s: %w", c.Path("roster.json"), err)
		}
		m, err := round.ParseEnrolment(line)
		if err != nil {
			return nil, fmt.Errorf("reading the roster %s: %w", c.Path("roster.json"), err)
		}
		members = append(members, m)
	}
	return members, nil
}

// Enrolments returns the lines of the roster as they were given.
func (c Coalition) Enrolments() (lines []string, err error) {
	if _, err := c.Roster(); err != nil {
		return nil, err
	}
	text, err := readFile(c.Path("roster.json"))
	if err != nil {
		return nil, err
	}
	return splitLines(text), nil
}

// WriteRoster replaces the roster.
func (c Coalition) WriteRoster(lines []string) error {
	return replaceFile(c.Path("roster.json"), joinLines(lines), 0o600)
}

// Round reads a round by its ID.
func (c Coalition) Round(id string) (*round.Signed, error) {
	text, err := readFile(c.Path("rounds", id+".json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no round %q in %s", id, c.Path("rounds"))
	}
	if err != nil {
		return nil, err
	}
	return round.ParseSigned(text)
}

// WriteRound replaces a round.
func (c Coalition) WriteRound(s *round.Signed) error {
	return replaceFile(c.Path("rounds", s.Document.ID+".json"), s.Encode(), 0o644)
}

// Rounds reads all rounds, by name of their files.
func (c Coalition) Rounds() ([]*round.Signed, error) { return readRounds(c.Path("rounds")) }

// KeepRelease keeps the archive of a signed release.
func (c Coalition) KeepRelease(id string, revision int, archive []byte) error {
	if err := os.MkdirAll(c.Path("released"), 0o755); err != nil {
		return err
	}
	return replaceFile(c.Path("released", fmt.Sprintf("%s-%d.tar", id, revision)), archive, 0o644)
}

// Releases returns the paths of all archives that KeepRelease kept.
func (c Coalition) Releases() ([]string, error) {
	entries, err := os.ReadDir(c.Path("released"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var paths []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".tar") {
			paths = append(paths, c.Path("released", e.Name()))
		}
	}
	return paths, err
}

// readRounds reads all rounds of a directory.
func readRounds(dir string) ([]*round.Signed, error) {
	files, err := RoundFiles(dir)
	if err != nil {
		return nil, err
	}
	rounds := make([]*round.Signed, len(files))
	for i, f := range files {
		text, err := readFile(f)
		if err != nil {
			return nil, err
		}
		if rounds[i], err = round.ParseSigned(text); err != nil {
			return nil, fmt.Errorf("%s: %w", f, err)
		}
	}
	return rounds, nil
}

// A RoundPlan is the file from which `candor round new` writes a round. Everything else comes from the coalition's directory and the catalogue.
type RoundPlan struct {
	ID         string `yaml:"id"`                   // lower-case letters, digits, hyphens
	Rehearsal  bool   `yaml:"rehearsal,omitempty"`  // synthetic figures, never released
	Supersedes string `yaml:"supersedes,omitempty"` // id of the released round that this one revises
	Period     struct {
		Label string `yaml:"label"`
		First string `yaml:"first"`
		Last  string `yaml:"last"`
	} `yaml:"period"`
	Window struct {
		Opens  time.Time `yaml:"opens"`
		Closes time.Time `yaml:"closes"`
	} `yaml:"window"`
	TimePrecision Duration          `yaml:"time_precision"`      // a unit of report time: "1h"
	Catalogue     string            `yaml:"catalogue,omitempty"` // file of the coalition's own catalogue; default: the standard one
	Instruments   []string          `yaml:"instruments"`
	Caps          map[string]int64  `yaml:"caps,omitempty"`    // by instrument.metric: greatest count of a member and cell
	Giants        map[string]uint64 `yaml:"giants,omitempty"`  // by instrument.metric: members publicly known to exceed the cap
	Epsilon       string            `yaml:"epsilon,omitempty"` // of each instrument; default 1
	Minimum       struct {
		Groups     uint64 `yaml:"groups"`
		CellGroups uint64 `yaml:"cell_groups"`
	} `yaml:"minimum,omitempty"`
	Release struct {
		Colluders    uint64   `yaml:"colluders,omitempty"`  // default 2
		P            string   `yaml:"p,omitempty"`          // default 1/5
		FewSD        uint64   `yaml:"few_sd,omitempty"`     // default 3
		Signatures   uint64   `yaml:"signatures,omitempty"` // default 1
		Signers      []string `yaml:"signers,omitempty"`    // public keys of those who may sign beside the secretariat
		MethodReview string   `yaml:"method_review"`        // a date
	} `yaml:"release"`
}

// NewRound writes the round of a plan file. All mistakes are reported together.
func (c Coalition) NewRound(path string) (*round.Signed, error) {
	text, err := readFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the plan: %w", err)
	}
	var p RoundPlan
	if err := parse(path, text, &p); err != nil {
		return nil, err
	}
	plan, err := c.plan(path, text, &p)
	if err != nil {
		return nil, err
	}
	document, err := plan.Document()
	if err != nil {
		return nil, err
	}
	return round.NewSigned(document)
}

func (c Coalition) plan(path string, text []byte, p *RoundPlan) (*round.Plan, error) {
	problems := &problems{path: path, text: text}
	catalogue := metric.Standard()
	if p.Catalogue != "" {
		own, err := LoadCatalogue(resolve(path, p.Catalogue))
		if err != nil {
			problems.at("$.catalogue", "%v", err)
		} else {
			catalogue = own
		}
	}
	epsilon := big.NewRat(1, 1)
	if p.Epsilon != "" {
		if _, ok := epsilon.SetString(p.Epsilon); !ok || epsilon.Sign() <= 0 {
			problems.at("$.epsilon", "%q is not a positive fraction such as 1/2", p.Epsilon)
		}
	}
	precision := time.Duration(p.TimePrecision)
	if precision < time.Second || precision%time.Second != 0 {
		problems.at("$.time_precision", "must be whole seconds, at least one")
	}
	plan := &round.Plan{
		ID: p.ID, Rehearsal: p.Rehearsal, Period: round.Period(p.Period), Window: round.Window(p.Window), Precision: uint64(precision / time.Second),
		Catalogue: catalogue, Instruments: p.Instruments, Caps: p.Caps, Epsilon: epsilon, Minimum: round.Minimum(p.Minimum),
		Release: round.Release{Colluders: p.Release.Colluders, P: p.Release.P, FewSD: p.Release.FewSD, Signatures: p.Release.Signatures,
			NextReview: p.Release.MethodReview, Signers: p.Release.Signers, Giants: []round.Giants{}, Waivers: []round.Waiver{}},
	}
	for _, in := range catalogue.Instruments { // in the catalogue's order, so that one plan gives one document
		for i := range in.Metrics {
			if n, ok := p.Giants[in.Metrics[i].Path()]; ok {
				plan.Release.Giants = append(plan.Release.Giants, round.Giants{Metric: in.Metrics[i].Path(), Count: n})
			}
		}
	}
	if len(plan.Release.Giants) != len(p.Giants) {
		problems.at("$.giants", "names a metric that the catalogue does not have")
	}
	fill(&plan.Minimum.Groups, round.LeastGroups)
	fill(&plan.Minimum.CellGroups, round.LeastCellGroups)
	fill(&plan.Release.Colluders, 2)
	fill(&plan.Release.FewSD, 3)
	fill(&plan.Release.Signatures, 1)
	if plan.Release.P == "" {
		plan.Release.P = "1/5"
	}
	if err := c.parties(plan, p.Supersedes); err != nil {
		problems.errs = append(problems.errs, err)
	}
	return plan, problems.err()
}

// parties fills in who takes part, from the coalition's directory, and what earlier rounds charged.
func (c Coalition) parties(plan *round.Plan, supersedes string) error {
	identity, err := c.Identity()
	if err != nil {
		return err
	}
	plan.Secretariat = identity.PublicKey().String()
	for role, to := range map[string]*round.Aggregator{round.ByLeader: &plan.Leader, round.ByHelper: &plan.Helper} {
		card, err := c.Card(role)
		if err != nil {
			return fmt.Errorf("the %s's card: %w; its operator makes it with `candor aggregator init`", role, err)
		}
		*to = card.Aggregator
	}
	collector, _, err := LoadHPKE(c.Path("collector.key"))
	if err != nil {
		return err
	}
	if plan.Collector, err = round.EncodeHPKE(collector); err != nil {
		return err
	}
	if plan.Roster, err = c.Roster(); err != nil {
		return err
	}
	rounds, err := c.Rounds()
	if err != nil {
		return err
	}
	plan.Spent = map[string]*big.Rat{}
	for _, s := range rounds {
		if s.Document.ID == supersedes {
			plan.Supersedes = fmt.Sprintf("%x", s.Hash())
		}
		if s.Document.Rehearsal || s.Document.ID == plan.ID {
			continue
		}
		for _, p := range s.Document.Populations { // cumulative already: the latest is the largest
			spent, ok := new(big.Rat).SetString(p.Epsilon)
			if ok && (plan.Spent[p.ID] == nil || plan.Spent[p.ID].Cmp(spent) < 0) {
				plan.Spent[p.ID] = spent
			}
		}
	}
	if supersedes != "" && plan.Supersedes == "" {
		return fmt.Errorf("supersedes: there is no round %q", supersedes)
	}
	return nil
}

func fill(v *uint64, otherwise uint64) {
	if *v == 0 {
		*v = otherwise
	}
}

// LoadCatalogue reads a coalition's own catalogue.
func LoadCatalogue(path string) (*metric.Catalogue, error) {
	text, err := readFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the catalogue: %w", err)
	}
	return metric.Parse(text)
}

// CollectorToken reads the token that proves the Collector to the Leader. It is a secret: it goes into requests and nowhere else.
func (c Coalition) CollectorToken() (string, error) {
	if _, err := LoadToken(c.Path("collector.token")); err != nil {
		return "", err
	}
	text, err := readFile(c.Path("collector.token"))
	return strings.TrimSpace(string(text)), err
}
