package publish

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"candor/crypto/sign"
	"candor/schema/metric"
	"candor/schema/release"
	"candor/schema/round"
)

// Trust is what a reader has pinned: fingerprints of keys, compared with their owners in a way that nobody can
// change.
type Trust struct {
	round.Trust `yaml:",inline"`
	// Releases are those whose signature beside the secretariat's counts, if they are fewer than the round documents name; empty: all of these.
	Releases []sign.Fingerprint `yaml:"releases,omitempty"`
}

// An Outcome is that of one check.
type Outcome string

// The outcomes. NotCheckable is said of what rests on values that the release hides, or on files that are not
// there: it is neither right nor wrong.
const (
	Passed       Outcome = "ok"
	Failed       Outcome = "FAIL"
	NotCheckable Outcome = "not checkable"
)

// A Check is one line of a verification.
type Check struct {
	Item    string  `json:"item"`
	Outcome Outcome `json:"outcome"`
	Detail  string  `json:"detail"`
}

// A Verification is what was found out about a release. Its checks say no more than was recomputed.
type Verification struct {
	Round  string  `json:"round"`
	Pinned bool    `json:"signers_pinned"`
	Checks []Check `json:"checks"`
}

// Count returns how many checks had an outcome.
func (v Verification) Count(o Outcome) (n int) {
	for _, c := range v.Checks {
		if c.Outcome == o {
			n++
		}
	}
	return n
}

// OK reports whether no check failed.
func (v Verification) OK() bool { return v.Count(Failed) == 0 && v.Count(Passed) > 0 }

// Verdict is the one sentence at the end.
func (v Verification) Verdict() string {
	if n := v.Count(Failed); n > 0 || !v.OK() {
		return fmt.Sprintf("NOT VERIFIED: %s failed", plural(n, "check", "checks"))
	}
	s := fmt.Sprintf("verified: %s passed", plural(v.Count(Passed), "check", "checks"))
	if n := v.Count(NotCheckable); n > 0 {
		s += fmt.Sprintf(", %d not checkable", n)
	}
	if !v.Pinned {
		s += "; signers unpinned"
	}
	return s
}

// A Location is where a release lies: Read returns a file by its slash-separated path, or an error that is
// fs.ErrNotExist. List returns the paths of all files; nil where a place cannot be listed, such as a web site.
type Location struct {
	Read func(path string) ([]byte, error)
	List func() ([]string, error)
}

// Verify recomputes a release from its files: signatures, statements, paths, sums of shares, offsets, intervals,
// every decision as far as public inputs decide it, ratios, words and pages. It needs no secret and asks nobody.
// files are the bundle; pages is where the rendered release lies, nil if only the bundle is there. Without trust
// the keys are those that the release itself names. earlier are releases that were published before, for the rule on differences.
func Verify(files release.Files, pages *Location, trust *Trust, earlier ...*Earlier) Verification {
	v := &verifier{earlier: earlier}
	v.Pinned = trust != nil
	v.run(files, pages, trust)
	return v.Verification
}

// A verifier is one run. Each step uses what earlier steps have filled in.
type verifier struct {
	Verification
	trust  *Trust
	bundle release.Bundle
	signed *round.Signed
	doc    *round.Document
	hash   release.Digest
	digest release.Digest // of the descriptor

	statements [][2]*release.Statement // by part
	catalogue  *metric.Catalogue       // nil in a calibration without one
	sums       *roundCells
	parts      []partSums

	earlier  []*Earlier
	compared int // of the recorded earlier releases
}

func (v *verifier) add(item string, err error, detail string, a ...any) bool {
	c := Check{item, Passed, fmt.Sprintf(detail, a...)}
	if err != nil {
		c.Outcome, c.Detail = Failed, strings.ReplaceAll(err.Error(), "\n", "; ")
	}
	v.Checks = append(v.Checks, c)
	return err == nil
}

func (v *verifier) unknown(item, detail string, a ...any) {
	v.Checks = append(v.Checks, Check{item, NotCheckable, fmt.Sprintf(detail, a...)})
}

