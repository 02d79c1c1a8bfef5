package publish

import (
	"fmt"
	"math/big"

	"candor/schema/release"
	"candor/schema/round"
)

// A Change is how the contributors of a figure differ from those of an earlier release that shows it, too.
type Change struct {
	Round                   string // the earlier one
	Joined, Left, Corrected int    // groups
	// Net is the change of the number of members who measure or estimate the metric, as far as the published states tell, where those who joined
	// and left do not explain it.
	Net int
	// Unknown is set if it is not known who sent figures then or now.
	Unknown bool
	// SamePeriod marks a revision: unchanged members send the same noisy numbers again, so that the
	// difference of the two figures is that of the changed members alone.
	SamePeriod bool
	Before     int64 // the figure that was shown
}

// minChanged is the number of groups that must have changed for two figures to be shown side by side.
const minChanged = 3

// least is how many groups must have changed, if any have. Between periods it is 3. Within one period t colluding members can take out their
// own changes, so that at least t + 2 groups must have changed.
func (r Rules) least(c Change) int {
	if c.SamePeriod {
		return max(minChanged, r.Colluders+2)
	}
	return minChanged
}

// Comparable reports whether two figures with change c between them may both be shown and compared: nobody came, went or corrected, or enough did.
func (r Rules) Comparable(c Change) bool {
	n := c.Joined + c.Left
	if c.SamePeriod {
		n += c.Corrected
	}
	enough := func(n int) bool { return n == 0 || n >= r.least(c) }
	return !c.Unknown && enough(n) && enough(max(c.Net, -c.Net))
}

// describe gives the numbers that Comparable looks at.
func (r Rules) describe(c Change) string {
	text := fmt.Sprintf("%d joined, %d left", c.Joined, c.Left)
	if c.SamePeriod {
		text += fmt.Sprintf(", %d corrected", c.Corrected)
	}
	if c.Unknown {
		text = "it is not known who sent figures"
	}
	if c.Net != 0 {
		text += fmt.Sprintf(", %+d members measure it", c.Net)
	}
	if c.Round != "" {
		text = "since " + c.Round + ": " + text
	}
	return text + fmt.Sprintf("; none or at least %d groups", r.least(c))
}

// difference reports whether a cell may be shown beside the figure that c compares it with, and the numbers that say why not.
//
// Within one period the difference D of two figures is that of the groups that changed, and a total like any other. Whoever joined, or gave a
// number anew, is protected if D and the most that those who left or corrected can have taken out of it pass the certificate of any total; those
// who left or corrected if −D does, with the others.
func (r Rules) difference(cell Cell, c Change) (why string, ok bool) {
	if !c.SamePeriod || cell.Certificate == nil {
		return r.describe(c), r.Comparable(c)
	}
	d := cell.Estimate - c.Before
	switch n := c.Joined + c.Left + c.Corrected; {
	case c.Unknown || n > 0 && !r.Comparable(c):
		return r.describe(c), false
	case d == 0:
		return "", true // nothing to see
	case n == 0:
		return "since " + c.Round + ": the number changed, and nobody is said to have joined, left or corrected", false
	case !r.Comparable(c):
		return r.describe(c), false
	}
	each := new(big.Int).Mul(big.NewInt(cell.Certificate.Cap), big.NewInt(int64(cell.Certificate.Cells))) // the most of a group of one
	for _, side := range []struct {
		d             int64
		shown, hidden int
	}{{d, c.Joined + c.Corrected, c.Left + c.Corrected}, {-d, c.Left + c.Corrected, c.Joined + c.Corrected}} {
		k := *cell.Certificate
		most := new(big.Int).Mul(each, big.NewInt(int64(side.hidden)))
		most.Add(most, big.NewInt(side.d))
		if !most.IsInt64() {
			continue // far beyond any certificate
		}
		k.Estimate, k.SD = most.Int64(), hypot(k.SD, k.SD)
		if side.shown > 0 && !k.Holds() {
			return fmt.Sprintf("since %s: the difference's certificate %s", c.Round, k), false
		}
	}
	return "", true
}

// compare notes at each cell what an earlier release shows of it. states are the figures of states of this round, keyed without round.
func (rc *roundCells) compare(d *round.Document, e *Earlier, record release.Earlier, states map[release.Key]release.Figure) {
	if e.Document.ID == d.ID { // the same batches: see onlyLess
		return
	}
	parts := partsByCell(d)
	for i := range rc.cells {
		c := &rc.cells[i]
		k := anyRound(c.Key)
		f, ok := e.figures[k]
		if !ok || !f.Status.Open() {
			continue
		}
		part, before := d.Parts[parts[k]].Name, e.Document.Parts[e.parts[k]].Name
		change := Change{Round: e.Document.ID, Unknown: true, SamePeriod: samePeriod(d, e.Document), Before: *f.Value}
		for _, t := range record.Turnovers {
			if t.Instrument == c.Instrument && t.Part == part && t.Before == before {
				change.Joined, change.Left, change.Corrected, change.Unknown = t.Joined, t.Left, t.Corrected, !t.Known
			}
		}
		then, ok1 := measuring(e.figures, k)
		now, ok2 := measuring(states, k)
		if low, high := now.low-then.high, now.high-then.low; ok1 && ok2 && (change.Joined-change.Left < low || change.Joined-change.Left > high) {
			change.Net = max(low, min(high, 0)) // what is nearest to no change
		}
		c.Since = append(c.Since, change)
	}
}

type bounds struct{ low, high int }

// measuring bounds how many members measure or estimate a metric, by the published figures of its states.
func measuring(figures map[release.Key]release.Figure, k release.Key) (b bounds, ok bool) {
	for _, state := range []string{"measured", "estimated"} {
		k.Cell = stateColumn + state
		f, there := figures[k]
		if !there || f.CILow == nil || f.CIHigh == nil {
			return b, false
		}
		b.low, b.high = b.low+int(*f.CILow), b.high+int(*f.CIHigh)
	}
	return b, true
}
