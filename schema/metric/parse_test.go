package metric_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	"candor/schema/metric"

	"github.com/google/go-cmp/cmp"
)

func small(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile("testdata/small.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestParseSmall(t *testing.T) {
	c, err := metric.Parse([]byte(small(t)))
	if err != nil {
		t.Fatal(err)
	}
	if got := len(c.Instruments[0].Cells()); got != 4 {
		t.Errorf("%d cells, want 4", got)
	}
	if got := c.Instruments[0].ItemLimit(); got != 2 {
		t.Errorf("an item changes %d cells, want 2", got)
	}
}

// TestCanonical checks that the canonical form is read back to itself, and that layout, comments and order do not change the hash.
func TestCanonical(t *testing.T) {
	for _, text := range []string{small(t), string(standard.Canonical())} {
		c, err := metric.Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		canonical := c.Canonical()
		again, err := metric.Parse(canonical)
		if err != nil {
			t.Fatalf("parsing the canonical form: %v", err)
		}
		if !bytes.Equal(again.Canonical(), canonical) || again.Hash() != c.Hash() {
			t.Error("the canonical form changes when it is read and written again")
		}
	}
	c, _ := metric.Parse([]byte(small(t)))
	for name, other := range map[string]string{
		"comment":    "# hello\n" + small(t),
		"order":      strings.Replace(small(t), "id: small\nversion: \"1\"", "version: '1'\nid: \"small\"", 1),
		"crlf":       strings.ReplaceAll(small(t), "\n", "\r\n"),
		"byte order": "\ufeff" + small(t),
	} {
		o, err := metric.Parse([]byte(other))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if o.Hash() != c.Hash() {
			t.Errorf("%s changes the hash", name)
		}
	}
	o, err := metric.Parse([]byte(strings.Replace(small(t), "Balls found in", "Balls seen in", 1)))
	if err != nil || o.Hash() == c.Hash() {
		t.Errorf("another definition has the same hash, or error %v", err)
	}
	if want := `{"availability":[{"definition":"Counted.","id":"measured"},`; !strings.HasPrefix(string(c.Canonical()), want) {
		t.Errorf("canonical form begins %.80s, want %s", c.Canonical(), want)
	}
}

func TestParseProblems(t *testing.T) {
	tests := map[string]struct {
		old, new string
		want     []string // lines with position; carets are left out
	}{
		"syntax":                           {`id: small`, `id: "small`, []string{`4:11: value is not allowed in this context. map key-value is pre-defined`}},
		"unknown key":                      {`status: adopted`, `state: adopted`, []string{`2:1: the file has no status`, `5:1: unknown key "state" in the file; it can have availability, bases, checks, code_lists, conventions, frameworks, id, instruments, left_out, outside_checks, releases, schema, status, terms, tiers, title, version`}},
		"key twice":                        {`status: adopted`, "status: adopted\nstatus: adopted", []string{`6:1: key "status" occurs twice in the file`}},
		"number for text":                  {`version: "1"`, `version: 1`, []string{`4:10: version must be text; write it in quotation marks`}},
		"text for number":                  {`due_days: 40`, `due_days: many`, []string{`7:45: conventions.due_days must be a whole number from 0 to 2^53 - 1`}},
		"fraction":                         {`due_days: 40`, `due_days: 1.5`, []string{`7:45: conventions.due_days must be a whole number from 0 to 2^53 - 1`}},
		"anchor":                           {`status: adopted`, `status: &a adopted`, []string{`5:9: status must be text, not an anchor or alias`}},
		"empty text":                       {`status: adopted`, `status: ""`, []string{`5:9: status must be text of 1 to 2000 bytes on one line, without spaces around it`}},
		"nothing":                          {`status: adopted`, `status:`, []string{`5:8: status must be text; write it in quotation marks`}},
		"other schema":                     {`candor/catalogue/1`, `candor/catalogue/2`, []string{`2:9: schema is "candor/catalogue/2"; this program reads "candor/catalogue/1"`}},
		"id":                               {`id: balls`, `id: Balls`, []string{`39:9: id "Balls" is not lower-case words joined by hyphens, at most 40 characters`}},
		"reserved id":                      {`id: balls`, `id: file`, []string{`39:9: id "file" is a reserved word`}},
		"metric twice":                     {`id: kept`, `id: found`, []string{`61:13: id "found" occurs twice; instruments[0].metrics[0] has it, too`, `74:15: there is no metric "kept"`, `77:10: ratio "share-kept": there is no metric "kept"`}},
		"code twice":                       {`code: blue`, `code: red`, []string{`28:16: code "red" occurs twice; code_lists[0].codes[0] has it, too`}},
		"states":                           {`id: not-measured`, `id: unmeasured`, []string{`14:3: availability are measured, estimated, unmeasured, not-applicable; they must be measured, estimated, not-measured, not-applicable`}},
		"gap":                              {`at_least: 10`, `at_least: 11`, []string{`35:10: code "ge-10" begins at 11 and the code before it ends at 10; ranges leave no gap`}},
		"no end":                           {`at_least: 10}`, `at_least: 10, below: 20}`, []string{`35:10: ranges of list "size" end at 20; the last one has no end`}},
		"magnitude of list without ranges": {`magnitude: size`, `magnitude: colour`, []string{`29:9: no metric uses list "size"; remove it`, `58:20: list "colour" does not begin at 0`}},
		"no such list":                     {"codes: colour\n        unit: \"balls\"\n        max: 1000\n        privacy_unit: item\n        unit_max: 1\n        tier: core\n        release: account-noise\n        magnitude", "codes: color\n        unit: \"balls\"\n        max: 1000\n        privacy_unit: item\n        unit_max: 1\n        tier: core\n        release: account-noise\n        magnitude", []string{`51:16: there is no code list "color"`}},
		"bound":                            {`max: 1000`, `max: 18014398509482`, []string{`53:14: max is 18014398509482; 500 members must add up to less than 2^53, so it is from 1 to 18014398509481`}},
		"offset":                           {`unit_max: 1`, `unit_max: 1001`, []string{`55:19: unit_max is 1001; it must be from 1 to max`}},
		"type":                             {`type: count`, `type: number`, []string{`50:15: type is "number", not one of count, headcount, duration-histogram, exposure-histogram, yes-no, yes-no-set, choice`}},
		"histogram":                        {`type: count`, `type: duration-histogram`, []string{`51:16: list "colour" has kind codes; a histogram needs buckets`}},
		"release":                          {`release: account-noise`, `release: org-noise`, []string{`57:18: release is "org-noise"; that of a count is account-noise or sum-rules`}},
		"unit":                             {`privacy_unit: item`, `privacy_unit: organisation`, []string{`57:18: release account-noise cannot protect a whole organisation; use sum-rules, or another privacy_unit`}},
		"framework":                        {`frameworks: [F1]`, `frameworks: [F1, F2, F1]`, []string{`60:26: framework "F2" is not among frameworks`, `60:30: framework "F1" occurs twice`}},
		"rule":                             {`kept[*] <= found[*]`, `kept[*] < found[*]`, []string{`74:15: a rule has <= or == between its two sides`}},
		"rule mixes":                       {`kept[*] <= found[*]`, `kept[*] <= total(found)`, []string{`74:15: some terms have [*] and others have not`}},
		"rule with bad code":               {`kept[*] <= found[*]`, `kept[red] <= found[green]`, []string{`74:15: list colour of balls.found has no code "green"`}},
		"rule without sum":                 {`kept[*] <= found[*]`, `kept <= total(found)`, []string{`74:15: balls.kept has codes; write total(kept), kept[*] or kept[code]`}},
		"rule with one term twice":         {`kept[*] <= found[*]`, `kept[*] <= kept[*]`, []string{`74:15: balls.kept[*] occurs twice`}},
		"ratio":                            {`denominator: "found[*]"`, `denominator: "lost"`, []string{`77:10: ratio "share-kept": there is no metric "lost"`}},
		"basis":                            {`basis: event`, `basis: events`, []string{`43:12: basis "events" is not among bases`}},
		"band of no ratio":                 {`magnitude: size`, `band_of: share-kept`, []string{`29:9: no metric uses list "size"; remove it`, `58:18: only a choice can be the band of a ratio`}},
		"two documents":                    {`# A small`, "a: 1\n---\n# A small", []string{`file has 2 YAML documents, not one`}},
		"many at once":                     {"id: small\nversion: \"1\"\nstatus: adopted", "id: 7\nversion: []\nextra: 1", []string{`2:1: the file has no status`, `3:5: id must be text; write it in quotation marks`, `4:10: version must be text, not a list`, `5:1: unknown key "extra" in the file; it can have availability, bases, checks, code_lists, conventions, frameworks, id, instruments, left_out, outside_checks, releases, schema, status, terms, tiers, title, version`}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			text := small(t)
			if !strings.Contains(text, test.old) {
				t.Fatalf("small.yaml does not contain %q", test.old)
			}
			_, err := metric.Parse([]byte(strings.Replace(text, test.old, test.new, 1)))
			var problems metric.Problems
			if !errors.As(err, &problems) {
				t.Fatalf("error is %v, want Problems", err)
			}
			var got []string
			for _, p := range problems {
				first, rest, _ := strings.Cut(p.String(), "\n")
				got = append(got, first)
				if (p.Line > 0) != strings.HasSuffix(rest, " ^") {
					t.Errorf("problem has no caret below the line:\n%s", p)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("problems differ (-want +got):\n%s", diff)
			}
		})
	}
}

func TestProblemPointsAtTheValue(t *testing.T) {
	_, err := metric.Parse([]byte(strings.Replace(small(t), "basis: event", "basis: events", 1)))
	want := "43:12: basis \"events\" is not among bases\n>   43 |     basis: events\n                    ^"
	if err == nil || err.Error() != want {
		t.Errorf("error is\n%v\nwant\n%s", err, want)
	}
}

// TestBoundWithOffset checks a bound that fits the field alone and does not with the offset of the instrument's noise.
func TestBoundWithOffset(t *testing.T) {
	const bound = 18014398509481 // the largest max
	metrics := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "      - {id: m%d, name: \"M\", definition: \"M.\", type: count, unit: \"m\", max: %d, privacy_unit: account, unit_max: %d, tier: core, release: account-noise, why: \"W.\"}\n", i, bound, bound)
		}
		return strings.Replace(small(t), "    metrics:\n", "    metrics:\n"+b.String(), 1)
	}
	// (max + 128·n·max)·500 < 2^63 up to n = 7.
	if _, err := metric.Parse([]byte(metrics(7))); err != nil {
		t.Errorf("7 metrics: %v", err)
	}
	_, err := metric.Parse([]byte(metrics(8)))
	if err == nil || !strings.Contains(err.Error(), "max 18014398509481 with the offset of the instrument's noise does not fit the field for 500 members") {
		t.Errorf("8 metrics: error is %v", err)
	}
}

