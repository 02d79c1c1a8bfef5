package metric

import (
	"math/big"
	"slices"
)

// Example returns made-up figures for the instruments that break no rule, different ones for each seed: to try things out. If
// complete, every metric is contributed; otherwise states are mixed. Counts are small. Soft rules hold, too.
func (c *Catalogue) Example(seed uint64, instruments []string, complete bool) Figures {
	random := splitMix(seed)
	f := Figures{}
	var rules []*Rule
	for i := range c.Instruments {
		in := &c.Instruments[i]
		if !slices.Contains(instruments, in.ID) {
			continue
		}
		for j := range in.Metrics {
			m := &in.Metrics[j]
			f[m.Path()] = m.example(&random, complete)
		}
		for j := range in.Rules {
			rules = append(rules, &in.Rules[j])
		}
	}
	for i := range c.Checks {
		rules = append(rules, &c.Checks[i])
	}
	for round := 0; f.repair(rules, &random); round++ {
		if round == 100 { // rules that chase each other: all of them hold for zeros
			for path, e := range f {
				if c.Metric(path).Type != Choice {
					clear(e.Values)
				}
			}
		}
	}
	for i := range c.Instruments {
		in := &c.Instruments[i]
		for j := range in.Metrics {
			if m := &in.Metrics[j]; m.BandOf != "" && f[m.Path()].State.Contributes() {
				values := f[m.Path()].Values
				clear(values)
				band := len(values) - 1
				if rate, ok := in.Ratio(m.BandOf).Of(f); ok {
					band = m.codes.Band(new(big.Rat).Mul(rate, big.NewRat(1_000_000, 1)))
				}
				values[band] = 1
			}
		}
	}
	return f
}

// repair raises what is too small where a rule is broken, and lowers what is too large where a bound is reached. It reports whether
// there was anything to do.
func (f Figures) repair(rules []*Rule, random *splitMix) bool {
	broken := false
	for _, r := range rules {
		for _, v := range r.Check(f) {
			broken = true
			excess := v.Left.Sum - v.Right.Sum
			var raise []*int64
			var limits []int64
			for _, cells := range v.Right.Cells {
				for _, cell := range cells {
					m := r.metricOf(cell)
					raise = append(raise, &f[cell.Path()].Values[m.index(cell)])
					limits = append(limits, m.Max)
				}
			}
			start := int(random.below(uint64(len(raise))))
			for i := range raise {
				at := (start + i) % len(raise)
				by := min(excess, limits[at]-*raise[at])
				*raise[at] += by
				excess -= by
			}
			for _, cells := range v.Left.Cells {
				for _, cell := range cells {
					value := &f[cell.Path()].Values[r.metricOf(cell).index(cell)]
					by := min(excess, *value)
					*value -= by
					excess -= by
				}
			}
		}
	}
	return broken
}

func (r *Rule) metricOf(cell Cell) *Metric {
	for _, s := range []sum{r.parsed.left, r.parsed.right} {
		for _, t := range s {
			if t.metric.Path() == cell.Path() {
				return t.metric
			}
		}
	}
	return nil
}

// index returns the position of a value cell in the metric.
func (m *Metric) index(cell Cell) int {
	if m.codes == nil {
		return 0
	}
	return m.codes.Index(cell.Code)
}

func (m *Metric) example(random *splitMix, complete bool) Entry {
	e := Entry{State: Measured}
	switch n := random.below(16); {
	case n < 3:
		e.State = Estimated
	case complete:
	case n < 5:
		e.State = NotMeasured
	case n < 7:
		e.State = NotApplicable
	}
	if !e.State.Contributes() {
		return e
	}
	e.Values = make([]int64, m.Width())
	if m.Type == Choice {
		e.Values[random.below(uint64(len(e.Values)))] = 1
		return e
	}
	for i := range e.Values {
		// Half of all cells are small, as in real tables.
		limit := uint64(min(m.Max, int64(1)<<random.below(12)))
		e.Values[i] = int64(random.below(limit + 1))
	}
	return e
}

// splitMix is the generator of that name (Steele, Lea and Flood 2014): for examples, never for noise or secrets.
type splitMix uint64

func (s *splitMix) below(n uint64) uint64 {
	*s += 0x9e3779b97f4a7c15
	z := uint64(*s)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return (z ^ z>>31) % n
}
