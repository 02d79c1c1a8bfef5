package member_test

import (
	"math"
	"testing"

	"candor/schema/round"
)

// A draft says how closely the industry's totals will be known: to the noise of the whole roster, or to that of the two aggregators.
func TestDraftShowsIntervals(t *testing.T) {
	instruments := []string{"solicitation", "transparency"}
	w := newWorld(t, 50, instruments)
	m, r := w.open(w.members[0])
	d := must(m.Draft(r, w.file(catalogue.Example(1, instruments, true))))(t)
	kinds := map[string]bool{}
	for i, p := range d.Parts {
		part := &w.signed.Document.Parts[i]
		noise := must(part.Privacy.MemberNoise())(t)
		low, high := 0.0, 0.0
		switch {
		case p.Kind == round.KindAnswers:
			kinds["answers"] = true
			low, high = 4, 4 // two discrete Laplace noises of scale 1, by privacy-design
		case noise != nil:
			kinds["noise"] = true
			normal := 1.96 * math.Sqrt(50*noise.Law().Variance())
			low, high = 0.98*normal, 1.02*normal+1
		default:
			kinds["none"] = true
		}
		if h := float64(p.HalfWidth); h < low || h > high {
			t.Errorf("%s/%s: totals are said to be known to ± %v, want %.1f to %.1f", p.Instrument, p.Name, h, low, high)
		}
	}
	if len(kinds) != 3 {
		t.Errorf("only parts with %v occur", kinds)
	}
}
