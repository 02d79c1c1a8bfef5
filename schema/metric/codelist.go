package metric

import (
	"fmt"
	"math/big"
)

// A CodeList is a list of exclusive and exhaustive codes.
type CodeList struct {
	ID    string `json:"id"`
	Kind  string `json:"kind"`  // codes, buckets, bands or levels
	Title string `json:"title"` // what one code is, as in "for each media type"
	Unit  string `json:"unit,omitempty"`
	Codes []Code `json:"codes"`
}

// A Code is one member of a list. If it stands for a range of numbers, that range is AtLeast ≤ x < Below, the latter without
// end if nil, or x = Exactly. A code for exactly 0 may come before one that begins at 0: that one then means more than 0.
type Code struct {
	Code       string `json:"code"`
	Definition string `json:"definition"`
	AtLeast    *int64 `json:"at_least,omitempty"`
	Below      *int64 `json:"below,omitempty"`
	Exactly    *int64 `json:"exactly,omitempty"`
}

func (c *Code) ranged() bool { return c.AtLeast != nil || c.Exactly != nil }

// Index returns the position of code in the list, or -1.
func (l *CodeList) Index(code string) int {
	for i := range l.Codes {
		if l.Codes[i].Code == code {
			return i
		}
	}
	return -1
}

// Band returns the position of the code whose range holds x, or -1.
func (l *CodeList) Band(x *big.Rat) int {
	holds := func(bound int64) int { return x.Cmp(new(big.Rat).SetInt64(bound)) }
	for i := range l.Codes {
		c := &l.Codes[i]
		switch {
		case c.Exactly != nil && holds(*c.Exactly) == 0:
			return i
		case c.AtLeast != nil && holds(*c.AtLeast) >= 0 && (c.Below == nil || holds(*c.Below) < 0):
			return i
		}
	}
	return -1
}

// BandOfCount returns the position of the code whose range holds n; a negative n, which noise can make, counts as 0.
func (l *CodeList) BandOfCount(n int64) int { return l.Band(new(big.Rat).SetInt64(max(n, 0))) }

// checkRanges says what is wrong with the list's ranges, as index and text. Ranges ascend without gap or overlap.
func (l *CodeList) checkRanges(add func(code int, format string, args ...any)) {
	next, first := int64(0), true
	open := false
	for i := range l.Codes {
		c := &l.Codes[i]
		switch {
		case c.Exactly != nil && (c.AtLeast != nil || c.Below != nil):
			add(i, "code %q has exactly and a range; it can have one of them", c.Code)
			return
		case c.Below != nil && c.AtLeast == nil:
			add(i, "code %q has below without at_least", c.Code)
			return
		case !c.ranged():
			continue
		case open:
			add(i, "code %q comes after a range without end", c.Code)
			return
		}
		low := c.AtLeast
		if c.Exactly != nil {
			low = c.Exactly
		}
		// After exactly 0 a range may begin at 0 (fractions) or at 1 (counts).
		previousExact := i > 0 && l.Codes[i-1].Exactly != nil
		if !first && *low != next && !(previousExact && c.AtLeast != nil && *low == next-1) {
			add(i, "code %q begins at %d and the code before it ends at %d; ranges leave no gap", c.Code, *low, next)
			return
		}
		first = false
		switch {
		case c.Exactly != nil:
			next = *c.Exactly + 1
		case c.Below == nil:
			open = true
		case *c.Below <= *c.AtLeast:
			add(i, "code %q has the empty range from %d to below %d", c.Code, *c.AtLeast, *c.Below)
			return
		default:
			next = *c.Below
		}
	}
	if !first && !open {
		add(len(l.Codes)-1, "ranges of list %q end at %d; the last one has no end", l.ID, next)
	}
}

// coversCounts says whether every whole number from 0 has a code.
func (l *CodeList) coversCounts() error {
	if len(l.Codes) == 0 || !l.Codes[0].ranged() || l.BandOfCount(0) != 0 {
		return fmt.Errorf("list %q does not begin at 0", l.ID)
	}
	for i := range l.Codes {
		if !l.Codes[i].ranged() {
			return fmt.Errorf("code %q of list %q has no range", l.Codes[i].Code, l.ID)
		}
	}
	return nil
}
