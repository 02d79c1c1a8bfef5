package publish

import (
	"cmp"
	"fmt"
	"math/big"
	"slices"

	"candor/schema/release"
)

// complement withholds what would give away a withheld cell by subtraction.
//
// A reader who knows a total and its open parts knows the sum of the withheld parts. That sum is a total like
// any other, and must be fit to be shown: made of at least two cells, of enough groups, with a certificate that
// holds. If it is not, open parts are withheld too, the smallest estimates first, until it is; if that would
// take all parts, the total is withheld in their place. A part that nobody has seen, or that was not
// collected, leaves no total to show.
//
// Sums that share cells can be combined. So at the end, and until nothing changes, any withheld cell that the
// open figures determine by linear algebra loses the totals that it is part of.
func (p *plan) complement(relations []Relation) {
	if p.rules.off(complementRule) {
		return
	}
	for _, r := range relations {
		for _, k := range r.Parts {
			if c := p.cells[p.index[k]]; r.Counted && (c.Blanked || c.Uncollected) && p.open(r.Total) {
				p.withhold(r.Total, fmt.Sprintf("part %s has no number", k))
			}
		}
	}
	for changed := true; changed; {
		changed = false
		for _, r := range relations {
			changed = p.protect(r) || changed
		}
		if !changed {
			changed = p.breakUp(relations)
		}
	}
}

// protect makes the hidden parts of one relation safe, and reports whether it had to change anything.
func (p *plan) protect(r Relation) bool {
	rest := int64(0)
	for _, k := range append([]release.Key{r.Total}, r.With...) {
		if !p.open(k) {
			return false
		}
		rest += p.cells[p.index[k]].Estimate
	}
	var hidden, open []release.Key
	for _, k := range r.Parts {
		if p.open(k) {
			open = append(open, k)
			rest -= p.cells[p.index[k]].Estimate
		} else {
			hidden = append(hidden, k)
		}
	}
	if len(hidden) == 0 || !r.Counted && len(open) == 0 || p.safe(hidden, rest) { // a rule that gives one total for another gives no part of it
		return false
	}
	slices.SortStableFunc(open, func(a, b release.Key) int {
		return cmp.Compare(p.cells[p.index[a]].Estimate, p.cells[p.index[b]].Estimate)
	})
	for n := 1; n < len(open); n++ {
		rest += p.cells[p.index[open[n-1]]].Estimate
		if p.safe(append(slices.Clone(hidden), open[:n]...), rest) {
			for _, k := range open[:n] {
				p.withhold(k, fmt.Sprintf("or %s could be had by subtraction from %s", hidden[0], r.Total))
			}
			return true
		}
	}
	p.withhold(r.Total, fmt.Sprintf("or %s could be had by subtraction from it", hidden[0]))
	return true
}

// safe reports whether the sum of the given cells, which readers can compute to be rest, may be known.
func (p *plan) safe(keys []release.Key, rest int64) bool {
	if len(keys) < 2 {
		return false
	}
	groups := 0
	var sum *Certificate
	for _, k := range keys {
		c := p.cells[p.index[k]]
		groups = max(groups, c.Groups) // all that is known of how many groups stand behind the sum
		if c.Certificate == nil {
			continue
		}
		if sum == nil {
			s := *c.Certificate
			sum = &s
		} else {
			s := sum.merge(*c.Certificate)
			sum = &s
		}
	}
	if sum != nil {
		sum.Estimate = rest
	}
	return groups >= p.rules.Minimum && (sum == nil || sum.Holds())
}

// breakUp withholds the totals above withheld cells that the open figures determine together, and, where a withheld total follows from its own
// parts, the smallest of these. It reports whether it had to.
func (p *plan) breakUp(relations []Relation) bool {
	changed := false
	for _, k := range exposed(relations, p.open) {
		for _, r := range relations {
			switch {
			case slices.Contains(r.Parts, k):
				for _, t := range append([]release.Key{r.Total}, r.With...) {
					if p.open(t) {
						p.withhold(t, fmt.Sprintf("or %s could be had by combining sums", k))
						changed = true
					}
				}
			case r.Counted && r.Total == k && !slices.ContainsFunc(r.Parts, func(k release.Key) bool { return !p.open(k) }):
				least := slices.MinFunc(r.Parts, func(a, b release.Key) int {
					return cmp.Compare(p.cells[p.index[a]].Estimate, p.cells[p.index[b]].Estimate)
				})
				p.withhold(least, fmt.Sprintf("or %s could be had as the sum of its parts", k))
				changed = true
			}
		}
	}
	return changed
}

// exposed returns the hidden keys that must not follow from the open figures, and do: by sums that readers compute, all; by the rules of the
// catalogue, those that are not themselves a total, or the only cell of one, that another certified total gives.
func exposed(relations []Relation, open func(release.Key) bool) []release.Key {
	var counted []Relation
	whole := map[release.Key]bool{}
	for _, r := range relations {
		if r.Counted {
			counted = append(counted, r)
			whole[r.Total] = true
		} else if len(r.Parts) == 1 {
			whole[r.Parts[0]] = true
		}
	}
	list := determined(counted, open)
	for _, k := range determined(relations, open) {
		if !whole[k] && !slices.Contains(list, k) {
			list = append(list, k)
		}
	}
	return list
}

// determined returns the hidden keys whose value follows from the relations and the open figures. It brings
// the relations, as equations in the hidden cells, to reduced row-echelon form over the rationals: a hidden
// cell is determined if, and only if, a row holds it alone.
func determined(relations []Relation, open func(release.Key) bool) []release.Key {
	var hidden []release.Key
	column := map[release.Key]int{}
	var rows [][]*big.Rat
	for _, r := range relations {
		for _, k := range r.keys() {
			if _, known := column[k]; !known && !open(k) {
				column[k] = len(hidden)
				hidden = append(hidden, k)
			}
		}
	}
	for _, r := range relations {
		row := make([]*big.Rat, len(hidden))
		for j := range row {
			row[j] = new(big.Rat)
		}
		add := func(k release.Key, by int64) {
			if j, ok := column[k]; ok {
				row[j].Add(row[j], big.NewRat(by, 1))
			}
		}
		add(r.Total, 1)
		for _, k := range r.With {
			add(k, 1)
		}
		for _, k := range r.Parts {
			add(k, -1)
		}
		rows = append(rows, row)
	}
	rank := 0
	for j := range hidden {
		pivot := -1
		for i := rank; i < len(rows) && pivot < 0; i++ {
			if rows[i][j].Sign() != 0 {
				pivot = i
			}
		}
		if pivot < 0 {
			continue
		}
		rows[rank], rows[pivot] = rows[pivot], rows[rank]
		inverse := new(big.Rat).Inv(rows[rank][j])
		for l := range hidden {
			rows[rank][l].Mul(rows[rank][l], inverse)
		}
		for i := range rows {
			if i == rank || rows[i][j].Sign() == 0 {
				continue
			}
			factor := new(big.Rat).Set(rows[i][j])
			for l := range hidden {
				rows[i][l].Sub(rows[i][l], new(big.Rat).Mul(factor, rows[rank][l]))
			}
		}
		rank++
	}
	var found []release.Key
	for _, row := range rows[:rank] {
		only, count := 0, 0
		for j, v := range row {
			if v.Sign() != 0 {
				only, count = j, count+1
			}
		}
		if count == 1 {
			found = append(found, hidden[only])
		}
	}
	return found
}
