package publish_test

import (
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"candor/client/publish"
	"candor/schema/metric"
	"candor/schema/release"

	"github.com/PuerkitoBio/goquery"
	"github.com/google/go-cmp/cmp"
)

func renderSite(t testing.TB, s publish.Site) map[string][]byte {
	t.Helper()
	files, err := publish.RenderSite(s)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func pagesOf(files map[string][]byte) (pages []string) {
	for name := range files {
		if strings.HasSuffix(name, ".html") {
			pages = append(pages, name)
		}
	}
	slices.Sort(pages)
	return pages
}

func TestSitePages(t *testing.T) {
	s := site(t)
	files := renderSite(t, s)
	pages := pagesOf(files)
	want := []string{"calibration.html", "data.html", "help.html", "index.html", "instrument-hash-match.html", "instrument-live-content.html", "instrument-live-design.html",
		"instrument-live-signal.html", "instrument-user-report.html", "limits.html", "livestream.html", "method.html", "plain.html", "revisions.html", "series.html"}
	if diff := cmp.Diff(want, pages); diff != "" {
		t.Errorf("pages differ:\n%s", diff)
	}
	links := append([]string{"https://help.example/"}, pages...)
	for name := range files {
		links = append(links, name)
	}
	reached := map[string]bool{"index.html": true}
	for _, name := range pages {
		t.Run(name, func(t *testing.T) {
			checkStructure(t, files[name], links...)
			document(t, files[name]).Find("a[href]").Each(func(_ int, a *goquery.Selection) { reached[a.AttrOr("href", "")] = true })
		})
	}
	for _, name := range links {
		if !reached[name] {
			t.Errorf("no page links to %s", name)
		}
	}
	again := renderSite(t, site(t))
	for name := range files {
		if string(files[name]) != string(again[name]) {
			t.Errorf("%s differs between two runs", name)
		}
	}
}

// TestSiteEqualsData reads every figure and ratio of the instrument pages back and compares with the data files.
func TestSiteEqualsData(t *testing.T) {
	files := renderSite(t, site(t))
	figures, err := release.ParseCSV(files["data/figures.csv"])
	if err != nil {
		t.Fatal(err)
	}
	ratios, err := release.ParseRatiosCSV(files["data/ratios.csv"])
	if err != nil {
		t.Fatal(err)
	}
	var shown []release.Figure
	var shownRatios []release.Ratio
	statuses := map[release.Status]int{}
	for _, name := range pagesOf(files) {
		doc := document(t, files[name])
		found := tableFigures(t, doc)
		if len(found) > 0 && !strings.HasPrefix(name, "instrument-") {
			t.Errorf("%s repeats figures", name)
		}
		shown = append(shown, found...)
		doc.Find("tr[data-ratio]").Each(func(_ int, tr *goquery.Selection) {
			r := release.Ratio{Round: tr.AttrOr("data-round", ""), Instrument: tr.AttrOr("data-instrument", ""), Ratio: tr.AttrOr("data-ratio", ""),
				Cell: tr.AttrOr("data-cell", ""), Status: release.Status(tr.AttrOr("data-status", ""))}
			data := tr.Find("data")
			if data.Length() == 3 {
				r.Value = parseShare(t, data.Eq(0).AttrOr("value", ""))
				low, high, _ := strings.Cut(data.Eq(1).AttrOr("value", ""), "/")
				r.CILow, r.CIHigh = parseShare(t, low), parseShare(t, high)
				a, b, _ := strings.Cut(data.Eq(2).AttrOr("value", ""), "/")
				r.Numerator, r.Denominator = parseCount(t, a), parseCount(t, b)
				if got, want := data.Eq(0).Text(), fmt.Sprintf("%.1f %%", float64(*r.Value)/1e4); got != want {
					t.Errorf("%s: a reader sees %q, want %q", r.Key(), got, want)
				}
			}
			shownRatios = append(shownRatios, r)
		})
	}
	byFigure := func(a, b release.Figure) int { return strings.Compare(a.Key().String(), b.Key().String()) }
	byRatio := func(a, b release.Ratio) int { return strings.Compare(a.Key().String(), b.Key().String()) }
	slices.SortFunc(figures, byFigure)
	slices.SortFunc(shown, byFigure)
	slices.SortFunc(ratios, byRatio)
	slices.SortFunc(shownRatios, byRatio)
	if diff := cmp.Diff(asShown(figures), shown); diff != "" {
		t.Errorf("figures of pages and data differ:\n%s", diff)
	}
	if diff := cmp.Diff(ratios, shownRatios); diff != "" {
		t.Errorf("ratios of pages and data differ:\n%s", diff)
	}
	for _, f := range figures {
		statuses[f.Status]++
	}
	ratioStatuses := map[release.Status]int{}
	for _, r := range ratios {
		ratioStatuses[r.Status]++
	}
	if ratioStatuses[release.Published] < 5 || len(ratioStatuses) < 2 {
		t.Errorf("the sample does not have all kinds of ratios: %v", ratioStatuses)
	}
	if statuses[release.Published] < 50 || statuses[release.Few] == 0 || statuses[release.WithheldCertificate] == 0 || statuses[release.Coarsened] == 0 {
		t.Errorf("the sample does not have all kinds of figures: %v", statuses)
	}
	bundle := release.Files{}
	for name, data := range files {
		if rest, ok := strings.CutPrefix(name, "data/"); ok && rest != "release.tar" {
			bundle[rest] = data
		}
	}
	if _, err := release.ParseBundle(bundle); err != nil {
		t.Errorf("the data folder is no bundle: %v", err)
	}
	archive, err := release.ParseTar(files["data/release.tar"])
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(bundle, archive); diff != "" {
		t.Error("folder and archive differ")
	}
}

func parseShare(t *testing.T, s string) *release.Share {
	t.Helper()
	v, err := release.ParseShare(s)
	if err != nil {
		t.Error(err)
	}
	return &v
}

func parseCount(t *testing.T, s string) *int64 {
	t.Helper()
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		t.Error(err)
	}
	return &v
}

