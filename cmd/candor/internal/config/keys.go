package config

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"

	"candor/aggregator"
	"candor/crypto/seal"
	"candor/schema/dap"
)

// suites are the names that key files use.
var suites = map[string]seal.Suite{"x-wing": seal.XWing, "x25519": seal.X25519, "p-256": {KEM: seal.KEMP256, KDF: seal.KDFSHA256, AEAD: seal.AEADAES128GCM}}

// hpkeFile is the form of an HPKE key file.
type hpkeFile struct {
	ID      uint8  `yaml:"id"`
	Suite   string `yaml:"suite"`
	Private string `yaml:"private_key"`
}

// GenerateHPKE makes an HPKE key of a named suite ("x-wing", "x25519", "p-256"). It returns the text of its key file
// and its public configuration.
func GenerateHPKE(suite string, id uint8) (file []byte, config dap.HpkeConfig, err error) {
	s, ok := suites[suite]
	if !ok {
		return nil, config, fmt.Errorf("HPKE suite %q is unknown; there are x-wing, x25519 and p-256", suite)
	}
	public, private, err := seal.GenerateKey(s, rand.Reader)
	if err != nil {
		return nil, config, fmt.Errorf("generating an HPKE key: %w", err)
	}
	config = dap.HpkeConfig{ID: dap.HpkeConfigID(id), KEM: s.KEM, KDF: s.KDF, AEAD: s.AEAD, PublicKey: public}
	text := fmt.Sprintf("# HPKE private key. Secret: whoever reads it opens what is sealed to its owner.\nid: %d\nsuite: %s\nprivate_key: %s\n",
		id, suite, base64.RawURLEncoding.EncodeToString(private.Bytes()))
	return []byte(text), config, nil
}

// LoadHPKE reads an HPKE key file that is not sealed.
func LoadHPKE(path string) (dap.HpkeConfig, *seal.PrivateKey, error) {
	return (*opener)(nil).hpke(context.Background(), path)
}

func (o *opener) hpke(ctx context.Context, path string) (dap.HpkeConfig, *seal.PrivateKey, error) {
	text, err := o.read(ctx, kindHPKE, path)
	if err != nil {
		return dap.HpkeConfig{}, nil, fmt.Errorf("reading an HPKE key: %w", err)
	}
	return parseHPKE(path, text)
}

func parseHPKE(path string, text []byte) (config dap.HpkeConfig, key *seal.PrivateKey, err error) {
	var f hpkeFile
	if err := parseSecret(path, text, &f); err != nil {
		return config, nil, err
	}
	s, ok := suites[f.Suite]
	if !ok {
		return config, nil, fmt.Errorf("HPKE key %s: its suite is none of x-wing, x25519 and p-256", path)
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(f.Private)
	if err != nil {
		return config, nil, fmt.Errorf("HPKE key %s: the private key is not base64url", path)
	}
	if key, err = seal.ParsePrivateKey(s, b); err != nil {
		return config, nil, fmt.Errorf("HPKE key %s: the private key is not one of its suite", path)
	}
	return dap.HpkeConfig{ID: dap.HpkeConfigID(f.ID), KEM: s.KEM, KDF: s.KDF, AEAD: s.AEAD, PublicKey: key.PublicKey()}, key, nil
}

// parseSecret is parse without the quotation of the file: its values are secrets.
func parseSecret(path string, text []byte, v any) error {
	if err := parse(path, text, v); err != nil {
		return fmt.Errorf("reading %s: it is not a key file of this kind, or is damaged", path)
	}
	return nil
}

// Keyring reads the HPKE keys of an aggregator.
func (a *Aggregator) Keyring(ctx context.Context) (*aggregator.Keyring, error) {
	keys := make([]aggregator.Key, len(a.HPKE))
	for i, k := range a.HPKE {
		config, private, err := a.opener.hpke(ctx, k.File)
		if err != nil {
			return nil, err
		}
		keys[i] = aggregator.Key{Config: config, Private: private, Withdrawn: k.Withdrawn}
	}
	return aggregator.NewKeyring(keys...)
}

// GenerateToken returns the text of a new token file: 32 random bytes.
func GenerateToken() []byte {
	var b [32]byte
	rand.Read(b[:])
	return []byte(base64.RawURLEncoding.EncodeToString(b[:]) + "\n")
}

// LoadToken reads a token file that is not sealed: one line. An empty path is the empty token.
func LoadToken(path string) (aggregator.Token, error) {
	return (*opener)(nil).token(context.Background(), path)
}

func (o *opener) token(ctx context.Context, path string) (aggregator.Token, error) {
	if path == "" {
		return aggregator.Token{}, nil
	}
	text, err := o.read(ctx, kindToken, path)
	if err != nil {
		return aggregator.Token{}, fmt.Errorf("reading a token: %w", err)
	}
	return parseToken(path, text)
}

func parseToken(path string, text []byte) (aggregator.Token, error) {
	token := strings.TrimSpace(string(text))
	if len(token) < 22 || strings.ContainsAny(token, " \t\r\n") {
		return aggregator.Token{}, fmt.Errorf("reading a token: %s does not hold one line of at least 22 characters (128 bits)", path)
	}
	return aggregator.NewToken(token), nil
}

// LoadPairSecret reads the secret of the two operators, made as a token is.
func (a *Aggregator) LoadPairSecret(ctx context.Context) (*aggregator.PairSecret, error) {
	b, err := a.opener.load32(ctx, kindPair, a.PairSecret)
	if err != nil {
		return nil, fmt.Errorf("reading the pair secret: %w", err)
	}
	return aggregator.NewPairSecret(b), nil
}

// LoadReleaseKey reads the key of the server's release stream, made as a token is.
func (a *Aggregator) LoadReleaseKey(ctx context.Context) (*aggregator.ReleaseKey, error) {
	b, err := a.opener.load32(ctx, kindRelease, a.ReleaseKey)
	if err != nil {
		return nil, fmt.Errorf("reading the release key: %w", err)
	}
	return aggregator.NewReleaseKey(b), nil
}

func (o *opener) load32(ctx context.Context, kind, path string) (secret [32]byte, err error) {
	text, err := o.read(ctx, kind, path)
	if err != nil {
		return secret, err
	}
	return parse32(path, text)
}

// parse32 reads one line of 32 bytes in base64url.
func parse32(path string, text []byte) (secret [32]byte, err error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(b) != len(secret) {
		return secret, fmt.Errorf("%s does not hold one line of 32 bytes in base64url", path)
	}
	return [32]byte(b), nil
}
