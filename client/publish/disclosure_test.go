package publish_test

import (
	"cmp"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"candor/client/publish"
	"candor/schema/release"
	"candor/schema/round"
)

// thoroughly makes attacks look at more members, and long at more friends; each bound takes some 50 ms.
func thoroughly() bool { return !testing.Short() }
func long() bool       { return os.Getenv("CANDOR_TEST_LONG") != "" }

// attack lets readers look at a whole series: alone, and with two members who help, at the largest members and those who came, went or corrected.
// It returns the first exposure of each reader, all of them if every is set, and how many bounds were computed.
func attack(t testing.TB, s *series, drift float64, every bool) (found []exposure, bounds int) {
	t.Helper()
	var periods [][]*vintage
	for _, v := range s.vintages {
		if at := slices.IndexFunc(periods, func(p []*vintage) bool { return v.revises != nil && slices.Contains(p, v.revises) }); at >= 0 {
			periods[at] = append(periods[at], v)
		} else if drift > 0 && len(periods) > 0 {
			periods[0] = append(periods[0], v) // a reader with a belief looks at all periods at once
		} else {
			periods = append(periods, []*vintage{v})
		}
	}
	for _, vintages := range periods {
		targets, friends := suspects(vintages)
		for _, target := range targets {
			for _, with := range friends {
				if slices.Contains(with, target) || drift > 0 && len(with) > 0 {
					continue
				}
				for _, about := range [][]string{countColumns, {"review/yes"}} {
					r := &reader{s: s, vintages: vintages, target: target, friends: with, drift: drift}
					r.look(t, about)
					blind := r.blind(t, about)
					for v := range vintages {
						if r.version(target, v) != v { // looked at where it was sent first
							continue
						}
						sums := [][]string{}
						for _, c := range about {
							sums = append(sums, []string{c})
						}
						if len(about) > 1 {
							sums = append(sums, about[:3])
						}
						for _, columns := range sums {
							bounds++
							if e, ok := r.exposes(t, v, columns, blind, 0.2); ok {
								found = append(found, e)
								if !every {
									return found, bounds
								}
							}
						}
					}
				}
			}
		}
	}
	return found, bounds
}

// suspects are the members most worth looking at, and the sets of members who could help most.
func suspects(vintages []*vintage) (targets []int, friends [][]int) {
	size, changed := map[int]int64{}, map[int]bool{}
	for i, v := range vintages {
		for _, m := range v.members {
			size[m] = max(size[m], received(v.values[m]))
			changed[m] = changed[m] || i > 0 && (v.new[m] || v.revises == nil && !slices.Contains(vintages[i-1].members, m))
		}
	}
	bySize := func(a, b int) int { return cmp.Or(cmp.Compare(size[b], size[a]), cmp.Compare(a, b)) }
	all := slices.SortedFunc(maps.Keys(size), bySize)
	moved := slices.DeleteFunc(slices.Clone(all), func(m int) bool { return !changed[m] })
	targets = slices.Clone(all[:1])
	if thoroughly() {
		targets = append(targets, all[1], all[len(all)/2])
	}
	for _, m := range moved[:min(2, len(moved))] {
		if !slices.Contains(targets, m) {
			targets = append(targets, m)
		}
	}
	friends = [][]int{nil}
	most := 2
	if long() {
		most = 3
	}
	for _, list := range [][]int{all, moved} {
		list = slices.DeleteFunc(slices.Clone(list), func(m int) bool { return m == targets[0] })
		for i := range min(most, len(list)) {
			for j := range i {
				friends = append(friends, []int{list[j], list[i]})
			}
		}
	}
	return targets, friends
}

