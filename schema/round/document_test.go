package round_test

import (
	"bytes"
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"candor/crypto/seal"
	"candor/schema/dap"
	"candor/schema/round"
	"candor/schema/round/roundtest"
)

func TestCheckFindsEverything(t *testing.T) {
	if problems := roundtest.New(t, 12, 3).Document.Check(); len(problems) > 0 {
		t.Fatalf("a good document has problems: %q", problems)
	}
	for _, c := range []struct {
		name, want string
		change     func(*round.Document)
	}{
		{"id", "round id", func(d *round.Document) { d.ID = "Q1/2026" }},
		{"period backwards", "before it begins", func(d *round.Document) { d.Period.Last = "2025-12-31" }},
		{"window before the period's end", "before the period has ended", func(d *round.Document) { d.Period.Last = "2026-04-30" }},
		{"window off the unit", "whole unit", func(d *round.Document) { d.Window.Opens = d.Window.Opens.Add(time.Second) }},
		{"window backwards", "not after it opens", func(d *round.Document) { d.Window.Closes = d.Window.Opens }},
		{"one operator", "one operator", func(d *round.Document) { d.Helper.Operator = d.Leader.Operator }},
		{"secretariat runs the Helper", "secretariat's key", func(d *round.Document) { d.Helper.Key = d.Secretariat }},
		{"two members with one key", "one key", func(d *round.Document) { d.Roster[1].Key = d.Roster[0].Key }},
		{"member twice", "there twice", func(d *round.Document) { d.Roster[1].ID = d.Roster[0].ID }},
		{"signatures without signers", "name them under signers", func(d *round.Document) { d.Release.Signatures = 2 }},
		{"secretariat signs twice", "or is the secretariat", func(d *round.Document) { d.Release.Signers = []string{d.Secretariat} }},
		{"signer that is no key", "a signer of releases", func(d *round.Document) { d.Release.Signers = []string{"somebody"} }},
		{"minimum too low", "fewer than 10", func(d *round.Document) { d.Minimum.Groups = 9 }},
		{"cell minimum too low", "fewer than 5", func(d *round.Document) { d.Minimum.CellGroups = 4 }},
		{"cap and range", "max_measurement", func(d *round.Document) { d.Parts[0].Cap++ }},
		{"offset and noise", "noise asks for", func(d *round.Document) { d.Parts[0].Privacy.Delta1 = 2 }},
		{"epsilon", "ε", func(d *round.Document) { d.Parts[0].Privacy.Epsilon = "1000" }},
		{"overflow", "overflow", func(d *round.Document) {
			p := &d.Parts[0]
			p.Cap = 1<<60 - 128
			p.VDAF.MaxMeasurement = p.Cap + 2*p.Offset
		}},
		{"a metric twice", "one cap and one place", func(d *round.Document) {
			p := d.Parts[0]
			p.Name = "counts-2"
			d.Parts = append(d.Parts, p)
		}},
		{"population", "does not list", func(d *round.Document) { d.Populations = nil }},
		{"vector length", "vector of", func(d *round.Document) { d.Parts[0].VDAF.Length = 4 }},
		{"waiver of a stranger", "no such member", func(d *round.Document) {
			d.Release.Waivers = []round.Waiver{{Metric: "test.a", Member: "m99", Signature: "AA"}}
		}},
		{"waiver without a signature", "does not bear", func(d *round.Document) {
			d.Release.Waivers = []round.Waiver{{Metric: "test.a", Member: "m1", Signature: "AA"}}
		}},
		{"HPKE without X-Wing", "a round uses X-Wing", func(d *round.Document) {
			d.Helper.HPKE = hpkeX25519(t)
		}},
		{"p", "p is", func(d *round.Document) { d.Release.P = "0.2" }},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := roundtest.New(t, 12, 3).Document
			c.change(d)
			if got := strings.Join(d.Check(), "\n"); !strings.Contains(got, c.want) {
				t.Errorf("problems are %q, none about %q", got, c.want)
			}
		})
	}
	t.Run("all at once", func(t *testing.T) {
		d := roundtest.New(t, 12, 3).Document
		d.Minimum.Groups, d.Roster[1].Key, d.Parts[0].Cap = 1, d.Roster[0].Key, 0
		if problems := d.Check(); len(problems) < 3 {
			t.Errorf("three mistakes gave %q", problems)
		}
	})
	t.Run("roster below the minimum", func(t *testing.T) {
		if why := roundtest.New(t, 9, 1).Document.Unattainable(); !strings.Contains(why, "9 groups") {
			t.Errorf("Unattainable says %q", why)
		}
	})
}

