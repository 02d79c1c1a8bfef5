package publish_test

import (
	"math/big"
	"slices"
	"strings"
	"testing"

	"candor/client/publish"
	"candor/schema/release"

	"github.com/google/go-cmp/cmp"
)

func rules() publish.Rules {
	return publish.Rules{Minimum: 10, CellMinimum: 5, Colluders: 2, P: big.NewRat(1, 5), FewSD: 3, LargestGroup: 1, Giants: map[string]int{}, Waived: map[string]bool{}}
}

func key(cell string) release.Key {
	return release.Key{Round: "r", Instrument: "i", Metric: "m", Cell: cell}
}

// counted is a cell of a count whose members send at most 100 each.
func counted(cell string, estimate int64, cells int) publish.Cell {
	c := rules().Certificate("i.m", estimate, 9, 100, 0, cells)
	return publish.Cell{Key: key(cell), Estimate: estimate, Low: estimate - 18, High: estimate + 18, SD: 9, Groups: 40, Certificate: &c}
}

func answered(cell string, estimate int64) publish.Cell {
	c := counted(cell, estimate, 1)
	c.Certificate = nil
	return c
}

func decide(t *testing.T, cells []publish.Cell, relations ...publish.Relation) map[string]publish.Decision {
	t.Helper()
	decisions, err := publish.Decide(rules(), cells, relations)
	if err != nil {
		t.Fatal(err)
	}
	m := map[string]publish.Decision{}
	for _, d := range decisions {
		m[d.Cell] = d
	}
	return m
}

func TestDecideAlone(t *testing.T) {
	nine, blanked, uncollected, revised, moved := counted("nine", 5000, 1), counted("blanked", 5000, 1), counted("raw", 5000, 1), counted("revised", 5000, 1), counted("moved", 5000, 1)
	nine.Groups, blanked.Blanked, uncollected.Uncollected = 9, true, true
	revised.Since = []publish.Change{{Round: "r0", Corrected: 2, SamePeriod: true, Before: 4000}}
	moved.Since = []publish.Change{{Round: "r0", Joined: 2, Left: 1}}
	got := decide(t, []publish.Cell{counted("plain", 5000, 1), nine, blanked, uncollected, counted("small", 330, 1), revised, moved, answered("few", 26), answered("not few", 27), answered("negative", -40)})
	for cell, want := range map[string]struct {
		status  release.Status
		numbers string
	}{
		"plain":    {release.Published, "40 groups; certificate 49.82 ≥ 3.20"},
		"nine":     {release.WithheldMinimum, "9 of 10 groups"},
		"blanked":  {release.WithheldBlanked, "fewer than 5 groups contribute to it"},
		"raw":      {release.NotCollected, "beside the capped total"},
		"small":    {release.WithheldCertificate, "3.12 < 3.20"},
		"revised":  {release.WithheldDifference, "since r0: 0 joined, 0 left, 2 corrected; none or at least 4 groups"},
		"moved":    {release.Published, "40 groups; certificate 49.82 ≥ 3.20"},
		"few":      {release.Few, "26 is under 3 × 9"},
		"not few":  {release.Published, "40 groups"},
		"negative": {release.Few, "-40 is under 3 × 9"},
	} {
		if d := got[cell]; d.Status != want.status || d.Numbers != want.numbers || d.Rule == "" {
			t.Errorf("%s: %s by rule %q with %q, want %s with %q", cell, d.Status, d.Rule, d.Numbers, want.status, want.numbers)
		}
	}
	r := rules()
	r.Waived["i.m"] = true
	decisions, err := publish.Decide(r, []publish.Cell{counted("small", 330, 1)}, nil)
	if err != nil || decisions[0].Status != release.Published || decisions[0].Rule != "waiver" {
		t.Errorf("waived: %+v, %v", decisions, err)
	}
}

