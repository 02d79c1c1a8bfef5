package publish_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"candor/client/publish"
	"candor/schema/release"

	"github.com/PuerkitoBio/goquery"
	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func render(t *testing.T, r publish.Release) map[string][]byte {
	t.Helper()
	files, err := publish.Render(r)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func document(t *testing.T, html []byte) *goquery.Document {
	t.Helper()
	doc, err := goquery.NewDocumentFromReader(bytes.NewReader(html))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestGolden(t *testing.T) {
	for _, s := range samples {
		for name, got := range render(t, s.make()) {
			checkGolden(t, filepath.Join("testdata", "golden", s.name, name), got)
		}
	}
}

func checkGolden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s differs (-want +got); go test -update writes it anew:\n%s", file, diff)
	}
}

// TestPageEqualsData compares each page with the data files beside it: every figure once, and every number in
// the table equal to that of the CSV and JSON files.
func TestPageEqualsData(t *testing.T) {
	for _, s := range samples {
		t.Run(s.name, func(t *testing.T) {
			files := render(t, s.make())
			figures, err := release.ParseCSV(files["figures.csv"])
			if err != nil {
				t.Fatal(err)
			}
			again, err := release.ParseJSON(files["figures.json"])
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(figures, again); diff != "" {
				t.Errorf("CSV and JSON differ:\n%s", diff)
			}
			doc := document(t, files["index.html"])
			if diff := cmp.Diff(asShown(figures), tableFigures(t, doc)); diff != "" {
				t.Errorf("the table and the data files differ:\n%s", diff)
			}
			cards := doc.Find(".card")
			if len(figures) <= 6 && cards.Length() != len(figures) {
				t.Errorf("%d figures set large, want %d", cards.Length(), len(figures))
			}
		})
	}
}

// tableFigures reads the figures back from the page's table.
func tableFigures(t *testing.T, doc *goquery.Document) []release.Figure {
	t.Helper()
	number := func(s string) *int64 {
		v, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			t.Errorf("unreadable number %q", s)
		}
		return &v
	}
	shown := func(want string, data *goquery.Selection) {
		text := strings.NewReplacer(",", "", "−", "-", " to ", "/").Replace(data.Text())
		if text != want {
			t.Errorf("a reader sees %q where the page's data say %q", data.Text(), want)
		}
	}
	var figures []release.Figure
	doc.Find("tr[data-metric]").Each(func(_ int, tr *goquery.Selection) {
		f := release.Figure{
			Round: tr.AttrOr("data-round", ""), Instrument: tr.AttrOr("data-instrument", ""), Metric: tr.AttrOr("data-metric", ""),
			Cell: tr.AttrOr("data-cell", ""), Status: release.Status(tr.AttrOr("data-status", "")),
		}
		cells := tr.Find("td")
		if v, ok := cells.Eq(0).Find("data").Attr("value"); ok {
			f.Value = number(v)
			shown(v, cells.Eq(0).Find("data"))
		}
		if v, ok := cells.Eq(1).Find("data").Attr("value"); ok {
			low, high, _ := strings.Cut(v, "/")
			f.CILow, f.CIHigh = number(low), number(high)
			if data := cells.Eq(1).Find("data"); low != high || data.Text() != "exact" {
				shown(v, data)
			}
		}
		n := cells.Eq(2).Find("data").AttrOr("value", "")
		f.Contributors = int(*number(n))
		shown(n, cells.Eq(2).Find("data"))
		f.NoiseSD, _ = strconv.ParseFloat(cells.Eq(3).Find("data").AttrOr("value", ""), 64)
		figures = append(figures, f)
	})
	return figures
}

// asShown removes the numbers of figures that pages call "few" or bound in words.
func asShown(figures []release.Figure) []release.Figure {
	figures = slices.Clone(figures)
	for i, f := range figures {
		if f.Status == release.Few || f.Status == release.Coarsened {
			figures[i].Value, figures[i].CILow, figures[i].CIHigh = nil, nil, nil
		}
	}
	return figures
}

