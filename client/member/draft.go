package member

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"candor/client/figures"
	"candor/client/ledger"
	"candor/schema/metric"
	"candor/schema/round"
)

// A Draft is everything that would leave this machine, before anything does. It holds the member's true values.
type Draft struct {
	Round *Round
	Parts []PartDraft // of the instruments in the figures file

	file *figures.File
}

// A PartDraft is one part of a draft: one report.
type PartDraft struct {
	Instrument, Name, Kind string
	Cells                  []CellDraft
	Reused                 bool // the noise was drawn before, for the same values: it costs nothing now
	// HalfWidth is that of the 95 % interval of the industry's total of a cell, by the exact law of the noise, if the whole roster
	// reports; 0 where there is no noise.
	HalfWidth int64

	part        *part
	grant       ledger.Grant // zero in a rehearsal
	measurement []uint64
	contributes []bool // by metric; nil in answers
}

// A CellDraft is one number on its way.
type CellDraft struct {
	Metric, Code string
	Contributed  bool
	Value        int64 // the member's own; 0 if not contributed
	Capped       int64 // at most the round's cap
	Leaves       int64 // with noise: what both aggregators together could read, and neither of them alone
}

// A FiguresError says that figures cannot be sent because the file has errors.
type FiguresError struct{ Report *figures.Report }

func (e *FiguresError) Error() string {
	return fmt.Sprintf("the figures in %s have %d errors; nothing was prepared", e.Report.File, len(e.Report.Errors))
}

// Draft prepares every part of a round from the member's figures: caps, noise, answers, magnitudes. It charges the ledger, which draws noise
// once for each vector and keeps it, so that a draft shows what a later Submit sends; a draft that was never sent is taken back when another one
// replaces it. No request is made.
//
// Errors in the figures are a *FiguresError, what the ledger forbids is a *ledger.Refusal.
func (m *Member) Draft(r *Round, file *figures.File) (*Draft, error) {
	if m.cfg.Ledger == nil {
		return nil, errors.New("preparing figures: no ledger is open")
	}
	last, err := m.LastFigures(r)
	if err != nil {
		return nil, err
	}
	if report := file.Check(last); !report.OK() {
		return nil, &FiguresError{report}
	}
	if file.Round != r.Document.ID {
		return nil, fmt.Errorf("preparing figures: the file is for round %s, not %s", file.Round, r.Document.ID)
	}
	d := &Draft{Round: r, file: file}
	for i := range r.parts {
		if p := &r.parts[i]; slices.Contains(file.Instruments, p.Instrument) {
			d.Parts = append(d.Parts, PartDraft{Instrument: p.Instrument, Name: p.Name, Kind: p.Kind, part: p})
		}
	}
	if err := d.values(); err != nil {
		return nil, fmt.Errorf("preparing figures: %w", err)
	}
	if err := m.grant(d); err != nil {
		return nil, err
	}
	d.intervals()
	return d, nil
}

// values fills in the cells of counts, before noise.
func (d *Draft) values() error {
	for i := range d.Parts {
		p := &d.Parts[i]
		if p.Kind != round.KindCounts {
			continue
		}
		values, _, err := p.part.source.Values(d.file.Figures)
		if err != nil {
			return err
		}
		p.measurement = values
		p.contributes = p.part.source.Contributes(d.file.Figures)
		own := ownValues(&p.part.source, d.file.Figures)
		p.Cells = make([]CellDraft, len(values))
		for j, v := range values {
			c := p.part.Cells[j]
			p.Cells[j] = CellDraft{Metric: c.Metric, Code: c.Code, Contributed: d.contributed(p, c.Metric), Value: own[j], Capped: int64(v), Leaves: int64(v)}
		}
	}
	return nil
}

func (d *Draft) contributed(p *PartDraft, id string) bool {
	return d.file.Figures[p.Instrument+"."+id].State.Contributes()
}

// ownValues returns the true values of a counts part's cells, without a cap.
func ownValues(source *metric.Part, f metric.Figures) []int64 {
	uncapped := *source
	uncapped.Cap = 1<<63 - 1
	values, _, err := uncapped.Values(f)
	if err != nil { // the capped ones were made before
		panic("member: internal error: " + err.Error())
	}
	own := make([]int64, len(values))
	for i, v := range values {
		own[i] = int64(v)
	}
	return own
}

// answers makes the vector of an answers part. Magnitudes are those of the totals with the noise that counts has already.
func (d *Draft) answers(p *PartDraft) error {
	totals := map[string]int64{}
	for i := range d.Parts {
		if q := &d.Parts[i]; q.Instrument == p.Instrument && q.Kind == round.KindCounts {
			for _, c := range q.Cells {
				totals[c.Metric] += c.Leaves
			}
		}
	}
	values, err := p.part.source.Answers(d.file.Figures, totals)
	if err != nil {
		return fmt.Errorf("preparing figures: %w", err)
	}
	p.measurement = values
	p.Cells = make([]CellDraft, len(values))
	for j, v := range values {
		c := p.part.Cells[j]
		p.Cells[j] = CellDraft{Metric: c.Metric, Code: c.Code, Contributed: d.contributed(p, c.Metric), Value: int64(v), Capped: int64(v), Leaves: int64(v)}
	}
	return nil
}

// vector is a digest of what a part's report says: two reports with the same one say the same.
func (p *PartDraft) vector() string {
	h := sha256.New()
	h.Write([]byte("candor/1 member vector\x00"))
	h.Write(p.part.task.ID[:])
	h.Write(round.NewContributes(p.contributes))
	for _, v := range p.measurement {
		h.Write(binary.BigEndian.AppendUint64(nil, v))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Figures returns the figures that the draft was made from.
func (d *Draft) Figures() *figures.File { return d.file }
