package round

import (
	"encoding/base64"
	"fmt"

	"candor/crypto/sign"
)

const waiverLabel = "waiver"

// NewWaiver makes a member's consent that its own magnitude in one metric ("instrument.metric") may be inferred from what the round releases. It is for
// this round's id and period, and no other.
func NewWaiver(d *Document, member, metric string, key *sign.PrivateKey) Waiver {
	return Waiver{Metric: metric, Member: member, Signature: base64.RawURLEncoding.EncodeToString(key.Sign(waiverLabel, waiverParts(d, member, metric)...))}
}

func waiverParts(d *Document, member, metric string) [][]byte {
	return [][]byte{[]byte(d.ID), []byte(d.Period.Label), []byte(d.Period.First), []byte(d.Period.Last), []byte(member), []byte(metric)}
}

// verify checks that the waiver is its member's, as the roster names its key.
func (w Waiver) verify(d *Document) error {
	for _, m := range d.Roster {
		if m.ID == w.Member {
			return verifyWaiver(d, w, m.Key)
		}
	}
	return fmt.Errorf("the waiver of %s for %s: the roster has no such member", w.Member, w.Metric)
}

func verifyWaiver(d *Document, w Waiver, key string) error {
	public, err := sign.ParsePublicKey(key)
	if err != nil {
		return fmt.Errorf("the waiver of %s for %s: %w", w.Member, w.Metric, err)
	}
	sig, err := base64.RawURLEncoding.Strict().DecodeString(w.Signature)
	if err != nil || public.Verify(sig, waiverLabel, waiverParts(d, w.Member, w.Metric)...) != nil {
		return fmt.Errorf("the waiver of %s for %s does not bear the member's signature for this round", w.Member, w.Metric)
	}
	return nil
}
