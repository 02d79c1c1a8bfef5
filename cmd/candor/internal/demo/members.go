package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"candor/client/figures"
	"candor/client/ledger"
	"candor/client/member"
	"candor/crypto/sign"
	"candor/schema/dap"
	"candor/schema/metric"
	"candor/schema/round"
)

// errTooSlow says that the windows closed before all members had sent.
var errTooSlow = errors.New("this machine is slower than it seemed")

// longer is the window for another attempt, after one in which so many of all members had sent by its end.
func longer(window time.Duration, sent, all int64) time.Duration {
	need := float64(window) * float64(all) / float64(max(sent, 1))
	return min(max(time.Duration(1.8*need), 2*window), 8*window).Round(time.Second)
}

// submitAll lets every member go through its rounds, each with a directory and a ledger of its own.
func (d *demo) submitAll(ctx context.Context) error {
	h := d.history
	hc := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: uploads}}
	done := &d.history.done
	progress := newProgress(d.Talk, len(h.order), "members done")
	defer progress.finish()
	group, all := errgroup.WithContext(ctx)
	group.SetLimit(uploads)
	for _, p := range h.order {
		group.Go(func() error {
			if err := d.play(all, hc, p); err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
			progress.set(int(done.Add(1)))
			return nil
		})
	}
	err := group.Wait()
	if err == nil {
		err = d.intrude(func(key *sign.PrivateKey) (dap.ReportError, error) { return d.intruder(ctx, key) })
	}
	if err == nil && d.sent.Stranger == dap.ErrorReportDropped {
		err = fmt.Errorf("a stranger was not even looked at: %w", d.sent.Stranger)
	}
	if err != nil && !time.Now().Before(d.windows.Closes) { // whatever step noticed it
		return fmt.Errorf("%w: the window of %s closed when %d of %d members had sent: give them longer with --window (%w)",
			errTooSlow, d.windows.Closes.Sub(d.windows.Opens), done.Load(), len(h.order), err)
	}
	for _, r := range h.rounds {
		r.sent = len(r.doc().Roster)
	}
	return err
}

// play is what one member does in all of its rounds.
func (d *demo) play(ctx context.Context, hc *http.Client, p *player) (err error) {
	dir := d.dir("members", p.id)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	l, err := ledger.Create(ledger.Config{Path: filepath.Join(dir, "ledger")}, p.id, ledger.ShippedPolicy())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	m, err := member.New(member.Config{ID: p.id, Key: p.key, Trust: d.history.trust, Dir: dir, Ledger: l, HTTP: hc, Logger: d.Log})
	if err != nil {
		return err
	}
	for _, r := range p.rounds {
		opened, err := m.Open(r.text, r.catalogue)
		if err != nil {
			return err
		}
		send := func(f metric.Figures) error {
			file, err := figuresFile(opened, r, f)
			if err != nil {
				return err
			}
			draft, err := m.Draft(opened, file)
			if err != nil {
				return err
			}
			_, err = m.Submit(ctx, draft, nil)
			return err
		}
		if p == d.history.mistaken() && r.latest(d.history) {
			if err := send(mistyped(r.figures[p.id])); err != nil {
				return err
			}
			d.say("%s notices that it typed %d too much, and corrects it", p.name, typo)
			r.corrected++
		}
		if err := send(r.figures[p.id]); err != nil {
			return err
		}
	}
	return nil
}

// mistaken is the member that makes a mistake in the latest round.
func (h *history) mistaken() *player {
	rounds := h.rounds[len(h.rounds)-1]
	return h.players[rounds.doc().Roster[0].ID]
}

// typedWrong is where the mistake is.
const typedWrong = "hash-match.matched"

func mistyped(f metric.Figures) metric.Figures {
	wrong := maps.Clone(f)
	e := wrong[typedWrong]
	e.Values = slices.Clone(e.Values)
	e.Values[0] += typo
	wrong[typedWrong] = e
	return wrong
}

// figuresFile writes a member's figures into the round's template, as a person would, and reads the file.
func figuresFile(r *member.Round, p *playedRound, f metric.Figures) (*figures.File, error) {
	id, instruments := r.Document.ID, r.Instruments()
	var text bytes.Buffer
	template := figures.Template{Catalogue: p.catalogue, Round: id, Instruments: instruments, Figures: f}
	if err := template.WriteCSV(&text); err != nil {
		return nil, err
	}
	file, err := figures.Read(&text, figures.Options{File: "figures.csv", Catalogue: p.catalogue, Round: id, Instruments: instruments})
	if err != nil {
		return nil, err
	}
	if report := file.Check(nil); !report.OK() {
		return nil, fmt.Errorf("figures for round %s: %w", id, report.Errors)
	}
	return file, nil
}

// intruder submits a well-formed report to the first part of the latest round.
func (d *demo) intruder(ctx context.Context, key *sign.PrivateKey) (dap.ReportError, error) {
	r := d.history.rounds[len(d.history.rounds)-1]
	tasks, err := r.signed.Tasks()
	if err != nil {
		return 0, err
	}
	cl, err := d.newClient(r.doc(), tasks[0])
	if err != nil {
		return 0, err
	}
	part := &r.doc().Parts[0]
	c := round.Contribution{Member: "stranger", Contributes: round.NewContributes(make([]bool, len(part.Metrics())))}
	return upload(ctx, cl, tasks[0], c, key, make([]uint64, len(part.Cells)))
}

// awaitHistory waits until the windows have closed: nothing is aggregated before.
func (d *demo) awaitHistory(ctx context.Context) error { return d.awaitUntil(ctx, d.windows.Closes) }

// collectAll collects every round.
func (d *demo) collectAll(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, r := range d.history.rounds {
		group.Go(func() (err error) {
			if r.batches, err = d.collectRound(ctx, d.history.parties, r.signed); err != nil {
				return fmt.Errorf("round %s: %w", r.doc().ID, err)
			}
			return nil
		})
	}
	return group.Wait()
}
