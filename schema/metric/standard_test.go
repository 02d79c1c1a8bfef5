package metric_test

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"candor/schema/metric"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
)

var standard = metric.Standard()

// instruments returns the ids of all instruments of c.
func instruments(c *metric.Catalogue) []string {
	var ids []string
	for i := range c.Instruments {
		ids = append(ids, c.Instruments[i].ID)
	}
	return ids
}

// TestStandardEdition pins the content of the edition: what changes it needs a new version, and then a new hash here.
func TestStandardEdition(t *testing.T) {
	if got, want := standard.String(), "csea-industry-metrics 0.1"; got != want {
		t.Errorf("edition is %q, want %q", got, want)
	}
	if got, want := standard.Hash(), "dbdae36be6d93cc48dee4ea4065c79ea56f083ddd7164cc4102b9c396eecba94"; got != want {
		t.Errorf("content has hash\n%s, want\n%s", got, want)
	}
}

func TestStandardSize(t *testing.T) {
	metrics, core, ratios, cells := 0, 0, 0, 0
	for i := range standard.Instruments {
		in := &standard.Instruments[i]
		for _, m := range in.Metrics {
			metrics++
			if m.Tier == metric.Core {
				core++
			}
		}
		ratios += len(in.Ratios)
		cells += len(in.Cells())
	}
	got := []int{len(standard.Instruments), metrics, core, ratios, cells}
	if want := []int{19, 130, 104, 19, 590}; !slices.Equal(got, want) {
		t.Errorf("instruments, metrics, core metrics, ratios, cells = %v, want %v", got, want)
	}
}

func TestEveryCellHasADefinition(t *testing.T) {
	for i := range standard.Instruments {
		in := &standard.Instruments[i]
		cells := in.Cells()
		for j := range in.Metrics {
			cells = append(cells, in.Metrics[j].AvailabilityCells()...)
			cells = append(cells, in.Metrics[j].MagnitudeCells()...)
		}
		seen := map[string]metric.Cell{}
		for _, cell := range cells {
			definition, err := standard.Definition(cell)
			if err != nil {
				t.Errorf("definition of %s: %v", cell, err)
			}
			if other, twice := seen[definition]; twice {
				t.Errorf("%s and %s have one definition, %q", cell, other, definition)
			}
			seen[definition] = cell
		}
	}
	for _, cell := range []metric.Cell{
		{Instrument: "hash-match", Metric: "matched"}, {Instrument: "hash-match", Metric: "matched", Code: "smell"}, {Instrument: "hash-match", Metric: "none"},
		{Instrument: "hash-match", Metric: "removed", Kind: metric.MagnitudeCell, Code: "0"}, {Instrument: "hash-match", Metric: "matched", Kind: metric.AvailabilityCell, Code: "x"},
	} {
		if text, err := standard.Definition(cell); err == nil {
			t.Errorf("definition of %s, which does not exist, is %q", cell, text)
		}
	}
}

type referenceMetric struct {
	ID, Name, Definition, Type, Unit, Tier, Release string
	Max                                             int64
	Breakdown, Codes                                string
	PrivacyUnit                                     string `yaml:"privacy_unit"`
	UnitMax                                         int64  `yaml:"unit_max"`
	MagnitudeBand                                   bool   `yaml:"magnitude_band"`
	Sources                                         []string
}

type reference struct {
	CodeLists   map[string][]string `yaml:"code_lists"`
	ChoiceLists map[string][]string `yaml:"bucket_and_choice_lists"`
	Sources     map[string]struct {
		Title   string
		Checked string `yaml:"checked_against"`
	}
	Conventions struct {
		FollowUp int64 `yaml:"follow_up_days"`
		Due      int64 `yaml:"contribution_due_days"`
	}
	Instruments []struct {
		ID, Name, Purpose, Period, Tier, Respondents string
		Cells                                        int
		AccountL1                                    int64 `yaml:"account_l1"`
		Metrics                                      []referenceMetric
		Rules                                        []string
		Ratios                                       []struct {
			ID, Name, Numerator, Denominator string
			Sources                          []string
		}
	}
	CrossChecks []struct{ Rule, Kind string } `yaml:"cross_checks"`
}

