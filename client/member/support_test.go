package member_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"candor/aggregator"
	"candor/aggregator/aggregatortest"
	"candor/aggregator/boltstore"
	"candor/aggregator/helper"
	"candor/aggregator/leader"
	"candor/client/collect"
	"candor/client/figures"
	"candor/client/ledger"
	"candor/client/member"
	"candor/crypto/seal"
	"candor/crypto/sign"
	"candor/schema/metric"
	"candor/schema/release"
	"candor/schema/round"
	"candor/schema/round/roundtest"
)

var catalogue = metric.Standard()

// A world is a coalition with both servers in this process, and a directory for each member.
type world struct {
	t       testing.TB
	clock   *aggregatortest.Clock
	net     *aggregatortest.Network
	plan    *round.Plan
	signed  *round.Signed
	members []*party

	secretariat, leaderKey, helperKey *sign.PrivateKey
	leaderHPKE, helperHPKE, collector aggregator.Key
	leader                            *leader.Leader
	helper                            *helper.Helper
	tasks                             []*round.Task

	changeRules func(*aggregator.Round) // of each server and task, before it begins to serve
}

// A party is one member with what it has on disk.
type party struct {
	id     string
	key    *sign.PrivateKey
	dir    string
	ledger *ledger.Ledger
}

var (
	opens = time.Date(2026, 4, 1, 12, 0, 0, 0, time.UTC)
	token = "token-of-somebody-0123456789"
)

// newWorld plans a round of instruments for members m1, m2, … and opens its window. change may alter the plan.
func newWorld(t testing.TB, members int, instruments []string, change ...func(*round.Plan)) *world {
	t.Helper()
	w := &world{t: t, clock: aggregatortest.NewClock(opens.Add(time.Minute)), net: new(aggregatortest.Network),
		secretariat: roundtest.NewKey(t), leaderKey: roundtest.NewKey(t), helperKey: roundtest.NewKey(t),
		leaderHPKE: aggregatortest.NewKey(t, 1, seal.XWing), helperHPKE: aggregatortest.NewKey(t, 2, seal.XWing), collector: aggregatortest.NewKey(t, 3, seal.XWing)}
	for i := range members {
		w.members = append(w.members, w.newParty(fmt.Sprintf("m%d", i+1)))
	}
	w.plan = &round.Plan{
		ID: "2026q1", Period: round.Period{Label: "2026Q1", First: "2026-01-01", Last: "2026-03-31"},
		Window: round.Window{Opens: opens, Closes: opens.Add(time.Hour)}, Precision: 60, Catalogue: catalogue, Instruments: instruments,
		Secretariat: w.secretariat.PublicKey().String(),
		Leader:      round.Aggregator{Operator: "One", Endpoint: "http://leader.test/base/", Key: w.leaderKey.PublicKey().String(), HPKE: w.hpke(w.leaderHPKE)},
		Helper:      round.Aggregator{Operator: "Two", Endpoint: "http://helper.test/", Key: w.helperKey.PublicKey().String(), HPKE: w.hpke(w.helperHPKE)},
		Collector:   w.hpke(w.collector), Minimum: round.Minimum{Groups: round.LeastGroups, CellGroups: round.LeastCellGroups},
		Release: round.Release{Colluders: 2, P: "1/5", FewSD: 3, Signatures: 1, Giants: []round.Giants{}, Waivers: []round.Waiver{}, NextReview: "2027-03-31"},
	}
	for _, m := range w.members {
		w.plan.Roster = append(w.plan.Roster, round.Member{ID: m.id, Name: "Member " + m.id, Group: m.id, Key: m.key.PublicKey().String()})
	}
	for _, c := range change {
		c(w.plan)
	}
	w.signed = w.sign(w.document())
	return w
}

func (w *world) newParty(id string) *party {
	w.t.Helper()
	p := &party{id: id, key: roundtest.NewKey(w.t), dir: w.t.TempDir()}
	p.ledger = must(ledger.Create(ledger.Config{Path: filepath.Join(p.dir, "ledger"), Now: w.clock.Now}, id, ledger.ShippedPolicy()))(w.t)
	w.t.Cleanup(func() { p.ledger.Close() })
	return p
}

func (w *world) hpke(k aggregator.Key) string { return must(round.EncodeHPKE(k.Config))(w.t) }

func (w *world) document() *round.Document { return must(w.plan.Document())(w.t) }

// sign signs a document by all three.
func (w *world) sign(d *round.Document) *round.Signed {
	w.t.Helper()
	s := must(round.NewSigned(d))(w.t)
	for who, key := range map[string]*sign.PrivateKey{round.BySecretariat: w.secretariat, round.ByLeader: w.leaderKey, round.ByHelper: w.helperKey} {
		if err := s.Sign(who, key); err != nil {
			w.t.Fatal(err)
		}
	}
	return s
}

func (w *world) trust() round.Trust {
	return round.Trust{Secretariat: w.secretariat.PublicKey().Fingerprint(), Leader: w.leaderKey.PublicKey().Fingerprint(), Helper: w.helperKey.PublicKey().Fingerprint()}
}

