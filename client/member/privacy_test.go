package member_test

import (
	"encoding/hex"
	"fmt"
	"math"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"candor/aggregator"
	"candor/client/collector"
	"candor/client/publish"
	"candor/crypto/dp"
	"candor/crypto/dp/dptest"
	"candor/schema/dap"
	"candor/schema/metric"
	"candor/schema/round"
)

const trialCap = 1000

// trialCatalogue has an instrument of counts and one of answers, each with one metric of many cells: each cell is a trial of its own.
func trialCatalogue(t *testing.T, cells int) *metric.Catalogue {
	t.Helper()
	text := string(must(os.ReadFile(filepath.Join("..", "..", "schema", "metric", "testdata", "small.yaml")))(t))
	head, _, ok := strings.Cut(text, "code_lists:")
	if !ok {
		t.Fatal("small.yaml has no code lists")
	}
	var b strings.Builder
	b.WriteString(head + "code_lists:\n  - id: trial\n    kind: codes\n    title: trial\n    codes:\n")
	for i := range cells {
		fmt.Fprintf(&b, "      - {code: c%d, definition: \"Trial %d.\"}\n", i, i)
	}
	b.WriteString("instruments:\n")
	for _, in := range []struct{ id, kind, unit, rest string }{
		{"counted", "count", "item", fmt.Sprintf("max: %d, unit_max: 1, release: account-noise", trialCap)},
		{"answered", "yes-no-set", "organisation", "max: 1, unit_max: 1, release: org-noise"},
	} {
		fmt.Fprintf(&b, `  - {id: %[1]s, name: "%[1]s", purpose: "Trials.", period: quarter, basis: event, tier: core, respondents: "all", metrics: [
      {id: m, name: "%[1]s", definition: "%[1]s.", type: %[2]s, codes: trial, unit: "trials", privacy_unit: %[3]s, tier: core, why: "Trials.", %[4]s}]}
`, in.id, in.kind, in.unit, in.rest)
	}
	return must(metric.Parse([]byte(b.String())))(t)
}

// trialValue is what a member has in a cell: neighbours differ by one, at 0 and at the cap.
func trialValue(member, cell int) (x, base int64) {
	if cell%2 == 1 {
		base = trialCap - 1
	}
	return base + int64(member%2), base
}

func trialFigures(member, cells int) metric.Figures {
	e := metric.Entry{State: metric.Measured, Values: make([]int64, cells)}
	for k := range cells {
		e.Values[k], _ = trialValue(member, k)
	}
	return metric.Figures{"counted.m": e}
}

// trials plays a round in which every cell is a trial, and returns what somebody learns of each value who knows all others': the collected sum without what
// left the other members' machines, less the base. seen[0] is of the base itself, seen[1] of one more, each at 0 and at the cap.
func trials(t *testing.T, w *world, cells int) (seen [2][2][]int64) {
	t.Helper()
	w.serve()
	leaves := make([][]int64, len(w.members))
	for i, p := range w.members {
		d, _ := w.submit(p, trialFigures(i, cells))
		for _, c := range d.Parts[0].Cells {
			leaves[i] = append(leaves[i], c.Leaves)
		}
	}
	sums := w.sums(0)
	for k, sum := range sums {
		for i := range leaves {
			y := sum
			for j := range leaves {
				if j != i {
					y -= leaves[j][k]
				}
			}
			_, base := trialValue(i, k)
			seen[i%2][k%2] = append(seen[i%2][k%2], y-base)
		}
	}
	return seen
}

// sums lets the window pass and returns the decoded sums of a part.
func (w *world) sums(part int) (sums []int64) {
	w.t.Helper()
	w.close()
	b := w.collect()[part]
	for k := range b.Leaves[0] {
		sum, err := publish.SumOfShares(b.Leaves[0][k].Element, b.Leaves[1][k].Element, b.Reports, w.signed.Document.Parts[part].Offset)
		if err != nil {
			w.t.Fatal(err)
		}
		sums = append(sums, sum)
	}
	return sums
}

// aggregate lets the window pass and returns the decoded aggregate of a part of answers, by plain DAP: client/collect takes no batch of which both aggregators do
// not say the same about noise.
func (w *world) aggregate(part int) (sums []int64) {
	w.t.Helper()
	w.close()
	col := must(collector.New(collector.Config{Task: w.tasks[part], HPKE: w.collector.Config, Key: w.collector.Private, Token: token + "-collector", PlainHTTP: true,
		HTTP: &http.Client{Transport: w.net}, Now: w.clock.Now, Attempts: 1}))(w.t)
	job := must(col.Start(w.t.Context(), dap.NewTimeIntervalQuery(*w.tasks[part].Interval)))(w.t)
	w.settle(w.t.Context())
	half := new(big.Int).Rsh(field128, 1)
	for _, x := range must(col.Poll(w.t.Context(), job))(w.t).Aggregate {
		if x.Cmp(half) > 0 { // a negative sum
			x = new(big.Int).Sub(x, field128)
		}
		sums = append(sums, x.Int64())
	}
	return sums
}

