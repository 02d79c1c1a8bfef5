package metric_test

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"candor/schema/metric"

	"github.com/google/go-cmp/cmp"
)

// A ruleCase is a rule of the standard catalogue as this test reads it, without help from the parser under test.
type ruleCase struct {
	rule        *metric.Rule
	left, right []ruleTerm
	equal       bool
}

type ruleTerm struct {
	metric      *metric.Metric
	code        string
	total, each bool
}

var termPattern = regexp.MustCompile(`^(total\()?([a-z.-]+)(?:\[([^\]]+)\])?\)?$`)

func ruleCases(t *testing.T) []ruleCase {
	t.Helper()
	var cases []ruleCase
	add := func(r *metric.Rule, lookup func(string) *metric.Metric) {
		c := ruleCase{rule: r}
		sides := strings.Split(r.Text, " <= ")
		if len(sides) != 2 {
			sides, c.equal = strings.Split(r.Text, " == "), true
		}
		for i, to := range []*[]ruleTerm{&c.left, &c.right} {
			for text := range strings.SplitSeq(sides[i], " + ") {
				m := termPattern.FindStringSubmatch(text)
				if m == nil {
					t.Fatalf("term %q of rule %q does not have the form that this test reads", text, r.Text)
				}
				term := ruleTerm{metric: lookup(m[2]), code: m[3], total: m[1] != ""}
				if term.code == "*" {
					term.code, term.each = "", true
				}
				*to = append(*to, term)
			}
		}
		cases = append(cases, c)
	}
	for i := range standard.Instruments {
		in := &standard.Instruments[i]
		for j := range in.Rules {
			add(&in.Rules[j], in.Metric)
		}
	}
	for i := range standard.Checks {
		add(&standard.Checks[i], standard.Metric)
	}
	return cases
}

// set puts value into one cell of the term, for a code of a rule with [*], and returns the name that an error gives it.
func (r ruleTerm) set(f metric.Figures, code int, value int64) string {
	e, ok := f[r.metric.Path()]
	if !ok {
		e = metric.Entry{State: metric.Measured, Values: make([]int64, r.metric.Width())}
		f[r.metric.Path()] = e
	}
	cell := 0
	switch {
	case r.each:
		cell = code
	case r.code != "":
		cell = r.metric.CodeList().Index(r.code)
	case r.total:
		cell = code % r.metric.Width() // any cell counts
		e.Values[cell] = value
		return "total(" + r.metric.Path() + ")"
	}
	e.Values[cell] = value
	return r.metric.Cells()[cell].String()
}

// TestEveryRule generates from each rule, and for each code of its [*], figures that keep it by nothing to spare and figures
// that break it by one.
func TestEveryRule(t *testing.T) {
	checked := 0
	for _, c := range ruleCases(t) {
		codes := 1
		if c.left[0].each {
			codes = c.left[0].metric.Width()
		}
		answers := !c.left[0].metric.Type.Counts()
		for code := range codes {
			example := func(excess int64) (f metric.Figures, names []string, left, right int64) {
				f = metric.Figures{}
				for i, term := range c.left {
					value := int64(7 + 10*i)
					if answers {
						value = 1
					}
					names = append(names, term.set(f, code, value))
					left += value
				}
				right = left - excess
				for i, term := range c.right {
					value := int64(0)
					if i == len(c.right)-1 {
						value = right
					}
					names = append(names, term.set(f, code, value))
				}
				return f, names, left, right
			}
			name := fmt.Sprintf("%s/%d", c.rule.Text, code)

			keeps, _, _, _ := example(0)
			if broken := c.rule.Check(keeps); len(broken) > 0 {
				t.Errorf("%s: figures that keep the rule: %s", name, &broken[0])
			}
			if !c.rule.Checkable(keeps) {
				t.Errorf("%s: not checkable though all values are there", name)
			}
			excesses := []int64{1}
			if c.equal {
				excesses = append(excesses, -1)
			} else if less, _, _, _ := example(-1); !answers && len(c.rule.Check(less)) > 0 {
				t.Errorf("%s: figures with one to spare break the rule", name)
			}
			for _, excess := range excesses {
				breaks, names, left, right := example(excess)
				broken := c.rule.Check(breaks)
				if len(broken) != 1 {
					t.Errorf("%s: figures that break the rule by %d: %d violations, want 1", name, excess, len(broken))
					continue
				}
				checked++
				text := broken[0].String()
				for _, want := range append(names, strconv.FormatInt(left, 10), strconv.FormatInt(right, 10), c.rule.Why) {
					if !strings.Contains(text, want) {
						t.Errorf("%s: error %q does not contain %q", name, text, want)
					}
				}
				if cells := broken[0].Cells(); len(cells) < 2 {
					t.Errorf("%s: violation has cells %v", name, cells)
				}
			}
		}
	}
	if checked != 195 {
		t.Errorf("%d broken rules were checked; the catalogue has 195, counting each code", checked)
	}
}