func TestPageStructure(t *testing.T) {
	for _, s := range append(samples, struct {
		name string
		make func() publish.Release
	}{"hostile", hostile}) {
		t.Run(s.name, func(t *testing.T) {
			checkStructure(t, render(t, s.make())["index.html"], "index.html", "figures.csv", "figures.json")
		})
	}
}

// checkStructure checks what holds for every page: headings in order, tables with scoped headers and captions,
// charts with text alternatives, links only to the files given, no other address, no script, unique ids.
func checkStructure(t *testing.T, html []byte, links ...string) {
	t.Helper()
	doc := document(t, html)
	if lang := doc.Find("html").AttrOr("lang", ""); lang != "en" {
		t.Errorf("language %q", lang)
	}
	if doc.Find("title").First().Text() == "" || doc.Find("main").Length() != 1 || doc.Find("h1").Length() != 1 {
		t.Error("a page has one title, one main part and one first-level heading")
	}
	level := 0
	doc.Find("h1,h2,h3,h4,h5,h6").Each(func(_ int, h *goquery.Selection) {
		n := int(goquery.NodeName(h)[1] - '0')
		if n > level+1 {
			t.Errorf("heading %q of level %d follows level %d", h.Text(), n, level)
		}
		if strings.TrimSpace(h.Text()) == "" {
			t.Errorf("empty heading of level %d", n)
		}
		level = n
	})
	doc.Find("th").Each(func(_ int, th *goquery.Selection) {
		want := "col"
		if th.ParentsFiltered("tbody").Length() > 0 {
			want = "row"
		}
		if scope := th.AttrOr("scope", ""); scope != want {
			t.Errorf("table header %q has scope %q, want %q", th.Text(), scope, want)
		}
	})
	doc.Find("table").Each(func(_ int, table *goquery.Selection) {
		if table.Find("caption").Length() != 1 || table.Find("thead th").Length() == 0 {
			t.Error("a table has one caption and column headers")
		}
		columns := table.Find("thead th").Length()
		table.Find("tbody tr").Each(func(_ int, tr *goquery.Selection) {
			if n := tr.Children().Length(); n != columns {
				t.Errorf("row %q has %d cells, want %d", tr.Text(), n, columns)
			}
		})
	})
	ids := map[string]int{}
	doc.Find("[id]").Each(func(_ int, s *goquery.Selection) {
		id := s.AttrOr("id", "")
		ids[id]++
		if strings.ContainsAny(id, " \t\n") || id == "" {
			t.Errorf("id %q", id)
		}
	})
	for id, n := range ids {
		if n > 1 {
			t.Errorf("id %q is used %d times", id, n)
		}
	}
	doc.Find("[aria-labelledby]").Each(func(_ int, s *goquery.Selection) {
		for id := range strings.FieldsSeq(s.AttrOr("aria-labelledby", "")) {
			if strings.TrimSpace(doc.Find("#"+id).Text()) == "" {
				t.Errorf("a label refers to %q, which is empty or absent", id)
			}
		}
	})
	doc.Find("svg.chart").Each(func(_ int, svg *goquery.Selection) {
		if svg.AttrOr("role", "") != "img" || svg.Find("title").Text() == "" || svg.Find("desc").Text() == "" ||
			svg.AttrOr("aria-labelledby", "") == "" || svg.ParentsFiltered("figure").Find("figcaption").Length() != 1 {
			t.Errorf("chart %q lacks its text alternative", svg.AttrOr("id", ""))
		}
		// Intervals are bars with two caps, or one upright line.
		intervals := svg.Find("rect.bar").Length()
		if intervals == 0 {
			intervals = svg.Find("line.cap").Length()
		}
		if intervals != svg.Find("circle").Length() {
			t.Errorf("chart %q: %d intervals for %d estimates", svg.AttrOr("id", ""), intervals, svg.Find("circle").Length())
		}
	})
	doc.Find("*").Each(func(_ int, s *goquery.Selection) {
		switch name := goquery.NodeName(s); name {
		case "script", "iframe", "object", "embed", "form", "img", "audio", "video", "base", "use", "image", "foreignobject":
			t.Errorf("the page holds a %s element", name)
		}
		for _, a := range s.Nodes[0].Attr {
			switch {
			case strings.HasPrefix(a.Key, "on"), a.Key == "style", a.Key == "src", a.Key == "srcset", a.Key == "action":
				t.Errorf("attribute %s=%q", a.Key, a.Val)
			case a.Key == "href" && a.Val != "data:," && !strings.HasPrefix(a.Val, "#") && !slices.Contains(links, a.Val):
				t.Errorf("the page links to %q", a.Val)
			case a.Key == "href" && strings.HasPrefix(a.Val, "#") && ids[a.Val[1:]] == 0:
				t.Errorf("link to %q, which is not on the page", a.Val)
			}
		}
	})
	style := doc.Find("style").Text()
	hash := sha256.Sum256([]byte(style))
	if !strings.Contains(string(html), "'sha256-"+base64.StdEncoding.EncodeToString(hash[:])+"'") {
		t.Error("the content security policy does not allow the page's own style")
	}
	if strings.Contains(style, "url(") || strings.Contains(style, "@import") {
		t.Error("the style refers to other files")
	}
	policy := doc.Find(`meta[http-equiv="Content-Security-Policy"]`)
	if c := policy.AttrOr("content", ""); policy.Length() != 1 || !strings.HasPrefix(c, "default-src 'none'; ") || strings.Contains(c, "unsafe") {
		t.Errorf("content security policy %q", c)
	}
}

