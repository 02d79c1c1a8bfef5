package ledger_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"candor/client/ledger"
	"candor/schema/round"
)

func hexHash(h [32]byte) string { return hex.EncodeToString(h[:]) }

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// written makes a ledger with every kind of entry and returns its text.
func written(t *testing.T) (ledger.Config, *round.Document, []byte) {
	t.Helper()
	cfg, _ := newConfig(t)
	l := create(t, cfg)
	d := document(t)
	send(t, l, charge(t, l, claim(d, 1, 2, 3, 4))...)
	g := charge(t, l, claim(d, 1, 2, 3, 5))[0]
	if err := l.Void(g.Charge, "no"); err != nil {
		t.Fatal(err)
	}
	if err := l.AdoptPolicy([]byte(strings.Replace(policy, "corrections: 1", "corrections: 2", 1))); err != nil {
		t.Fatal(err)
	}
	send(t, l, charge(t, l, claim(d, 1, 2, 3, 6))...)
	l.Close()
	text, err := os.ReadFile(cfg.Path)
	if err != nil {
		t.Fatal(err)
	}
	return cfg, d, text
}

// Whatever is done to a line that is not the last, the ledger shows it; done to the last, too, except that cutting off
// the end of the file is what a restored copy looks like, and is found by the witness and the Leader.
func TestTampering(t *testing.T) {
	cfg, _, text := written(t)
	if entries, err := ledger.Verify(cfg.Path); err != nil || len(entries) != 8 {
		t.Fatalf("%d entries, %v", len(entries), err)
	}
	try := func(name string, changed []byte) {
		t.Helper()
		path := filepath.Join(t.TempDir(), "ledger")
		if err := os.WriteFile(path, changed, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ledger.Verify(path); !errors.Is(err, ledger.ErrBroken) {
			t.Errorf("%s: Verify says %v", name, err)
		}
		bad := cfg
		bad.Path = path
		if l, err := ledger.Open(bad); !errors.Is(err, ledger.ErrBroken) {
			t.Errorf("%s: Open says %v", name, err)
			if err == nil {
				l.Close()
			}
		}
	}
	lines := bytes.SplitAfter(bytes.TrimSuffix(text, []byte("\n")), []byte("\n"))
	lines[len(lines)-1] = append(lines[len(lines)-1], '\n')
	join := func(parts ...[][]byte) (all []byte) {
		for _, p := range parts {
			all = append(all, bytes.Join(p, nil)...)
		}
		return all
	}
	try("empty", nil)
	for i := range lines {
		if i < len(lines)-1 {
			try("line removed", join(lines[:i], lines[i+1:]))
			swapped := append(append([][]byte{}, lines[:i]...), lines[i+1], lines[i])
			try("lines swapped", join(swapped, lines[i+2:]))
		}
		try("line twice", join(lines[:i+1], lines[i:]))
		try("empty line", join(lines[:i], [][]byte{[]byte("\n")}, lines[i:]))
		try("space added", join(lines[:i], [][]byte{[]byte(" ")}, lines[i:]))
		try("number changed", join(lines[:i], [][]byte{bytes.Replace(lines[i], []byte(`{"seq":`), []byte(`{"seq":1`), 1)}, lines[i+1:]))
	}
	// Every byte of every line, changed in one bit: in the last line, too, if the result is an entry at all it is no
	// longer the form in which entries are written, or one that cannot follow, or else one of different content,
	// which the next line's hash covers as soon as there is one.
	last := len(text) - len(lines[len(lines)-1])
	step := 1
	if testing.Short() {
		step = 17
	}
	for i := 0; i < last; i += step {
		changed := bytes.Clone(text)
		changed[i] ^= 1 << (i % 7)
		if _, err := ledger.ReadText(changed); !errors.Is(err, ledger.ErrBroken) {
			t.Fatalf("byte %d changed: %v", i, err)
		}
	}
}

// A chain of hashes can be made by anybody: what the lines say has to be possible as well.
func TestImpossibleHistories(t *testing.T) {
	r := ledger.Round{ID: "r", Hash: strings.Repeat("ab", 32), First: "2026-01-01", Last: "2026-03-31", Closes: within}
	opening := ledger.Entry{Opening: &ledger.Opening{Format: ledger.Format, ID: "00", Member: "m", Policy: policy}}
	charge := func(change ...func(*ledger.Charge)) ledger.Entry {
		c := &ledger.Charge{Round: r, Instrument: "i", Part: "counts", Unit: "item", Mechanism: "laplace", Place: "member", Epsilon: "1", Delta: "0"}
		for _, f := range change {
			f(c)
		}
		return ledger.Entry{Charge: c}
	}
	send := func(charge, correction uint64) ledger.Entry {
		return ledger.Entry{Send: &ledger.Send{Charge: charge, Round: r, Correction: correction}}
	}
	void := func(charge uint64) ledger.Entry { return ledger.Entry{Void: &ledger.Void{Charge: charge}} }
	if _, err := ledger.ReadText(ledger.Chain(opening, charge(), charge(), void(2), send(3, 0), send(3, 1))); err != nil {
		t.Fatal(err)
	}
	for name, entries := range map[string][]ledger.Entry{
		"no opening":             {charge()},
		"two openings":           {opening, opening},
		"an event too many":      {opening, {Charge: charge().Charge, Void: &ledger.Void{Charge: 2}}},
		"no event":               {opening, {}},
		"another format":         {{Opening: &ledger.Opening{Format: "x", ID: "00", Policy: policy}}},
		"no policy":              {{Opening: &ledger.Opening{Format: ledger.Format, ID: "00"}}},
		"correction left out":    {opening, charge(), send(2, 1)},
		"correction twice":       {opening, charge(), send(2, 0), send(2, 0)},
		"sends what is void":     {opening, charge(), void(2), send(2, 0)},
		"sends nothing":          {opening, send(2, 0)},
		"voids what was sent":    {opening, charge(), send(2, 0), void(2)},
		"voids twice":            {opening, charge(), void(2), void(2)},
		"voids an opening":       {opening, void(1)},
		"negative loss":          {opening, charge(func(c *ledger.Charge) { c.Epsilon = "-1" })},
		"loss by exponent":       {opening, charge(func(c *ledger.Charge) { c.Epsilon = "1e99999999" })},
		"loss not reduced":       {opening, charge(func(c *ledger.Charge) { c.Delta = "2/4" })},
		"hash of no round":       {opening, charge(func(c *ledger.Charge) { c.Round.Hash = "00" })},
		"period of no dates":     {opening, charge(func(c *ledger.Charge) { c.Round.Last = "spring" })},
		"round in two ways":      {opening, charge(), charge(func(c *ledger.Charge) { c.Round.Last = "2026-04-01" })},
		"nonsensical new policy": {opening, {Adoption: &ledger.Adoption{Policy: "x"}}},
		"unasked-for approval":   {opening, {Adoption: &ledger.Adoption{Policy: policy, Approvals: []ledger.Approval{{}}}}},
	} {
		if _, err := ledger.ReadText(ledger.Chain(entries...)); !errors.Is(err, ledger.ErrBroken) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A crash while writing leaves a part of the last line. It was not acknowledged, and is dropped; everything before stays.
func TestTornLine(t *testing.T) {
	cfg, d, text := written(t)
	last := bytes.LastIndexByte(text[:len(text)-1], '\n') + 1
	for _, n := range []int{last + 1, last + 50, (last + len(text)) / 2, len(text) - 1} {
		for _, tail := range []string{"", "\x00\x00\x00"} {
			torn := cfg
			torn.Path = filepath.Join(t.TempDir(), "ledger")
			if err := os.WriteFile(torn.Path, append(bytes.Clone(text[:n]), tail...), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := ledger.Verify(torn.Path); !errors.Is(err, ledger.ErrBroken) {
				t.Errorf("cut at %d: Verify says %v", n, err)
			}
			l, err := ledger.Open(torn)
			if err != nil {
				t.Fatalf("cut at %d: %v", n, err)
			}
			if len(l.Entries()) != 7 {
				t.Errorf("cut at %d: %d entries, want 7", n, len(l.Entries()))
			}
			// The charge before the torn send stands, and the number is given out now.
			g := charge(t, l, claim(d, 1, 2, 3, 6))
			if !g[0].Reused {
				t.Errorf("cut at %d: the charge is lost", n)
			}
			equal(t, "send", send(t, l, g...), []uint64{1})
			l.Close()
			if _, err := ledger.Verify(torn.Path); err != nil {
				t.Errorf("cut at %d, after writing again: %v", n, err)
			}
		}
	}
}

// A restored old copy is shown by the witness, and without one by the Leader's highest correction number.
func TestRollback(t *testing.T) {
	cfg, clock := newConfig(t)
	cfg.Witness = filepath.Join(t.TempDir(), "witness")
	l := create(t, cfg)
	d := document(t)
	hash, err := d.Hash()
	if err != nil {
		t.Fatal(err)
	}
	g := charge(t, l, claim(d, 1, 2, 3, 4))
	send(t, l, g...)
	old := filepath.Join(t.TempDir(), "backup")
	copyFile(t, cfg.Path, old)
	send(t, l, g...)
	if err := l.CheckLeader(hash, "test", "counts", 1); err != nil {
		t.Errorf("the Leader has what was sent: %v", err)
	}
	if err := l.CheckLeader(hash, "test", "counts", 0); err != nil {
		t.Errorf("the Leader has less than was sent: %v", err)
	}
	if n, ok := l.Highest(hash, "test", "counts"); n != 1 || !ok {
		t.Errorf("highest %d, %v", n, ok)
	}
	l = reopen(t, l, cfg)
	l.Close()

	copyFile(t, old, cfg.Path)
	if _, err := ledger.Open(cfg); !errors.Is(err, ledger.ErrRolledBack) {
		t.Errorf("an old copy: %v", err)
	}
	without := cfg
	without.Witness = ""
	if l, err = ledger.Open(without); err != nil {
		t.Fatal(err)
	}
	if err := l.CheckLeader(hash, "test", "counts", 1); !errors.Is(err, ledger.ErrRolledBack) || !strings.Contains(err.Error(), "the Leader has correction 1") {
		t.Errorf("an old copy, without witness: %v", err)
	}
	if err := l.CheckLeader(hash, "test", "counts-2", 0); !errors.Is(err, ledger.ErrRolledBack) || !strings.Contains(err.Error(), "sent nothing") {
		t.Errorf("a part of which nothing was sent: %v", err)
	}
	if _, ok := l.Highest(hash, "test", "counts-2"); ok {
		t.Error("something was sent of a part of which nothing was sent")
	}
	// A copy that went its own way, and is longer than the witness saw.
	clock.at = clock.at.Add(time.Minute)
	for range 4 {
		send(t, l, charge(t, l, claim(d, 1, 2, 3, 4))...)
	}
	l.Close()
	if _, err := ledger.Open(cfg); !errors.Is(err, ledger.ErrRolledBack) || !strings.Contains(err.Error(), "another one") {
		t.Errorf("a forked copy: %v", err)
	}
	if err := os.Remove(cfg.Witness); err != nil {
		t.Fatal(err)
	}
	if _, err := ledger.Open(cfg); !errors.Is(err, ledger.ErrRolledBack) {
		t.Errorf("a lost witness: %v", err)
	}
	if err := os.WriteFile(cfg.Witness, []byte("1 x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ledger.Open(cfg); err == nil {
		t.Error("a nonsensical witness is accepted")
	}
}

// A witness that lags behind, because of a crash between the two writes, is no rollback.
func TestWitnessLagsBehind(t *testing.T) {
	cfg, _ := newConfig(t)
	cfg.Witness = filepath.Join(t.TempDir(), "witness")
	l := create(t, cfg)
	old := filepath.Join(t.TempDir(), "old")
	copyFile(t, cfg.Witness, old)
	charge(t, l, claim(document(t), 1, 2, 3, 4))
	l.Close()
	copyFile(t, old, cfg.Witness)
	l, err := ledger.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	now, err := os.ReadFile(cfg.Witness)
	if err != nil || !strings.HasPrefix(string(now), "2 ") {
		t.Errorf("the witness is not brought up: %q, %v", now, err)
	}
	if _, err := ledger.Create(ledger.Config{Path: cfg.Path + "2", Witness: cfg.Witness}, "m", []byte(policy)); err == nil {
		t.Error("a second ledger takes the witness of the first")
	}
}

// The parser of the file: it never panics, and what it takes is what it would write.
func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"seq":1,"prev":"` + strings.Repeat("0", 64) + `","time":"2026-01-01T00:00:00Z","opening":{"format":"candor-ledger/1","id":"00","member":"m","policy":""}}` + "\n"))
	for _, seed := range ledger.SeedLedgers(policy) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		entries, err := ledger.ReadText(text)
		if err != nil {
			if !errors.Is(err, ledger.ErrBroken) {
				t.Fatalf("error %v", err)
			}
			return
		}
		again, err := ledger.WriteText(entries)
		if err != nil || !bytes.Equal(again, text) {
			t.Fatalf("%q was read as %q, %v", text, again, err)
		}
	})
}

func FuzzParseWitness(f *testing.F) {
	f.Add([]byte("1 " + strings.Repeat("a", 64) + "\n"))
	f.Add([]byte("0 x\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if seq, hash, err := ledger.ParseWitness(text); err == nil && (seq == 0 || len(hash) != 64) {
			t.Fatalf("%q: %d %q", text, seq, hash)
		}
	})
}
