package metric

import (
	"fmt"
	"math/big"
	"slices"
)

// A Finding is one thing wrong, or worth a question, in a member's figures.
type Finding struct {
	Soft bool // a question that a reason answers; otherwise an error
	// Metrics are the paths of the metrics that the finding is about; a reason given for any of them answers a soft one.
	Metrics []string
	Cells   []Cell // at fault, the first one first; empty if the finding is about whole metrics
	Text    string // what is wrong, with the numbers
	Rule    string // the broken rule in plain words, "" if there is none
}

// Check returns everything wrong with a member's figures for the instruments, errors in the order of the catalogue and then
// questions. last, the member's figures of the last round of the same kind of period, may be nil. Rules are checked only
// between metrics whose own values are well-formed.
func (c *Catalogue) Check(f, last Figures, instruments []string) []Finding {
	good := make(Figures, len(f))
	var hard, soft []Finding
	for i := range c.Instruments {
		in := &c.Instruments[i]
		if !slices.Contains(instruments, in.ID) {
			continue
		}
		for j := range in.Metrics {
			m := &in.Metrics[j]
			findings := m.check(f)
			hard = append(hard, findings...)
			if len(findings) == 0 {
				good[m.Path()] = f[m.Path()]
			}
		}
		for j := range in.Rules {
			hard = append(hard, in.Rules[j].findings(good)...)
		}
		for j := range in.Metrics {
			m := &in.Metrics[j]
			hard = append(hard, m.checkBand(in, good)...)
			soft = append(soft, m.questions(good, last, c.Conventions.HistoryFactor)...)
		}
	}
	for i := range c.Checks {
		if r := &c.Checks[i]; r.Soft() {
			soft = append(soft, r.findings(good)...)
		} else {
			hard = append(hard, r.findings(good)...)
		}
	}
	return append(hard, soft...)
}

// check says what is wrong with the metric's own entry.
func (m *Metric) check(f Figures) []Finding {
	path := m.Path()
	one := func(cells []Cell, format string, args ...any) []Finding {
		return []Finding{{Metrics: []string{path}, Cells: cells, Text: fmt.Sprintf(format, args...)}}
	}
	e, ok := f[path]
	switch {
	case !ok:
		return one(nil, "%s is missing; give its state, and its values if it is measured or estimated", path)
	case !e.State.Valid():
		return one(nil, "%s has state %q; it is one of %s", path, e.State, joined(States()))
	case !e.State.Contributes() && len(e.Values) != 0:
		return one(m.Cells(), "%s is %s and has values; remove them, or change the state", path, e.State)
	case !e.State.Contributes():
		return nil
	case len(e.Values) != m.Width():
		return one(m.Cells(), "%s has %d values; it has %d cells", path, len(e.Values), m.Width())
	}
	var findings []Finding
	for i, v := range e.Values {
		if v < 0 || v > m.Max {
			findings = append(findings, one(m.Cells()[i:i+1], "%s is %d; it is from 0 to %d", m.Cells()[i], v, m.Max)...)
		}
	}
	if m.Type == Choice && len(findings) == 0 && e.Total() != 1 {
		findings = one(m.Cells(), "%s has %d answers; it has exactly one", path, e.Total())
	}
	return findings
}

func (r *Rule) findings(f Figures) []Finding {
	var findings []Finding
	for _, v := range r.Check(f) {
		findings = append(findings, Finding{Soft: r.Soft(), Metrics: r.Metrics(), Cells: v.Cells(), Text: v.String(), Rule: r.Explain()})
	}
	return findings
}

// checkBand compares a choice with the ratio of which it is the band.
func (m *Metric) checkBand(in *Instrument, f Figures) []Finding {
	e := f[m.Path()]
	if m.BandOf == "" || !e.State.Contributes() {
		return nil
	}
	ratio := in.Ratio(m.BandOf)
	for _, path := range ratio.metrics() {
		if !f[path].State.Contributes() {
			return nil // the member may know the rate from elsewhere
		}
	}
	want, computed := len(m.codes.Codes)-1, "has no value, because its denominator is 0"
	if rate, ok := ratio.Of(f); ok {
		want = m.codes.Band(new(big.Rat).Mul(rate, big.NewRat(1_000_000, 1)))
		computed = fmt.Sprintf("is %s = %s per cent", rate.RatString(), new(big.Rat).Mul(rate, big.NewRat(100, 1)).FloatString(3))
	}
	have := 0
	for have < len(e.Values)-1 && e.Values[have] == 0 {
		have++
	}
	if have == want {
		return nil
	}
	return []Finding{{Metrics: append([]string{m.Path()}, ratio.metrics()...), Cells: m.Cells()[have : have+1],
		Text: fmt.Sprintf("%s is %s; “%s” %s, which is %s", m.Path(), m.codes.Codes[have].Code, ratio.Name, computed, m.codes.Codes[want].Code),
		Rule: fmt.Sprintf("“%s” must be the band of “%s”, %s divided by %s", m.Name, ratio.Name, ratio.numerator.words(), ratio.denominator.words())}}
}

func (r *Ratio) metrics() []string {
	var paths []string
	for _, s := range []sum{r.numerator, r.denominator} {
		for _, t := range s {
			if !slices.Contains(paths, t.metric.Path()) {
				paths = append(paths, t.metric.Path())
			}
		}
	}
	return paths
}

// questions compares the metric's total with the member's last one and with the largest one published.
func (m *Metric) questions(f, last Figures, factor int64) []Finding {
	e := f[m.Path()]
	if !m.Type.Counts() || !e.State.Contributes() {
		return nil
	}
	var findings []Finding
	ask := func(format string, args ...any) {
		findings = append(findings, Finding{Soft: true, Metrics: []string{m.Path()}, Text: fmt.Sprintf(format, args...)})
	}
	total := e.Total()
	if m.Public != nil && total > m.Public.Largest {
		ask("total of %s is %d, more than the largest figure published so far, %d: %s", m.Path(), total, m.Public.Largest, m.Public.What)
	}
	if before, ok := last[m.Path()]; ok && before.State.Contributes() {
		switch was := before.Total(); {
		case was < 0 || changed(was, total) < smallChange:
		case total/factor >= was:
			ask("total of %s is %d and was %d in the last round: %d times as much or more", m.Path(), total, was, factor)
		case was/factor >= total:
			ask("total of %s is %d and was %d in the last round: a %s or less", m.Path(), total, was, fraction(factor))
		}
	}
	return findings
}

// smallChange is the difference between rounds that is never asked about: small numbers jump.
const smallChange = 10

func changed(a, b int64) int64 {
	if a > b {
		return a - b
	}
	return b - a
}

func fraction(n int64) string {
	switch n {
	case 2:
		return "half of that"
	case 3:
		return "third of that"
	case 4:
		return "quarter of that"
	}
	return fmt.Sprintf("%dth part of that", n)
}
