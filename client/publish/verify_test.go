package publish_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"candor/client/publish"
	"candor/schema/release"
)

func TestVerify(t *testing.T) {
	r := publishedRound(t)
	files := r.render(t)
	v := verifyFiles(files, r.pins())
	if !v.OK() || !v.Pinned || strings.Contains(v.Verdict(), "unpinned") {
		t.Errorf("%s: %+v", v.Verdict(), v.Checks)
	}
	for _, item := range []string{"files", "round document", "signatures", "statements", "openings", "catalogue", "sums", "figures", "release rules", "ratios", "code book", "method note", "pages"} {
		if c := checkOf(v, item); c.Outcome != publish.Passed {
			t.Errorf("%s: %+v", item, c)
		}
	}
	// It says where it could not check.
	for _, item := range []string{"status withheld-certificate", "status withheld-complementary", "status coarsened", "totals over hidden cells"} {
		if c := checkOf(v, item); c.Outcome != publish.NotCheckable {
			t.Errorf("%s: %+v", item, c)
		}
	}
	if v := verifyFiles(files, nil); !v.OK() || !strings.HasSuffix(v.Verdict(), "signers unpinned") {
		t.Errorf("without pins: %s", v.Verdict())
	}
	other := r.pins()
	other.Helper = other.Leader
	if v := verifyFiles(files, other); v.OK() || checkOf(v, "round document").Outcome != publish.Failed {
		t.Errorf("with another Helper pinned: %s", v.Verdict())
	}
	// No cell that is not shown is opened.
	open := map[string]bool{}
	for _, f := range r.bundle.Figures {
		open[f.Metric+" "+f.Cell] = f.Value != nil
	}
	tasks, err := r.Document.Tasks()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range r.bundle.Opened {
		for i := range tasks {
			if c := r.Document.Parts[i].Cells; tasks[i].ID == e.Task && !open[c[e.Opening.Index].Metric+" "+c[e.Opening.Index].Code] {
				t.Errorf("%+v is opened and not shown", c[e.Opening.Index])
			}
		}
	}
}

// A release is written, read from where it lies, and verified there; a site that cannot be listed is read by its descriptor.
func TestVerifyAt(t *testing.T) {
	r := publishedRound(t)
	dir := t.TempDir()
	if err := publish.WriteBundle(dir, r.bundle); err != nil {
		t.Fatal(err)
	}
	at := publish.Dir(dir)
	for what, l := range map[string]publish.Location{"directory": at, "site": {Read: at.Read}, "bundle": publish.Dir(dir + "/data")} {
		if v, err := publish.VerifyAt(l, r.pins()); err != nil || !v.OK() {
			t.Errorf("%s: %v, %s: %+v", what, err, v.Verdict(), v.Checks)
		}
	}
	if _, err := publish.VerifyAt(publish.Dir(t.TempDir()), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an empty directory: %v", err)
	}
}

func TestAssembleRefuses(t *testing.T) {
	r := publishedRound(t)
	p := r.publication
	p.Previous = &r.bundle
	if _, err := publish.Assemble(p); err == nil || !strings.Contains(err.Error(), "a revision says what changed and why") {
		t.Errorf("a revision without words: %v", err)
	}
	p.What, p.Why = "One word was corrected.", "It was misspelt."
	if b, err := publish.Assemble(p); err != nil || b.Package.Version != "2" || len(b.Revisions) != 2 {
		t.Errorf("a revision: version %s, %v", b.Package.Version, err)
	}
	p.Batches = p.Batches[1:]
	if _, err := publish.Assemble(p); err == nil {
		t.Error("a round without one of its parts is released")
	}
	p = r.publication
	p.Catalogue = nil
	if _, err := publish.Assemble(p); err == nil || !strings.Contains(err.Error(), "catalogue") {
		t.Errorf("without the catalogue: %v", err)
	}
	r.Document.Rehearsal = true
	if _, err := publish.Assemble(publish.Publication{Signed: r.Sign(t), Catalogue: r.publication.Catalogue, Batches: r.publication.Batches}); err == nil || !strings.Contains(err.Error(), "rehearsal") {
		t.Errorf("a rehearsal: %v", err)
	}
}

// Shares of another field, or whose sum no reports can give, are refused.
func TestSumOfShares(t *testing.T) {
	for _, sum := range []int64{0, 1, -1, release.MaxValue, -release.MaxValue} {
		l := shares(t, []int64{sum}, 40, 64)
		if got, err := publish.SumOfShares(l[0][0].Element, l[1][0].Element, 40, 64); err != nil || got != sum {
			t.Errorf("%d: %d, %v", sum, got, err)
		}
	}
	l := shares(t, []int64{release.MaxValue + 1}, 40, 64)
	if _, err := publish.SumOfShares(l[0][0].Element, l[1][0].Element, 40, 64); err == nil {
		t.Error("a sum that readers' programs cannot hold is accepted")
	}
	if _, err := publish.SumOfShares(l[0][0].Element[1:], l[1][0].Element, 40, 64); err == nil {
		t.Error("a short element is accepted")
	}
	if _, err := publish.SumOfShares([]byte("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), l[1][0].Element, 40, 64); err == nil {
		t.Error("an element beyond the modulus is accepted")
	}
}

// Where the round asks for two signatures, one is not enough, and the second must be one that its document names, and pinned where readers pin some.
func TestVerifySecondSignature(t *testing.T) {
	r := &released{Coalition: catalogueRound(t, 40, "hash-match")}
	r.Document.Release.Signatures = 2
	r.Document.Release.Signers = []string{r.Members[0].PublicKey().String(), r.Members[2].PublicKey().String()}
	r.releaseOf(t)
	verify := func(b release.Bundle, trust *publish.Trust) publish.Check {
		files, err := b.Files()
		if err != nil {
			t.Fatal(err)
		}
		return checkOf(publish.Verify(files, nil, trust), "signatures")
	}
	if c := verify(r.bundle, r.pins()); c.Outcome != publish.Failed || !strings.Contains(c.Detail, "1 signatures; the round asks for 2") {
		t.Errorf("one signature: %+v", c)
	}
	stranger := r.bundle
	if err := stranger.Sign(r.Members[1]); err != nil {
		t.Fatal(err)
	}
	for _, trust := range []*publish.Trust{nil, r.pins()} {
		if c := verify(stranger, trust); c.Outcome != publish.Failed || !strings.Contains(c.Detail, "whom the round document does not name") {
			t.Errorf("a second one of a stranger: %+v", c)
		}
	}
	if err := r.bundle.Sign(r.Members[0]); err != nil {
		t.Fatal(err)
	}
	if c := verify(r.bundle, r.pins()); c.Outcome != publish.Passed {
		t.Errorf("two signatures: %+v", c)
	}
	trust := r.pins()
	trust.Releases = append(trust.Releases, r.Members[2].PublicKey().Fingerprint())
	if c := verify(r.bundle, trust); c.Outcome != publish.Failed || !strings.Contains(c.Detail, "not pinned") {
		t.Errorf("a second one that is not pinned: %+v", c)
	}
	trust.Releases = append(trust.Releases, r.Members[0].PublicKey().Fingerprint())
	if c := verify(r.bundle, trust); c.Outcome != publish.Passed {
		t.Errorf("two pinned signatures: %+v", c)
	}
}
