package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"candor/client/publish"
	"candor/cmd/candor/internal/config"
	"candor/crypto/sign"
	"candor/schema/release"
	"candor/schema/round"
)

func newReleaseSignCmd() *cobra.Command {
	var key, trust string
	var previous []string
	var yes bool
	cmd := &cobra.Command{
		Use:   "sign DIR --key FILE",
		Short: "Add a signature to a release, where its round asks for more than one",
		Long: `Verify the release in DIR and add the signature of the identity key in FILE. It must be one that the round document names under
signers, which the operators approved before the round. What the release says is not changed; its pages and
archive are written again with the signature. Give --trust and --previous as to candor release verify: what
you sign you should have checked by keys that you pinned yourself. Without --yes the command only verifies.`,
		Example: "  candor release sign release --key second/identity.key --trust trust.yaml --yes",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			k, err := config.LoadIdentity(key)
			if err != nil {
				return err
			}
			pins, err := readTrust(trust)
			if err != nil {
				return err
			}
			bundle, err := signable(cmd.Context(), args[0], k.PublicKey(), pins, previous)
			if err != nil {
				return fmt.Errorf("signing the release: %w", err)
			}
			if !yes {
				return withHint(errors.New("nothing was signed"), "candor release sign %s --key %s --yes", args[0], key)
			}
			if err := bundle.Sign(k); err != nil {
				return fmt.Errorf("signing the release: %w", err)
			}
			if err := publish.WriteBundle(args[0], bundle); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "signed by %s\n", k.PublicKey().Fingerprint())
			return nil
		},
	}
	cmd.Flags().StringVar(&trust, "trust", "", "`FILE` with pinned fingerprints")
	previousFlag(cmd, &previous)
	cmd.Flags().StringVar(&key, "key", "", "identity key `FILE` (required)")
	cmd.Flags().BoolVar(&yes, "yes", false, "sign")
	_ = cmd.MarkFlagRequired("key") // the flag exists
	return cmd
}

// signable reads a release that key may sign: everything but the number of its signatures is right.
func signable(ctx context.Context, dir string, key sign.PublicKey, pins *publish.Trust, previous []string) (release.Bundle, error) {
	earlier, err := readEarlier(ctx, previous)
	if err != nil {
		return release.Bundle{}, err
	}
	bundle, files, err := publish.ReadRelease(publish.Dir(dir))
	if err != nil {
		return bundle, err
	}
	for _, c := range publish.Verify(files, nil, pins, earlier...).Checks {
		if c.Outcome == publish.Failed && c.Item != "signatures" {
			return bundle, fmt.Errorf("%s: %s", c.Item, c.Detail)
		}
	}
	if err := bundle.VerifySignatures(); err != nil { // that one is missing is why we are here
		return bundle, err
	}
	signed, err := round.ParseSigned(bundle.Round)
	if err != nil {
		return bundle, err
	}
	if signers := signed.Document.Release.Signers; !slices.Contains(signers, key.String()) {
		names := "nobody"
		if len(signers) > 0 {
			names = strings.Join(fingerprints(signers), ", ")
		}
		return bundle, fmt.Errorf("round %s does not name the key %s as a signer of its releases: it names %s", signed.Document.ID, key.Fingerprint(), names)
	}
	return bundle, nil
}

// fingerprints are those of public keys in a round document that was checked.
func fingerprints(keys []string) (list []string) {
	for _, text := range keys {
		if k, err := sign.ParsePublicKey(text); err == nil {
			list = append(list, string(k.Fingerprint()))
		}
	}
	return list
}