// TestStandardAgainstReference compares the catalogue with the proposal that it was made from.
func TestStandardAgainstReference(t *testing.T) {
	dir := filepath.Join("..", "..", "..", "shared", "reference")
	text, err := os.ReadFile(filepath.Join(dir, "csea-metrics.yaml"))
	if errors.Is(err, os.ErrNotExist) {
		t.Skip("reference not beside the repository")
	} else if err != nil {
		t.Fatal(err)
	}
	var ref reference
	if err := yaml.Unmarshal(text, &ref); err != nil {
		t.Fatal(err)
	}
	if got, want := []int64{standard.Conventions.FollowUpDays, standard.Conventions.DueDays}, []int64{ref.Conventions.FollowUp, ref.Conventions.Due}; !slices.Equal(got, want) {
		t.Errorf("days are %v, want %v", got, want)
	}
	lists := map[string][]string{}
	for _, l := range standard.CodeLists {
		for _, c := range l.Codes {
			lists[l.ID] = append(lists[l.ID], c.Code)
		}
	}
	want := map[string][]string{}
	for _, m := range []map[string][]string{ref.CodeLists, ref.ChoiceLists} {
		maps.Copy(want, m)
	}
	if diff := cmp.Diff(want, lists); diff != "" {
		t.Errorf("code lists differ (-want +got):\n%s", diff)
	}
	if len(ref.Sources) != len(standard.Frameworks) {
		t.Errorf("%d frameworks, want %d", len(standard.Frameworks), len(ref.Sources))
	}
	for _, f := range standard.Frameworks {
		if s := ref.Sources[f.ID]; s.Title != f.Title || s.Checked != f.CheckedAgainst {
			t.Errorf("framework %s is %q, checked against %q; want %q, %q", f.ID, f.Title, f.CheckedAgainst, s.Title, s.Checked)
		}
	}
	if len(ref.Instruments) != len(standard.Instruments) {
		t.Fatalf("%d instruments, want %d", len(standard.Instruments), len(ref.Instruments))
	}
	for i, ri := range ref.Instruments {
		in := &standard.Instruments[i]
		got := []any{in.ID, in.Name, in.Purpose, string(in.Period), string(in.Tier), in.Respondents, len(in.Cells()), in.AccountLimit()}
		if diff := cmp.Diff([]any{ri.ID, ri.Name, ri.Purpose, ri.Period, ri.Tier, ri.Respondents, ri.Cells, ri.AccountL1}, got); diff != "" {
			t.Errorf("instrument %s differs (-want +got):\n%s", ri.ID, diff)
		}
		var metrics []referenceMetric
		for _, m := range in.Metrics {
			r := referenceMetric{ID: m.Path(), Name: m.Name, Definition: m.Definition, Type: string(m.Type), Unit: m.Unit, Tier: string(m.Tier), Release: string(m.Release),
				Max: m.Max, PrivacyUnit: string(m.PrivacyUnit), UnitMax: m.UnitMax, MagnitudeBand: m.Magnitude != "", Sources: m.Frameworks}
			if m.Type == metric.Count || m.Type == metric.Headcount {
				r.Breakdown = m.Codes
			} else {
				r.Codes = m.Codes
			}
			metrics = append(metrics, r)
		}
		if diff := cmp.Diff(ri.Metrics, metrics); diff != "" {
			t.Errorf("metrics of %s differ (-want +got):\n%s", ri.ID, diff)
		}
		var rules []string
		for _, r := range in.Rules {
			rules = append(rules, r.Text)
		}
		if diff := cmp.Diff(ri.Rules, rules); diff != "" && len(ri.Rules)+len(rules) > 0 {
			t.Errorf("rules of %s differ (-want +got):\n%s", ri.ID, diff)
		}
		if len(ri.Ratios) != len(in.Ratios) {
			t.Errorf("%s has %d ratios, want %d", ri.ID, len(in.Ratios), len(ri.Ratios))
			continue
		}
		for j, rr := range ri.Ratios {
			r, plain := in.Ratios[j], strings.NewReplacer("[*]", "")
			got := []string{in.ID + "." + r.ID, r.Name, plain.Replace(r.Numerator), plain.Replace(r.Denominator)}
			if diff := cmp.Diff([]string{rr.ID, rr.Name, rr.Numerator, rr.Denominator}, got); diff != "" {
				t.Errorf("ratio %s differs (-want +got):\n%s", rr.ID, diff)
			}
			if diff := cmp.Diff(rr.Sources, r.Frameworks); diff != "" {
				t.Errorf("frameworks of ratio %s differ (-want +got):\n%s", rr.ID, diff)
			}
		}
	}

	// The reference writes inst.total(metric), and one check with >=.
	qualified := regexp.MustCompile(`([a-z-]+)\.total\(([a-z-]+)\)`)
	var checks, wantChecks []string
	for _, r := range standard.Checks {
		checks = append(checks, string(r.Kind)+" "+r.Text)
	}
	for _, r := range ref.CrossChecks {
		rule := qualified.ReplaceAllString(r.Rule, "total($1.$2)")
		if left, right, ok := strings.Cut(rule, " >= "); ok {
			rule = right + " <= " + left
		}
		if strings.Contains(rule, "<=") {
			wantChecks = append(wantChecks, r.Kind+" "+rule)
		}
	}
	if diff := cmp.Diff(wantChecks, checks); diff != "" {
		t.Errorf("checks between instruments differ (-want +got):\n%s", diff)
	}
}

// TestServingAgainstReference compares the mapping to frameworks with the crosswalk of the reference.
func TestServingAgainstReference(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "shared", "reference", "csea-metrics.md"))
	if errors.Is(err, os.ErrNotExist) {
		t.Skip("reference not beside the repository")
	} else if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## 10. ")
	section, _, _ = strings.Cut(section, "\n## 11. ")
	compared := 0
	for line := range strings.SplitSeq(section, "\n") {
		cells := strings.Split(line, "|")
		if len(cells) < 4 || standardFramework(strings.TrimSpace(cells[1])) == nil {
			continue
		}
		var want []string
		for group := range strings.SplitSeq(cells[2], ";") {
			instrument, metrics, _ := strings.Cut(strings.TrimSpace(group), " (")
			in := standard.Instrument(instrument)
			if in == nil {
				t.Fatalf("unknown instrument %q in %q", instrument, line)
			}
			for m := range strings.SplitSeq(strings.TrimSuffix(metrics, ")"), ", ") {
				if m != "all" {
					want = append(want, instrument+"."+m)
					continue
				}
				for i := range in.Metrics {
					want = append(want, in.Metrics[i].Path())
				}
			}
		}
		compared++
		framework := strings.TrimSpace(cells[1])
		if diff := cmp.Diff(want, standard.Serving(framework)); diff != "" {
			t.Errorf("metrics serving %s differ (-reference +catalogue):\n%s", framework, diff)
		}
	}
	if compared != len(standard.Frameworks) {
		t.Errorf("compared %d frameworks of %d", compared, len(standard.Frameworks))
	}
}

func standardFramework(id string) *metric.Framework {
	for i := range standard.Frameworks {
		if standard.Frameworks[i].ID == id {
			return &standard.Frameworks[i]
		}
	}
	return nil
}

func BenchmarkStandard(b *testing.B) {
	for b.Loop() {
		metric.Standard()
	}
}
