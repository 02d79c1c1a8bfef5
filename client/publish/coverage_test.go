package publish_test

import (
	"math"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"

	"candor/client/publish"
	"candor/crypto/dp"
	"candor/schema/release"
	"candor/schema/round"
)

// Over 200 simulated releases, 95 % intervals contain the truth in 92 to 98 % of cells: of counts, of their totals, of answers, and of ratios. Noise is drawn
// with fixed seeds: the members' from a rounded Laplace law that is written down here anew, the aggregators' by their own sampler. With noise of twice the
// scale that the round document says, the same intervals fail.
func TestIntervalsCover(t *testing.T) {
	for kind, share := range coverage(t, 1) {
		t.Logf("%s: %.1f %% of %d", kind, 100*share.rate(), share.all)
		if r := share.rate(); r < 0.92 || r > 0.98 || share.all < 200 {
			t.Errorf("%s: %d of %d intervals hold the truth, %.1f %%", kind, share.in, share.all, 100*r)
		}
	}
	for kind, share := range coverage(t, 2) {
		if r := share.rate(); r > 0.92 {
			t.Errorf("%s: with twice the noise %.1f %% of intervals hold the truth: the test could not tell", kind, 100*r)
		}
	}
}

type share struct{ in, all int }

func (s share) rate() float64 { return float64(s.in) / float64(s.all) }

// coverage counts, by kind of figure, how many intervals of 200 releases hold the truth. scale multiplies the noise.
func coverage(t *testing.T, scale int64) map[string]*share {
	random := newRandom(11)
	stream := rand.NewChaCha8([32]byte{11})
	s := newSeries(t, 40, 1000)
	s.noisy = true
	s.noise = func(p *round.Part, c round.Cell) (sum int64) {
		switch {
		case strings.HasPrefix(c.Code, "state:"):
		case p.Kind == round.KindAnswers:
			drawn, err := dp.DiscreteLaplace{Scale: big.NewRat(scale, 1)}.Sample(stream, 2)
			if err != nil {
				t.Fatal(err)
			}
			sum = drawn[0] + drawn[1]
		default:
			epsilon, _ := new(big.Rat).SetString(p.Privacy.Epsilon)
			e, _ := epsilon.Float64()
			for range s.roster {
				sum += roundedLaplace(random, float64(scale)*float64(p.Privacy.Delta1)/e)
			}
		}
		return sum
	}
	shares := map[string]*share{"counts": {}, "totals": {}, "answers": {}, "ratios": {}}
	count := func(kind string, in bool) {
		shares[kind].all++
		if in {
			shares[kind].in++
		}
	}
	for range 200 {
		values := map[int]map[string]int64{}
		truth := map[string]float64{}
		for m := range s.roster {
			values[m] = member(random, 300+int64(random.IntN(1500)), s.limit)
			for c, v := range values[m] {
				truth[c] += float64(v)
				if metric, _, _ := strings.Cut(c, "/"); metric != "urgent" {
					truth[metric+"/total"] += float64(v)
				}
			}
		}
		s.vintages, s.earlier = nil, nil
		v := s.publish(t, numbers(0, 40), values, nil)
		if v.refused != nil {
			t.Fatal(v.refused)
		}
		for _, f := range v.bundle.Figures {
			want, known := truth[f.Metric+"/"+f.Cell]
			if !known || !f.Status.Open() {
				continue
			}
			kind := "counts"
			switch {
			case f.Metric == "review":
				kind = "answers"
			case f.Cell == "total" && f.Metric != "urgent":
				kind = "totals"
			}
			count(kind, float64(*f.CILow) <= want && want <= float64(*f.CIHigh))
		}
		for _, q := range v.bundle.Ratios {
			of := map[string][2]string{"urgent-share": {"urgent/total", "received/total"}, "hash-share": {"received/hash", "received/total"},
				"known-share": {"by-harm/known", "by-harm/total"}}[q.Ratio]
			if q.Status == release.Published {
				want := truth[of[0]] / truth[of[1]] * float64(release.One)
				count("ratios", float64(*q.CILow) <= want && want <= float64(*q.CIHigh))
			}
		}
	}
	return shares
}

// roundedLaplace draws from the Laplace law of a scale, to the nearest whole number.
func roundedLaplace(random *rand.Rand, scale float64) int64 {
	x := scale * math.Log(1-random.Float64())
	if random.IntN(2) == 0 {
		x = -x
	}
	return int64(math.Round(x))
}

// Fieller's interval of a ratio of small noisy sums is right where the plain one, which takes the denominator for certain, is not: the control of the test above.
func TestFiellerCovers(t *testing.T) {
	random := newRandom(12)
	fieller, plain := share{}, share{}
	for range 4000 {
		const a, b, sd = 400.0, 500.0, 40.0
		q := publish.Quotient{A: int64(math.Round(a + sd*random.NormFloat64())), B: int64(math.Round(b + sd*random.NormFloat64())), VarA: sd * sd, VarB: sd * sd}
		value, low, high, ok := q.Fieller()
		if !ok {
			continue
		}
		fieller.all, plain.all = fieller.all+1, plain.all+1
		if low <= a/b && a/b <= high {
			fieller.in++
		}
		if half := 1.96 * sd / float64(q.B); math.Abs(value-a/b) <= half {
			plain.in++
		}
	}
	if r := fieller.rate(); r < 0.94 || r > 0.96 {
		t.Errorf("Fieller: %.1f %% of %d", 100*r, fieller.all)
	}
	if r := plain.rate(); r > 0.92 {
		t.Errorf("an interval that takes the denominator for certain: %.1f %%: the test could not tell", 100*r)
	}
}
