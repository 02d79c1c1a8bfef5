package publish

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"candor/schema/release"
)

// quoted compares the figures of other rounds that the pages show, in series and beside public ones, with the releases that are here: from the bundle alone they are
// only what the secretariat signed.
func (v *verifier) quoted(words *SiteWords) {
	const item = "figures of other rounds"
	var absent []string
	var errs []error
	compared := 0
	for _, f := range words.figures() {
		releases := v.releasesOf(f.Round)
		switch {
		case len(releases) == 0:
			if !slices.Contains(absent, f.Round) {
				absent = append(absent, f.Round)
			}
		case !slices.ContainsFunc(releases, func(figures []release.Figure) bool { return shows(figures, f) }):
			errs = append(errs, fmt.Errorf("%s is not what the release of that round says", f.Key()))
		default:
			compared++
		}
	}
	if compared > 0 || len(errs) > 0 {
		v.add(item, errors.Join(errs...), "%d on the pages, as in their own releases", compared)
	}
	if len(absent) > 0 {
		v.unknown(item, "those of %s on the pages are as the secretariat signed them: their releases are not here, so they were not computed again", strings.Join(absent, ", "))
	}
	if words.Calibration != nil {
		v.unknown("public figures", "what the pages call known before is as the secretariat signed it; compare it with the source that they name")
	}
}

// figures returns the figures among the words: all that the pages show and that are not those of the bundle itself.
func (w *SiteWords) figures() (list []release.Figure) {
	series := slices.Clone(w.Series)
	if c := w.Calibration; c != nil {
		for _, y := range c.Years {
			list = append(list, y.Figures...)
		}
		if c.Series != nil {
			series = append(series, *c.Series)
		}
	}
	for _, s := range series {
		for _, p := range s.Points {
			list = append(list, p.Figure)
		}
	}
	return list
}

// releasesOf returns the figures of each release of a round that is here.
func (v *verifier) releasesOf(round string) (list [][]release.Figure) {
	if round == v.doc.ID {
		list = append(list, v.bundle.Figures)
	}
	for _, e := range v.earlier {
		if e.Document.ID == round {
			list = append(list, e.Bundle.Figures)
		}
	}
	return list
}

// shows reports whether a release has a figure, and says the same of it.
func shows(figures []release.Figure, f release.Figure) bool {
	i := slices.IndexFunc(figures, func(g release.Figure) bool { return g.Key() == f.Key() })
	return i >= 0 && reflect.DeepEqual(figures[i], f)
}
