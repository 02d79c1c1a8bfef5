package publish

import (
	"errors"
	"fmt"
	"html/template"
	"math/big"
	"slices"
	"time"

	"candor/schema/metric"
	"candor/schema/release"
)

// A Site is the static pages of a release: everything that WriteSite needs, and nothing secret.
type Site struct {
	Coalition string // its name
	Period    string // for people: "January to March 2026"
	Catalogue *metric.Catalogue
	Bundle    release.Bundle // figures, ratios, revisions and the data files to download

	Headlines []Headline // one to six
	Method    Method
	Rules     Rules
	Budgets   []Budget // cumulative, by population

	// MethodReview is the date by which the method is to be reviewed, Today the date of publication, both like
	// 2026-05-04. A review that is overdue is flagged.
	MethodReview, Today string

	// Limits is the text of the setbacks-and-limits page, in Markdown, with the sections "What worked", "What
	// did not work", "What we do not know" and "What changes next". Required.
	Limits []byte

	Series     []Series
	Helplines  []Helpline // for those who were harmed and who care for them; none is made up
	Prevention []Helpline // for those who fear to do harm

	Notice      string       // above every page; may be empty
	Calibration *Calibration // nil: no such page
}

// A Headline is a figure or ratio set large, with one sentence that says what it means.
type Headline struct {
	Key     release.Key
	Ratio   bool
	Meaning string
}

// A Budget is the privacy loss that members have spent on a population so far.
type Budget struct {
	Population string // for people: "accounts, 2026"
	Epsilon    *big.Rat
}

// A Helpline is somebody who helps. Pages name it; a link is text, not loaded.
type Helpline struct {
	Name string // "…, for children and young people"
	How  string // telephone number, address, hours
	URL  string // https only; may be empty
}

// Check reports, all at once, why the site cannot be made.
func (s Site) Check() error {
	var errs []error
	add := func(format string, a ...any) { errs = append(errs, fmt.Errorf(format, a...)) }
	if s.Coalition == "" || s.Period == "" || s.Catalogue == nil {
		add("the site needs the coalition's name, the period and the catalogue")
		return errors.Join(errs...)
	}
	if n := len(s.Headlines); n < 1 || n > maxHeadlines {
		add("%d headline figures; a page has 1 to %d", n, maxHeadlines)
	}
	figures, ratios := map[release.Key]bool{}, map[release.Key]bool{}
	for _, f := range s.Bundle.Figures {
		figures[f.Key()] = true
		if m := s.Catalogue.Metric(f.Instrument + "." + f.Metric); m == nil {
			add("figure %s: the catalogue has no such metric", f.Key())
		}
		if !f.Status.Withheld() && f.Contributors < s.Method.minimum() {
			add("figure %s: %d organisations contributed and the minimum is %d: withhold it", f.Key(), f.Contributors, s.Method.minimum())
		}
	}
	for _, r := range s.Bundle.Ratios {
		ratios[r.Key()] = true
		if in := s.Catalogue.Instrument(r.Instrument); in == nil || in.Ratio(r.Ratio) == nil {
			add("ratio %s: the catalogue has no such ratio", r.Key())
		}
	}
	for _, h := range s.Headlines {
		if h.Ratio && !ratios[h.Key] || !h.Ratio && !figures[h.Key] {
			add("headline %s: the release has no such figure", h.Key)
		}
		if h.Meaning == "" {
			add("headline %s: it needs a sentence of meaning", h.Key)
		}
	}
	for _, date := range []struct{ name, date string }{{"method review", s.MethodReview}, {"today", s.Today}} {
		if _, err := time.Parse(time.DateOnly, date.date); err != nil {
			add("%s: the date %q is not written like 2026-05-04", date.name, date.date)
		}
	}
	if s.Rules.P == nil {
		add("the site needs the round's release rules")
	}
	for _, h := range slices.Concat(s.Helplines, s.Prevention) {
		if h.Name == "" || h.How == "" && h.URL == "" || h.URL != "" && checkLink(h.URL) != nil {
			add("helpline %q: it needs a name and a way to reach it, and its link begins with https", h.Name)
		}
	}
	if s.Calibration != nil {
		for _, y := range s.Calibration.Years {
			if err := y.Known.Check(); err != nil {
				add("%v", err)
			}
		}
	}
	for i, series := range s.Series {
		if series.Title == "" || len(series.Points) == 0 {
			add("series %d: it needs a title and points", i+1)
		}
	}
	return errors.Join(errs...)
}

