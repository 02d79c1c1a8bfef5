package config

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"

	"candor/crypto/sign"
)

const identityHeader = "# Ed25519 private key. Secret: whoever reads it signs as its owner.\n"

// GenerateIdentity returns the text of a new identity key file.
func GenerateIdentity() ([]byte, error) {
	key, err := sign.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	return EncodeIdentity(key), nil
}

// EncodeIdentity returns the text of an identity key file.
func EncodeIdentity(key *sign.PrivateKey) []byte {
	return []byte(identityHeader + "# public: " + key.PublicKey().String() + "\n" + base64.RawURLEncoding.EncodeToString(key.Bytes()) + "\n")
}

// LoadIdentity reads an identity key file that is not sealed.
func LoadIdentity(path string) (*sign.PrivateKey, error) {
	return (*opener)(nil).identity(context.Background(), path)
}

// LoadIdentity reads the server's identity key.
func (a *Aggregator) LoadIdentity(ctx context.Context) (*sign.PrivateKey, error) {
	return a.opener.identity(ctx, a.Identity)
}

func (o *opener) identity(ctx context.Context, path string) (*sign.PrivateKey, error) {
	text, err := o.read(ctx, kindIdentity, path)
	if err != nil {
		return nil, fmt.Errorf("reading an identity key: %w", err)
	}
	return parseIdentity(path, text)
}

func parseIdentity(path string, text []byte) (*sign.PrivateKey, error) {
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			b, _ := base64.RawURLEncoding.Strict().DecodeString(line)
			key, err := sign.ParsePrivateKey(b)
			if err != nil {
				return nil, fmt.Errorf("reading an identity key: %s does not hold one", path)
			}
			return key, nil
		}
	}
	return nil, fmt.Errorf("reading an identity key: %s does not hold one", path)
}