// TestParseHostile checks that files made to exhaust a parser are refused without much work, which is measured in memory
// because time depends on the machine.
func TestParseHostile(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	nested := func(open, end string, n int) string { return "a: " + strings.Repeat(open, n) + strings.Repeat(end, n) }
	var deep strings.Builder
	for i := range 1000 {
		deep.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	for name, text := range map[string]string{
		"brackets":        nested("[", "]", 100000),
		"brackets, lines": strings.ReplaceAll(nested("[", "]", 100000), "[", "[\n"),
		"json brackets":   "{\"a\": " + strings.Repeat("[", 100000),
		"indentation":     deep.String(),
		"dashes":          strings.Repeat("- ", 100000),
		"dashes, lines":   strings.Repeat(strings.Repeat("- ", 1900)+"\n", 100),
		"questions":       strings.Repeat("? ", 100000),
		"long line":       "a: " + strings.Repeat("x", 1<<18),
		"many keys":       strings.Repeat("a: 1\n", 5900),
		"more keys":       strings.Repeat("a: 1\n", 100000),
		"question marks":  strings.Repeat("? a\n", 5900),
		"keys in braces":  "{" + strings.Repeat("a: 1,", 100000) + "a: 1}",
		"too large":       strings.Repeat("#\n", 1<<20),
		"aliases":         "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n",
		"not utf-8":       "a: \xff",
		"empty":           "",
		"comment only":    "# nothing\n",
		"scalar":          "hello",
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			c, err := metric.Parse([]byte(text))
			runtime.ReadMemStats(&after)
			if err == nil {
				t.Fatalf("parsed to %v", c)
			}
			if len(err.Error()) > 200*400 {
				t.Errorf("error has %d bytes", len(err.Error()))
			}
			if used := after.TotalAlloc - before.TotalAlloc; used > 1<<30 {
				t.Errorf("took %d MB of allocations", used>>20)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add(small(f))
	c, err := metric.Parse([]byte(small(f)))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(c.Canonical()))
	f.Add("schema: candor/catalogue/1\ninstruments: [{id: a, metrics: [{}]}]\n")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := metric.Parse([]byte(text))
		if err != nil {
			if err.Error() == "" {
				t.Error("empty error text")
			}
			return
		}
		again, err := metric.Parse(c.Canonical())
		if err != nil || !bytes.Equal(again.Canonical(), c.Canonical()) {
			t.Fatalf("canonical form %s is not read back: %v", c.Canonical(), err)
		}
		ids := instruments(c)
		figures := c.Example(1, ids, true)
		for _, finding := range c.Check(figures, nil, ids) {
			if !finding.Soft {
				t.Errorf("example breaks a rule: %s", finding.Text)
			}
		}
		c.ExportMarkdown()
		for i := range c.Instruments {
			if _, err := c.Instruments[i].Parts(nil); err != nil {
				t.Error(err)
			}
		}
	})
}
