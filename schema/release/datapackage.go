package release

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path"
	"strings"
)

// DataPackageName is the file that describes all others of a bundle, with their hashes.
const DataPackageName = "datapackage.json"

// A DataPackage is what a descriptor says beside its resources. It follows the Data Package and Table Schema
// specifications of Frictionless Data, version 1.
type DataPackage struct {
	Name        string // lower-case letters, digits, '-', '_' and '.'
	Title       string
	Description string
	Version     string // "1" for the first publication, then the number of the revision
	Licence     string // identifier in the Open Definition or SPDX list, "CC-BY-4.0"; "" = not stated
}

type descriptor struct {
	Profile     string     `json:"profile"`
	Name        string     `json:"name"`
	Title       string     `json:"title"`
	Description string     `json:"description,omitempty"`
	Version     string     `json:"version,omitempty"`
	Licences    []licence  `json:"licenses,omitempty"`
	Resources   []resource `json:"resources"`
}

type licence struct {
	Name string `json:"name"`
}

type resource struct {
	Name      string   `json:"name"`
	Path      string   `json:"path"`
	Profile   string   `json:"profile"`
	Format    string   `json:"format"`
	MediaType string   `json:"mediatype"`
	Encoding  string   `json:"encoding"`
	Bytes     int      `json:"bytes"`
	Hash      string   `json:"hash"`
	Dialect   *dialect `json:"dialect,omitempty"`
	Schema    *schema  `json:"schema,omitempty"`
}

type dialect struct {
	Delimiter      string `json:"delimiter"`
	LineTerminator string `json:"lineTerminator"`
	QuoteChar      string `json:"quoteChar"`
	DoubleQuote    bool   `json:"doubleQuote"`
	Header         bool   `json:"header"`
}

type schema struct {
	Fields        []field  `json:"fields"`
	MissingValues []string `json:"missingValues"`
}

type field struct {
	Name        string       `json:"name"`
	Type        string       `json:"type"`
	Description string       `json:"description"`
	Constraints *constraints `json:"constraints,omitempty"`
}

type constraints struct {
	Required bool     `json:"required,omitempty"`
	Enum     []string `json:"enum,omitempty"`
	Minimum  *int     `json:"minimum,omitempty"`
	Maximum  *int     `json:"maximum,omitempty"`
}

// Encode returns the descriptor of files, in the order of their names. The descriptor itself and the
// signatures on it are left out.
func (p DataPackage) Encode(files Files) ([]byte, error) {
	if err := files.Check(); err != nil {
		return nil, fmt.Errorf("encoding %s: %w", DataPackageName, err)
	}
	if err := checkPath(p.Name); err != nil || strings.Contains(p.Name, "/") {
		return nil, fmt.Errorf("encoding %s: the name %q is not of lower-case letters, digits, '-', '_' and '.'", DataPackageName, p.Name)
	}
	d := descriptor{Profile: "data-package", Name: p.Name, Title: p.Title, Description: p.Description, Version: p.Version, Resources: []resource{}}
	if p.Licence != "" {
		d.Licences = []licence{{p.Licence}}
	}
	for _, name := range files.Names() {
		if !described(name) {
			continue
		}
		sum := sha256.Sum256(files[name])
		format := strings.TrimPrefix(path.Ext(name), ".")
		r := resource{
			Name: strings.NewReplacer("/", "-", ".", "-").Replace(name), Path: name, Profile: "data-resource", Format: format,
			MediaType: mediaType(format), Encoding: "utf-8", Bytes: len(files[name]), Hash: "sha256:" + hex.EncodeToString(sum[:]),
		}
		if s := tableSchema(name); s != nil {
			r.Profile, r.Schema = "tabular-data-resource", s
			r.Dialect = &dialect{Delimiter: ",", LineTerminator: "\n", QuoteChar: `"`, DoubleQuote: true, Header: true}
		}
		d.Resources = append(d.Resources, r)
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(d); err != nil {
		return nil, fmt.Errorf("encoding %s: %w", DataPackageName, err)
	}
	return buf.Bytes(), nil
}

// ParseDataPackage checks that b is the descriptor of files, and returns what it says beside them. Any file that
// was changed, added or removed is an error that names it.
func ParseDataPackage(b []byte, files Files) (DataPackage, error) {
	var d descriptor
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&d); err != nil {
		return DataPackage{}, fmt.Errorf("parsing %s: %w", DataPackageName, err)
	}
	p := DataPackage{Name: d.Name, Title: d.Title, Description: d.Description, Version: d.Version}
	if len(d.Licences) > 0 {
		p.Licence = d.Licences[0].Name
	}
	listed := map[string]bool{}
	for _, r := range d.Resources {
		listed[r.Path] = true
		data, ok := files[r.Path]
		sum := sha256.Sum256(data)
		switch {
		case !ok:
			return DataPackage{}, fmt.Errorf("parsing %s: %s is listed and not there", DataPackageName, r.Path)
		case r.Bytes != len(data) || r.Hash != "sha256:"+hex.EncodeToString(sum[:]):
			return DataPackage{}, fmt.Errorf("parsing %s: %s is not the file that was listed: its hash differs", DataPackageName, r.Path)
		}
	}
	for _, name := range files.Names() {
		if described(name) && !listed[name] {
			return DataPackage{}, fmt.Errorf("parsing %s: %s is there and not listed", DataPackageName, name)
		}
	}
	encode := func(p DataPackage) ([]byte, error) { return p.Encode(files) }
	if err := checkEncoding(b, p, encode); err != nil {
		return DataPackage{}, fmt.Errorf("parsing %s: %w", DataPackageName, err)
	}
	return p, nil
}

