package metric

import (
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"strings"
)

const (
	// maxExact is the largest whole number that JSON readers and spreadsheets hold exactly.
	maxExact = 1<<53 - 1
	// fieldModulus is that of Field64, the smaller one of VDAF.
	fieldModulus = 0xffffffff00000001
	// maxCells bounds an instrument, whose proofs grow with it.
	maxCells = 4096
)

// A checker checks the meaning of a catalogue that has the right form, resolves names, and reports problems by path.
type checker struct {
	c  *Catalogue
	at func(path, format string, args ...any)
}

func check(c *Catalogue, at func(path, format string, args ...any)) {
	ck := &checker{c: c, at: at}
	if c.Schema != Schema {
		at("schema", "schema is %q; this program reads %q", c.Schema, Schema)
	}
	if !isID(c.ID) {
		at("id", "id %q is not lower-case words joined by hyphens", c.ID)
	}
	if !isCode(c.Version) {
		at("version", "version %q has other characters than lower-case letters, digits, hyphens and full stops", c.Version)
	}
	if q := c.Conventions.AnnualQuarter; q < 1 || q > 4 {
		at("conventions.annual_quarter", "annual_quarter is %d, not 1 to 4", q)
	}
	if f := c.Conventions.HistoryFactor; f < 2 {
		at("conventions.history_factor", "history_factor is %d; it must be at least 2", f)
	}
	ck.vocabulary("bases", c.Bases, nil)
	ck.vocabulary("tiers", c.Tiers, []string{string(Core), string(Extended)})
	ck.vocabulary("releases", c.Releases, []string{string(AccountNoise), string(OrgNoise), string(SumRules)})
	var states []string
	for _, s := range States() {
		states = append(states, string(s))
	}
	ck.vocabulary("availability", c.Availability, states)
	ck.unique("frameworks", len(c.Frameworks), func(i int) (string, string) { return "id", c.Frameworks[i].ID })
	ck.codeLists()

	ck.ids("instruments", len(c.Instruments), func(i int) string { return c.Instruments[i].ID })
	for i := range c.Instruments {
		ck.instrument(fmt.Sprintf("instruments[%d]", i), &c.Instruments[i])
	}
	ck.unique("checks", len(c.Checks), func(i int) (string, string) { return "rule", c.Checks[i].Text })
	for i := range c.Checks {
		r, path := &c.Checks[i], fmt.Sprintf("checks[%d]", i)
		if r.Kind != Hard && r.Kind != Soft {
			at(path+".kind", "kind is %q, not hard or soft", r.Kind)
		}
		if err := r.resolve(c.Metric); err != nil && !errors.Is(err, errMalformedMetric) {
			at(path+".rule", "%v", err)
		}
	}
	ck.unusedLists()
}

// vocabulary checks ids and, if the set is fixed, that it is want in that order.
func (ck *checker) vocabulary(path string, words []Meaning, want []string) {
	ck.ids(path, len(words), func(i int) string { return words[i].ID })
	if want == nil {
		return
	}
	var have []string
	for _, w := range words {
		have = append(have, w.ID)
	}
	if !slices.Equal(have, want) {
		ck.at(path, "%s are %s; they must be %s", path, strings.Join(have, ", "), strings.Join(want, ", "))
	}
}

func (ck *checker) ids(path string, n int, id func(i int) string) {
	for i := range n {
		if !isID(id(i)) {
			ck.at(fmt.Sprintf("%s[%d].id", path, i), "id %q is not lower-case words joined by hyphens, at most 40 characters", id(i))
		}
	}
	ck.unique(path, n, func(i int) (string, string) { return "id", id(i) })
}

func (ck *checker) unique(path string, n int, name func(i int) (key, value string)) {
	first := map[string]int{}
	for i := range n {
		key, value := name(i)
		if j, twice := first[value]; twice {
			ck.at(fmt.Sprintf("%s[%d].%s", path, i, key), "%s %q occurs twice; %s[%d] has it, too", key, value, path, j)
			continue
		}
		first[value] = i
	}
}

func (ck *checker) codeLists() {
	lists := ck.c.CodeLists
	ck.ids("code_lists", len(lists), func(i int) string { return lists[i].ID })
	for i := range lists {
		l, path := &lists[i], fmt.Sprintf("code_lists[%d]", i)
		if !slices.Contains([]string{"codes", "buckets", "bands", "levels"}, l.Kind) {
			ck.at(path+".kind", "kind is %q, not codes, buckets, bands or levels", l.Kind)
		}
		if len(l.Codes) < 2 {
			ck.at(path+".codes", "list %q has %d codes; a list has at least 2", l.ID, len(l.Codes))
		}
		for j := range l.Codes {
			if code := l.Codes[j].Code; !isCode(code) || slices.Contains(reserved, code) {
				ck.at(fmt.Sprintf("%s.codes[%d].code", path, j), "code %q is not lower-case words joined by hyphens, or is a reserved word", code)
			}
		}
		ck.unique(path+".codes", len(l.Codes), func(j int) (string, string) { return "code", l.Codes[j].Code })
		l.checkRanges(func(j int, format string, args ...any) {
			ck.at(fmt.Sprintf("%s.codes[%d]", path, j), format, args...)
		})
	}
}

