package config

import (
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"candor/client/ledger"
	"candor/crypto/sign"
	"candor/schema/metric"
	"candor/schema/round"
)

//go:embed example-member.yaml
var exampleMember string

// A Member is a member's settings: the file member.yaml in its directory. Relative paths start there.
type Member struct {
	// ID is the member's short id in the roster. It never changes: the ledger is kept under it.
	ID string `yaml:"id"`
	// Key is the file of the member's Ed25519 key, made by `candor member keygen`. An attacker who reads it can submit in the member's name.
	Key string `yaml:"key"`
	// Ledger is the file of the privacy ledger. An attacker who can replace it by an old copy can make the member tell too much, unless it is found out by
	// the witness or the Leader.
	Ledger string `yaml:"ledger"`
	// Witness is a second file that shows an old copy of the ledger; on another disk. Default: none.
	Witness string `yaml:"witness,omitempty"`
	// Trust pins the keys that a round must be signed with. Whoever can change it decides to whom the member submits.
	Trust round.Trust `yaml:"trust"`
	// Catalogue is the file of the coalition's own catalogue. Default: the standard one.
	Catalogue string `yaml:"catalogue,omitempty"`

	Dir string `yaml:"-"` // the directory
}

// memberFile is the name of the settings in a member's directory.
const memberFile = "member.yaml"

var memberID = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$`)

// InitMember makes a member's directory: a new key, settings, and a ledger under a policy. It never overwrites a key. In a directory whose key was moved
// away it makes another one and keeps the rest: the new key of a member that lost its own.
func InitMember(dir, id string, policy []byte) (*sign.PrivateKey, error) {
	if !memberID.MatchString(id) {
		return nil, fmt.Errorf("making a member's directory: the id %q is not 1 to 40 lower-case letters, digits and inner hyphens", id)
	}
	if _, err := ledger.ParsePolicy(policy); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, memberFile)
	if old, err := LoadMember(dir); err == nil && old.ID != id {
		return nil, fmt.Errorf("making a member's directory: %s belongs to member %s", dir, old.ID)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	text, err := GenerateIdentity()
	if err != nil {
		return nil, err
	}
	if err := WriteSecret(filepath.Join(dir, "member.key"), text); err != nil {
		return nil, fmt.Errorf("writing the member's key: %w", err)
	}
	if err := WriteSecret(path, []byte(strings.Replace(exampleMember, "id: ID\n", "id: "+id+"\n", 1))); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("writing the member's settings: %w", err)
	}
	settings, err := LoadMember(dir)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(settings.Ledger); errors.Is(err, fs.ErrNotExist) {
		l, err := ledger.Create(ledger.Config{Path: settings.Ledger, Witness: settings.Witness}, id, policy)
		if err != nil {
			return nil, err
		}
		if err := l.Close(); err != nil {
			return nil, err
		}
	}
	return LoadIdentity(settings.Key)
}

// LoadMember reads the settings in a member's directory. Every problem is reported. Paths in the result are resolved; fingerprints that were never
// pinned are empty.
func LoadMember(dir string) (*Member, error) {
	path := filepath.Join(dir, memberFile)
	text, err := readFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the member's settings: %w", err)
	}
	m := Member{Dir: dir}
	if err := parse(path, text, &m); err != nil {
		return nil, err
	}
	p := &problems{path: path, text: text}
	if !memberID.MatchString(m.ID) {
		p.at("$.id", "%q is not the id of a member", m.ID)
	}
	if m.Key == "" {
		p.at("$.key", "is required")
	}
	if m.Ledger == "" {
		p.at("$.ledger", "is required")
	}
	for _, pin := range []*sign.Fingerprint{&m.Trust.Secretariat, &m.Trust.Leader, &m.Trust.Helper} {
		if *pin == exampleFingerprint {
			*pin = ""
		}
	}
	for _, s := range []*string{&m.Key, &m.Ledger, &m.Witness, &m.Catalogue} {
		*s = resolve(path, *s)
	}
	return &m, p.err()
}

// Pin writes fingerprints into the settings. Empty ones are left as they are.
func (m *Member) Pin(trust round.Trust) error { return Pin(filepath.Join(m.Dir, memberFile), trust) }

// LoadKey reads the member's key.
func (m *Member) LoadKey() (*sign.PrivateKey, error) { return LoadIdentity(m.Key) }

// OpenLedger opens the member's ledger.
func (m *Member) OpenLedger() (*ledger.Ledger, error) {
	return ledger.Open(ledger.Config{Path: m.Ledger, Witness: m.Witness})
}

// LoadCatalogue reads the catalogue by which the member counts.
func (m *Member) LoadCatalogue() (*metric.Catalogue, error) {
	if m.Catalogue == "" {
		return metric.Standard(), nil
	}
	return LoadCatalogue(m.Catalogue)
}
