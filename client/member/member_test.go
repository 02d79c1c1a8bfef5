package member_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"candor/aggregator/aggregatortest"
	"candor/client/ledger"
	"candor/client/member"
	"candor/crypto/seal"
	"candor/crypto/sign"
	"candor/schema/dap"
	"candor/schema/metric"
	"candor/schema/round"
	"candor/schema/round/roundtest"
)

// small is an instrument with few cells, several counts parts, noise and answers.
var small = []string{"solicitation"}

// refuses checks that a round is refused with all the words.
func refuses(t *testing.T, m *member.Member, text []byte, words ...string) error {
	t.Helper()
	_, err := m.Open(text, catalogue)
	if err == nil {
		t.Errorf("a round is opened that should be refused with %q", words)
		return nil
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%q is not in the refusal:\n%v", w, err)
		}
	}
	return err
}

func TestOpenRefuses(t *testing.T) {
	w := newWorld(t, 10, small)
	m, _ := w.open(w.members[0]) // the round as it is
	alter := func(change func(*round.Document)) []byte {
		d := w.document()
		change(d)
		return w.sign(d).Encode()
	}
	t.Run("another key in the own entry", func(t *testing.T) {
		err := refuses(t, m, alter(func(d *round.Document) { d.Roster[0].Key = roundtest.NewKey(t).PublicKey().String() }),
			"names the key", string(w.members[0].key.PublicKey().Fingerprint()), "do not submit")
		if !errors.Is(err, member.ErrNotMe) {
			t.Errorf("the error is %v", err)
		}
	})
	t.Run("not on the roster", func(t *testing.T) {
		err := refuses(t, m, alter(func(d *round.Document) { d.Roster = d.Roster[1:] }), "has no member m1")
		if !errors.Is(err, member.ErrNotMe) {
			t.Errorf("the error is %v", err)
		}
	})
	other := aggregatortest.NewKey(t, 1, seal.XWing)
	t.Run("another HPKE configuration under the old signatures", func(t *testing.T) {
		text := bytes.Replace(w.signed.Encode(), []byte(w.hpke(w.leaderHPKE)), []byte(w.hpke(other)), 1)
		refuses(t, m, text, "the signature of the leader is not one of this document")
	})
	t.Run("another HPKE configuration that the operators have not signed", func(t *testing.T) {
		d := w.document()
		d.Helper.HPKE = w.hpke(other)
		s := must(round.NewSigned(d))(t)
		if err := s.Sign(round.BySecretariat, w.secretariat); err != nil {
			t.Fatal(err)
		}
		refuses(t, m, s.Encode(), "the leader has not signed it", "the helper has not signed it")
	})
	t.Run("an HPKE configuration without X-Wing", func(t *testing.T) {
		classical := aggregatortest.NewKey(t, 1, seal.X25519)
		refuses(t, m, alter(func(d *round.Document) { d.Leader.HPKE = w.hpke(classical) }), "X-Wing")
	})
	t.Run("another operator", func(t *testing.T) {
		stranger := roundtest.NewKey(t)
		d := w.document()
		d.Leader.Key = stranger.PublicKey().String()
		s := must(round.NewSigned(d))(t)
		for who, key := range map[string]*sign.PrivateKey{round.BySecretariat: w.secretariat, round.ByLeader: stranger, round.ByHelper: w.helperKey} {
			if err := s.Sign(who, key); err != nil {
				t.Fatal(err)
			}
		}
		refuses(t, m, s.Encode(), "is pinned")
	})
	t.Run("counts without noise", func(t *testing.T) {
		refuses(t, m, alter(func(d *round.Document) {
			p := &d.Parts[0]
			p.Privacy.Mechanism, p.Offset, p.VDAF.MaxMeasurement = "none", 0, p.Cap
		}), "has no noise")
	})
	t.Run("answers without noise", func(t *testing.T) {
		refuses(t, m, alter(func(d *round.Document) {
			i := slices.IndexFunc(d.Parts, func(p round.Part) bool { return p.Kind == round.KindAnswers })
			d.Parts[i].Privacy.Mechanism = "none"
		}), "without the aggregators' noise")
	})
	t.Run("noise for less than a unit changes", func(t *testing.T) {
		for _, kind := range []string{round.KindCounts, round.KindAnswers} {
			refuses(t, m, alter(func(d *round.Document) {
				i := slices.IndexFunc(d.Parts, func(p round.Part) bool { return p.Kind == kind && p.Privacy.Delta1 > 1 })
				d.Parts[i].Privacy.Delta1--
				if kind == round.KindCounts { // else the document contradicts itself
					noise := must(d.Parts[i].Privacy.MemberNoise())(t)
					d.Parts[i].VDAF.MaxMeasurement -= 2 * (d.Parts[i].Offset - uint64(noise.Offset()))
					d.Parts[i].Offset = uint64(noise.Offset())
				}
			}), "for which there is too little noise")
		}
	})
	t.Run("other cells than the catalogue's", func(t *testing.T) {
		refuses(t, m, alter(func(d *round.Document) { c := d.Parts[0].Cells; c[0], c[1] = c[1], c[0] }), "is not what catalogue")
	})
	t.Run("another catalogue", func(t *testing.T) {
		refuses(t, m, alter(func(d *round.Document) { d.Catalogue.Hash = random() }), "take the program or the catalogue file")
	})
	t.Run("a minimum that is too low", func(t *testing.T) {
		refuses(t, m, alter(func(d *round.Document) { d.Minimum.Groups = 3 }), "contradicts itself")
	})
	t.Run("no pins", func(t *testing.T) {
		refuses(t, w.member(w.members[0], func(c *member.Config) { c.Trust.Helper = "" }), w.signed.Encode(), "not all pinned")
	})
	if len(w.net.Log()) != 0 {
		t.Error("a request was made")
	}
}

