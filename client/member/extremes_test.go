package member_test

import (
	"math/big"
	"testing"

	"candor/schema/metric"
)

// bound returns figures in which every count is as large as the rules allow, all answers yes, and the last of all choices.
func bound(t testing.TB, instruments []string) metric.Figures {
	t.Helper()
	f := metric.Figures{}
	var rules []*metric.Rule
	for _, id := range instruments {
		in := catalogue.Instrument(id)
		for i := range in.Metrics {
			m := &in.Metrics[i]
			e := metric.Entry{State: metric.Measured, Values: make([]int64, m.Width())}
			for j := range e.Values {
				switch {
				case m.Type.Counts():
					e.Values[j] = m.Max
				case m.Type != metric.Choice || j == len(e.Values)-1:
					e.Values[j] = 1
				}
			}
			f[m.Path()] = e
		}
		for i := range in.Rules {
			rules = append(rules, &in.Rules[i])
		}
	}
	for i := range catalogue.Checks {
		rules = append(rules, &catalogue.Checks[i])
	}
	for broken := true; broken; {
		broken = false
		for _, r := range rules {
			for _, v := range r.Check(f) {
				broken = true
				excess := v.Left.Sum - v.Right.Sum
				for _, cells := range v.Left.Cells {
					for _, c := range cells {
						at := &f[c.Path()].Values[index(catalogue.Metric(c.Path()), c)]
						by := min(excess, *at)
						*at -= by
						excess -= by
					}
				}
			}
		}
	}
	setBands(f, instruments)
	return f
}

func index(m *metric.Metric, c metric.Cell) int {
	if m.CodeList() == nil {
		return 0
	}
	return m.CodeList().Index(c.Code)
}

// setBands makes every choice that is the band of a ratio the right one.
func setBands(f metric.Figures, instruments []string) {
	for _, id := range instruments {
		in := catalogue.Instrument(id)
		for i := range in.Metrics {
			m := &in.Metrics[i]
			if m.BandOf == "" {
				continue
			}
			values := f[m.Path()].Values
			clear(values)
			band := len(values) - 1
			if rate, ok := in.Ratio(m.BandOf).Of(f); ok {
				band = m.CodeList().Band(new(big.Rat).Mul(rate, big.NewRat(1_000_000, 1)))
			}
			values[band] = 1
		}
	}
}

// nothing returns figures without any value.
func nothing(instruments []string) metric.Figures {
	f := metric.Figures{}
	for _, id := range instruments {
		for i := range catalogue.Instrument(id).Metrics {
			f[catalogue.Instrument(id).Metrics[i].Path()] = metric.Entry{State: metric.NotMeasured}
		}
	}
	return f
}
