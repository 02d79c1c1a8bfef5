package ledger_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"candor/client/ledger"
	"candor/schema/round"
)

// TestMain runs the writer of TestKill when this binary is started as one.
func TestMain(m *testing.M) {
	if dir := os.Getenv("CANDOR_LEDGER_WRITER"); dir != "" {
		writer(dir)
		return
	}
	os.Exit(m.Run())
}

// writer charges and sends without end, and says on standard output what was acknowledged, before and after.
func writer(dir string) {
	fail := func(err error) {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	text, err := os.ReadFile(filepath.Join(dir, "round"))
	if err != nil {
		fail(err)
	}
	d, err := round.ParseDocument(text)
	if err != nil {
		fail(err)
	}
	l, err := ledger.Open(ledger.Config{Path: filepath.Join(dir, "ledger"), Witness: filepath.Join(dir, "witness"), Now: func() time.Time { return within }})
	if err != nil {
		fail(err)
	}
	for i := 0; ; i++ {
		values := []uint64{uint64(len(l.Entries())), 0, 0, 0}
		g, err := l.Charge(ledger.Claim{Document: d, Part: &d.Parts[0], Values: values})
		if err != nil {
			fail(err)
		}
		fmt.Printf("charged %d %d\n", values[0], g[0].Charge)
		n, err := l.Send(g...)
		if err != nil {
			fail(err)
		}
		fmt.Printf("sent %d %d\n", g[0].Charge, n[0])
	}
}

// Killed at any moment, a ledger has kept everything that it acknowledged: every charge with its noise, and every
// correction number, none of which is given twice. What was not acknowledged is charged or not, but never half.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	cfg := ledger.Config{Path: filepath.Join(dir, "ledger"), Witness: filepath.Join(dir, "witness"), Now: func() time.Time { return within }}
	generous := strings.NewReplacer("corrections: 1", "corrections: 0", `total: "4", span: population`, `total: "1000000", span: population`).Replace(policy)
	l, err := ledger.Create(cfg, "m1", []byte(generous))
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	random := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	kills := 8
	if !testing.Short() {
		kills = 30
	}
	if os.Getenv("CANDOR_TEST_LONG") == "1" {
		kills = 200
	}
	charges, sends := 0, 0
	for kill := range kills {
		// Each life has its own round, so that versions do not run out.
		d := document(t, func(d *round.Document) {
			d.ID = fmt.Sprintf("r%d", kill)
			first := time.Date(1000+kill, 1, 1, 0, 0, 0, 0, time.UTC)
			d.Period = round.Period{Label: d.ID, First: first.Format(time.DateOnly), Last: first.Format(time.DateOnly)}
		})
		text, err := d.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "round"), text, 0o600); err != nil {
			t.Fatal(err)
		}
		allowMany(t, cfg, generous)
		child := exec.Command(os.Args[0], "-test.run=^$")
		child.Env = append(os.Environ(), "CANDOR_LEDGER_WRITER="+dir)
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		r := bufio.NewReader(out)
		charged, sent := map[uint64]uint64{}, map[uint64]uint64{} // charge: first value; correction: charge
		read := func() bool {
			line, err := r.ReadString('\n')
			if err != nil {
				if !errors.Is(err, io.EOF) {
					t.Fatal(err)
				}
				return false
			}
			var a, b uint64
			switch {
			case strings.HasPrefix(line, "charged "):
				fmt.Sscanf(line, "charged %d %d", &a, &b)
				charged[b] = a
			case strings.HasPrefix(line, "sent "):
				fmt.Sscanf(line, "sent %d %d", &a, &b)
				if _, twice := sent[b]; twice {
					t.Fatalf("correction %d is given twice", b)
				}
				sent[b] = a
			default:
				t.Fatalf("the writer says %q", line)
			}
			return true
		}
		if !read() {
			t.Fatal("the writer says nothing")
		}
		time.Sleep(time.Duration(random.IntN(40_000)) * time.Microsecond)
		child.Process.Kill()
		for read() {
		}
		child.Wait()

		l, err := ledger.Open(cfg)
		if err != nil {
			t.Fatalf("kill %d: %v", kill, err)
		}
		hash, err := d.Hash()
		if err != nil {
			t.Fatal(err)
		}
		for n := range uint64(len(sent)) {
			if _, ok := sent[n]; !ok {
				t.Errorf("kill %d: of %d corrections, number %d is missing", kill, len(sent), n)
			}
		}
		highest, ok := l.Highest(hash, "test", "counts")
		if ok != (len(sent) > 0) && len(sent) > 0 || len(sent) > 0 && highest+1 < uint64(len(sent)) {
			t.Errorf("kill %d: %d sends were acknowledged, the ledger knows %d", kill, len(sent), highest+1)
		}
		for seq, value := range charged {
			e := l.Entries()[seq-1]
			if e.Charge == nil || len(e.Charge.Noisy) != 4 {
				t.Fatalf("kill %d: entry %d is no charge", kill, seq)
			}
			g, err := l.Charge(ledger.Claim{Document: d, Part: &d.Parts[0], Values: []uint64{value, 0, 0, 0}})
			if err != nil {
				t.Fatal(err)
			}
			if !g[0].Reused || g[0].Charge != seq || !slices.Equal(g[0].Noisy, e.Charge.Noisy) {
				t.Errorf("kill %d: charge %d is forgotten", kill, seq)
			}
		}
		charges, sends = charges+len(charged), sends+len(sent)
		l.Close()
	}
	if _, err := ledger.Verify(cfg.Path); err != nil {
		t.Error(err)
	}
	if charges == 0 || sends == 0 {
		t.Errorf("%d charges and %d sends: the test says nothing", charges, sends)
	}
	t.Logf("%d kills, %d charges and %d sends acknowledged", kills, charges, sends)
}

