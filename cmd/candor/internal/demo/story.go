package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"candor/schema/release"
)

// RunHistory runs all rounds of a coalition, the calibration rounds with real figures and the quarters with made-up ones, and publishes the latest as a site.
func RunHistory(ctx context.Context, o Options) (*Story, error) {
	steps := []step{
		{"set up the coalition, sign the rounds", (*demo).newHistory},
		{"start both aggregators", (*demo).start},
		{"members submit", (*demo).submitAll},
		{"the windows close", (*demo).awaitHistory},
		{"aggregate and collect", (*demo).collectAll},
		{"release and verify", (*demo).releaseAll},
	}
	d, err := run(ctx, o, steps)
	for range 2 {
		if o.Window > 0 || !errors.Is(err, errTooSlow) {
			break
		}
		again := o
		again.Window = longer(d.windows.Closes.Sub(d.windows.Opens), d.history.done.Load(), int64(len(d.history.order)))
		d.say("%v", err)
		d.say("once more, with a window of %s", again.Window)
		d, err = run(ctx, again, steps)
	}
	if err != nil {
		return nil, err
	}
	return d.story()
}

// A Story is what a demo of several rounds ended with, for people (Print) and scripts (its JSON).
type Story struct {
	Rounds    []StoryRound `json:"rounds"` // the latest is the last
	Accepted  int          `json:"members_accepted"`
	Reports   uint64       `json:"reports_counted"`
	Corrected int          `json:"reports_corrected"`
	Strangers int          `json:"strangers_refused"`
	Running
	Release string `json:"release"` // directory of the latest bundle
	Page    string `json:"page"`    // first page of the site
}

// A StoryRound is one of them.
type StoryRound struct {
	Round    string `json:"round"`
	Period   string `json:"period"`
	Members  int    `json:"members"`
	Reports  uint64 `json:"reports_counted"`
	Shown    int    `json:"figures_shown"`
	Withheld int    `json:"figures_withheld"`
	Ratios   int    `json:"ratios_shown"`
	Verified bool   `json:"verified"`
	Verdict  string `json:"verdict"`
	// Of a calibration round:
	Largest float64         `json:"largest_share,omitempty"` // of the raw total, which was not collected
	Total   *release.Figure `json:"total,omitempty"`         // capped
	Truth   *int64          `json:"truth,omitempty"`         // the same by the public list
	Inside  *bool           `json:"truth_in_interval,omitempty"`
}

func (d *demo) story() (*Story, error) {
	s := &Story{Strangers: 1}
	for _, r := range d.history.rounds {
		w := StoryRound{Round: r.doc().ID, Period: r.doc().Period.Label, Members: len(r.doc().Roster), Verified: r.verified.OK(), Verdict: r.verified.Verdict()}
		for _, b := range r.batches {
			w.Reports += b.Reports
		}
		for i := range r.bundle.Figures {
			f := &r.bundle.Figures[i]
			if f.Status.Withheld() {
				w.Withheld++
			} else {
				w.Shown++
			}
			if r.known != nil && f.Metric == "reports" && f.Cell == "total" {
				w.Total = f
			}
		}
		for _, q := range r.bundle.Ratios {
			if q.Value != nil {
				w.Ratios++
			}
		}
		if r.known != nil {
			w.Largest, w.Truth = float64(r.known.Top[0])/float64(r.known.Raw), &r.known.Capped
			if w.Total != nil && w.Total.Value != nil {
				inside := *w.Total.CILow <= *w.Truth && *w.Truth <= *w.Total.CIHigh
				w.Inside = &inside
			}
		}
		s.Rounds = append(s.Rounds, w)
		s.Accepted, s.Reports, s.Corrected = s.Accepted+r.sent, s.Reports+w.Reports, s.Corrected+r.corrected
	}
	var err error
	if s.Running, err = d.running(); err != nil {
		return nil, err
	}
	if s.Release, err = filepath.Abs(d.dir("release")); err != nil {
		return nil, err
	}
	s.Page, err = filepath.Abs(d.dir("site", "index.html"))
	return s, err
}

// Print writes the story for people.
func (s *Story) Print(w io.Writer) error {
	latest := s.Rounds[len(s.Rounds)-1]
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	var quarters []string
	for _, r := range s.Rounds {
		if r.Truth == nil {
			quarters = append(quarters, r.Period)
		}
	}
	fmt.Fprintf(t, "coalition\t%d members with made-up figures, %d subjects, rounds %s\n", latest.Members, len(syntheticInstruments), strings.Join(quarters, ", "))
	fmt.Fprintf(t, "calibration\treal reports to the clearing house; the total without cap is not collected, because one owner holds most of it\n")
	for _, r := range s.Rounds {
		if r.Truth == nil {
			continue
		}
		fmt.Fprintf(t, "  %s\t%d owners, the largest holds %.0f %%; ", r.Period, r.Members, 100*r.Largest)
		if r.Inside == nil {
			fmt.Fprintf(t, "capped total withheld\n")
			continue
		}
		fmt.Fprintf(t, "capped total %s, 95 %% interval %s to %s; by the public list %s, %s the interval\n",
			thousands(*r.Total.Value), thousands(*r.Total.CILow), thousands(*r.Total.CIHigh), thousands(*r.Truth), where(*r.Inside))
	}
	fmt.Fprintf(t, "reports\t%s counted, %d corrected by its member, %d of a stranger refused\n", thousands(int64(s.Reports)), s.Corrected, s.Strangers)
	fmt.Fprintf(t, "%s\t%d figures shown, %d withheld with the reason, %d ratios\n", latest.Period, latest.Shown, latest.Withheld, latest.Ratios)
	verified := 0
	for _, r := range s.Rounds {
		if r.Verified {
			verified++
		}
	}
	fmt.Fprintf(t, "releases\t%d of %d verified; %s: %s\n", verified, len(s.Rounds), latest.Period, latest.Verdict)
	if i := slices.IndexFunc(s.Rounds, func(r StoryRound) bool { return !r.Verified }); i >= 0 {
		fmt.Fprintf(t, "\t%s: %s\n", s.Rounds[i].Round, s.Rounds[i].Verdict)
	}
	s.Running.print(t)
	fmt.Fprintf(t, "\nrelease\t%s\npages\t%s\n", s.Release, s.Page)
	return t.Flush()
}

func where(inside bool) string {
	if inside {
		return "inside"
	}
	return "outside"
}