// Two documents for one round: the second is refused once the member took part in the first.
func TestOpenRefusesASecondDocument(t *testing.T) {
	w := newWorld(t, 10, small)
	w.serve()
	p := w.members[0]
	w.submit(p, catalogue.Example(1, small, true))
	d := w.document()
	d.Release.FewSD = 2
	refuses(t, w.member(p), w.sign(d).Encode(), "two documents for one round")
	w.open(p)
}

// A draft makes no request, and shows what a later submission sends; only the pinned configurations are used.
func TestDraftThenSubmit(t *testing.T) {
	w := newWorld(t, 10, small)
	w.serve()
	p := w.members[0]
	f := catalogue.Example(3, small, true)
	m, r := w.open(p)
	first := must(m.Draft(r, w.file(f)))(t)
	if n := len(w.net.Log()); n != 0 {
		t.Fatalf("a draft made %d requests", n)
	}
	if entries, err := os.ReadDir(filepath.Join(p.dir, "sent")); err == nil {
		t.Errorf("a draft left %d files of sent reports", len(entries))
	}
	second := must(m.Draft(r, w.file(f)))(t)
	if first.Digest() != second.Digest() {
		t.Error("two drafts of the same figures differ: the noise was drawn anew")
	}
	sent := must(m.Submit(t.Context(), second, nil))(t)
	if len(sent) != len(r.Document.Parts) {
		t.Errorf("%d parts are sent, of %d", len(sent), len(r.Document.Parts))
	}
	for _, e := range w.net.Log() {
		if strings.Contains(e.URL, "hpke_config") {
			t.Errorf("an HPKE configuration was fetched: %s", e.URL)
		}
		if e.Method != http.MethodGet && !strings.HasSuffix(e.URL, "/reports") || strings.Contains(e.URL, "helper.test") && e.Method != http.MethodGet {
			t.Errorf("%s %s", e.Method, e.URL)
		}
	}
	for _, s := range sent {
		text := must(os.ReadFile(filepath.Join(p.dir, "receipts", "2026q1", s.Instrument+"."+s.Part+".leader.json")))(t)
		receipt := must(member.ParseReceipt(text))(t)
		if receipt.Report != s.Report || receipt.Correction != 0 || receipt.Verify(w.leaderKey.PublicKey()) != nil {
			t.Errorf("the receipt is %+v", receipt)
		}
	}
	// Everything is there: nothing is sent again.
	w.net.Log()
	again := must(m.Submit(t.Context(), second, nil))(t)
	for _, s := range again {
		if !s.Unchanged {
			t.Errorf("%s/%s was sent again", s.Instrument, s.Part)
		}
	}
	if log := w.net.Log(); len(log) != 0 {
		t.Errorf("%d requests", len(log))
	}
}

