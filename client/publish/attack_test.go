package publish_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"candor/client/publish"
	"candor/schema/release"
)

// TestAttackOnTables plays a reader who knows every member's name, the caps and all published figures, without
// noise, and who colludes with two members. The reader adds and subtracts published sums in every way (each sum
// up to once, with either sign) and gets sums over sets of withheld cells. In none of them may what is left,
// after the two colluders' own parts are taken out, pin the largest remaining member's part down to less than p.
func TestAttackOnTables(t *testing.T) {
	const limit, rows, columns = 100, 2, 3
	random := newRandom(17)
	derived, withheldCells, shownCells := 0, 0, 0
	for trial := range 150 {
		names, relations := table(rows, columns)
		members := 10 + random.IntN(15)
		values := map[string][]int64{} // by cell, by member
		for _, n := range names {
			values[n] = make([]int64, members)
		}
		for _, n := range names {
			if strings.Contains(n, "0") {
				continue
			}
			// Some cells are small and some ruled by few members.
			busy := random.Float64()
			r, c, _ := strings.Cut(n, ",")
			for i := range members {
				if random.Float64() > busy {
					continue
				}
				v := int64(random.IntN(limit + 1))
				for _, cell := range []string{n, r + ",0", "0," + c, "0,0"} {
					values[cell][i] += v
				}
			}
		}
		var cells []publish.Cell
		for _, n := range names {
			k := 1
			if strings.HasPrefix(n, "0,") {
				k *= rows
			}
			if strings.HasSuffix(n, ",0") {
				k *= columns
			}
			var sum int64
			for _, v := range values[n] {
				sum += v
			}
			c := rules().Certificate("i.m", sum, 0, limit, 0, k)
			cells = append(cells, publish.Cell{Key: key(n), Estimate: sum, Low: sum, High: sum, Groups: members, Certificate: &c})
		}
		m := decide(t, cells, relations...)
		open := func(k release.Key) bool { return m[k.Cell].Status.Open() }
		for _, n := range names {
			if open(key(n)) {
				shownCells++
				checkSafe(t, fmt.Sprintf("trial %d, figure %s", trial, n), [][]int64{values[n]})
			} else {
				withheldCells++
			}
		}
		forEachSign(len(relations), func(signs []int) {
			coefficients := map[string]int{}
			for i, s := range signs {
				coefficients[relations[i].Total.Cell] += s
				for _, p := range relations[i].Parts {
					coefficients[p.Cell] -= s
				}
			}
			// Σ over hidden cells of coefficient × value is known. Sets of cells have all coefficients 1.
			var set [][]int64
			var cells []string
			for n, c := range coefficients {
				if c == 0 || open(key(n)) {
					continue
				}
				if c != 1 {
					return
				}
				set = append(set, values[n])
				cells = append(cells, n)
			}
			if len(set) == 0 || len(set) > 1 && slices.ContainsFunc(cells, func(n string) bool { return strings.Contains(n, "0") }) {
				return // sums over margins count members twice: another combination has their cells
			}
			derived++
			slices.Sort(cells)
			checkSafe(t, fmt.Sprintf("trial %d, the withheld cells %v together", trial, cells), set)
		})
		if t.Failed() {
			t.Fatalf("decisions: %v", hiddenCells(m))
		}
	}
	if derived < 200 || withheldCells < 200 || shownCells < 500 {
		t.Errorf("%d sums derived, %d cells withheld, %d shown: the attack does not look at enough", derived, withheldCells, shownCells)
	}
}

// checkSafe is the p rule with two colluders on the sum of several cells.
func checkSafe(t *testing.T, what string, cells [][]int64) {
	t.Helper()
	x := make([]int64, len(cells[0]))
	for _, values := range cells {
		for i, v := range values {
			x[i] += v
		}
	}
	slices.Sort(x)
	slices.Reverse(x)
	var rest int64
	for _, v := range x[3:] {
		rest += v
	}
	if 5*rest < x[0] {
		t.Errorf("%s: the largest member has %d, two others %d and %d, and all others %d: less than a fifth", what, x[0], x[1], x[2], rest)
	}
}

// forEachSign calls f with every choice of −1, 0 and 1 for n places.
func forEachSign(n int, f func([]int)) {
	signs := make([]int, n)
	for i := range signs {
		signs[i] = -1
	}
	for {
		f(signs)
		i := 0
		for ; i < n && signs[i] == 1; i++ {
			signs[i] = -1
		}
		if i == n {
			return
		}
		signs[i]++
	}
}
