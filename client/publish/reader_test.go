package publish_test

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/optimize/convex/lp"

	"candor/schema/release"
)

// A reader knows what is public — rosters, caps, rules of the catalogue, who came, went and corrected — and all figures of a period, its revisions
// included, with what some members tell of themselves. Of everybody else it knows nothing but that counts are from 0 to the cap. Linear programming
// gives the least and the most that one member can have sent.
//
// The solver is gonum's simplex: it is in the module graph with the differential-privacy library, pinned, and written for exactly such small dense
// programs. What it returns is checked: bounds must hold the truth.
type reader struct {
	s        *series
	vintages []*vintage
	target   int
	friends  []int   // members who tell the reader all that they sent
	drift    float64 // the reader believes that members' numbers change by no more between periods; 0: no belief

	columns []string
	vars    map[string]int
	upper   []float64 // by variable, in caps
	rows    []row
}

// A row is low ≤ coefficients · variables ≤ high.
type row struct {
	of        map[int]float64
	low, high float64
}

// atom is a set of members of whom the reader knows the same: which of their versions each vintage counts.
type atom struct {
	name    string
	members []int
}

// version says which of a member's versions a vintage counts, as the vintage in which it was sent first; -1: none.
func (r *reader) version(member, v int) int {
	w := r.vintages[v]
	if !slices.Contains(w.members, member) {
		return -1
	}
	if w.revises == nil || w.new[member] {
		return v
	}
	return r.version(member, slices.Index(r.vintages, w.revises))
}

func (r *reader) variable(entity string, version int, column string, most float64) int {
	name := fmt.Sprint(entity, " ", version, " ", column)
	if i, ok := r.vars[name]; ok {
		return i
	}
	i := len(r.upper)
	r.vars[name] = i
	r.upper = append(r.upper, most)
	return i
}

func (r *reader) add(low, high float64, of map[int]float64) {
	r.rows = append(r.rows, row{of, low, high})
}

// parts are the columns that a figure is the sum of; nil for figures that the program is not about.
func (r *reader) parts(figure string) (columns []string) {
	metric, cell, _ := strings.Cut(figure, "/")
	for _, c := range r.columns {
		m, code, _ := strings.Cut(c, "/")
		if m == metric && (code == cell || cell == "total") {
			columns = append(columns, c)
		}
	}
	return columns
}

// look sets the program up from everything that is published. about are the columns of interest.
func (r *reader) look(t testing.TB, about []string) {
	t.Helper()
	r.columns, r.vars, r.upper, r.rows = about, map[string]int{}, nil, nil
	atoms := map[string]*atom{}
	all := map[int]bool{}
	for _, v := range r.vintages {
		for _, m := range v.members {
			all[m] = true
		}
	}
	for _, m := range slices.Sorted(maps.Keys(all)) {
		if slices.Contains(r.friends, m) {
			continue
		}
		name := "target"
		if m != r.target {
			name = "rest"
			for v := range r.vintages {
				name += fmt.Sprint(" ", r.version(m, v))
			}
		}
		if atoms[name] == nil {
			atoms[name] = &atom{name: name}
		}
		atoms[name].members = append(atoms[name].members, m)
	}
	limit := float64(r.s.limit)
	bands := r.s.catalogue.Metric("cases.received").MagnitudeList().Codes
	for _, name := range slices.Sorted(maps.Keys(atoms)) {
		a := atoms[name]
		size := float64(len(a.members))
		last := -1
		for v := range r.vintages {
			version := r.version(a.members[0], v)
			if version != v {
				continue
			}
			row := map[string]int{}
			for _, c := range about {
				row[c] = r.variable(a.name, v, c, size)
			}
			if slices.Contains(about, "received/hash") {
				equal, urgent := map[int]float64{}, map[int]float64{row["urgent/total"]: 1}
				low, high := map[int]float64{}, map[int]float64{}
				for c, i := range row {
					switch {
					case strings.HasPrefix(c, "received/"):
						equal[i], urgent[i], low[i], high[i] = 1, -1, 1, 1
					case strings.HasPrefix(c, "by-harm/"):
						equal[i] = -1
					}
				}
				r.add(0, 0, equal)
				r.add(math.Inf(-1), 0, urgent)
				if r.vintages[v].figures()["received/magnitude:0"].Status.Open() {
					votes := map[int]float64{}
					for _, b := range bands {
						i := r.variable(a.name, v, "magnitude:"+b.Code, size)
						votes[i] = 1
						least, most := 0.0, 3.0
						if b.Exactly != nil {
							most = 0
						}
						if b.AtLeast != nil {
							least = float64(*b.AtLeast) / limit
						}
						if b.Below != nil {
							most = min(most, float64(*b.Below-1)/limit)
						}
						low[i], high[i] = -least, -most
					}
					r.add(size, size, votes)
					r.add(0, math.Inf(1), low)
					r.add(math.Inf(-1), 0, high)
				}
			}
			if last >= 0 && r.drift > 0 {
				for _, c := range about {
					i, j := row[c], r.variable(a.name, last, c, size)
					r.add(math.Inf(-1), 0, map[int]float64{i: 1, j: -1 - r.drift})
					r.add(0, math.Inf(1), map[int]float64{i: 1, j: -1 + r.drift})
				}
			}
			last = v
		}
	}
	for v, w := range r.vintages {
		if w.refused != nil {
			continue
		}
		for name, f := range w.figures() {
			columns := r.parts(name)
			code, band := strings.CutPrefix(f.Cell, "magnitude:")
			if !f.Status.Open() || columns == nil && !band || band && !slices.Contains(about, "received/hash") {
				continue
			}
			value, scale := float64(*f.Value), limit
			if band {
				columns, scale = []string{"magnitude:" + code}, 1
			} else if f.Metric == "review" {
				scale = 1
			}
			of := map[int]float64{}
			for _, m := range r.friends {
				if version := r.version(m, v); version >= 0 {
					value -= r.told(r.vintages[version].values[m], columns)
				}
			}
			for _, a := range atoms {
				if version := r.version(a.members[0], v); version >= 0 {
					for _, c := range columns {
						of[r.variable(a.name, version, c, float64(len(a.members)))] = 1
					}
				}
			}
			r.add(value/scale, value/scale, of)
		}
	}
	r.mustBeTrue(t, atoms)
}