func TestDecideRefuses(t *testing.T) {
	broken := counted("a", 1, 1)
	broken.Certificate = &publish.Certificate{}
	beyond := answered("a", release.MaxValue+1)
	for name, tc := range map[string]struct {
		cells     []publish.Cell
		relations []publish.Relation
	}{
		"twice":       {cells: []publish.Cell{answered("a", 1), answered("a", 1)}},
		"certificate": {cells: []publish.Cell{broken}},
		"relation":    {cells: []publish.Cell{answered("a", 1)}, relations: []publish.Relation{{Total: key("a"), Parts: []release.Key{key("b")}}}},
		"too large":   {cells: []publish.Cell{beyond}},
	} {
		if _, err := publish.Decide(rules(), tc.cells, tc.relations); err == nil {
			t.Errorf("%s: decided", name)
		}
	}
}

func relation(total string, parts ...string) publish.Relation {
	r := publish.Relation{Total: key(total), Counted: true}
	for _, p := range parts {
		r.Parts = append(r.Parts, key(p))
	}
	return r
}

func hiddenCells(m map[string]publish.Decision) (hidden []string) {
	for cell, d := range m {
		if d.Status.Withheld() {
			hidden = append(hidden, cell)
		}
	}
	slices.Sort(hidden)
	return hidden
}

func TestComplement(t *testing.T) {
	all := relation("total", "a", "b", "c", "d")
	blanked := counted("d", 0, 1)
	blanked.Blanked = true
	for _, tc := range []struct {
		name  string
		cells []publish.Cell
		want  []string
	}{
		{"nothing withheld", []publish.Cell{counted("total", 20000, 4), counted("a", 5000, 1), counted("b", 6000, 1), counted("c", 4000, 1), counted("d", 5000, 1)}, nil},
		// a alone could be had by subtraction; with c the reader knows 100 + 4000.
		{"one withheld", []publish.Cell{counted("total", 15100, 4), counted("a", 100, 1), counted("b", 6000, 1), counted("c", 4000, 1), counted("d", 5000, 1)}, []string{"a", "c"}},
		// a + c = 500 fails the certificate of two cells (640 + noise): d goes too.
		{"the sum of two is too small", []publish.Cell{counted("total", 11500, 4), counted("a", 100, 1), counted("b", 6000, 1), counted("c", 400, 1), counted("d", 5000, 1)}, []string{"a", "c", "d"}},
		{"two withheld are enough", []publish.Cell{counted("total", 11674, 4), counted("a", 337, 1), counted("b", 6000, 1), counted("c", 337, 1), counted("d", 5000, 1)}, []string{"a", "c"}},
		{"the sum of two withheld is too small", []publish.Cell{counted("total", 11600, 4), counted("a", 300, 1), counted("b", 6000, 1), counted("c", 300, 1), counted("d", 5000, 1)}, []string{"a", "c", "d"}},
		{"a part that nobody has seen", []publish.Cell{counted("total", 15000, 4), counted("a", 5000, 1), counted("b", 6000, 1), counted("c", 4000, 1), blanked}, []string{"d", "total"}},
		{"all small", []publish.Cell{counted("total", 1320, 4), counted("a", 330, 1), counted("b", 330, 1), counted("c", 330, 1), counted("d", 330, 1)}, []string{"a", "b", "c", "d"}},
		// With two cells there is no other part to hide behind: the total goes.
		{"total withheld", []publish.Cell{counted("total", 5100, 2), counted("a", 100, 1), counted("b", 5000, 1), counted("c", 5000, 1), counted("d", 5000, 1)}, []string{"a", "total"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := all
			if tc.name == "total withheld" {
				r = relation("total", "a", "b")
			}
			m := decide(t, tc.cells, r)
			if diff := cmp.Diff(tc.want, hiddenCells(m)); diff != "" {
				t.Errorf("withheld cells differ (-want +got):\n%s", diff)
			}
			for cell, d := range m {
				if d.Status == release.WithheldComplementary && (d.Value != nil || !strings.Contains(d.Numbers, "subtraction") && !strings.Contains(d.Numbers, "no number")) {
					t.Errorf("%s: %+v", cell, d)
				}
			}
		})
	}
}

