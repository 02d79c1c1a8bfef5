package config

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/goccy/go-yaml"

	"candor/crypto/sign"
	"candor/schema/round"
)

// An Operator says what `candor aggregator init` is to make.
type Operator struct {
	Dir      string
	Role     string // "leader" or "helper"
	Name     string // legal name of the organisation
	Endpoint string // public URL
	Listen   string
	Private  string
	StoreKey string // source of the store key, as the configuration has it; "" is file:store.key
}

// InitOperator makes the directory of an aggregator: its keys, sealed under the store key, an annotated configuration, and the card for the secretariat. A store key that is
// a file is made unless it is there. What comes from others is not yet there: the pair secret, tokens, and fingerprints to pin.
func InitOperator(ctx context.Context, o Operator) (round.Card, error) {
	if o.Role != round.ByLeader && o.Role != round.ByHelper {
		return round.Card{}, fmt.Errorf("an aggregator is a leader or a helper, not a %q", o.Role)
	}
	if err := os.MkdirAll(filepath.Join(o.Dir, "rounds"), 0o700); err != nil {
		return round.Card{}, err
	}
	identity, err := GenerateIdentity()
	if err != nil {
		return round.Card{}, err
	}
	hpkeFile, hpke, err := GenerateHPKE("x-wing", 1)
	if err != nil {
		return round.Card{}, err
	}
	public, err := round.EncodeHPKE(hpke)
	if err != nil {
		return round.Card{}, err
	}
	text := strings.Replace(Example(o.Role), exampleListen, o.Listen, 1)
	text = strings.Replace(text, examplePrivate, o.Private, 1)
	path := filepath.Join(o.Dir, o.Role+".yaml")
	a := &Aggregator{Identity: filepath.Join(o.Dir, "identity.key")}
	if text, err = a.initStoreKey(ctx, path, text, cmp.Or(o.StoreKey, exampleStoreKey)); err != nil {
		return round.Card{}, err
	}
	for _, f := range []struct {
		kind, name string
		text       []byte
	}{{kindIdentity, "identity.key", identity}, {kindHPKE, "hpke.key", hpkeFile}, {kindRelease, "release.key", GenerateToken()}} {
		if err := a.WriteSecret(ctx, f.kind, filepath.Join(o.Dir, f.name), f.text); err != nil {
			return round.Card{}, err
		}
	}
	if err := WriteSecret(path, []byte(text)); err != nil {
		return round.Card{}, err
	}
	key, err := parseIdentity(a.Identity, identity)
	if err != nil {
		return round.Card{}, err
	}
	card := round.NewCard(o.Role, round.Aggregator{Operator: o.Name, Endpoint: o.Endpoint, HPKE: public}, key)
	line, err := card.Line()
	if err != nil {
		return card, err
	}
	return card, os.WriteFile(filepath.Join(o.Dir, o.Role+".card"), []byte(line+"\n"), 0o644)
}

// initStoreKey makes or reads the store key of a new server and writes its source into the text of the configuration.
func (a *Aggregator) initStoreKey(ctx context.Context, path, text, source string) (string, error) {
	if problem := checkStoreKey(source); problem != "" {
		return "", fmt.Errorf("the store key %q %s", source, problem)
	}
	a.StoreKey = resolveStoreKey(path, source)
	if file, ok := a.storeKeyFile(); ok {
		if err := WriteSecret(file, GenerateToken()); err != nil && !errors.Is(err, fs.ErrExist) {
			return "", err
		}
	}
	if _, err := a.StoreKeys(ctx); err != nil {
		return "", err
	}
	value, err := yaml.Marshal(source) // in quotes where YAML needs them
	if err != nil {
		return "", err
	}
	return strings.Replace(text, "store_key: "+exampleStoreKey, "store_key: "+strings.TrimSpace(string(value)), 1), nil
}