// Before the first byte of a report leaves, the ledger has its charge and its number on disk, and the directory the report, the round and the figures.
func TestOnDiskBeforeTheFirstByte(t *testing.T) {
	w := newWorld(t, 10, small)
	w.serve()
	p := w.members[0]
	posts := atomic.Int32{}
	w.net.Decide(func(req *http.Request) aggregatortest.Fate {
		if req.Method != http.MethodPost {
			return aggregatortest.Delivered
		}
		posts.Add(1)
		sends := 0
		entries, err := ledger.Verify(filepath.Join(p.dir, "ledger"))
		for _, e := range entries {
			if e.Send != nil {
				sends++
			}
		}
		if err != nil || sends != len(w.signed.Document.Parts) {
			t.Errorf("the ledger has %d numbers for %d reports (%v)", sends, len(w.signed.Document.Parts), err)
		}
		var sent struct {
			Parts []struct{ Bytes []byte }
		}
		text, err := os.ReadFile(filepath.Join(p.dir, "sent", "2026q1.json"))
		if err == nil {
			err = json.Unmarshal(text, &sent)
		}
		body, _ := io.ReadAll(must(req.GetBody())(t))
		if !slices.ContainsFunc(sent.Parts, func(part struct{ Bytes []byte }) bool { return bytes.Equal(part.Bytes, body) }) {
			t.Errorf("a report leaves that is not kept (%v)", err)
		}
		for _, name := range []string{"rounds/2026q1.json", "figures/2026q1.csv"} {
			if _, err := os.Stat(filepath.Join(p.dir, name)); err != nil {
				t.Error(err)
			}
		}
		return aggregatortest.Delivered
	})
	w.submit(p, catalogue.Example(3, small, true))
	if int(posts.Load()) != len(w.signed.Document.Parts) {
		t.Errorf("%d reports left", posts.Load())
	}
}

// Figures with errors are not prepared.
func TestDraftRefusesWrongFigures(t *testing.T) {
	w := newWorld(t, 10, small)
	f := catalogue.Example(1, small, true)
	delete(f, catalogue.Instrument(small[0]).Metrics[0].Path())
	m, r := w.open(w.members[0])
	_, err := m.Draft(r, w.file(f))
	wrong, ok := errors.AsType[*member.FiguresError](err)
	if !ok || len(wrong.Report.Errors) == 0 {
		t.Errorf("the error is %v", err)
	}
	if n := len(w.members[0].ledger.Entries()); n != 1 {
		t.Errorf("the ledger has %d entries", n)
	}
}

// A correction gets the next number, new noise where figures changed, and the old noise where they did not. The policy's limit holds.
func TestCorrections(t *testing.T) {
	w := newWorld(t, 10, small)
	w.serve()
	p := w.members[0]
	f := catalogue.Example(3, small, true)
	first, _ := w.submit(p, f)
	path, at := changeable(f)
	f[path].Values[at]++
	second, sent := w.submit(p, f)
	changed := 0
	for i := range second.Parts {
		same := equalLeaves(first.Parts[i], second.Parts[i])
		switch {
		case sent[i].Unchanged && sent[i].Correction == 0 && same:
		case !sent[i].Unchanged && sent[i].Correction == 1:
			changed++
		default:
			t.Errorf("part %s: %+v, same values %t", second.Parts[i].Name, sent[i], same)
		}
	}
	if changed == 0 || changed > 2 {
		t.Errorf("%d parts were sent again for one changed cell", changed)
	}
	m, r := w.open(p)
	f[path].Values[at]++
	entries := len(p.ledger.Entries())
	_, err := m.Draft(r, w.file(f))
	if _, ok := errors.AsType[*ledger.Refusal](err); !ok || !strings.Contains(err.Error(), "your policy allows the first and 1 changed") {
		t.Errorf("a second correction: %v", err)
	}
	if n := len(p.ledger.Entries()); n != entries {
		t.Errorf("the refusal left %d entries", n-entries)
	}
}

// changeable returns a count that can be one larger without breaking a rule.
func changeable(f metric.Figures) (path string, at int) {
	in := catalogue.Instrument(small[0])
	for i := range in.Metrics {
		m := &in.Metrics[i]
		for j := range f[m.Path()].Values {
			if !m.Type.Counts() {
				continue
			}
			f[m.Path()].Values[j]++
			good := true
			for _, finding := range catalogue.Check(f, nil, small) {
				good = good && finding.Soft
			}
			f[m.Path()].Values[j]--
			if good {
				return m.Path(), j
			}
		}
	}
	panic("every count is bound")
}

