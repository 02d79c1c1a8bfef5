package release

import (
	"bytes"
	"errors"
	"fmt"
)

// A Bundle is everything that a stranger needs to check a release: the figures and their words, and, where the
// round has them, the signed round document, both aggregators' statements, the opened elements of the
// published cells, and the secretariat's signatures. As files it is a folder or a .tar, always the same bytes.
type Bundle struct {
	Package   DataPackage
	Figures   []Figure
	Ratios    []Ratio
	CodeBook  []CodeBookEntry
	Revisions []Revision
	Method    []byte // method note, Markdown

	// Catalogue is the metric catalogue in its canonical form, and Pages are the words from which, with all else
	// in the bundle, the pages are rendered again. Both are verbatim; nil where a release has none.
	Catalogue, Pages []byte

	Round      []byte // signed round document, verbatim; nil in a release without a round
	Statements []SignedStatement
	Opened     []OpenedElement
	Earlier    []Earlier // releases that readers can compare with this one; nil if none

	Signatures []BundleSignature // see Sign
}

// The files of a bundle. Those from round.json on are there only with a round, and the last two only if the
// release has them.
const (
	figuresCSV   = "figures.csv"
	figuresJSON  = "figures.json"
	ratiosCSV    = "ratios.csv"
	ratiosJSON   = "ratios.json"
	codeBookCSV  = "codebook.csv"
	revisionsLog = "revisions.json"
	methodNote   = "method.md"
	roundFile    = "round.json"
	statementLog = "statements.json"
	openedFile   = "openings.json"
	earlierFile  = "earlier.json"
	catalogue    = "catalogue.json"
	pagesFile    = "pages.json"
)

// Check reports figures and ratios that the code book does not explain, and openings of cells of no statement.
func (b Bundle) Check() error {
	var errs []error
	explained := map[Key]bool{}
	for _, e := range b.CodeBook {
		explained[Key{"", e.Instrument, e.Metric, e.Cell}] = true
	}
	explain := func(kind string, k Key) {
		if !explained[Key{"", k.Instrument, k.Metric, k.Cell}] {
			errs = append(errs, fmt.Errorf("%s %s: the code book does not explain it", kind, k))
		}
	}
	for _, f := range b.Figures {
		explain("figure", f.Key())
	}
	for _, r := range b.Ratios {
		explain("ratio", r.Key())
	}
	if len(b.Method) == 0 {
		errs = append(errs, errors.New("the method note is empty"))
	}
	if len(b.Revisions) == 0 {
		errs = append(errs, errors.New("the revision log is empty; its first entry is the first publication"))
	}
	if b.Round == nil && (len(b.Statements) > 0 || len(b.Opened) > 0 || len(b.Earlier) > 0) {
		errs = append(errs, errors.New("statements, openings or earlier releases without the round document that they belong to"))
	}
	return errors.Join(errs...)
}

// Files returns the bundle's files, the descriptor included.
func (b Bundle) Files() (Files, error) {
	if err := b.Check(); err != nil {
		return nil, fmt.Errorf("encoding bundle: %w", err)
	}
	files := Files{methodNote: b.Method}
	var errs []error
	add := func(name string, data []byte, err error) {
		files[name] = data
		if err != nil {
			errs = append(errs, fmt.Errorf("encoding %s: %w", name, err))
		}
	}
	data, err := EncodeCSV(b.Figures)
	add(figuresCSV, data, err)
	data, err = EncodeJSON(b.Figures)
	add(figuresJSON, data, err)
	data, err = EncodeRatiosCSV(b.Ratios)
	add(ratiosCSV, data, err)
	data, err = EncodeRatiosJSON(b.Ratios)
	add(ratiosJSON, data, err)
	data, err = EncodeCodeBook(b.CodeBook)
	add(codeBookCSV, data, err)
	data, err = EncodeRevisions(b.Revisions)
	add(revisionsLog, data, err)
	for name, text := range map[string][]byte{catalogue: b.Catalogue, pagesFile: b.Pages} {
		if text != nil {
			add(name, text, nil)
		}
	}
	if b.Round != nil {
		add(roundFile, b.Round, nil)
		data, err = EncodeStatements(b.Statements)
		add(statementLog, data, err)
		data, err = EncodeOpened(b.Opened)
		add(openedFile, data, err)
	}
	if len(b.Earlier) > 0 {
		data, err = EncodeEarlier(b.Earlier)
		add(earlierFile, data, err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	data, err = b.Package.Encode(files)
	if err != nil {
		return nil, err
	}
	files[DataPackageName] = data
	if len(b.Signatures) > 0 {
		data, err = EncodeSignatures(b.Signatures)
		files[SignaturesName] = data
	}
	return files, err
}

// ParseBundle parses the files that Files returned and nothing else: a file that is missing, foreign, in another
// form, or not the one that the descriptor lists is an error that names it, and so is a CSV that differs from
// the JSON beside it. Signatures, paths and sums are left to the verifier.
func ParseBundle(files Files) (Bundle, error) {
	var b Bundle
	descriptor, ok := files[DataPackageName]
	if !ok {
		return Bundle{}, fmt.Errorf("parsing bundle: %s is missing", DataPackageName)
	}
	var err error
	if b.Package, err = ParseDataPackage(descriptor, files); err != nil {
		return Bundle{}, err
	}
	b.Method, b.Catalogue, b.Pages = files[methodNote], files[catalogue], files[pagesFile]
	parse := func(name string, parse func([]byte) error) {
		data, ok := files[name]
		switch {
		case err != nil:
		case !ok:
			err = fmt.Errorf("parsing bundle: %s is missing", name)
		default:
			if err = parse(data); err != nil {
				err = fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	parse(figuresJSON, func(data []byte) (err error) { b.Figures, err = ParseJSON(data); return err })
	parse(figuresCSV, func(data []byte) error { _, err := ParseCSV(data); return err })
	parse(ratiosJSON, func(data []byte) (err error) { b.Ratios, err = ParseRatiosJSON(data); return err })
	parse(ratiosCSV, func(data []byte) error { _, err := ParseRatiosCSV(data); return err })
	parse(codeBookCSV, func(data []byte) (err error) { b.CodeBook, err = ParseCodeBook(data); return err })
	parse(revisionsLog, func(data []byte) (err error) { b.Revisions, err = ParseRevisions(data); return err })
	if data, ok := files[roundFile]; ok {
		b.Round = data
		parse(statementLog, func(data []byte) (err error) { b.Statements, err = ParseStatements(data); return err })
		parse(openedFile, func(data []byte) (err error) { b.Opened, err = ParseOpened(data); return err })
	}
	if _, ok := files[earlierFile]; ok {
		parse(earlierFile, func(data []byte) (err error) { b.Earlier, err = ParseEarlier(data); return err })
	}
	if _, ok := files[SignaturesName]; ok {
		parse(SignaturesName, func(data []byte) (err error) { b.Signatures, err = ParseSignatures(data); return err })
	}
	if err != nil {
		return Bundle{}, err
	}
	again, err := b.Files()
	if err != nil {
		return Bundle{}, fmt.Errorf("parsing bundle: %w", err)
	}
	// The JSON files were taken for the truth; what was rendered from them must be what is there.
	for _, name := range files.Names() {
		if _, ok := again[name]; !ok {
			return Bundle{}, fmt.Errorf("parsing bundle: %s is no file of a bundle", name)
		}
	}
	for _, name := range files.Names() {
		if !bytes.Equal(again[name], files[name]) {
			return Bundle{}, fmt.Errorf("parsing bundle: %s does not say the same as the other files", name)
		}
	}
	return b, nil
}
