package member

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"candor/client/figures"
	"candor/schema/metric"
	"candor/schema/round"
)

// keepFigures saves the figures that were submitted, so that the next round's can be compared with them.
func (m *Member) keepFigures(d *Draft) error {
	var b bytes.Buffer
	t := figures.Template{Catalogue: d.Round.Catalogue, Round: d.Round.Document.ID, Instruments: d.file.Instruments, Figures: d.file.Figures, Reasons: d.file.Reasons}
	if err := t.WriteCSV(&b); err != nil {
		return fmt.Errorf("keeping the figures: %w", err)
	}
	if err := writeFile(m.path("figures", d.Round.Document.ID+".csv"), b.Bytes()); err != nil {
		return fmt.Errorf("keeping the figures: %w", err)
	}
	return nil
}

// Kept returns the figures that were submitted to a round; nil if there are none here, or if they count by another catalogue.
func (m *Member) Kept(s *round.Signed, catalogue *metric.Catalogue) (*figures.File, error) {
	if s.Document.Catalogue.Hash != catalogue.Hash() {
		return nil, nil
	}
	path := m.path("figures", s.Document.ID+".csv")
	text, err := readFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the figures of round %s: %w", s.Document.ID, err)
	}
	return figures.Read(bytes.NewReader(text), figures.Options{File: path, Catalogue: catalogue, Round: s.Document.ID})
}

// LastFigures returns, for each metric, what the member submitted in the last round before r that had its instrument: quarterly ones are
// compared with the last quarter, yearly ones with the last year. Rehearsals do not count.
func (m *Member) LastFigures(r *Round) (metric.Figures, error) {
	known, err := m.Known()
	if err != nil {
		return nil, err
	}
	last := metric.Figures{}
	seen := map[string]bool{}
	for _, s := range slices.Backward(known) {
		d := s.Document
		if d.Rehearsal || d.Period.Last >= r.Document.Period.First {
			continue
		}
		file, err := m.Kept(s, r.Catalogue)
		if err != nil {
			return nil, err
		}
		if file == nil {
			continue
		}
		for _, id := range file.Instruments {
			if seen[id] {
				continue
			}
			seen[id] = true
			for i := range r.Catalogue.Instrument(id).Metrics {
				path := r.Catalogue.Instrument(id).Metrics[i].Path()
				if e, ok := file.Figures[path]; ok {
					last[path] = e
				}
			}
		}
	}
	return last, nil
}