func equalLeaves(a, b member.PartDraft) bool {
	for i := range a.Cells {
		if a.Cells[i].Leaves != b.Cells[i].Leaves {
			return false
		}
	}
	return true
}

// An upload whose answer is lost, or that never arrives, is followed by the same report again: one correction number, one charge.
func TestInterruptedSubmission(t *testing.T) {
	for name, fate := range map[string]aggregatortest.Fate{"request lost": aggregatortest.RequestLost, "answer lost": aggregatortest.ResponseLost} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 10, small)
			w.serve()
			p := w.members[0]
			f := catalogue.Example(3, small, true)
			m, r := w.open(p)
			d := must(m.Draft(r, w.file(f)))(t)
			w.net.Decide(func(req *http.Request) aggregatortest.Fate {
				if req.Method == http.MethodPost {
					return fate
				}
				return aggregatortest.Delivered
			})
			if sent, err := m.Submit(t.Context(), d, nil); err == nil || len(sent) != 0 {
				t.Fatalf("the loss is not told: %v, %v", sent, err)
			}
			entries := len(p.ledger.Entries())
			w.net.Decide(nil)
			m, r = w.open(p) // as after a crash
			d = must(m.Draft(r, w.file(f)))(t)
			for _, s := range must(m.Submit(t.Context(), d, nil))(t) {
				if s.Correction != 0 {
					t.Errorf("%s/%s is correction %d", s.Instrument, s.Part, s.Correction)
				}
			}
			if n := len(p.ledger.Entries()); n != entries {
				t.Errorf("the repetition wrote %d entries", n-entries)
			}
		})
	}
}

// A directory that was restored from before a submission sends nothing.
func TestOldCopySendsNothing(t *testing.T) {
	w := newWorld(t, 10, small)
	w.serve()
	p := w.members[0]
	old := filepath.Join(t.TempDir(), "old")
	if err := p.ledger.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(old, os.DirFS(p.dir)); err != nil {
		t.Fatal(err)
	}
	config := ledger.Config{Path: filepath.Join(p.dir, "ledger"), Now: w.clock.Now}
	p.ledger = must(ledger.Open(config))(t)
	f := catalogue.Example(3, small, true)
	w.submit(p, f)
	p.ledger.Close()

	p.dir = old
	config.Path = filepath.Join(old, "ledger")
	p.ledger = must(ledger.Open(config))(t)
	t.Cleanup(func() { p.ledger.Close() })
	m, r := w.open(p)
	d := must(m.Draft(r, w.file(f)))(t)
	w.net.Log()
	if _, err := m.Submit(t.Context(), d, nil); !errors.Is(err, ledger.ErrRolledBack) {
		t.Errorf("the old copy submits: %v", err)
	}
	for _, e := range w.net.Log() {
		if e.Method == http.MethodPost {
			t.Errorf("%s %s", e.Method, e.URL)
		}
	}
	for _, s := range must(m.Status(t.Context(), r))(t) {
		if len(s.Alarms) == 0 {
			t.Errorf("%s/%s: no alarm", s.Instrument, s.Part)
		}
	}
}

func TestOutsideOfTheWindow(t *testing.T) {
	w := newWorld(t, 10, small)
	w.serve()
	p := w.members[0]
	m, r := w.open(p)
	d := must(m.Draft(r, w.file(catalogue.Example(3, small, true))))(t)
	for by, words := range map[time.Duration]string{-2 * time.Minute: "opens at 2026-04-01 12:00:00 UTC", 2 * time.Hour: "can be corrected in the next round that revises it"} {
		w.clock.Advance(by)
		_, err := m.Submit(t.Context(), d, nil)
		if !errors.Is(err, member.ErrClosed) || !strings.Contains(err.Error(), words) {
			t.Errorf("after %v: %v", by, err)
		}
		_, err = m.Seal(t.Context(), d)
		if !errors.Is(err, member.ErrClosed) {
			t.Errorf("after %v, sealing: %v", by, err)
		}
		w.clock.Advance(-by)
	}
	if log := w.net.Log(); len(log) != 0 {
		t.Errorf("%d requests", len(log))
	}
}