func randomSeries(t testing.TB, random *rand.Rand, off ...string) *series {
	s := newSeries(t, 20, 1000, off...)
	first := make([]int, 12+random.IntN(3))
	values := map[int]map[string]int64{}
	for i := range first {
		first[i] = i
	}
	size := func() int64 {
		if random.IntN(4) == 0 {
			return int64(random.IntN(2400))
		}
		return int64(random.IntN(900))
	}
	for m := range 20 {
		values[m] = member(random, size(), s.limit)
	}
	v := s.publish(t, first, values, nil)
	// A revision in which some correct and some come late.
	again := maps.Clone(values)
	for m := range random.IntN(7) {
		again[m] = member(random, size(), s.limit)
	}
	second := slices.Clone(first)
	for m := len(first); m < len(first)+random.IntN(6); m++ {
		second = append(second, m)
	}
	s.publish(t, second, again, v)
	// The next period.
	next := map[int]map[string]int64{}
	for m := range 20 {
		next[m] = member(random, size(), s.limit)
	}
	s.publish(t, second[random.IntN(3):], next, nil)
	return s
}

// TestDisclosureAttack plays readers of whole series, all rounds and revisions, with linear programming: no member's number is told more closely than p.
func TestDisclosureAttack(t *testing.T) {
	random := newRandom(7)
	trials := 1
	if thoroughly() {
		trials = 2
	}
	if long() {
		trials = 12
	}
	bounds, refused := 0, 0
	shown := map[release.Status]int{}
	for range trials {
		s := randomSeries(t, random)
		for _, v := range s.vintages {
			if v.refused != nil {
				refused++
				continue
			}
			nothingBeside(t, v)
			for _, f := range v.bundle.Figures {
				if !strings.HasPrefix(f.Cell, "state:") {
					shown[f.Status]++
				}
			}
		}
		found, n := attack(t, s, 0, true)
		for _, e := range found {
			t.Error(e)
		}
		bounds += n
	}
	t.Logf("%d bounds, %d releases refused; figures %v", bounds, refused, shown)
	if bounds < 30*trials || shown[release.Published] < 10*trials || shown[release.WithheldCertificate]+shown[release.WithheldComplementary]+shown[release.WithheldDifference] < 5*trials {
		t.Error("the attack does not look at enough")
	}
}

// nothingBeside checks that pages and openings of a release tell no number but those of its figures, which the readers look at.
func nothingBeside(t *testing.T, v *vintage) {
	t.Helper()
	files, err := publish.RenderBundle(v.bundle)
	if err != nil {
		t.Fatal(err)
	}
	figures := map[release.Key]release.Figure{}
	for _, f := range asShown(v.bundle.Figures) {
		figures[f.Key()] = f
	}
	rows := 0
	for name, text := range files {
		if !strings.HasSuffix(name, ".html") {
			continue
		}
		for _, f := range tableFigures(t, document(t, text)) {
			rows++
			if want := figures[f.Key()]; f.Value != nil && (want.Value == nil || *want.Value != *f.Value) {
				t.Errorf("%s tells %d of %s, which the data files do not", name, *f.Value, f.Key())
			}
		}
	}
	if rows == 0 {
		t.Error("no page has a row of figures: the test does not look at them")
	}
	verification := verifyFiles(files, nil)
	for _, item := range []string{"openings", "sums", "figures"} { // nothing is opened that is not a figure
		if c := checkOf(verification, item); c.Outcome != publish.Passed {
			t.Errorf("%s: %+v", item, c)
		}
	}
}

// even is a member of a given total, in equal parts.
func even(total int64) map[string]int64 {
	return map[string]int64{"received/hash": total / 3, "received/report": total / 3, "received/other": total - total/3*2,
		"by-harm/known": total / 2, "by-harm/new": total - total/2, "urgent/total": total / 10}
}

func numbers(from, to int) (list []int) {
	for i := from; i < to; i++ {
		list = append(list, i)
	}
	return list
}