// field128 is the modulus of Field128.
var field128, _ = new(big.Int).SetString("340282366920938462946865773367900766209", 10)

func trialSize(short, normal, long int) int {
	switch {
	case os.Getenv("CANDOR_TEST_LONG") != "":
		return long
	case testing.Short():
		return short
	}
	return normal
}

// The whole path, from a member's figures over shares and both aggregators to the decoded sum, hides one item as the round says: what it shows of one, against
// somebody who knows everything else, stays at or below ε = 1; it follows the law from which intervals are published; and it is unbiased, at 0 too. A revision in which
// nothing changed shows no more. Each measurement would see what it is there for: noise 10 % too small, a unit that counts twice, a result that is clamped
// because an offset is missing, noise drawn anew for the same figures. A claim fails by chance with a probability of 1e-9
// for each comparison.
func TestEmpiricalEpsilonEndToEnd(t *testing.T) {
	cells := trialSize(1000, 4000, 4000)
	catalogue := trialCatalogue(t, cells)
	plan := func(p *round.Plan) { p.Catalogue = catalogue }
	first := newWorld(t, 10, []string{"counted"}, plan)
	seen := trials(t, first, cells)
	for at, name := range []string{"at 0", "at the cap"} {
		if got := dptest.EmpiricalEpsilon(seen[0][at], seen[1][at]); got > 1 {
			t.Errorf("%s: an ε of at least %.3f is shown, 1 is claimed", name, got)
		}
	}
	both := func(seen [2][2][]int64, i int) []int64 {
		return append(append([]int64(nil), seen[i][0]...), seen[i][1]...)
	}
	x, y := both(seen, 0), both(seen, 1)
	got, twice := dptest.EmpiricalEpsilon(x, y), dptest.EmpiricalEpsilon(x, shifted(y, 1))
	t.Logf("%d trials: ε of at least %.3f; for two items %.3f", len(x), got, twice)
	if got > 1 || got < 0.2 {
		t.Errorf("an ε of at least %.3f is shown, want 0.2 to 1", got)
	}
	if twice <= 1 {
		t.Errorf("control: a unit of two items is not noticed (ε of at least %.3f)", twice)
	}

	noise := append(append([]int64(nil), x...), shifted(y, -1)...)
	law := must(first.signed.Document.Parts[0].Privacy.MemberNoise())(t).Law()
	if p := dptest.ChiSquare(t, dptest.Histogram(noise), law.P); p < dptest.FalseAlarm {
		t.Errorf("the noise does not follow its law (p = %g)", p)
	}
	if p := dptest.ChiSquare(t, dptest.Histogram(noise), dp.Laplace{Epsilon: big.NewRat(10, 9), Delta1: 1}.Law().P); p > dptest.FalseAlarm {
		t.Errorf("control: noise 10 %% too small is not noticed (p = %g)", p)
	}
	bias := func(clamp bool) float64 { // in standard errors, of values that are 0
		sum := 0.0
		for _, v := range seen[0][0] {
			if !clamp || v > 0 {
				sum += float64(v)
			}
		}
		return sum / math.Sqrt(float64(len(seen[0][0]))*law.Variance())
	}
	if z := bias(false); math.Abs(z) > 6.1 {
		t.Errorf("values of 0 are off by %.1f standard errors", z)
	}
	if z := bias(true); z < 6.1 {
		t.Errorf("control: results clamped at 0 are not noticed (%.1f standard errors)", z)
	}

	// A revision of the round, with the same figures.
	revise := func(id string, before *world) *world {
		hash := must(before.signed.Document.Hash())(t)
		w := newWorld(t, 0, []string{"counted"}, plan, func(p *round.Plan) {
			p.ID, p.Supersedes, p.Roster = id, hex.EncodeToString(hash[:]), before.plan.Roster
			p.Window = before.plan.Window
		})
		w.members = before.members
		return w
	}
	revision := revise("2026q1-r1", first)
	again := trials(t, revision, cells)
	added := func(a, b []int64) []int64 {
		sum := append([]int64(nil), a...)
		for i := range sum {
			sum[i] += b[i]
		}
		return sum
	}
	if !slices.Equal(x, both(again, 0)) || !slices.Equal(y, both(again, 1)) {
		t.Error("a revision without a change shows other noise")
	}
	if got := dptest.EmpiricalEpsilon(added(x, both(again, 0)), added(y, both(again, 1))); got > 1 {
		t.Errorf("a revision without a change shows an ε of at least %.3f", got)
	}
	told := [2][]int64{x, y}
	for range 2 { // all forget what was drawn, and draw again
		var fresh [2][]int64
		for i, p := range first.members {
			forgetful := revision.newParty(p.id)
			forgetful.key = p.key
			m, r := revision.open(forgetful)
			d := must(m.Draft(r, revision.file(trialFigures(i, cells))))(t)
			for k, c := range d.Parts[0].Cells {
				_, base := trialValue(i, k)
				fresh[i%2] = append(fresh[i%2], c.Leaves-base)
			}
		}
		for i := range told {
			told[i] = added(told[i], fresh[i])
		}
	}
	got = dptest.EmpiricalEpsilon(told[0], told[1])
	t.Logf("told three times with fresh noise: ε of at least %.3f", got)
	if got <= 1 {
		t.Errorf("control: fresh noise for the same figures is not noticed (ε of at least %.3f)", got)
	}
}