func (v *verifier) run(files release.Files, pages *Location, trust *Trust) {
	v.trust = trust
	v.digest = sha256.Sum256(files[release.DataPackageName])
	var err error
	v.bundle, err = release.ParseBundle(files)
	if !v.add("files", err, "%d files as listed; CSV and JSON say the same", len(files)) {
		v.unknown("all else", "the files are not a bundle, so nothing else was looked at")
		return
	}
	if !v.document() {
		v.unknown("all else", "without a round document that holds, nothing else was looked at")
		return
	}
	v.add("signatures", v.signatures(), "%d of %d needed, by keys that the round document names, the secretariat's among them", len(v.bundle.Signatures), v.doc.Release.Signatures)
	v.add("statements", v.checkStatements(), "%d, of both aggregators on each task; they agree", len(v.bundle.Statements))
	paths := v.add("openings", v.openings(), "%d elements; each path leads to the root in its aggregator's statement", len(v.bundle.Opened))
	if err := v.checkCatalogue(); err != nil || v.catalogue != nil {
		v.add("catalogue", err, "it is the one that the round document names")
	} else {
		v.unknown("catalogue", "a calibration without one: the round document names its metrics and does not define them")
	}
	if v.cells() && paths {
		v.figures()
		v.differences()
		v.decisions()
		v.words()
	}
	v.pages(files, pages)
}

// document checks the round document by itself.
func (v *verifier) document() bool {
	signed, err := round.ParseSigned(v.bundle.Round)
	if v.bundle.Round == nil {
		err = errors.New("the bundle has none")
	}
	if err != nil {
		return v.add("round document", err, "")
	}
	v.signed, v.doc, v.Round = signed, signed.Document, signed.Document.ID
	pins, err := v.pins()
	if err == nil {
		err = signed.Verify(pins)
	}
	if problems := v.doc.Check(); err == nil && len(problems) > 0 {
		err = fmt.Errorf("it contradicts itself: %s", strings.Join(problems, "; "))
	}
	if err == nil && v.doc.Rehearsal {
		err = errors.New("it is a rehearsal, which is never released")
	}
	if hash, e := v.doc.Hash(); e == nil {
		v.hash = release.Digest(hash)
	} else {
		err = errors.Join(err, e)
	}
	return v.add("round document", err, "signed by the secretariat and both operators; short code %s", signed.Code())
}

// pins are the pinned keys, or else those that the document names.
func (v *verifier) pins() (round.Trust, error) {
	if v.trust != nil {
		return v.trust.Trust, nil
	}
	var t round.Trust
	for _, k := range []struct {
		text string
		pin  *sign.Fingerprint
	}{{v.doc.Secretariat, &t.Secretariat}, {v.doc.Leader.Key, &t.Leader}, {v.doc.Helper.Key, &t.Helper}} {
		key, err := sign.ParsePublicKey(k.text)
		if err != nil {
			return t, err
		}
		*k.pin = key.Fingerprint()
	}
	return t, nil
}

// signatures checks who signed the release: the secretariat and as many as the round asks for of those that its document names.
func (v *verifier) signatures() error {
	secretariat, err := sign.ParsePublicKey(v.doc.Secretariat)
	if err != nil {
		return err
	}
	errs := []error{v.bundle.VerifySignatures(secretariat)}
	if n := uint64(len(v.bundle.Signatures)); n < v.doc.Release.Signatures {
		errs = append(errs, fmt.Errorf("%d signatures; the round asks for %d", n, v.doc.Release.Signatures))
	}
	for _, s := range v.bundle.Signatures {
		switch {
		case s.Key == secretariat:
		case !slices.Contains(v.doc.Release.Signers, s.Key.String()):
			errs = append(errs, fmt.Errorf("it is signed by %s, whom the round document does not name", s.Key.Fingerprint()))
		case v.trust != nil && len(v.trust.Releases) > 0 && !slices.Contains(v.trust.Releases, s.Key.Fingerprint()):
			errs = append(errs, fmt.Errorf("it is signed by %s, which is not pinned", s.Key.Fingerprint()))
		}
	}
	return errors.Join(errs...)
}

