package metric

import (
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// Parse reads and checks a catalogue file. The error, if any, is of type Problems and has all of them.
func Parse(text []byte) (*Catalogue, error) {
	r := &reader{places: map[string]*token.Token{}}
	root := r.parseYAML(text)
	if root == nil {
		return nil, r.err()
	}
	c := &Catalogue{}
	r.object("", root, func(o *object) { readCatalogue(o, c) })
	// Checks of meaning would only repeat what is wrong with the form.
	if err := r.err(); err != nil {
		return nil, err
	}
	check(c, r.at)
	if err := r.err(); err != nil {
		return nil, err
	}
	c.canonical = canonical(c)
	c.hash = hash(c.canonical)
	return c, nil
}

func readCatalogue(o *object, c *Catalogue) {
	o.text("schema", &c.Schema)
	o.text("id", &c.ID)
	o.text("version", &c.Version)
	o.text("status", &c.Status)
	o.text("title", &c.Title)
	if node := o.member("conventions", true); node != nil {
		o.r.object("conventions", node, func(o *object) {
			o.integer("follow_up_days", &c.Conventions.FollowUpDays)
			o.integer("due_days", &c.Conventions.DueDays)
			o.integer("annual_quarter", &c.Conventions.AnnualQuarter)
			o.integer("history_factor", &c.Conventions.HistoryFactor)
		})
	}
	objects(o, "terms", false, &c.Terms, func(o *object, t *Term) {
		o.text("term", &t.Term)
		o.text("definition", &t.Definition)
	})
	for key, to := range map[string]*[]Meaning{"bases": &c.Bases, "tiers": &c.Tiers, "availability": &c.Availability, "releases": &c.Releases} {
		objects(o, key, true, to, func(o *object, m *Meaning) {
			o.text("id", &m.ID)
			o.text("definition", &m.Definition)
		})
	}
	objects(o, "code_lists", true, &c.CodeLists, readCodeList)
	objects(o, "frameworks", false, &c.Frameworks, func(o *object, f *Framework) {
		o.text("id", &f.ID)
		o.text("title", &f.Title)
		o.text("checked_against", &f.CheckedAgainst)
	})
	objects(o, "instruments", true, &c.Instruments, readInstrument)
	objects(o, "checks", false, &c.Checks, func(o *object, r *Rule) {
		readRule(o, r)
		word(o, "kind", true, &r.Kind)
	})
	for key, to := range map[string]*[]Remark{"outside_checks": &c.OutsideChecks, "left_out": &c.LeftOut} {
		objects(o, key, false, to, func(o *object, r *Remark) {
			o.text("what", &r.What)
			o.text("why", &r.Why)
		})
	}
}

func readCodeList(o *object, l *CodeList) {
	o.text("id", &l.ID)
	o.text("kind", &l.Kind)
	o.text("title", &l.Title)
	o.optionalText("unit", &l.Unit)
	objects(o, "codes", true, &l.Codes, func(o *object, c *Code) {
		o.text("code", &c.Code)
		o.text("definition", &c.Definition)
		o.optionalInteger("at_least", &c.AtLeast)
		o.optionalInteger("below", &c.Below)
		o.optionalInteger("exactly", &c.Exactly)
	})
}

func readInstrument(o *object, in *Instrument) {
	o.text("id", &in.ID)
	o.text("name", &in.Name)
	o.text("purpose", &in.Purpose)
	word(o, "period", true, &in.Period)
	o.text("basis", &in.Basis)
	word(o, "tier", true, &in.Tier)
	o.text("respondents", &in.Respondents)
	objects(o, "metrics", true, &in.Metrics, readMetric)
	objects(o, "rules", false, &in.Rules, readRule)
	objects(o, "ratios", false, &in.Ratios, func(o *object, r *Ratio) {
		o.text("id", &r.ID)
		o.text("name", &r.Name)
		o.text("numerator", &r.Numerator)
		o.text("denominator", &r.Denominator)
		o.optionalText("note", &r.Note)
		texts(o, "frameworks", &r.Frameworks)
	})
}

func readMetric(o *object, m *Metric) {
	o.text("id", &m.ID)
	o.text("name", &m.Name)
	o.text("definition", &m.Definition)
	word(o, "type", true, &m.Type)
	o.optionalText("codes", &m.Codes)
	o.text("unit", &m.Unit)
	o.integer("max", &m.Max)
	word(o, "privacy_unit", true, &m.PrivacyUnit)
	o.integer("unit_max", &m.UnitMax)
	word(o, "tier", true, &m.Tier)
	word(o, "release", true, &m.Release)
	o.optionalText("magnitude", &m.Magnitude)
	o.optionalText("band_of", &m.BandOf)
	if node := o.member("public", false); node != nil {
		m.Public = &Public{}
		o.r.object(o.join("public"), node, func(o *object) {
			o.integer("largest", &m.Public.Largest)
			o.text("what", &m.Public.What)
		})
	}
	o.text("why", &m.Why)
	o.optionalText("pitfall", &m.Pitfall)
	texts(o, "frameworks", &m.Frameworks)
}

func readRule(o *object, r *Rule) {
	o.text("rule", &r.Text)
	o.text("why", &r.Why)
}

// word reads a text into a type of its own.
func word[T ~string](o *object, key string, required bool, to *T) {
	var s string
	o.readText(key, required, &s)
	*to = T(s)
}

// texts reads an optional list of texts.
func texts(o *object, key string, to *[]string) {
	o.list(key, false, func(path string, node ast.Node) {
		*to = append(*to, o.r.text(path, node))
	})
}