// Pair makes what only the two operators share: the pair secret and the token by which the Leader proves itself. The first operator calls it with the other's
// directory on a medium that both trust as target.
func Pair(dir string) error {
	return errors.Join(
		WriteSecret(filepath.Join(dir, "pair.secret"), GenerateToken()),
		WriteSecret(filepath.Join(dir, "peer.token"), GenerateToken()),
	)
}

// Pin writes fingerprints into the trust section of a configuration file, comments and all else untouched. Empty ones are left as they are.
func Pin(path string, trust round.Trust) error {
	text, err := readFile(path)
	if err != nil {
		return err
	}
	for _, pin := range []struct {
		name  string
		value sign.Fingerprint
	}{{"secretariat", trust.Secretariat}, {"leader", trust.Leader}, {"helper", trust.Helper}} {
		if pin.value == "" {
			continue
		}
		line := regexp.MustCompile(`(?m)^(trust:\n(?:[ #].*\n)*? +` + pin.name + `:).*$`)
		if !line.Match(text) {
			return fmt.Errorf("pinning keys: the section trust of %s has no line for the %s", path, pin.name)
		}
		text = line.ReplaceAll(text, []byte("${1} "+string(pin.value)))
	}
	return replaceFile(path, text, 0o600)
}

// Approve adds the operator's signature to a round that the secretariat signed, and installs it among the rounds that the server runs once it bears all
// three. Overlap with another approved round is refused.
func (a *Aggregator) Approve(ctx context.Context, s *round.Signed) (complete bool, err error) {
	if err := s.Verify(a.Trust, round.BySecretariat); err != nil {
		return false, err
	}
	if problems := append(s.Document.Check(), s.Document.Unprotected()...); len(problems) > 0 {
		return false, fmt.Errorf("round %s contradicts itself:\n%s", s.Document.ID, strings.Join(problems, "\n"))
	}
	if err := a.refuseOverlap(s); err != nil {
		return false, err
	}
	key, err := a.LoadIdentity(ctx)
	if err != nil {
		return false, err
	}
	by, err := a.signsAs(s.Document, key.PublicKey())
	if err != nil {
		return false, err
	}
	if err := a.holdsHPKE(ctx, s.Document, by); err != nil {
		return false, err
	}
	if err := s.Sign(by, key); err != nil {
		return false, err
	}
	if s.Verify(a.Trust) != nil {
		return false, nil // the other operator has not signed yet
	}
	return true, replaceFile(filepath.Join(a.Rounds, s.Document.ID+".json"), s.Encode(), 0o644)
}

// signsAs says which aggregator of a round this server is.
func (a *Aggregator) signsAs(d *round.Document, key sign.PublicKey) (string, error) {
	switch key.String() {
	case d.Leader.Key:
		return round.ByLeader, nil
	case d.Helper.Key:
		return round.ByHelper, nil
	}
	return "", fmt.Errorf("round %s names neither of its aggregators with this server's key %s", d.ID, key.Fingerprint())
}

// refuseOverlap compares a round with those that this server runs.
func (a *Aggregator) refuseOverlap(s *round.Signed) error {
	others, err := readRounds(a.Rounds)
	if err != nil {
		return err
	}
	for _, other := range others {
		if other.Document.ID == s.Document.ID && string(other.Text) != string(s.Text) {
			return fmt.Errorf("round %s was approved here with another document, short code %s; this one has %s: two documents for one round are refused", s.Document.ID, other.Code(), s.Code())
		}
		both, err := s.Document.Overlaps(other.Document)
		if err != nil {
			return err
		}
		if len(both) > 0 {
			return fmt.Errorf("round %s covers part of the period of round %s, which was approved here, with %s: subtracting one release from the other could single a member out",
				s.Document.ID, other.Document.ID, strings.Join(both, ", "))
		}
	}
	return nil
}

// Approved returns the rounds that the server runs.
func (a *Aggregator) Approved() ([]*round.Signed, error) { return readRounds(a.Rounds) }