// Where the policy wants a second person, nothing leaves before one of its signers has approved this very draft.
func TestTwoPersons(t *testing.T) {
	w := newWorld(t, 10, small)
	w.serve()
	p := w.members[0]
	second, stranger := roundtest.NewKey(t), roundtest.NewKey(t)
	policy := strings.NewReplacer("signers: []", "signers: ["+second.PublicKey().String()+", "+p.key.PublicKey().String()+"]", "signatures: 0", "signatures: 1", "approvals: 0", "approvals: 1").Replace(string(ledger.ShippedPolicy()))
	if err := p.ledger.AdoptPolicy([]byte(policy)); err != nil {
		t.Fatal(err)
	}
	f := catalogue.Example(3, small, true)
	m, r := w.open(p)
	d := must(m.Draft(r, w.file(f)))(t)
	blocked := func(d *member.Draft) {
		t.Helper()
		if _, err := m.Submit(t.Context(), d, nil); !errors.Is(err, member.ErrUnapproved) {
			t.Errorf("submitted: %v", err)
		}
		if _, err := m.Seal(t.Context(), d); !errors.Is(err, member.ErrUnapproved) {
			t.Errorf("sealed: %v", err)
		}
		if log := w.net.Log(); len(log) != 0 {
			t.Errorf("%d requests", len(log))
		}
	}
	blocked(d)
	for name, key := range map[string]*sign.PrivateKey{"a stranger": stranger, "the member itself": p.key} {
		if _, err := m.Approve(d, key); err == nil {
			t.Errorf("%s approves", name)
		}
	}
	blocked(d)
	if missing := must(m.Approve(d, second))(t); missing != 0 {
		t.Errorf("%d approvals are missing", missing)
	}
	path, at := changeable(f)
	f[path].Values[at]++
	other := must(m.Draft(r, w.file(f)))(t)
	blocked(other) // one cell is another one
	f[path].Values[at]--
	d = must(m.Draft(r, w.file(f)))(t)
	blocked(d) // the draft in between took its noise back, so this is another one too
	must(m.Approve(d, second))(t)
	must(m.Submit(t.Context(), d, nil))(t)
}

