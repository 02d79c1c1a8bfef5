package demo

import (
	"context"
	"crypto/rand"
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"candor/client/publish"
	"candor/crypto/sign"
	"candor/schema/metric"
	"candor/schema/release"
	"candor/schema/round"
)

//go:embed providers.yaml
var providersYAML string

// providerCap is the most that one owner counts for in a calibration round. It lies within the highest band, which a member's figure is told in after the cap.
const providerCap = 110_000

// calibrationYears are the years of the real series. The list of 2022 is left out: a series may have a gap, and says so.
var calibrationYears = []string{"2019", "2020", "2021", "2023"}

// quarters is how many rounds have made-up figures.
const quarters = 3

// A history is the rounds of one coalition, from the first to the latest: real figures by year for calibration, and made-up figures by quarter.
type history struct {
	parties
	players map[string]*player // by roster id
	order   []*player
	rounds  []*playedRound // in the order of their periods; the latest is the last
	done    atomic.Int64   // members that have sent all they have to
}

// A player is a member with what it has on its own machine.
type player struct {
	id, name string
	key      *sign.PrivateKey
	rounds   []*playedRound
}

// A playedRound is a round of the history, and what became of it.
type playedRound struct {
	signed    *round.Signed
	text      []byte // of signed
	catalogue *metric.Catalogue
	figures   map[string]metric.Figures // by roster id
	known     *publish.KnownYear        // of a calibration round

	sent, corrected int
	batches         []release.Batch
	bundle          release.Bundle
	dir             string
	verified        publish.Verification
}

func (r *playedRound) doc() *round.Document { return r.signed.Document }

// newHistory plans all rounds and has them signed. It does so twice: how long the first time takes tells how long the members will need on this machine, as busy as
// it is now.
func (d *demo) newHistory(ctx context.Context) error {
	p, err := d.newParties(ctx)
	if err != nil {
		return err
	}
	start := time.Now()
	if d.Window <= 0 {
		if err := d.planHistory(p, time.Hour); err != nil {
			return err
		}
	}
	return d.planHistory(p, d.historyWindow(time.Since(start)))
}

// membersNeed is how many times longer all members need to submit than the rounds to be planned and signed, with half as much to spare.
const membersNeed = 150

// historyWindow is how long members can submit: by choice, or so that a machine manages that needs so long to plan.
func (d *demo) historyWindow(planning time.Duration) time.Duration {
	if d.Window > 0 {
		return max(time.Second, d.Window.Round(time.Second))
	}
	return min(max(membersNeed*planning, 20*time.Second), 10*time.Minute).Round(time.Second)
}

func (d *demo) planHistory(p parties, window time.Duration) error {
	d.history = &history{parties: p, players: map[string]*player{}}
	opens := time.Now().UTC().Truncate(time.Second)
	d.windows = round.Window{Opens: opens, Closes: opens.Add(window)}
	years, skip := calibrationYears, 0
	if d.Short {
		years, skip = years[:1], quarters-1
	}
	for _, year := range years {
		if err := d.addYear(year); err != nil {
			return fmt.Errorf("%s: %w", year, err)
		}
	}
	for i, q := range lastQuarters(opens, quarters) {
		if i < skip {
			continue
		}
		if err := d.addQuarter(i, q); err != nil {
			return fmt.Errorf("%s: %w", q.Label, err)
		}
	}
	return nil
}

// lastQuarters returns the last n full quarters before now.
func lastQuarters(now time.Time, n int) []round.Period {
	first := time.Date(now.Year(), (now.Month()-1)/3*3+1, 1, 0, 0, 0, 0, time.UTC)
	periods := make([]round.Period, n)
	for i := range n {
		from := first.AddDate(0, -3*(n-i), 0)
		periods[i] = round.Period{Label: fmt.Sprintf("%dQ%d", from.Year(), (from.Month()+2)/3), First: from.Format(time.DateOnly), Last: from.AddDate(0, 3, -1).Format(time.DateOnly)}
	}
	return periods
}

// addYear adds the calibration round of a year: every provider on the list is a member of it.
func (d *demo) addYear(year string) error {
	list, err := providers(year)
	if err != nil {
		return err
	}
	catalogue, err := providerCatalogue(year)
	if err != nil {
		return err
	}
	r := &playedRound{catalogue: catalogue, figures: map[string]metric.Figures{}, known: &publish.KnownYear{Period: year, Cap: providerCap}}
	var roster []round.Member
	giants := uint64(0)
	for _, p := range list {
		m, err := d.history.join(p.id, p.name)
		if err != nil {
			return err
		}
		roster = append(roster, m)
		r.figures[p.id] = metric.Figures{"provider-reports.reports": {State: metric.Measured, Values: []int64{p.reports}}}
		r.known.Raw += p.reports
		r.known.Capped += min(p.reports, providerCap)
		r.known.Top = append(r.known.Top, p.reports)
		if p.reports > providerCap {
			giants++ // the list says so in public
		}
	}
	slices.Sort(r.known.Top)
	slices.Reverse(r.known.Top)
	r.known.Top = r.known.Top[:3]
	plan := d.plan("providers-"+year, round.Period{Label: year, First: year + "-01-01", Last: year + "-12-31"}, catalogue, roster)
	plan.Instruments = []string{"provider-reports"}
	plan.Caps = map[string]int64{"provider-reports.reports": providerCap}
	plan.Release.Giants = []round.Giants{{Metric: "provider-reports.reports", Count: giants}}
	return d.addRound(r, plan)
}

