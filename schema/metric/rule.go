package metric

import (
	"errors"
	"fmt"
	"strings"
)

// A Rule is a linear relation between cells that holds for true figures.
//
//	rule = sum ("<=" | "==") sum
//	sum  = term {"+" term}
//	term = name | name "[" code "]" | name "[*]" | "total(" name ")"
//
// A name is the id of a metric with one cell, or, with brackets or in total, of one with codes; in a rule between
// instruments it is instrument.metric. name[code] is one cell, total(name) the sum over the codes. A rule with [*] holds code by
// code; then every term has it, and all have the same list of codes.
type Rule struct {
	Text string   `json:"rule"`
	Kind RuleKind `json:"kind,omitempty"` // of rules between instruments; "" is Hard
	Why  string   `json:"why"`            // why it holds, in words that can follow a semicolon

	parsed relation
}

// A RuleKind says what follows from breaking a rule.
type RuleKind string

const (
	Hard RuleKind = "hard" // an error
	Soft RuleKind = "soft" // a warning
)

// Soft reports whether breaking the rule is a warning only.
func (r *Rule) Soft() bool { return r.Kind == Soft }

type relation struct {
	left, right sum
	equal       bool
	each        *CodeList // of a rule with [*]
}

type sum []term

type term struct {
	name, code  string // as written
	total, each bool
	metric      *Metric
}

// String returns the term with the metric's full path.
func (t term) String() string {
	switch {
	case t.total:
		return "total(" + t.metric.Path() + ")"
	case t.each:
		return t.metric.Path() + "[*]"
	case t.code != "":
		return t.metric.Path() + "[" + t.code + "]"
	}
	return t.metric.Path()
}

func (s sum) String() string {
	texts := make([]string, len(s))
	for i, t := range s {
		texts[i] = t.String()
	}
	return strings.Join(texts, " + ")
}

// parseRelation parses the text of a rule; names are not resolved.
func parseRelation(text string) (relation, error) {
	var r relation
	left, right, ok := strings.Cut(text, "<=")
	if !ok {
		left, right, ok = strings.Cut(text, "==")
		r.equal = true
	}
	if !ok {
		return r, errors.New("a rule has <= or == between its two sides")
	}
	var err error
	if r.left, err = parseSum(left); err != nil {
		return r, err
	}
	r.right, err = parseSum(right)
	return r, err
}

func parseSum(text string) (sum, error) {
	var s sum
	for part := range strings.SplitSeq(text, "+") {
		t, err := parseTerm(strings.TrimSpace(part))
		if err != nil {
			return nil, err
		}
		s = append(s, t)
	}
	return s, nil
}

func parseTerm(text string) (term, error) {
	t := term{name: text}
	if inner, ok := strings.CutPrefix(text, "total("); ok {
		if t.name, ok = strings.CutSuffix(inner, ")"); !ok {
			return t, fmt.Errorf("%q has no closing parenthesis", text)
		}
		t.total = true
	} else if name, code, ok := strings.Cut(text, "["); ok {
		if t.code, ok = strings.CutSuffix(code, "]"); !ok {
			return t, fmt.Errorf("%q has no closing bracket", text)
		}
		t.name = name
		if t.code == "*" {
			t.code, t.each = "", true
		} else if !isCode(t.code) {
			return t, fmt.Errorf("%q is not a code", t.code)
		}
	}
	for part := range strings.SplitSeq(t.name, ".") {
		if !isID(part) {
			return t, fmt.Errorf("%q is not a metric; a term is a metric, metric[code], metric[*] or total(metric)", text)
		}
	}
	return t, nil
}

// errMalformedMetric says that a metric cannot be resolved because of a problem that is reported elsewhere.
var errMalformedMetric = errors.New("metric is malformed")

// resolve finds the metrics of s. lookup returns nil for an unknown name.
func (s sum) resolve(lookup func(name string) *Metric) error {
	for i := range s {
		t := &s[i]
		m := lookup(t.name)
		switch {
		case m == nil:
			return fmt.Errorf("there is no metric %q", t.name)
		case m.malformed:
			return errMalformedMetric
		case !m.Type.Counts() && m.Type != YesNoSet && m.Type != YesNo:
			return fmt.Errorf("%s is a choice, which has no number", m.Path())
		case (t.total || t.each || t.code != "") && m.codes == nil:
			return fmt.Errorf("%s has one cell; write its name alone", m.Path())
		case !t.total && !t.each && t.code == "" && m.codes != nil:
			return fmt.Errorf("%s has codes; write total(%s), %s[*] or %s[code]", m.Path(), t.name, t.name, t.name)
		case t.code != "" && m.codes.Index(t.code) < 0:
			return fmt.Errorf("list %s of %s has no code %q", m.codes.ID, m.Path(), t.code)
		}
		t.metric = m
	}
	return nil
}

