package release

// A Status says whether a figure is shown and, if it is not, why. The text is what data files carry.
type Status string

// The statuses, in the order in which a reader meets them. Published and Few carry a value and an interval,
// Coarsened carries only bounds, all others carry no number at all.
const (
	Published Status = "published"
	// Few marks an estimate under three standard deviations of its noise. Data files carry it; pages say "few".
	Few Status = "few"
	// Coarsened marks a noiseless count so close to nobody or to everybody that only its bounds are given.
	Coarsened Status = "coarsened"

	WithheldMinimum       Status = "withheld-minimum"
	WithheldBlanked       Status = "withheld-blanked"
	WithheldCertificate   Status = "withheld-certificate"
	WithheldComplementary Status = "withheld-complementary"
	WithheldDifference    Status = "withheld-difference"
	WithheldBands         Status = "withheld-bands"
	NotCollected          Status = "not-collected"

	// The last two are used for ratios only.
	WithheldDenominator Status = "withheld-denominator"
	WithheldUnbounded   Status = "withheld-unbounded"
)

var statuses = [...]struct {
	status Status
	reason string
}{
	{Published, "Published with its 95 % interval."},
	{Few, "The estimate is smaller than three standard deviations of the noise, so it cannot be told from a very small number; the data files carry the estimate."},
	{Coarsened, "So few, or nearly all, members gave this answer that the exact number could point at one of them; only its bounds are given."},
	{WithheldMinimum, "Withheld: fewer organisations contributed than the minimum that was fixed before the round opened; a group under one owner counts once."},
	{WithheldBlanked, "Withheld: too few organisations contributed to this one cell. Both servers replaced it with random numbers, so nobody has seen it, the secretariat included."},
	{WithheldCertificate, "Withheld: one or two large members could make up so much of this total that a reader could estimate their own figures from it."},
	{WithheldComplementary, "Withheld: it would give away another withheld cell by subtraction."},
	{WithheldDifference, "Withheld: comparing it with a figure published earlier would show what a few members who joined, left or corrected their numbers had sent."},
	{WithheldBands, "Withheld: with the total that is shown beside it, it would tell how large single members are within their band."},
	{NotCollected, "Not collected: a few members make up most of the uncapped total, so it was never asked for; the capped total and the bands stand in its place."},
	{WithheldDenominator, "Withheld: the number below the line is too small, compared with its noise, for a ratio to mean anything."},
	{WithheldUnbounded, "Withheld: the noise leaves this ratio without a bounded 95 % interval."},
}

// Statuses returns every status in the order of the constants. The caller owns the slice.
func Statuses() []Status {
	s := make([]Status, len(statuses))
	for i, e := range statuses {
		s[i] = e.status
	}
	return s
}

// Valid reports whether s is one of the constants.
func (s Status) Valid() bool { return s.Reason() != "" }

// Open reports whether a figure of this status carries a value and an interval.
func (s Status) Open() bool { return s == Published || s == Few }

// Withheld reports whether a figure of this status carries no number at all.
func (s Status) Withheld() bool { return s.Valid() && !s.Open() && s != Coarsened }

// ForRatio reports whether the status can stand beside a ratio only.
func (s Status) ForRatio() bool { return s == WithheldDenominator || s == WithheldUnbounded }

// Reason returns the status in plain words for a page, one sentence, or "" for an unknown status.
func (s Status) Reason() string {
	for _, e := range statuses {
		if e.status == s {
			return e.reason
		}
	}
	return ""
}
