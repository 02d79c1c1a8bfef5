package release

import (
	"errors"
	"fmt"
	"strings"

	"candor/crypto/sign"
)

// SignaturesName is the file with the secretariat's signatures. They are made over the descriptor's bytes, which
// hold the hashes of all other files.
const SignaturesName = "signatures.json"

const bundleLabel = "candor/1 release"

// A BundleSignature is one signature on a bundle.
type BundleSignature struct {
	Key       sign.PublicKey `json:"key"`
	Signature Signature      `json:"signature"`
}

// Sign adds key's signature to the bundle. Anything changed in the bundle later voids it.
func (b *Bundle) Sign(key *sign.PrivateKey) error {
	files, err := b.Files()
	if err != nil {
		return err
	}
	b.Signatures = append(b.Signatures, BundleSignature{key.PublicKey(), Signature(key.Sign(bundleLabel, files[DataPackageName]))})
	return nil
}

// VerifySignatures checks every signature of the bundle, and that each of the keys made one. Without keys it
// says only that whoever signed signed this bundle.
func (b Bundle) VerifySignatures(keys ...sign.PublicKey) error {
	files, err := b.Files()
	if err != nil {
		return err
	}
	var errs []error
	made := map[sign.PublicKey]bool{}
	for _, s := range b.Signatures {
		if err := s.Key.Verify(s.Signature[:], bundleLabel, files[DataPackageName]); err != nil {
			errs = append(errs, fmt.Errorf("release signature of %s: %w", s.Key, err))
		}
		made[s.Key] = true
	}
	for _, k := range keys {
		if !made[k] {
			errs = append(errs, fmt.Errorf("the release is not signed by %s", k))
		}
	}
	return errors.Join(errs...)
}

// EncodeSignatures returns signatures as a JSON array with one per line.
func EncodeSignatures(signatures []BundleSignature) ([]byte, error) {
	var twice []string
	seen := map[sign.PublicKey]bool{}
	for _, s := range signatures {
		if seen[s.Key] {
			twice = append(twice, s.Key.String())
		}
		seen[s.Key] = true
	}
	if len(twice) > 0 {
		return nil, fmt.Errorf("signed twice by %s", strings.Join(twice, ", "))
	}
	return encodeLines(signatures)
}

// ParseSignatures parses what EncodeSignatures wrote and nothing else. It verifies nothing.
func ParseSignatures(b []byte) ([]BundleSignature, error) {
	return parseLines(b, "signatures", EncodeSignatures)
}