func TestSiteSays(t *testing.T) {
	s := site(t)
	files := renderSite(t, s)
	for name, wants := range map[string][]string{
		"index.html":                 {"Example coalition", "January to March 2026", "asked 40 member organisations", "of 40 members measured or estimated this", "How often a trained person agreed"},
		"instrument-hash-match.html": {"Matches", "False matches", "Of the members,", "how many members are in each band", "Read with care:", "95 %"},
		"livestream.html":            {"Design-based", "Content analysis", "Signal-based", "not asked of this approach", "reversed on appeal"},
		"method.html":                {"rolls dice", "more closely than by 20 %", "2 members pooled", "at most 20,000 per cell", "Fewer than 10 organisations", "Fewer than 5 contributed", "7/3 ≈ 2.33", "to be reviewed by 2026-12-31", "Sessions are sampled once a minute."},
		"limits.html":                {"What worked", "Two members could not separate", "What changes next"},
		"revisions.html":             {"Revision 2, 2026-06-01", "Four members corrected", "Matches: Image (2026-q1)", "1,200", "1,302", "not shown"},
		"plain.html":                 {"It is not your fault", "Example helpline", "Few"},
		"help.html":                  {"in confidence", "Example service"},
		"data.html":                  {"candor release verify", "Frictionless"},
		"calibration.html":           {"1 of 1 totals", "Not collected: a few members", "50,000,000", "wrong by no more than 11 %", "come as close as 4.4 %", "more closely than by 20 %", "1,000 to 9,999"},
		"series.html":                {"Dashed lines are breaks: 2024 Q1: definition changed; 2024 Q4: 2 members joined or left: not compared.", "withheld"},
	} {
		text := strings.Join(strings.Fields(document(t, files[name]).Find("body").Text()), " ")
		for _, want := range wants {
			if !strings.Contains(text, want) {
				t.Errorf("%s does not say %q", name, want)
			}
		}
	}
	cards := document(t, files["index.html"]).Find(".card")
	if cards.Length() != len(s.Headlines) {
		t.Errorf("%d figures set large, want %d", cards.Length(), len(s.Headlines))
	}
	published := 0
	for i, h := range s.Headlines {
		text := cards.Eq(i).Text()
		for _, f := range s.Bundle.Figures {
			if !h.Ratio && f.Key() == h.Key && !strings.Contains(text, publish.FormatCount(*f.CILow)+" to "+publish.FormatCount(*f.CIHigh)) {
				t.Errorf("headline %s does not give its interval: %q", h.Key, text)
			}
		}
		for _, r := range s.Bundle.Ratios {
			if !h.Ratio || r.Key() != h.Key {
				continue
			}
			want := r.Status.Reason()
			if r.Status == release.Published {
				published++
				want = fmt.Sprintf("%.1f %% to %.1f %%. That is %s of %s.", float64(*r.CILow)/1e4, float64(*r.CIHigh)/1e4, publish.FormatCount(*r.Numerator), publish.FormatCount(*r.Denominator))
			}
			if !strings.Contains(text, want) {
				t.Errorf("headline %s does not say %q: %q", h.Key, want, text)
			}
		}
	}
	if published == 0 {
		t.Error("no ratio is set large")
	}
	if strings.Contains(string(files["method.html"]), "overdue") {
		t.Error("a review that is not due is called overdue")
	}
	late := site(t)
	late.Today = "2027-01-01"
	late.Series, late.Budgets, late.Helplines, late.Prevention, late.Calibration = nil, nil, nil, nil, nil
	files = renderSite(t, late)
	if !strings.Contains(string(files["method.html"]), "The review of this method is overdue.") {
		t.Error("an overdue review is not flagged")
	}
	if !strings.Contains(string(files["series.html"]), "This is the first release.") {
		t.Error("a site without series does not say why")
	}
	for _, name := range pagesOf(files) {
		var links []string
		for name := range files {
			links = append(links, name)
		}
		checkStructure(t, files[name], links...)
	}
}

