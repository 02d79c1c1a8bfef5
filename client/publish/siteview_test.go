package publish_test

import (
	"testing"

	"candor/client/publish"
	"candor/schema/release"
)

// How many members have a figure follows from the states of availability, also where small counts are told as ranges only.
func TestCoverageWords(t *testing.T) {
	type bounds = [2]int64
	for _, c := range []struct {
		states map[string]bounds
		want   string
	}{
		{map[string]bounds{"measured": {23, 23}, "estimated": {5, 5}, "not-measured": {4, 4}, "not-applicable": {8, 8}}, "28 of 45 members measured or estimated this."},
		{map[string]bounds{"measured": {24, 24}, "estimated": {2, 4}, "not-measured": {0, 2}, "not-applicable": {12, 12}}, "26 to 28 of 45 members measured or estimated this."},
		{map[string]bounds{"measured": {16, 20}, "estimated": {0, 2}, "not-measured": {0, 2}, "not-applicable": {20, 20}}, "18 to 20 of 45 members measured or estimated this."},
		{map[string]bounds{"measured": {0, 0}, "not-measured": {40, 40}}, ""},
		{map[string]bounds{}, ""},
	} {
		var s publish.Site
		s.Method.Members = 45
		for state, b := range c.states {
			f := release.Figure{Round: "r", Instrument: "i", Metric: "m", Cell: "state:" + state, CILow: &b[0], CIHigh: &b[1], Contributors: 40}
			s.Bundle.Figures = append(s.Bundle.Figures, f)
		}
		if got := publish.CoverageWords(s, release.Key{Round: "r", Instrument: "i", Metric: "m", Cell: "total"}); got != c.want {
			t.Errorf("%v: %q, want %q", c.states, got, c.want)
		}
	}
}
