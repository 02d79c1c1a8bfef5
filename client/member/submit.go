package member

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"candor/client"
	"candor/client/ledger"
	"candor/schema/dap"
	"candor/schema/round"
)

// transfers at once: a coalition's servers are small, and a member has a few dozen reports.
const transfers = 4

// ErrClosed says that a round takes no reports now.
var ErrClosed = errors.New("the round takes no reports now")

// A Sent says what became of one part in a submission.
type Sent struct {
	Instrument, Part string
	Correction       uint64
	Report           string
	Unchanged        bool // the Leader has a report that says the same; none was made
}

// Submit sends what a draft shows, part by part, and returns when the Leader's receipts are in the member's directory. A part of which the Leader
// has the same already is not sent again; one that was sealed before and may not have arrived is sent as it was sealed. progress may be nil; it is called
// after each part, by one goroutine at a time.
//
// The error is ErrClosed outside of the window, ErrUnapproved where the member's policy asks for a second person, ledger.ErrRolledBack if
// the Leader has a newer report than the ledger knows; otherwise it joins what happened to single parts, and Submit may be called again.
func (m *Member) Submit(ctx context.Context, d *Draft, progress func(done, total int)) ([]Sent, error) {
	r := d.Round
	if err := m.mayLeave(d); err != nil {
		return nil, err
	}
	o, err := m.loadOutbox(r)
	if err != nil {
		return nil, err
	}
	if err := m.compare(ctx, r, o, d.outstanding(o)); err != nil {
		return nil, err
	}
	if err := m.sealAll(ctx, d, o); err != nil {
		return nil, err
	}
	return m.sendAll(ctx, d, o, progress)
}

// mayLeave says whether anything may leave now.
func (m *Member) mayLeave(d *Draft) error {
	if err := m.checkWindow(d.Round); err != nil {
		return err
	}
	return m.checkApprovals(d)
}

func (m *Member) checkWindow(r *Round) error {
	d := r.Document
	now := m.cfg.Now()
	const form = "2006-01-02 15:04:05 MST"
	switch {
	case now.Before(d.Window.Opens):
		return fmt.Errorf("%w: round %s opens at %s", ErrClosed, d.ID, d.Window.Opens.UTC().Format(form))
	case !now.Before(r.Closes):
		return fmt.Errorf("%w: round %s closed at %s; what is wrong in it can be corrected in the next round that revises it: tell the secretariat",
			ErrClosed, d.ID, r.Closes.UTC().Format(form))
	}
	return nil
}

// outstanding returns the parts for which a new report is needed.
func (d *Draft) outstanding(o *outbox) (parts []*PartDraft) {
	for i := range d.Parts {
		p := &d.Parts[i]
		if it := o.find(p.part); it == nil || it.Vector != p.vector() || !it.Received && len(it.Bytes) == 0 {
			parts = append(parts, p)
		}
	}
	return parts
}

// compare asks the Leader for its highest correction number of each part, before any number is given. A number that the ledger does
// not know shows that the ledger, or the whole directory, is an old copy.
func (m *Member) compare(ctx context.Context, r *Round, o *outbox, parts []*PartDraft) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(transfers)
	for _, p := range parts {
		group.Go(func() error {
			receipt, err := m.fetchReceipt(ctx, r, p.part, round.ByLeader)
			switch {
			case errors.Is(err, errNoReceipt):
				return nil
			case err != nil:
				return err
			case r.Document.Rehearsal:
				if it := o.find(p.part); it == nil || it.Correction < receipt.Correction {
					return fmt.Errorf("%w: the Leader has correction %d of %s", ledger.ErrRolledBack, receipt.Correction, p.part.name())
				}
				return nil
			}
			return m.cfg.Ledger.CheckLeader(r.Hash, p.Instrument, p.Name, receipt.Correction)
		})
	}
	return group.Wait()
}

// sealAll makes the reports that are outstanding. When it returns, the ledger has their correction numbers, and the directory the round, the figures and
// the sealed reports.
func (m *Member) sealAll(ctx context.Context, d *Draft, o *outbox) error {
	parts := d.outstanding(o)
	if len(parts) == 0 {
		return nil
	}
	if err := m.keep(d.Round); err != nil {
		return err
	}
	if err := m.keepFigures(d); err != nil {
		return err
	}
	corrections, err := m.corrections(d, o, parts)
	if err != nil {
		return err
	}
	for i, p := range parts {
		report, err := m.seal(ctx, p, corrections[i])
		if err != nil {
			return fmt.Errorf("sealing %s: %w", p.part.name(), err)
		}
		encoded, err := dap.Marshal(report)
		if err != nil {
			return fmt.Errorf("sealing %s: %w", p.part.name(), err)
		}
		o.put(item{
			Instrument: p.Instrument, Part: p.Name, Task: p.part.task.ID.String(), Correction: corrections[i], Report: report.Metadata.ReportID.String(),
			Vector: p.vector(), Sealed: m.cfg.Now().UTC().Truncate(time.Second), Bytes: encoded,
		})
	}
	return m.saveOutbox(d.Round, o)
}