func (ck *checker) unusedLists() {
	used := map[string]bool{}
	for i := range ck.c.Instruments {
		for _, m := range ck.c.Instruments[i].Metrics {
			used[m.Codes], used[m.Magnitude] = true, true
		}
	}
	for i, l := range ck.c.CodeLists {
		if !used[l.ID] {
			ck.at(fmt.Sprintf("code_lists[%d].id", i), "no metric uses list %q; remove it", l.ID)
		}
	}
}

func (ck *checker) instrument(path string, in *Instrument) {
	if in.ID == "file" {
		ck.at(path+".id", "id %q is a reserved word", in.ID)
	}
	if in.Period != Quarter && in.Period != Year {
		ck.at(path+".period", "period is %q, not quarter or year", in.Period)
	}
	if in.Tier != Core && in.Tier != Extended {
		ck.at(path+".tier", "tier is %q, not core or extended", in.Tier)
	}
	if !slices.ContainsFunc(ck.c.Bases, func(m Meaning) bool { return m.ID == in.Basis }) {
		ck.at(path+".basis", "basis %q is not among bases", in.Basis)
	}
	ck.ids(path+".metrics", len(in.Metrics), func(i int) string { return in.Metrics[i].ID })
	cells := 0
	for i := range in.Metrics {
		m := &in.Metrics[i]
		m.instrument = in.ID
		ck.metric(fmt.Sprintf("%s.metrics[%d]", path, i), m)
		cells += m.Width()
	}
	if cells > maxCells {
		ck.at(path, "instrument %q has %d cells; the most is %d", in.ID, cells, maxCells)
	}
	for i := range in.Metrics {
		ck.bound(fmt.Sprintf("%s.metrics[%d].max", path, i), in, &in.Metrics[i])
	}
	ck.unique(path+".rules", len(in.Rules), func(i int) (string, string) { return "rule", in.Rules[i].Text })
	for i := range in.Rules {
		if err := in.Rules[i].resolve(in.Metric); err != nil && !errors.Is(err, errMalformedMetric) {
			ck.at(fmt.Sprintf("%s.rules[%d].rule", path, i), "%v", err)
		}
	}
	ck.ids(path+".ratios", len(in.Ratios), func(i int) string { return in.Ratios[i].ID })
	for i := range in.Ratios {
		r, path := &in.Ratios[i], fmt.Sprintf("%s.ratios[%d]", path, i)
		if in.Metric(r.ID) != nil {
			ck.at(path+".id", "id %q is that of a metric, too", r.ID)
		}
		if err := r.resolve(in.Metric); err != nil && !errors.Is(err, errMalformedMetric) {
			ck.at(path, "ratio %q: %v", r.ID, err)
		}
		ck.frameworks(path, r.Frameworks)
	}
	for i := range in.Metrics {
		ck.bandOf(fmt.Sprintf("%s.metrics[%d].band_of", path, i), in, &in.Metrics[i])
	}
}

func (ck *checker) metric(path string, m *Metric) {
	if !slices.Contains(types(), m.Type) {
		ck.at(path+".type", "type is %q, not one of %s", m.Type, joined(types()))
		m.malformed = true
		return
	}
	if m.Tier != Core && m.Tier != Extended {
		ck.at(path+".tier", "tier is %q, not core or extended", m.Tier)
	}
	needsCodes := m.Type.Histogram() || m.Type == YesNoSet || m.Type == Choice
	switch {
	case m.Codes == "" && needsCodes:
		ck.at(path, "a %s needs codes", m.Type)
		m.malformed = true
	case m.Codes != "" && m.Type == YesNo:
		ck.at(path+".codes", "a yes-no has no codes; a yes-no-set has")
	case m.Codes != "":
		if m.codes = ck.c.CodeList(m.Codes); m.codes == nil {
			m.malformed = true
			ck.at(path+".codes", "there is no code list %q", m.Codes)
		} else if m.Type.Histogram() && m.codes.Kind != "buckets" {
			ck.at(path+".codes", "list %q has kind %s; a histogram needs buckets", m.Codes, m.codes.Kind)
		}
	}
	ck.privacy(path, m)
	if m.Magnitude != "" {
		m.magnitude = ck.c.CodeList(m.Magnitude)
		switch {
		case !m.Type.Counts():
			ck.at(path+".magnitude", "a %s has no magnitude", m.Type)
		case m.magnitude == nil:
			ck.at(path+".magnitude", "there is no code list %q", m.Magnitude)
		default:
			if err := m.magnitude.coversCounts(); err != nil {
				ck.at(path+".magnitude", "%v", err)
			}
		}
	}
	if m.Public != nil && !m.Type.Counts() {
		ck.at(path+".public", "a %s has no largest value", m.Type)
	}
	ck.frameworks(path, m.Frameworks)
}