func shifted(list []int64, by int64) []int64 {
	out := make([]int64, len(list))
	for i, v := range list {
		out[i] = v + by
	}
	return out
}

// The same path for answers, of which the aggregators hide one: with the noise of one of them, as its partner and the secretariat would see it together, and of both.
func TestEmpiricalEpsilonOfAnswers(t *testing.T) {
	rounds, cells := trialSize(1, 2, 12), trialSize(1000, 4000, 4000)
	catalogue := trialCatalogue(t, cells)
	for _, c := range []struct {
		name  string
		alone bool // only one aggregator's noise
		n     int
	}{{"one aggregator", true, 1}, {"both", false, 2}} {
		t.Run(c.name, func(t *testing.T) {
			var sum dp.Sum
			sum.Add(dp.DiscreteLaplace{Scale: big.NewRat(1, 1)}.Law(), c.n)
			var seen [2][]int64
			for range rounds {
				for vote, list := range answerTrials(t, catalogue, cells, c.alone) {
					seen[vote] = append(seen[vote], list...)
				}
			}
			got := dptest.EmpiricalEpsilon(seen[0], seen[1])
			t.Logf("%d trials: ε of at least %.3f", len(seen[0]), got)
			if got > 1 {
				t.Errorf("an ε of at least %.3f is shown, 1 is claimed", got)
			}
			noise := append(append([]int64(nil), seen[0]...), shifted(seen[1], -1)...)
			if p := dptest.ChiSquare(t, dptest.Histogram(noise), sum.P); p < dptest.FalseAlarm {
				t.Errorf("the noise does not follow its law (p = %g)", p)
			}
			if len(noise) < 20_000 {
				return
			}
			if c.alone && got < 0.4 {
				t.Errorf("an ε of at least %.3f is shown, want 0.4 to 1", got)
			}
			var tighter dp.Sum
			tighter.Add(dp.DiscreteLaplace{Scale: big.NewRat(9, 10)}.Law(), c.n)
			if p := dptest.ChiSquare(t, dptest.Histogram(noise), tighter.P); p > dptest.FalseAlarm {
				t.Errorf("control: noise 10 %% too small is not noticed (p = %g)", p)
			}
		})
	}
}

// answerTrials returns the decoded sums of answers that one member gives in every second cell and nobody else does, by that answer.
func answerTrials(t *testing.T, catalogue *metric.Catalogue, cells int, alone bool) (seen [2][]int64) {
	t.Helper()
	w := newWorld(t, 10, []string{"answered"}, func(p *round.Plan) { p.Catalogue = catalogue })
	if alone {
		w.changeRules = func(r *aggregator.Round) {
			if r.Identity == w.helperKey {
				part := *r.Part
				part.Privacy.Mechanism = "none"
				r.Part = &part
			}
		}
	}
	w.serve()
	for i, p := range w.members {
		e := metric.Entry{State: metric.Measured, Values: make([]int64, cells)}
		for k := 1; k < cells && i == 0; k += 2 {
			e.Values[k] = 1
		}
		w.submit(p, metric.Figures{"answered.m": e})
	}
	for k, sum := range w.aggregate(0)[:cells] {
		seen[k%2] = append(seen[k%2], sum)
	}
	return seen
}