// mustBeTrue checks that what the reader takes for granted holds for what the members sent.
func (r *reader) mustBeTrue(t testing.TB, atoms map[string]*atom) {
	t.Helper()
	truth := make([]float64, len(r.upper))
	for name, a := range atoms {
		for v := range r.vintages {
			for _, m := range a.members {
				for _, c := range slices.Concat(r.columns, r.bandColumns()) {
					if i, ok := r.vars[fmt.Sprint(name, " ", v, " ", c)]; ok && r.version(m, v) == v {
						scale := float64(r.s.limit)
						if strings.HasPrefix(c, "magnitude:") || c == "review/yes" {
							scale = 1
						}
						truth[i] += r.told(r.vintages[v].values[m], []string{c}) / scale
					}
				}
			}
		}
	}
	for i, u := range r.upper {
		if truth[i] > u+1e-9 {
			t.Fatalf("variable %d is %v and at most %v", i, truth[i], u)
		}
	}
	for _, w := range r.rows {
		sum := 0.0
		for i, c := range w.of {
			sum += c * truth[i]
		}
		if sum < w.low-1e-6 || sum > w.high+1e-6 {
			t.Fatalf("%v is %v and not from %v to %v (%v)", w.of, sum, w.low, w.high, r.vars)
		}
	}
}

func (r *reader) bandColumns() (columns []string) {
	for _, b := range r.s.catalogue.Metric("cases.received").MagnitudeList().Codes {
		columns = append(columns, "magnitude:"+b.Code)
	}
	return columns
}

// told is what a friend tells of its own part in a figure.
func (r *reader) told(values map[string]int64, columns []string) (sum float64) {
	for _, c := range columns {
		if code, ok := strings.CutPrefix(c, "magnitude:"); ok {
			list := r.s.catalogue.Metric("cases.received").MagnitudeList()
			if list.Codes[list.BandOfCount(received(values))].Code == code {
				sum++
			}
			continue
		}
		sum += float64(values[c])
	}
	return sum
}

// most returns the greatest sum of the target's columns in a vintage that agrees with all that the reader knows; sign −1 gives the least.
func (r *reader) most(t testing.TB, vintage int, columns []string, sign float64) float64 {
	t.Helper()
	objective := map[int]float64{}
	for _, c := range columns {
		objective[r.vars[fmt.Sprint("target ", r.version(r.target, vintage), " ", c)]] = sign
	}
	value := r.solve(t, objective) * sign
	if r.columns[0] == "review/yes" {
		return value
	}
	return value * float64(r.s.limit)
}