// What is sealed offline arrives from another machine, which can do nothing but deliver it.
func TestOffline(t *testing.T) {
	w := newWorld(t, 10, small)
	w.serve()
	p := w.members[0]
	m, r := w.open(p)
	d := must(m.Draft(r, w.file(catalogue.Example(3, small, true))))(t)
	text := must(must(m.Seal(t.Context(), d))(t).Encode())(t)
	if log := w.net.Log(); len(log) != 0 {
		t.Fatalf("sealing made %d requests", len(log))
	}
	parcel := must(member.ParseParcel(text))(t)
	courier := member.Courier{HTTP: &http.Client{Transport: w.net}, PlainHTTP: true, Now: w.clock.Now, Attempts: 1}
	for range 2 { // twice is once
		if err := courier.Upload(t.Context(), parcel, nil); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range must(m.Status(t.Context(), r))(t) {
		if s.Leader == nil || s.Leader.Report != s.Report || len(s.Alarms) > 0 {
			t.Errorf("%s/%s: %+v", s.Instrument, s.Part, s)
		}
	}
	for _, s := range must(m.Submit(t.Context(), d, nil))(t) {
		if !s.Unchanged {
			t.Errorf("%s/%s is sent again", s.Instrument, s.Part)
		}
	}
}

// A rehearsal is not charged.
func TestRehearsal(t *testing.T) {
	w := newWorld(t, 10, small)
	w.plan.Rehearsal = true
	w.signed = w.sign(w.document())
	w.serve()
	p := w.members[0]
	f := catalogue.Example(3, small, true)
	for correction := range uint64(3) {
		_, sent := w.submit(p, f)
		for _, s := range sent {
			if s.Part != "answers" && s.Correction != correction && !s.Unchanged {
				t.Errorf("%s: correction %d, want %d", s.Part, s.Correction, correction)
			}
		}
	}
	if n := len(p.ledger.Entries()); n != 1 {
		t.Errorf("the ledger has %d entries", n)
	}
}

// A Leader that forwards an older correction is seen by the member.
func TestStatusSeesAnOlderCorrection(t *testing.T) {
	w := newWorld(t, 10, small)
	w.serve()
	p := w.members[0]
	m, r := w.open(p)
	w.submit(p, catalogue.Example(3, small, true))
	w.net.Alter(func(req *http.Request, resp *http.Response) {
		if req.URL.Host != "helper.test" {
			return
		}
		task := must(dap.ParseTaskID(strings.Split(req.URL.Path, "/")[3]))(t)
		receipt := round.NewReceipt(w.helperKey, "helper", task, p.id, 0, dap.ReportID{1}, w.clock.Now(), true)
		if strings.Contains(req.URL.Path, w.tasks[0].ID.String()) { // and one that nobody signed
			receipt.Correction = 7
		}
		text := must(json.Marshal(receipt))(t)
		*resp = *jsonAnswer(text)
	})
	for i, s := range must(m.Status(t.Context(), r))(t) {
		switch {
		case i == 0 && (len(s.Unknown) != 1 || !strings.Contains(s.Unknown[0], "does not bear its signature")):
			t.Errorf("%s/%s: %+v", s.Instrument, s.Part, s)
		case i > 0 && (len(s.Alarms) != 1 || !strings.Contains(s.Alarms[0], "the Leader forwarded another")):
			t.Errorf("%s/%s: %+v", s.Instrument, s.Part, s)
		}
	}
}

// The page of own figures shows this round beside the last, and loads nothing.
func TestPage(t *testing.T) {
	w := newWorld(t, 10, small)
	w.serve()
	p := w.members[0]
	m := w.member(p)
	if _, err := m.Page(catalogue); err == nil {
		t.Error("a page of nothing")
	}
	f := catalogue.Example(3, small, true)
	path, at := changeable(f)
	w.submit(p, f)
	before := f[path].Values[at]

	w.plan.ID, w.plan.Period = "2026q2", round.Period{Label: "2026Q2", First: "2026-04-01", Last: "2026-06-30"}
	w.plan.Window = round.Window{Opens: opens.AddDate(0, 4, 0), Closes: opens.AddDate(0, 4, 1)}
	w.clock.Advance(w.plan.Window.Opens.Sub(w.clock.Now()) + time.Minute)
	w.signed = w.sign(w.document())
	w.serve()
	f[path].Values[at]++
	w.submit(p, f)
	page := string(must(m.Page(catalogue))(t))
	for _, want := range []string{"2026Q2", "round 2026q2", "2026Q1", "round 2026q1", "&#43;1", ">same<", "true figures", catalogue.Metric(path).Name} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %q", want)
		}
	}
	for _, outside := range []string{"http://", "https://", "<script", "src="} {
		if strings.Contains(page, outside) {
			t.Errorf("the page refers to %q", outside)
		}
	}
	last := must(m.LastFigures(must(m.Open(w.signed.Encode(), catalogue))(t)))(t)
	if last[path].Values[at] != before {
		t.Errorf("the last figures say %d, want %d", last[path].Values[at], before)
	}
}

func FuzzParseParcel(f *testing.F) {
	f.Add([]byte(`{"format":"candor-parcel/1","member":"m1","round":{},"reports":[]}`))
	f.Add([]byte(`{"format":"candor-parcel/1","member":"m1","round":{},"reports":[{"instrument":"a","part":"b","report":"AAAA"}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := member.ParseParcel(text)
		if err != nil {
			return
		}
		again := must(p.Encode())(t)
		if _, err := member.ParseParcel(again); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzParseReceipt(f *testing.F) {
	f.Add([]byte(`{"role":"leader","task":"t","member":"m","correction":1,"report":"r","received":"2026-01-01T00:00:00Z","aggregated":true,"signature":"s"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if r, err := member.ParseReceipt(text); err == nil {
			if _, err := member.ParseReceipt(must(json.Marshal(r))(t)); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func FuzzParseOutbox(f *testing.F) {
	f.Add([]byte(`{"format":"candor-sent/1","round":"00","parts":[{"instrument":"a","part":"b","task":"","correction":0,"report":"AAAAAAAAAAAAAAAAAAAAAA","vector":"","sealed":"2026-01-01T00:00:00Z","received":true}]}`))
	f.Fuzz(func(_ *testing.T, text []byte) { _ = member.CheckOutbox(text) })
}

func FuzzParseApproval(f *testing.F) {
	f.Add([]byte(`{"key":"candor-key-","draft":"00","signature":"AA=="}`))
	f.Fuzz(func(_ *testing.T, text []byte) { _ = member.CheckApproval(text) })
}