// TestSeriesBreaks: no line crosses a changed definition, a change of one or two members, or a withheld figure.
func TestSeriesBreaks(t *testing.T) {
	doc := document(t, renderSite(t, site(t))["series.html"])
	svg := doc.Find("svg#chart-series-1")
	// 12 points have 11 gaps: 2 breaks, and 2 beside the withheld figure.
	if n := svg.Find("line.series").Length(); n != 7 {
		t.Errorf("%d lines, want 7", n)
	}
	if n := svg.Find("line.break").Length(); n != 2 {
		t.Errorf("%d breaks, want 2", n)
	}
	if n := svg.Find("circle").Length(); n != 11 {
		t.Errorf("%d dots, want 11", n)
	}
	changes := doc.Find("#h-series-1").Parent().Find("tbody td:nth-child(4)")
	for i, want := range map[int]string{0: "–", 4: "definition changed", 7: "2 members joined or left: not compared", 9: "–", 10: "–"} {
		if got := changes.Eq(i).Text(); got != want {
			t.Errorf("change of point %d: %q, want %q", i, got, want)
		}
	}
	if got := changes.Eq(1).Text(); got != "+110" {
		t.Errorf("change of point 1: %q, want +110", got)
	}
}

func TestSiteCheck(t *testing.T) {
	for name, tc := range map[string]struct {
		want   string
		change func(*publish.Site)
	}{
		"no coalition":       {"coalition's name", func(s *publish.Site) { s.Coalition = "" }},
		"no headline":        {"0 headline figures", func(s *publish.Site) { s.Headlines = nil }},
		"seven headlines":    {"7 headline figures", func(s *publish.Site) { s.Headlines = slices.Repeat(s.Headlines[:1], 7) }},
		"unknown headline":   {"no such figure", func(s *publish.Site) { s.Headlines[0].Key.Cell = "x" }},
		"ratio for figure":   {"no such figure", func(s *publish.Site) { s.Headlines[0].Ratio = true }},
		"no meaning":         {"sentence of meaning", func(s *publish.Site) { s.Headlines[0].Meaning = "" }},
		"unknown metric":     {"no such metric", func(s *publish.Site) { s.Bundle.Figures[0].Metric = "x" }},
		"unknown ratio":      {"no such ratio", func(s *publish.Site) { s.Bundle.Ratios[0].Ratio = "x" }},
		"nine organisations": {"the minimum is 41: withhold it", func(s *publish.Site) { s.Method.Minimum = 41 }},
		"date":               {"2026-05-04", func(s *publish.Site) { s.Today = "today" }},
		"no limits":          {"limits: is empty", func(s *publish.Site) { s.Limits = nil }},
		"limits section":     {"What did not work", func(s *publish.Site) { s.Limits = []byte("## What worked\n\nAll.\n") }},
		"no rules":           {"release rules", func(s *publish.Site) { s.Rules.P = nil }},
		"calibration":        {"contradict one another", func(s *publish.Site) { s.Calibration.Years[0].Known.Raw = 1 }},
		"helpline":           {"helpline", func(s *publish.Site) { s.Helplines[0].URL = "javascript:alert(1)" }},
		"empty series":       {"series 1", func(s *publish.Site) { s.Series[0].Points = nil }},
		"code book":          {"does not explain", func(s *publish.Site) { s.Bundle.CodeBook = s.Bundle.CodeBook[1:] }},
	} {
		t.Run(name, func(t *testing.T) {
			s := site(t)
			tc.change(&s)
			if _, err := publish.RenderSite(s); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("RenderSite: %v, want an error with %q", err, tc.want)
			}
		})
	}
}

