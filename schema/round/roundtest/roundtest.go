// Package roundtest makes whole coalitions for tests: keys, a round document that passes its own check, and its signatures. Only _test.go files
// import it.
package roundtest

import (
	"crypto/rand"
	"fmt"
	"testing"
	"time"

	"candor/crypto/seal"
	"candor/crypto/sign"
	"candor/schema/dap"
	"candor/schema/round"
)

// A Coalition is a round with every private key that belongs to it.
type Coalition struct {
	Document                    *round.Document
	Secretariat, Leader, Helper *sign.PrivateKey
	Members                     []*sign.PrivateKey // in the order of the roster
	LeaderHPKE, HelperHPKE      *seal.PrivateKey
	Collector                   *seal.PrivateKey
}

// Opens is when the window of New opens; it closes an hour later.
var Opens = time.Date(2026, 4, 1, 12, 0, 0, 0, time.UTC)

// New makes a coalition of members m1, m2, … , each its own group, with one counts part of the given number of cells (metrics a, b, …).
// The document may be changed before it is signed.
func New(t testing.TB, members, cells int) *Coalition {
	t.Helper()
	c := &Coalition{Secretariat: NewKey(t), Leader: NewKey(t), Helper: NewKey(t)}
	var leaderHPKE, helperHPKE, collectorHPKE string
	c.LeaderHPKE, leaderHPKE = newHPKE(t, 1)
	c.HelperHPKE, helperHPKE = newHPKE(t, 2)
	c.Collector, collectorHPKE = newHPKE(t, 3)
	const offset, valueCap = 64, 1 << 20
	const bits = 21
	d := &round.Document{
		Format: round.Format, ID: "test-2026q1",
		Period:        round.Period{Label: "2026Q1", First: "2026-01-01", Last: "2026-03-31"},
		Window:        round.Window{Opens: Opens, Closes: Opens.Add(time.Hour)},
		TimePrecision: 60,
		Catalogue:     round.Catalogue{ID: "test", Version: "1", Hash: fmt.Sprintf("%064x", 1)},
		Secretariat:   c.Secretariat.PublicKey().String(),
		Leader:        round.Aggregator{Operator: "Leader Operator", Endpoint: "http://127.0.0.1:1/", Key: c.Leader.PublicKey().String(), HPKE: leaderHPKE},
		Helper:        round.Aggregator{Operator: "Helper Operator", Endpoint: "http://127.0.0.1:2/", Key: c.Helper.PublicKey().String(), HPKE: helperHPKE},
		Collector:     collectorHPKE,
		Minimum:       round.Minimum{Groups: round.LeastGroups, CellGroups: round.LeastCellGroups},
		Populations:   []round.Population{{ID: "items/2026Q1", Epsilon: "1/1"}},
		Release: round.Release{Colluders: 2, P: "1/5", FewSD: 3, Signatures: 1, Giants: []round.Giants{}, Waivers: []round.Waiver{},
			NextReview: "2027-03-31"},
	}
	for i := range members {
		key := NewKey(t)
		c.Members = append(c.Members, key)
		id := fmt.Sprintf("m%d", i+1)
		d.Roster = append(d.Roster, round.Member{ID: id, Name: "Member " + id, Group: id, Key: key.PublicKey().String()})
	}
	part := round.Part{
		Instrument: "test", Name: "counts", Kind: round.KindCounts, Cap: valueCap, Offset: offset,
		VDAF: round.VDAF{Type: "Prio3SumVec", Length: uint32(cells), ChunkLength: round.ChunkLength(cells * bits), MaxMeasurement: valueCap + 2*offset},
		Privacy: round.Privacy{Unit: "item", Population: "items/2026Q1", Mechanism: "laplace", Place: "member",
			Epsilon: "1/1", Delta: "0", Delta1: 1},
	}
	for i := range cells {
		part.Cells = append(part.Cells, round.Cell{Metric: string(rune('a' + i)), Code: "total"})
	}
	d.Parts = []round.Part{part}
	c.Document = d
	return c
}

// NewKey makes a signing key.
func NewKey(t testing.TB) *sign.PrivateKey {
	t.Helper()
	key, err := sign.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newHPKE(t testing.TB, id dap.HpkeConfigID) (*seal.PrivateKey, string) {
	t.Helper()
	public, private, err := seal.GenerateKey(seal.XWing, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	text, err := round.EncodeHPKE(dap.HpkeConfig{ID: id, KEM: seal.XWing.KEM, KDF: seal.XWing.KDF, AEAD: seal.XWing.AEAD, PublicKey: public})
	if err != nil {
		t.Fatal(err)
	}
	return private, text
}

// Trust pins the coalition's own keys.
func (c *Coalition) Trust() round.Trust {
	return round.Trust{
		Secretariat: c.Secretariat.PublicKey().Fingerprint(),
		Leader:      c.Leader.PublicKey().Fingerprint(),
		Helper:      c.Helper.PublicKey().Fingerprint(),
	}
}

// Sign returns the document with all three signatures.
func (c *Coalition) Sign(t testing.TB) *round.Signed {
	t.Helper()
	signed, err := round.NewSigned(c.Document)
	if err != nil {
		t.Fatal(err)
	}
	for _, by := range []struct {
		who string
		key *sign.PrivateKey
	}{{round.BySecretariat, c.Secretariat}, {round.ByLeader, c.Leader}, {round.ByHelper, c.Helper}} {
		if err := signed.Sign(by.who, by.key); err != nil {
			t.Fatal(err)
		}
	}
	return signed
}