// providerCatalogue is the catalogue of the calibration. The lists changed between 2020 and 2021 in what a line is, and so does the definition.
func providerCatalogue(year string) (*metric.Catalogue, error) {
	text := providersYAML
	if year <= "2020" {
		text = strings.Replace(text, `version: "2"`, `version: "1"`, 1)
		text = strings.Replace(text, "services of one owner added up, each owner", "each provider as the list combines it, related platforms included, each", 1)
	}
	return metric.Parse([]byte(text))
}

// addQuarter adds a round with made-up figures.
func (d *demo) addQuarter(i int, period round.Period) error {
	catalogue, err := quarterCatalogue(i)
	if err != nil {
		return err
	}
	r := &playedRound{catalogue: catalogue, figures: map[string]metric.Figures{}}
	var roster []round.Member
	// Four members join after the first quarter: enough of them that two quarters may stand side by side.
	first := 0
	if i == 0 {
		first = 4
	}
	for n := first; n < syntheticMembers; n++ {
		id := fmt.Sprintf("member-%02d", n+1)
		m, err := d.history.join(id, fmt.Sprintf("Member %02d (made up)", n+1))
		if err != nil {
			return err
		}
		roster = append(roster, m)
		r.figures[id] = synthetic(catalogue, n, i)
	}
	plan := d.plan(strings.ToLower(period.Label), period, catalogue, roster)
	plan.Instruments, plan.Caps = syntheticInstruments, syntheticCaps
	return d.addRound(r, plan)
}

// quarterCatalogue is the standard catalogue, or for the first quarter one with an older definition, so that a series has a break.
func quarterCatalogue(quarter int) (*metric.Catalogue, error) {
	standard := metric.Standard()
	if quarter > 0 {
		return standard, nil
	}
	text := string(standard.Canonical())
	for _, change := range []struct{ from, to string }{
		{`"version":"` + standard.Version + `"`, `"version":"0.0"`},
		{"Sessions of which any part was analysed by an automated tool or watched by a moderator.", "Sessions of which any part was analysed by an automated tool."},
	} {
		if !strings.Contains(text, change.from) {
			return nil, fmt.Errorf("the standard catalogue does not say %q any more", change.from)
		}
		text = strings.Replace(text, change.from, change.to, 1)
	}
	return metric.Parse([]byte(text))
}

// join returns the roster's entry of an organisation, which keeps its key from round to round.
func (h *history) join(id, name string) (round.Member, error) {
	p := h.players[id]
	if p == nil {
		key, err := sign.GenerateKey(rand.Reader)
		if err != nil {
			return round.Member{}, err
		}
		p = &player{id: id, name: name, key: key}
		h.players[id], h.order = p, append(h.order, p)
	}
	return round.Member{ID: id, Name: name, Group: id, Key: p.key.PublicKey().String()}, nil
}

// plan is what the rounds have in common.
func (d *demo) plan(id string, period round.Period, c *metric.Catalogue, roster []round.Member) *round.Plan {
	return &round.Plan{
		ID: id, Period: period, Window: d.windows, Precision: 1, Catalogue: c, Roster: roster,
		Minimum: round.Minimum{Groups: round.LeastGroups, CellGroups: round.LeastCellGroups},
		Release: round.Release{Colluders: 2, P: "1/5", FewSD: 3, Signatures: 1, Giants: []round.Giants{}, Waivers: []round.Waiver{},
			NextReview: d.windows.Opens.AddDate(1, 0, 0).Format(time.DateOnly)},
	}
}

// addRound writes the document of a round and has it signed by all three.
func (d *demo) addRound(r *playedRound, plan *round.Plan) (err error) {
	h := d.history
	plan.Secretariat = h.secretariat.PublicKey().String()
	if plan.Leader, err = h.operators[0].aggregator(); err != nil {
		return err
	}
	if plan.Helper, err = h.operators[1].aggregator(); err != nil {
		return err
	}
	if plan.Collector, err = round.EncodeHPKE(h.collectorHPKE); err != nil {
		return err
	}
	doc, err := plan.Document()
	if err != nil {
		return err
	}
	if r.signed, err = d.approve(h.parties, doc); err != nil {
		return err
	}
	r.text = r.signed.Encode()
	for _, m := range doc.Roster {
		p := h.players[m.ID]
		p.rounds = append(p.rounds, r)
	}
	h.rounds = append(h.rounds, r)
	return nil
}

func (r *playedRound) latest(h *history) bool { return r == h.rounds[len(h.rounds)-1] }