// checkCatalogue reads the catalogue.
func (v *verifier) checkCatalogue() (err error) {
	v.catalogue, err = bundleCatalogue(v.bundle, v.doc)
	return err
}

// words recomputes ratios, code book, method note and page words as far as they follow from other inputs.
func (v *verifier) words() {
	d, b := v.doc, v.bundle
	if v.catalogue == nil {
		v.unknown("code book", "a calibration without a catalogue: its words are the secretariat's")
		v.add("ratios", mismatch(len(b.Ratios) > 0, "there are ratios without a catalogue that defines them"), "none: the round has no catalogue")
	} else {
		ratios := ratiosOf(d, v.catalogue, b.Figures)
		want, err1 := release.EncodeRatiosJSON(ratios)
		got, err2 := release.EncodeRatiosJSON(b.Ratios)
		v.add("ratios", errors.Join(err1, err2, mismatch(!bytes.Equal(want, got), "%s", firstDifference(want, got))), "%d, with their intervals, computed again from the figures", len(b.Ratios))
		book, err := CodeBook(v.catalogue, b.Figures, b.Ratios)
		v.add("code book", errors.Join(err, mismatch(!slices.Equal(book, b.CodeBook), "it does not say what the catalogue says")), "%d entries, as in the catalogue", len(b.CodeBook))
	}
	v.add("method note", mismatch(!bytes.Equal(b.Method, MethodNote(d)), "it does not say what the round document says"), "as the round document says")
}

// pages renders the pages again and compares every byte.
func (v *verifier) pages(files release.Files, at *Location) {
	if at == nil {
		v.unknown("pages", "only the bundle is here")
		return
	}
	if v.bundle.Pages == nil {
		v.unknown("pages", "the bundle does not say from which words they were made")
		return
	}
	words, err := parseWords(v.bundle.Pages)
	if err != nil {
		v.add("pages", err, "")
		return
	}
	want, err := renderBundle(v.bundle, func(b release.Bundle, d *round.Document) (*metric.Catalogue, error) {
		if v.catalogue != nil {
			return v.catalogue, nil
		}
		return bundleCatalogue(b, d)
	})
	if err != nil {
		v.add("pages", err, "")
		return
	}
	if words.Site != nil {
		v.quoted(words.Site)
	}
	var errs []error
	other, compared := words.Templates != templatesDigest, 0
	for _, name := range sortedNames(want) {
		_, isData := files[strings.TrimPrefix(name, dataDir)]
		if other && !isData && name != dataDir+archive && strings.HasSuffix(name, ".html") {
			continue
		}
		compared++
		got, err := at.Read(name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			errs = append(errs, fmt.Errorf("%s is missing", name))
		case err != nil:
			errs = append(errs, err)
		case !bytes.Equal(got, want[name]):
			errs = append(errs, fmt.Errorf("%s differs from what the bundle gives: %s", name, firstDifference(want[name], got)))
		}
	}
	if at.List != nil {
		there, err := at.List()
		errs = append(errs, err)
		for _, name := range there {
			if _, ok := want[name]; !ok {
				errs = append(errs, fmt.Errorf("%s is no file of the release", name))
			}
		}
	}
	v.add("pages", errors.Join(errs...), "%d files, rendered again from the bundle; every byte is the same", compared)
	if other {
		v.unknown("page templates", "the HTML was made with other templates than this program's: verify it with the release of the program of that time")
	}
}

func sortedNames(files map[string][]byte) []string {
	return release.Files(files).Names()
}

// mismatch is an error if wrong.
func mismatch(wrong bool, format string, a ...any) error {
	if !wrong {
		return nil
	}
	return fmt.Errorf(format, a...)
}

// firstDifference names the first line in which two texts differ.
func firstDifference(want, got []byte) string {
	a, b := bytes.Split(want, []byte("\n")), bytes.Split(got, []byte("\n"))
	for i := range max(len(a), len(b)) {
		if i >= len(a) || i >= len(b) || !bytes.Equal(a[i], b[i]) {
			return fmt.Sprintf("line %d", i+1)
		}
	}
	return "nothing"
}
