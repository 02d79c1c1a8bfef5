package publish

// Exported for tests.
var (
	FormatCount   = formatCount
	FormatRounded = formatRounded
	FormatSD      = formatSD
	Determined    = determined

	RenderMarkdown = renderMarkdown
)

// PlanWithout is PlanRound with some rules switched off.
var PlanWithout = planWithout

// ParseWords is parseWords.
var ParseWords = parseWords

// EncodeWords is Words.encode.
var EncodeWords = Words.encode
