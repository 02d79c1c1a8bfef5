package publish

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"slices"
	"strings"

	"candor/schema/metric"
	"candor/schema/release"
	"candor/schema/round"
)

// pagesFormat names the form of a bundle's page words; a reader refuses every other.
const pagesFormat = "candor-pages/1"

// Words are what the secretariat writes beside the figures. They are in the bundle, under its signatures, so that
// anybody can render the pages again and compare. Exactly one of Page and Site is set.
type Words struct {
	Format    string         `json:"format"`
	Templates release.Digest `json:"templates"` // of the templates that the pages were rendered with
	Page      *PageWords     `json:"page,omitempty"`
	Site      *SiteWords     `json:"site,omitempty"`
}

// PageWords are those of a release on a single page.
type PageWords struct {
	Title      string       `json:"title"`
	Period     string       `json:"period"`
	Instrument string       `json:"instrument"`
	Source     string       `json:"source"`
	Metrics    []Metric     `json:"metrics"`
	Truth      []KnownTruth `json:"truth"`
}

// A KnownTruth is a total that was public before, in a calibration release.
type KnownTruth struct {
	Key   release.Key `json:"key"`
	Value int64       `json:"value"`
}

// SiteWords are those of a whole site.
type SiteWords struct {
	Coalition   string       `json:"coalition"`
	Period      string       `json:"period"`
	Date        string       `json:"date"`             // of publication
	Notice      string       `json:"notice,omitempty"` // above every page: that figures are made up, for instance
	Headlines   []Headline   `json:"headlines"`
	Helplines   []Helpline   `json:"helplines"`
	Prevention  []Helpline   `json:"prevention"`
	Series      []Series     `json:"series"` // none: those of the headlines are made from the earlier releases
	Calibration *Calibration `json:"calibration,omitempty"`
	Limits      string       `json:"limits"` // Markdown
}

// templatesDigest is the hash of everything that renders pages beside the program itself.
var templatesDigest = func() release.Digest {
	h := sha256.New()
	h.Write([]byte(style))
	entries, err := fs.Glob(templateFiles, "templates/*.html")
	if err != nil {
		panic("publish: internal error: " + err.Error())
	}
	slices.Sort(entries)
	for _, name := range entries {
		text, err := templateFiles.ReadFile(name)
		if err != nil {
			panic("publish: internal error: " + err.Error())
		}
		fmt.Fprintf(h, "%s %d\n", name, len(text))
		h.Write(text)
	}
	return release.Digest(h.Sum(nil))
}()

// encode returns the words as a bundle carries them.
func (w Words) encode() ([]byte, error) {
	w.Format = pagesFormat
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	err := enc.Encode(w)
	return buf.Bytes(), err
}

// parseWords parses what encode wrote and nothing else.
func parseWords(text []byte) (Words, error) {
	var w Words
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&w); err != nil {
		return w, fmt.Errorf("parsing the words of the pages: %w", err)
	}
	again, err := w.encode()
	if err != nil || !bytes.Equal(again, text) {
		return w, errors.New("parsing the words of the pages: not in the one form in which they are written")
	}
	if (w.Page == nil) == (w.Site == nil) {
		return w, errors.New("parsing the words of the pages: they are those of one page or of a site")
	}
	return w, nil
}

// RenderBundle returns all files of a release by path: the pages that the bundle's words ask for, and below data/
// the bundle as files and as one archive. The same bundle always gives the same bytes, as long as the templates
// are the same.
func RenderBundle(b release.Bundle) (map[string][]byte, error) {
	return renderBundle(b, bundleCatalogue)
}

// renderBundle is RenderBundle for callers who may have parsed the catalogue already.
func renderBundle(b release.Bundle, parse func(release.Bundle, *round.Document) (*metric.Catalogue, error)) (map[string][]byte, error) {
	fail := func(err error) (map[string][]byte, error) { return nil, fmt.Errorf("rendering the release: %w", err) }
	signed, err := round.ParseSigned(b.Round)
	if err != nil {
		return fail(err)
	}
	words, err := parseWords(b.Pages)
	if err != nil {
		return fail(err)
	}
	d := signed.Document
	if words.Site != nil {
		catalogue, err := parse(b, d)
		if err != nil {
			return fail(err)
		}
		site, err := words.Site.site(d, catalogue, b)
		if err != nil {
			return fail(err)
		}
		return RenderSite(site)
	}
	files, err := Render(words.Page.release(d, b.Figures))
	if err != nil {
		return fail(err)
	}
	bundle, err := b.Files()
	if err != nil {
		return fail(err)
	}
	if files[dataDir+archive], err = release.EncodeTar(bundle); err != nil {
		return fail(err)
	}
	for name, data := range bundle {
		files[dataDir+name] = data
	}
	return files, nil
}