func TestMarkdownRefuses(t *testing.T) {
	body := func(s string) []byte {
		return []byte(strings.Replace(limitsText, "Thirty members sent figures in time.", s, 1))
	}
	for name, tc := range map[string]struct{ text, want string }{
		"image":             {"![x](https://evil.invalid/x.png)", "images are not allowed"},
		"reference image":   {"![x][y]\n\n[y]: https://evil.invalid/x.png", "images are not allowed"},
		"HTML block":        {"<script>alert(1)</script>", "raw HTML"},
		"inline HTML":       {"a <b onclick=x>b</b>", "raw HTML"},
		"script link":       {"[x](javascript:alert(1))", "links are https"},
		"data link":         {"[x](data:text/html,x)", "links are https"},
		"plain HTTP":        {"[x](http://example.org)", "links are https"},
		"other scheme":      {"<ftp://example.org>", "links are https"},
		"protocol-relative": {"[x](//evil.invalid)", "links are https"},
		"first level":       {"# Big", "first level"},
		"skipped level":     {"#### Small", "follows one of level"},
		"setext":            {"Big\n===", "first level"},
	} {
		s := site(t)
		s.Limits = body(tc.text)
		if _, err := publish.RenderSite(s); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want an error with %q", name, err, tc.want)
		}
	}
	s := site(t)
	s.Limits = body("Fine: [a](https://example.org), <https://example.org>, [b](mailto:a@example.org), [c](#x), `<script>`, a & b < c.")
	html := string(renderSite(t, s)["limits.html"])
	if !strings.Contains(html, "<code>&lt;script&gt;</code>, a &amp; b &lt; c.") {
		t.Error("text that looks like HTML is not escaped")
	}
}

