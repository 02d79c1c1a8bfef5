package metric_test

import (
	"encoding/csv"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"candor/schema/metric"
)

func TestExportCSV(t *testing.T) {
	rows, err := csv.NewReader(strings.NewReader(standard.ExportCSV())).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := len(rows), 1+590; got != want {
		t.Fatalf("%d rows, want %d", got, want)
	}
	i := 1
	for k := range standard.Instruments {
		for _, cell := range standard.Instruments[k].Cells() {
			if got := rows[i][:3]; got[0] != cell.Instrument || got[1] != cell.Metric || got[2] != cell.Code {
				t.Errorf("row %d is %q, want cell %s", i+1, got, cell)
			}
			if rows[i][4] == "" || cell.Code != metric.Total && cell.Code != metric.Yes && rows[i][5] == "" {
				t.Errorf("row %d has no definition: %q", i+1, rows[i])
			}
			i++
		}
	}
}

func TestExportMarkdown(t *testing.T) {
	text := standard.ExportMarkdown()
	for i := range standard.Instruments {
		in := &standard.Instruments[i]
		if one := in.Markdown(); !strings.Contains(text, one[strings.Index(one, "\n"):]) {
			t.Errorf("the section of %s differs from the instrument's own page", in.ID)
		}
		for _, m := range in.Metrics {
			for _, want := range []string{"`" + m.ID + "`", m.Name, m.Definition, m.Why} {
				if !strings.Contains(text, want) {
					t.Errorf("%s: no %q", m.Path(), want)
				}
			}
		}
		for _, r := range in.Rules {
			if !strings.Contains(text, "`"+r.Text+"`") {
				t.Errorf("no rule %s", r.Text)
			}
		}
	}
	for _, want := range []string{"19 instruments, 130 contributed metrics, 19 ratios, 590 cells.", standard.Hash(), "| SAFETECH | collaboration.hashes-contributed |"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q", want)
		}
	}
	columns := 0
	for i, line := range strings.Split(text, "\n") {
		if !strings.HasPrefix(line, "|") {
			columns = 0
			continue
		}
		n := strings.Count(line, "|") - strings.Count(line, `\|`)
		if columns != 0 && n != columns {
			t.Errorf("line %d has %d bars, the rows above %d: %s", i+1, n, columns, line)
		}
		columns = n
	}
}

// TestPublicLargest compares the largest published values of the catalogue with the published figures.
func TestPublicLargest(t *testing.T) {
	dir := filepath.Join("..", "..", "..", "shared", "data")
	rows := func(name string) [][]string {
		f, err := os.Open(filepath.Join(dir, name))
		if errors.Is(err, os.ErrNotExist) {
			t.Skip("public data not beside the repository")
		} else if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		rows, err := csv.NewReader(f).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		return rows[1:]
	}
	// Both files begin with source, period, organisation, metric, value.
	largest := map[string]int64{}
	suspended := int64(0)
	for _, r := range rows("platform_child_safety_metrics.csv") {
		value, err := strconv.ParseInt(r[4], 10, 64)
		if err != nil {
			continue // rates
		}
		largest[r[3]] = max(largest[r[3]], value)
		if r[1] == "2024-H1" && (r[3] == "accounts_automated" || r[3] == "accounts_human") {
			suspended += value
		}
	}
	group := int64(0)
	for _, r := range rows("ncmec_reports_by_esp.csv") {
		if r[1] == "2023" && (r[2] == "Facebook" || r[2] == "Instagram, Inc." || r[2] == "WhatsApp Inc.") {
			value, err := strconv.ParseInt(r[4], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			group += value
		}
	}
	want := map[string]int64{
		"reach-time.removed-all":        largest["pieces_child_endangerment_sexual_exploitation"],
		"hash-match.appealed":           largest["appeals_child_endangerment_sexual_exploitation"],
		"novel-detect.appealed":         largest["appeals_child_endangerment_sexual_exploitation"],
		"hash-match.reversed":           largest["reversals_child_endangerment_sexual_exploitation"],
		"novel-detect.reversed":         largest["reversals_child_endangerment_sexual_exploitation"],
		"enforcement.accounts-actioned": (suspended + 1) / 2,
		"authority-report.submitted":    (group + 3) / 4,
	}
	for i := range standard.Instruments {
		for j := range standard.Instruments[i].Metrics {
			m := &standard.Instruments[i].Metrics[j]
			if (m.Public != nil) != (want[m.Path()] != 0) {
				t.Errorf("%s has a public range: %v; compared: %v", m.Path(), m.Public != nil, want[m.Path()] != 0)
			} else if m.Public != nil && m.Public.Largest != want[m.Path()] {
				t.Errorf("%s has the largest public value %d; the data say %d", m.Path(), m.Public.Largest, want[m.Path()])
			} else if m.Public != nil && m.Public.Largest > m.Max {
				t.Errorf("%s has a bound below the largest public value", m.Path())
			}
		}
	}
}