func TestCalibrationPage(t *testing.T) {
	doc := document(t, render(t, one())["index.html"])
	text := doc.Text()
	for _, want := range []string{"Public calibration data: release rules not applied", "35,944,812", "35,944,768 to 35,944,856", "35,944,826", "247 of 247 organisations", "about 35.9 million"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if got := strings.TrimSpace(doc.Find("#h-compare").Next().Text()); !strings.Contains(got, "It lies inside the 95 % interval") {
		t.Errorf("comparison: %q", got)
	}
	how := doc.Find("#h-how").Next().Text()
	if n := strings.Count(how, ". ") + 1; n != 3 || !strings.HasSuffix(how, ".") {
		t.Errorf("the computation is explained in %d sentences, want 3: %q", n, how)
	}

	r := one()
	r.Truth[r.Figures[0].Key()] = 35944857
	doc = document(t, render(t, r)["index.html"])
	if got := strings.TrimSpace(doc.Find("#h-compare").Next().Text()); !strings.Contains(got, "It lies outside the 95 % interval") {
		t.Errorf("comparison: %q", got)
	}
	doc = document(t, render(t, twenty())["index.html"])
	if got := strings.TrimSpace(doc.Find("#h-compare").Next().Text()); !strings.HasPrefix(got, "18 of 20 published totals") {
		t.Errorf("comparison: %q", got)
	}
	if strings.Contains(string(render(t, mixed())["index.html"]), "calibration") {
		t.Error("a page that is no calibration speaks of one")
	}
}

func TestWithheldPage(t *testing.T) {
	r := withheld()
	if r.Figures[0].Value != nil || r.Figures[0].Status != release.WithheldMinimum {
		t.Fatalf("figure of nine organisations: %+v", r.Figures[0])
	}
	files := render(t, r)
	for name, b := range files {
		for _, number := range []string{"812", "804", "820"} {
			if strings.Contains(string(b), number) {
				t.Errorf("%s holds the withheld number %s", name, number)
			}
		}
	}
	text := document(t, files["index.html"]).Text()
	for _, want := range []string{"withheld", "fewer organisations contributed than the minimum", "Here 9 organisations contributed and the minimum is 10."} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	ten := publish.WithholdBelow(10, []release.Figure{figure("m", 812, 8, 4.3, 10)})
	if ten[0].Value == nil {
		t.Error("a figure of ten organisations is withheld")
	}
}

// TestPublicYears renders the years of the public list with its real numbers of organisations and totals.
func TestPublicYears(t *testing.T) {
	totals := publishedTotals(t)
	for year, organisations := range map[string]int{"2019": 148, "2020": 168, "2021": 230, "2022": 236, "2023": 247} {
		r := one()
		r.Period, r.Method.Members = year, organisations
		r.Figures[0].Value, r.Figures[0].CILow, r.Figures[0].CIHigh = new(totals[year]+9), new(totals[year]-35), new(totals[year]+53)
		r.Figures[0].Contributors = organisations
		r.Truth = map[release.Key]int64{r.Figures[0].Key(): totals[year]}
		text := document(t, render(t, r)["index.html"]).Text()
		for _, want := range []string{publish.FormatCount(totals[year]), "It lies inside", strconv.Itoa(organisations) + " organisations"} {
			if !strings.Contains(text, want) {
				t.Errorf("%s: the page does not say %q", year, want)
			}
		}
	}
	if totals["2023"] != 35944826 {
		t.Errorf("total of 2023 is %d", totals["2023"])
	}
}

func TestReleaseCheck(t *testing.T) {
	for _, tc := range []struct {
		name, want string
		change     func(*publish.Release)
	}{
		{"no title", "no title", func(r *publish.Release) { r.Title = " " }},
		{"no figures", "no figures", func(r *publish.Release) { r.Figures = nil }},
		{"nine organisations", "9 organisations contributed and the minimum is 10: withhold it", func(r *publish.Release) { r.Figures[0].Contributors = 9 }},
		{"the round's minimum", "the minimum is 300", func(r *publish.Release) { r.Method.Minimum = 300 }},
		{"truth of real data", "leave Truth empty", func(r *publish.Release) { r.Calibration = false }},
		{"figure", "does not hold", func(r *publish.Release) { r.Figures[0].CIHigh = new(int64(0)) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := one()
			tc.change(&r)
			if _, err := publish.Render(r); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("Render: %v, want an error with %q", err, tc.want)
			}
			dir := filepath.Join(t.TempDir(), "release")
			if err := publish.Write(dir, r); err == nil {
				t.Error("Write wrote it")
			}
			if _, err := os.Stat(dir); err == nil {
				t.Error("Write left a directory")
			}
		})
	}
}

