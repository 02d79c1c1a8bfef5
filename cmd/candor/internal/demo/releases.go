package demo

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"candor/client/publish"
	"candor/schema/release"
)

//go:embed limits.md
var limitsText string

//go:embed limits-calibration.md
var calibrationLimitsText string

// releaseAll decides, signs, writes and verifies the releases in the order of the rounds, each compared with those before. The latest one carries the series.
func (d *demo) releaseAll(context.Context) error {
	var history publish.History
	var years []publish.CalibrationYear
	for _, r := range d.history.rounds {
		if err := d.releaseRound(r, history, years); err != nil {
			return fmt.Errorf("round %s: %w", r.doc().ID, err)
		}
		if r.known != nil {
			years = append(years, publish.CalibrationYear{Known: *r.known, Round: r.doc().ID, Members: len(r.doc().Roster), Figures: r.bundle.Figures})
		}
		e, err := publish.NewEarlier(r.bundle)
		if err != nil {
			return err
		}
		history.Earlier = append(history.Earlier, e)
	}
	return nil
}

func (d *demo) releaseRound(r *playedRound, history publish.History, years []publish.CalibrationYear) (err error) {
	doc := r.doc()
	words := &publish.SiteWords{Coalition: "Demonstration coalition", Period: doc.Period.Label, Date: time.Now().UTC().Format(time.DateOnly),
		Notice: calibrationNotice, Limits: calibrationLimitsText, Helplines: helplines, Prevention: prevention}
	r.dir = d.dir("releases", doc.ID)
	if r.known != nil {
		years = append(slices.Clone(years), publish.CalibrationYear{Known: *r.known, Round: doc.ID, Members: len(doc.Roster)})
		words.Calibration = &publish.Calibration{Source: ProviderSource, Years: years}
	} else {
		words.Notice, words.Limits, words.Headlines = syntheticNotice, limitsText, headlines(doc.ID)
	}
	if r.latest(d.history) {
		r.dir = d.dir("site")
		words.Calibration = &publish.Calibration{Source: ProviderSource, Years: years}
	}
	r.bundle, err = publish.Assemble(publish.Publication{Signed: r.signed, Catalogue: r.catalogue, Batches: r.batches,
		Words: publish.Words{Site: words}, Date: words.Date, Licence: "CC0-1.0", History: history})
	if err != nil {
		return err
	}
	if err := r.bundle.Sign(d.history.secretariat); err != nil {
		return err
	}
	if err := publish.WriteBundle(r.dir, r.bundle); err != nil {
		return err
	}
	if r.latest(d.history) {
		if err := writeFiles(d.dir("release"), r.bundle); err != nil {
			return err
		}
	}
	r.verified, err = publish.VerifyAt(publish.Dir(r.dir), &publish.Trust{Trust: d.history.trust}, history.Earlier...)
	return err
}

// writeFiles writes a bundle without pages.
func writeFiles(dir string, b release.Bundle) error {
	files, err := b.Files()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

const (
	syntheticNotice   = "A demonstration. The figures of these pages are made up: no organisation has them. Only the series of reports to the clearing house is real."
	calibrationNotice = "A calibration. The figures of these pages were public before; the page shows what the system makes of them."
)

// helplines are for those who were harmed and who care for them, prevention for those who fear to do harm. All exist; links are text.
var helplines = []publish.Helpline{
	{Name: "Child Helpline International", How: "finds the helpline for children and young people in your country", URL: "https://childhelplineinternational.org/helplines/"},
	{Name: "Take It Down", How: "helps to have your own pictures taken down, without sending them to anybody", URL: "https://takeitdown.ncmec.org/"},
	{Name: "INHOPE", How: "finds the hotline to which you can report pictures of abuse, without giving your name", URL: "https://www.inhope.org/"},
}

var prevention = []publish.Helpline{
	{Name: "Stop It Now", How: "listens in confidence and without giving your name", URL: "https://www.stopitnow.org/"},
	{Name: "Troubled Desire", How: "online help for people attracted to children, free and in many languages", URL: "https://troubled-desire.com/"},
}

// headlines are the six figures of the first page, with what they mean.
func headlines(id string) []publish.Headline {
	key := func(instrument, metric, cell string) release.Key {
		return release.Key{Round: id, Instrument: instrument, Metric: metric, Cell: cell}
	}
	return []publish.Headline{
		{Key: key("hash-match", "matched", "total"), Meaning: "Known pictures, videos and other items that members found again in the quarter; one picture can be found many times, so this is no number of children."},
		{Key: key("hash-match", "precision", "image"), Ratio: true, Meaning: "Of the matched pictures that a trained person looked at, so many were what the match said."},
		{Key: key("user-report", "received", "total"), Meaning: "Reports about the sexual exploitation of children that people and organisations sent to members."},
		{Key: key("live-content", "analysed", "total"), Meaning: "Live sessions of which a tool or a person looked at any part, if only for a moment."},
		{Key: key("live-design", "reversed", "total"), Meaning: "Refusals to let somebody go live that were taken back after the person appealed."},
		{Key: key("live-signal", "restricted", "total"), Meaning: "Accounts kept from live features because of how they behave, without a look at what they stream."},
	}
}