// TestComplementOfAnswers: cells without a certificate need at least two hidden together, and enough groups
// behind them.
func TestComplementOfAnswers(t *testing.T) {
	all := relation("total", "a", "b", "c")
	changed := answered("a", 50)
	changed.Since = []publish.Change{{Joined: 1}}
	m := decide(t, []publish.Cell{answered("total", 120), changed, answered("b", 40), answered("c", 30)}, all)
	if diff := cmp.Diff([]string{"a", "c"}, hiddenCells(m)); diff != "" {
		t.Errorf("one cell withheld (-want +got):\n%s", diff)
	}
	nine, eight := answered("a", 50), answered("c", 30)
	nine.Groups, eight.Groups = 9, 8
	m = decide(t, []publish.Cell{answered("total", 160), nine, answered("b", 40), eight, answered("d", 41)}, relation("total", "a", "b", "c", "d"))
	if diff := cmp.Diff([]string{"a", "b", "c"}, hiddenCells(m)); diff != "" {
		t.Errorf("two cells of too few groups withheld (-want +got):\n%s", diff)
	}
}

// table makes a two-way table of rows × columns with all margins and its relations. Cell r,c is "r,c"; index
// 0 is the margin.
func table(rows, columns int) (cells []string, relations []publish.Relation) {
	name := func(r, c int) string { return string(rune('0'+r)) + "," + string(rune('0'+c)) }
	for r := range rows + 1 {
		for c := range columns + 1 {
			cells = append(cells, name(r, c))
		}
	}
	for r := range rows + 1 {
		rel := publish.Relation{Total: key(name(r, 0))}
		for c := 1; c <= columns; c++ {
			rel.Parts = append(rel.Parts, key(name(r, c)))
		}
		relations = append(relations, rel)
	}
	for c := range columns + 1 {
		rel := publish.Relation{Total: key(name(0, c))}
		for r := 1; r <= rows; r++ {
			rel.Parts = append(rel.Parts, key(name(r, c)))
		}
		relations = append(relations, rel)
	}
	return cells, relations
}

// onCycle is the criterion of Gusfield (1988) for two-way tables: take rows and columns for vertices and hidden
// cells for edges; a hidden cell is determined if, and only if, its edge lies on no cycle.
func onCycle(cell string, hidden []string) bool {
	from, to, _ := strings.Cut(cell, ",")
	reached := map[string]bool{"r" + from: true}
	for grew := true; grew; {
		grew = false
		for _, h := range hidden {
			if h == cell {
				continue
			}
			a, b, _ := strings.Cut(h, ",")
			if reached["r"+a] != reached["c"+b] {
				reached["r"+a], reached["c"+b] = true, true
				grew = true
			}
		}
	}
	return reached["c"+to]
}

func TestDetermined(t *testing.T) {
	random := newRandom(3)
	for range 300 {
		cells, relations := table(2+random.IntN(3), 2+random.IntN(4))
		var hidden, want []string
		for _, c := range cells {
			if random.IntN(3) == 0 {
				hidden = append(hidden, c)
			}
		}
		for _, c := range hidden {
			if !onCycle(c, hidden) {
				want = append(want, c)
			}
		}
		var got []string
		for _, k := range publish.Determined(relations, func(k release.Key) bool { return !slices.Contains(hidden, k.Cell) }) {
			got = append(got, k.Cell)
		}
		slices.Sort(got)
		slices.Sort(want)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("hidden %v: determined cells differ (-want +got):\n%s", hidden, diff)
		}
	}
}

// TestNothingByCombination decides random tables with small cells and checks, by the graph criterion, that no
// inner cell that was withheld follows from what is shown.
func TestNothingByCombination(t *testing.T) {
	random := newRandom(5)
	withheld, shown := 0, 0
	for range 200 {
		rows, columns := 2+random.IntN(3), 2+random.IntN(4)
		names, relations := table(rows, columns)
		values := map[string]int64{}
		for _, n := range names {
			if !strings.Contains(n, "0") {
				v := int64(200 + random.IntN(2000))
				values[n] = v
				r, c, _ := strings.Cut(n, ",")
				values[r+",0"] += v
				values["0,"+c] += v
				values["0,0"] += v
			}
		}
		var cells []publish.Cell
		for _, n := range names {
			k := 1
			switch {
			case n == "0,0":
				k = rows * columns
			case strings.HasPrefix(n, "0,"):
				k = rows
			case strings.HasSuffix(n, ",0"):
				k = columns
			}
			cells = append(cells, counted(n, values[n], k))
		}
		m := decide(t, cells, relations...)
		hidden := hiddenCells(m)
		for _, h := range hidden {
			if !strings.Contains(h, "0") {
				withheld++
				if !onCycle(h, hidden) {
					t.Fatalf("cell %s of %v can be computed; hidden: %v", h, values, hidden)
				}
			}
		}
		shown += len(names) - len(hidden)
	}
	if withheld < 100 || shown < 1000 {
		t.Errorf("%d cells withheld and %d shown: the test does not look at both sides", withheld, shown)
	}
}

