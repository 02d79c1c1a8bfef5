package demo

import (
	"context"
	"math"
	"strings"

	"candor/client/publish"
	"candor/crypto/dp"
	"candor/schema/release"
	"candor/schema/round"
)

const confidence = 0.95

// A releaseResult is what was published.
type releaseResult struct {
	Dir       string
	Figures   []release.Figure
	HalfWidth int64 // of the 95 % interval of every figure
	Truth     map[release.Key]int64
}

// release turns sums into figures and writes the data files and the page.
func (d *demo) release(context.Context) error {
	c, result := d.coalition, d.results[0]
	var noise dp.Sum
	noise.Add(c.noise.Law(), int(result.Reports))
	r := releaseResult{Dir: d.dir("release"), Truth: map[release.Key]int64{}}
	if result.Reports > 0 {
		r.HalfWidth = noise.HalfWidth(confidence)
	}
	part := c.document.Parts[0]
	for i, cell := range part.Cells {
		f := release.Figure{Round: c.document.ID, Instrument: part.Instrument, Metric: cell.Metric, Cell: cell.Code,
			NoiseSD: math.Round(noise.StdDev()*1000) / 1000, Contributors: int(result.Reports), Status: release.WithheldMinimum}
		if result.Refused == "" {
			value, low, high := result.Totals[i], result.Totals[i]-r.HalfWidth, result.Totals[i]+r.HalfWidth
			f.Value, f.CILow, f.CIHigh, f.Status = &value, &low, &high, release.Published
		}
		r.Figures = append(r.Figures, f)
		if truth, ok := d.Truth[cell.Metric]; ok {
			r.Truth[f.Key()] = truth
		}
	}
	page := publish.Release{
		Title: title(d.Figures.Period), Round: c.document.ID, Period: d.Figures.Period, Instrument: "Reports by service providers",
		Source: d.Source, Calibration: true, Truth: r.Truth, Figures: r.Figures, Metrics: metricWords(part),
		Method: publish.Method{Members: len(c.members), Minimum: int(c.document.Minimum.Groups), Epsilon: "1", Unit: part.Privacy.Unit},
	}
	d.released = r
	return publish.Write(r.Dir, page)
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
