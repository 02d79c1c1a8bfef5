package metric

import "slices"

// A Type says what the cells of a metric hold.
type Type string

const (
	Count             Type = "count"              // number of events, items, accounts…, one cell or one per code
	Headcount         Type = "headcount"          // number of people
	DurationHistogram Type = "duration-histogram" // number of events per bucket of time
	ExposureHistogram Type = "exposure-histogram" // number of events per bucket of views
	YesNo             Type = "yes-no"             // one answer
	YesNoSet          Type = "yes-no-set"         // one answer per code
	Choice            Type = "choice"             // exactly one code
)

func types() []Type {
	return []Type{Count, Headcount, DurationHistogram, ExposureHistogram, YesNo, YesNoSet, Choice}
}

// Counts reports whether the cells hold numbers, not answers.
func (t Type) Counts() bool {
	return t == Count || t == Headcount || t == DurationHistogram || t == ExposureHistogram
}

// Histogram reports whether the cells are buckets.
func (t Type) Histogram() bool { return t == DurationHistogram || t == ExposureHistogram }

// A Period is how often an instrument is contributed.
type Period string

const (
	Quarter Period = "quarter"
	Year    Period = "year"
)

// A Tier says who is asked.
type Tier string

const (
	Core     Tier = "core"     // every member to whom it applies
	Extended Tier = "extended" // members that can
)

// A PrivacyUnit is what noise protects.
type PrivacyUnit string

const (
	Item         PrivacyUnit = "item"
	Account      PrivacyUnit = "account"
	Person       PrivacyUnit = "person"
	Organisation PrivacyUnit = "organisation"
)

// A Release says how a metric is published.
type Release string

const (
	AccountNoise Release = "account-noise" // sum of counts to which each member adds noise
	OrgNoise     Release = "org-noise"     // number of members per answer, with noise by the aggregators
	SumRules     Release = "sum-rules"     // sum of counts without noise
)

// A State says whether a member has a value for a metric. Missing is not zero.
type State string

const (
	Measured      State = "measured"
	Estimated     State = "estimated"
	NotMeasured   State = "not-measured"
	NotApplicable State = "not-applicable"
)

// States returns the four states in the order of their cells.
func States() []State { return []State{Measured, Estimated, NotMeasured, NotApplicable} }

// Contributes reports whether a metric in the state has values.
func (s State) Contributes() bool { return s == Measured || s == Estimated }

// Valid reports whether s is one of States.
func (s State) Valid() bool { return slices.Contains(States(), s) }
