package metric

import (
	_ "embed"
	"fmt"
)

// Schema is the form of catalogue files that this package reads.
const Schema = "candor/catalogue/1"

// MaxMembers is the number of members for which sums must fit.
const MaxMembers = 500

//go:embed catalogue.yaml
var standard []byte

// Standard returns the catalogue that comes with the program. It parses it at each call; callers keep it.
func Standard() *Catalogue {
	c, err := Parse(standard)
	if err != nil {
		panic("metric: internal error: " + err.Error())
	}
	return c
}

// A Catalogue is one edition of all definitions, read by Parse. It is read-only.
type Catalogue struct {
	Schema        string       `json:"schema"`
	ID            string       `json:"id"`
	Version       string       `json:"version"`
	Status        string       `json:"status"`
	Title         string       `json:"title"`
	Conventions   Conventions  `json:"conventions"`
	Terms         []Term       `json:"terms,omitempty"`
	Bases         []Meaning    `json:"bases"`
	Tiers         []Meaning    `json:"tiers"`
	Availability  []Meaning    `json:"availability"`
	Releases      []Meaning    `json:"releases"`
	CodeLists     []CodeList   `json:"code_lists"`
	Frameworks    []Framework  `json:"frameworks,omitempty"`
	Instruments   []Instrument `json:"instruments"`
	Checks        []Rule       `json:"checks,omitempty"`
	OutsideChecks []Remark     `json:"outside_checks,omitempty"`
	LeftOut       []Remark     `json:"left_out,omitempty"`

	canonical []byte
	hash      string
}

// Conventions are the constants of counting.
type Conventions struct {
	FollowUpDays  int64 `json:"follow_up_days"` // after the end of a period
	DueDays       int64 `json:"due_days"`       // after the end of a period
	AnnualQuarter int64 `json:"annual_quarter"` // 1 to 4: yearly instruments come with it
	HistoryFactor int64 `json:"history_factor"` // at least 2
}

// A Term is a word and what it means in definitions.
type Term struct {
	Term       string `json:"term"`
	Definition string `json:"definition"`
}

// A Meaning is an id and what it means.
type Meaning struct {
	ID         string `json:"id"`
	Definition string `json:"definition"`
}

// A Framework is something that members report to already, or that asks for what a metric counts.
type Framework struct {
	ID             string `json:"id"`
	Title          string `json:"title"`
	CheckedAgainst string `json:"checked_against"` // how far the mapping was compared with the framework's text
}

// A Remark is a statement for readers.
type Remark struct {
	What string `json:"what"`
	Why  string `json:"why"`
}

// An Instrument is a set of metrics that a member contributes together.
type Instrument struct {
	ID          string   `json:"id"`
	Name        string   `json:"name"`
	Purpose     string   `json:"purpose"`
	Period      Period   `json:"period"`
	Basis       string   `json:"basis"` // one of Catalogue.Bases
	Tier        Tier     `json:"tier"`
	Respondents string   `json:"respondents"`
	Metrics     []Metric `json:"metrics"`
	Rules       []Rule   `json:"rules,omitempty"`
	Ratios      []Ratio  `json:"ratios,omitempty"`
}

// A Metric is one thing that is counted or answered, in one cell or in one cell per code.
type Metric struct {
	ID          string      `json:"id"` // unique in the instrument; Path is unique in the catalogue
	Name        string      `json:"name"`
	Definition  string      `json:"definition"`
	Type        Type        `json:"type"`
	Codes       string      `json:"codes,omitempty"` // id of a code list
	Unit        string      `json:"unit"`
	Max         int64       `json:"max"` // largest valid value of one cell, for one member and period
	PrivacyUnit PrivacyUnit `json:"privacy_unit"`
	UnitMax     int64       `json:"unit_max"` // largest change that one privacy unit makes in the metric
	Tier        Tier        `json:"tier"`
	Release     Release     `json:"release"`
	Magnitude   string      `json:"magnitude,omitempty"` // id of the list of bands of the metric's total
	BandOf      string      `json:"band_of,omitempty"`   // id of the instrument's ratio of which the choice is the band
	Public      *Public     `json:"public,omitempty"`
	Why         string      `json:"why"`
	Pitfall     string      `json:"pitfall,omitempty"`
	Frameworks  []string    `json:"frameworks,omitempty"`

	instrument string
	codes      *CodeList // nil without codes
	magnitude  *CodeList // nil without magnitude
	malformed  bool      // during checks: what follows from it is not worth a problem of its own
}

// Public is the largest value that any organisation has published for a metric's total, or for something that includes it.
type Public struct {
	Largest int64  `json:"largest"`
	What    string `json:"what"`
}

// Path returns the metric's name in the catalogue, instrument.metric.
func (m *Metric) Path() string { return m.instrument + "." + m.ID }

// Instrument returns the instrument with the id, or nil.
func (c *Catalogue) Instrument(id string) *Instrument {
	for i := range c.Instruments {
		if c.Instruments[i].ID == id {
			return &c.Instruments[i]
		}
	}
	return nil
}

// Metric returns the metric with the path, or nil.
func (c *Catalogue) Metric(path string) *Metric {
	for i := range c.Instruments {
		in := &c.Instruments[i]
		if len(path) > len(in.ID) && path[:len(in.ID)] == in.ID && path[len(in.ID)] == '.' {
			return in.Metric(path[len(in.ID)+1:])
		}
	}
	return nil
}

// CodeList returns the list with the id, or nil.
func (c *Catalogue) CodeList(id string) *CodeList {
	for i := range c.CodeLists {
		if c.CodeLists[i].ID == id {
			return &c.CodeLists[i]
		}
	}
	return nil
}

// Metric returns the instrument's metric with the id, or nil.
func (in *Instrument) Metric(id string) *Metric {
	for i := range in.Metrics {
		if in.Metrics[i].ID == id {
			return &in.Metrics[i]
		}
	}
	return nil
}

// Ratio returns the instrument's ratio with the id, or nil.
func (in *Instrument) Ratio(id string) *Ratio {
	for i := range in.Ratios {
		if in.Ratios[i].ID == id {
			return &in.Ratios[i]
		}
	}
	return nil
}

// AccountLimit returns the largest change that one account makes in the instrument's noisy counts, all metrics together: the L1
// sensitivity if the privacy unit is the account. It is 0 if no metric counts accounts' events with noise.
func (in *Instrument) AccountLimit() int64 {
	var limit int64
	for i := range in.Metrics {
		if m := &in.Metrics[i]; m.PrivacyUnit == Account && m.Release == AccountNoise {
			limit += m.UnitMax
		}
	}
	return limit
}

// ItemLimit returns the largest change that one item or event makes in the instrument's noisy counts: 1 in each metric,
// because codes are exclusive. It is the L1 sensitivity if the privacy unit is the item.
func (in *Instrument) ItemLimit() int64 {
	var limit int64
	for i := range in.Metrics {
		if in.Metrics[i].Release == AccountNoise {
			limit++
		}
	}
	return limit
}

// String returns the catalogue's id and version.
func (c *Catalogue) String() string { return fmt.Sprintf("%s %s", c.ID, c.Version) }