// Nobody is asked to answer without the aggregators' noise; how many have a state of availability is told without.
func TestUnprotected(t *testing.T) {
	for _, c := range []struct {
		name, code string
		privacy    round.Privacy
		refused    bool
	}{
		{"with noise", "yes", round.Privacy{Mechanism: "discrete-laplace", Place: "aggregators", Epsilon: "1/1", Delta1: 1}, false},
		{"without noise", "yes", round.Privacy{Mechanism: "none", Place: "aggregators", Epsilon: "0"}, true},
		{"with noise of members", "yes", round.Privacy{Mechanism: "laplace", Place: "member", Epsilon: "1/1", Delta1: 1}, true},
		{"with noise of scale 0", "yes", round.Privacy{Mechanism: "discrete-laplace", Place: "aggregators", Epsilon: "1/1"}, true},
		{"with noise without end", "yes", round.Privacy{Mechanism: "discrete-laplace", Place: "aggregators", Epsilon: "0", Delta1: 1}, true},
		{"states without noise", "state:measured", round.Privacy{Mechanism: "none", Place: "aggregators", Epsilon: "0"}, false},
	} {
		d := roundtest.New(t, 10, 1).Document
		d.Parts[0].Kind, d.Parts[0].Cells[0].Code, d.Parts[0].Privacy = round.KindAnswers, c.code, c.privacy
		if problems := d.Unprotected(); len(problems) > 0 != c.refused {
			t.Errorf("answers %s: %q", c.name, problems)
		}
	}
}

