package publish

// Exported for tests.
var (
	FormatCount   = formatCount
	FormatRounded = formatRounded
	FormatSD      = formatSD
	Determined    = determined

	RenderMarkdown = renderMarkdown
)
