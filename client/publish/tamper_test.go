package publish_test

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"testing"

	"candor/client/publish"
	"candor/schema/release"
	"candor/schema/round"
)

// digit changes the first digit 2 of a text.
func digit(b []byte) []byte { return bytes.Replace(bytes.Clone(b), []byte("2"), []byte("3"), 1) }

// find returns the place of the first figure of a status.
func (r *released) find(t testing.TB, s release.Status, withCell bool) *release.Figure {
	t.Helper()
	for i := range r.bundle.Figures {
		f := &r.bundle.Figures[i]
		if f.Status == s && (!withCell || f.Cell != "total") {
			return f
		}
	}
	t.Fatalf("no figure is %s", s)
	return nil
}

// Each tampering is found, and the item that it touched is named. Those of the secretariat itself are signed anew: what it
// cannot forge must give it away.
func TestVerifyTampered(t *testing.T) {
	base := publishedRound(t)
	rendered := base.render(t)
	for _, c := range []struct {
		name string
		// One of the three: change the rendered files, or the bundle and have it signed and rendered again, or
		// the bundle and keep the old signature.
		files  func(map[string][]byte)
		bundle func(*released)
		stale  func(*released)
		item   string // the check that must fail
		want   string // in its detail
	}{
		{name: "a digit in CSV", files: func(f map[string][]byte) { f["data/figures.csv"] = digit(f["data/figures.csv"]) },
			item: "files", want: "figures.csv is not the file that was listed"},
		{name: "a digit in JSON", files: func(f map[string][]byte) { f["data/figures.json"] = digit(f["data/figures.json"]) },
			item: "files", want: "figures.json is not the file that was listed"},
		{name: "a digit in HTML", files: func(f map[string][]byte) {
			name := "instrument-hash-match.html"
			at := bytes.Index(f[name], []byte("<tbody>"))
			f[name] = append(bytes.Clone(f[name][:at]), digit(f[name][at:])...)
		}, item: "pages", want: "instrument-hash-match.html differs from what the bundle gives"},
		{name: "a page too many", files: func(f map[string][]byte) { f["more.html"] = nil }, item: "pages", want: "more.html is no file of the release"},
		{name: "a page missing", files: func(f map[string][]byte) { delete(f, "method.html") }, item: "pages", want: "method.html is missing"},
		{name: "the archive", files: func(f map[string][]byte) { f["data/release.tar"] = f["data/release.tar"][512:] }, item: "pages", want: "data/release.tar differs"},
		{name: "a digit in all figures", bundle: func(r *released) { *r.find(t, release.Published, true).Value += 1 },
			item: "figures", want: "the shares give"},
		{name: "an interval", bundle: func(r *released) { *r.find(t, release.Published, true).CIHigh += 1 },
			item: "figures", want: "the shares give"},
		{name: "the noise", bundle: func(r *released) { r.find(t, release.Published, true).NoiseSD += 1 },
			item: "figures", want: "the mechanism gives"},
		{name: "the contributors", bundle: func(r *released) { r.find(t, release.Published, true).Contributors++ },
			item: "figures", want: "reports and roster give 40"},
		{name: "a share element", bundle: func(r *released) { r.bundle.Opened[3].Opening.Element[0] ^= 1 },
			item: "openings", want: "its path does not lead to the root"},
		{name: "a salt", bundle: func(r *released) { r.bundle.Opened[3].Opening.Salt[0] ^= 1 },
			item: "openings", want: "its path does not lead to the root"},
		{name: "a Merkle node", bundle: func(r *released) { r.bundle.Opened[3].Opening.Path[1][7] ^= 1 },
			item: "openings", want: "its path does not lead to the root"},
		{name: "an element for another", bundle: func(r *released) { r.bundle.Opened[0].Opening.Leaf = r.bundle.Opened[1].Opening.Leaf },
			item: "openings", want: "its path does not lead to the root"},
		{name: "an element not opened", bundle: func(r *released) { r.bundle.Opened = r.bundle.Opened[1:] },
			item: "sums", want: "only one aggregator's element is opened"},
		{name: "a statement's reports", bundle: func(r *released) { r.bundle.Statements[0].Reports++ }, item: "statements", want: "statement of the leader"},
		{name: "a statement's blanks", bundle: func(r *released) { r.bundle.Statements[1].Blanked = []uint32{} }, item: "statements", want: "statement of the helper"},
		{name: "a statement's noise", bundle: func(r *released) { r.bundle.Statements[2].Noise = "none" }, item: "statements", want: "statement of the leader"},
		{name: "a statement's list", bundle: func(r *released) { r.bundle.Statements[1].List[0] ^= 1 }, item: "statements", want: "differ in list"},
		{name: "a statement's software", bundle: func(r *released) { r.bundle.Statements[1].Software = "candor 9" }, item: "statements", want: "statement of the helper"},
		{name: "a statement missing", bundle: func(r *released) { r.bundle.Statements = r.bundle.Statements[1:] },
			item: "statements", want: "only one aggregator's statement is there"},
		{name: "all of a part missing", bundle: func(r *released) {
			task := r.bundle.Statements[0].Task
			r.bundle.Statements = r.bundle.Statements[2:]
			r.bundle.Opened = slices.DeleteFunc(r.bundle.Opened, func(e release.OpenedElement) bool { return e.Task == task })
		}, item: "figures", want: "hash-match"},
		{name: "another round document", bundle: func(r *released) {
			c := *r.Coalition
			d := *r.Document
			d.Release.P = "1/100" // and all three sign it
			c.Document = &d
			r.bundle.Round = c.Sign(t).Encode()
		}, item: "statements", want: "the round has no such task"},
		{name: "a round document with other rules", bundle: func(r *released) {
			d := *r.Document
			d.Release.P = "1/100"
			signed := r.Sign(t)
			signed.Document, signed.Text = &d, mustEncode(t, &d)
			if err := signed.Sign(round.BySecretariat, r.Secretariat); err != nil {
				t.Fatal(err)
			}
			r.bundle.Round = signed.Encode()
		}, item: "round document", want: "the signature of the leader is not one of this document"},
		{name: "a withheld cell put back", bundle: func(r *released) {
			f := r.find(t, release.WithheldCertificate, true)
			f.Value, f.CILow, f.CIHigh, f.Status = new(int64(900)), new(int64(888)), new(int64(912)), release.Published
		}, item: "figures", want: "the shares that it should be the sum of are not opened"},
		{name: "a withheld cell put back and opened", bundle: func(r *released) {
			f := r.find(t, release.WithheldCertificate, true)
			key := f.Key()
			for i := range r.Document.Parts {
				p := &r.Document.Parts[i]
				for k, cell := range p.Cells {
					if p.Instrument == key.Instrument && cell.Metric == key.Metric && cell.Code == key.Cell {
						opened, err := r.publication.Batches[i].Open([]int{k})
						if err != nil {
							t.Fatal(err)
						}
						r.bundle.Opened = append(r.bundle.Opened, opened...)
					}
				}
			}
			half := *r.find(t, release.Published, true).CIHigh - *r.find(t, release.Published, true).Value
			f.Value, f.CILow, f.CIHigh, f.Status = new(int64(900)), new(900-half), new(900+half), release.Published
		}, item: "release rules", want: "its certificate does not hold"},
		{name: "a blanked cell put back", bundle: func(r *released) {
			f := r.find(t, release.WithheldBlanked, false)
			f.Value, f.CILow, f.CIHigh, f.Status = new(int64(900)), new(int64(888)), new(int64(912)), release.Published
		}, item: "release rules", want: "it must be withheld-blanked"},
		{name: "a complementary cell put back", bundle: func(r *released) {
			f := r.find(t, release.WithheldComplementary, true)
			v := int64(20_977)
			f.Value, f.CILow, f.CIHigh, f.Status = &v, new(v-10), new(v+10), release.Published
		}, item: "release rules", want: "it is not shown, and follows from others"},
		{name: "a cell withheld at will", bundle: func(r *released) {
			f := r.find(t, release.Published, true)
			f.Value, f.CILow, f.CIHigh, f.Status = nil, nil, nil, release.WithheldMinimum
		}, item: "release rules", want: "the statements say otherwise"},
		{name: "few called published", bundle: func(r *released) { r.find(t, release.Few, false).Status = release.Published },
			item: "release rules", want: "it must be few"},
		{name: "a figure removed", bundle: func(r *released) {
			r.bundle.Figures = slices.Delete(r.bundle.Figures, 1, 2)
		}, item: "figures", want: "it is missing"},
		{name: "a withheld figure removed", bundle: func(r *released) {
			k := r.find(t, release.WithheldCertificate, true).Key()
			r.bundle.Figures = slices.DeleteFunc(r.bundle.Figures, func(f release.Figure) bool { return f.Key() == k })
		}, item: "figures", want: "it is missing"},
		{name: "a ratio", bundle: func(r *released) {
			for i := range r.bundle.Ratios {
				if q := &r.bundle.Ratios[i]; q.Value != nil && *q.CIHigh > *q.Value {
					*q.Value++
					return
				}
			}
			t.Fatal("no ratio is shown")
		}, item: "ratios", want: "line"},
		{name: "the code book", bundle: func(r *released) { r.bundle.CodeBook[0].Definition = "Something else." }, item: "code book", want: "catalogue"},
		{name: "the method note", bundle: func(r *released) { r.bundle.Method = append(r.bundle.Method, "More.\n"...) }, item: "method note", want: "round document"},
		{name: "the catalogue", bundle: func(r *released) {
			r.bundle.Catalogue = bytes.Replace(r.bundle.Catalogue, []byte("version"), []byte("versien"), 1)
		}, item: "catalogue", want: "catalogue"},
		{name: "a stale signature", stale: func(r *released) { r.bundle.Package.Title = "Other figures" }, item: "signatures", want: "release signature of"},
		{name: "no signature", stale: func(r *released) { r.bundle.Signatures = nil }, item: "signatures", want: "not signed by"},
		{name: "somebody else's signature", bundle: func(r *released) { r.Secretariat = r.Leader }, item: "signatures", want: "not signed by"},
		{name: "a second signature of a stranger", stale: func(r *released) {
			if err := r.bundle.Sign(r.Members[0]); err != nil {
				t.Fatal(err)
			}
		}, item: "signatures", want: "whom the round document does not name"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := copyOf(t, base)
			if c.bundle != nil {
				c.bundle(r)
				r.sign(t)
			}
			if c.stale != nil {
				c.stale(r)
			}
			var v publish.Verification
			if c.files != nil {
				files := maps.Clone(rendered)
				c.files(files)
				v = verifyFiles(files, base.pins())
			} else {
				files, err := r.bundle.Files()
				if err != nil {
					t.Fatal(err)
				}
				v = publish.Verify(files, nil, base.pins())
			}
			if v.OK() || !strings.HasPrefix(v.Verdict(), "NOT VERIFIED") {
				t.Fatalf("verified: %s", v.Verdict())
			}
			got := checkOf(v, c.item)
			if got.Outcome != publish.Failed || !strings.Contains(got.Detail, c.want) {
				t.Errorf("%s: %s, %q; want a failure with %q\nall: %+v", c.item, got.Outcome, got.Detail, c.want, v.Checks)
			}
		})
	}
}

// copyOf returns a deep copy of what tests alter, by way of the files.
func copyOf(t testing.TB, base *released) *released {
	t.Helper()
	files, err := base.bundle.Files()
	if err != nil {
		t.Fatal(err)
	}
	b, err := release.ParseBundle(maps.Clone(files))
	if err != nil {
		t.Fatal(err)
	}
	coalition := *base.Coalition
	return &released{Coalition: &coalition, publication: base.publication, bundle: b}
}