func TestViolationText(t *testing.T) {
	tests := map[string]struct {
		instrument string
		rule       int
		figures    metric.Figures
		want       []string
		explain    string
	}{
		"code by code": {
			instrument: "novel-detect", rule: 2,
			figures: metric.Figures{
				"novel-detect.appealed":    {State: metric.Measured, Values: []int64{0, 9, 0, 0, 0, 0, 0, 0, 0, 6}},
				"novel-detect.confirmed":   {State: metric.Measured, Values: []int64{0, 5, 0, 0, 0, 0, 0, 0, 0, 5}},
				"novel-detect.policy-only": {State: metric.Estimated, Values: []int64{0, 3, 0, 0, 0, 0, 0, 0, 0, 0}},
			},
			want: []string{
				"novel-detect.confirmed[classifier] + novel-detect.policy-only[classifier] is 5 + 3 = 8; novel-detect.appealed[classifier] is 9 and must not be more than that: an appeal here is against a removal that followed one of these decisions",
				"novel-detect.confirmed[other] + novel-detect.policy-only[other] is 5 + 0 = 5; novel-detect.appealed[other] is 6 and must not be more than that: an appeal here is against a removal that followed one of these decisions",
			},
			explain: "for each method of first identification, “Actions appealed” must not be more than “Confirmed new CSAM” plus “Policy violations that are not apparent CSAM”; an appeal here is against a removal that followed one of these decisions",
		},
		"equality": {
			instrument: "reach-time", rule: 1,
			figures: metric.Figures{
				"reach-time.views":       {State: metric.Measured, Values: []int64{1, 2, 3, 4, 5, 6}},
				"reach-time.removed-all": {State: metric.Measured, Values: []int64{20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}},
			},
			want:    []string{"total(reach-time.removed-all) is 20; total(reach-time.views) is 21 and must equal that: every removed item has one number of views"},
			explain: "the total of “Views before removal” must equal the total of “CSEA items removed, all routes”; every removed item has one number of views",
		},
		"missing on the left is at least 0": {
			instrument: "hash-match", rule: 0,
			figures: metric.Figures{
				"hash-match.matched":   {State: metric.Measured, Values: []int64{4, 0, 0, 0, 0, 0, 0}},
				"hash-match.confirmed": {State: metric.Measured, Values: []int64{5, 0, 0, 0, 0, 0, 0}},
				"hash-match.rejected":  {State: metric.NotMeasured},
			},
			want:    []string{"hash-match.matched[image] is 4; hash-match.confirmed[image] is 5 and must not be more than that: a match is decided once, one way or the other"},
			explain: "for each media type, “Matches confirmed on review” plus “False matches” must not be more than “Matches”; a match is decided once, one way or the other",
		},
		"missing on the right is unknown": {
			instrument: "hash-match", rule: 1,
			figures: metric.Figures{
				"hash-match.matched": {State: metric.NotMeasured},
				"hash-match.removed": {State: metric.Measured, Values: []int64{5, 0, 0, 0, 0, 0, 0}},
			},
			explain: "for each media type, “Items removed or disabled” must not be more than “Matches”; only matched items count as removed here",
		},
		"equality with one summand missing is a bound": {
			instrument: "user-report", rule: 1,
			figures: metric.Figures{
				"user-report.to-decision":  {State: metric.Measured, Values: []int64{1, 1, 1, 1, 1, 1, 1, 1}},
				"user-report.actioned":     {State: metric.Measured, Values: []int64{9, 0, 0, 0, 0, 0}},
				"user-report.not-actioned": {State: metric.NotApplicable},
			},
			want:    []string{"total(user-report.to-decision) is 8; total(user-report.actioned) is 9 and must not be more than that even without the metrics that are not contributed: every decided report has one time to decision"},
			explain: "the total of “Time to decision” must equal the total of “Reports leading to action” plus the total of “Reports with no action”; every decided report has one time to decision",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			rule := &standard.Instrument(test.instrument).Rules[test.rule]
			var got []string
			for _, v := range rule.Check(test.figures) {
				got = append(got, v.String())
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("violations differ (-want +got):\n%s", diff)
			}
			if got := rule.Explain(); got != test.explain {
				t.Errorf("rule in words is\n%s, want\n%s", got, test.explain)
			}
		})
	}
}

func TestParseRuleErrors(t *testing.T) {
	for text, want := range map[string]string{
		"a < b":            "a rule has <= or == between its two sides",
		"a <= ":            `"" is not a metric; a term is a metric, metric[code], metric[*] or total(metric)`,
		"a <= b + ":        `"" is not a metric; a term is a metric, metric[code], metric[*] or total(metric)`,
		"a[* <= b":         `"a[*" has no closing bracket`,
		"total(a <= b":     `"total(a" has no closing parenthesis`,
		"a[B] <= b":        `"B" is not a code`,
		"2 * a <= b":       `"2 * a" is not a metric; a term is a metric, metric[code], metric[*] or total(metric)`,
		"a - b <= c":       `"a - b" is not a metric; a term is a metric, metric[code], metric[*] or total(metric)`,
		"total(a)[*] <= b": `"total(a)[*]" has no closing parenthesis`,
		"a <= b <= c":      `"b <= c" is not a metric; a term is a metric, metric[code], metric[*] or total(metric)`,
	} {
		if err := metric.ParseRule(text); err == nil || err.Error() != want {
			t.Errorf("parsing %q: error %v, want %s", text, err, want)
		}
	}
}

func FuzzParseRule(f *testing.F) {
	for i := range standard.Instruments {
		for _, r := range standard.Instruments[i].Rules {
			f.Add(r.Text)
		}
	}
	f.Add("total(a.b)[x] <= [*] == +")
	f.Fuzz(func(t *testing.T, text string) {
		if metric.ParseRule(text) == nil && !strings.Contains(text, "<=") && !strings.Contains(text, "==") {
			t.Errorf("rule %q has no relation", text)
		}
	})
}
