package demo

import (
	"context"
	"strings"
	"time"

	"candor/client/publish"
	"candor/schema/release"
	"candor/schema/round"
)

// A releaseResult is what was published, and what a reader who has pinned the keys finds out about it.
type releaseResult struct {
	Dir       string
	Figures   []release.Figure
	HalfWidth int64 // of the 95 % interval of every figure
	Truth     map[release.Key]int64
	Verified  publish.Verification
}

// release turns the batch into figures, writes the page with the signed data and proofs, and verifies what was written.
func (d *demo) release(context.Context) error {
	c := d.coalition
	part := c.document.Parts[0]
	r := releaseResult{Dir: d.dir("release"), Truth: map[release.Key]int64{}}
	words := publish.PageWords{Title: title(d.Figures.Period), Period: d.Figures.Period, Instrument: "Reports by service providers", Source: d.Source,
		Metrics: metricWords(part)}
	var book []release.CodeBookEntry
	for i, cell := range part.Cells {
		key := release.Key{Round: c.document.ID, Instrument: part.Instrument, Metric: cell.Metric, Cell: cell.Code}
		if truth, ok := d.Truth[cell.Metric]; ok {
			r.Truth[key] = truth
			words.Truth = append(words.Truth, publish.KnownTruth{Key: key, Value: truth})
		}
		m := words.Metrics[i]
		entry := release.CodeBookEntry{Instrument: part.Instrument, Metric: cell.Metric, Cell: cell.Code, Label: m.Label, Unit: m.Unit, Definition: m.Meaning}
		if entry.Definition == "" {
			entry.Definition = "As in the figures file that the demo was given."
		}
		book = append(book, entry)
	}
	bundle, err := publish.Assemble(publish.Publication{Signed: c.signed, Batches: d.batches, CodeBook: book,
		Words: publish.Words{Page: &words}, Date: time.Now().UTC().Format(time.DateOnly)})
	if err != nil {
		return err
	}
	if err := bundle.Sign(c.secretariat); err != nil {
		return err
	}
	if err := publish.WriteBundle(r.Dir, bundle); err != nil {
		return err
	}
	r.Figures = bundle.Figures
	for _, f := range r.Figures {
		if f.Value != nil {
			r.HalfWidth = *f.CIHigh - *f.Value
		}
	}
	r.Verified, err = publish.VerifyAt(publish.Dir(r.Dir), &publish.Trust{Trust: c.trust})
	d.released = r
	return err
}

func title(period string) string {
	if period == "" {
		return "Industry-wide figures"
	}
	return "Industry-wide figures, " + period
}

// metricWords calls metrics by their identifiers, with spaces: the file that they come from has no other words.
func metricWords(part round.Part) []publish.Metric {
	words := make([]publish.Metric, len(part.Cells))
	for i, cell := range part.Cells {
		words[i] = publish.Metric{Instrument: part.Instrument, ID: cell.Metric, Label: strings.ReplaceAll(cell.Metric, "_", " "), Unit: "items"}
		if cell.Metric == "cybertipline_reports" {
			words[i].Label, words[i].Unit = "Reports to the clearing house", "reports"
			words[i].Meaning = "Reports of apparent child sexual abuse material and related offences that service providers made in the year."
		}
	}
	return words
}