func TestComparable(t *testing.T) {
	for _, tc := range []struct {
		change publish.Change
		want   bool
	}{
		{publish.Change{}, true}, {publish.Change{Joined: 1}, false}, {publish.Change{Joined: 1, Left: 1}, false}, {publish.Change{Joined: 2, Left: 1}, true},
		{publish.Change{Corrected: 1}, true}, // of another period: its figures are others anyway
		{publish.Change{Corrected: 1, SamePeriod: true}, false}, {publish.Change{Corrected: 3, SamePeriod: true}, false},
		{publish.Change{Corrected: 4, SamePeriod: true}, true}, {publish.Change{SamePeriod: true}, true},
		{publish.Change{Unknown: true}, false}, {publish.Change{Net: 2}, false}, {publish.Change{Net: -2}, false}, {publish.Change{Net: -3}, true},
		{publish.Change{Joined: 3, Net: 1}, false},
	} {
		if got := rules().Comparable(tc.change); got != tc.want {
			t.Errorf("%+v: %v, want %v", tc.change, got, tc.want)
		}
	}
}

// TestCoarsenStates plays the reader, who knows that the counts add up to the members asked: every count that is
// under 3 may still be 0, 1 or 2, and one over n−3 may be n−2 to n where so many others can be small.
func TestCoarsenStates(t *testing.T) {
	check := func(counts []int64) {
		t.Helper()
		var n int64
		figures := make([]release.Figure, len(counts))
		for i, c := range counts {
			n += c
			figures[i] = release.Figure{Round: "r", Instrument: "i", Metric: "m", Cell: string(rune('a' + i)), Contributors: 40}
		}
		got := publish.CoarsenStates(figures, counts)
		possible := make([]map[int64]bool, len(counts))
		for i := range possible {
			possible[i] = map[int64]bool{}
		}
		var try func(i int, left int64, chosen []int64)
		try = func(i int, left int64, chosen []int64) {
			if i == len(counts) {
				if left == 0 {
					for j, v := range chosen {
						possible[j][v] = true
					}
				}
				return
			}
			for v := *got[i].CILow; v <= min(*got[i].CIHigh, left); v++ {
				try(i+1, left-v, append(chosen, v))
			}
		}
		try(0, n, nil)
		for i, c := range counts {
			f := got[i]
			if err := f.Check(); err != nil {
				t.Fatalf("%v: %v", counts, err)
			}
			if !possible[i][c] {
				t.Fatalf("%v: count %d is outside of its own bounds %d to %d", counts, c, *f.CILow, *f.CIHigh)
			}
			if c < 3 && n >= 10 && !(possible[i][0] && possible[i][1] && possible[i][2]) {
				t.Fatalf("%v: of count %d a reader knows that it is one of %v", counts, c, possible[i])
			}
			if c > n-3 && n >= 10 && !(possible[i][n] && possible[i][n-1] && possible[i][n-2]) {
				t.Fatalf("%v: of count %d a reader knows that it is one of %v", counts, c, possible[i])
			}
		}
	}
	for a := int64(0); a <= 6; a++ {
		for b := int64(0); b <= 6; b++ {
			for c := int64(0); c <= 6; c++ {
				check([]int64{40 - a - b - c, a, b, c})
				check([]int64{a, 12 - a, b, c})
			}
		}
	}
	check([]int64{0, 40})
	plain := publish.CoarsenStates(make([]release.Figure, 4), []int64{20, 10, 6, 4})
	for i, want := range []int64{20, 10, 6, 4} {
		if plain[i].Status != release.Published || *plain[i].Value != want {
			t.Errorf("count %d is not shown: %+v", want, plain[i])
		}
	}
}
