package release_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"strings"
	"testing"

	"candor/crypto/sign"
	"candor/schema/dap"
	"candor/schema/release"

	"github.com/google/go-cmp/cmp"
)

// testKey is a key of this test: every byte is b.
func testKey(t testing.TB, b byte) *sign.PrivateKey {
	t.Helper()
	key, err := sign.ParsePrivateKey(bytes.Repeat([]byte{b}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func statement(t testing.TB, role string) release.Statement {
	t.Helper()
	root, err := release.Root(leaves(4))
	if err != nil {
		t.Fatal(err)
	}
	return release.Statement{
		Role: role, Task: dap.TaskID{1, 2, 3}, Round: release.Digest{4}, Reports: 40, Checksum: release.Digest{5}, List: release.Digest{6},
		Noise: "none", Blanked: []uint32{2}, Elements: 4, Software: "candor 1.0", Root: root,
	}
}

func bundle(t testing.TB) release.Bundle {
	t.Helper()
	b := release.Bundle{
		Package: release.DataPackage{Name: "release-2026-q1", Title: "Figures of 2026 Q1", Description: "Sums over members.", Version: "2", Licence: "CC-BY-4.0"},
		Figures: sample(), Ratios: ratios(), Revisions: revisions(), Method: []byte("# Method\n"), Round: []byte(`{"id":"2026-q1"}`),
	}
	for _, f := range b.Figures {
		b.CodeBook = append(b.CodeBook, release.CodeBookEntry{Instrument: f.Instrument, Metric: f.Metric, Cell: f.Cell, Label: "Label", Unit: "items", Definition: "What is counted, exactly."})
	}
	for _, r := range b.Ratios {
		b.CodeBook = append(b.CodeBook, release.CodeBookEntry{Instrument: r.Instrument, Metric: r.Ratio, Cell: r.Cell, Label: "Label", Definition: "What is divided by what."})
	}
	for i, role := range []string{release.Leader, release.Helper} {
		s, err := release.SignStatement(testKey(t, byte(i+1)), statement(t, role))
		if err != nil {
			t.Fatal(err)
		}
		b.Statements = append(b.Statements, s)
		openings, err := release.Open(leaves(4), []int{0, 3})
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range openings {
			b.Opened = append(b.Opened, release.OpenedElement{Role: role, Task: s.Task, Opening: o})
		}
	}
	return b
}

func TestBundle(t *testing.T) {
	want := bundle(t)
	files, err := want.Files()
	if err != nil {
		t.Fatal(err)
	}
	got, err := release.ParseBundle(files)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the bundle parses differently:\n%s", diff)
	}
	archive, err := release.EncodeTar(files)
	if err != nil {
		t.Fatal(err)
	}
	unpacked, err := release.ParseTar(archive)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(files, unpacked); diff != "" {
		t.Errorf("the archive unpacks differently:\n%s", diff)
	}
	plain := want
	plain.Round, plain.Statements, plain.Opened = nil, nil, nil
	files, err = plain.Files()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := release.ParseBundle(files); err != nil || len(files) != 8 {
		t.Errorf("a bundle without a round: %d files, %v", len(files), err)
	}
}

// TestBundleTampered changes a byte of every file in turn, and adds and removes each, with and without mending
// the descriptor: the error names the file.
func TestBundleTampered(t *testing.T) {
	b := bundle(t)
	files, err := b.Files()
	if err != nil {
		t.Fatal(err)
	}
	mend := func(f release.Files) release.Files {
		delete(f, release.DataPackageName)
		data, err := b.Package.Encode(f)
		if err != nil {
			t.Fatal(err)
		}
		f[release.DataPackageName] = data
		return f
	}
	check := func(what, name string, f release.Files) {
		t.Helper()
		_, err := release.ParseBundle(f)
		if err == nil {
			t.Errorf("%s %s: parsed", what, name)
		} else if !strings.Contains(err.Error(), strings.TrimSuffix(strings.TrimSuffix(name, ".csv"), ".json")) {
			t.Errorf("%s %s: the error does not name it: %v", what, name, err)
		}
	}
	for name := range files {
		changed := maps.Clone(files)
		changed[name] = bytes.Replace(files[name], []byte("2"), []byte("3"), 1)
		if name == release.DataPackageName { // its title and name are whatever the signatures say they are
			changed[name] = bytes.Replace(files[name], []byte(`"hash": "sha256:`), []byte(`"hash": "sha256:0`), 1)
		}
		if bytes.Equal(changed[name], files[name]) {
			changed[name] = append(bytes.Clone(files[name]), ' ')
		}
		check("changed", name, changed)
		without := maps.Clone(files)
		delete(without, name)
		check("removed", name, without)
		if name != release.DataPackageName && name != "method.md" && name != "round.json" {
			delete(without, release.DataPackageName)
			check("removed and mended", name, mend(without))
		}
	}
	foreign := maps.Clone(files)
	foreign["notes.txt"] = []byte("x")
	check("added", "notes.txt", foreign)
	check("added and mended", "notes.txt", mend(foreign))
	// A digit changed in one data file, with the descriptor made anew: CSV and JSON contradict.
	for _, name := range []string{"figures.csv", "figures.json", "ratios.csv", "ratios.json"} {
		changed := maps.Clone(files)
		old, new := "35944829", "35944828"
		if strings.HasPrefix(name, "ratios") {
			old, new = "0.120000", "0.120001"
		}
		changed[name] = bytes.Replace(files[name], []byte(old), []byte(new), 1)
		if bytes.Equal(changed[name], files[name]) {
			t.Fatalf("%s holds no %s", name, old)
		}
		_, err := release.ParseBundle(mend(changed))
		if err == nil || !strings.Contains(err.Error(), "does not say the same") {
			t.Errorf("%s with one digit changed: %v", name, err)
		}
	}
}

func TestBundleSignatures(t *testing.T) {
	b := bundle(t)
	secretariat, second := testKey(t, 7), testKey(t, 8)
	if err := b.VerifySignatures(secretariat.PublicKey()); err == nil {
		t.Error("an unsigned bundle is signed")
	}
	for _, key := range []*sign.PrivateKey{secretariat, second} {
		if err := b.Sign(key); err != nil {
			t.Fatal(err)
		}
	}
	files, err := b.Files()
	if err != nil {
		t.Fatal(err)
	}
	back, err := release.ParseBundle(files)
	if err != nil {
		t.Fatal(err)
	}
	if err := back.VerifySignatures(secretariat.PublicKey(), second.PublicKey()); err != nil {
		t.Error(err)
	}
	if err := back.VerifySignatures(testKey(t, 9).PublicKey()); err == nil {
		t.Error("signed by a key that did not sign")
	}
	stale := back
	stale.Figures = append([]release.Figure(nil), back.Figures...)
	stale.Figures[0].Value = new(int64(35944830))
	if err := stale.VerifySignatures(); err == nil {
		t.Error("a signature holds on other figures")
	}
	renamed := back
	renamed.Package.Title = "Something else"
	if err := renamed.VerifySignatures(); err == nil {
		t.Error("a signature holds on another title")
	}
	if err := b.Sign(second); err == nil {
		if _, err := b.Files(); err == nil {
			t.Error("one key signed twice")
		}
	}
}

func TestBundleCheck(t *testing.T) {
	for name, change := range map[string]func(*release.Bundle){
		"unexplained":              func(b *release.Bundle) { b.CodeBook = b.CodeBook[1:] },
		"no method":                func(b *release.Bundle) { b.Method = nil },
		"no revisions":             func(b *release.Bundle) { b.Revisions = nil },
		"statements without round": func(b *release.Bundle) { b.Round = nil },
		"explained twice":          func(b *release.Bundle) { b.CodeBook = append(b.CodeBook, b.CodeBook[0]) },
		"package name":             func(b *release.Bundle) { b.Package.Name = "Q 1" },
		"figure":                   func(b *release.Bundle) { b.Figures[0].Contributors = -1 },
		"statement twice":          func(b *release.Bundle) { b.Statements = append(b.Statements, b.Statements[0]) },
		"opened twice":             func(b *release.Bundle) { b.Opened = append(b.Opened, b.Opened[0]) },
	} {
		b := bundle(t)
		change(&b)
		if _, err := b.Files(); err == nil {
			t.Errorf("%s: encoded", name)
		}
	}
}

func TestStatements(t *testing.T) {
	leader, helper := statement(t, release.Leader), statement(t, release.Helper)
	helper.Software, helper.Root = "candor 1.1", release.Digest{9}
	if err := release.Agree(leader, helper); err != nil {
		t.Errorf("statements that agree: %v", err)
	}
	key := testKey(t, 1)
	signed, err := release.SignStatement(key, leader)
	if err != nil {
		t.Fatal(err)
	}
	if err := signed.Verify(key.PublicKey()); err != nil {
		t.Error(err)
	}
	if err := signed.Verify(testKey(t, 2).PublicKey()); err == nil {
		t.Error("another key verifies")
	}
	for name, change := range map[string]func(*release.Statement){
		"role": func(s *release.Statement) { s.Role = release.Helper }, "task": func(s *release.Statement) { s.Task[0]++ },
		"round": func(s *release.Statement) { s.Round[0]++ }, "reports": func(s *release.Statement) { s.Reports++ },
		"checksum": func(s *release.Statement) { s.Checksum[0]++ }, "list": func(s *release.Statement) { s.List[0]++ },
		"noise": func(s *release.Statement) { s.Noise = "dlap:1/1" }, "blanked": func(s *release.Statement) { s.Blanked = []uint32{1} },
		"elements": func(s *release.Statement) { s.Elements++ }, "software": func(s *release.Statement) { s.Software += "x" },
		"root": func(s *release.Statement) { s.Root[0]++ },
	} {
		changed := signed
		change(&changed.Statement)
		if err := changed.Verify(key.PublicKey()); err == nil {
			t.Errorf("%s changed and the signature holds", name)
		}
		if err := release.Agree(changed.Statement, helper); (err == nil) != (name == "software" || name == "root") {
			t.Errorf("%s changed: Agree says %v", name, err)
		}
	}
	for name, change := range map[string]func(*release.Statement){
		"role": func(s *release.Statement) { s.Role = "x" }, "no reports": func(s *release.Statement) { s.Reports = 0 }, "no elements": func(s *release.Statement) { s.Elements = 0 },
		"no list": func(s *release.Statement) { s.Blanked = nil }, "beyond": func(s *release.Statement) { s.Blanked = []uint32{4} },
		"order": func(s *release.Statement) { s.Blanked = []uint32{2, 1} }, "no noise": func(s *release.Statement) { s.Noise = "" },
	} {
		s := statement(t, release.Leader)
		change(&s)
		if _, err := release.SignStatement(key, s); err == nil {
			t.Errorf("%s: signed", name)
		}
	}
}

func TestOpenedElement(t *testing.T) {
	s := statement(t, release.Leader)
	openings, err := release.Open(leaves(4), []int{1, 2})
	if err != nil {
		t.Fatal(err)
	}
	good := release.OpenedElement{Role: release.Leader, Task: s.Task, Opening: openings[0]}
	if err := good.Verify(s); err != nil {
		t.Error(err)
	}
	blanked := good
	blanked.Opening = openings[1]
	if err := blanked.Verify(s); err == nil || !strings.Contains(err.Error(), "blanked") {
		t.Errorf("a blanked element: %v", err)
	}
	for name, change := range map[string]func(*release.OpenedElement){
		"role": func(e *release.OpenedElement) { e.Role = release.Helper }, "task": func(e *release.OpenedElement) { e.Task[1]++ },
		"element": func(e *release.OpenedElement) { e.Opening.Element[0] ^= 1 }, "size": func(e *release.OpenedElement) { e.Opening.Size++ },
		"salt": func(e *release.OpenedElement) { e.Opening.Salt[0] ^= 1 }, "index": func(e *release.OpenedElement) { e.Opening.Index-- },
	} {
		e := good
		e.Opening.Element = bytes.Clone(good.Opening.Element)
		change(&e)
		if err := e.Verify(s); err == nil {
			t.Errorf("%s changed and the element still verifies", name)
		}
	}
}

// TestDataPackage reads the descriptor as any program would.
func TestDataPackage(t *testing.T) {
	files, err := bundle(t).Files()
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Profile, Name string
		Resources     []struct {
			Name, Path, Profile, Hash string
			Bytes                     int
			Schema                    *struct {
				Fields []struct{ Name, Type string }
			}
		}
	}
	if err := json.Unmarshal(files[release.DataPackageName], &d); err != nil {
		t.Fatal(err)
	}
	if d.Profile != "data-package" || d.Name != "release-2026-q1" || len(d.Resources) != len(files)-1 {
		t.Errorf("profile %q, name %q, %d resources of %d files", d.Profile, d.Name, len(d.Resources), len(files))
	}
	for _, r := range d.Resources {
		if r.Bytes != len(files[r.Path]) || !strings.HasPrefix(r.Hash, "sha256:") {
			t.Errorf("%s: %d bytes, hash %s", r.Path, r.Bytes, r.Hash)
		}
		if strings.HasSuffix(r.Path, ".csv") {
			header, _, _ := strings.Cut(string(files[r.Path]), "\n")
			var names []string
			for _, f := range r.Schema.Fields {
				names = append(names, f.Name)
			}
			if strings.Join(names, ",") != header || r.Profile != "tabular-data-resource" {
				t.Errorf("%s: fields %v for columns %s", r.Path, names, header)
			}
		} else if r.Schema != nil {
			t.Errorf("%s has a table schema", r.Path)
		}
	}
}

func FuzzParseCodeBook(f *testing.F) {
	f.Add([]byte("instrument,metric,cell,label,unit,definition\nhash-match,matched,,Matches,items,\"Items, each once.\"\n"))
	f.Fuzz(func(t *testing.T, b []byte) { checkStrict(t, b, release.ParseCodeBook, release.EncodeCodeBook) })
}

func FuzzParseStatements(f *testing.F) {
	b, err := release.EncodeStatements(bundle(f).Statements)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) { checkStrict(t, b, release.ParseStatements, release.EncodeStatements) })
}

func FuzzParseSignatures(f *testing.F) {
	b := bundle(f)
	if err := b.Sign(testKey(f, 3)); err != nil {
		f.Fatal(err)
	}
	text, err := release.EncodeSignatures(b.Signatures)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Fuzz(func(t *testing.T, b []byte) { checkStrict(t, b, release.ParseSignatures, release.EncodeSignatures) })
}

func FuzzParseOpened(f *testing.F) {
	b, err := release.EncodeOpened(bundle(f).Opened)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) { checkStrict(t, b, release.ParseOpened, release.EncodeOpened) })
}

func FuzzParseDataPackage(f *testing.F) {
	files := release.Files{"figures.csv": []byte(sampleCSV), "method.md": []byte("x")}
	b, err := (release.DataPackage{Name: "x", Title: "X"}).Encode(files)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		checkStrict(t, b, func(b []byte) (release.DataPackage, error) { return release.ParseDataPackage(b, files) },
			func(p release.DataPackage) ([]byte, error) { return p.Encode(files) })
	})
}