// allowMany adopts a policy under which the writer can go on.
func allowMany(t *testing.T, cfg ledger.Config, policy string) {
	t.Helper()
	l, err := ledger.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := l.AdoptPolicy([]byte(strings.Replace(policy, "corrections: 0", "corrections: 100", 1))); err != nil {
		t.Fatal(err)
	}
}

// A write that fails leaves nothing half done, and a ledger that could not be repaired writes no more.
func TestWriteFails(t *testing.T) {
	cfg, _ := newConfig(t)
	l := create(t, cfg)
	d := document(t)
	g := charge(t, l, claim(d, 1, 2, 3, 4))
	if err := l.Break(); err != nil {
		t.Fatal(err)
	}
	if n, err := l.Send(g...); err == nil {
		t.Errorf("sent as %v on a disk that takes nothing", n)
	}
	if _, err := l.Charge(claim(d, 1, 2, 3, 5)); err == nil || !strings.Contains(err.Error(), "open it anew") {
		t.Errorf("error %v", err)
	}
	if len(l.Entries()) != 2 {
		t.Errorf("%d entries", len(l.Entries()))
	}
	l = reopen(t, l, cfg)
	equal(t, "send", send(t, l, g...), []uint64{0})
}

// Many goroutines share a ledger: every correction number is given once, and the budget holds.
func TestConcurrentUse(t *testing.T) {
	cfg, _ := newConfig(t)
	l := create(t, cfg)
	d := document(t)
	var mu sync.Mutex
	var numbers []uint64
	refusals := 0
	var wg sync.WaitGroup
	for i := range uint64(16) {
		wg.Go(func() {
			g, err := l.Charge(claim(d, i%4, 0, 0, 0))
			var r *ledger.Refusal
			if errors.As(err, &r) {
				mu.Lock()
				refusals++
				mu.Unlock()
				return
			}
			if err != nil {
				t.Error(err)
				return
			}
			n, err := l.Send(g...)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			numbers = append(numbers, n...)
			mu.Unlock()
		})
	}
	wg.Wait()
	slices.Sort(numbers)
	for i, n := range numbers {
		if n != uint64(i) {
			t.Fatalf("numbers %v", numbers)
		}
	}
	if spent(t, l) != "2+0" || refusals != 8 {
		t.Errorf("spent %s, %d refusals", spent(t, l), refusals)
	}
}
