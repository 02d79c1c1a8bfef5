package round

import (
	"fmt"
	"math/bits"
	"regexp"
	"slices"
	"time"

	"candor/crypto/seal"
	"candor/crypto/sign"
)

// LeastGroups is the smallest minimum of groups that any round may set, and LeastCellGroups that of a cell (design, "Thresholds").
const (
	LeastGroups     = 10
	LeastCellGroups = 5
)

var (
	idPattern   = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$`)
	hashPattern = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// Check returns everything in the document that contradicts itself or that no party may agree to, one plain sentence each; none means that the
// round can be signed. It needs no other input; what depends on other rounds or on the catalogue is checked by Overlaps and by package metric's reader.
func (d *Document) Check() []string {
	c := checker{d: d}
	c.identity()
	c.window()
	c.aggregators()
	c.roster()
	c.minimum()
	c.parts()
	c.release()
	return c.problems
}

type checker struct {
	d        *Document
	problems []string
}

func (c *checker) problem(format string, args ...any) {
	c.problems = append(c.problems, fmt.Sprintf(format, args...))
}

func (c *checker) identity() {
	d := c.d
	if d.Format != Format {
		c.problem("format is %q, not %q", d.Format, Format)
	}
	if !idPattern.MatchString(d.ID) {
		c.problem("round id %q is not 1 to 40 lower-case letters, digits and inner hyphens", d.ID)
	}
	if d.Supersedes != "" && !hashPattern.MatchString(d.Supersedes) {
		c.problem("supersedes is %q, not the SHA-256 of a round document in hex", d.Supersedes)
	}
	if !hashPattern.MatchString(d.Catalogue.Hash) {
		c.problem("the catalogue's hash is %q, not a SHA-256 in hex", d.Catalogue.Hash)
	}
	first, err1 := time.Parse(time.DateOnly, d.Period.First)
	last, err2 := time.Parse(time.DateOnly, d.Period.Last)
	switch {
	case err1 != nil || err2 != nil:
		c.problem("the period runs from %q to %q: both must be dates such as 2026-01-31", d.Period.First, d.Period.Last)
	case last.Before(first):
		c.problem("the period ends on %s, before it begins on %s", d.Period.Last, d.Period.First)
	case !d.Rehearsal && d.Window.Opens.Before(last.AddDate(0, 0, 1)):
		c.problem("the window opens on %s, before the period has ended on %s", d.Window.Opens.Format(time.DateOnly), d.Period.Last)
	}
	if _, err := sign.ParsePublicKey(d.Secretariat); err != nil {
		c.problem("the secretariat's key: %v", err)
	}
}

func (c *checker) window() {
	if _, err := c.d.interval(); err != nil {
		c.problem("%v", err)
	}
}

func (c *checker) aggregators() {
	d := c.d
	for _, a := range []struct {
		role string
		Aggregator
	}{{"Leader", d.Leader}, {"Helper", d.Helper}} {
		if a.Operator == "" {
			c.problem("the %s has no operator's name", a.role)
		}
		if a.Endpoint == "" {
			c.problem("the %s has no endpoint", a.role)
		}
		if _, err := sign.ParsePublicKey(a.Key); err != nil {
			c.problem("the %s's key: %v", a.role, err)
		}
		config, err := ParseHPKE(a.HPKE)
		if err != nil {
			c.problem("the %s's HPKE configuration: %v", a.role, err)
		} else if config.KEM != seal.XWing.KEM {
			c.problem("the %s's HPKE configuration has KEM %#04x: a round uses X-Wing (%#04x) and nothing else", a.role, config.KEM, seal.XWing.KEM)
		}
	}
	if _, err := ParseHPKE(d.Collector); err != nil {
		c.problem("the Collector's HPKE configuration: %v", err)
	}
	if d.Leader.Endpoint == d.Helper.Endpoint {
		c.problem("Leader and Helper have one endpoint, %s", d.Leader.Endpoint)
	}
	if d.Leader.Operator == d.Helper.Operator || d.Leader.Key == d.Helper.Key {
		c.problem("Leader and Helper have one operator: the two aggregators must be run by organisations that do not collude")
	}
	if d.Leader.Key == d.Secretariat || d.Helper.Key == d.Secretariat {
		c.problem("an aggregator has the secretariat's key")
	}
}

func (c *checker) roster() {
	byID, byKey, byName := map[string]bool{}, map[string]string{}, map[string]bool{}
	for _, m := range c.d.Roster {
		if !idPattern.MatchString(m.ID) {
			c.problem("member id %q is not 1 to 40 lower-case letters, digits and inner hyphens", m.ID)
		}
		if m.ID == BySecretariat || m.ID == ByLeader || m.ID == ByHelper {
			c.problem("member id %q is the name of another party", m.ID)
		}
		if byID[m.ID] {
			c.problem("member id %q is there twice", m.ID)
		}
		if m.Name == "" {
			c.problem("member %s has no legal name", m.ID)
		} else if byName[m.Name] {
			c.problem("the legal name %q is there twice", m.Name)
		}
		if m.Group == "" {
			c.problem("member %s has no group: a member of its own is a group of its own", m.ID)
		}
		if _, err := sign.ParsePublicKey(m.Key); err != nil {
			c.problem("the key of member %s: %v", m.ID, err)
		} else if other, ok := byKey[m.Key]; ok {
			c.problem("members %s and %s have one key", other, m.ID)
		}
		byID[m.ID], byKey[m.Key], byName[m.Name] = true, m.ID, true
	}
}

// Groups returns how many members each group has.
func (d *Document) Groups() map[string]int {
	groups := map[string]int{}
	for _, m := range d.Roster {
		groups[m.Group]++
	}
	return groups
}

func (c *checker) minimum() {
	d := c.d
	if d.Minimum.Groups < LeastGroups {
		c.problem("the minimum is %d groups; no round may ask for fewer than %d", d.Minimum.Groups, LeastGroups)
	}
	if d.Minimum.CellGroups < LeastCellGroups {
		c.problem("the minimum of a cell is %d groups; no round may ask for fewer than %d", d.Minimum.CellGroups, LeastCellGroups)
	}
}

// Unattainable says why nothing can ever be collected in a round of this roster; empty if something can. It stands apart from Check because such a
// round harms nobody: it ends with every figure withheld.
func (d *Document) Unattainable() string {
	if groups := uint64(len(d.Groups())); groups < d.Minimum.Groups {
		return fmt.Sprintf("the roster has %d groups, fewer than the minimum of %d: nothing could ever be collected", groups, d.Minimum.Groups)
	}
	return ""
}

// Unprotected says which parts would tell answers without the aggregators' noise: a count of all or of none is then each member's own answer. States of
// availability are told without. It stands apart from Check, for those who are asked to take part in a round: a reader can make sense of such a round.
func (d *Document) Unprotected() (problems []string) {
	for i := range d.Parts {
		p := &d.Parts[i]
		if p.Kind != KindAnswers || !slices.ContainsFunc(p.Cells, func(c Cell) bool { return !c.IsState() }) {
			continue
		}
		epsilon, err := parseRational(p.Privacy.Epsilon)
		if p.Privacy.Mechanism != "discrete-laplace" || p.Privacy.Place != "aggregators" || err != nil || epsilon.Sign() <= 0 || p.Privacy.Delta1 == 0 {
			problems = append(problems, fmt.Sprintf("part %s/%s holds answers without the aggregators' noise: its privacy block must say discrete-laplace at aggregators with a positive epsilon and delta1",
				p.Instrument, p.Name))
		}
	}
	return problems
}

func (c *checker) parts() {
	d := c.d
	if len(d.Parts) == 0 {
		c.problem("the round has no part, so nothing is counted")
	}
	names := map[string]bool{}
	cells := map[string]string{}
	populations := map[string]bool{}
	for _, p := range d.Populations {
		if _, err := parseRational(p.Epsilon); err != nil {
			c.problem("the cumulative epsilon of population %s: %v", p.ID, err)
		}
		if populations[p.ID] {
			c.problem("population %s is there twice", p.ID)
		}
		populations[p.ID] = true
	}
	for i := range d.Parts {
		p := &d.Parts[i]
		name := p.Instrument + "/" + p.Name
		if !idPattern.MatchString(p.Instrument) || !idPattern.MatchString(p.Name) {
			c.problem("part %q: instrument and name are lower-case letters, digits and inner hyphens", name)
		}
		if names[name] {
			c.problem("part %s is there twice", name)
		}
		names[name] = true
		for _, cell := range p.Cells {
			key := p.Instrument + "." + cell.Metric + "." + cell.Code
			if other, ok := cells[key]; ok {
				c.problem("cell %s is in %s and in %s: a metric has one cap and one place in a round", key, other, name)
			}
			cells[key] = name
		}
		if p.Privacy.Mechanism != "none" && !populations[p.Privacy.Population] {
			c.problem("part %s charges population %q, which the document does not list", name, p.Privacy.Population)
		}
		c.part(name, p)
	}
}

func (c *checker) part(name string, p *Part) {
	d := c.d
	vdaf, err := p.VDAF.config()
	if err == nil {
		_, err = newVDAF(vdaf)
	}
	if err != nil {
		c.problem("part %s: %v", name, err)
		return
	}
	if int(p.VDAF.Length) != len(p.Cells) {
		c.problem("part %s has %d cells but a vector of %d", name, len(p.Cells), p.VDAF.Length)
	}
	switch p.Kind {
	case KindCounts:
		c.counts(name, p)
	case KindAnswers:
		if p.VDAF.Type != "Prio3MultihotCountVec" {
			c.problem("part %s holds answers, which are proved with Prio3MultihotCountVec, not %s", name, p.VDAF.Type)
		}
	default:
		c.problem("part %s is of kind %q, neither %q nor %q", name, p.Kind, KindCounts, KindAnswers)
	}
	if len(d.TaskInfo(p)) > 255 {
		c.problem("part %s: round, instrument and part together are longer than 255 bytes of task_info", name)
	}
}

// counts checks what ties cap, offset, noise and range of a counts part together (design, "Offset encoding, never clamping at 0").
func (c *checker) counts(name string, p *Part) {
	if p.VDAF.Type != "Prio3SumVec" {
		c.problem("part %s holds counts, which are proved with Prio3SumVec, not %s", name, p.VDAF.Type)
	}
	if p.Cap == 0 {
		c.problem("part %s has a cap of zero", name)
	}
	if want := p.Cap + 2*p.Offset; p.VDAF.MaxMeasurement != want {
		c.problem("part %s: max_measurement is %d, but cap + 2 x offset is %d", name, p.VDAF.MaxMeasurement, want)
	}
	// Sums are decoded as signed 64-bit integers: members x max_measurement must stay below 2^63.
	if hi, lo := bits.Mul64(uint64(len(c.d.Roster)), p.VDAF.MaxMeasurement); hi != 0 || lo >= 1<<63 {
		c.problem("part %s: the sum of %d members could reach 2^63 and overflow", name, len(c.d.Roster))
	}
	if p.Privacy.Mechanism == "none" {
		if p.Offset != 0 {
			c.problem("part %s has an offset of %d but no noise that needs it", name, p.Offset)
		}
		return
	}
	noise, err := p.Privacy.MemberNoise()
	switch {
	case err != nil:
		c.problem("part %s: %v", name, err)
	case noise == nil:
		c.problem("part %s: noise on counts is added by members, not by %q", name, p.Privacy.Place)
	case p.Offset != uint64(noise.Offset()):
		c.problem("part %s: the offset is %d, but its noise asks for %d", name, p.Offset, noise.Offset())
	}
}

func (c *checker) release() {
	r := c.d.Release
	if p, err := parseRational(r.P); err != nil || p.Sign() <= 0 {
		c.problem("the release rules' p is %q, not a positive fraction such as 1/5", r.P)
	}
	if _, err := time.Parse(time.DateOnly, r.NextReview); err != nil {
		c.problem("the date of the method's review is %q, not a date such as 2026-12-31", r.NextReview)
	}
	for _, w := range r.Waivers {
		if err := w.verify(c.d); err != nil {
			c.problem("%v", err)
		}
	}
	if r.Signatures == 0 {
		c.problem("a release needs no signature of the secretariat: at least one is required")
	}
	signers := map[string]bool{}
	for _, k := range r.Signers {
		if _, err := sign.ParsePublicKey(k); err != nil {
			c.problem("a signer of releases: %v", err)
		}
		if k == c.d.Secretariat || signers[k] {
			c.problem("the signer of releases %s is there twice, or is the secretariat", k)
		}
		signers[k] = true
	}
	if others := uint64(len(r.Signers)); r.Signatures > 1 && others < r.Signatures-1 {
		c.problem("a release needs %d signatures, and beside the secretariat the document names %d who may sign: name them under signers", r.Signatures, others)
	}
}

// Overlaps says whether two rounds measure one period with one instrument without the later one being a revision of the earlier: no two approved
// rounds may. It returns the instruments concerned.
func (d *Document) Overlaps(other *Document) ([]string, error) {
	h1, err := d.Hash()
	if err != nil {
		return nil, err
	}
	h2, err := other.Hash()
	if err != nil {
		return nil, err
	}
	if h1 == h2 || d.Rehearsal || other.Rehearsal || d.Supersedes == fmt.Sprintf("%x", h2) || other.Supersedes == fmt.Sprintf("%x", h1) ||
		d.Period.Last < other.Period.First || other.Period.Last < d.Period.First {
		return nil, nil // dates of one form sort as text
	}
	mine := map[string]bool{}
	for _, p := range d.Parts {
		mine[p.Instrument] = true
	}
	var both []string
	for _, p := range other.Parts {
		if mine[p.Instrument] {
			both = append(both, p.Instrument)
			mine[p.Instrument] = false
		}
	}
	return both, nil
}