func hpkeX25519(t *testing.T) string {
	t.Helper()
	public, _, err := seal.GenerateKey(seal.X25519, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	text, err := round.EncodeHPKE(dap.HpkeConfig{ID: 1, KEM: seal.X25519.KEM, KDF: seal.X25519.KDF, AEAD: seal.X25519.AEAD, PublicKey: public})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestWaivers(t *testing.T) {
	c := roundtest.New(t, 10, 1)
	d := c.Document
	d.Release.Waivers = []round.Waiver{round.NewWaiver(d, "m2", "test.a", c.Members[1])}
	if problems := d.Check(); len(problems) > 0 {
		t.Errorf("a signed waiver is refused: %q", problems)
	}
	d.Release.Waivers[0].Metric = "test.b"
	if problems := d.Check(); len(problems) != 1 {
		t.Errorf("a waiver for another metric: %q", problems)
	}
	d.Release.Waivers = []round.Waiver{round.NewWaiver(d, "m2", "test.a", c.Members[0])}
	if problems := d.Check(); len(problems) != 1 {
		t.Errorf("a waiver that another member signed: %q", problems)
	}
	d.Release.Waivers = []round.Waiver{round.NewWaiver(d, "m2", "test.a", c.Members[1])}
	d.ID = "another-round"
	if problems := d.Check(); len(problems) != 1 {
		t.Errorf("a waiver for another round: %q", problems)
	}
}

func TestDocumentHasOneText(t *testing.T) {
	d := roundtest.New(t, 10, 1).Document
	text, err := d.Encode()
	if err != nil {
		t.Fatal(err)
	}
	back, err := round.ParseDocument(text)
	if err != nil {
		t.Fatal(err)
	}
	again, err := back.Encode()
	if err != nil || !bytes.Equal(text, again) {
		t.Fatalf("encoded again it differs: %v", err)
	}
	for name, other := range map[string]string{
		"a space":        strings.Replace(string(text), `:`, `: `, 1),
		"unknown member": strings.Replace(string(text), `{`, `{"aa":1,`, 1),
		"other format":   strings.Replace(string(text), round.Format, "candor-round/2", 1),
		"trailing text":  string(text) + "{}",
	} {
		if _, err := round.ParseDocument([]byte(other)); err == nil {
			t.Errorf("a document with %s was read", name)
		}
	}
}

func TestEachDocumentHasItsOwnTasks(t *testing.T) {
	c := roundtest.New(t, 10, 2)
	first, err := c.Document.Tasks()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(first[0].Config.TaskInfo), "candor/1/test-2026q1/test/counts"; got != want {
		t.Errorf("task_info is %q, want %q", got, want)
	}
	if hash, _ := c.Document.Hash(); first[0].RoundHash == nil || *first[0].RoundHash != hash {
		t.Error("the task does not carry the document's hash")
	}
	c.Document.Release.P = "1/4" // a rule, nothing that the VDAF sees
	second, err := c.Document.Tasks()
	if err != nil {
		t.Fatal(err)
	}
	if first[0].ID == second[0].ID {
		t.Error("two documents that differ in a release rule have one task ID")
	}
}

func TestSignedRound(t *testing.T) {
	c := roundtest.New(t, 10, 1)
	signed := c.Sign(t)
	back, err := round.ParseSigned(signed.Encode())
	if err != nil {
		t.Fatal(err)
	}
	if err := back.Verify(c.Trust()); err != nil {
		t.Fatalf("a good round is refused: %v", err)
	}
	t.Run("one byte changed", func(t *testing.T) {
		text := bytes.Replace(signed.Encode(), []byte("Member m3"), []byte("Member m4x"), 1)
		other, err := round.ParseSigned(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := other.Verify(c.Trust()); err == nil || strings.Count(err.Error(), "not one of this document") != 3 {
			t.Errorf("the changed document: %v", err)
		}
	})
	t.Run("a signature missing", func(t *testing.T) {
		alone, err := round.NewSigned(c.Document)
		if err != nil {
			t.Fatal(err)
		}
		if err := alone.Sign(round.BySecretariat, c.Secretariat); err != nil {
			t.Fatal(err)
		}
		if err := alone.Verify(c.Trust(), round.BySecretariat); err != nil {
			t.Errorf("what the secretariat alone signed is refused as such: %v", err)
		}
		if err := alone.Verify(c.Trust()); err == nil || !strings.Contains(err.Error(), "helper has not signed") {
			t.Errorf("without approvals: %v", err)
		}
	})
	t.Run("keys that are not pinned", func(t *testing.T) {
		other := roundtest.New(t, 10, 1)
		if err := other.Sign(t).Verify(c.Trust()); err == nil || !strings.Contains(err.Error(), "is pinned") {
			t.Errorf("a stranger's round: %v", err)
		}
	})
	t.Run("null instead of signatures", func(t *testing.T) {
		if _, err := round.ParseSigned(append(append([]byte(`{"document":`), signed.Text...), `,"signatures":null}`...)); err == nil {
			t.Error("it was read")
		}
	})
	t.Run("the wrong key signs", func(t *testing.T) {
		if err := signed.Sign(round.ByHelper, c.Leader); err == nil {
			t.Error("the Leader signed as the Helper")
		}
	})
}

func TestOverlaps(t *testing.T) {
	a := roundtest.New(t, 10, 1).Document
	for _, c := range []struct {
		name    string
		change  func(*round.Document)
		overlap bool
	}{
		{"the same period", func(d *round.Document) {}, true},
		{"one day shared", func(d *round.Document) { d.Period.First, d.Period.Last = "2026-03-31", "2026-06-30" }, true},
		{"the next quarter", func(d *round.Document) { d.Period.First, d.Period.Last = "2026-04-01", "2026-06-30" }, false},
		{"another instrument", func(d *round.Document) { d.Parts[0].Instrument = "other" }, false},
		{"a rehearsal", func(d *round.Document) { d.Rehearsal = true }, false},
		{"a revision", func(d *round.Document) {
			hash, _ := a.Hash()
			const hex = "0123456789abcdef"
			for _, b := range hash {
				d.Supersedes += string(hex[b>>4]) + string(hex[b&15])
			}
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := roundtest.New(t, 10, 1).Document
			c.change(b)
			both, err := a.Overlaps(b)
			if err != nil || (len(both) > 0) != c.overlap {
				t.Errorf("Overlaps = %v, %v, want overlap %v", both, err, c.overlap)
			}
		})
	}
}

func FuzzParseSigned(f *testing.F) {
	f.Add(roundtest.New(f, 10, 1).Sign(f).Encode())
	f.Add([]byte(`{"document":{},"signatures":{}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := round.ParseSigned(text)
		if err != nil {
			return
		}
		if again := s.Encode(); !bytes.Equal(bytes.TrimSuffix(text, []byte("\n")), bytes.TrimSuffix(again, []byte("\n"))) {
			t.Fatalf("%q re-encodes to %q", text, again)
		}
		s.Document.Check()
	})
}