// WriteBundle renders the bundle and makes dir hold exactly its files, as Write does.
func WriteBundle(dir string, b release.Bundle) error {
	files, err := RenderBundle(b)
	if err != nil {
		return err
	}
	return writeDir(dir, files)
}

// bundleCatalogue parses the catalogue of a bundle, which must be the round's.
func bundleCatalogue(b release.Bundle, d *round.Document) (*metric.Catalogue, error) {
	if b.Catalogue == nil {
		return nil, checkCatalogue(d, nil)
	}
	c, err := metric.Parse(b.Catalogue)
	if err != nil {
		return nil, fmt.Errorf("the catalogue: %w", err)
	}
	if !bytes.Equal(c.Canonical(), b.Catalogue) {
		return nil, errors.New("the catalogue is not in its canonical form")
	}
	return c, checkCatalogue(d, c)
}

// release is what the single page is rendered from.
func (w PageWords) release(d *round.Document, figures []release.Figure) Release {
	r := Release{Title: w.Title, Round: d.ID, Period: w.Period, Instrument: w.Instrument, Source: w.Source,
		Calibration: d.Release.Calibration, Figures: figures, Metrics: w.Metrics, Method: methodOf(d), Truth: map[release.Key]int64{}}
	for _, t := range w.Truth {
		r.Truth[t.Key] = t.Value
	}
	return r
}

// site is what the pages of a site are rendered from.
func (w SiteWords) site(d *round.Document, catalogue *metric.Catalogue, b release.Bundle) (Site, error) {
	rules, err := RulesOf(d)
	if err != nil {
		return Site{}, err
	}
	s := Site{Coalition: w.Coalition, Period: w.Period, Catalogue: catalogue, Bundle: b, Headlines: w.Headlines, Method: methodOf(d), Rules: rules,
		MethodReview: d.Release.NextReview, Today: w.Date, Limits: []byte(w.Limits), Series: w.Series, Helplines: w.Helplines, Prevention: w.Prevention,
		Notice: w.Notice, Calibration: w.Calibration}
	for _, p := range d.Populations {
		epsilon, ok := new(big.Rat).SetString(p.Epsilon)
		if !ok {
			return s, fmt.Errorf("population %s: ε is %q", p.ID, p.Epsilon)
		}
		s.Budgets = append(s.Budgets, Budget{strings.ReplaceAll(p.ID, "/", ", "), epsilon})
	}
	return s, nil
}

// methodOf says how the figures of a round came about.
func methodOf(d *round.Document) Method {
	m := Method{Members: len(d.Roster), Minimum: int(d.Minimum.Groups)}
	epsilon := map[string]*big.Rat{} // by instrument: its parts share it
	caps := map[uint64]bool{}
	for i := range d.Parts {
		p := &d.Parts[i]
		if p.Kind != round.KindCounts {
			continue
		}
		caps[p.Cap] = true
		if e, ok := new(big.Rat).SetString(p.Privacy.Epsilon); ok && p.Privacy.Mechanism != "none" {
			if epsilon[p.Instrument] == nil {
				epsilon[p.Instrument] = new(big.Rat)
			}
			epsilon[p.Instrument].Add(epsilon[p.Instrument], e)
			if m.Unit != "" && m.Unit != p.Privacy.Unit {
				m.Unit = "item" // what several units have in common
			} else {
				m.Unit = p.Privacy.Unit
			}
		}
	}
	most := new(big.Rat)
	for _, e := range epsilon {
		if e.Cmp(most) > 0 {
			most = e
		}
	}
	if most.Sign() > 0 {
		m.Epsilon = most.RatString()
	}
	if len(caps) == 1 && !d.Release.Calibration {
		for c := range caps {
			m.Cap = int64(c)
		}
	}
	return m
}