func described(name string) bool { return name != DataPackageName && name != SignaturesName }

func mediaType(format string) string {
	switch format {
	case "csv":
		return "text/csv"
	case "json":
		return "application/json"
	case "md":
		return "text/markdown"
	}
	return "text/plain"
}

func tableSchema(name string) *schema {
	zero, one := 0, 1
	required := &constraints{Required: true}
	names := []field{
		{"round", "string", "Reporting round.", required},
		{"instrument", "string", "Instrument of the catalogue: a set of metrics.", required},
	}
	statusEnum := func(use func(Status) bool, what string) field {
		f := field{"status", "string", "Whether the " + what + " is shown, and if not, why.", &constraints{Required: true}}
		for _, s := range Statuses() {
			if use(s) {
				f.Constraints.Enum = append(f.Constraints.Enum, string(s))
				f.Description += " " + string(s) + ": " + s.Reason()
			}
		}
		return f
	}
	var fields []field
	switch name {
	case "figures.csv":
		fields = append(names,
			field{"metric", "string", "Metric of the instrument; codebook.csv has its words.", required},
			field{"cell", "string", "Code of the metric's breakdown; empty or total for the metric as a whole. Round, instrument, metric and cell together name a row.", nil},
			field{"value", "integer", "Estimate of the sum over all contributing organisations, in the metric's unit; may be negative, because of the noise. Empty where it is not shown.", nil},
			field{"ci_low", "integer", "Lower bound of the 95 % interval; of the possible values if the status is coarsened.", nil},
			field{"ci_high", "integer", "Upper bound, likewise.", nil},
			field{"noise_sd", "number", "Standard deviation of all noise in the value; 0 if there is none.", &constraints{Required: true, Minimum: &zero}},
			field{"contributors", "integer", "Organisations, or groups under one owner, that contributed.", &constraints{Required: true, Minimum: &zero}},
			statusEnum(func(s Status) bool { return !s.ForRatio() }, "figure"))
	case "ratios.csv":
		fields = append(names,
			field{"ratio", "string", "Ratio of the instrument; codebook.csv has its words.", required},
			field{"cell", "string", "Code of the breakdown; empty for the ratio as a whole.", nil},
			field{"value", "number", "Numerator over denominator, clipped to 0 and 1. Empty where it is not shown.", &constraints{Minimum: &zero, Maximum: &one}},
			field{"ci_low", "number", "Lower bound of the 95 % interval by Fieller's theorem, clipped likewise.", &constraints{Minimum: &zero, Maximum: &one}},
			field{"ci_high", "number", "Upper bound, likewise.", &constraints{Minimum: &zero, Maximum: &one}},
			field{"numerator", "integer", "Estimate above the line.", nil},
			field{"denominator", "integer", "Estimate below the line.", nil},
			statusEnum(func(s Status) bool { return s != Few && s != Coarsened }, "ratio"))
	case "codebook.csv":
		fields = []field{
			{"instrument", "string", "As in figures.csv and ratios.csv.", required},
			{"metric", "string", "Metric or ratio, as in figures.csv and ratios.csv.", required},
			{"cell", "string", "Code of the breakdown, likewise.", nil},
			{"label", "string", "Name for people.", required},
			{"unit", "string", "Unit of the value.", nil},
			{"definition", "string", "What is counted.", required},
		}
	default:
		return nil
	}
	return &schema{Fields: fields, MissingValues: []string{""}}
}