// eachList returns the list of codes that the terms with [*] run over; nil if there are none.
func eachList(sums ...sum) (*CodeList, error) {
	var list *CodeList
	some, all := false, true
	for _, s := range sums {
		for _, t := range s {
			if !t.each {
				all = false
				continue
			}
			if some && t.metric.codes != list {
				return nil, fmt.Errorf("%s has codes %s, other terms have %s; [*] needs one list", t.metric.Path(), t.metric.codes.ID, list.ID)
			}
			some, list = true, t.metric.codes
		}
	}
	if some && !all {
		return nil, errors.New("some terms have [*] and others have not")
	}
	return list, nil
}

func (r *Rule) resolve(lookup func(name string) *Metric) error {
	parsed, err := parseRelation(r.Text)
	if err != nil {
		return err
	}
	if err := parsed.left.resolve(lookup); err != nil {
		return err
	}
	if err := parsed.right.resolve(lookup); err != nil {
		return err
	}
	if parsed.each, err = eachList(parsed.left, parsed.right); err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, t := range append(parsed.left[:len(parsed.left):len(parsed.left)], parsed.right...) {
		if seen[t.String()] {
			return fmt.Errorf("%s occurs twice", t)
		}
		seen[t.String()] = true
	}
	r.parsed = parsed
	return nil
}

// Metrics returns the paths of the rule's metrics, in order of appearance.
func (r *Rule) Metrics() []string {
	var paths []string
	seen := map[string]bool{}
	for _, s := range []sum{r.parsed.left, r.parsed.right} {
		for _, t := range s {
			if path := t.metric.Path(); !seen[path] {
				seen[path] = true
				paths = append(paths, path)
			}
		}
	}
	return paths
}

// An Equation is one relation of sums: the cells on its left add up to the same number as those on its right.
type Equation struct{ Left, Right []Sum }

// A Sum is the cells that a term of a rule adds up: all of a metric, or one of them.
type Sum struct {
	Metric *Metric
	Code   string // of the one cell; "" for the sum of all cells of the metric
}

// Equations returns what holds between sums by a rule with ==, one for each code where the rule has [*]; nil for a rule with <=. The rule must belong
// to a catalogue.
func (r *Rule) Equations() []Equation {
	if !r.parsed.equal {
		return nil
	}
	codes := []string{""}
	if r.parsed.each != nil {
		codes = nil
		for _, c := range r.parsed.each.Codes {
			codes = append(codes, c.Code)
		}
	}
	var list []Equation
	for _, code := range codes {
		side := func(s sum) (sums []Sum) {
			for _, t := range s {
				if t.each {
					sums = append(sums, Sum{t.metric, code})
				} else {
					sums = append(sums, Sum{t.metric, t.code})
				}
			}
			return sums
		}
		list = append(list, Equation{side(r.parsed.left), side(r.parsed.right)})
	}
	return list
}

// Explain returns the rule in plain words.
func (r *Rule) Explain() string {
	words := "must not be more than"
	if r.parsed.equal {
		words = "must equal"
	}
	text := fmt.Sprintf("%s %s %s; %s", r.parsed.left.words(), words, r.parsed.right.words(), r.Why)
	if r.parsed.each != nil {
		return "for each " + r.parsed.each.Title + ", " + text
	}
	return text
}

func (s sum) words() string {
	texts := make([]string, len(s))
	for i, t := range s {
		switch {
		case t.total:
			texts[i] = fmt.Sprintf("the total of “%s”", t.metric.Name)
		case t.code != "":
			texts[i] = fmt.Sprintf("“%s” for %s", t.metric.Name, t.code)
		default:
			texts[i] = fmt.Sprintf("“%s”", t.metric.Name)
		}
	}
	return strings.Join(texts, " plus ")
}

// isID reports whether s can name something: lower-case words joined by hyphens, at most 40 bytes.
func isID(s string) bool {
	return isCode(s) && !strings.ContainsAny(s, ".") && s[0] >= 'a'
}

// isCode is isID for codes, which may begin with a digit and contain full stops between other characters.
func isCode(s string) bool {
	if s == "" || len(s) > 40 {
		return false
	}
	last := byte('-')
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z' || c >= '0' && c <= '9':
		case (c == '-' || c == '.') && last != '-' && last != '.':
		default:
			return false
		}
		last = c
	}
	return last != '-' && last != '.'
}