// A rule is worth its name if readers learn without it what they do not learn with it.
func TestDisclosureRules(t *testing.T) {
	all := func(n int, of func(m int) map[string]int64) map[int]map[string]int64 {
		values := map[int]map[string]int64{}
		for m := range n {
			values[m] = of(m)
			values[m]["review/yes"] = int64(m % 2) // without noise, an answer that all give is known
		}
		return values
	}
	for _, tc := range []struct {
		rule    string
		drift   float64
		publish func(*series)
		status  release.Status // that the rule gives
	}{
		{rule: "certificate", status: release.WithheldCertificate, publish: func(s *series) { // one member is most of the total
			s.publish(t, numbers(0, 14), all(14, func(m int) map[string]int64 {
				if m == 3 {
					return even(1800)
				}
				return even(30)
			}), nil)
		}},
		{rule: "complement", status: release.WithheldComplementary, publish: func(s *series) { // one cell of three is small
			s.publish(t, numbers(0, 18), all(18, func(m int) map[string]int64 {
				v := even(1800)
				v["received/report"] = 0
				if m == 3 {
					v["received/report"] = 600
				}
				v["by-harm/known"] = received(v) / 2
				v["by-harm/new"] = received(v) - v["by-harm/known"]
				return v
			}), nil)
		}},
		{rule: "difference", publish: func(s *series) { // a late member, in a revision
			values := all(17, func(m int) map[string]int64 { return even(1500) })
			s.publish(t, numbers(0, 17), values, s.publish(t, numbers(0, 16), values, nil))
		}},
		{rule: "difference", drift: 0.001, status: release.WithheldDifference, publish: func(s *series) { // a new member, and everybody else as before
			values := all(17, func(m int) map[string]int64 { return even(1500) })
			s.publish(t, numbers(0, 16), values, nil)
			s.publish(t, numbers(0, 17), values, nil)
		}},
		{rule: "minimum", status: release.WithheldMinimum, publish: func(s *series) { // two of three know the third's answer
			s.publish(t, numbers(0, 3), all(3, func(m int) map[string]int64 {
				return map[string]int64{}
			}), nil)
		}},
		{rule: "bands", status: release.WithheldBands, publish: func(s *series) { // everybody is at the lower end of one band
			s.publish(t, numbers(0, 26), all(26, func(m int) map[string]int64 { return even(503) }), nil)
		}},
	} {
		name := tc.rule
		if tc.drift > 0 {
			name += " between periods"
		}
		t.Run(name, func(t *testing.T) {
			without := newSeries(t, 30, 1000, tc.rule)
			tc.publish(without)
			found, _ := attack(t, without, tc.drift, false)
			if len(found) == 0 {
				t.Error("without the rule readers learn nothing that they should not: the attack is too weak, or the rule is for nothing")
			} else {
				t.Logf("without it: %s", found[0])
			}
			with := newSeries(t, 30, 1000)
			tc.publish(with)
			found, _ = attack(t, with, tc.drift, true)
			for _, e := range found {
				t.Errorf("with it: %s", e)
			}
			last := with.vintages[len(with.vintages)-1]
			if tc.status == "" && last.refused == nil {
				t.Error("with the rule, the correction of one member is released")
			}
			if tc.status != "" && !slices.ContainsFunc(last.bundle.Figures, func(f release.Figure) bool { return f.Status == tc.status }) {
				t.Errorf("with the rule, no figure is %s: %v", tc.status, last.refused)
			}
		})
	}
}

// A member that waived in writing gives its magnitude up, and nobody else does: only where all did is the total shown.
func TestDisclosureWaiver(t *testing.T) {
	for _, waiving := range []int{13, 14} {
		s := newSeries(t, 14, 1000)
		s.change = func(d *round.Document) {
			for i, m := range d.Roster[:waiving] {
				d.Release.Waivers = append(d.Release.Waivers, round.NewWaiver(d, m.ID, "cases.received", s.Members[i]))
			}
		}
		values := map[int]map[string]int64{}
		for m := range 14 {
			values[m] = even(30)
			if m == 3 {
				values[m] = even(1800)
			}
			values[m]["review/yes"] = int64(m % 2)
		}
		s.publish(t, numbers(0, 14), values, nil)
		found, _ := attack(t, s, 0, true)
		if waived := waiving == 14; waived != (len(found) > 0) {
			t.Errorf("%d of 14 waived: %v", waiving, found)
		}
		for _, e := range found {
			if !strings.Contains(e.what, "[received/") {
				t.Errorf("%s, which nobody waived", e)
			}
		}
	}
}
