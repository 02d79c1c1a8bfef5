package metric

import (
	"encoding/csv"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// ExportCSV returns the catalogue as a table with a line per value cell: RFC 4180, UTF-8, for spreadsheets.
func (c *Catalogue) ExportCSV() string {
	var b strings.Builder
	w := csv.NewWriter(&b)
	w.Write([]string{"instrument", "metric", "cell", "name", "definition", "cell_definition", "type", "unit", "max", "privacy_unit", "unit_max",
		"period", "basis", "tier", "release", "magnitude", "why", "pitfall", "frameworks"})
	for i := range c.Instruments {
		in := &c.Instruments[i]
		for j := range in.Metrics {
			m := &in.Metrics[j]
			for k, cell := range m.Cells() {
				definition := ""
				if m.codes != nil {
					definition = m.codes.Codes[k].Definition
				}
				w.Write([]string{in.ID, m.ID, cell.Code, m.Name, m.Definition, definition, string(m.Type), m.Unit, strconv.FormatInt(m.Max, 10),
					string(m.PrivacyUnit), strconv.FormatInt(m.UnitMax, 10), string(in.Period), in.Basis, string(m.Tier), string(m.Release),
					m.Magnitude, m.Why, m.Pitfall, strings.Join(m.Frameworks, " ")})
			}
		}
	}
	w.Flush() // to memory: no error
	return b.String()
}

// ExportMarkdown returns the catalogue as a document for readers.
func (c *Catalogue) ExportMarkdown() string {
	d := &document{}
	d.line("# %s", c.Title)
	d.line("")
	d.line("Catalogue `%s`, version %s, %s. SHA-256 of its canonical form: `%s`.", c.ID, c.Version, c.Status, c.Hash())
	d.line("")
	metrics, ratios, cells := 0, 0, 0
	for i := range c.Instruments {
		metrics, ratios, cells = metrics+len(c.Instruments[i].Metrics), ratios+len(c.Instruments[i].Ratios), cells+len(c.Instruments[i].Cells())
	}
	d.line("%d instruments, %d contributed metrics, %d ratios, %d cells.", len(c.Instruments), metrics, ratios, cells)
	d.table("Instrument", "Name", "Period", "Tier", "Metrics", "Ratios", "Cells")
	for i := range c.Instruments {
		in := &c.Instruments[i]
		d.row("`"+in.ID+"`", in.Name, string(in.Period), string(in.Tier), strconv.Itoa(len(in.Metrics)), strconv.Itoa(len(in.Ratios)), strconv.Itoa(len(in.Cells())))
	}
	c.exportConventions(d)
	for i := range c.Instruments {
		d.line("")
		d.line("## %d. %s (`%s`)", i+1, c.Instruments[i].Name, c.Instruments[i].ID)
		c.Instruments[i].export(d)
	}
	c.exportAnnexes(d)
	return d.String()
}

// Markdown returns one instrument as a document for readers.
func (in *Instrument) Markdown() string {
	d := &document{}
	d.line("# %s (`%s`)", in.Name, in.ID)
	in.export(d)
	return d.String()
}

func (in *Instrument) export(d *document) {
	d.line("")
	d.line("%s", in.Purpose)
	d.line("")
	d.line("Period: %s. Basis: %s. Tier: %s. Cells: %d. Who reports: %s.", in.Period, in.Basis, in.Tier, len(in.Cells()), in.Respondents)
	if limit := in.AccountLimit(); limit > 0 {
		d.line("One account changes the noisy counts of the instrument by at most %d in all.", limit)
	}
	d.table("Metric", "Definition", "Cells", "Privacy", "Why", "Serves")
	for i := range in.Metrics {
		m := &in.Metrics[i]
		name := fmt.Sprintf("`%s`<br>%s", m.ID, m.Name)
		if m.Tier == Extended {
			name += "<br>*extended*"
		}
		if m.Magnitude != "" {
			name += "<br>with magnitude"
		}
		kind := string(m.Type)
		if m.codes != nil {
			kind = fmt.Sprintf("%s, %d by %s", m.Type, len(m.codes.Codes), m.codes.ID)
		}
		if m.Type.Counts() {
			kind += fmt.Sprintf("; %s, at most %d", m.Unit, m.Max)
		}
		why := m.Why
		if m.Pitfall != "" {
			why += " Pitfall: " + m.Pitfall
		}
		d.row(name, m.Definition, kind, fmt.Sprintf("%s × %d, %s", m.PrivacyUnit, m.UnitMax, m.Release), why, strings.Join(m.Frameworks, ", "))
	}
	if len(in.Rules) > 0 {
		d.line("")
		d.line("Rules:")
		d.line("")
		for i := range in.Rules {
			d.line("- `%s`: %s.", in.Rules[i].Text, in.Rules[i].Explain())
		}
	}
	if len(in.Ratios) > 0 {
		d.line("")
		d.line("Ratios, computed from published sums and never contributed:")
		d.line("")
		for i := range in.Ratios {
			r := &in.Ratios[i]
			note := ""
			if r.Note != "" {
				note = " " + r.Note
			}
			d.line("- `%s`, %s: `(%s) / (%s)`.%s", r.ID, r.Name, r.Numerator, r.Denominator, note)
		}
	}
}

func (c *Catalogue) exportConventions(d *document) {
	d.line("")
	d.line("## Conventions")
	d.line("")
	d.line("Actions and reports are followed until %d days after the period; contributions are due %d days after it. Yearly instruments come with quarter %d.",
		c.Conventions.FollowUpDays, c.Conventions.DueDays, c.Conventions.AnnualQuarter)
	d.line("")
	for _, t := range c.Terms {
		d.line("- **%s**: %s", t.Term, t.Definition)
	}
	for _, section := range []struct {
		title string
		words []Meaning
	}{{"Basis", c.Bases}, {"Tier", c.Tiers}, {"Availability, one state per metric", c.Availability}, {"Release", c.Releases}} {
		d.line("")
		d.line("%s:", section.title)
		d.line("")
		for _, w := range section.words {
			d.line("- `%s`: %s", w.ID, w.Definition)
		}
	}
}

func (c *Catalogue) exportAnnexes(d *document) {
	d.line("")
	d.line("## Checks between instruments")
	d.line("")
	for i := range c.Checks {
		d.line("- `%s` (%s): %s.", c.Checks[i].Text, c.Checks[i].Kind, c.Checks[i].Explain())
	}
	for _, r := range c.OutsideChecks {
		d.line("- %s: %s.", r.What, r.Why)
	}
	d.line("")
	d.line("## Code lists")
	for i := range c.CodeLists {
		l := &c.CodeLists[i]
		d.line("")
		d.line("`%s`, %s:", l.ID, l.Title)
		d.line("")
		for j := range l.Codes {
			d.line("- `%s`: %s", l.Codes[j].Code, l.Codes[j].Definition)
		}
	}
	d.line("")
	d.line("## Frameworks")
	d.line("")
	d.line("A metric listed here is close to something that the framework asks for or recommends; definitions need not be identical.")
	d.table("Framework", "Metrics", "Source", "Checked against")
	for _, f := range c.Frameworks {
		d.row(f.ID, strings.Join(c.Serving(f.ID), ", "), f.Title, f.CheckedAgainst)
	}
	d.line("")
	d.line("## Left out, and why")
	d.line("")
	for _, r := range c.LeftOut {
		d.line("- **%s**: %s", r.What, r.Why)
	}
}

// Serving returns the paths of the metrics that serve a framework, in the order of the catalogue.
func (c *Catalogue) Serving(framework string) []string {
	var paths []string
	for i := range c.Instruments {
		for j := range c.Instruments[i].Metrics {
			if m := &c.Instruments[i].Metrics[j]; slices.Contains(m.Frameworks, framework) {
				paths = append(paths, m.Path())
			}
		}
	}
	return paths
}

// A document is Markdown in the making.
type document struct{ strings.Builder }

func (d *document) line(format string, args ...any) {
	fmt.Fprintf(d, format, args...)
	d.WriteByte('\n')
}

// table begins a table after an empty line.
func (d *document) table(columns ...string) {
	d.line("")
	d.row(columns...)
	d.line("|%s", strings.Repeat("---|", len(columns)))
}

// row writes a row; a bar would end a cell.
func (d *document) row(cells ...string) {
	for _, c := range cells {
		d.WriteString("| " + strings.ReplaceAll(c, "|", `\|`) + " ")
	}
	d.WriteString("|\n")
}
