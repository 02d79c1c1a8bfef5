package publish_test

import (
	"slices"
	"strings"
	"testing"

	"candor/client/publish"
	"candor/schema/release"
)

// Figures of other rounds are on the pages as the secretariat signed them: Verify says so, and compares them where the other releases are here.
func TestVerifyQuotedFigures(t *testing.T) {
	const item = "figures of other rounds"
	old := publishedRound(t)
	before, err := publish.NewEarlier(old.bundle)
	if err != nil {
		t.Fatal(err)
	}
	r := &released{Coalition: catalogueRound(t, 40, "hash-match")}
	r.Document.ID = "later"
	r.releaseOf(t)
	known := publish.KnownYear{Period: "2025", Cap: 1000, Raw: 90_000, Capped: 20_000, Top: []int64{50_000, 9000, 500}}
	verify := func(figures []release.Figure, earlier ...*publish.Earlier) publish.Verification {
		r.publication.Words.Site.Calibration = &publish.Calibration{Source: "a public list", Years: []publish.CalibrationYear{{Known: known, Round: old.Document.ID, Members: 40, Figures: figures}}}
		r.assemble(t)
		return verifyFiles(r.render(t), r.pins(), earlier...)
	}
	v := verify(old.bundle.Figures)
	if c := checkOf(v, item); c.Outcome != publish.NotCheckable || !strings.Contains(c.Detail, old.Document.ID) || !v.OK() {
		t.Errorf("without the other release: %+v, %s", c, v.Verdict())
	}
	if c := checkOf(v, "public figures"); c.Outcome != publish.NotCheckable {
		t.Errorf("public figures: %+v", c)
	}
	if c := checkOf(verify(old.bundle.Figures, before), item); c.Outcome != publish.Passed {
		t.Errorf("with the other release: %+v", c)
	}
	wrong := slices.Clone(old.bundle.Figures)
	i := slices.IndexFunc(wrong, func(f release.Figure) bool { return f.Value != nil })
	more := *wrong[i].Value + 1
	wrong[i].Value = &more
	if c := checkOf(verify(wrong, before), item); c.Outcome != publish.Failed || !strings.Contains(c.Detail, wrong[i].Key().String()) {
		t.Errorf("a figure that the other release does not have: %+v", c)
	}
}
