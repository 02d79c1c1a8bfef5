package release_test

import (
	"strings"
	"testing"

	"candor/schema/release"

	"github.com/google/go-cmp/cmp"
)

func revisions() []release.Revision {
	return []release.Revision{
		{Number: 1, Date: "2026-05-04", What: "First publication.", Why: "The round closed on 30 April 2026.", Figures: []release.RevisedFigure{}},
		{Number: 2, Date: "2026-08-01", What: "One figure corrected.", Why: "Four organisations corrected their counts.", Figures: []release.RevisedFigure{
			{Round: "2026-q1", Instrument: "hash-match", Metric: "matched", Cell: "image", Before: new(int64(120)), After: new(int64(131))},
			{Round: "2026-q1", Instrument: "hash-match", Metric: "matched", Cell: "live", Before: new(int64(40))},
		}},
	}
}

const revisionsJSON = `[
{"revision":1,"date":"2026-05-04","what":"First publication.","why":"The round closed on 30 April 2026.","figures":[]},
{"revision":2,"date":"2026-08-01","what":"One figure corrected.","why":"Four organisations corrected their counts.","figures":[{"round":"2026-q1","instrument":"hash-match","metric":"matched","cell":"image","before":120,"after":131},{"round":"2026-q1","instrument":"hash-match","metric":"matched","cell":"live","before":40,"after":null}]}
]
`

func TestRevisions(t *testing.T) {
	b, err := release.EncodeRevisions(revisions())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(revisionsJSON, string(b)); diff != "" {
		t.Errorf("the log differs:\n%s", diff)
	}
	back, err := release.ParseRevisions(b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(revisions(), back); diff != "" {
		t.Errorf("the log parses differently:\n%s", diff)
	}
	for _, change := range [][2]string{
		{`"revision":2`, `"revision":3`}, {`2026-08-01`, `2026-02-30`}, {`2026-08-01`, `2026-05-03`},
		{`"what":"One figure corrected."`, `"what":""`}, {`"after":null`, `"after":40,"x":1`}, {`"before":40`, `"before":null`}, {`"figures":[]`, `"figures":null`},
	} {
		if _, err := release.ParseRevisions([]byte(strings.Replace(revisionsJSON, change[0], change[1], 1))); err == nil {
			t.Errorf("%s for %s: parsed", change[1], change[0])
		}
	}
}

func TestRevise(t *testing.T) {
	f := func(cell string, v *int64) release.Figure {
		return release.Figure{Round: "r", Instrument: "i", Metric: "m", Cell: cell, Value: v}
	}
	before := []release.Figure{f("same", new(int64(1))), f("changed", new(int64(2))), f("withheld", new(int64(3))), f("gone", new(int64(4))), f("hidden", nil), f("shown", nil)}
	after := []release.Figure{f("shown", new(int64(6))), f("same", new(int64(1))), f("changed", new(int64(-2))), f("withheld", nil), f("new", new(int64(5))), f("new and hidden", nil)}
	r := func(cell string, was, is *int64) release.RevisedFigure {
		return release.RevisedFigure{Round: "r", Instrument: "i", Metric: "m", Cell: cell, Before: was, After: is}
	}
	want := []release.RevisedFigure{r("shown", nil, new(int64(6))), r("changed", new(int64(2)), new(int64(-2))), r("withheld", new(int64(3)), nil), r("new", nil, new(int64(5))), r("gone", new(int64(4)), nil)}
	if diff := cmp.Diff(want, release.Revise(before, after)); diff != "" {
		t.Errorf("changes differ:\n%s", diff)
	}
	if got := release.Revise(before, before); len(got) != 0 || got == nil {
		t.Errorf("no change gives %v", got)
	}
}

func FuzzParseRevisions(f *testing.F) {
	f.Add([]byte(revisionsJSON))
	f.Fuzz(func(t *testing.T, b []byte) { checkStrict(t, b, release.ParseRevisions, release.EncodeRevisions) })
}