func TestNumbers(t *testing.T) {
	for _, tc := range []struct {
		v              int64
		count, rounded string
	}{
		{0, "0", "0"}, {-3, "−3", "−3"}, {999, "999", "999"}, {1000, "1,000", "1,000"}, {9999, "9,999", "9,999"},
		{10_000, "10,000", "about 10 thousand"}, {123_456, "123,456", "about 123 thousand"}, {999_499, "999,499", "about 999 thousand"},
		{999_999, "999,999", "about 1 million"}, {35_944_826, "35,944,826", "about 35.9 million"}, {-1_234_567, "−1,234,567", "about −1.23 million"},
		{100_000_000, "100,000,000", "about 100 million"}, {1_999_999_999, "1,999,999,999", "about 2 billion"},
		{release.MaxValue, "9,007,199,254,740,991", "about 9010 trillion"},
	} {
		if got := publish.FormatCount(tc.v); got != tc.count {
			t.Errorf("FormatCount(%d) = %q, want %q", tc.v, got, tc.count)
		}
		if got := publish.FormatRounded(tc.v); got != tc.rounded {
			t.Errorf("FormatRounded(%d) = %q, want %q", tc.v, got, tc.rounded)
		}
	}
	for sd, want := range map[float64]string{0: "0", 4.25: "4.25", 22.627: "22.6", 999.6: "1,000", 123456: "123,456"} {
		if got := publish.FormatSD(sd); got != want {
			t.Errorf("FormatSD(%v) = %q, want %q", sd, got, want)
		}
	}
}