// dataDir is where a site keeps the bundle.
const dataDir = "data/"

// archive is the bundle as one file.
const archive = "release.tar"

// RenderSite returns the files of the site by path: index.html and the other pages, and below data/ the bundle
// as files and as one archive. The same site always gives the same bytes.
func RenderSite(s Site) (map[string][]byte, error) {
	if err := s.Check(); err != nil {
		return nil, fmt.Errorf("rendering site: %w", err)
	}
	limits, err := renderMarkdown("limits", s.Limits, limitsSections...)
	if err != nil {
		return nil, fmt.Errorf("rendering site: %w", err)
	}
	note, err := renderMarkdown("method note", s.Bundle.Method)
	if err != nil {
		return nil, fmt.Errorf("rendering site: %w", err)
	}
	bundle, err := s.Bundle.Files()
	if err != nil {
		return nil, fmt.Errorf("rendering site: %w", err)
	}
	tar, err := release.EncodeTar(bundle)
	if err != nil {
		return nil, fmt.Errorf("rendering site: %w", err)
	}
	files := map[string][]byte{dataDir + archive: tar}
	for name, data := range bundle {
		files[dataDir+name] = data
	}
	v := s.view(bundle.Names())
	v.Limits, v.Note = limits, note
	for _, p := range v.pages() {
		v.Page = p
		if files[p.File], err = execute(p.template, v); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// WriteSite renders s and makes dir hold exactly its files, as Write does.
func WriteSite(dir string, s Site) error {
	files, err := RenderSite(s)
	if err != nil {
		return err
	}
	return writeDir(dir, files)
}

// A sitePage is a page of the site.
type sitePage struct {
	File, Title string
	Nav         string // short title in the navigation; "" = not there
	template    string
	Instrument  *instrumentView // of an instrument's page
}

// overview is the first page.
const overview = "index.html"

func (v siteView) pages() []sitePage {
	pages := []sitePage{
		{File: overview, Title: "Industry-wide figures, " + v.Period, Nav: "Overview", template: "overview.html"},
		{File: "livestream.html", Title: "Livestream: three approaches side by side", Nav: "Livestream", template: "livestream.html"},
		{File: "series.html", Title: "Changes over time", Nav: "Over time", template: "series.html"},
		{File: "method.html", Title: "How the figures are made", Nav: "Method", template: "method.html"},
		{File: "limits.html", Title: "Setbacks and limits", Nav: "Limits", template: "limits.html"},
		{File: "revisions.html", Title: "Revision log", Nav: "Revisions", template: "revisions.html"},
		{File: "data.html", Title: "Data", Nav: "Data", template: "data.html"},
		{File: "plain.html", Title: "For young people and parents", Nav: "Young people, parents", template: "plain.html"},
		{File: "help.html", Title: "If you are worried about your own thoughts or actions", Nav: "Worried about yourself?", template: "deterrence.html"},
	}
	if v.Known != nil {
		pages = slices.Insert(pages, 3, sitePage{File: "calibration.html", Title: "Checked against public figures", Nav: "Calibration", template: "calibration.html"})
	}
	for i := range v.Instruments {
		in := &v.Instruments[i]
		pages = append(pages, sitePage{File: in.File, Title: in.Name, template: "instrument.html", Instrument: in})
	}
	return pages
}

// siteView is what the templates see.
type siteView struct {
	Site
	Page        sitePage
	Nav         []sitePage
	Instruments []instrumentView
	Cards       []cardView
	Livestream  []approachView
	Charts      []seriesView
	Known       *calibrationView
	Downloads   []download
	Limits      template.HTML
	Note        template.HTML
	Overdue     bool
	Shown       int // figures with a number
	NotShown    int
}
