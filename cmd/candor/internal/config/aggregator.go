package config

import (
	"cmp"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"candor/crypto/sign"
	"candor/schema/round"
)

// An Aggregator is the configuration of one aggregator server, Leader or Helper. It is the manual of the file: each field says unit, default, who creates it,
// and when it may change. Relative paths start at the configuration file's directory.
type Aggregator struct {
	// Listen is the address of the public listener, which members, the Collector and the other aggregator reach. Required; any change needs a restart.
	Listen string `yaml:"listen"`
	// PrivateListen is the address for health checks, metrics and profiling. Keep it off the public network: it shows who sends how much.
	// Default: none of these are served.
	PrivateListen string `yaml:"private_listen,omitempty"`
	// TLS holds the certificate of the public listener. Without it the server speaks plain HTTP, for use behind a proxy or on loopback.
	TLS *TLS `yaml:"tls,omitempty"`

	// HelperTLS says how the Leader reaches the Helper: whose certificates it believes, and which it shows. The Helper has none. Default: the
	// system's authorities, and no certificate.
	HelperTLS *PeerTLS `yaml:"helper_tls,omitempty"`
	// Limits bound what callers can make this server do at once.
	Limits Limits `yaml:"limits,omitempty"`

	// Store is where reports and batches are kept: the path of a bbolt file, made at the first start, for one process; or a postgres:// URL, for any number of
	// processes of this role with the same keys, rounds and tasks. The password belongs in the file that PGPASSFILE names, or in PGPASSWORD. An attacker who can
	// change the store can lose or repeat reports; one who reads it sees who sent when, and ciphertexts.
	Store string `yaml:"store"`
	// StoreKey is where the key comes from that what is secret in the store is sealed under: file:PATH (made by `candor aggregator init`), env:NAME, exec:COMMAND (run
	// without a shell; it prints the key, as the tool of a key management service does), or none to keep the store in the clear. The key is 32 bytes in base64url.
	// The key files that are named below are sealed under it too. Without it neither they nor the store and its backups can be read; an attacker who has it and one of
	// them reads what that holds. Keep it on another disk than any.
	StoreKey string `yaml:"store_key"`
	// StoreKeyBefore is the source of the key before, while `candor store rekey` goes from it to StoreKey. Default: none.
	StoreKeyBefore string `yaml:"store_key_before,omitempty"`
	// Identity is the file of this server's Ed25519 key, made by `candor keys generate identity`. It signs approvals, receipts and statements, and its
	// fingerprint is pinned by everybody else: it does not change while a round is open.
	Identity string `yaml:"identity"`
	// HPKE lists this server's HPKE keys, in order of preference, made by `candor keys generate hpke`. Keep a key that was withdrawn
	// as long as a round that names it can be collected.
	HPKE []HPKEKey `yaml:"hpke"`
	// PairSecret is the file of the secret that both operators share and nobody else has, made by one of them with `candor keys generate pair`. The verify keys of all
	// rounds come from it. An attacker who knows it can make invalid reports pass verification.
	PairSecret string `yaml:"pair_secret"`
	// ReleaseKey is the file of the key that this server's noise, blanked cells and salts come from, made by `candor aggregator init`. It never changes, and is
	// kept outside the store and its backups: an attacker who has both knows what was hidden.
	ReleaseKey string `yaml:"release_key"`
	// PeerToken is the file of the token by which the Leader proves itself to the Helper: the same text at both.
	PeerToken string `yaml:"peer_token"`
	// CollectorToken is the file of the token by which the Collector proves itself to the Leader. The Helper has none.
	CollectorToken string `yaml:"collector_token,omitempty"`

	// Trust pins the keys that a round must be signed with, by fingerprint, as compared with their owners out of band. Whoever can
	// change it decides which rounds this server runs.
	Trust round.Trust `yaml:"trust"`
	// Rounds is the directory of approved rounds. A file put there is taken up within seconds, without a restart.
	Rounds string `yaml:"rounds"`
	// Tasks is the directory of plain DAP tasks, if this server runs any. Default: none.
	Tasks string `yaml:"tasks,omitempty"`

	// Workers bounds how many processors verification uses. Default: all.
	Workers int `yaml:"workers,omitempty"`
	// JobSize is how many reports the Leader puts in one aggregation job. Default: 1000.
	JobSize int `yaml:"job_size,omitempty"`
	// Deferred makes the Helper answer aggregation jobs later, when they are polled for. Default: at once.
	Deferred bool `yaml:"deferred,omitempty"`
	// PollInterval is how often this server looks for work that another process or the clock brings, and what it tells those who poll it. Default: 1s.
	PollInterval Duration `yaml:"poll_interval,omitempty"`
	// Lease is after what time another process takes over a job whose process died, as "10m"; an exchange with the other aggregator may take a fifth of it. A server on
	// a bbolt file takes over what it finds at its start. Default: 10m.
	Lease Duration `yaml:"lease,omitempty"`
	// ClockSkew is how far ahead of this server's clock a report may be, as "5m". Default: 3m.
	ClockSkew Duration `yaml:"clock_skew,omitempty"`
	// Retention is how long the share of a collected batch, and a task of which all was collected, are kept, as "30d". Age alone erases nothing:
	// what was not collected stays. Default: 30d.
	Retention Duration `yaml:"retention,omitempty"`
	// CacheLifetime is how long Clients of plain DAP tasks may keep this server's list of HPKE configurations; a withdrawn key is needed for at least
	// twice as long. Default: 24h.
	CacheLifetime Duration `yaml:"cache_lifetime,omitempty"`

	opener *opener // of the secret files that are named here; nil opens none that is sealed
}

