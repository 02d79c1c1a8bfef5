package metric

import (
	"errors"
	"math/big"
)

// A Ratio is computed from published sums and never contributed. With [*] it has one value per code and one over all codes.
type Ratio struct {
	ID          string   `json:"id"`
	Name        string   `json:"name"`
	Numerator   string   `json:"numerator"` // a sum as in Rule
	Denominator string   `json:"denominator"`
	Note        string   `json:"note,omitempty"`
	Frameworks  []string `json:"frameworks,omitempty"`

	numerator, denominator sum
	each                   *CodeList
}

// A Quotient says which cells make one value of a ratio: the sum of Numerator over the sum of Denominator.
type Quotient struct {
	Code                   string // "" is the ratio as a whole
	Numerator, Denominator []Cell
}

// Quotients returns the values that the ratio has: the whole, and each code if the ratio has [*].
func (r *Ratio) Quotients() []Quotient {
	whole := func(s sum) (cells []Cell) {
		for _, t := range s {
			if t.code == "" {
				cells = append(cells, t.metric.Cells()...)
			} else {
				cells = append(cells, t.metric.Cells()[t.metric.codes.Index(t.code)])
			}
		}
		return cells
	}
	quotients := []Quotient{{Numerator: whole(r.numerator), Denominator: whole(r.denominator)}}
	if r.each == nil {
		return quotients
	}
	one := func(s sum, code int) (cells []Cell) {
		for _, t := range s {
			cells = append(cells, t.metric.Cells()[code])
		}
		return cells
	}
	for i := range r.each.Codes {
		quotients = append(quotients, Quotient{Code: r.each.Codes[i].Code, Numerator: one(r.numerator, i), Denominator: one(r.denominator, i)})
	}
	return quotients
}

// Of returns the ratio of one member's figures as a whole. ok is false if a metric is not contributed or the denominator is 0.
func (r *Ratio) Of(f Figures) (value *big.Rat, ok bool) {
	sum := func(s sum) (int64, bool) {
		var n int64
		for _, t := range s {
			e, known := f[t.metric.Path()]
			switch {
			case !known || !e.State.Contributes():
				return 0, false
			case t.code != "":
				n += e.Values[t.metric.codes.Index(t.code)]
			default:
				n += e.Total()
			}
		}
		return n, true
	}
	n, ok1 := sum(r.numerator)
	d, ok2 := sum(r.denominator)
	if !ok1 || !ok2 || d == 0 {
		return nil, false
	}
	return big.NewRat(n, d), true
}

func (r *Ratio) resolve(lookup func(name string) *Metric) error {
	var err error
	if r.numerator, err = parseSum(r.Numerator); err != nil {
		return err
	}
	if r.denominator, err = parseSum(r.Denominator); err != nil {
		return err
	}
	for _, s := range []sum{r.numerator, r.denominator} {
		if err := s.resolve(lookup); err != nil {
			return err
		}
		for _, t := range s {
			if !t.metric.Type.Counts() {
				return errors.New(t.metric.Path() + " has answers; a ratio needs counts")
			}
		}
	}
	r.each, err = eachList(r.numerator, r.denominator)
	return err
}