// solve maximises. Equations are brought to echelon form first, for the solver needs rows that are independent; inequalities get slack variables, and their
// bounds are wider by a little that differs from row to row, for the solver dislikes ties.
func (r *reader) solve(t testing.TB, objective map[int]float64) float64 {
	n := len(r.upper)
	var equations [][]float64 // with the right side last
	type inequality struct {
		of map[int]float64
		to float64 // of · x ≤ to
	}
	var bounds []inequality
	for _, w := range r.rows {
		if w.low == w.high {
			e := make([]float64, n+1)
			for i, c := range w.of {
				e[i] = c
			}
			e[n] = w.low
			equations = append(equations, e)
			continue
		}
		if !math.IsInf(w.high, 1) {
			bounds = append(bounds, inequality{w.of, w.high})
		}
		if !math.IsInf(w.low, -1) {
			minus := map[int]float64{}
			for i, c := range w.of {
				minus[i] = -c
			}
			bounds = append(bounds, inequality{minus, -w.low})
		}
	}
	for i, u := range r.upper {
		bounds = append(bounds, inequality{map[int]float64{i: 1}, u})
	}
	equations = echelon(equations)
	a := mat.NewDense(len(equations)+len(bounds), n+len(bounds), nil)
	b := make([]float64, len(equations)+len(bounds))
	for i, e := range equations {
		for j, c := range e[:n] {
			a.Set(i, j, c)
		}
		b[i] = e[n]
	}
	for i, w := range bounds {
		for j, c := range w.of {
			a.Set(len(equations)+i, j, c)
		}
		a.Set(len(equations)+i, n+i, 1)
		b[len(equations)+i] = w.to + 1e-7*(1+float64(i*7919%1000)/1000)
	}
	cost := make([]float64, n+len(bounds))
	for i, c := range objective {
		cost[i] = -c
	}
	best, _, err := lp.Simplex(cost, a, b, 1e-9, nil)
	if err != nil && !errors.Is(err, lp.ErrBland) { // at a corner that cannot be left for numerical reasons: what was found so far
		t.Fatalf("the reader's program of %d variables, %d equations and %d bounds: %v", n, len(equations), len(bounds), err)
	}
	return -best
}

// echelon brings rows to reduced row-echelon form and leaves out those that say nothing new.
func echelon(rows [][]float64) [][]float64 {
	rank := 0
	for j := 0; len(rows) > 0 && j < len(rows[0])-1; j++ {
		pivot := rank
		for i := rank; i < len(rows); i++ {
			if math.Abs(rows[i][j]) > math.Abs(rows[pivot][j]) {
				pivot = i
			}
		}
		if rank == len(rows) || math.Abs(rows[pivot][j]) < 1e-9 {
			continue
		}
		rows[rank], rows[pivot] = rows[pivot], rows[rank]
		for k := len(rows[rank]) - 1; k >= j; k-- {
			rows[rank][k] /= rows[rank][j]
		}
		for i := range rows {
			if f := rows[i][j]; i != rank && f != 0 {
				for k := range rows[i] {
					rows[i][k] -= f * rows[rank][k]
				}
			}
		}
		rank++
	}
	return rows[:rank]
}

// An exposure is a member's number that the reader tells more closely than the round's p allows.
type exposure struct {
	what             string
	low, truth, high float64
}

func (e exposure) String() string {
	return fmt.Sprintf("%s: from %.0f to %.0f, and it is %.0f", e.what, e.low, e.high, e.truth)
}

// exposes tries the target's number of one vintage. It is told too closely if the reader knows that it is under 1 + p times what it is, and did not know that
// before sums were published (blind): from the caps, the rules of the catalogue and the bands. Or if the reader knows it to within p on both sides.
// A number at its cap says only that the member's own is that or more.
func (r *reader) exposes(t testing.TB, vintage int, columns []string, blind *reader, p float64) (exposure, bool) {
	t.Helper()
	e := exposure{what: fmt.Sprintf("member %d, round %s, %v, with the help of %v", r.target, r.vintages[vintage].document.ID, columns, r.friends)}
	for _, c := range columns {
		e.truth += float64(r.vintages[vintage].values[r.target][c])
	}
	tolerance := 1e-3 * float64(r.s.limit)
	e.high = r.most(t, vintage, columns, 1)
	if columns[0] == "review/yes" { // an answer is exposed if it is known
		e.low = r.most(t, vintage, columns, -1)
		return e, e.high-e.low < 0.5
	}
	if e.high < e.truth-tolerance {
		t.Fatalf("%s: the program is wrong", e)
	}
	if e.truth < tolerance || e.high >= (1+p)*e.truth-tolerance || e.high >= float64(len(columns))*float64(r.s.limit)-tolerance {
		return e, false
	}
	e.low = r.most(t, vintage, columns, -1)
	return e, e.high < blind.most(t, vintage, columns, 1)-tolerance || e.low > (1-p)*e.truth
}

// blind is the same reader before any sum was published: with the bands alone.
func (r *reader) blind(t testing.TB, about []string) *reader {
	t.Helper()
	b := *r
	b.vintages = nil
	for _, v := range r.vintages {
		w := *v
		w.bundle = release.Bundle{}
		for _, f := range v.bundle.Figures {
			if strings.HasPrefix(f.Cell, "magnitude:") {
				w.bundle.Figures = append(w.bundle.Figures, f)
			}
		}
		b.vintages = append(b.vintages, &w)
	}
	for i, v := range r.vintages {
		if v.revises != nil {
			b.vintages[i].revises = b.vintages[slices.Index(r.vintages, v.revises)]
		}
	}
	b.look(t, about)
	return &b
}