// TLS names the files of a certificate, which are read again when they change.
type TLS struct {
	Certificate string `yaml:"certificate"` // PEM, with intermediates
	Key         string `yaml:"key"`         // PEM
	// ClientCA, if set, is the PEM file of the authority that must have signed the certificate of who presents a token here: the Leader's at the Helper, the
	// Collector's at the Leader. Mutual TLS then stands beside the token, not in its place. Members need no certificate.
	ClientCA string `yaml:"client_ca,omitempty"`
}

// An HPKEKey names the file of an HPKE key.
type HPKEKey struct {
	File      string `yaml:"file"`
	Withdrawn bool   `yaml:"withdrawn,omitempty"` // advertised no longer, still opens
}

// A Duration is a time.Duration written as "90s", "5m" or, in whole days, "30d".
type Duration time.Duration

// UnmarshalYAML reads the text form.
func (d *Duration) UnmarshalYAML(text []byte) error {
	var s string
	if err := yaml.Unmarshal(text, &s); err != nil {
		return err
	}
	v, err := time.ParseDuration(s)
	if days, ok := strings.CutSuffix(s, "d"); ok {
		var n uint64
		n, err = strconv.ParseUint(days, 10, 16)
		v = time.Duration(n) * 24 * time.Hour
	}
	if err != nil {
		return fmt.Errorf("%q is not a duration such as 5m or 30d", s)
	}
	*d = Duration(v)
	return nil
}

// MarshalYAML writes the text form.
func (d Duration) MarshalYAML() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// LoadAggregator reads and checks the configuration of an aggregator. Every problem is reported. Paths in the result are resolved.
func LoadAggregator(path string) (*Aggregator, error) {
	text, err := readFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	return ParseAggregator(path, text)
}