func (ck *checker) privacy(path string, m *Metric) {
	units := []PrivacyUnit{Item, Account, Person, Organisation}
	if !slices.Contains(units, m.PrivacyUnit) {
		ck.at(path+".privacy_unit", "privacy_unit is %q, not one of %s", m.PrivacyUnit, joined(units))
	}
	if m.UnitMax < 1 || m.UnitMax > max(m.Max, 1) {
		ck.at(path+".unit_max", "unit_max is %d; it must be from 1 to max", m.UnitMax)
	}
	if !m.Type.Counts() {
		if m.Max != 1 || m.UnitMax != 1 || m.PrivacyUnit != Organisation || m.Release != OrgNoise {
			ck.at(path, "a %s has max 1, privacy_unit organisation, unit_max 1 and release org-noise", m.Type)
		}
		return
	}
	switch m.Release {
	case SumRules:
	case AccountNoise:
		if m.PrivacyUnit == Organisation {
			ck.at(path+".release", "release account-noise cannot protect a whole organisation; use sum-rules, or another privacy_unit")
		}
	default:
		ck.at(path+".release", "release is %q; that of a %s is account-noise or sum-rules", m.Release, m.Type)
	}
}

// bound checks that the sum of MaxMembers largest values, each with noise and offset, fits the field as a signed number, and
// that without noise it is exact wherever figures are read.
func (ck *checker) bound(path string, in *Instrument, m *Metric) {
	if !m.Type.Counts() {
		return
	}
	if m.Max < 1 || m.Max > maxExact/MaxMembers {
		ck.at(path, "max is %d; %d members must add up to less than 2^53, so it is from 1 to %d", m.Max, MaxMembers, int64(maxExact/MaxMembers))
		return
	}
	if m.Release != AccountNoise {
		return
	}
	// Offset encoding: value + noise + B with B = 64·Δ/ε at ε = 1, so at most max + 2B.
	hi, lo := bits.Mul64(2*64, uint64(max(in.AccountLimit(), in.ItemLimit())))
	encoded, carry := bits.Add64(lo, uint64(m.Max), 0)
	over, sum := bits.Mul64(MaxMembers, encoded)
	if hi != 0 || carry != 0 || over != 0 || sum >= fieldModulus/2 {
		ck.at(path, "max %d with the offset of the instrument's noise does not fit the field for %d members", m.Max, MaxMembers)
	}
}

func (ck *checker) bandOf(path string, in *Instrument, m *Metric) {
	if m.BandOf == "" {
		return
	}
	switch {
	case m.Type != Choice || m.codes == nil:
		ck.at(path, "only a choice can be the band of a ratio")
	case in.Ratio(m.BandOf) == nil:
		ck.at(path, "instrument %q has no ratio %q", in.ID, m.BandOf)
	case m.codes.Unit != ppm || !m.codes.Codes[0].ranged() || m.codes.Codes[len(m.codes.Codes)-1].ranged():
		ck.at(path, "list %q needs ranges in %s and, last, a code without range", m.codes.ID, ppm)
	}
}

// reserved are words that stand for something else where codes stand: in figures files and releases.
var reserved = []string{Total, Yes, "state", "answer", "choice"}

// ppm is the unit of bands of ratios.
const ppm = "parts per million"

func (ck *checker) frameworks(path string, ids []string) {
	for i, id := range ids {
		if !slices.ContainsFunc(ck.c.Frameworks, func(f Framework) bool { return f.ID == id }) {
			ck.at(fmt.Sprintf("%s.frameworks[%d]", path, i), "framework %q is not among frameworks", id)
		}
		if slices.Index(ids, id) != i {
			ck.at(fmt.Sprintf("%s.frameworks[%d]", path, i), "framework %q occurs twice", id)
		}
	}
}

func joined[T ~string](words []T) string {
	var b strings.Builder
	for i, w := range words {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(string(w))
	}
	return b.String()
}