// corrections takes a number for each part from the ledger; for rehearsals it counts in the outbox.
func (m *Member) corrections(d *Draft, o *outbox, parts []*PartDraft) ([]uint64, error) {
	if !d.Round.Document.Rehearsal {
		grants := make([]ledger.Grant, len(parts))
		for i, p := range parts {
			grants[i] = p.grant
		}
		return m.cfg.Ledger.Send(grants...)
	}
	numbers := make([]uint64, len(parts))
	for i, p := range parts {
		if it := o.find(p.part); it != nil {
			numbers[i] = it.Correction + 1
		}
	}
	return numbers, nil
}

// seal makes the report of a part: shards it, signs each share, and seals it to the round's own configurations.
func (m *Member) seal(ctx context.Context, p *PartDraft, correction uint64) (dap.Report, error) {
	c := round.Contribution{Member: m.cfg.ID, Correction: correction}
	if p.Kind == round.KindCounts {
		c.Contributes = round.NewContributes(p.contributes)
	}
	public, err := c.Extension()
	if err != nil {
		return dap.Report{}, err
	}
	return p.part.client.Prepare(ctx, p.measurement, []dap.Extension{public}, func(s client.Share) ([]dap.Extension, error) {
		signature, err := round.SignReport(m.cfg.Key, s.Recipient, p.part.task.ID, s.Metadata, s.PublicShare, nil, s.Payload)
		return []dap.Extension{signature}, err
	})
}

// sendAll uploads what is sealed and not yet received, and fetches the Leader's receipts.
func (m *Member) sendAll(ctx context.Context, d *Draft, o *outbox, progress func(done, total int)) ([]Sent, error) {
	sent := make([]Sent, len(d.Parts))
	errs := make([]error, len(d.Parts))
	var mu sync.Mutex // guards o and done
	done := 0
	var group errgroup.Group
	group.SetLimit(transfers)
	for i := range d.Parts {
		p := d.Parts[i].part
		mu.Lock()
		it := *o.find(p)
		mu.Unlock()
		sent[i] = Sent{Instrument: p.Instrument, Part: p.Name, Correction: it.Correction, Report: it.Report, Unchanged: it.Received}
		group.Go(func() error {
			if !it.Received {
				errs[i] = m.send(ctx, d.Round, p, it)
			}
			mu.Lock()
			defer mu.Unlock()
			if errs[i] == nil {
				o.find(p).received()
			}
			done++
			if progress != nil {
				progress(done, len(d.Parts))
			}
			return nil
		})
	}
	_ = group.Wait() // errors are in errs, part by part
	if err := m.saveOutbox(d.Round, o); err != nil {
		errs = append(errs, err)
	}
	sent = slices.DeleteFunc(sent, func(s Sent) bool {
		return slices.ContainsFunc(d.Parts, func(p PartDraft) bool {
			return p.Instrument == s.Instrument && p.Name == s.Part && !o.find(p.part).Received
		})
	})
	return sent, errors.Join(errs...)
}

// send uploads one sealed report and keeps the Leader's receipt for it.
func (m *Member) send(ctx context.Context, r *Round, p *part, it item) error {
	report, err := dap.Parse[dap.Report](it.Bytes)
	if err != nil {
		return fmt.Errorf("sending %s: %w", p.name(), err)
	}
	refused, err := p.client.Upload(ctx, report)
	if err != nil {
		return fmt.Errorf("sending %s: %w", p.name(), err)
	}
	replayed := false
	for _, refusal := range refused {
		if replayed = refusal.Error == dap.ErrorReportReplayed; !replayed {
			return fmt.Errorf("sending %s: %w", p.name(), explain(refusal.Error))
		}
	}
	receipt, err := m.fetchReceipt(ctx, r, p, round.ByLeader)
	if err != nil {
		return err
	}
	if receipt.Report != it.Report || receipt.Correction != it.Correction {
		if replayed {
			return fmt.Errorf("sending %s: the Leader has correction %d of this member, this report is correction %d: %w", p.name(), receipt.Correction, it.Correction, dap.ErrorReportReplayed)
		}
		return fmt.Errorf("sending %s: the Leader took report %s and gives a receipt for %s", p.name(), it.Report, receipt.Report)
	}
	return m.keepReceipt(r, p, receipt)
}

// explain says what a Leader's refusal means for a member. The error wraps it.
func explain(code dap.ReportError) error {
	switch code {
	case dap.ErrorOutdatedConfig:
		return fmt.Errorf("%w: it may not be the Leader of this round, or may have lost its key; compare short codes with its operator: %w", client.ErrPinnedOutdated, code)
	case dap.ErrorReportTooEarly:
		return fmt.Errorf("the Leader's clock is behind this machine's; compare it and try again: %w", code)
	case dap.ErrorReportDropped:
		return fmt.Errorf("the Leader takes no reports for this part any more: %w", code)
	}
	return code
}