// ParseAggregator is LoadAggregator for text that was read from path.
func ParseAggregator(path string, text []byte) (*Aggregator, error) {
	var a Aggregator
	// Errors quote the file, and the URL of a store may hold a password.
	shown := hidePasswords(text)
	if parse(path, text, &a) != nil {
		if err := parse(path, shown, new(Aggregator)); err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("reading %s: the password in store is not one that YAML can hold: put it in quotes, or escape it as in a URL", path)
	}
	p := &problems{path: path, text: shown}
	required := func(name, value string) {
		if value == "" {
			p.at("$."+name, "is required")
		}
	}
	address := func(name, value string) {
		if _, _, err := net.SplitHostPort(value); value != "" && err != nil {
			p.at("$."+name, "%q is not host:port", value)
		}
	}
	required("listen", a.Listen)
	address("listen", a.Listen)
	address("private_listen", a.PrivateListen)
	required("store", a.Store)
	if problem := checkStoreKey(a.StoreKey); problem != "" {
		p.at("$.store_key", "%s", problem)
	}
	if problem := checkStoreKey(a.StoreKeyBefore); problem != "" && a.StoreKeyBefore != "" || a.StoreKeyBefore == NoStoreKey {
		p.at("$.store_key_before", "%s", cmp.Or(problem, "cannot be none: a store in the clear is sealed by `candor store backup` and `candor store restore`"))
	}
	required("identity", a.Identity)
	required("pair_secret", a.PairSecret)
	required("release_key", a.ReleaseKey)
	required("peer_token", a.PeerToken)
	required("rounds", a.Rounds)
	for _, pin := range []struct {
		name  string
		value sign.Fingerprint
	}{{"secretariat", a.Trust.Secretariat}, {"leader", a.Trust.Leader}, {"helper", a.Trust.Helper}} {
		if pin.value == "" || pin.value == exampleFingerprint {
			p.at("$.trust", "pins no fingerprint of the %s: see `candor aggregator pin --help`", pin.name)
		}
	}
	if len(a.HPKE) == 0 {
		p.at("$.hpke", "names no key: members could not encrypt to this server")
	}
	if a.Workers < 0 {
		p.at("$.workers", "is negative")
	}
	if a.JobSize < 0 || a.JobSize > 10_000 {
		p.at("$.job_size", "is %d, must be from 1 to 10000", a.JobSize)
	}
	if t := a.TLS; t != nil && (t.Certificate == "" || t.Key == "") {
		p.at("$.tls", "needs both certificate and key")
	}
	if t := a.HelperTLS; t != nil && (t.Certificate == "") != (t.Key == "") {
		p.at("$.helper_tls", "needs both certificate and key, or neither")
	}
	for _, d := range []struct {
		name  string
		value Duration
	}{{"poll_interval", a.PollInterval}, {"lease", a.Lease}, {"clock_skew", a.ClockSkew}, {"retention", a.Retention}, {"cache_lifetime", a.CacheLifetime}, {"limits.body_timeout", a.Limits.BodyTimeout}} {
		if d.value < 0 {
			p.at("$."+d.name, "is negative")
		}
	}
	a.Limits.check(p)
	if err := p.err(); err != nil {
		return nil, err
	}
	for _, s := range []*string{&a.Identity, &a.PairSecret, &a.ReleaseKey, &a.PeerToken, &a.CollectorToken, &a.Rounds, &a.Tasks} {
		*s = resolve(path, *s)
	}
	a.StoreKey, a.StoreKeyBefore = resolveStoreKey(path, a.StoreKey), resolveStoreKey(path, a.StoreKeyBefore)
	for i := range a.HPKE {
		a.HPKE[i].File = resolve(path, a.HPKE[i].File)
	}
	if !IsPostgres(a.Store) {
		a.Store = resolve(path, a.Store)
	}
	if t := a.HelperTLS; t != nil {
		t.CA, t.Certificate, t.Key = resolve(path, t.CA), resolve(path, t.Certificate), resolve(path, t.Key)
	}
	if a.TLS != nil {
		for _, s := range []*string{&a.TLS.Certificate, &a.TLS.Key, &a.TLS.ClientCA} {
			*s = resolve(path, *s)
		}
	}
	a.opener = &opener{config: path}
	return &a, nil
}