// serve starts both servers with the round's tasks.
func (w *world) serve() {
	w.t.Helper()
	if problems := w.signed.Document.Check(); len(problems) > 0 {
		w.t.Fatal(problems)
	}
	w.tasks = must(w.signed.Document.Tasks())(w.t)
	secret := aggregator.NewPairSecret([32]byte{1})
	open := func(name string) *boltstore.Store {
		s := must(boltstore.Open(filepath.Join(w.t.TempDir(), name), boltstore.Options{UnsafeNoSync: true}))(w.t)
		w.t.Cleanup(func() { s.Close() })
		return s
	}
	lc := leader.Config{Store: open("leader.db"), Keys: must(aggregator.NewKeyring(w.leaderHPKE))(w.t), HTTP: &http.Client{Transport: w.net}, AllowPlainHTTP: true, Now: w.clock.Now}
	lc.API.Prefix = "/base"
	w.leader = must(leader.New(lc))(w.t)
	w.helper = must(helper.New(helper.Config{Store: open("helper.db"), Keys: must(aggregator.NewKeyring(w.helperHPKE))(w.t), Now: w.clock.Now}))(w.t)
	for i, task := range w.tasks {
		verify := must(secret.VerifyKey(task.ID))(w.t)
		of := func(identity *sign.PrivateKey, key byte) *aggregator.Task {
			rules := must(aggregator.NewRound(w.signed.Document, i, identity, aggregator.NewReleaseKey([32]byte{key}), "test"))(w.t)
			if w.changeRules != nil {
				w.changeRules(rules)
			}
			return &aggregator.Task{Task: task, Round: rules, VerifyKeys: map[uint8]aggregator.VerifyKey{0: verify}, Collector: w.collector.Config,
				PeerToken: aggregator.NewToken(token + "-peer"), CollectorToken: aggregator.NewToken(token + "-collector")}
		}
		if err := w.leader.AddTask(w.t.Context(), of(w.leaderKey, 1)); err != nil {
			w.t.Fatal(err)
		}
		if err := w.helper.AddTask(w.t.Context(), of(w.helperKey, 2)); err != nil {
			w.t.Fatal(err)
		}
	}
	w.net.Serve("leader.test", w.leader.Handler())
	w.net.Serve("helper.test", w.helper.Handler())
}

// settle lets both servers work, while the clock goes on.
func (w *world) settle(ctx context.Context) {
	w.t.Helper()
	for range 5 {
		for worked := true; worked; {
			l, err := w.leader.Tick(ctx)
			if err != nil {
				w.t.Fatal(err)
			}
			h, err := w.helper.Tick(ctx)
			if err != nil {
				w.t.Fatal(err)
			}
			worked = l || h
		}
		w.clock.Advance(time.Second)
	}
}

// close lets the window pass, and both servers aggregate.
func (w *world) close() {
	w.t.Helper()
	w.clock.Advance(w.signed.Document.Window.Closes.Sub(w.clock.Now()) + time.Second)
	w.settle(w.t.Context())
}

// collect returns all batches, opened and checked, as the secretariat collects them.
func (w *world) collect() []release.Batch {
	w.t.Helper()
	dir := filepath.Join(w.t.TempDir(), "collected")
	open := func(progress func(part, what string)) *collect.Round {
		return must(collect.New(collect.Config{Dir: dir, Signed: w.signed, Trust: w.trust(), Identity: w.secretariat, HPKE: w.collector.Config, Key: w.collector.Private,
			Token: token + "-collector", PlainHTTP: true, HTTP: &http.Client{Transport: w.net}, Now: w.clock.Now, Attempts: 1, Progress: progress}))(w.t)
	}
	// Both servers work only while settle lets them: so all jobs are asked for first, and nobody waits.
	ctx, cancel := context.WithCancel(w.t.Context())
	err := open(func(_, what string) {
		if what == "waiting for the aggregators" {
			cancel()
		}
	}).Collect(ctx)
	if cancel(); err != nil && !errors.Is(err, collect.ErrTooEarly) {
		w.t.Fatal(err)
	}
	w.settle(w.t.Context())
	r := open(nil)
	if err := r.Collect(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	return must(r.Batches())(w.t)
}

// member returns the client of a party.
func (w *world) member(p *party, change ...func(*member.Config)) *member.Member {
	w.t.Helper()
	cfg := member.Config{ID: p.id, Key: p.key, Trust: w.trust(), Dir: p.dir, Ledger: p.ledger, HTTP: &http.Client{Transport: w.net}, PlainHTTP: true,
		Now: w.clock.Now, Attempts: 1}
	for _, c := range change {
		c(&cfg)
	}
	return must(member.New(cfg))(w.t)
}

// open opens the world's round for a party.
func (w *world) open(p *party) (*member.Member, *member.Round) {
	w.t.Helper()
	m := w.member(p)
	return m, must(m.Open(w.signed.Encode(), w.plan.Catalogue))(w.t)
}

// file writes figures as a member's file and reads it back.
func (w *world) file(f metric.Figures) *figures.File {
	w.t.Helper()
	var b bytes.Buffer
	d := w.signed.Document
	t := figures.Template{Catalogue: w.plan.Catalogue, Round: d.ID, Instruments: w.plan.Instruments, Figures: f}
	if err := t.WriteCSV(&b); err != nil {
		w.t.Fatal(err)
	}
	return must(figures.Read(&b, figures.Options{File: "figures.csv", Catalogue: w.plan.Catalogue, Round: d.ID, Instruments: w.plan.Instruments}))(w.t)
}

// submit drafts and submits.
func (w *world) submit(p *party, f metric.Figures) (*member.Draft, []member.Sent) {
	w.t.Helper()
	m, r := w.open(p)
	d := must(m.Draft(r, w.file(f)))(w.t)
	return d, must(m.Submit(w.t.Context(), d, nil))(w.t)
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// random returns a random hash in hex.
func random() string {
	var b [32]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

func jsonAnswer(text []byte) *http.Response {
	return &http.Response{StatusCode: http.StatusOK, Status: "200 OK", Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(text))}
}