func FuzzMarkdown(f *testing.F) {
	f.Add([]byte(limitsText))
	for _, s := range []string{"[x](https://example.org \"t\")", "![x](y)", "<b>", "[x](javascript:x)", "<https://example.org>", "[x]: data:,x\n[x]", "`<script>`", "&lt;img&gt;", "* a\n  > b"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, source []byte) {
		html, err := publish.RenderMarkdown("text", source)
		if err != nil {
			return
		}
		document(t, []byte(html)).Find("body *").Each(func(_ int, s *goquery.Selection) {
			name := goquery.NodeName(s)
			if !slices.Contains([]string{"p", "a", "em", "strong", "code", "pre", "ul", "ol", "li", "blockquote", "hr", "br", "h2", "h3", "h4", "h5", "h6"}, name) {
				t.Fatalf("%q gives a %s element: %s", source, name, html)
			}
			for _, a := range s.Nodes[0].Attr {
				switch {
				case name == "a" && a.Key == "href" && !strings.HasPrefix(strings.ToLower(a.Val), "javascript:") && !strings.HasPrefix(a.Val, "//"):
				case name == "a" && a.Key == "title", name == "ol" && a.Key == "start", name == "code" && a.Key == "class":
				default:
					t.Fatalf("%q gives %s with %s=%q", source, name, a.Key, a.Val)
				}
			}
		})
	})
}

func TestCodeBook(t *testing.T) {
	s := site(t)
	entry := func(metric, cell string) release.CodeBookEntry {
		for _, e := range s.Bundle.CodeBook {
			if e.Instrument == "live-content" && e.Metric == metric && e.Cell == cell {
				return e
			}
		}
		t.Fatalf("no entry for %s %s", metric, cell)
		return release.CodeBookEntry{}
	}
	if e := entry("flagged", "live-text"); e.Label != "Sessions flagged: Live text" || e.Unit != "sessions" || !strings.HasSuffix(e.Definition, "This cell: Automated analysis of chat, captions or titles.") {
		t.Errorf("a cell: %+v", e)
	}
	if e := entry("flagged", "state:not-measured"); e.Unit != "organisations" || !strings.HasSuffix(e.Label, ": Not measured") {
		t.Errorf("a state: %+v", e)
	}
	if e := entry("coverage", ""); e.Unit != "share" || !strings.Contains(e.Definition, "divided by") {
		t.Errorf("a ratio: %+v", e)
	}
	if _, err := publish.CodeBook(metric.Standard(), []release.Figure{{Instrument: "x", Metric: "y"}}, nil); err == nil {
		t.Error("an unknown metric was explained")
	}
	if _, err := publish.CodeBook(metric.Standard(), nil, []release.Ratio{{Instrument: "hash-match", Ratio: "y"}}); err == nil {
		t.Error("an unknown ratio was explained")
	}
}

func TestWriteSite(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "site")
	s := site(t)
	for range 2 {
		if err := publish.WriteSite(dir, s); err != nil {
			t.Fatal(err)
		}
	}
	want := map[string]string{}
	for name, data := range renderSite(t, s) {
		want[name] = string(data)
	}
	if diff := cmp.Diff(want, tree(t, dir)); diff != "" {
		t.Error("the directory differs")
	}
}

func TestSiteInBrowser(t *testing.T) {
	ctx := newBrowser(t)
	w := watchPage(t, ctx)
	dir := filepath.Join(t.TempDir(), "site")
	if err := publish.WriteSite(dir, site(t)); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.FileServer(http.Dir(dir)))
	defer server.Close()
	for _, name := range pagesOf(renderSite(t, site(t))) {
		path := "/" + name
		if name == "index.html" {
			path = "/"
		}
		checkPage(t, ctx, w, server.URL+path, "site-"+strings.TrimSuffix(name, ".html"))
	}
}

func TestRulesAreShown(t *testing.T) {
	s := site(t)
	s.Rules.P, s.Rules.Colluders = big.NewRat(1, 8), 3
	text := string(renderSite(t, s)["method.html"])
	if !strings.Contains(text, "12.5 %") || !strings.Contains(text, "3 members pooled") {
		t.Error("the method page does not show the round's rules")
	}
}
