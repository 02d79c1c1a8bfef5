package demo

import (
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"text/tabwriter"

	"candor/schema/release"
)

// A Summary is what a demo ended with, for people (Print) and scripts (its JSON).
type Summary struct {
	Round     string          `json:"round"`
	Members   int             `json:"members"`
	Accepted  int             `json:"reports_accepted"`
	Rejected  map[string]int  `json:"reports_rejected"`  // by report error
	Corrected int             `json:"reports_corrected"` // members who replaced their report before the window closed
	Strangers int             `json:"strangers_refused"`
	Counted   uint64          `json:"reports_counted"`
	Withheld  string          `json:"withheld,omitempty"` // why nothing was released
	HalfWidth int64           `json:"half_width_95"`
	NoiseSD   float64         `json:"noise_sd"`
	Figures   []SummaryFigure `json:"figures"`
	Running
	Verified bool   `json:"verified"` // the release, by what is in it alone
	Verdict  string `json:"verdict"`
	Page     string `json:"page"`
}

// Running is what a run took.
type Running struct {
	Laps       []Lap            `json:"steps"`
	Seconds    float64          `json:"seconds"`
	DiskBytes  map[string]int64 `json:"disk_bytes"`     // by server
	PeakMemory map[string]int64 `json:"peak_rss_bytes"` // by process; absent where the system does not tell
	Restarts   map[string]int   `json:"restarts"`
}

// A SummaryFigure is a figure beside the truth.
type SummaryFigure struct {
	release.Figure
	Truth  *int64 `json:"truth,omitempty"`
	Inside *bool  `json:"truth_in_interval,omitempty"`
}

func (d *demo) summary() (*Summary, error) {
	r, result := d.released, d.batches[0]
	page, err := filepath.Abs(filepath.Join(r.Dir, "index.html"))
	if err != nil {
		return nil, err
	}
	s := &Summary{
		Round: d.coalition.document.ID, Members: len(d.coalition.members), Accepted: d.sent.Accepted, Rejected: map[string]int{},
		Corrected: d.sent.Corrected, Counted: result.Reports, Withheld: result.Refused, HalfWidth: r.HalfWidth, Page: page,
		Verified: r.Verified.OK(), Verdict: r.Verified.Verdict(),
	}
	if d.sent.Stranger != 0 {
		s.Strangers = 1
	}
	for code, n := range d.sent.Rejected {
		s.Rejected[code.String()] = n
	}
	for _, f := range r.Figures {
		sf := SummaryFigure{Figure: f}
		if truth, ok := r.Truth[f.Key()]; ok {
			sf.Truth = &truth
			if f.Value != nil {
				inside := *f.CILow <= truth && truth <= *f.CIHigh
				sf.Inside = &inside
			}
		}
		s.Figures, s.NoiseSD = append(s.Figures, sf), f.NoiseSD
	}
	s.Running, err = d.running()
	return s, err
}

// running takes stock at the end of a run.
func (d *demo) running() (s Running, err error) {
	s = Running{Laps: d.clock.laps, Seconds: d.clock.last.Sub(d.clock.start).Seconds(), DiskBytes: map[string]int64{}, PeakMemory: map[string]int64{}, Restarts: map[string]int{}}
	for _, p := range []*Process{d.leader, d.helper} {
		s.Restarts[p.Name] = p.Restarts()
		if rss := p.PeakRSS(); rss > 0 {
			s.PeakMemory[p.Name] = rss
		}
		if s.DiskBytes[p.Name], err = storeSize(p.Dir); err != nil {
			return s, err
		}
	}
	if rss := peakRSS("self"); rss > 0 {
		s.PeakMemory["members"] = rss
	}
	return s, nil
}

// storeSize adds up the store files of a server.
func storeSize(dir string) (bytes int64, err error) {
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || filepath.Ext(path) != ".db" {
			return err
		}
		info, err := e.Info()
		if err == nil {
			bytes += info.Size()
		}
		return err
	})
	return bytes, err
}

// Print writes the summary for people.
func (s *Summary) Print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "members\t%d\n", s.Members)
	rejected := 0
	for _, n := range s.Rejected {
		rejected += n
	}
	fmt.Fprintf(t, "reports\t%d accepted, %d rejected, %d corrected by its member, %d of a stranger refused, %d counted\n",
		s.Accepted, rejected, s.Corrected, s.Strangers, s.Counted)
	if s.Withheld != "" {
		fmt.Fprintf(t, "figures\twithheld: %s\n", s.Withheld)
	} else {
		for _, f := range s.Figures {
			fmt.Fprintf(t, "%s\t%s, 95 %% interval %s to %s\n", f.Metric, thousands(*f.Value), thousands(*f.CILow), thousands(*f.CIHigh))
			if f.Truth != nil {
				fmt.Fprintf(t, "\tpublished total %s: %s the interval\n", thousands(*f.Truth), where(*f.Inside))
			}
		}
		fmt.Fprintf(t, "noise\tstandard deviation %.1f, half-width of the interval %d\n", s.NoiseSD, s.HalfWidth)
	}
	fmt.Fprintf(t, "release\t%s\n", s.Verdict)
	s.Running.print(t)
	fmt.Fprintf(t, "\npage\t%s\n", s.Page)
	return t.Flush()
}

func (s *Running) print(t io.Writer) {
	for _, name := range []string{"leader", "helper"} {
		fmt.Fprintf(t, "%s\tholds %s on disk; no count of any member can be read from it\n", name, size(s.DiskBytes[name]))
	}
	fmt.Fprintf(t, "time\t%.1f s:", s.Seconds)
	for i, l := range s.Laps {
		fmt.Fprintf(t, "%s %s %.1f s", map[bool]string{true: ",", false: ""}[i > 0], l.Step, l.Seconds)
	}
	names := []string{"leader", "helper", "members"}
	names = slices.DeleteFunc(names, func(n string) bool { return s.PeakMemory[n] == 0 })
	if len(names) > 0 {
		fmt.Fprintf(t, "\nmemory\tat most")
		for i, n := range names {
			fmt.Fprintf(t, "%s %s %s", map[bool]string{true: ",", false: ""}[i > 0], n, size(s.PeakMemory[n]))
		}
	}
}

// thousands writes an integer with separators, as people read it.
func thousands(v int64) string {
	if v < 0 {
		return "-" + thousands(-v)
	}
	if v < 1000 {
		return fmt.Sprint(v)
	}
	return thousands(v/1000) + fmt.Sprintf(",%03d", v%1000)
}

func size(bytes int64) string {
	if bytes < 1<<20 {
		return fmt.Sprintf("%d kB", (bytes+1023)/1024)
	}
	return fmt.Sprintf("%.1f MB", float64(bytes)/(1<<20))
}
